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

#[test]
fn the_first_app_may_have_another_name_than_its_repository() {
    let deployment = deployed([("Repository", "tools/web"), ("AppName", "web-staging")]);
    let parameter = deployment.resolve(&resource("AppConfiguration")["Properties"]);
    assert_eq!(parameter["Name"], "/ecr-promoter/apps/web-staging");
    let json = parameter["Value"].as_str().expect("a value");
    let app = App::parse(&"web-staging".parse().expect("a name"), "", json);
    assert_eq!(app.expect("a configuration").repository.as_str(), "tools/web");
}
