//! Change sets: the changes that an update would make, as CloudFormation lists them, and the
//! guard's check of them. No I/O here.

use std::fmt;

use jiff::Timestamp;

use crate::model::config::Guard;
use crate::model::promotion::Update;
use crate::model::stack::{Parameter, Stack};
use crate::model::{AppName, Digest};

/// The most changes that are listed.
const LINES: usize = 500;

/// A change set, as it was just seen.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeChangeSet.html>
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeSet {
    /// It does not exist.
    Absent,
    /// CloudFormation is still making it.
    Pending,
    /// *The submitted information didn't contain changes.*
    Empty,
    /// It could not be made, in CloudFormation's words.
    Failed(String),
    /// It could not be made this time, in CloudFormation's words. Another try may succeed.
    Unsure(String),
    /// The stack has changed since it was made, so it can no longer be executed.
    Outdated,
    /// Somebody has executed it.
    Executing,
    /// It can be executed.
    Ready(Changes),
}

/// The changes that executing a change set would make.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// The resources it would touch, those of nested stacks included.
    pub list: Vec<Change>,
    /// The new value of each SSM-typed parameter.
    pub resolved: Vec<(String, String)>,
    /// The stack's parameters and resources that CloudFormation names as the cause of a change
    /// (`CausingEntity`).
    pub causes: Vec<String>,
    /// The stack's change sets that are not ecr-promoter's: executing one deletes all others.
    pub others: Vec<String>,
    /// Change sets with this app's prefix, with their ARNs and the times when they were made.
    pub own: Vec<Listed>,
    /// The parameters that it would set. A value may be secret, so only its digest is here; `None`
    /// where the previous value is used.
    pub parameters: Vec<(String, Option<Digest>)>,
}

/// A change set in the stack's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// When it was made.
    pub at: Timestamp,
}

/// The prefix of the names of an app's change sets.
pub fn name_prefix(repository: &AppName) -> String {
    format!("ecr-promoter-{}-", &Digest::of(repository.as_str().as_bytes()).short()[..8])
}

/// The change of one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// `Add`, `Modify`, `Remove`, `Import` or `Dynamic`, as CloudFormation writes it.
    pub action: String,
    /// The resource's type.
    pub kind: String,
    /// Its logical id.
    pub resource: String,
    /// The nested stack that it is in, as logical ids from the root.
    pub within: Option<String>,
    /// Whether it would be replaced.
    pub replacement: Replacement,
}

/// Whether a resource would be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replacement {
    /// It stays.
    No,
    /// It depends on other changes.
    Conditional,
    /// A new one takes its place.
    Yes,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { action, kind, resource, within, replacement } = self;
        write!(f, "{action} {kind} {resource}")?;
        match replacement {
            Replacement::No => {}
            Replacement::Conditional => write!(f, ", conditional replacement")?,
            Replacement::Yes => write!(f, ", replacement")?,
        }
        within.iter().try_for_each(|nested| write!(f, ", in nested stack {nested}"))
    }
}

impl Change {
    /// Whether the guard allows this change. A type alone allows changes that keep the resource;
    /// `Type:Replacement` also allows those that end it.
    fn is_allowed(&self, guard: &Guard) -> bool {
        let stays = self.replacement == Replacement::No
            && matches!(self.action.as_str(), "Add" | "Modify" | "Import");
        let is_allowed_by = |allowed: &String| match allowed.strip_suffix(":Replacement") {
            Some(kind) => kind == self.kind,
            None => stays && *allowed == self.kind,
        };
        guard.allowed_changes.iter().any(is_allowed_by)
    }
}

impl Changes {
    /// Explains why the change set must not be executed; `None` if it may. CloudFormation looks up
    /// an SSM-typed parameter at each update. If the value is new, and a resource would change
    /// because of it, the update would change more than the image. That does not stop a rollback:
    /// at 3 am it matters more that the image goes back.
    pub fn objection(
        &self,
        guard: Option<&Guard>,
        stack: &Stack,
        is_rollback: bool,
    ) -> Option<String> {
        let forbidden: Vec<String> = match guard {
            Some(guard) => self
                .list
                .iter()
                .filter(|change| !change.is_allowed(guard))
                .map(Change::to_string)
                .collect(),
            None => Vec::new(),
        };
        if !forbidden.is_empty() {
            return Some(format!(
                "`guard.allowed_changes` does not allow: {}",
                forbidden.join("; ")
            ));
        }
        if is_rollback {
            return None;
        }
        // Only the names are shown, since the values may be secret.
        let is_new = |p: &&Parameter| {
            let resolved =
                self.resolved.iter().find(|(key, _)| *key == p.key).map(|(_, value)| value);
            p.resolved.is_some() && p.resolved.as_ref() != resolved
        };
        let changes_something = |p: &&Parameter| self.causes.contains(&p.key);
        let moved: Vec<String> = stack
            .parameters
            .iter()
            .filter(is_new)
            .filter(changes_something)
            .map(|p| format!("`{}`", p.key))
            .collect();
        (!moved.is_empty()).then(|| {
            format!(
                "SSM-typed parameters have a new value in Parameter Store, and the update would \
                 change more than the image because of it: {}. \
                 Update the stack once by hand",
                moved.join(", ")
            )
        })
    }

    /// Lists the parameters that differ from the update that was sent. There, the promotion's
    /// parameter gets its new value, and all others keep theirs.
    pub fn foreign_parameters(&self, update: &Update, parameter: &str, stack: &Stack) -> Vec<&str> {
        let is = |value: &Digest, text: &str| *value == Digest::of(text.as_bytes());
        let is_as_sent = |key: &str, value: Option<&Digest>| match value {
            Some(value) if key == parameter => is(value, update.tag.as_str()),
            None if key == parameter => false,
            Some(value) => {
                update.others.iter().any(|other| other == key)
                    && stack.value(key).is_some_and(|kept| is(value, kept))
            }
            None => update.others.iter().any(|other| other == key),
        };
        let foreign =
            self.parameters.iter().filter(|(key, value)| !is_as_sent(key, value.as_ref()));
        foreign.map(|(key, _)| key.as_str()).collect()
    }

    /// Lists the changes for people to read. A stack has at most 500 resources, and nested stacks
    /// have more.
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.list.iter().take(LINES).map(Change::to_string).collect();
        lines.extend(
            self.list
                .len()
                .checked_sub(LINES)
                .filter(|more| *more > 0)
                .map(|more| format!("and {more} more")),
        );
        lines
    }
}

impl Stack {
    /// Whether some parameters are looked up in Parameter Store at each update.
    pub fn has_ssm_parameters(&self) -> bool {
        self.parameters.iter().any(|parameter| parameter.resolved.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    fn change(action: &str, kind: &str, replacement: Replacement) -> Change {
        Change {
            action: action.to_owned(),
            kind: kind.to_owned(),
            resource: "Thing".to_owned(),
            within: None,
            replacement,
        }
    }

    #[track_caller]
    fn check(allowed: &[&str], change: Change, is_allowed: bool) {
        let guard =
            Guard { allowed_changes: allowed.iter().map(|text| (*text).to_owned()).collect() };
        let changes = Changes { list: vec![change], ..Changes::default() };
        assert_eq!(changes.objection(Some(&guard), &stack(None), false).is_none(), is_allowed);
    }

    fn stack(resolved: Option<&str>) -> Stack {
        let parameter = Parameter {
            key: "Ami".to_owned(),
            value: "/ami".to_owned(),
            resolved: resolved.map(str::to_owned),
        };
        Stack { parameters: vec![parameter], ..samples::stack("UPDATE_COMPLETE") }
    }

    #[test]
    fn a_type_allows_a_change_in_place_and_no_replacement() {
        let task = "AWS::ECS::TaskDefinition";
        check(&[task], change("Modify", task, Replacement::No), true);
        check(&[task], change("Add", task, Replacement::No), true);
        check(&[task], change("Modify", task, Replacement::Yes), false);
        check(&[task], change("Modify", task, Replacement::Conditional), false);
        check(&["AWS::ECS::Service"], change("Modify", task, Replacement::No), false);
        check(&[], change("Modify", task, Replacement::No), false);
    }

    #[test]
    fn a_change_that_ends_a_resource_needs_its_replacement_allowed() {
        let (task, named) = ("AWS::ECS::TaskDefinition", "AWS::ECS::TaskDefinition:Replacement");
        for replacement in [Replacement::No, Replacement::Conditional, Replacement::Yes] {
            check(&[named], change("Modify", task, replacement), true);
        }
        for action in ["Remove", "Dynamic", "Whatever"] {
            check(&[task], change(action, task, Replacement::No), false);
            check(&[named], change(action, task, Replacement::No), true);
        }
    }

    #[test]
    fn a_change_reads_as_people_say_it() {
        let mut change = Change {
            resource: "Database".to_owned(),
            ..change("Modify", "AWS::RDS::DBInstance", Replacement::Yes)
        };
        assert_eq!(change.to_string(), "Modify AWS::RDS::DBInstance Database, replacement");
        change.within = Some("Data".to_owned());
        assert_eq!(
            change.to_string(),
            "Modify AWS::RDS::DBInstance Database, replacement, in nested stack Data"
        );
    }

    #[test]
    fn a_new_ssm_value_that_changes_something_stops_all_but_a_rollback() {
        let changes = |resolved: &[(&str, &str)], causes: &[&str]| Changes {
            resolved: resolved
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            causes: causes.iter().map(|cause| (*cause).to_owned()).collect(),
            ..Changes::default()
        };
        let object = |changes: Changes, resolved, is_rollback| {
            changes.objection(None, &stack(resolved), is_rollback)
        };
        assert_eq!(object(changes(&[("Ami", "ami-1")], &["Ami"]), Some("ami-1"), false), None);
        let objection = object(changes(&[("Ami", "ami-2")], &["Tag", "Ami"]), Some("ami-1"), false)
            .expect("it would be another");
        assert!(objection.contains("`Ami`") && !objection.contains("ami-2"), "{objection}");
        assert_eq!(
            object(changes(&[("Ami", "ami-2")], &["Tag", "Ami"]), Some("ami-1"), true),
            None
        );
        assert_eq!(
            object(changes(&[("Ami", "ami-2")], &["Tag"]), Some("ami-1"), false),
            None,
            "nothing changes for it"
        );
        assert!(
            object(changes(&[], &["Ami"]), Some("ami-1"), false).is_some(),
            "what is not known is not the same"
        );
        assert_eq!(object(changes(&[], &["Ami"]), None, false), None);
    }
}
