//! The commands that change nothing: `plan`, `status`, `history`.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::draft::{Draft, tell_and_mark};
use super::{Decided, Plan, Step};
use crate::model::answer::{Answer, Outcome, Reply};
use crate::model::change_set::ChangeSet;
use crate::model::config::App;
use crate::model::promotion::{Ended, Promotion};
use crate::world::snapshot::{Question, Snapshot};

fn answer(mut report: Value) -> Decided {
    cut_times(&mut report);
    Ok(Step::Do(Plan { stages: Vec::new(), reply: Reply::Report(report) }))
}

/// Cuts each time to the second, for people to read. The state keeps the full time.
fn cut_times(report: &mut Value) {
    match report {
        Value::String(text) => {
            if let Some(time) = text.parse::<Timestamp>().ok().filter(|_| text.contains('.')) {
                *text = format!("{time:.0}");
            }
        }
        Value::Array(items) => items.iter_mut().for_each(cut_times),
        Value::Object(members) => members.values_mut().for_each(cut_times),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What `promote` would do: decided in full, and not carried out. What was reviewed for it is
/// removed.
pub(super) fn plan(app: &App, seen: &Snapshot, promoted: Step) -> Decided {
    match promoted {
        Step::Do(Plan { reply: Reply::Answer(would), .. }) => {
            let change_sets = seen.state.iter().flat_map(|state| &state.change_sets);
            let spent: Vec<String> = change_sets
                .map(|own| own.id().to_owned())
                .filter(|id| seen.change_sets_read.contains_key(id))
                .collect();
            let stages = seen
                .state
                .as_ref()
                .map(|state| tell_and_mark(state, &spent, seen.at))
                .unwrap_or_default();
            // An empty list means that nothing would change; `null` means that nobody looked.
            let is_reviewed = seen
                .change_sets_read
                .values()
                .any(|review| matches!(review, ChangeSet::Ready(_) | ChangeSet::Empty));
            let is_ready = would.outcome == Outcome::Promoted;
            let reason = if is_ready { "ready to promote" } else { would.reason.as_str() };
            let report = json!({
            "action": "plan",
            "would": would.outcome,
            "repository": would.repository,
            "digest": would.digest,
            "commit": would.commit,
            "tag": would.tag,
            "previous_tag": would.previous_tag,
            "stack": would.stack,
            "parameter": app.config.parameter,
            "reason": reason,
            "changes": is_reviewed.then_some(&would.changes),
            "warnings": warnings(seen, &would),
            });
            Ok(Step::Do(Plan { stages, reply: Reply::Report(report) }))
        }
        other @ (Step::Read(_)
        | Step::LookAgain
        | Step::Prepare(_)
        | Step::Do(_)
        | Step::Misconfigured(..)) => Ok(other),
    }
}

/// Warnings about an image that would be promoted.
fn warnings(seen: &Snapshot, would: &Answer) -> Vec<String> {
    let mut warnings = Vec::new();
    let is_promotion = matches!(
        would.outcome,
        Outcome::Promoted | Outcome::Queued | Outcome::Blocked | Outcome::ApprovalRequested
    );
    if would.digest.is_none() || !is_promotion {
        return warnings;
    }
    if would.commit.is_none() {
        warnings.push(
            "The image does not say which commit it was built from, so its tag is made of its \
             digest. Build it with \
             `docker build --label org.opencontainers.image.revision=$(git rev-parse HEAD)`."
                .to_owned(),
        );
    }
    let was_there_before = match seen.state.as_ref().filter(|state| state.has_been_seen()) {
        Some(state) => state.first_seen == would.digest,
        None => true,
    };
    if was_there_before {
        warnings.push(
            "The image was pushed before ecr-promoter looked at this app for the first time: the \
             schedule passes it over, only a \
             command or a new push promotes it."
                .to_owned(),
        );
    }
    warnings
}

/// What runs, what is newest, what waits and why.
pub(super) fn status(draft: &Draft<'_>) -> Decided {
    let (app, state) = (draft.app, &draft.state);
    answer(json!({
        "action": "status",
        "repository": app.repository,
        "mode": app.config.mode.to_string(),
        "stack": { "name": draft.stack.name, "status": draft.stack.status },
        "parameter": app.config.parameter,
        "value": draft.value(),
        "running": state.running,
        "newest": { "tag": app.config.source_tag, "digest": draft.seen.newest },
        "open": state.open,
        "hold": state.hold,
        "request": state.request,
        "waiting": state.waiting,
        "failed": state.failed,
        "passed_over": state.passed_over,
    }))
}

/// The last promotions, newest first: what is under way, then what ended.
pub(super) fn history(app: &App, seen: &Snapshot) -> Decided {
    let ended = seen.history.as_ref().ok_or(Step::Read(Question::History))?;
    let open = seen.state.iter().flat_map(|state| state.open.iter().rev());
    let promotions: Vec<Value> =
        open.map(open_entry).chain(ended.iter().map(ended_entry)).collect();
    answer(json!({ "action": "history", "repository": app.repository, "promotions": promotions }))
}

fn open_entry(open: &Promotion) -> Value {
    let mut entry = json!(open);
    entry["outcome"] = json!(if open.accepted_at.is_some() { "promoted" } else { "queued" });
    entry
}

fn ended_entry(ended: &Ended) -> Value {
    let mut entry = json!(ended);
    entry["outcome"] = json!(ended.end.outcome());
    entry
}
