//! Stacks in other accounts and regions: what the function may do there, and how their events reach
//! it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::patterns::matches;
use super::reading::{Deployment, deployed, events, function};
use super::rights::{Right, rights, role_policies, statements_in, statements_of};

const HOME: &str = "012345678912";
const HOME_REGION: &str = "us-east-1";
const OTHER: &str = "222222222222";
const OTHER_REGION: &str = "eu-west-1";

const PROMOTER: &str = "arn:aws:iam::012345678912:role/ecr-promoter-FunctionRole-1A2B3C4D5E6F7";
const BUS: &str = "arn:aws:events:us-east-1:012345678912:event-bus/default";
const STACK: &str = "arn:aws:cloudformation:eu-west-1:222222222222:stack/web/*";
const REPLICA: &str = "arn:aws:ecr:eu-west-1:222222222222:repository/web";

/// examples/target-role.yaml in the other account, with every feature, or with other parameters.
fn target<const N: usize>(parameters: [(&str, &str); N]) -> Deployment {
    let all = [
        ("AWS::AccountId", OTHER),
        ("AWS::Region", OTHER_REGION),
        ("PromoterRoleArn", PROMOTER),
        ("ExternalId", "acme-7f3a"),
        ("StackArns", STACK),
        ("RepositoryArns", REPLICA),
        ("HomeEventBusArn", BUS),
        ("WatchAlarms", "true"),
    ];
    Deployment::of("examples/target-role.yaml", &[&all[..], &parameters].concat())
}

fn target_rights(deployment: &Deployment) -> Vec<Right> {
    let policies = role_policies(deployment, "TargetRole");
    rights(&policies.iter().flat_map(statements_of).collect::<Vec<_>>())
}

#[test]
fn the_function_assumes_the_roles_that_are_named_and_no_other() {
    let roles = [
        "arn:aws:iam::222222222222:role/ecr-promoter-target",
        "arn:aws:iam::333333333333:role/deploy/*",
    ];
    let deployment = deployed([("TargetRoles", &roles.join(","))]);
    let statement = |deployment: &Deployment| {
        let all = statements_in(deployment).into_iter();
        all.filter(|it| it["Sid"] == "AssumeTargetRoles").collect::<Vec<_>>()
    };
    assert_eq!(statement(&deployment)[0]["Resource"], json!(roles));
    assert!(statement(&deployed([])).is_empty());
}

#[test]
fn services_are_read_in_the_regions_that_are_named_and_in_no_other() {
    let regions = |deployment: &Deployment| {
        let statements = statements_in(deployment).into_iter();
        let ecs = rights(&statements.collect::<Vec<_>>()).into_iter();
        let conditions = ecs.filter(|right| right.action.starts_with("ecs:"));
        conditions.map(|right| right.condition).collect::<BTreeSet<_>>()
    };
    let only = |regions: &[&str]| {
        let condition = json!({ "StringEquals": { "aws:RequestedRegion": regions } });
        BTreeSet::from([condition.to_string()])
    };
    assert_eq!(regions(&deployed([])), only(&[HOME_REGION]));
    let further = deployed([("TargetRegions", "eu-west-1,eu-central-1")]);
    assert_eq!(regions(&further), only(&[HOME_REGION, "eu-west-1", "eu-central-1"]));
}

// Events.

#[test]
fn events_are_taken_from_those_who_are_named_and_from_nobody_else() {
    let statements = |parameters: [(&str, &str); 2]| {
        let deployment = deployed(parameters);
        let policies = deployment.resources("AWS::Events::EventBusPolicy").into_values();
        policies.map(|policy| deployment.resolve(&policy["Statement"])).collect::<Vec<_>>()
    };
    let named = |accounts, organization| {
        statements([("EventSourceAccounts", accounts), ("EventSourceOrganization", organization)])
    };
    assert!(named("", "").is_empty());
    let statement = |principal: Value| {
        json!({
            "Effect": "Allow",
            "Principal": principal,
            "Action": "events:PutEvents",
            "Resource": "arn:aws:events:us-east-1:012345678912:event-bus/default",
        })
    };
    let accounts = statement(json!({ "AWS": ["222222222222", "333333333333"] }));
    assert_eq!(named("222222222222,333333333333", ""), vec![accounts.clone()]);
    let mut organization = statement(json!("*"));
    organization["Condition"] = json!({ "StringEquals": { "aws:PrincipalOrgID": "o-a1b2c3d4e5" } });
    assert_eq!(named("", "o-a1b2c3d4e5"), vec![organization.clone()]);
    assert_eq!(
        named("222222222222,333333333333", "o-a1b2c3d4e5"),
        [accounts, organization],
        "both, each with its own condition"
    );
}

/// A file of events/ as it comes from an account and a region.
fn event_from(name: &str, account: &str, region: &str) -> Value {
    let text = events().remove(name).expect("a file").to_string();
    let text = text.replace(HOME, account).replace(HOME_REGION, region);
    serde_json::from_str(&text).expect("JSON")
}

/// What a target has to tell, and the rule that is for it.
const TOLD: [(&str, &str); 6] = [
    ("cfn-update-complete.json", "StackChange"),
    ("cfn-rollback-complete.json", "StackChange"),
    ("ecs-deployment-completed.json", "ServiceChangeRule"),
    ("ecs-service-steady-state.json", "ServiceChangeRule"),
    ("alarm-state-change.json", "AlarmChangeRule"),
    ("ecr-push-production-tag.json", "ReplicaPushRule"),
];

/// The patterns of a deployment's rules, those of the function's own events too.
fn patterns(deployment: &Deployment) -> Vec<(String, Value)> {
    let rules = deployment.resources("AWS::Events::Rule").into_iter();
    let rules = rules.map(|(name, rule)| (name, rule["EventPattern"].clone()));
    let function = function();
    let events = function["Events"].as_object().expect("events").iter();
    let own = events.filter(|(_, event)| event["Type"] == "EventBridgeRule");
    let own = own.map(|(name, event)| (name.clone(), event["Properties"]["Pattern"].clone()));
    let is_the_functions = deployment.template["Resources"]["EcrPromoterFunction"].is_object();
    let all = rules.chain(own.filter(|_| is_the_functions));
    all.map(|(name, pattern)| (name, deployment.resolve(&pattern))).collect()
}

/// The rules that let an event through.
fn rules_for(deployment: &Deployment, event: &Value) -> Vec<String> {
    let patterns = patterns(deployment).into_iter();
    patterns.filter(|(_, pattern)| matches(pattern, event)).map(|(name, _)| name).collect()
}

#[test]
fn forwarded_events_wake_the_function_where_they_are_expected() {
    let alarms = ("WatchAlarms", "true");
    let elsewhere = [(OTHER, OTHER_REGION), (OTHER, HOME_REGION), (HOME, OTHER_REGION)];
    for feature in [
        ("EventSourceAccounts", OTHER),
        ("EventSourceOrganization", "o-a1b2c3d4e5"),
        ("TargetRegions", OTHER_REGION),
    ] {
        let deployment = deployed([alarms, feature]);
        for (name, rule) in TOLD {
            for (account, region) in elsewhere {
                let event = event_from(name, account, region);
                assert_eq!(rules_for(&deployment, &event), [rule], "{name} from {account}");
            }
        }
    }
    let closed = deployed([alarms]);
    for (name, _) in TOLD.iter().filter(|(_, rule)| *rule != "AlarmChangeRule") {
        let event = event_from(name, OTHER, OTHER_REGION);
        assert_eq!(rules_for(&closed, &event), [""; 0], "{name}");
    }
}

/// The function's own tags would wake it after each promotion, and other stacks at each update.
#[test]
fn the_accounts_own_events_wake_the_function_as_without_targets() {
    let deployment = deployed([("EventSourceAccounts", OTHER), ("EcsServices", "production/*")]);
    let own = |name: &str| event_from(name, HOME, HOME_REGION);
    assert_eq!(rules_for(&deployment, &own("ecr-push-production-tag.json")), [""; 0]);

    let rename = |name: &str, from: &str, to: &str| {
        let text = own(name).to_string().replace(from, to);
        serde_json::from_str::<Value>(&text).expect("JSON")
    };
    let other_stack = rename("cfn-update-complete.json", "stack/web/", "stack/other/");
    assert_eq!(rules_for(&deployment, &other_stack), [""; 0]);
    let other_cluster = rename("ecs-deployment-completed.json", "production/web", "staging/web");
    assert_eq!(rules_for(&deployment, &other_cluster), [""; 0]);
}

#[test]
fn pushes_of_other_tags_elsewhere_wake_nobody() {
    let deployment = deployed([("EventSourceAccounts", OTHER), ("TagPrefix", "live_")]);
    let event = event_from("ecr-push-production-tag.json", OTHER, OTHER_REGION);
    assert_eq!(rules_for(&deployment, &event), [""; 0], "another prefix");
    let deployment = deployed([("EventSourceAccounts", OTHER)]);
    let event = event_from("ecr-push-failure.json", OTHER, OTHER_REGION);
    assert_eq!(rules_for(&deployment, &event), [""; 0], "no success");
}

#[test]
fn the_target_forwards_what_the_function_waits_for() {
    let target = target([]);
    let home = deployed([("EventSourceAccounts", OTHER), ("WatchAlarms", "true")]);
    for (name, rule) in TOLD {
        let event = event_from(name, OTHER, OTHER_REGION);
        let forwarded_by = if rule == "StackChange" { "StackChangeRule" } else { rule };
        assert_eq!(rules_for(&target, &event), [forwarded_by], "{name}");

        // What comes from elsewhere, or concerns others, is not sent on.
        let foreign = event_from(name, "333333333333", OTHER_REGION);
        assert_eq!(rules_for(&target, &foreign), [""; 0], "{name}");

        // Which kinds of changes count is the same here and there, so neither can be changed alone.
        let pattern_of = |deployment: &Deployment, rule: &str| {
            let (_, mut pattern) =
                patterns(deployment).into_iter().find(|(name, _)| name == rule).expect("a rule");
            pattern["detail"].as_object_mut().expect("a detail").remove("stack-id");
            ["source", "detail-type", "detail"].map(|key| pattern[key].clone())
        };
        assert_eq!(pattern_of(&target, forwarded_by), pattern_of(&home, rule), "{name}");
    }
    let of_prefix = self::target([("StackPrefix", "shop-")]);
    let event = event_from("cfn-update-complete.json", OTHER, OTHER_REGION);
    assert_eq!(rules_for(&of_prefix, &event), [""; 0], "a stack of another name");
}

#[test]
fn the_target_sends_to_the_functions_event_bus_and_to_nothing_else() {
    let target = target([]);
    let rules = target.resources("AWS::Events::Rule");
    assert_eq!(rules.len(), 4);
    let role = json!({ "GetAtt": "ForwardRole.Arn" });
    for (name, rule) in rules {
        let bus = json!([{ "Id": "HomeEventBus", "Arn": BUS, "RoleArn": role }]);
        assert_eq!(target.resolve(&rule["Targets"]), bus, "{name}");
    }
    let policies = role_policies(&target, "ForwardRole");
    let statements: Vec<Value> = policies.iter().flat_map(statements_of).collect();
    let right = |action: &str, resource: &str| Right {
        action: action.to_owned(),
        resource: resource.to_owned(),
        condition: "null".to_owned(),
    };
    assert_eq!(rights(&statements), [right("events:PutEvents", BUS)]);
}

#[test]
fn a_feature_of_the_target_that_is_off_is_not_there() {
    let rules = |deployment: Deployment| {
        deployment.resources("AWS::Events::Rule").into_keys().collect::<Vec<_>>()
    };
    let off = [("VerifyServices", "false"), ("WatchAlarms", "false"), ("RepositoryArns", "")];
    assert_eq!(rules(target(off)), ["StackChangeRule"]);
    let silent = target([("HomeEventBusArn", "")]);
    assert_eq!(silent.resources("AWS::IAM::Role").into_keys().collect::<Vec<_>>(), ["TargetRole"]);
    assert_eq!(rules(silent), [""; 0]);

    let second_region = target([("CreateRole", "false")]);
    let roles = second_region.resources("AWS::IAM::Role");
    assert_eq!(roles.into_keys().collect::<Vec<_>>(), ["ForwardRole"]);
    assert_eq!(rules(second_region).len(), 4);
}

// The role.

#[test]
fn only_the_function_may_use_the_target_role_and_only_with_the_external_id() {
    let target = target([]);
    let role = target.resolve(&target.resources("AWS::IAM::Role")["TargetRole"]);
    let statements = role["AssumeRolePolicyDocument"]["Statement"].as_array().expect("a list");
    let [assume, identity] = statements.as_slice() else { panic!("two: {statements:?}") };
    for (statement, action) in [(assume, "sts:AssumeRole"), (identity, "sts:SetSourceIdentity")] {
        assert_eq!(statement["Effect"], "Allow");
        assert_eq!(statement["Principal"], json!({ "AWS": PROMOTER }));
        assert_eq!(statement["Action"], action);
    }
    let condition = json!({ "StringEquals": { "sts:ExternalId": "acme-7f3a" } });
    assert_eq!(assume["Condition"], condition);
    assert_eq!(role["MaxSessionDuration"], 3600);
    assert_eq!(role["RoleName"], "ecr-promoter-target");

    let asserted = |name: &str| json!({ "Not": [{ "Equals": [{ "Ref": name }, ""] }] });
    let rule = &target.template["Rules"]["RoleIsComplete"];
    let assertions = rule["Assertions"].as_array().expect("assertions").iter();
    assert_eq!(
        assertions.map(|one| one["Assert"].clone()).collect::<Vec<_>>(),
        ["PromoterRoleArn", "ExternalId"].map(asserted),
        "a role without them would be open"
    );
}

/// In the other account the function may do what it may do at home with a further app's stack.
#[test]
fn the_target_role_has_the_rights_of_the_function_on_its_own_stacks() {
    for (verify, watch) in [("true", "true"), ("true", "false"), ("false", "true")] {
        let features = [("VerifyServices", verify), ("WatchAlarms", watch)];
        let place = [("AWS::AccountId", OTHER), ("AWS::Region", OTHER_REGION)];
        let stack = [("StackName", "first"), ("MoreStackArns", STACK)];
        let home = Deployment::of("template.yaml", &[features, place, stack].concat());
        let on_stack = |rights: Vec<Right>| -> BTreeSet<Right> {
            let mut rights: BTreeSet<Right> = rights
                .into_iter()
                .filter(|right| {
                    let service = right.action.split(':').next().unwrap_or_default();
                    right.resource == STACK || ["ecs", "cloudwatch"].contains(&service)
                })
                .collect();
            // At home it is limited to the regions that are named.
            let is_ecs = |right: &Right| right.action.starts_with("ecs:");
            let ecs: Vec<Right> = rights.iter().filter(|right| is_ecs(right)).cloned().collect();
            rights.retain(|right| !is_ecs(right));
            rights.extend(ecs.into_iter().map(|it| Right { condition: String::new(), ..it }));
            rights
        };
        let target = target_rights(&target(features));
        let wanted = on_stack(rights(&statements_in(&home)));
        assert!(wanted.iter().any(|right| right.action == "cloudformation:UpdateStack"));
        assert_eq!(on_stack(target.clone()), wanted, "{features:?}");

        let rest = target.iter().filter(|right| !wanted.iter().any(|it| it.action == right.action));
        let rest: Vec<(&str, &str)> =
            rest.map(|right| (right.action.as_str(), right.resource.as_str())).collect();
        let reads = ["ecr:ListImages", "ecr:BatchGetImage", "ecr:DescribeImages"];
        assert_eq!(rest, reads.map(|action| (action, REPLICA)), "a replica is only read");
    }
    let without_replica = target_rights(&target([("RepositoryArns", "")]));
    assert!(without_replica.iter().all(|right| !right.action.starts_with("ecr:")));
}

/// AWS checks CreateChangeSet against them too.
#[test]
fn change_sets_of_templates_with_transforms_are_made_at_home_and_in_the_target() {
    let transforms = "arn:aws:cloudformation:*:aws:transform/*";
    for rights in [rights(&statements_in(&deployed([]))), target_rights(&target([]))] {
        let create = rights.iter().filter(|right| right.action.ends_with(":CreateChangeSet"));
        assert!(create.clone().any(|right| right.resource == transforms));
        assert!(create.clone().all(|right| right.condition.contains("ecr-promoter-*")));
    }
}
