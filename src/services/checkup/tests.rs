use aws_smithy_types::body::SdkBody;
use http::{Request, Response};
use serde_json::{Value, json};

use super::*;
use crate::model::checkup::template::{Declared, Limits, Template};
use crate::samples::{STACK_ID, repository as web};
use crate::services::wire::cloudformation::{answered, ask as ask_cloudformation, denied_answer};
use crate::services::wire::ecr::{ask as ask_ecr, no_repository};
use crate::services::wire::ssm::secret;
use crate::services::wire::{Recording, answer, json_denied, json_error, ok_json, replay};

fn lifecycle(response: Response<SdkBody>) -> Recording {
    (ask_ecr("GetLifecyclePolicy", &json!({ "repositoryName": "web" })), response)
}

#[tokio::test]
async fn a_repository_without_a_lifecycle_policy_is_no_error() {
    let policy = ok_json(&json!({ "lifecyclePolicyText": "{\"rules\": []}" }));
    let read = async |response| {
        replay([lifecycle(response)], async |clients| clients.lifecycle(&web()).await).await
    };
    assert_eq!(read(policy).await.expect("read").as_deref(), Some("{\"rules\": []}"));
    for response in
        [json_error("LifecyclePolicyNotFoundException", "none", &json!({})), no_repository()]
    {
        assert_eq!(read(response).await.expect("read"), None);
    }
    let denied = unread(read(json_denied("ecr:GetLifecyclePolicy")).await.expect_err("denied"));
    assert!(denied.is_denied && denied.words.contains("`ecr:GetLifecyclePolicy`"), "{denied:?}");
}

const SUMMARY: &str = "<Parameters><member><ParameterKey>ProductionTag</ParameterKey>\
    <ParameterType>String</ParameterType><NoEcho>true</NoEcho><ParameterConstraints>\
    <AllowedValues><member>a</member></AllowedValues></ParameterConstraints></member><member>\
    <ParameterKey>Ami</ParameterKey><ParameterType>AWS::SSM::Parameter::Value&lt;String&gt;\
    </ParameterType></member></Parameters><Capabilities><member>CAPABILITY_IAM</member>\
    </Capabilities><DeclaredTransforms><member>AWS::LanguageExtensions</member>\
    </DeclaredTransforms>";

async fn template(text: Response<SdkBody>) -> Result<Template, Error> {
    let recordings = [
        (
            ask_cloudformation("GetTemplateSummary", &[("StackName", STACK_ID)]),
            answered("GetTemplateSummary", SUMMARY),
        ),
        (ask_cloudformation("GetTemplate", &[("StackName", STACK_ID)]), text),
    ];
    replay(recordings, async |clients| {
        clients.home_site().template(STACK_ID, "ProductionTag").await
    })
    .await
}

#[tokio::test]
async fn a_template_is_read_with_its_summary_and_its_text() {
    let body = "<TemplateBody>Parameters: {ProductionTag: {AllowedPattern: x+}}</TemplateBody>";
    let declared =
        Declared { kind: "String".to_owned(), no_echo: true, allowed_values: vec!["a".to_owned()] };
    let expected = Template {
        capabilities: vec!["CAPABILITY_IAM".to_owned()],
        transforms: vec!["AWS::LanguageExtensions".to_owned()],
        parameter: Some(declared),
        ssm_typed: vec!["Ami".to_owned()],
        limits: Ok(Limits { pattern: Some("x+".to_owned()), longest: None }),
    };
    assert_eq!(template(answered("GetTemplate", body)).await.expect("read"), expected);
}

#[tokio::test]
async fn a_template_whose_text_may_not_be_read_is_judged_by_its_summary() {
    let read = template(denied_answer("cloudformation:GetTemplate")).await.expect("read");
    let problem = read.limits.expect_err("denied");
    assert!(problem.contains("`cloudformation:GetTemplate`"), "{problem}");
    assert!(read.parameter.is_some_and(|own| own.no_echo));
}

fn asked_github() -> Request<SdkBody> {
    let request = Request::get("https://api.github.com/repos/acme/web")
        .header("accept", "application/vnd.github+json")
        .header("authorization", "Bearer token")
        .header("user-agent", "ecr-promoter")
        .header("x-github-api-version", "2022-11-28");
    request.body(SdkBody::empty()).expect("a request")
}

async fn git(response: Response<SdkBody>) -> GitFacts {
    let recordings = [secret("/ecr-promoter/git-token", "token"), (asked_github(), response)];
    replay(recordings, async |clients| clients.git_facts("acme/web".to_owned()).await).await
}

fn shown(permissions: &Value) -> Response<SdkBody> {
    ok_json(&json!({ "full_name": "acme/web", "permissions": permissions }))
}

#[tokio::test]
async fn a_git_token_that_can_write_is_known_by_its_scopes_or_its_permissions() {
    assert_eq!(
        git(shown(&json!({ "pull": true, "push": false }))).await,
        GitFacts::Reads(Writes::No)
    );
    assert_eq!(
        git(shown(&json!({ "pull": true, "push": true }))).await,
        GitFacts::Reads(Writes::Perhaps)
    );
    let mut classic = shown(&json!({ "pull": true }));
    classic.headers_mut().insert("x-oauth-scopes", "gist, repo".parse().expect("a header"));
    assert_eq!(git(classic).await, GitFacts::Reads(Writes::Yes));
    let refused = git(answer(401, "{}")).await;
    assert_eq!(refused, GitFacts::Refused("it answered 401".to_owned()));
    let silent = git(answer(503, "{}")).await;
    assert_eq!(silent, GitFacts::Unknown("it answered 503".to_owned()));
}

async fn channel(body: &Value) -> Channel {
    let request = Request::post("https://slack.com/api/conversations.info")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("authorization", "Bearer xoxb-1")
        .body(SdkBody::from("channel=C1"))
        .expect("a request");
    replay([(request, ok_json(body))], async |clients| {
        clients.channel("C1", &SecretString::from("xoxb-1")).await
    })
    .await
}

#[tokio::test]
async fn slack_is_asked_about_the_channel() {
    let member = json!({ "ok": true, "channel": { "id": "C1", "is_member": true } });
    assert_eq!(channel(&member).await, Channel::Seen { is_member: true, is_archived: false });
    let unknown = json!({ "ok": false, "error": "channel_not_found" });
    assert_eq!(channel(&unknown).await, Channel::Refused("channel_not_found".to_owned()));
    assert!(matches!(channel(&json!({ "ok": true })).await, Channel::Unknown(_)));
}
