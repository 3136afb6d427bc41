//! CloudFormation: stacks with parameters and without resources. An update stays in progress until
//! it is ended.

use std::collections::BTreeMap;
use std::fmt::Write;

use jiff::Timestamp;
use serde_json::Value;

use super::{ACCOUNT, Answer, REGION};

/// The most events of a page. AWS has 100.
const PAGE: usize = 100;
/// The parameter that gets the tag.
const PARAMETER: &str = "ProductionTag";
/// A parameter that an update must keep.
const OTHER: (&str, &str) = ("DesiredCount", "4");

#[derive(Debug)]
pub(crate) struct Stack {
    name: String,
    tag: String,
    status: &'static str,
    tokens: Vec<String>,
    events: Vec<Event>,
    updated_at: Option<String>,
}

#[derive(Debug)]
struct Event {
    status: &'static str,
    token: Option<String>,
    at: String,
}

pub(crate) fn stack_id(name: &str) -> String {
    let id = "6a1f4e30-b3f8-11f0-9d2c-0e7a5c2f9b41";
    format!("arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{name}/{id}")
}

/// The name of a stack that is given by its name or its ARN.
pub(crate) fn name_of(stack: &str) -> &str {
    match stack.split_once(":stack/") {
        Some((_, rest)) => rest.split('/').next().unwrap_or_default(),
        None => stack,
    }
}

fn now() -> String {
    format!("{:.3}", Timestamp::now())
}

impl Stack {
    pub(crate) fn new(name: &str, tag: &str) -> Stack {
        let mut stack = Stack {
            name: name.to_owned(),
            tag: tag.to_owned(),
            status: "CREATE_COMPLETE",
            tokens: Vec::new(),
            events: Vec::new(),
            updated_at: None,
        };
        stack.enter("CREATE_COMPLETE", None);
        stack
    }

    pub(crate) fn tag(&self) -> &str {
        &self.tag
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.status.ends_with("_IN_PROGRESS")
    }

    pub(crate) fn updates(&self) -> usize {
        self.tokens.len()
    }

    pub(crate) fn finish(&mut self) {
        if self.is_busy() {
            let token = self.tokens.last().cloned();
            self.enter("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", token.clone());
            self.enter("UPDATE_COMPLETE", token);
        }
    }

    fn enter(&mut self, status: &'static str, token: Option<String>) {
        self.status = status;
        self.events.push(Event { status, token, at: now() });
    }

    fn update(&mut self, form: &Value) -> Result<(), Answer> {
        let refused = |message: &str| Err(Answer::xml_error("ValidationError", message));
        let text = |name: &str| form[name].as_str().unwrap_or_default();
        let token = text("ClientRequestToken").to_owned();
        if !token.is_empty() && self.tokens.contains(&token) {
            return Ok(());
        }
        if self.is_busy() {
            let (name, status) = (&self.name, self.status);
            return refused(&format!("Stack:{name} is in {status} state and can not be updated."));
        }
        if text("Capabilities.member.1") != "CAPABILITY_IAM" {
            let message = "Requires capabilities : [CAPABILITY_IAM]";
            return Err(Answer::xml_error("InsufficientCapabilitiesException", message));
        }
        let (mut tag, mut keeps_other) = (None, false);
        for n in 1..=2 {
            let field = |name: &str| form[format!("Parameters.member.{n}.{name}")].as_str();
            match field("ParameterKey") {
                Some(PARAMETER) => tag = field("ParameterValue"),
                Some(key) if key == OTHER.0 => {
                    keeps_other = field("UsePreviousValue") == Some("true");
                }
                Some(_) | None => {}
            }
        }
        match tag {
            _ if text("UsePreviousTemplate") != "true" => refused("a template is needed"),
            _ if !keeps_other => refused("the update would lose a parameter"),
            None => refused("the tag has no value"),
            Some(tag) if tag == self.tag => refused("No updates are to be performed."),
            Some(tag) => {
                self.tag = tag.to_owned();
                self.tokens.push(token.clone());
                self.updated_at = Some(now());
                self.enter("UPDATE_IN_PROGRESS", Some(token));
                Ok(())
            }
        }
    }

    fn describe(&self) -> Answer {
        let (id, name, status, tag) = (stack_id(&self.name), &self.name, self.status, &self.tag);
        let updated = self
            .updated_at
            .as_ref()
            .map_or(String::new(), |at| format!("<LastUpdatedTime>{at}</LastUpdatedTime>"));
        let parameter = |key: &str, value: &str| {
            format!(
                "<member><ParameterKey>{key}</ParameterKey>\
                 <ParameterValue>{value}</ParameterValue></member>"
            )
        };
        let parameters = parameter(PARAMETER, tag) + &parameter(OTHER.0, OTHER.1);
        Answer::xml(
            "DescribeStacks",
            &format!(
                "<Stacks><member><StackId>{id}</StackId><StackName>{name}</StackName>\
                 <StackStatus>{status}</StackStatus>\
                 <CreationTime>2026-01-05T08:00:00.000Z</CreationTime>{updated}\
                 <Parameters>{parameters}</Parameters><Tags/>\
                 <Capabilities><member>CAPABILITY_IAM</member></Capabilities>\
                 </member></Stacks>"
            ),
        )
    }

    /// The newest first.
    fn describe_events(&self, form: &Value) -> Answer {
        let from = form["NextToken"].as_str().and_then(|token| token.parse().ok()).unwrap_or(0);
        let (id, name) = (stack_id(&self.name), &self.name);
        let mut events = String::new();
        for (at, event) in self.events.iter().enumerate().rev().skip(from).take(PAGE) {
            let token = event.token.as_ref().map_or(String::new(), |token| {
                format!("<ClientRequestToken>{token}</ClientRequestToken>")
            });
            let (status, time) = (event.status, &event.at);
            // Writing to a string cannot fail.
            let _ = write!(
                events,
                "<member><StackId>{id}</StackId><StackName>{name}</StackName>\
                 <EventId>{at}</EventId><LogicalResourceId>{name}</LogicalResourceId>\
                 <PhysicalResourceId>{id}</PhysicalResourceId>\
                 <ResourceType>AWS::CloudFormation::Stack</ResourceType>\
                 <ResourceStatus>{status}</ResourceStatus><Timestamp>{time}</Timestamp>{token}\
                 </member>"
            );
        }
        let next = if self.events.len() > from + PAGE {
            format!("<NextToken>{}</NextToken>", from + PAGE)
        } else {
            String::new()
        };
        let result = format!("<StackEvents>{events}</StackEvents>{next}");
        Answer::xml("DescribeStackEvents", &result)
    }
}

pub(super) fn answer(stacks: &mut BTreeMap<String, Stack>, action: &str, form: &Value) -> Answer {
    let named = name_of(form["StackName"].as_str().unwrap_or_default());
    let Some(stack) = stacks.get_mut(named) else {
        let message = format!("Stack with id {named} does not exist");
        return Answer::xml_error("ValidationError", &message);
    };
    match action {
        "DescribeStacks" => stack.describe(),
        "DescribeStackEvents" => stack.describe_events(form),
        // The stack has no service: the next task uses the image.
        "ListStackResources" => Answer::xml(action, "<StackResourceSummaries/>"),
        "UpdateStack" => match stack.update(form) {
            Ok(()) => Answer::xml(action, &format!("<StackId>{}</StackId>", stack_id(named))),
            Err(refusal) => refusal,
        },
        _ => Answer::xml_error("InvalidAction", action),
    }
}
