//! Updates and cancels, and why they are refused.

use serde_json::Value;

use super::form::{field, members, sent_parameters};
use super::{Parameter, RepeatedToken, Stack, validation_error};
use crate::emulator::fault::xml_error;
use crate::emulator::http::Response;

pub(super) fn update(stack: &mut Stack, form: &Value) -> Result<(), Response> {
    let wanted = wanted_parameters(stack, form)?;
    let token = field(form, "ClientRequestToken").unwrap_or_default();
    if stack.updates.iter().any(|seen| seen == token) {
        return repeated(stack, token);
    }
    check_updatable(stack, form)?;
    if wanted == stack.parameters {
        return Err(validation_error("No updates are to be performed."));
    }
    stack.start_update(wanted, token);
    Ok(())
}

/// The stack goes back, which takes its time too.
pub(super) fn cancel(stack: &mut Stack, form: &Value) -> Result<(), Response> {
    if stack.status != "UPDATE_IN_PROGRESS" {
        return Err(validation_error(
            "CancelUpdateStack cannot be called from current stack status",
        ));
    }
    let token = field(form, "ClientRequestToken").map(str::to_owned);
    stack.cancels.extend(token.clone());
    stack.enter("UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated", token.clone());
    stack.resource("UPDATE_FAILED", "Resource update cancelled", token);
    Ok(())
}

/// The parameters as a request would make them.
pub(super) fn wanted_parameters(stack: &Stack, form: &Value) -> Result<Vec<Parameter>, Response> {
    let mut wanted = stack.parameters.clone();
    let sent = sent_parameters(form);
    for (key, value, previous) in &sent {
        if value.is_some() && *previous {
            let message = format!(
                "Invalid input for parameter key {key}. Cannot specify usePreviousValue as true \
                 and a value"
            );
            return Err(validation_error(&message));
        }
        if !wanted.iter().any(|p| p.key == *key) {
            return Err(validation_error(&format!(
                "Parameters: [{key}] do not exist in the template"
            )));
        }
    }
    for parameter in &mut wanted {
        match sent.iter().find(|(key, ..)| *key == parameter.key) {
            Some((_, Some(value), _)) => parameter.value = (*value).to_owned(),
            Some(_) => {}
            None => {
                let Some(default) = &parameter.default else {
                    return Err(validation_error(&format!(
                        "Parameters: [{}] must have values",
                        parameter.key
                    )));
                };
                parameter.value.clone_from(default);
            }
        }
    }
    for parameter in &mut wanted {
        parameter.resolved = parameter.resolves_to.clone().or_else(|| parameter.resolved.take());
    }
    Ok(wanted)
}

fn repeated(stack: &Stack, token: &str) -> Result<(), Response> {
    match stack.repeated_token {
        RepeatedToken::Accepted => Ok(()),
        RepeatedToken::InProgress => Err(validation_error(&format!(
            "Stack:{} is in UPDATE_IN_PROGRESS state and can not be updated.",
            stack.name
        ))),
        RepeatedToken::NoUpdates => Err(validation_error("No updates are to be performed.")),
        RepeatedToken::TokenAlreadyExists => Err(xml_error(
            400,
            "TokenAlreadyExistsException",
            &format!("A request with the token {token} exists already"),
        )),
    }
}

/// Whether the stack takes an update or a change set now.
pub(super) fn check_updatable(stack: &Stack, form: &Value) -> Result<(), Response> {
    if !stack.is_updatable() {
        let (name, status) = (&stack.name, &stack.status);
        return Err(validation_error(&format!(
            "Stack:{name} is in {status} state and can not be updated."
        )));
    }
    let capabilities = members(form, "Capabilities.member.");
    if let Some(missing) =
        stack.capabilities.iter().find(|needed| !capabilities.contains(&needed.as_str()))
    {
        let message = format!("Requires capabilities : [{missing}]");
        return Err(xml_error(400, "InsufficientCapabilitiesException", &message));
    }
    match &stack.refusal {
        Some((code, message)) => Err(xml_error(400, code, message)),
        None => Ok(()),
    }
}
