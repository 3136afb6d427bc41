//! Environment and configuration.

use std::cell::RefCell;
use std::collections::BTreeSet;

use ecr_promoter::model::config::App;
use ecr_promoter::settings::{DEFAULT_PREFIX, Settings};

use super::reading::{Deployment, deployed, function, resource};

#[test]
fn the_function_has_the_environment_that_the_code_reads() {
    let read = RefCell::new(BTreeSet::new());
    let var = |name: &str| {
        read.borrow_mut().insert(name.to_owned());
        Some("/x".to_owned())
    };
    Settings::from_vars(var).expect("settings");
    let function = function();
    let set: BTreeSet<String> = function["Environment"]["Variables"]
        .as_object()
        .expect("variables")
        .keys()
        .cloned()
        .collect();
    assert_eq!(set, read.into_inner());
}

#[test]
fn the_first_apps_configuration_is_where_the_code_looks_and_what_it_understands() {
    let settings = Settings::from_vars(|name| (name == "STATE_TABLE").then(|| "x".to_owned()))
        .expect("settings");
    let repository = "tools/web".parse().expect("a repository");
    let configuration = |deployment: Deployment| {
        let parameter = deployment.resolve(&resource("AppConfiguration")["Properties"]);
        let (name, json) = (
            parameter["Name"].as_str().expect("a name"),
            parameter["Value"].as_str().expect("a value"),
        );
        assert_eq!(name, settings.app_parameter(&repository));
        App::parse(&repository, name, json).expect("a configuration").config
    };
    let plain = App::parse(&repository, "", r#"{"stack":"web"}"#).expect("a configuration").config;
    assert_eq!(
        configuration(deployed([("Repository", "tools/web")])),
        plain,
        "the template's defaults are those of the code"
    );

    let extra = r#""capabilities":["CAPABILITY_AUTO_EXPAND"],"repository_url":"https://github.com/acme/web""#;
    let config = configuration(deployed([
        ("Repository", "tools/web"),
        ("Mode", "auto"),
        ("ExtraConfiguration", extra),
    ]));
    assert_eq!(
        (config.capabilities.len(), config.repository_url.as_deref()),
        (1, Some("https://github.com/acme/web"))
    );
    assert_eq!(deployed([]).parameter("ParameterPrefix"), DEFAULT_PREFIX);
}

/// The value of the first app's configuration with these parameters.
fn value(parameters: &[(&str, &str)]) -> String {
    let deployment = Deployment::of("template.yaml", parameters);
    let parameter = deployment.resolve(&resource("AppConfiguration")["Properties"]);
    parameter["Value"].as_str().expect("a value").to_owned()
}

#[test]
fn every_combination_of_parameters_is_a_configuration() {
    let optional = [
        ("AppName", "web-staging"),
        ("Mode", "auto"),
        ("RepositoryUrl", "https://github.com/acme/web"),
        ("SlackChannel", "C024BE91L"),
        ("Approvers", "U024BE7LH,W0G9QF9C6"),
        ("RequiredApprovals", "2"),
        (
            "ExtraConfiguration",
            r#""verify":false,"guard":{"allowed_changes":["AWS::ECS::Service"]}"#,
        ),
    ];
    for chosen in 0..1_u32 << optional.len() {
        let some: Vec<_> = (0..optional.len())
            .filter(|index| chosen & 1 << index != 0)
            .map(|index| optional[index])
            .collect();
        let has = |name: &str| some.iter().any(|(key, _)| *key == name);
        let json = value(&some);
        let app = App::parse(&"web".parse().expect("a name"), "", &json);
        let needs_a_channel = has("Approvers") || has("RequiredApprovals");
        if needs_a_channel && !has("SlackChannel") {
            // The template's rule refuses these before.
            app.expect_err("nobody could be asked");
            continue;
        }
        let config = app.unwrap_or_else(|error| panic!("{json}: {error}")).config;
        let approval = &config.approval;
        assert_eq!(approval.slack_channel.is_some(), has("SlackChannel"), "{json}");
        assert_eq!(approval.approvers.len(), if has("Approvers") { 2 } else { 0 }, "{json}");
        let required = if has("RequiredApprovals") { 2 } else { 1 };
        assert_eq!(approval.required, required, "{json}");
        assert_eq!(config.repository_url.is_some(), has("RepositoryUrl"), "{json}");
        assert_eq!(config.guard.is_some(), has("ExtraConfiguration"), "{json}");
    }
}

#[test]
fn the_stack_owns_the_first_apps_configuration_or_none() {
    let of = |manage| {
        let deployment = deployed([("ManageConfiguration", manage)]);
        deployment.resources("AWS::SSM::Parameter").into_keys().collect::<Vec<_>>()
    };
    assert_eq!(of("true"), ["AppConfiguration"]);
    assert_eq!(of("false"), [""; 0]);
    assert_eq!(deployed([]).parameter("ManageConfiguration"), "true");
}

#[test]
fn the_first_app_may_have_another_name_than_its_repository() {
    let deployment = deployed([("Repository", "tools/web"), ("AppName", "web-staging")]);
    let parameter = deployment.resolve(&resource("AppConfiguration")["Properties"]);
    assert_eq!(parameter["Name"], "/ecr-promoter/apps/web-staging");
    let json = parameter["Value"].as_str().expect("a value");
    let app = App::parse(&"web-staging".parse().expect("a name"), "", json);
    assert_eq!(app.expect("a configuration").repository.as_str(), "tools/web");
}
