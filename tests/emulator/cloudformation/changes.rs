//! Change sets: made from what the test says an update would do, described a few changes a page,
//! executed as an update. A nested stack's changes are in a change set of its own, which is known
//! by its ARN alone.

use serde_json::Value;

use super::form::{field, members};
use super::updates::{check_updatable, wanted_parameters};
use super::{Parameter, Stack, member, validation_error};
use crate::emulator::fault::{escape, xml_error};
use crate::emulator::http::Response;

/// What an update would do to one resource.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Change {
    pub(crate) action: &'static str,
    pub(crate) kind: String,
    pub(crate) resource: String,
    /// Of a modification: `True`, `False` or `Conditional`.
    pub(crate) replacement: Option<&'static str>,
    /// What it would do to the resources of a nested stack.
    pub(crate) nested: Vec<Change>,
    /// The parameter that causes it.
    pub(crate) cause: Option<String>,
}

impl Change {
    pub(crate) fn modify(kind: &str, resource: &str, replacement: &'static str) -> Change {
        let (kind, resource) = (kind.to_owned(), resource.to_owned());
        Change {
            action: "Modify",
            kind,
            resource,
            replacement: Some(replacement),
            nested: vec![],
            cause: None,
        }
    }

    pub(crate) fn caused_by(self, parameter: &str) -> Change {
        Change { cause: Some(parameter.to_owned()), ..self }
    }

    pub(crate) fn nested_stack(resource: &str, nested: Vec<Change>) -> Change {
        Change { nested, ..Change::modify("AWS::CloudFormation::Stack", resource, "False") }
    }
}

/// Why a change set can be executed or not, once it is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Execution {
    Available,
    /// There is nothing to change.
    Unavailable,
    /// The stack was updated since.
    Obsolete,
    Executed,
}

#[derive(Debug, Clone)]
pub(super) struct ChangeSet {
    name: String,
    id: String,
    /// Of the request that made it.
    client_token: Option<String>,
    /// The change set of the stack that this one's stack is nested in.
    parent: Option<String>,
    wanted: Vec<Parameter>,
    capabilities: Vec<String>,
    /// With the change set of the nested stack, if it is one.
    changes: Vec<(Change, Option<String>)>,
    pub(super) execution: Execution,
    /// How often it is still in the making when it is described, and how often it was described.
    pending: usize,
    described: usize,
}

impl ChangeSet {
    fn is_in_the_making(&self) -> bool {
        self.described < self.pending
    }

    fn status(&self) -> &'static str {
        match (self.is_in_the_making(), self.execution) {
            (true, _) if self.described == 0 => "CREATE_PENDING",
            (true, _) => "CREATE_IN_PROGRESS",
            (false, Execution::Unavailable) => "FAILED",
            (false, Execution::Available | Execution::Obsolete | Execution::Executed) => {
                "CREATE_COMPLETE"
            }
        }
    }

    fn execution_status(&self) -> &'static str {
        match self.execution {
            _ if self.is_in_the_making() => "UNAVAILABLE",
            Execution::Available => "AVAILABLE",
            Execution::Unavailable => "UNAVAILABLE",
            Execution::Obsolete => "OBSOLETE",
            Execution::Executed => "EXECUTE_IN_PROGRESS",
        }
    }

    fn is_named(&self, named: &str) -> bool {
        self.id == named || self.parent.is_none() && self.name == named
    }
}

impl Stack {
    /// Names of the change sets that the stack has.
    pub(crate) fn change_sets(&self) -> Vec<String> {
        self.change_sets
            .iter()
            .filter(|set| set.parent.is_none())
            .map(|set| set.name.clone())
            .collect()
    }

    /// A person's own change set, which waits for its reviewer.
    pub(crate) fn add_foreign_change_set(&mut self, name: &str) {
        let id = format!(
            "arn:aws:cloudformation:us-east-1:000000000000:changeSet/{name}/{}",
            self.change_sets.len()
        );
        let changes = self.would_change.iter().map(|change| (change.clone(), None)).collect();
        let (wanted, capabilities, name) =
            (self.parameters.clone(), self.capabilities.clone(), name.to_owned());
        let (client_token, parent, execution) = (None, None, Execution::Available);
        self.change_sets.push(ChangeSet {
            name,
            id,
            client_token,
            parent,
            wanted,
            capabilities,
            changes,
            execution,
            pending: 0,
            described: 0,
        });
    }

    pub(super) fn outdate_change_sets(&mut self) {
        let available =
            self.change_sets.iter_mut().filter(|set| set.execution == Execution::Available);
        available.for_each(|set| set.execution = Execution::Obsolete);
    }

    /// The change sets that were in the making are made.
    pub(crate) fn finish_change_sets(&mut self) {
        self.change_sets.iter_mut().for_each(|set| set.pending = 0);
    }
}

/// What `UpdateStack` is checked for too is checked there.
pub(super) fn create_violations(form: &Value) -> Vec<String> {
    let mut found = vec![];
    if field(form, "ChangeSetType") != Some("UPDATE") {
        found.push("CreateChangeSet without ChangeSetType UPDATE".to_owned());
    }
    if field(form, "IncludeNestedStacks") != Some("true") {
        found.push("CreateChangeSet without IncludeNestedStacks".to_owned());
    }
    let name = field(form, "ChangeSetName").unwrap_or_default();
    let letters = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !letters || !name.starts_with(|c: char| c.is_ascii_alphabetic()) || name.len() > 128 {
        found.push(format!("ChangeSetName {name:?}"));
    }
    found
}

/// Whether this ARN is that of one of the stack's change sets, or of one nested in them.
pub(super) fn is_known(stack: &Stack, id: &str) -> bool {
    stack.change_sets.iter().any(|set| set.id == id)
}

pub(super) fn not_found(named: &str) -> Response {
    xml_error(404, "ChangeSetNotFound", &format!("ChangeSet [{named}] does not exist"))
}

pub(super) fn create(stack: &mut Stack, arn: &str, form: &Value) -> Result<String, Response> {
    let name = field(form, "ChangeSetName").unwrap_or_default();
    let client_token = field(form, "ClientToken").map(str::to_owned);
    let made = |id: &str| format!("<Id>{id}</Id><StackId>{arn}</StackId>");
    if let Some(known) =
        stack.change_sets.iter().find(|set| set.parent.is_none() && set.name == name)
    {
        return match client_token {
            Some(_) if client_token == known.client_token => Ok(made(&known.id)),
            _ => Err(xml_error(
                400,
                "AlreadyExistsException",
                &format!("ChangeSet {name} already exists for stack {arn}"),
            )),
        };
    }
    let wanted = wanted_parameters(stack, form)?;
    check_updatable(stack, form)?;
    let is_empty = wanted == stack.parameters || stack.would_change.is_empty();
    let changes = if is_empty { vec![] } else { stack.would_change.clone() };
    let (prefix, _) = arn.split_once(":stack/").expect("a stack's ARN");
    let root = ChangeSet {
        name: name.to_owned(),
        id: String::new(),
        client_token,
        parent: None,
        wanted,
        capabilities: members(form, "Capabilities.member.")
            .into_iter()
            .map(str::to_owned)
            .collect(),
        changes: vec![],
        execution: if is_empty { Execution::Unavailable } else { Execution::Available },
        pending: stack.pending_describes,
        described: 0,
    };
    // Without IncludeNestedStacks the changes of nested stacks are not worked out.
    let is_deep = field(form, "IncludeNestedStacks") == Some("true");
    let id = add(&mut stack.change_sets, root, &changes, prefix, is_deep);
    Ok(made(&id))
}

/// Adds a change set and those of its nested stacks; answers its ARN.
fn add(
    all: &mut Vec<ChangeSet>,
    like: ChangeSet,
    changes: &[Change],
    prefix: &str,
    is_deep: bool,
) -> String {
    let id = format!("{prefix}:changeSet/{}/2c1f7a90-{:04x}", like.name, all.len() + 1);
    let at = all.len();
    all.push(ChangeSet { id: id.clone(), ..like.clone() });
    let with_nested = changes.iter().map(|change| {
        let is_stack = is_deep && change.kind == "AWS::CloudFormation::Stack";
        let name = format!("{}-{}", like.name, change.resource);
        let nested = ChangeSet { name, parent: Some(id.clone()), wanted: vec![], ..like.clone() };
        let nested = is_stack.then(|| add(all, nested, &change.nested, prefix, is_deep));
        (change.clone(), nested)
    });
    let with_nested = with_nested.collect();
    all[at].changes = with_nested;
    id
}

fn describe_parameter(out: &mut String, parameter: &Parameter, is_in_the_making: bool) {
    let value = if parameter.no_echo { "****" } else { &parameter.value };
    let mut fields = vec![("ParameterKey", parameter.key.as_str()), ("ParameterValue", value)];
    let resolved = parameter.resolved.as_ref().filter(|_| !is_in_the_making);
    fields.extend(resolved.map(|resolved| ("ResolvedValue", resolved.as_str())));
    member(out, &fields);
}

pub(super) fn describe(stack: &mut Stack, form: &Value) -> Result<String, Response> {
    let named = field(form, "ChangeSetName").unwrap_or_default();
    // With a stack's name only its own are found.
    let is_own = field(form, "StackName").is_some();
    if !is_own && !named.starts_with("arn:") {
        return Err(validation_error(
            "StackName must be specified if ChangeSetName is not specified as an ARN.",
        ));
    }
    let found = stack
        .change_sets
        .iter_mut()
        .find(|set| set.is_named(named) && (!is_own || set.parent.is_none()));
    let Some(set) = found else { return Err(not_found(named)) };
    let from = field(form, "NextToken").map_or(0, |token| token.parse().expect("our own token"));
    let description = description(set, &stack.name, from);
    set.described += 1;
    Ok(description)
}

/// A few changes a page, once it is made.
fn description(set: &ChangeSet, stack: &str, from: usize) -> String {
    const PAGE: usize = 2;
    let (status, execution) = (set.status(), set.execution_status());
    let is_in_the_making = set.is_in_the_making();
    let (mut changes, mut parameters, mut next) = (String::new(), String::new(), String::new());
    if !is_in_the_making {
        set.changes
            .iter()
            .skip(from)
            .take(PAGE)
            .for_each(|(change, nested)| changes.push_str(&one_change(change, nested.as_deref())));
        if set.changes.len() > from + PAGE {
            next = format!("<NextToken>{}</NextToken>", from + PAGE);
        }
    }
    for p in &set.wanted {
        describe_parameter(&mut parameters, p, is_in_the_making);
    }
    let reason = match status {
        "FAILED" => {
            "<StatusReason>The submitted information didn't contain changes. Submit different \
             information to create a change set.\
             </StatusReason>"
        }
        _ => "",
    };
    let (id, name) = (&set.id, &set.name);
    let capabilities: String =
        set.capabilities.iter().map(|c| format!("<member>{c}</member>")).collect();
    let parent = set
        .parent
        .as_ref()
        .map_or(String::new(), |id| format!("<ParentChangeSetId>{id}</ParentChangeSetId>"));
    format!(
        "<ChangeSetName>{name}</ChangeSetName><ChangeSetId>{id}</ChangeSetId><StackName>{stack}</StackName>\
         <CreationTime>2026-03-17T09:30:00.000Z</CreationTime><Status>{status}</Status>{reason}\
         <ExecutionStatus>{execution}</ExecutionStatus><Parameters>{parameters}</Parameters>\
         <Capabilities>{capabilities}</Capabilities><Changes>{changes}</Changes>{next}{parent}\
         <IncludeNestedStacks>true</IncludeNestedStacks>",
    )
}

fn one_change(change: &Change, nested: Option<&str>) -> String {
    let mut fields = String::new();
    let resource = escape(&change.resource);
    let texts = [
        ("Action", change.action),
        ("LogicalResourceId", &resource),
        ("ResourceType", &change.kind),
    ];
    for (name, value) in texts
        .into_iter()
        .chain(change.replacement.map(|r| ("Replacement", r)))
        .chain(nested.map(|n| ("ChangeSetId", n)))
    {
        fields.push_str(&format!("<{name}>{value}</{name}>"));
    }
    if let Some(cause) = &change.cause {
        let source = "<ChangeSource>ParameterReference</ChangeSource>";
        fields.push_str(&format!(
            "<Details><member>{source}<CausingEntity>{cause}</CausingEntity></member></Details>"
        ));
    }
    format!("<member><Type>Resource</Type><ResourceChange>{fields}</ResourceChange></member>")
}

/// An update like any other; the stack's other change sets are gone then, and this one too or not.
pub(super) fn execute(stack: &mut Stack, form: &Value) -> Result<String, Response> {
    let named = field(form, "ChangeSetName").unwrap_or_default();
    let Some(set) = stack.change_sets.iter().find(|set| set.is_named(named)).cloned() else {
        return Err(not_found(named));
    };
    if set.parent.is_some() {
        return Err(validation_error(
            "Operations other than DescribeChangeSet are only allowed on root change sets",
        ));
    }
    if set.execution_status() != "AVAILABLE" || !stack.is_updatable() {
        return Err(invalid_status(&set, "executed", set.execution_status()));
    }
    let token = field(form, "ClientRequestToken").unwrap_or_default();
    stack.start_update(set.wanted.clone(), token);
    stack.change_sets.clear();
    if stack.keeps_executed {
        stack.change_sets.push(ChangeSet { execution: Execution::Executed, ..set });
    }
    Ok(String::new())
}

/// One that is not there counts as deleted; one that is still being made cannot be.
pub(super) fn delete(stack: &mut Stack, form: &Value) -> Result<String, Response> {
    let named = field(form, "ChangeSetName").unwrap_or_default();
    let Some(set) =
        stack.change_sets.iter().find(|set| set.parent.is_none() && set.is_named(named))
    else {
        return Ok(String::new());
    };
    if set.is_in_the_making() {
        return Err(invalid_status(set, "deleted", set.status()));
    }
    let mut gone = vec![set.id.clone()];
    // Those of nested stacks come after the one that they are in.
    for set in &stack.change_sets {
        if set.parent.as_ref().is_some_and(|parent| gone.contains(parent)) {
            gone.push(set.id.clone());
        }
    }
    stack.change_sets.retain(|set| !gone.contains(&set.id));
    Ok(String::new())
}

fn invalid_status(set: &ChangeSet, what: &str, status: &str) -> Response {
    let message =
        format!("ChangeSet [{}] cannot be {what} in its current status of [{status}]", set.id);
    xml_error(400, "InvalidChangeSetStatus", &message)
}

/// Those of nested stacks are listed for their own stacks only.
pub(super) fn list(stack: &Stack, form: &Value) -> String {
    const PAGE: usize = 2;
    let from = field(form, "NextToken").map_or(0, |token| token.parse().expect("our own token"));
    let own: Vec<&ChangeSet> =
        stack.change_sets.iter().filter(|set| set.parent.is_none()).collect();
    let mut summaries = String::new();
    for set in own.iter().skip(from).take(PAGE) {
        let (status, execution) = (set.status(), set.execution_status());
        let fields = [
            ("StackName", stack.name.as_str()),
            ("ChangeSetId", &set.id),
            ("ChangeSetName", &set.name),
            ("Status", status),
            ("ExecutionStatus", execution),
            ("CreationTime", "2026-03-17T09:30:00.000Z"),
        ];
        member(&mut summaries, &fields);
    }
    let more = own.len() > from + PAGE;
    let next = if more { format!("<NextToken>{}</NextToken>", from + PAGE) } else { String::new() };
    format!("<Summaries>{summaries}</Summaries>{next}")
}
