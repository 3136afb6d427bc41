//! The commands that change nothing: `plan`, `status`, `history`.

use super::draft::Draft;
use super::finish::tell_and_mark;
use super::plan::{Decided, First, Plan, Stages};
use crate::model::answer::{Answer, Outcome};
use crate::model::change_set::ChangeSet;
use crate::model::config::App;
use crate::model::limits::HISTORY;
use crate::model::report::{
    History, HistoryEntry, Newest, PromotionPlan, Reply, Report, StackStatus, Status,
};
use crate::model::way_back::WayBack;
use crate::world::snapshot::{Question, Snapshot};

fn reported(stages: Stages, report: Report) -> Plan {
    Plan::new(stages, Reply::Report(report))
}

/// Reports what `promote` would do: it was decided in full, and is not carried out. Removes the
/// change sets that were read for it.
pub(super) fn plan(app: &App, seen: &Snapshot, promoted: Plan) -> Plan {
    let Ok(Reply::Answer(would)) = promoted.reply else { return promoted };
    let change_sets = seen.state.iter().flat_map(|state| &state.change_sets);
    let spent: Vec<String> = change_sets
        .map(|own| own.id().to_owned())
        .filter(|id| seen.change_sets_read.contains_key(id))
        .collect();
    let known = seen.state.clone();
    let stages = known.map(|state| tell_and_mark(state, &spent, seen.at)).unwrap_or_default();
    let is_reviewed = seen
        .change_sets_read
        .values()
        .any(|review| matches!(review, ChangeSet::Ready(_) | ChangeSet::Empty));
    let is_ready = would.outcome == Outcome::Promoted;
    let report = PromotionPlan {
        would: would.outcome,
        warnings: warnings(seen, &would),
        app: would.app,
        repository: would.repository,
        digest: would.digest,
        commit: would.commit,
        tag: would.tag,
        previous_tag: would.previous_tag,
        stack: would.stack,
        parameter: app.config.parameter.clone(),
        reason: if is_ready { "ready to promote".to_owned() } else { would.reason },
        changes: is_reviewed.then_some(would.changes),
        of: None,
        way_back: None,
    };
    reported(stages, Report::Plan(Box::new(report)))
}

/// Reports what `rollback` would do, and from what to what it leads.
pub(super) fn plan_rollback(
    app: &App,
    seen: &Snapshot,
    way: Option<WayBack>,
    planned: Plan,
) -> Plan {
    let mut plan = plan(app, seen, planned);
    let Ok(Reply::Report(Report::Plan(report))) = &mut plan.reply else { return plan };
    report.of = Some("rollback");
    report.warnings.clear();
    if let Some(way) = &way {
        report.digest = Some(way.to.clone());
        report.commit.clone_from(&way.to_commit);
        if matches!(report.would, Outcome::Promoted | Outcome::Cancelled) {
            report.reason = way.words();
        }
    }
    report.way_back = way;
    plan
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

/// Reports what runs, what is newest, what waits and why.
pub(super) fn status(draft: &Draft<'_>) -> Plan {
    let (app, state) = (draft.app, &draft.state);
    let stack = StackStatus { name: draft.stack.name.clone(), status: draft.stack.status.clone() };
    let newest = Newest { tag: app.config.source_tag.clone(), digest: draft.seen.newest.clone() };
    let status = Status {
        app: app.name.clone(),
        repository: app.repository.clone(),
        mode: app.config.mode,
        stack,
        after: app.config.after.as_ref().map(|after| after.app.clone()),
        soaking: draft.soaking().cloned(),
        parameter: app.config.parameter.clone(),
        value: draft.value().to_owned(),
        running: state.running.clone(),
        newest,
        open: state.open.clone(),
        verifying: state.verifying.clone(),
        bake: state.bake.clone(),
        services: state.services.iter().flat_map(|known| known.list.clone()).collect(),
        hold: state.hold.clone(),
        request: state.request.clone(),
        waiting: state.waiting.clone(),
        failed: state.failed.clone(),
        passed_over: state.passed_over.clone(),
    };
    reported(Vec::new(), Report::Status(Box::new(status)))
}

/// Reports a page of promotions, newest first. The first page begins with what is under way; a
/// later one has those that ended before the one with the number `before`.
pub(super) fn history(app: &App, seen: &Snapshot, before: Option<u64>) -> Decided {
    let ended = seen.history.as_ref().ok_or(First::Read(Question::History(before)))?;
    let state = seen.state.as_ref().filter(|_| before.is_none());
    let is_full = ended.len() == HISTORY;
    let next = ended.last().map(|oldest| oldest.number).filter(|number| is_full && *number > 0);
    let open = state.iter().flat_map(|state| state.open.iter().rev());
    let open = open.cloned().map(HistoryEntry::open);
    let verifying = state.iter().flat_map(|state| &state.verifying);
    let verifying = verifying.map(|it| HistoryEntry::verifying(it.promotion.clone()));
    let promotions =
        open.chain(verifying).chain(ended.iter().cloned().map(HistoryEntry::ended)).collect();
    let (app, repository) = (app.name.clone(), app.repository.clone());
    let history = History { app, repository, promotions, next };
    Ok(reported(Vec::new(), Report::History(history)))
}
