use aws_smithy_types::body::SdkBody;
use http::Request;
use serde_json::json;

use crate::samples::web;
use crate::services::clients::{CONFIGURATION_AGE, Clients};
use crate::services::wire::ssm::{get_parameter, parameter};
use crate::services::wire::{connect, denied, json_error, json_request, ok_json, replay};
use crate::world::{Apps, Web};

const NAME: &str = "/ecr-promoter/apps/web";

#[tokio::test]
async fn a_parameter_is_its_value() {
    let parameter =
        json!({ "Parameter": { "Name": NAME, "Type": "String", "Value": "{}", "Version": 1 } });
    let found = replay([(get_parameter(NAME), ok_json(&parameter))], async |clients| {
        clients.parameter(NAME).await
    })
    .await;
    assert_eq!(found.expect("read"), Some("{}".to_owned()));
}

#[tokio::test]
async fn a_missing_parameter_is_none() {
    let missing = json_error("ParameterNotFound", "", &json!({}));
    let found =
        replay([(get_parameter(NAME), missing)], async |clients| clients.parameter(NAME).await)
            .await;
    assert_eq!(found.expect("not an error"), None);
}

#[tokio::test]
async fn a_denied_call_names_the_action_that_is_missing() {
    let read = async |words: &str| {
        let answer = json_error("AccessDeniedException", words, &json!({}));
        denied(
            replay([(get_parameter(NAME), answer)], async |clients| clients.parameter(NAME).await)
                .await,
        )
    };
    let resource = format!("parameter `{NAME}`");
    let own = "User: arn:aws:sts::012345678912:assumed-role/r/f is not authorized to perform: \
               ssm:GetParameter on resource: \
               arn:aws:ssm:us-east-1:012345678912:parameter/ecr-promoter/apps/web because no \
               identity-based policy allows it";
    assert_eq!(read(own).await, ("ssm:GetParameter".to_owned(), resource.clone()));
    // It may be another action than the call's own, if the role may read but not decrypt.
    let other = "User: arn:aws:sts::012345678912:assumed-role/r/f is not authorized to \
                 perform: kms:Decrypt on resource: x";
    assert_eq!(read(other).await, ("kms:Decrypt".to_owned(), resource.clone()));
    assert_eq!(read("").await, ("ssm:GetParameter".to_owned(), resource));
}

#[tokio::test]
async fn any_other_failure_carries_the_words_of_the_service() {
    let answer = json_error("InvalidKeyId", "no such key", &json!({}));
    let result =
        replay([(get_parameter(NAME), answer)], async |clients| clients.parameter(NAME).await)
            .await;
    let message = result.expect_err("it failed").to_string();
    assert_eq!(
        message,
        "ssm:GetParameter on parameter `/ecr-promoter/apps/web` failed: InvalidKeyId: no such \
         key"
    );
}

#[tokio::test]
async fn a_throttled_read_is_tried_again() {
    let throttled =
        (get_parameter(NAME), json_error("ThrottlingException", "Rate exceeded", &json!({})));
    let found = replay([throttled, (get_parameter(NAME), parameter("{}"))], async |clients| {
        clients.parameter(NAME).await
    })
    .await;
    assert_eq!(found.expect("read"), Some("{}".to_owned()));
}

#[tokio::test]
async fn an_app_is_read_under_the_prefix_and_only_once() {
    let (mut clients, wire) =
        connect([(get_parameter("/tools/promoter/apps/web"), parameter(r#"{"stack":"web"}"#))]);
    clients.settings.parameter_prefix = "/tools/promoter".to_owned();
    for _ in 0..2 {
        let app = clients.app(&web()).await.expect("read").expect("there is one");
        assert_eq!(
            (app.source.as_str(), app.config.stack.as_str()),
            ("/tools/promoter/apps/web", "web")
        );
    }
    wire.relaxed_requests_match();
}

#[tokio::test]
async fn the_public_address_is_kept_for_a_minute_and_gets_its_last_slash() {
    let is = |url: &str| {
        let parameter = json!({
            "Parameter": { "Name": "/ecr-promoter/public-url", "Type": "String", "Value": url },
        });
        (get_parameter("/ecr-promoter/public-url"), ok_json(&parameter))
    };
    let read = async |clients: &Clients| {
        Web::public_url(clients).await.expect("read").map(|url| url.as_str().to_owned())
    };
    replay([is("https://one.example"), is("https://two.example/\n"), is(" ")], async |clients| {
        for expected in [Some("https://one.example/"), Some("https://two.example/"), None] {
            assert_eq!(read(clients).await.as_deref(), expected);
            assert_eq!(read(clients).await.as_deref(), expected, "known");
            clients.public_url.grow_older(CONFIGURATION_AGE).await;
        }
    })
    .await;
    let error = replay([is("http://one.example/")], async |clients| Web::public_url(clients).await)
        .await
        .expect_err("refused")
        .to_string();
    assert!(error.contains("/ecr-promoter/public-url") && error.contains("https://"), "{error}");
}

fn get_parameters_by_path(next_token: Option<&str>) -> Request<SdkBody> {
    let mut asked = json!({ "Path": "/ecr-promoter/apps/", "Recursive": true });
    if let Some(token) = next_token {
        asked["NextToken"] = token.into();
    }
    json_request("AmazonSSM.GetParametersByPath", &asked)
}

#[tokio::test]
async fn all_pages_are_read_and_a_wrong_app_does_not_hide_others() {
    let listed = |app: &str, json: &str| {
        let name = format!("/ecr-promoter/apps/{app}");
        json!({ "Name": name, "Value": json })
    };
    // An empty page is not the last one.
    let page_1 = json!({ "Parameters": [], "NextToken": "page 2" });
    let page_2 = json!({
        "Parameters": [listed("web", "{}"), listed("Web", "{}")], "NextToken": "page 3",
    });
    let page_3 = json!({ "Parameters": [listed("tools/web", r#"{"stack":"tools"}"#)] });
    let recordings = [
        (get_parameters_by_path(None), ok_json(&page_1)),
        (get_parameters_by_path(Some("page 2")), ok_json(&page_2)),
        (get_parameters_by_path(Some("page 3")), ok_json(&page_3)),
    ];
    let apps = replay(recordings, async |clients| clients.apps().await).await.expect("read");
    let read: Vec<_> = apps
        .iter()
        .map(|(repository, app)| {
            (repository.as_str(), app.as_ref().ok().map(|app| &*app.config.stack))
        })
        .collect();
    assert_eq!(read, [("tools/web", Some("tools")), ("web", None)]);
    let error = apps[1].1.as_ref().expect_err("it names no stack").to_string();
    assert!(error.contains("/ecr-promoter/apps/web") && error.contains("stack"), "{error}");
}

#[tokio::test]
async fn only_known_apps_may_come_from_the_remembered_list() {
    let page = |apps: &[&str]| {
        let parameter = |app: &&str| {
            let name = format!("/ecr-promoter/apps/{app}");
            json!({ "Name": name, "Value": r#"{"stack":"web"}"# })
        };
        ok_json(&json!({ "Parameters": apps.iter().map(parameter).collect::<Vec<_>>() }))
    };
    let recordings = [
        (get_parameters_by_path(None), page(&["web"])),
        (get_parameters_by_path(None), page(&["web", "worker"])),
    ];
    replay(recordings, async |clients| {
        assert_eq!(
            clients.known_apps().await.expect("read").len(),
            1,
            "read, since nothing is known"
        );
        assert_eq!(clients.known_apps().await.expect("known").len(), 1);
        assert_eq!(clients.apps().await.expect("read").len(), 2);
        assert_eq!(clients.known_apps().await.expect("known").len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_list_that_is_denied_names_the_action_that_is_missing() {
    let recordings =
        [(get_parameters_by_path(None), json_error("AccessDeniedException", "", &json!({})))];
    let result = replay(recordings, async |clients| clients.apps().await).await;
    assert_eq!(
        denied(result),
        ("ssm:GetParametersByPath".to_owned(), "path `/ecr-promoter/apps/`".to_owned())
    );
}

#[tokio::test]
async fn a_missing_app_is_not_remembered() {
    let missing = || (get_parameter(NAME), json_error("ParameterNotFound", "", &json!({})));
    replay([missing(), missing()], async |clients| {
        for _ in 0..2 {
            assert_eq!(clients.app(&web()).await.expect("not an error"), None);
        }
    })
    .await;
}
