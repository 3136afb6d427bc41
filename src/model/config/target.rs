//! The key `target` of a configuration: the account and region of an app's stack, and the role with
//! which it is called there.

use std::fmt;

use serde::Deserialize;

use super::check::{Wrong, ensure};
use crate::model::place::Place;

/// Where an app's stack is. Without a key, it is in the function's own account or region.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The ARN of the role with which CloudFormation, ECS and CloudWatch are called.
    #[serde(default)]
    pub role: Option<String>,
    /// The external id that the role's trust policy asks for.
    #[serde(default)]
    pub external_id: Option<String>,
    /// The region of the stack.
    #[serde(default)]
    pub region: Option<String>,
    /// The registry that the stack pulls from, where ECR replicates images to.
    #[serde(default)]
    pub registry: Option<String>,
}

impl Target {
    /// The account of the role.
    pub fn account(&self) -> Option<&str> {
        self.role.as_deref()?.split(':').nth(4)
    }

    /// The account and region of the registry.
    pub fn registry_place(&self) -> Option<Place> {
        let mut parts = self.registry.as_deref()?.splitn(5, '.');
        let account = parts.next()?.to_owned();
        let region = parts.nth(2)?.to_owned();
        Some(Place { account: Some(account), region: Some(region) })
    }

    /// Checks the keys, and that a stack that is named by its ARN is at this target.
    pub(super) fn check(&self, stack: &str) -> Result<(), Wrong> {
        ensure(
            self.role.as_deref().is_none_or(is_role),
            "target.role",
            "expected the ARN of an IAM role",
        )?;
        ensure(
            self.external_id.is_none() || self.role.is_some(),
            "target.external_id",
            "expected `target.role` beside it: only a role has an external id",
        )?;
        ensure(
            self.external_id.as_deref().is_none_or(is_external_id),
            "target.external_id",
            "expected 2-1224 letters, digits or characters of `_+=,.@:/-`",
        )?;
        ensure(
            self.region.as_deref().is_none_or(is_region),
            "target.region",
            "expected the name of a region",
        )?;
        ensure(
            self.registry.as_deref().is_none_or(is_registry),
            "target.registry",
            "expected the host of an ECR registry (`<account>.dkr.ecr.<region>.amazonaws.com`), \
             without a repository",
        )?;
        let stack = Place::of_arn(stack);
        let is_elsewhere = |own: Option<&str>, its: &Option<String>| {
            own.is_some() && its.is_some() && own != its.as_deref()
        };
        ensure(
            !is_elsewhere(self.account(), &stack.account)
                && !is_elsewhere(self.region.as_deref(), &stack.region),
            "stack",
            "expected a stack in the account and region of `target`, or the stack's name",
        )
    }
}

/// Writes the target for people to compare. The external id is no secret, but nobody needs it here.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = self.role.as_deref().unwrap_or("the function's own role");
        let region = self.region.as_deref().unwrap_or("the function's own region");
        write!(f, "{role} in {region}")?;
        self.registry.as_ref().map_or(Ok(()), |registry| write!(f, ", images from {registry}"))
    }
}

/// Whether this is the ARN of an IAM role.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>
fn is_role(arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let [start, partition, "iam", "", account, role] = parts.as_slice() else { return false };
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic() && !b"*?\"\\".contains(&b))
    };
    *start == "arn"
        && partition.starts_with("aws")
        && is_account(account)
        && role.strip_prefix("role/").is_some_and(is_name)
}

/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
fn is_external_id(text: &str) -> bool {
    (2..=1224).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@:/-".contains(&b))
}

fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let is_part = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    match parts.as_slice() {
        [words @ .., number] => {
            words.len() >= 2
                && words.iter().all(is_part)
                && !number.is_empty()
                && number.bytes().all(|b| b.is_ascii_digit())
        }
        [] => false,
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// Whether this is a registry's host, in any partition.
fn is_registry(host: &str) -> bool {
    let parts: Vec<&str> = host.split('.').collect();
    let [account, "dkr", "ecr" | "ecr-fips", region, domain @ ..] = parts.as_slice() else {
        return false;
    };
    let is_label = |label: &&str| {
        !label.is_empty()
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    is_account(account) && is_region(region) && domain.len() >= 2 && domain.iter().all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: &str = "arn:aws:iam::222222222222:role/ecr-promoter-target";
    const REGISTRY: &str = "111111111111.dkr.ecr.eu-west-1.amazonaws.com";

    fn wrong_key(json: &str, stack: &str) -> Option<&'static str> {
        let target: Target = serde_json::from_str(json).expect("a target");
        target.check(stack).err().map(|wrong| wrong.key)
    }

    #[test]
    fn a_target_names_a_role_a_region_and_a_registry() {
        let whole = format!(
            r#"{{"role": "{ROLE}", "external_id": "acme-7f3a", "region": "eu-west-1",
                "registry": "{REGISTRY}"}}"#
        );
        assert_eq!(wrong_key(&whole, "web"), None);
        let target: Target = serde_json::from_str(&whole).expect("a target");
        assert_eq!(target.account(), Some("222222222222"));
        let registry = target.registry_place().expect("a place");
        assert_eq!(registry.account.as_deref(), Some("111111111111"));
        assert_eq!(registry.region.as_deref(), Some("eu-west-1"));
        for fine in [
            r#"{"region": "us-gov-east-1"}"#,
            r#"{"role": "arn:aws-cn:iam::222222222222:role/teams/promoter"}"#,
            r#"{"registry": "111111111111.dkr.ecr.cn-north-1.amazonaws.com.cn"}"#,
            r#"{"registry": "111111111111.dkr.ecr-fips.us-east-1.amazonaws.com"}"#,
        ] {
            assert_eq!(wrong_key(fine, "web"), None, "{fine}");
        }
    }

    #[test]
    fn a_target_that_cannot_be_is_refused_with_its_key() {
        for (json, key) in [
            (r#"{"role": "ecr-promoter-target"}"#, "target.role"),
            (r#"{"role": "arn:aws:iam::222222222222:user/alice"}"#, "target.role"),
            (r#"{"role": "arn:aws:iam::2:role/x"}"#, "target.role"),
            (r#"{"role": "arn:aws:iam::222222222222:role/"}"#, "target.role"),
            (r#"{"external_id": "acme-7f3a"}"#, "target.external_id"),
            (r#"{"region": "Europe"}"#, "target.region"),
            (r#"{"region": "eu-west-1a"}"#, "target.region"),
            (r#"{"registry": "docker.io"}"#, "target.registry"),
            (
                r#"{"registry": "https://111111111111.dkr.ecr.eu-west-1.amazonaws.com"}"#,
                "target.registry",
            ),
            (
                r#"{"registry": "111111111111.dkr.ecr.eu-west-1.amazonaws.com/web"}"#,
                "target.registry",
            ),
        ] {
            assert_eq!(wrong_key(json, "web"), Some(key), "{json}");
        }
        let short = format!(r#"{{"role": "{ROLE}", "external_id": "a"}}"#);
        assert_eq!(wrong_key(&short, "web"), Some("target.external_id"));
    }

    #[test]
    fn a_stack_of_another_account_or_region_is_refused() {
        let arn = |place: &str| format!("arn:aws:cloudformation:{place}:stack/web/6a1f4e30");
        let json = format!(r#"{{"role": "{ROLE}", "region": "eu-west-1"}}"#);
        assert_eq!(wrong_key(&json, &arn("eu-west-1:222222222222")), None);
        assert_eq!(wrong_key(&json, &arn("eu-west-1:111111111111")), Some("stack"));
        assert_eq!(wrong_key(&json, &arn("us-east-1:222222222222")), Some("stack"));
    }
}
