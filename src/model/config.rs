//! One app's configuration: the JSON in Parameter Store. It is read whole and checked whole: an
//! error names the parameter, the key and what was expected. No I/O here.

pub mod after;
mod approval;
mod check;
mod examples;
pub mod policy;
pub mod stage;
pub mod target;

use std::fmt;

use serde::Deserialize;

use after::{BakeRule, Verify};
use approval::Approval;
use check::{
    Wrong, ensure, is_parameter, is_resource_type, is_stack, is_tag_prefix, is_web_address,
};
use examples::{EXAMPLE, example_of};
use policy::{Mode, Policy};
use stage::After;
use target::Target;

use crate::json::{self, Mistake, Node};
use crate::model::place::Place;
use crate::model::{AppName, Commit, Repository, Tag};
use crate::text::plain;

/// The longest name of an environment, in characters.
const ENVIRONMENT: usize = 40;

/// One app: an ECR repository whose images are promoted to one parameter of a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct App {
    /// Its name.
    pub name: AppName,
    /// The ECR repository. Several apps may promote the same one.
    pub repository: Repository,
    /// The name of the Parameter Store parameter this was read from, for messages.
    pub source: String,
    /// The parsed JSON.
    pub config: Config,
}

/// The JSON of one app's configuration. Unknown keys are errors: a misspelt `guard` would leave the
/// app without a guard.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The ECR repository; absent = the one of the app's name.
    #[serde(default)]
    pub repository: Option<Repository>,
    /// CloudFormation (root) stack, name or ARN.
    pub stack: String,
    /// The stack parameter that gets the tag.
    #[serde(default = "default_parameter")]
    pub parameter: String,
    /// Capabilities sent beside those that the stack reports.
    #[serde(default)]
    pub capabilities: Vec<Capability>,
    /// The tag whose push makes a candidate.
    #[serde(default = "default_source_tag")]
    pub source_tag: Tag,
    /// The beginning of each production tag, before the commit.
    #[serde(default = "default_tag_prefix")]
    pub tag_prefix: String,
    /// Whether a push asks for approval or is promoted.
    #[serde(default)]
    pub mode: Mode,
    /// The places where the commit is looked for, in order.
    #[serde(default = "default_commit_from")]
    pub commit_from: Vec<CommitSource>,
    /// The people who approve, and how they are asked.
    #[serde(default)]
    pub approval: Approval,
    /// The changes that a promotion may make; absent = any.
    #[serde(default)]
    pub guard: Option<Guard>,
    /// Alarms that roll a promotion back; absent = the stack's own alarms.
    #[serde(default)]
    pub rollback: Option<Rollback>,
    /// Whether ECS must run the image before a promotion counts as deployed.
    #[serde(default)]
    pub verify: Verify,
    /// Alarms that are watched after a promotion; absent = none.
    #[serde(default)]
    pub bake: Option<BakeRule>,
    /// The app in which an image must have run first; absent = a push makes the candidate.
    #[serde(default)]
    pub after: Option<After>,
    /// The account and region of the stack; absent = the function's own.
    #[serde(default)]
    pub target: Option<Target>,
    /// The source repository's address, for compare links.
    #[serde(default)]
    pub repository_url: Option<String>,
}

/// A capability of CloudFormation's `UpdateStack`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Capability {
    /// IAM resources.
    CapabilityIam,
    /// IAM resources with custom names.
    CapabilityNamedIam,
    /// Macros and nested stacks.
    CapabilityAutoExpand,
}

impl Capability {
    /// The name that the API takes.
    pub fn as_str(self) -> &'static str {
        match self {
            Capability::CapabilityIam => "CAPABILITY_IAM",
            Capability::CapabilityNamedIam => "CAPABILITY_NAMED_IAM",
            Capability::CapabilityAutoExpand => "CAPABILITY_AUTO_EXPAND",
        }
    }
}

/// A place where an image says which commit it was built from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CommitSource {
    /// Another tag on the digest, such as `9fceb02…` or `staging_9fceb02…`.
    Tag,
    /// `org.opencontainers.image.revision` on the manifest or index.
    Annotation,
    /// The same label in the image config.
    Label,
    /// No place: the tag is made from the digest.
    Digest,
}

/// The changes that a promotion may make in the stack.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guard {
    /// Resource types, or `Type:Replacement` where a replacement is fine.
    pub allowed_changes: Vec<String>,
}

impl Guard {
    fn check(&self) -> Result<(), Wrong> {
        ensure(
            self.allowed_changes.iter().all(|change| is_resource_type(change)),
            "guard.allowed_changes",
            "expected resource types such as `AWS::ECS::TaskDefinition:Replacement`",
        )
    }
}

/// CloudFormation's `RollbackConfiguration`, which replaces the stack's own.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rollback {
    /// At most 5 CloudWatch alarms, by ARN.
    #[serde(default)]
    pub alarms: Vec<String>,
    /// How long the alarms are watched after the update, 0-180 minutes.
    #[serde(default)]
    pub monitor_minutes: Option<u32>,
}

impl Rollback {
    fn check(&self) -> Result<(), Wrong> {
        ensure(self.alarms.len() <= 5, "rollback.alarms", "expected at most 5 alarms")?;
        ensure(
            self.alarms.iter().all(|arn| arn.starts_with("arn:")),
            "rollback.alarms",
            "expected the ARNs of CloudWatch alarms",
        )?;
        ensure(
            self.monitor_minutes.is_none_or(|minutes| minutes <= 180),
            "rollback.monitor_minutes",
            "expected 0-180 minutes",
        )
    }
}

fn default_parameter() -> String {
    "ProductionTag".to_owned()
}

fn default_source_tag() -> Tag {
    "latest".parse().expect("a valid tag")
}

fn default_tag_prefix() -> String {
    "production_".to_owned()
}

fn default_commit_from() -> Vec<CommitSource> {
    vec![CommitSource::Tag, CommitSource::Annotation, CommitSource::Label, CommitSource::Digest]
}

/// A configuration that cannot be used, with its place, its key and what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// The parameter (or environment) that holds it.
    pub place: String,
    /// The key, as a path (`approval.required`); `None` when the mistake has no key.
    pub key: Option<String>,
    /// The mistake, and what was expected.
    pub problem: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "configuration error in {}", self.place)?;
        if let Some(key) = &self.key {
            write!(f, ", key `{key}`")?;
        }
        write!(f, ": {}", self.problem)
    }
}

impl Config {
    /// Whether a value is a production tag, as ecr-promoter makes it. The source tag moves, so it
    /// never counts as one.
    pub fn is_production_tag(&self, value: &str) -> bool {
        let is_own = value.len() > self.tag_prefix.len() && value.starts_with(&self.tag_prefix);
        is_own && value != self.source_tag.as_str() && value.parse::<Tag>().is_ok()
    }

    /// Checks the rules that the types do not express.
    fn check(&self) -> Result<(), Wrong> {
        ensure(
            is_stack(&self.stack),
            "stack",
            "expected the name or the ARN of a CloudFormation stack",
        )?;
        ensure(
            is_parameter(&self.parameter),
            "parameter",
            "expected the name of a stack parameter (letters and digits)",
        )?;
        ensure(
            is_tag_prefix(&self.tag_prefix),
            "tag_prefix",
            "expected the start of a tag (at most 75 letters, digits, `_`, `.`, `-`, not starting \
             with `.` or `-`)",
        )?;
        ensure(
            !self.commit_from.is_empty(),
            "commit_from",
            "expected at least one of `tag`, `annotation`, `label`, `digest`",
        )?;
        self.approval.check()?;
        self.guard.as_ref().map_or(Ok(()), Guard::check)?;
        self.rollback.as_ref().map_or(Ok(()), Rollback::check)?;
        self.verify.check()?;
        self.bake.as_ref().map_or(Ok(()), BakeRule::check)?;
        self.after.as_ref().map_or(Ok(()), After::check)?;
        self.target.as_ref().map_or(Ok(()), |target| target.check(&self.stack))?;
        ensure(
            self.repository_url.as_deref().is_none_or(is_web_address),
            "repository_url",
            "expected an https:// address",
        )
    }
}

impl App {
    /// Reads one app's JSON; `source` is the parameter's name.
    pub fn parse(name: &AppName, source: &str, json: &str) -> Result<Self, ConfigError> {
        let wrong = |Mistake { key, problem }| {
            let example = key.as_deref().map_or_else(|| Some(EXAMPLE.to_owned()), example_of);
            let next_step =
                example.map(|example| format!(" Write for example {example}")).unwrap_or_default();
            ConfigError {
                place: format!("Parameter Store {source}"),
                key,
                problem: problem + &next_step,
            }
        };
        let node = json::parse(json).map_err(wrong)?;
        if !matches!(node, Node::Object(_)) {
            return Err(wrong(Mistake {
                key: None,
                problem: format!("found {node}; expected a JSON object."),
            }));
        }
        let config: Config = json::read(&node).map_err(wrong)?;
        config.check().map_err(|Wrong { key, expected }| {
            let found = node.at(key).map(|value| format!("found {value}; ")).unwrap_or_default();
            wrong(Mistake { key: Some(key.to_owned()), problem: format!("{found}{expected}.") })
        })?;
        let repository = config.repository.clone().or_else(|| name.repository());
        let repository = repository.ok_or_else(|| {
            let problem = format!("expected it, since no repository is called `{name}`.");
            wrong(Mistake { key: Some("repository".to_owned()), problem })
        })?;
        if config.after.as_ref().is_some_and(|after| after.app == *name) {
            let problem = format!("found `{name}`; expected another app than this one.");
            return Err(wrong(Mistake { key: Some("after.app".to_owned()), problem }));
        }
        Ok(Self { name: name.clone(), repository, source: source.to_owned(), config })
    }

    /// Makes a stand-in for an app whose configuration cannot be used. It is enough to tell people
    /// about it.
    pub fn without_configuration(name: &AppName, source: &str) -> Self {
        let config = Config {
            repository: None,
            stack: String::new(),
            parameter: default_parameter(),
            capabilities: Vec::new(),
            source_tag: default_source_tag(),
            tag_prefix: default_tag_prefix(),
            mode: Mode::default(),
            commit_from: default_commit_from(),
            approval: Approval::default(),
            guard: None,
            rollback: None,
            verify: Verify { minutes: None },
            bake: None,
            after: None,
            target: None,
            repository_url: None,
        };
        let repository = name.repository().unwrap_or_else(|| "unknown".parse().expect("a name"));
        Self { name: name.clone(), repository, source: source.to_owned(), config }
    }

    /// Returns the rules for decisions about this app.
    pub fn policy(&self) -> Policy {
        let Approval { approvers, required, links, .. } = &self.config.approval;
        let links = links.unwrap_or(!self.config.approval.needs_identity());
        Policy { mode: self.config.mode, approvers: approvers.clone(), required: *required, links }
    }

    /// The tag whose push makes a candidate; `None` for an app that comes after another one.
    pub fn candidate_tag(&self) -> Option<&Tag> {
        self.config.after.is_none().then_some(&self.config.source_tag)
    }

    /// Whether this app's stack is the one with this ARN, where the function is at `home`.
    pub fn is_about(&self, stack_id: &str, home: &Place) -> bool {
        names_stack(&self.config.stack, stack_id)
            && self.place(home).is_at(&Place::of_arn(stack_id))
    }

    /// The account and region of the app's stack, where the function is at `home`.
    pub fn place(&self, home: &Place) -> Place {
        let target = self.config.target.as_ref();
        let account = target.and_then(|target| target.account()).map(str::to_owned);
        let region = target.and_then(|target| target.region.clone());
        Place {
            account: account.or_else(|| home.account.clone()),
            region: region.or_else(|| home.region.clone()),
        }
    }

    /// The address of a page that compares two commits.
    pub fn compare_url(&self, old: Option<&Commit>, new: Option<&Commit>) -> Option<String> {
        let url = self.config.repository_url.as_ref()?.trim_end_matches('/');
        Some(format!("{url}/compare/{}...{}", old?, new?))
    }

    /// What people call the place that the app is promoted to: its configured name, or the
    /// `tag_prefix` without its last separator.
    pub fn environment(&self, named: Option<&str>) -> String {
        let prefix = &self.config.tag_prefix;
        let own = prefix.strip_suffix(['_', '-', '.']).unwrap_or(prefix);
        let name = named.map(str::trim).filter(|name| !name.is_empty()).unwrap_or(own);
        // It stands in headlines of many kinds, and none of them needs markup.
        let name: String = name.chars().filter(|c| !matches!(c, '<' | '>' | '&')).collect();
        let name = plain(&name, ENVIRONMENT);
        if name.is_empty() { "production".to_owned() } else { name }
    }

    /// Makes an error about this configuration as a whole.
    pub fn whole(&self, problem: impl Into<String>) -> ConfigError {
        ConfigError {
            place: format!("Parameter Store {}", self.source),
            key: None,
            problem: problem.into(),
        }
    }

    /// Makes an error about one key of this configuration.
    pub fn error(&self, key: &str, problem: impl Into<String>) -> ConfigError {
        ConfigError {
            place: format!("Parameter Store {}", self.source),
            key: Some(key.to_owned()),
            problem: problem.into(),
        }
    }
}

/// Whether a configured name or ARN means the stack with this ARN.
pub fn names_stack(own: &str, stack_id: &str) -> bool {
    // `…:stack/<name>/<uuid>`; a configured ARN may leave out the last part, and then means every
    // stack of that name.
    let name =
        stack_id.split_once(":stack/").map(|(_, rest)| rest.split('/').next().unwrap_or_default());
    own == stack_id
        || Some(own) == name
        || own.starts_with("arn:")
            && stack_id.strip_prefix(own).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests;
