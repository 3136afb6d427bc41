//! A small AWS CloudFormation: stacks with parameters and without resources. An update stays in
//! progress until the test ends it, as an update takes minutes to hours, and every refusal is in
//! AWS's words, which are all that tells them apart.

mod changes;
mod form;
mod template;
mod updates;

use std::fmt::Write;

use serde_json::Value;

use super::backend::REGION;
use super::fault::{escape, xml_error};
use super::http::Response;

pub(crate) use self::changes::Change;
use self::changes::ChangeSet;
use self::form::field;
pub(crate) use self::form::violations;
pub(crate) use self::template::Template;
use self::updates::{cancel, update};

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Parameter {
    pub(crate) key: String,
    pub(crate) value: String,
    /// What the template falls back to where an update leaves the parameter out.
    pub(crate) default: Option<String>,
    pub(crate) no_echo: bool,
    /// Of an SSM-typed parameter, whose value is a name in Parameter Store.
    pub(crate) resolved: Option<String>,
    /// What Parameter Store has under that name by now, and any update would make it.
    pub(crate) resolves_to: Option<String>,
}

impl Parameter {
    pub(crate) fn new(key: &str, value: &str) -> Parameter {
        Parameter {
            key: key.to_owned(),
            value: value.to_owned(),
            default: None,
            no_echo: false,
            resolved: None,
            resolves_to: None,
        }
    }
}

/// How CloudFormation answers a request token that it has seen. AWS does not say which.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum RepeatedToken {
    Accepted,
    InProgress,
    TokenAlreadyExists,
    NoUpdates,
}

#[derive(Debug, Clone)]
pub(crate) struct Stack {
    pub(crate) name: String,
    pub(crate) status: String,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) capabilities: Vec<String>,
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) parent: Option<String>,
    /// Its service role.
    pub(crate) role: Option<String>,
    pub(crate) template: Template,
    /// `ClientRequestToken`s of the accepted updates, in order.
    pub(crate) updates: Vec<String>,
    pub(crate) repeated_token: RepeatedToken,
    /// In place of accepting an update: code and message.
    pub(crate) refusal: Option<(String, String)>,
    /// `ClientRequestToken`s of the accepted cancels, in order.
    pub(crate) cancels: Vec<String>,
    /// What any update would do to the stack's resources.
    pub(crate) would_change: Vec<Change>,
    /// How often a new change set is still in the making when it is described.
    pub(crate) pending_describes: usize,
    /// Its resources beside the task definitions: type and physical id.
    pub(crate) resources: Vec<(&'static str, String)>,
    /// Whether the change set that was executed is still there afterwards. AWS does not say.
    pub(crate) keeps_executed: bool,
    change_sets: Vec<ChangeSet>,
    before: Vec<Parameter>,
    events: Vec<Event>,
    /// In which its events happened.
    year: u32,
    /// The number of the event that began the newest update.
    updated_at: Option<usize>,
}

#[derive(Debug, Clone)]
struct Event {
    id: usize,
    resource: String,
    kind: &'static str,
    status: String,
    reason: String,
    token: Option<String>,
}

#[derive(Debug)]
pub(crate) struct CloudFormation {
    account: String,
    region: String,
    pub(crate) stacks: Vec<Stack>,
}

impl Stack {
    pub(crate) fn new(name: &str, parameters: Vec<Parameter>) -> Stack {
        let mut stack = Stack {
            name: name.to_owned(),
            status: String::new(),
            before: parameters.clone(),
            parameters,
            capabilities: vec!["CAPABILITY_IAM".to_owned()],
            tags: vec![
                ("team".to_owned(), "shop".to_owned()),
                ("cost-centre".to_owned(), "4711".to_owned()),
            ],
            parent: None,
            role: None,
            template: Template::default(),
            updates: vec![],
            repeated_token: RepeatedToken::Accepted,
            refusal: None,
            cancels: vec![],
            would_change: vec![
                Change::modify("AWS::ECS::TaskDefinition", "TaskDefinition", "True"),
                Change::modify("AWS::ECS::Service", "Service", "False"),
            ],
            pending_describes: 0,
            resources: vec![],
            keeps_executed: false,
            updated_at: None,
            change_sets: vec![],
            events: vec![],
            year: 2026,
        };
        stack.enter("CREATE_IN_PROGRESS", "User Initiated", None);
        stack.enter("CREATE_COMPLETE", "", None);
        stack
    }

    pub(crate) fn value(&self, key: &str) -> &str {
        self.parameters.iter().find(|p| p.key == key).map_or("", |p| p.value.as_str())
    }

    /// The update in progress comes to a good end.
    pub(crate) fn finish_update(&mut self) {
        assert_eq!(self.status, "UPDATE_IN_PROGRESS", "no update of {} to finish", self.name);
        let token = self.updates.last().cloned();
        self.resource("UPDATE_COMPLETE", "", token.clone());
        self.enter("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "", token.clone());
        self.enter("UPDATE_COMPLETE", "", token);
        self.before = self.parameters.clone();
    }

    /// The service does not become stable, and the stack goes back to what it was.
    pub(crate) fn fail_update(&mut self, reason: &str) {
        assert_eq!(self.status, "UPDATE_IN_PROGRESS", "no update of {} to fail", self.name);
        let token = self.updates.last().cloned();
        self.resource("UPDATE_FAILED", reason, token.clone());
        let why = "The following resource(s) failed to update: [Service]. ";
        self.enter("UPDATE_ROLLBACK_IN_PROGRESS", why, token.clone());
        self.parameters = self.before.clone();
        self.resource("UPDATE_COMPLETE", "", token.clone());
        self.enter("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "", token.clone());
        self.enter("UPDATE_ROLLBACK_COMPLETE", "", token);
    }

    /// The update that was cancelled has gone back to what was before.
    pub(crate) fn finish_cancel(&mut self) {
        assert_eq!(
            self.status, "UPDATE_ROLLBACK_IN_PROGRESS",
            "no cancelled update of {}",
            self.name
        );
        let token = self.cancels.last().cloned();
        self.resource("UPDATE_COMPLETE", "", token.clone());
        self.enter("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "", token.clone());
        self.enter("UPDATE_ROLLBACK_COMPLETE", "", token);
        self.parameters = self.before.clone();
    }

    /// An update of many resources goes back. Its start, which alone names its token here, is far
    /// back in the events. None is older than what the function remembers.
    pub(crate) fn fail_long_update(&mut self) {
        self.year = 2036;
        for _ in 0..=LONG {
            self.resource("UPDATE_FAILED", "it did not stabilize", None);
        }
        self.enter("UPDATE_ROLLBACK_COMPLETE", "", None);
        self.parameters = self.before.clone();
    }

    /// Somebody else's update, under a token of theirs.
    pub(crate) fn start_foreign_update(&mut self) {
        self.start_update(self.parameters.clone(), "Console-UpdateStack-7c1b");
    }

    /// Somebody else's update that gives a parameter another value, from its start to its end.
    pub(crate) fn update_by_somebody_else(&mut self, key: &str, value: &str) {
        let mut wanted = self.parameters.clone();
        wanted.iter_mut().filter(|p| p.key == key).for_each(|p| p.value = value.to_owned());
        self.start_update(wanted, "Console-UpdateStack-7c1b");
        self.finish_update();
    }

    fn start_update(&mut self, wanted: Vec<Parameter>, token: &str) {
        self.before = std::mem::replace(&mut self.parameters, wanted);
        self.updates.push(token.to_owned());
        self.updated_at = Some(self.events.len());
        self.enter("UPDATE_IN_PROGRESS", "User Initiated", Some(token.to_owned()));
        self.resource("UPDATE_IN_PROGRESS", "", Some(token.to_owned()));
        self.outdate_change_sets();
    }

    fn enter(&mut self, status: &str, reason: &str, token: Option<String>) {
        self.status = status.to_owned();
        let resource = self.name.clone();
        self.event(resource, "AWS::CloudFormation::Stack", status, reason, token);
    }

    fn resource(&mut self, status: &str, reason: &str, token: Option<String>) {
        self.event("Service".to_owned(), "AWS::ECS::Service", status, reason, token);
    }

    fn event(
        &mut self,
        resource: String,
        kind: &'static str,
        status: &str,
        reason: &str,
        token: Option<String>,
    ) {
        let (status, reason) = (status.to_owned(), reason.to_owned());
        self.events.push(Event { id: self.events.len(), resource, kind, status, reason, token });
    }

    /// When an event happened: a second after the one before.
    fn time_of(&self, event: usize) -> String {
        format!("{}-03-17T09:{:02}:{:02}.000Z", self.year, event / 60, event % 60)
    }

    fn is_updatable(&self) -> bool {
        let updatable = [
            "CREATE_COMPLETE",
            "UPDATE_COMPLETE",
            "UPDATE_ROLLBACK_COMPLETE",
            "IMPORT_COMPLETE",
            "IMPORT_ROLLBACK_COMPLETE",
        ];
        updatable.contains(&self.status.as_str())
    }
}

impl CloudFormation {
    pub(crate) fn new(account: &str) -> CloudFormation {
        CloudFormation::in_region(account, REGION)
    }

    pub(crate) fn in_region(account: &str, region: &str) -> CloudFormation {
        let (account, region) = (account.to_owned(), region.to_owned());
        CloudFormation { account, region, stacks: vec![] }
    }

    pub(crate) fn arn(&self, stack: &str) -> String {
        format!(
            "arn:aws:cloudformation:{}:{}:stack/{stack}/6a1f4e30-b3f8-11f0-9d2c-0e7a5c2f9b41",
            self.region, self.account
        )
    }

    pub(crate) fn answer(&mut self, action: &str, form: &Value) -> Response {
        let index = match (field(form, "StackName"), field(form, "ChangeSetName")) {
            (None, Some(change_set)) => {
                match self.stacks.iter().position(|stack| changes::is_known(stack, change_set)) {
                    Some(index) => index,
                    None => return changes::not_found(change_set),
                }
            }
            (named, _) => {
                let named = named.unwrap_or_default();
                match self
                    .stacks
                    .iter()
                    .position(|stack| stack.name == named || self.arn(&stack.name) == named)
                {
                    Some(index) => index,
                    None if action == "DescribeStacks" => {
                        return validation_error(&format!("Stack with id {named} does not exist"));
                    }
                    None => return validation_error(&format!("Stack [{named}] does not exist")),
                }
            }
        };
        let arn = self.arn(&self.stacks[index].name);
        let stack = &mut self.stacks[index];
        let done = |done: Result<String, Response>| {
            done.map_or_else(|refusal| refusal, |result| xml(action, &result))
        };
        match action {
            "DescribeStacks" => self.describe(&self.stacks[index]),
            "GetTemplateSummary" => done(Ok(template::summary(stack))),
            "GetTemplate" => done(Ok(template::text(stack))),
            "DescribeStackEvents" => self.describe_events(&self.stacks[index], form),
            "DescribeEvents" => self.operation_events(&self.stacks[index]),
            "ListStackResources" => list_resources(&self.stacks[index], form),
            "UpdateStack" => {
                done(update(stack, form).map(|()| format!("<StackId>{arn}</StackId>")))
            }
            "CancelUpdateStack" => done(cancel(stack, form).map(|()| String::new())),
            "CreateChangeSet" => done(changes::create(stack, &arn, form)),
            "DescribeChangeSet" => done(changes::describe(stack, form)),
            "ExecuteChangeSet" => done(changes::execute(stack, form)),
            "DeleteChangeSet" => done(changes::delete(stack, form)),
            "ListChangeSets" => done(Ok(changes::list(stack, form))),
            other => xml_error(
                400,
                "InvalidAction",
                &format!("the function has no business with cloudformation:{other}"),
            ),
        }
    }

    fn describe(&self, stack: &Stack) -> Response {
        let mut parameters = String::new();
        for p in &stack.parameters {
            let value = if p.no_echo { "****" } else { &p.value };
            let mut fields = vec![("ParameterKey", p.key.as_str()), ("ParameterValue", value)];
            fields.extend(p.resolved.as_ref().map(|resolved| ("ResolvedValue", resolved.as_str())));
            member(&mut parameters, &fields);
        }
        let mut tags = String::new();
        for (key, value) in &stack.tags {
            member(&mut tags, &[("Key", key), ("Value", value)]);
        }
        let capabilities: String =
            stack.capabilities.iter().map(|c| format!("<member>{c}</member>")).collect();
        let parent = stack.parent.as_ref().map_or(String::new(), |parent| {
            let arn = self.arn(parent);
            format!("<ParentId>{arn}</ParentId><RootId>{arn}</RootId>")
        });
        let role =
            stack.role.as_ref().map_or(String::new(), |arn| format!("<RoleARN>{arn}</RoleARN>"));
        let (id, name, status) = (self.arn(&stack.name), &stack.name, &stack.status);
        let operations = if stack.events.len() > LONG {
            "<LastOperations><member><OperationType>UPDATE_STACK</OperationType>\
             <OperationId>last</OperationId></member></LastOperations>"
        } else {
            ""
        };
        let updated = stack.updated_at.map_or(String::new(), |event| {
            format!("<LastUpdatedTime>{}</LastUpdatedTime>", stack.time_of(event))
        });
        xml(
            "DescribeStacks",
            &format!(
                "<Stacks><member><StackId>{id}</StackId><StackName>{name}</StackName><StackStatus>{status}</StackStatus>\
                 <CreationTime>2026-01-05T08:00:00.000Z</CreationTime>{updated}{operations}<DisableRollback>false</DisableRollback>{parent}{role}\
                 <Parameters>{parameters}</Parameters><Tags>{tags}</Tags><Capabilities>{capabilities}</Capabilities>\
                 <NotificationARNs/><EnableTerminationProtection>false</EnableTerminationProtection></member></Stacks>",
            ),
        )
    }

    /// The stack's last update begins with what began it.
    fn operation_events(&self, stack: &Stack) -> Response {
        let began = stack.events.iter().rev();
        let began = began.filter(|event| event.resource == stack.name && event.token.is_some());
        let mut events = String::new();
        for event in began {
            let (time, arn) = (stack.time_of(event.id), self.arn(&stack.name));
            let mut fields = vec![
                ("StackId", arn.as_str()),
                ("LogicalResourceId", &event.resource),
                ("PhysicalResourceId", arn.as_str()),
                ("ResourceType", event.kind),
                ("ResourceStatus", &event.status),
                ("Timestamp", &time),
            ];
            fields.extend(event.token.as_ref().map(|token| ("ClientRequestToken", token.as_str())));
            member(&mut events, &fields);
        }
        xml("DescribeEvents", &format!("<OperationEvents>{events}</OperationEvents>"))
    }

    /// The newest first, a few a page.
    fn describe_events(&self, stack: &Stack, form: &Value) -> Response {
        const PAGE: usize = 5;
        let from =
            field(form, "NextToken").map_or(0, |token| token.parse().expect("our own token"));
        let mut events = String::new();
        for event in stack.events.iter().rev().skip(from).take(PAGE) {
            let time = stack.time_of(event.id);
            let (id, reason) = (event.id.to_string(), escape(&event.reason));
            let arn = self.arn(&stack.name);
            let physical =
                if event.resource == stack.name { arn.as_str() } else { "web-Service-1ABC" };
            let mut fields = vec![
                ("StackId", arn.as_str()),
                ("StackName", &stack.name),
                ("EventId", &id),
                ("LogicalResourceId", &event.resource),
                ("PhysicalResourceId", physical),
                ("ResourceType", event.kind),
                ("ResourceStatus", &event.status),
                ("Timestamp", &time),
            ];
            fields
                .extend((!reason.is_empty()).then_some(("ResourceStatusReason", reason.as_str())));
            fields.extend(event.token.as_ref().map(|token| ("ClientRequestToken", token.as_str())));
            member(&mut events, &fields);
        }
        let more = stack.events.len() > from + PAGE;
        let next =
            if more { format!("<NextToken>{}</NextToken>", from + PAGE) } else { String::new() };
        xml("DescribeStackEvents", &format!("<StackEvents>{events}</StackEvents>{next}"))
    }
}

/// With more events than these, the start of the last update is further back than the function
/// reads page by page.
const LONG: usize = 50;

/// A task definition first, a few a page.
fn list_resources(stack: &Stack, form: &Value) -> Response {
    const PAGE: usize = 5;
    let from = field(form, "NextToken").map_or(0, |token| token.parse().expect("our own token"));
    let first = ("AWS::ECS::TaskDefinition", "web:1".to_owned());
    let all: Vec<_> = [&first].into_iter().chain(&stack.resources).collect();
    let mut resources = String::new();
    for (kind, id) in all.iter().skip(from).take(PAGE) {
        let fields = [
            ("LogicalResourceId", "Any"),
            ("PhysicalResourceId", id.as_str()),
            ("ResourceType", kind),
            ("LastUpdatedTimestamp", "2026-03-17T09:00:00.000Z"),
            ("ResourceStatus", "UPDATE_COMPLETE"),
        ];
        member(&mut resources, &fields);
    }
    let next = if all.len() > from + PAGE {
        format!("<NextToken>{}</NextToken>", from + PAGE)
    } else {
        String::new()
    };
    let list = format!("<StackResourceSummaries>{resources}</StackResourceSummaries>{next}");
    xml("ListStackResources", &list)
}

fn validation_error(message: &str) -> Response {
    xml_error(400, "ValidationError", message)
}

fn member(out: &mut String, fields: &[(&str, &str)]) {
    out.push_str("<member>");
    for (name, value) in fields {
        let _ = write!(out, "<{name}>{value}</{name}>");
    }
    out.push_str("</member>");
}

fn xml(action: &str, result: &str) -> Response {
    let body =
        format!("<{action}Response><{action}Result>{result}</{action}Result></{action}Response>");
    Response::new(200, "text/xml", body)
}
