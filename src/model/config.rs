//! One app's configuration: the JSON in Parameter Store. It is read whole and checked whole: an
//! error names the parameter, the key and what was expected. No I/O here.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::json::{self, Mistake, Node};
use crate::model::{Commit, Repository, Tag};

/// One app: an ECR repository and the stack that runs its images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct App {
    /// The ECR repository, which is the app's name.
    pub repository: Repository,
    /// The name of the Parameter Store parameter this was read from, for messages.
    pub source: String,
    /// The rest, as it is written there.
    pub config: Config,
}

/// The JSON of one app's configuration. Unknown keys are errors: a misspelt guard must not be no
/// guard.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
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
    /// What comes before the commit in a production tag.
    #[serde(default = "default_tag_prefix")]
    pub tag_prefix: String,
    /// Whether a push is asked for or promoted.
    #[serde(default)]
    pub mode: Mode,
    /// Where the commit is looked for, in order.
    #[serde(default = "default_commit_from")]
    pub commit_from: Vec<CommitSource>,
    /// Who is asked, and how.
    #[serde(default)]
    pub approval: Approval,
    /// What a promotion may touch; absent = no guard.
    #[serde(default)]
    pub guard: Option<Guard>,
    /// Alarms that roll a promotion back; absent = the stack's own stay.
    #[serde(default)]
    pub rollback: Option<Rollback>,
    /// The source repository's address, for compare links.
    #[serde(default)]
    pub repository_url: Option<String>,
}

/// What a push leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// People are asked first.
    #[default]
    Approval,
    /// It is promoted.
    Auto,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mode::Approval => "approval",
            Mode::Auto => "auto",
        })
    }
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
    /// Nowhere: the tag is made of the digest.
    Digest,
}

/// Who decides, and how they are asked.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Approval {
    /// Where to ask in Slack: the channel's id.
    pub slack_channel: Option<String>,
    /// Slack user ids that may decide and command; empty = anyone in the channel.
    pub approvers: Vec<String>,
    /// How many different people must approve.
    pub required: u32,
    /// After how many hours a request can no longer be approved.
    pub expires_hours: u32,
    /// Whether a mail link may decide; absent = yes, unless `approvers` or `required` asks for
    /// identities.
    pub links: Option<bool>,
}

impl Approval {
    /// Whether only people whose identity is proven may decide: that is Slack's signature.
    pub fn needs_identity(&self) -> bool {
        !self.approvers.is_empty() || self.required > 1
    }
}

impl Default for Approval {
    fn default() -> Self {
        Self {
            slack_channel: None,
            approvers: Vec::new(),
            required: 1,
            expires_hours: 72,
            links: None,
        }
    }
}

/// What a promotion may change in the stack.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guard {
    /// Resource types, or `Type:Replacement` where a replacement is fine.
    pub allowed_changes: Vec<String>,
}

/// CloudFormation's `RollbackConfiguration`, which replaces the stack's own.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rollback {
    /// At most 5 CloudWatch alarms, by ARN.
    #[serde(default)]
    pub alarms: Vec<String>,
    /// For how long after the update the alarms are watched, 0-180 minutes.
    #[serde(default)]
    pub monitor_minutes: Option<u32>,
}

/// Who decides about an app, as its configuration says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Whether people are asked.
    pub mode: Mode,
    /// Slack user ids of those who may decide; empty = anyone of the installed team in the app's
    /// channel.
    pub approvers: Vec<String>,
    /// How many different people must approve.
    pub required: u32,
    /// Whether a mail link may decide.
    pub links: bool,
}

impl Policy {
    /// Whether only people whose identity Slack's signature proves may decide.
    pub fn needs_identity(&self) -> bool {
        !self.approvers.is_empty() || self.required > 1
    }

    /// Lists what has changed, each with the value before and now.
    pub fn changes_since(&self, before: &Policy) -> Vec<String> {
        let list = |approvers: &[String]| {
            if approvers.is_empty() {
                "anyone in the channel".to_owned()
            } else {
                approvers.join(", ")
            }
        };
        let may = |links: bool| if links { "may decide" } else { "may not decide" };
        let mode = |mode: Mode| format!("`{mode}`");
        let all = [
            ("mode", mode(before.mode), mode(self.mode)),
            ("approvers", list(&before.approvers), list(&self.approvers)),
            ("people who must approve", before.required.to_string(), self.required.to_string()),
            ("links", may(before.links).to_owned(), may(self.links).to_owned()),
        ];
        let changed = all.into_iter().filter(|(_, before, now)| before != now);
        changed.map(|(what, before, now)| format!("{what}: {before} before, {now} now")).collect()
    }

    /// The stricter of this policy and the one that a question was asked under. The present list of
    /// people counts; where it is empty, the question's own list.
    pub fn or_stricter(self, asked: &Policy) -> Policy {
        Policy {
            mode: if asked.mode == Mode::Approval { Mode::Approval } else { self.mode },
            approvers: if self.approvers.is_empty() {
                asked.approvers.clone()
            } else {
                self.approvers
            },
            required: self.required.max(asked.required),
            links: self.links && asked.links,
        }
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

/// A correct configuration, for errors about the whole.
const EXAMPLE: &str = r#"{"stack": "web"}"#;

/// A correct value of each key, for errors about that key.
const EXAMPLES: &[(&str, &str)] = &[
    ("stack", r#""web""#),
    ("parameter", r#""ProductionTag""#),
    ("capabilities", r#"["CAPABILITY_AUTO_EXPAND"]"#),
    ("source_tag", r#""latest""#),
    ("tag_prefix", r#""production_""#),
    ("mode", r#""approval""#),
    ("commit_from", r#"["tag", "label"]"#),
    ("approval", r#"{"required": 1}"#),
    ("approval.slack_channel", r#""C024BE91L""#),
    ("approval.approvers", r#"["U024BE7LH"]"#),
    ("approval.required", "1"),
    ("approval.expires_hours", "72"),
    ("approval.links", "false"),
    ("guard", r#"{"allowed_changes": ["AWS::ECS::Service"]}"#),
    ("guard.allowed_changes", r#"["AWS::ECS::TaskDefinition:Replacement", "AWS::ECS::Service"]"#),
    ("rollback", r#"{"monitor_minutes": 10}"#),
    ("rollback.alarms", r#"["arn:aws:cloudwatch:us-east-1:012345678912:alarm:web-errors"]"#),
    ("rollback.monitor_minutes", "10"),
    ("repository_url", r#""https://github.com/acme/web""#),
];

/// Returns the example for a key; for an item of a list (`approvers[0]`), the list's.
fn example_of(key: &str) -> Option<String> {
    let key = key.split('[').next().unwrap_or_default();
    let (_, value) = EXAMPLES.iter().find(|(known, _)| *known == key)?;
    Some(format!("\"{}\": {value}", key.rsplit('.').next().unwrap_or_default()))
}

/// A configuration that cannot be used: which one, which key of it, and what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// The parameter (or environment) that holds it.
    pub place: String,
    /// The key, as a path (`approval.required`); `None` when the whole is wrong.
    pub key: Option<String>,
    /// What is wrong and what was expected.
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
    /// Whether a value is a production tag: one that ecr-promoter makes. The source tag never is,
    /// since it moves.
    pub fn is_production_tag(&self, value: &str) -> bool {
        let is_own = value.len() > self.tag_prefix.len() && value.starts_with(&self.tag_prefix);
        is_own && value != self.source_tag.as_str() && value.parse::<Tag>().is_ok()
    }
}

impl App {
    /// Reads one app's JSON; `source` is the parameter's name.
    pub fn parse(repository: &Repository, source: &str, json: &str) -> Result<Self, ConfigError> {
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
        let app = Self { repository: repository.clone(), source: source.to_owned(), config };
        app.check().map_err(|ConfigError { key, problem, .. }| {
            let found = key
                .as_deref()
                .and_then(|key| node.at(key))
                .map(|value| format!("found {value}; "))
                .unwrap_or_default();
            wrong(Mistake { key, problem: format!("{found}{problem}.") })
        })?;
        Ok(app)
    }

    /// A stand-in for an app whose configuration cannot be used: enough to tell people of it.
    pub fn without_configuration(repository: &Repository, source: &str) -> Self {
        let config = Config {
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
            repository_url: None,
        };
        Self { repository: repository.clone(), source: source.to_owned(), config }
    }

    /// Returns who decides about this app.
    pub fn policy(&self) -> Policy {
        let Approval { approvers, required, links, .. } = &self.config.approval;
        let links = links.unwrap_or(!self.config.approval.needs_identity());
        Policy { mode: self.config.mode, approvers: approvers.clone(), required: *required, links }
    }

    /// Whether this app's stack is the one with this ARN.
    pub fn is_about(&self, stack_id: &str) -> bool {
        names_stack(&self.config.stack, stack_id)
    }

    /// Where people see what lies between two commits.
    pub fn compare_url(&self, old: Option<&Commit>, new: Option<&Commit>) -> Option<String> {
        let url = self.config.repository_url.as_ref()?.trim_end_matches('/');
        Some(format!("{url}/compare/{}...{}", old?, new?))
    }

    /// An error about this configuration as a whole.
    pub fn whole(&self, problem: impl Into<String>) -> ConfigError {
        ConfigError {
            place: format!("Parameter Store {}", self.source),
            key: None,
            problem: problem.into(),
        }
    }

    /// An error about one key of this configuration.
    pub fn error(&self, key: &str, problem: impl Into<String>) -> ConfigError {
        ConfigError {
            place: format!("Parameter Store {}", self.source),
            key: Some(key.to_owned()),
            problem: problem.into(),
        }
    }

    fn check(&self) -> Result<(), ConfigError> {
        let c = &self.config;
        let ensure = |holds: bool, key: &str, expected: &str| {
            if holds { Ok(()) } else { Err(self.error(key, expected)) }
        };
        ensure(
            is_stack(&c.stack),
            "stack",
            "expected the name or the ARN of a CloudFormation stack",
        )?;
        ensure(
            (1..=255).contains(&c.parameter.len())
                && c.parameter.bytes().all(|b| b.is_ascii_alphanumeric()),
            "parameter",
            "expected the name of a stack parameter (letters and digits)",
        )?;
        let longest = format!("{}{}-{}", c.tag_prefix, "a".repeat(40), "a".repeat(12));
        ensure(
            longest.parse::<Tag>().is_ok(),
            "tag_prefix",
            "expected the start of a tag (at most 75 letters, digits, `_`, `.`, `-`, not starting \
             with `.` or `-`)",
        )?;
        ensure(
            !c.commit_from.is_empty(),
            "commit_from",
            "expected at least one of `tag`, `annotation`, `label`, `digest`",
        )?;
        let a = &c.approval;
        ensure(a.required >= 1, "approval.required", "expected a number of people, at least 1")?;
        ensure(
            a.approvers.is_empty() || a.required as usize <= a.approvers.len(),
            "approval.required",
            "expected no more people than `approval.approvers` lists, or nothing could ever be \
             approved",
        )?;
        ensure(
            a.approvers
                .iter()
                .all(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric())),
            "approval.approvers",
            "expected Slack user ids, such as `U024BE7LH`",
        )?;
        ensure(
            a.approvers.iter().collect::<BTreeSet<_>>().len() == a.approvers.len(),
            "approval.approvers",
            "expected each person once: a person who is listed twice still has one vote",
        )?;
        ensure(
            a.slack_channel.as_deref().is_none_or(is_channel),
            "approval.slack_channel",
            "expected the channel's id (`C…` or `G…`), not its name, which Slack does not say of \
             private channels. In Slack, open the \
             channel and click on its name: the id is at the end of the tab *About*",
        )?;
        ensure(
            !a.needs_identity() || a.slack_channel.is_some(),
            "approval.slack_channel",
            "expected a channel's id, such as `C024BE91L`: with `approval.approvers`, or \
             `approval.required` above 1, people decide in \
             Slack only, and without a channel nobody is asked there",
        )?;
        ensure(
            (1..=8760).contains(&a.expires_hours),
            "approval.expires_hours",
            "expected 1-8760 hours",
        )?;
        if let Some(guard) = &c.guard {
            ensure(
                guard.allowed_changes.iter().all(|change| is_resource_type(change)),
                "guard.allowed_changes",
                "expected resource types such as `AWS::ECS::TaskDefinition:Replacement`",
            )?;
        }
        if let Some(rollback) = &c.rollback {
            ensure(rollback.alarms.len() <= 5, "rollback.alarms", "expected at most 5 alarms")?;
            ensure(
                rollback.alarms.iter().all(|arn| arn.starts_with("arn:")),
                "rollback.alarms",
                "expected the ARNs of CloudWatch alarms",
            )?;
            ensure(
                rollback.monitor_minutes.is_none_or(|m| m <= 180),
                "rollback.monitor_minutes",
                "expected 0-180 minutes",
            )?;
        }
        ensure(
            c.repository_url.as_deref().is_none_or(|url| {
                url.starts_with("https://")
                    && !url.contains(|c: char| {
                        c.is_whitespace() || c.is_control() || "<>|\"".contains(c)
                    })
            }),
            "repository_url",
            "expected an https:// address",
        )
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

/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html>:
/// `[a-zA-Z][-a-zA-Z0-9]*`, 128.
fn is_stack(text: &str) -> bool {
    let is_name = |name: &str| {
        (1..=128).contains(&name.len())
            && name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    match text.strip_prefix("arn:") {
        None => is_name(text),
        Some(rest) => {
            let parts: Vec<&str> = rest.splitn(5, ':').collect();
            parts.len() == 5
                && parts[1] == "cloudformation"
                && parts[4]
                    .strip_prefix("stack/")
                    .is_some_and(|r| is_name(r.split('/').next().unwrap_or_default()))
        }
    }
}

/// Whether this is a channel's id: `C…`, or `G…` for an older private channel. Names of channels
/// have no capital letters in Slack.
fn is_channel(text: &str) -> bool {
    (2..=64).contains(&text.len())
        && text.starts_with(['C', 'G'])
        && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

fn is_resource_type(change: &str) -> bool {
    let kind = change.strip_suffix(":Replacement").unwrap_or(change);
    kind.split("::").count() >= 2
        && kind.split("::").all(|part| {
            !part.is_empty()
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"@_-".contains(&b))
        })
}

#[cfg(test)]
mod tests;
