use serde_json::json;

use super::*;
use crate::samples::app;
use crate::services::wire::{Recording, answer, connect, form_request, replay};

const ROLE: &str = "arn:aws:iam::222222222222:role/ecr-promoter-target";

/// The request that assumes the role for this person, and STS's answer.
fn assume(identity: &str, expires: &str) -> Recording {
    let request = form_request(
        "sts",
        &[
            ("Action", "AssumeRole"),
            ("Version", "2011-06-15"),
            ("RoleArn", ROLE),
            ("RoleSessionName", "ecr-promoter"),
            ("DurationSeconds", "3600"),
            ("ExternalId", "acme-7f3a"),
            ("SourceIdentity", identity),
        ],
    );
    let xml = format!(
        "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>\
         <Credentials><AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>s</SecretAccessKey>\
         <SessionToken>t</SessionToken><Expiration>{expires}</Expiration></Credentials>\
         </AssumeRoleResult></AssumeRoleResponse>"
    );
    (request, answer(200, xml))
}

fn web_elsewhere() -> App {
    let json = json!({
        "stack": "web",
        "target": { "role": ROLE, "external_id": "acme-7f3a", "region": "eu-west-1" },
    });
    app(&json.to_string())
}

#[tokio::test]
async fn a_session_is_assumed_once_for_each_person() {
    let looks = SourceIdentity::default();
    let alice = SourceIdentity::of_slack("UALICE");
    let in_an_hour = "2999-01-01T00:00:00Z";
    let recordings = [assume("ecr-promoter", in_an_hour), assume("UALICE", in_an_hour)];
    replay(recordings, async |clients| {
        for identity in [&looks, &looks, &alice, &looks, &alice] {
            let site = clients.site(&web_elsewhere(), identity).await.expect("a site");
            let config = site.cloudformation.config();
            assert_eq!(config.region().map(Region::as_ref), Some("eu-west-1"));
        }
    })
    .await;
}

#[tokio::test]
async fn a_session_that_is_about_to_expire_is_assumed_anew() {
    let looks = SourceIdentity::default();
    let recordings = [(); 2].map(|()| assume("ecr-promoter", "2020-01-01T00:00:00Z"));
    replay(recordings, async |clients| {
        for _ in 0..2 {
            clients.site(&web_elsewhere(), &looks).await.expect("a site");
        }
    })
    .await;
}

#[tokio::test]
async fn an_app_at_home_assumes_nothing() {
    replay([], async |clients| {
        let identity = SourceIdentity::default();
        let here = app(r#"{"stack": "web"}"#);
        let site = clients.site(&here, &identity).await.expect("a site");
        assert_eq!(site.cloudformation.config().region().map(Region::as_ref), Some("us-east-1"));
        let elsewhere = app(r#"{"stack": "web", "target": {"region": "eu-west-1"}}"#);
        let site = clients.site(&elsewhere, &identity).await.expect("a site");
        assert_eq!(site.cloudformation.config().region().map(Region::as_ref), Some("eu-west-1"));
    })
    .await;
}

#[tokio::test]
async fn a_role_that_cannot_be_assumed_is_named_with_the_mend() {
    let (request, _) = assume("ecr-promoter", "");
    let xml = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>User: x is not authorized \
               to perform: sts:AssumeRole on resource: y</Message></Error></ErrorResponse>";
    let (clients, http) = connect([(request, answer(403, xml))]);
    let identity = SourceIdentity::default();
    let error = clients.site(&web_elsewhere(), &identity).await.err().expect("denied").to_string();
    assert!(error.contains(ROLE) && error.contains("external id"), "{error}");
    assert!(error.contains("TargetRoles"), "{error}");
    http.assert_requests_match(&[]);
}

#[tokio::test]
async fn sessions_that_have_expired_are_forgotten() {
    let people = ["UALICE", "UBOB", "UCAROL"];
    let recordings = people.map(|user| assume(user, "2020-01-01T00:00:00Z"));
    replay(recordings, async |clients| {
        for user in people {
            let identity = SourceIdentity::of_slack(user);
            clients.site(&web_elsewhere(), &identity).await.expect("a site");
            assert_eq!(clients.sessions.len(), 1, "{user}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_denied_call_names_the_targets_role_and_a_revoked_session_is_not_used_again() {
    let looks = SourceIdentity::default();
    let in_an_hour = "2999-01-01T00:00:00Z";
    let recordings = [(); 2].map(|()| assume("ecr-promoter", in_an_hour));
    replay(recordings, async |clients| {
        let site = clients.site(&web_elsewhere(), &looks).await.expect("a site");
        let denied = |message: &str| Error::Denied {
            role: "the function's role".to_owned(),
            action: "cloudformation:DescribeStacks".to_owned(),
            resource: "stack `web`".to_owned(),
            message: message.to_owned(),
        };
        let by_nobody = denied("no identity-based policy allows it");
        let words = site.made_here::<()>(Err(by_nobody)).expect_err("denied").to_string();
        assert!(words.contains(&format!("give the target's role `{ROLE}`")), "{words}");
        clients.site(&web_elsewhere(), &looks).await.expect("the same session");
        let revoked = denied("with an explicit deny in an identity-based policy");
        site.made_here::<()>(Err(revoked)).expect_err("denied");
        clients.site(&web_elsewhere(), &looks).await.expect("another session");
        let home = clients.home_site().made_here::<()>(Err(denied(""))).expect_err("denied");
        assert!(home.to_string().contains("give the function's role"), "{home}");
    })
    .await;
}
