//! Whether the function and this command are of versions that understand each other. No I/O here.

use crate::answer::{Answer, Outcome};
use crate::command::VERSION;
use crate::exit::failure::Failure;

/// How to bring the function up to date.
const UPDATE_FUNCTION: &str =
    "Update the function: in a clone of its release, `sam build && sam deploy`";
/// How to bring this command up to date.
const UPDATE_PROMOTE: &str =
    "Update promote: in a clone of the function's release, `cargo install --path cli --locked`";

/// The function's words for a key that it does not know. A test of the function compares them.
const NO_SUCH_KEY: &str = "there is no such key";

/// The function's words for a command of another version.
const OTHER_VERSION: &str = "the command has version";

/// Explains a function error: the command was not understood, or something else failed.
/// `kind` is the error's type, `message` its text.
pub fn function_error(kind: &str, message: &str, action: &str) -> Failure {
    let is_unknown_action = message.contains(&format!("`{action}` is not a command"));
    if message.contains("key `version`: there is no such key") {
        return Failure::misuse(format!(
            "The function is too old for this promote: it does not know the version of a command. \
             {UPDATE_FUNCTION}"
        ));
    }
    if is_unknown_action || (kind == "NotUnderstood" && message.contains(NO_SUCH_KEY)) {
        return Failure::misuse(format!(
            "The function is older than this promote, and does not know this form of `{action}` \
             ({message}). {UPDATE_FUNCTION}"
        ));
    }
    if kind == "NotUnderstood" {
        return Failure::misuse(format!("The function did not understand the command: {message}"));
    }
    // Lambda's own words where the time was over or the sandbox was lost.
    if kind.starts_with("Sandbox.") || kind.starts_with("Runtime.") || message.contains("timed out")
    {
        return Failure::passing(format!(
            "The function did not come to an answer ({message}). The command may have acted: \
             look with `promote status`"
        ));
    }
    let words = format!("The function failed ({kind}): {message}");
    // The function's own names for what may succeed later.
    if matches!(kind, "AwsCall" | "Contended" | "OutOfTime" | "Unverified") {
        return Failure::passing(words);
    }
    Failure::failed(words)
}

/// Explains a refusal that is about the version of the command, and an outcome that is not known.
/// `None` for every other answer.
pub fn by_answer(answer: &Answer) -> Option<String> {
    if let Outcome::Unknown(outcome) = &answer.outcome {
        return Some(format!(
            "The function is newer than this promote, which does not know the outcome \
             `{outcome}`. {UPDATE_PROMOTE}"
        ));
    }
    let is_refusal = answer.outcome == Outcome::Refused && answer.reason.contains(OTHER_VERSION);
    is_refusal.then(|| {
        format!(
            "This promote sends version {VERSION} of a command. If the function is newer: \
             {UPDATE_PROMOTE}. If it is older: {UPDATE_FUNCTION}"
        )
    })
}

/// Explains an answer that cannot be read.
pub fn unreadable(action: &str, problem: &str) -> Failure {
    Failure::failed(format!(
        "The function's answer to `{action}` cannot be read ({problem}): the function is newer \
         than this promote. {UPDATE_PROMOTE}. `--json` shows the answer as it is"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    #[test]
    fn each_error_of_the_function_says_who_is_too_old() {
        for (kind, message, action, exit, words) in [
            (
                "NotUnderstood",
                "the command did not parse: key `version`: there is no such key. The keys are `action`.",
                "status",
                Exit::Refused,
                "The function is too old for this promote",
            ),
            (
                "NotUnderstood",
                "`audit` is not a command",
                "audit",
                Exit::Refused,
                "The function is older than this promote",
            ),
            (
                "NotUnderstood",
                "the command did not parse: key `after`: there is no such key. The keys are `action`.",
                "history",
                Exit::Refused,
                "The function is older than this promote",
            ),
            (
                "NotUnderstood",
                "`approve` names no digest",
                "approve",
                Exit::Refused,
                "The function did not understand the command: `approve` names no digest",
            ),
            (
                "Sandbox.Timedout",
                "Task timed out after 60.00 seconds",
                "promote",
                Exit::Failed,
                "The function did not come to an answer",
            ),
            (
                "Configuration",
                "there is no such app",
                "status",
                Exit::Failed,
                "The function failed (Configuration): there is no such app",
            ),
        ] {
            let failure = function_error(kind, message, action);
            assert_eq!(failure.exit, exit, "{message}");
            assert!(failure.words.starts_with(words), "{failure}");
        }
    }

    #[test]
    fn an_answer_of_another_version_says_what_to_update() {
        assert!(unreadable("plan", "no key").words.contains("Update promote"));
        let answer = |outcome: &str, reason: &str| {
            let json = serde_json::json!({"outcome": outcome, "reason": reason});
            by_answer(&serde_json::from_value(json).expect("an answer"))
        };
        assert!(
            answer("refused", "the command has version 1, and this function understands 2")
                .is_some()
        );
        assert!(answer("canary", "").is_some_and(|words| words.contains("Update promote")));
        assert_eq!(answer("refused", "`rollback conversion-api` goes back"), None);
        assert_eq!(answer("promoted", "version"), None);
    }
}
