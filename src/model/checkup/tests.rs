use std::collections::BTreeMap;

use super::facts::{Bot, Channel, GitFacts, LinkFacts, SlackFacts, Writes};
use super::template::{Declared, Limits, Template};
use super::*;
use crate::model::bake::Alarm;
use crate::model::image::TagMutability;
use crate::model::place::Place;
use crate::model::stack::{Parameter, Stack};
use crate::model::unread::Unread;
use crate::samples::{DIGEST, app, stack};

fn unread(words: &str, is_denied: bool) -> Unread {
    Unread { words: words.to_owned(), is_denied }
}

/// An app with everything, and what is read about it in good order.
fn good() -> (App, Facts) {
    let app = app(r#"{"stack": "web", "repository_url": "https://github.com/acme/web",
            "approval": {"slack_channel": "C0RELEASES"},
            "after": {"app": "web-staging"},
            "target": {"role": "arn:aws:iam::222222222222:role/promoter",
                       "registry": "222222222222.dkr.ecr.us-east-1.amazonaws.com"},
            "bake": {"minutes": 10, "alarms": ["errors"]}}"#);
    let parameter = Parameter {
        key: "ProductionTag".to_owned(),
        value: "production_initial".to_owned(),
        resolved: None,
    };
    let stack = Stack {
        role: Some("arn:aws:iam::222222222222:role/cloudformation".to_owned()),
        parameters: vec![parameter],
        capabilities: vec!["CAPABILITY_NAMED_IAM".to_owned()],
        ..stack("UPDATE_COMPLETE")
    };
    let alarm = Alarm {
        name: "errors".to_owned(),
        arn: String::new(),
        state: "OK".to_owned(),
        reason: String::new(),
        since: None,
    };
    let scopes = Some(vec!["chat:write".to_owned(), "commands".to_owned()]);
    let facts = Facts {
        home: Place::default(),
        stack: Ok(Some(stack)),
        template: Some(Ok(Template {
            capabilities: vec!["CAPABILITY_IAM".to_owned()],
            transforms: Vec::new(),
            parameter: Some(Declared { kind: "String".to_owned(), ..Declared::default() }),
            ssm_typed: vec!["BootstrapVersion".to_owned()],
            limits: Ok(Limits {
                pattern: Some(
                    "production_[0-9a-f]{7,40}(-[0-9a-f]{12})?|production_initial".into(),
                ),
                longest: Some(128),
            }),
        })),
        repository: Ok(Some(TagMutability {
            is_immutable: true,
            exclusions: vec!["latest".to_owned()],
        })),
        newest: None,
        lifecycle: Ok(None),
        earlier: Some(Ok(Ok(()))),
        services: Some(Ok(2)),
        alarms: Some(Ok(vec![alarm])),
        replica: Some(Ok(Some(DIGEST.parse().expect("a digest")))),
        has_topic: true,
        slack: Some(SlackFacts {
            signing_secret: Some(Ok(Some(32))),
            bot: Ok(Some(Bot::Known(scopes))),
            channel: Some(Channel::Seen { is_member: true, is_archived: false }),
        }),
        links: LinkFacts { key_name: "/x".to_owned(), key: Some(Ok(true)), address: Ok(true) },
        git: Some(GitFacts::Reads(Writes::No)),
    };
    (app, facts)
}

#[test]
fn a_good_app_has_no_problem_and_no_warning() {
    let (app, facts) = good();
    let checkup = Checkup::of(&app, &facts);
    assert_eq!((checkup.problems, checkup.warnings), (0, 0), "{:#?}", checkup.findings);
    let abouts: BTreeMap<&str, Level> =
        checkup.findings.iter().map(|finding| (finding.about, finding.level)).collect();
    for about in ["stack", "service-role", "parameter", "lifecycle", "slack-channel", "git-token"] {
        assert_eq!(abouts.get(about), Some(&Level::Ok), "{about}");
    }
}

fn stack_of(facts: &mut Facts) -> &mut Stack {
    let stack = facts.stack.as_mut().expect("read");
    stack.as_mut().expect("a stack")
}

fn template_of(facts: &mut Facts) -> &mut Template {
    facts.template.as_mut().expect("asked").as_mut().expect("read")
}

fn slack_of(facts: &mut Facts) -> &mut SlackFacts {
    facts.slack.as_mut().expect("asked")
}

fn pattern(facts: &mut Facts, pattern: &str) {
    let limits = Limits { pattern: Some(pattern.to_owned()), longest: None };
    template_of(facts).limits = Ok(limits);
}

fn declared(facts: &mut Facts, declared: Declared) {
    template_of(facts).parameter = Some(declared);
}

fn rules(facts: &mut Facts, selection: &str) {
    facts.lifecycle =
        Ok(Some(format!(r#"{{"rules": [{{"rulePriority": 1, "selection": {selection}}}]}}"#)));
}

type Spoil = fn(&mut Facts);

/// What is wrong, what the finding is about, and a part of what it says or of its mend.
fn problems_of_the_stack() -> Vec<(Spoil, &'static str, &'static str)> {
    vec![
        (|f| f.stack = Ok(None), "stack", "no stack `web`"),
        (
            |f| f.stack = Err(unread("cloudformation:DescribeStacks was denied", true)),
            "stack",
            "DescribeStacks",
        ),
        (
            |f| stack_of(f).status = "UPDATE_ROLLBACK_FAILED".into(),
            "stack",
            "UPDATE_ROLLBACK_FAILED",
        ),
        (|f| stack_of(f).parent = Some("arn:parent".into()), "stack", "root stack"),
        (
            |f| stack_of(f).capabilities.clear(),
            "capabilities",
            r#""capabilities": ["CAPABILITY_IAM"]"#,
        ),
        (
            |f| template_of(f).transforms = vec!["AWS::Serverless-2016-10-31".into()],
            "capabilities",
            "CAPABILITY_AUTO_EXPAND",
        ),
        (
            |f| template_of(f).transforms = vec!["AWS::LanguageExtensions".into()],
            "transforms",
            "LanguageExtensions",
        ),
        (|f| stack_of(f).parameters.clear(), "parameter", "no parameter `ProductionTag`"),
        (|f| declared(f, Declared { no_echo: true, ..Declared::default() }), "parameter", "NoEcho"),
        (
            |f| declared(f, Declared { allowed_values: vec!["a".into()], ..Declared::default() }),
            "parameter",
            "AllowedValues",
        ),
        (
            |f| declared(f, Declared { kind: "Number".into(), ..Declared::default() }),
            "parameter",
            "type String",
        ),
        (|f| pattern(f, "[0-9a-f]{40}"), "parameter", "production_[0-9a-f]{7,40}(-[0-9a-f]{12})?"),
        (
            |f| template_of(f).limits = Ok(Limits { pattern: None, longest: Some(40) }),
            "parameter",
            "MaxLength",
        ),
    ]
}

fn problems_around() -> Vec<(Spoil, &'static str, &'static str)> {
    vec![
        (|f| f.repository = Ok(None), "repository", "no repository `web`"),
        (|f| rules(f, r#"{"tagStatus": "any"}"#), "lifecycle", "rule 1"),
        (
            |f| f.earlier = Some(Ok(Err("`web-staging` promotes another repository".into()))),
            "after",
            "another repository",
        ),
        (|f| f.alarms = Some(Ok(vec![])), "alarms", "no alarm `errors`"),
        (
            |f| f.alarms = Some(Err(unread("cloudwatch:DescribeAlarms was denied", true))),
            "alarms",
            "WatchAlarms=true",
        ),
    ]
}

fn problems_of_people() -> Vec<(Spoil, &'static str, &'static str)> {
    vec![
        (
            |f| slack_of(f).signing_secret = Some(Ok(Some(8))),
            "slack-signing-secret",
            "8 characters",
        ),
        (|f| slack_of(f).signing_secret = Some(Ok(None)), "slack-signing-secret", "missing"),
        (|f| slack_of(f).bot = Ok(None), "slack-token", "missing"),
        (
            |f| slack_of(f).bot = Ok(Some(Bot::Refused("invalid_auth".into()))),
            "slack-token",
            "invalid_auth",
        ),
        (
            |f| slack_of(f).bot = Ok(Some(Bot::Known(Some(vec!["commands".into()])))),
            "slack-scopes",
            "chat:write",
        ),
        (
            |f| slack_of(f).channel = Some(Channel::Refused("channel_not_found".into())),
            "slack-channel",
            "/invite",
        ),
        (
            |f| slack_of(f).channel = Some(Channel::Seen { is_member: false, is_archived: false }),
            "slack-channel",
            "/invite",
        ),
        (
            |f| slack_of(f).channel = Some(Channel::Seen { is_member: true, is_archived: true }),
            "slack-channel",
            "archived",
        ),
        (
            |f| f.links.key = Some(Err(unread("line 1 has fewer than 32 characters", false))),
            "link-secret",
            "openssl",
        ),
        (|f| f.links.address = Ok(false), "public-url", "PublicUrl=on"),
        (|f| f.git = Some(GitFacts::Refused("it answered 401".into())), "git-token", "401"),
    ]
}

fn warnings() -> Vec<(Spoil, &'static str, &'static str)> {
    vec![
        (|f| stack_of(f).role = None, "service-role", "examples/service-role.yaml"),
        (|f| pattern(f, "production_[0-9a-f]{40}"), "parameter", "second image"),
        (|f| pattern(f, "(?<name>x"), "parameter", "cannot be judged"),
        (
            |f| template_of(f).limits = Err("cloudformation:GetTemplate was denied".into()),
            "parameter",
            "cloudformation:GetTemplate",
        ),
        (
            |f| f.template = Some(Err(unread("denied", true))),
            "template",
            "template of this version",
        ),
        (
            |f| f.repository = Ok(Some(TagMutability::default())),
            "tag-mutability",
            "put-image-tag-mutability",
        ),
        (
            |f| rules(f, r#"{"tagStatus": "tagged", "tagPrefixList": ["staging_"]}"#),
            "lifecycle",
            "rule 1",
        ),
        (|f| f.lifecycle = Ok(Some("{".into())), "lifecycle", "cannot be judged"),
        (
            |f| f.lifecycle = Err(unread("ecr:GetLifecyclePolicy was denied", true)),
            "lifecycle",
            "ecr:GetLifecyclePolicy",
        ),
        (|f| f.services = Some(Ok(0)), "services", "no ECS service"),
        (
            |f| f.services = Some(Err(unread("ecs:DescribeServices was denied", true))),
            "services",
            "VerifyServices=true",
        ),
        (|f| f.replica = Some(Ok(None)), "replication", "replicate"),
        (|f| f.has_topic = false, "notifications", "NotificationTopic"),
        (
            |f| slack_of(f).channel = Some(Channel::Refused("missing_scope".into())),
            "slack-channel",
            "channels:read",
        ),
        (|f| f.git = Some(GitFacts::Reads(Writes::Yes)), "git-token", "read-only"),
    ]
}

#[test]
fn each_misconfiguration_is_named_once_with_its_mend() {
    let levels = [
        (Level::Problem, problems_of_the_stack()),
        (Level::Problem, problems_around()),
        (Level::Problem, problems_of_people()),
        (Level::Warning, warnings()),
    ];
    for (level, cases) in levels {
        for (at, (spoil, about, part)) in cases.into_iter().enumerate() {
            let (app, mut facts) = good();
            spoil(&mut facts);
            let checkup = Checkup::of(&app, &facts);
            let bad: Vec<&Finding> =
                checkup.findings.iter().filter(|finding| finding.level != Level::Ok).collect();
            let is_it = |finding: &&&Finding| finding.level == level && finding.about == about;
            let finding = bad.iter().find(is_it);
            let finding = finding.unwrap_or_else(|| panic!("{level:?} {at} {about}: {bad:#?}"));
            let mend = finding.mend.as_deref().expect("a mend");
            assert!(finding.says.contains(part) || mend.contains(part), "{about}: {finding:?}");
            assert_eq!((checkup.problems + checkup.warnings), bad.len());
        }
    }
}

#[test]
fn an_app_whose_source_tag_is_pushed_needs_one_that_moves() {
    let app = app(r#"{"stack": "web", "mode": "auto"}"#);
    let (_, mut facts) = good();
    facts.newest = Some(Ok(None));
    facts.repository = Ok(Some(TagMutability { is_immutable: true, exclusions: Vec::new() }));
    let checkup = Checkup::of(&app, &facts);
    let says = |about: &str| {
        let finding = checkup.findings.iter().find(|finding| finding.about == about);
        finding.map(|finding| (finding.level, finding.says.clone())).expect("a finding")
    };
    assert_eq!(says("candidate").0, Level::Warning);
    let (level, words) = says("tag-mutability");
    assert_eq!(level, Level::Problem);
    assert!(words.contains("`latest` is immutable"), "{words}");
}

#[test]
fn a_configuration_that_cannot_be_used_is_the_only_problem() {
    let name = "web".parse().expect("a name");
    let checkup = Checkup::unusable(&name, "configuration error in Parameter Store /x: no `stack`");
    assert_eq!((checkup.problems, checkup.findings.len()), (1, 1));
    assert!(checkup.findings[0].says.contains("no `stack`"));
}
