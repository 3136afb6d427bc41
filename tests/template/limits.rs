//! How many apps fit into IAM's limits and `CloudFormation`'s when each is named.

use std::fs;

use serde_json::{Value, json};

use super::reading::{Deployment, root};
use super::rights::role_policies;

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>: characters of all
/// policies inside a role, of a managed policy, and how many of these a role has.
const INSIDE_A_ROLE: usize = 10_240;
const MANAGED_POLICY: usize = 6_144;
const MANAGED_POLICIES: usize = 10;
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>:
/// bytes of a parameter's value.
const PARAMETER: usize = 4_096;

const KEY: &str = "arn:aws:kms:us-east-1:012345678912:key/1234abcd-12ab-34cd-56ef-1234567890ab";

/// The names of further apps, and where they are.
struct Names {
    partition: &'static str,
    region: &'static str,
    repository: &'static str,
    stack: &'static str,
}

/// What a company with teams calls its services.
const USUAL: Names = Names {
    partition: "aws",
    region: "us-east-1",
    repository: "team-NN-service",
    stack: "team-NN-service-prod-blue",
};

/// 64 characters each, in the partition and the region with the longest names.
const LONGEST: Names = Names {
    partition: "aws-us-gov",
    region: "us-gov-west-1",
    repository: "customer-relations-platform/team-NN-invoice-reconciliation-worke",
    stack: "customer-relations-platform-team-NN-invoice-reconciliation-produ",
};

impl Names {
    /// The ARNs of this many repositories or stacks, as a parameter's value.
    fn arns(&self, count: usize, service: &str, name: &str) -> String {
        let arn = |n: usize| {
            let name = name.replace("NN", &format!("{n:02}"));
            format!("arn:{}:{service}:{}:012345678912:{name}", self.partition, self.region)
        };
        (1..=count).map(arn).collect::<Vec<_>>().join(",")
    }

    fn repositories(&self, count: usize) -> String {
        self.arns(count, "ecr", &format!("repository/{}", self.repository))
    }

    fn stacks(&self, count: usize) -> String {
        self.arns(count, "cloudformation", &format!("stack/{}/*", self.stack))
    }

    /// Whether this many further apps fit into template.yaml with every feature.
    fn fit(&self, count: usize) -> bool {
        let (repositories, stacks) = (self.repositories(count), self.stacks(count));
        let deployment = self.deployed(
            "template.yaml",
            &[
                ("MoreRepositoryArns", &repositories),
                ("MoreStackArns", &stacks),
                ("TargetRoles", "arn:aws:iam::222222222222:role/ecr-promoter-target"),
                ("TargetRegions", "eu-west-1,eu-central-1"),
                ("PublicUrl", "on"),
                ("KmsKeyArn", KEY),
            ],
        );
        let managed = managed(&deployment);
        inside(&deployment, "FunctionRole") <= INSIDE_A_ROLE
            && managed.iter().all(|(_, size)| *size <= MANAGED_POLICY)
            && repositories.len().max(stacks.len()) <= PARAMETER
    }

    /// Whether this many apps fit into the role for another account.
    fn fit_the_target_role(&self, count: usize) -> bool {
        let (repositories, stacks) = (self.repositories(count), self.stacks(count));
        let deployment = self.deployed(
            "examples/target-role.yaml",
            &[("RepositoryArns", &repositories), ("StackArns", &stacks)],
        );
        inside(&deployment, "TargetRole") <= INSIDE_A_ROLE
            && repositories.len().max(stacks.len()) <= PARAMETER
    }

    fn deployed(&self, file: &str, parameters: &[(&str, &str)]) -> Deployment {
        let all = [
            ("AWS::Partition", self.partition),
            ("AWS::Region", self.region),
            ("VerifyServices", "true"),
            ("WatchAlarms", "true"),
        ];
        Deployment::of(file, &[&all, parameters].concat())
    }
}

/// The characters of a policy: IAM counts no white space, and there is none.
fn size(policy: &Value) -> usize {
    let text = physical(&policy["PolicyDocument"]).to_string();
    text.chars().filter(|letter| !letter.is_whitespace()).count()
}

/// With long ARNs in the place of references to resources.
fn physical(value: &Value) -> Value {
    let reference = value["Ref"].as_str().or_else(|| value["GetAtt"].as_str());
    match (reference, value) {
        (Some(name), _) => {
            let name = name.trim_end_matches(".Arn");
            let stack = "ecr-promoter-of-the-platform-team";
            json!(format!(
                "arn:aws-us-gov:dynamodb:us-gov-west-1:012345678912:table/{stack}-{name}-1A2B3C4D5E6F7"
            ))
        }
        (None, Value::Object(members)) => {
            members.iter().map(|(key, value)| (key.clone(), physical(value))).collect()
        }
        (None, Value::Array(items)) => items.iter().map(physical).collect(),
        (None, other) => other.clone(),
    }
}

/// The size of all policies inside a role.
fn inside(deployment: &Deployment, role: &str) -> usize {
    role_policies(deployment, role).iter().map(size).sum()
}

/// The size of each policy beside the role.
fn managed(deployment: &Deployment) -> Vec<(String, usize)> {
    let policies = deployment.resources("AWS::IAM::ManagedPolicy").into_iter();
    policies.map(|(name, policy)| (name, size(&deployment.resolve(&policy)))).collect()
}

#[test]
fn thirty_further_apps_named_one_by_one_fit() {
    assert!(USUAL.fit(30));
    assert!(USUAL.fit_the_target_role(30));
}

#[test]
fn about_as_many_apps_fit_as_the_documents_say() {
    let is_about = |fits: &dyn Fn(usize) -> bool, count: usize| {
        assert!(fits(count), "{count} do not fit");
        assert!(!fits(count + count / 5), "many more than {count} fit");
    };
    is_about(&|count| USUAL.fit(count), 50);
    is_about(&|count| LONGEST.fit(count), 30);
    is_about(&|count| USUAL.fit_the_target_role(count), 35);
    is_about(&|count| LONGEST.fit_the_target_role(count), 20);

    let further =
        "room for about 50 further apps with names of 15 to 25 characters, for about 30 with";
    let target = "room for about 35 apps with names of 15 to 25 characters, for about 20 with";
    for (file, words) in [
        ("template.yaml", further),
        ("docs/configuration.md", further),
        ("examples/target-role.yaml", target),
        ("docs/configuration.md", target),
    ] {
        let text = fs::read_to_string(root().join(file)).expect("readable");
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(words), "{file} does not say: {words}");
    }
}

/// The others are for `ManagedPolicyArns`.
#[test]
fn the_role_takes_four_more_managed_policies() {
    let targets = ("TargetRoles", "arn:aws:iam::222222222222:role/x");
    let deployment = USUAL.deployed("template.yaml", &[targets, ("KmsKeyArn", KEY)]);
    assert_eq!(MANAGED_POLICIES - managed(&deployment).len(), 4);
}
