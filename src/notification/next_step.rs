//! The end of each mail: what the outcome means for the reader, and what to type.

use crate::model::answer::Outcome;
use crate::model::config::App;
use crate::model::notice::Notice;

const PUBLISH: &str = "publish this to the approval topic:";

/// Says what comes next, and the words that somebody may publish.
pub(super) fn next_step(app: &App, notice: &Notice) -> Vec<String> {
    let name = app.name.as_str();
    let image = notice.digest.as_ref().map(|digest| format!(" {digest}")).unwrap_or_default();
    let (meaning, words) = match notice.outcome {
        Outcome::ApprovalRequested => return decide(app, notice),
        Outcome::Approved => {
            ("It still needs other people's approval, in Slack. To see who approved,", "status")
        }
        Outcome::Promoted => (
            "Nothing to do: you will be told how it ends. To stop it while the stack is updated,",
            "cancel",
        ),
        Outcome::Deployed | Outcome::Failed if notice.rolls_back.is_some() => {
            after_rollback(notice.outcome)
        }
        Outcome::Deployed => ("Nothing to do. To go back to what ran before,", "rollback"),
        Outcome::Failed => {
            ("It is not retried automatically. Push a fixed image; to try this one again,", PROMOTE)
        }
        Outcome::Queued => ("Nothing to do: it goes on by itself. To give it up,", "cancel"),
        Outcome::Blocked if notice.digest.is_none() => {
            ("Nothing happens to this app until that is mended. To see how it stands,", "status")
        }
        Outcome::Blocked => (
            "Once that is mended, it goes on by itself; a command that a person gave must be given \
             again. To see how it stands,",
            "status",
        ),
        Outcome::Rejected => {
            ("Nobody is asked about this image again. To deploy it all the same,", PROMOTE)
        }
        Outcome::Expired => ("Nothing was deployed. To be asked again,", "ask"),
        Outcome::Cancelled => ("It is not tried again by itself. To deploy it after all,", PROMOTE),
        Outcome::Superseded => {
            ("Nothing to do: another promotion or request has its place. To see which,", "status")
        }
        Outcome::Held => ("Pushes ask for approval instead of deploying. To end it,", "resume"),
        Outcome::Resumed => {
            ("Pushes do what the app's mode says again. To see how it stands,", "status")
        }
        Outcome::Unchanged | Outcome::Refused => {
            ("ecr-promoter has changed nothing. To see what runs and what waits,", "status")
        }
        Outcome::Ignored => return gone(app),
    };
    let words =
        if words == PROMOTE { format!("promote {name}{image}") } else { format!("{words} {name}") };
    vec![format!("{meaning} {PUBLISH}"), format!("  {words}")]
}

fn after_rollback(outcome: Outcome) -> (&'static str, &'static str) {
    if outcome == Outcome::Deployed {
        ("Pushes ask for approval until somebody ends the hold. When a fix is there,", "resume")
    } else {
        ("It is not retried automatically. Look at the stack's events; to try again,", "rollback")
    }
}

/// Marks a next step that promotes the image of the notice.
const PROMOTE: &str = "promote";

fn decide(app: &App, notice: &Notice) -> Vec<String> {
    let name = app.name.as_str();
    if app.config.approval.needs_identity() {
        let need = app.config.approval.required;
        let people = if need > 1 {
            format!("{need} people")
        } else {
            "one of the app's approvers".to_owned()
        };
        return vec![
            format!("It needs approval from {people} in Slack. To see how it stands, {PUBLISH}"),
            format!("  status {name}"),
        ];
    }
    let Some(digest) = &notice.digest else {
        return vec![format!("To see how it stands, {PUBLISH}"), format!("  status {name}")];
    };
    vec![
        "Nothing is deployed until somebody approves it. To decide, publish one of these to the \
         approval topic:"
            .to_owned(),
        format!("  approve {name} {digest}"),
        format!("  reject {name} {digest}"),
    ]
}

fn gone(app: &App) -> Vec<String> {
    vec![format!(
        "ecr-promoter does nothing for this app any more. To have it back, write its configuration \
         to Parameter Store again:\n  aws ssm put-parameter --type String --name {} --value \
         '{{\"stack\": \"…\"}}'",
        app.source
    )]
}

/// What somebody may type whose command was not understood.
pub(super) fn of_unknown_command() -> Vec<String> {
    vec![
        "Nothing was done. To see all apps, publish this to the approval topic:".to_owned(),
        "  status".to_owned(),
        "Other commands name the app, for example:".to_owned(),
        "  promote web 9fceb02".to_owned(),
        "  rollback web".to_owned(),
    ]
}
