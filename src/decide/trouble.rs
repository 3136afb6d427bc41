//! Why an app cannot be looked at, and the notice of it.

use super::finish::tell_and_mark;
use super::plan::{Stages, Trigger};
use crate::model::answer::Outcome;
use crate::model::config::{App, ConfigError};
use crate::model::image::Tags;
use crate::model::limits::kept_reason;
use crate::model::notice::Notice;
use crate::model::stack::{Phase, Stack};
use crate::model::state::State;
use crate::text::brief;
use crate::world::snapshot::Snapshot;

/// What DescribeStacks answers in place of the value of a `NoEcho` parameter.
const NO_ECHO: &str = "****";

/// The stack and the repository, if the one can be promoted to and the other exists.
pub(super) fn usable<'a>(
    app: &App,
    seen: &'a Snapshot,
) -> Result<(&'a Stack, &'a Tags), ConfigError> {
    let config = &app.config;
    let Some(tags) = &seen.tags else {
        return Err(app.whole(format!(
            "the ECR repository `{}` does not exist in this account and region",
            app.name
        )));
    };
    let Some(stack) = seen.stack.as_ref().filter(|stack| stack.phase() != Phase::Gone) else {
        return Err(app.error(
            "stack",
            format!("stack `{}` does not exist in this account and region", config.stack),
        ));
    };
    if let Some(parent) = &stack.parent {
        return Err(app.error(
            "stack",
            format!(
                "`{}` is a nested stack; expected its root stack (it is part of {parent})",
                config.stack
            ),
        ));
    }
    if stack.value(&config.parameter) == Some(NO_ECHO) {
        let problem = format!(
            "`{}` of stack `{}` has `NoEcho: true`, so that nobody can see what runs; expected a \
             parameter whose value can be read: \
             remove `NoEcho` from it in the template",
            config.parameter, config.stack
        );
        return Err(app.error("parameter", problem));
    }
    if stack.value(&config.parameter).is_none() {
        let has = stack.parameters.iter().map(|p| p.key.as_str()).collect::<Vec<_>>().join(", ");
        let problem = format!(
            "stack `{}` has no parameter `{}`; expected one of those it has: {has}",
            config.stack, config.parameter
        );
        return Err(app.error("parameter", problem));
    }
    check_alarms(app, stack)?;
    Ok((stack, tags))
}

/// An alarm that is named by its ARN must be where the stack is: CloudWatch is asked there, by
/// name.
fn check_alarms(app: &App, stack: &Stack) -> Result<(), ConfigError> {
    let place = |arn: &str| {
        let mut parts = arn.split(':').skip(3);
        Some((parts.next()?.to_owned(), parts.next()?.to_owned()))
    };
    let alarms = app.config.bake.iter().flat_map(|rule| &rule.alarms);
    let elsewhere = alarms
        .filter(|alarm| alarm.starts_with("arn:"))
        .find(|alarm| place(alarm) != place(&stack.id));
    let Some(alarm) = elsewhere else { return Ok(()) };
    let problem = format!(
        "`{}` is in another account or region than stack `{}`; expected alarms of {}",
        brief(alarm),
        stack.name,
        place(&stack.id)
            .map_or_else(String::new, |(region, account)| format!("{account} in {region}"))
    );
    Err(app.error("bake.alarms", problem))
}

/// Tells people once that a configuration cannot be used. The schedule's look fails every time.
pub(super) fn told_once(
    app: &App,
    trigger: &Trigger,
    seen: &Snapshot,
    error: &ConfigError,
) -> Stages {
    let Trigger::Due(cause) = trigger else { return Vec::new() };
    let trouble = Some(kept_reason(&error.to_string()));
    let state =
        seen.state.clone().unwrap_or_else(|| State::new(&app.config.stack, &app.config.parameter));
    let is_news = state.trouble != trouble;
    let previous_tag = state.running.as_ref().map(|running| running.tag.clone());
    let notice = Notice {
        previous_tag,
        ..Notice::new(Outcome::Blocked, *cause, error.to_string(), seen.at)
    };
    let mut known = State { trouble, ..state };
    known.untold.extend(is_news.then_some(notice));
    // Notices that could not be sent before are sent now, though nothing can be decided.
    tell_and_mark(known, &[], seen.at)
}
