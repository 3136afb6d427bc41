//! One app on the board: what runs, what is under way, what may come next, what was promoted
//! before, and what can be done.

use maud::{Markup, html};

use super::verb::{Rights, Verb};
use super::{
    LONG, SHORT, Viewer, commit_of, head, is_under_way, outcome, pill, progress, running, sentence,
    status, waits, way_back,
};
use crate::function_url::Response;
use crate::model::approval::{ApprovalRequest, Progress, Vote};
use crate::model::command::Via;
use crate::model::config::App;
use crate::model::promotion::{End, Ended, Promotion};
use crate::model::stack::{Phase, StackEvent};
use crate::model::state::State;
use crate::model::{Commit, Digest, Repository};
use crate::page::{image, page, prose, time};
use crate::text::plain;
use crate::world::snapshot::Snapshot;

/// How many promotions are listed.
const HISTORY: usize = 20;

/// The page of an app whose configuration cannot be used.
pub fn unusable(viewer: &Viewer<'_>, repository: &Repository, trouble: &str) -> Response {
    let content = html! {
        (way_back(viewer, None))
        h1 { (repository) }
        section aria-labelledby="trouble" {
            h2 id="trouble" { "Its configuration " (pill("stop", "cannot be used")) }
            p { (prose(&plain(trouble, LONG))) }
        }
    };
    page(200, repository.as_str(), None, &content)
}

/// The page of an app. `seen` includes the history and, while the stack is busy, its events.
pub fn app(viewer: &Viewer<'_>, app: &App, seen: &Snapshot, rights: &Rights) -> Response {
    let state = seen.state.as_ref();
    let is_busy = seen.stack.as_ref().is_some_and(|stack| stack.phase() == Phase::Busy);
    let is_under_way = is_busy || state.is_some_and(is_under_way);
    let content = html! {
        (way_back(viewer, None))
        h1 { (app.repository) }
        (viewer.introduction(&viewer.app(&app.repository), is_under_way))
        section aria-labelledby="runs" { h2 id="runs" { "Runs now" } (runs(app, seen)) }
        @if is_under_way {
            section aria-labelledby="under-way" {
                h2 id="under-way" { "Under way" } (under_way(seen))
            }
        }
        section aria-labelledby="waits" { h2 id="waits" { "Pending" } (what_waits(state)) }
        section aria-labelledby="candidate" {
            h2 id="candidate" { "Candidate" } (candidate(app, seen))
        }
        section aria-labelledby="acts" {
            h2 id="acts" { "What you can do" } (acts(viewer, app, seen, rights))
        }
        section aria-labelledby="history" {
            h2 id="history" { "History" } (history(viewer, app, seen, rights))
        }
    };
    page(200, app.repository.as_str(), viewer.refresh(is_under_way), &content)
}

fn commit(commit: Option<&Commit>) -> Markup {
    html! {
        @match commit {
            Some(commit) => code { (commit) },
            None => "not known",
        }
    }
}

fn runs(app: &App, seen: &Snapshot) -> Markup {
    let running = seen.state.as_ref().and_then(|state| state.running.as_ref());
    let value = seen.stack.as_ref().and_then(|stack| stack.value(&app.config.parameter));
    html! {
        dl {
            @if let Some(running) = running {
                dt { "Commit" } dd { (commit(running.commit.as_ref())) }
                dt { "Tag" } dd { code { (plain(&running.tag, SHORT)) } }
                @if let Some(digest) = &running.digest { dt { "Digest" } dd { code { (digest) } } }
                @if let Some(since) = running.since { dt { "Since" } dd { (time(since)) } }
                @if !running.by.is_empty() { dt { "By" } dd { (plain(&running.by, SHORT)) } }
            } @else {
                dt { "Tag" }
                dd {
                    code { (plain(value.unwrap_or("unknown"), SHORT)) } " (not looked at yet)"
                }
            }
            dt { "Mode" } dd { (app.config.mode) }
            dt { "Stack" }
            dd {
                (app.config.stack) " "
                @match &seen.stack {
                    Some(stack) => (status(stack)),
                    None => (pill("stop", "does not exist")),
                }
            }
            dt { "Parameter" }
            dd {
                (app.config.parameter) ": "
                @match value {
                    Some(value) => code { (plain(value, SHORT)) },
                    None => "the stack has no such parameter",
                }
            }
        }
    }
}

fn under_way(seen: &Snapshot) -> Markup {
    let open = seen.state.as_ref().map(|state| state.open.as_slice()).unwrap_or_default();
    let busy = seen.stack.as_ref().filter(|stack| stack.phase() == Phase::Busy);
    let mut events = seen.events.iter().flat_map(|events| &events.list);
    let last = events.find(|event| !event.is_stack);
    let reason_of = |event: &StackEvent| event.reason.clone().filter(|reason| !reason.is_empty());
    html! {
        @for open in open { (one_under_way(open)) }
        @if let Some(stack) = busy {
            p {
                "CloudFormation is updating the stack: " (status(stack))
                " " (progress(stack, seen.events.as_ref()))
                @if open.is_empty() { ". Somebody else started this operation." }
            }
            @if let Some(last) = last {
                p class="hint" {
                    "Last: " (plain(&last.resource, SHORT)) " " (last.status) ", " (time(last.at))
                    @if let Some(reason) = reason_of(last) {
                        ": " (prose(&plain(&reason, LONG)))
                    }
                }
            }
        } @else if open.is_empty() {
            p { "It continues by itself at the next look, within five minutes." }
        }
    }
}

fn one_under_way(open: &Promotion) -> Markup {
    let what = match (&open.cancelled_by, open.accepted_at) {
        (Some(_), _) => "is being cancelled",
        (None, Some(_)) => "is on its way",
        (None, None) => "is not sent yet",
    };
    html! {
        p {
            (sentence(&image(open.commit.as_ref(), &open.digest))) " " (what) ": " code {
                (open.tag)
            }
            ", by " (plain(&open.by, SHORT)) ", since " (time(open.at))
            @if let Some(from) = &open.rolls_back {
                ". It rolls back from " code { (plain(from, SHORT)) }
            }
            @if let Some(by) = &open.cancelled_by { ". Cancelled by " (plain(by, SHORT)) }
        }
    }
}

fn what_waits(state: Option<&State>) -> Markup {
    let waits = state.map(waits).unwrap_or_default();
    html! {
        @if waits.is_empty() { p { "Nothing pending." } }
        @for wait in &waits { p { (wait.pill()) " " (prose(&plain(&wait.words, LONG))) } }
        @if let Some(hold) = state.and_then(|state| state.hold.as_ref()) {
            p class="hint" {
                "Held since " (time(hold.at))
                ": pushes ask for approval until somebody promotes the newest image or resumes."
            }
        }
    }
}

fn candidate(app: &App, seen: &Snapshot) -> Markup {
    let source = &app.config.source_tag;
    let Some(newest) = &seen.newest else {
        return html! { p { "No image has the tag " code { (source) } "." } };
    };
    if running(seen) == Some(newest) {
        return html! { p { "The image with the tag " code { (source) } " is already running." } };
    }
    let its_commit = commit_of(app, seen, newest);
    let running = seen.state.as_ref().and_then(|state| state.running.as_ref());
    let compare =
        app.compare_url(running.and_then(|running| running.commit.as_ref()), its_commit.as_ref());
    let request = seen
        .state
        .as_ref()
        .and_then(|state| state.request.as_ref())
        .filter(|request| request.digest == *newest);
    html! {
        dl {
            dt { "Commit" }
            dd {
                (commit(its_commit.as_ref()))
                @if let Some(url) = compare {
                    " (" a href=(url) rel="noreferrer" { "compare with what runs" } ")"
                }
            }
            dt { "Digest" } dd { code { (newest) } }
            @if let Some(request) = request { (what_people_say(app, request)) }
        }
        @if let Some(request) = request.filter(|request| !request.changes.is_empty()) {
            h3 { "What it would change in the stack" }
            ul { @for change in &request.changes { li { (plain(change, SHORT)) } } }
        }
    }
}

/// The request for the candidate, while it waits for people.
fn asked(seen: &Snapshot) -> Option<&ApprovalRequest> {
    let request = seen.state.as_ref()?.request.as_ref()?;
    (request.progress == Progress::Pending && seen.newest.as_ref() == Some(&request.digest))
        .then_some(request)
}

fn what_people_say(app: &App, request: &ApprovalRequest) -> Markup {
    let required = request.policy(app.policy()).required;
    html! {
        dt { "Asked" } dd { (time(request.at)) ", because " (prose(&plain(&request.why, SHORT))) }
        @if request.progress == Progress::Pending {
            dt { "Open until" } dd { (time(request.expires_at)) }
        }
        @if required > 1 { dt { "Needs" } dd { (required) " people" } }
        @if !request.votes.is_empty() {
            dt { "Votes" }
            dd {
                ul {
                    @for vote in &request.votes {
                        li {
                            (if vote.approves { "approved" } else { "rejected" })
                            " by " (plain(&vote.by, SHORT)) ", " (time(vote.at)) (traced(vote))
                        }
                    }
                }
            }
        }
    }
}

/// Where a vote came from, if it was made on a page.
fn traced(vote: &Vote) -> Markup {
    let Some(trace) = &vote.trace else { return html! {} };
    html! {
        @if let Some(address) = &trace.address { ", from " code { (plain(address, SHORT)) } }
        @if let Some(agent) = &trace.agent { " (" (plain(agent, SHORT)) ")" }
    }
}

fn acts(viewer: &Viewer<'_>, app: &App, seen: &Snapshot, rights: &Rights) -> Markup {
    if let Some(objection) = &rights.no_commands {
        return html! {
            p { "You can look, but not change anything: " (plain(objection, LONG)) "." }
        };
    }
    let offers = offers(seen, rights);
    html! {
        @if let Some(objection) = rights.no_decisions.as_ref().filter(|_| asked(seen).is_some()) {
            p { "You cannot approve or reject: " (plain(objection, LONG)) "." }
        }
        @if offers.is_empty() { p { "There is nothing you can do now." } } @else {
            ul class="acts" {
                @for (verb, image) in &offers {
                    li {
                        a class="act" href=(viewer.act(*verb, &app.repository, image.as_ref())) {
                            (verb.label())
                        }
                    }
                }
            }
        }
        p class="hint" { "Each of these opens a page that asks you to confirm." }
    }
}

/// The acts that make sense now and are allowed.
fn offers(seen: &Snapshot, rights: &Rights) -> Vec<(Verb, Option<Digest>)> {
    let state = seen.state.as_ref();
    let asked = asked(seen).map(|request| request.digest.clone());
    let newest = seen.newest.clone().filter(|newest| running(seen) != Some(newest));
    let is_open = state.is_some_and(|state| !state.open.is_empty());
    let was_deployed = seen.history.iter().flatten().any(|ended| ended.end == End::Deployed);
    let is_held = state.is_some_and(|state| state.hold.is_some());
    let is_turned_away = state.is_some_and(|state| state.passed_over.is_some());
    let offers = [
        (Verb::Approve, asked.clone(), asked.is_some()),
        (Verb::Reject, asked.clone(), asked.is_some()),
        (Verb::Promote, newest.clone(), newest.is_some()),
        (Verb::RollBack, None, is_open || was_deployed),
        (Verb::Cancel, None, is_open),
        (Verb::Hold, None, !is_held),
        (Verb::Resume, None, is_held || is_turned_away),
    ];
    offers
        .into_iter()
        .filter(|(verb, _, is_of_use)| *is_of_use && rights.objection(*verb).is_none())
        .map(|(verb, image, _)| (verb, image))
        .collect()
}

fn history(viewer: &Viewer<'_>, app: &App, seen: &Snapshot, rights: &Rights) -> Markup {
    let history = seen.history.as_deref().unwrap_or_default();
    if history.is_empty() {
        return html! { p { "No promotion has ended yet." } };
    }
    html! {
        table class="stack" {
            caption {
                "The last " (history.len().min(HISTORY)) " promotions that ended, newest first"
            }
            (head(["Image", "Ended", "How", "By", "Why"]))
            tbody {
                @for ended in history.iter().take(HISTORY) {
                    (entry(viewer, app, seen, rights, ended))
                }
            }
        }
    }
}

fn entry(
    viewer: &Viewer<'_>,
    app: &App,
    seen: &Snapshot,
    rights: &Rights,
    ended: &Ended,
) -> Markup {
    let own = &ended.promotion;
    let is_goal = ended.end == End::Deployed
        && running(seen) != Some(&own.digest)
        && rights.objection(Verb::RollBack).is_none();
    html! {
        tr {
            th scope="row" { code { (own.tag) } }
            td data-label="Ended" { (time(ended.ended_at)) }
            td data-label="How" {
                (outcome(ended.end.outcome())) @if own.rolls_back.is_some() { " (a rollback)" }
            }
            td data-label="By" {
                (plain(&own.by, SHORT)) ", through " (through(own.via)) @for vote in &own.votes {
                    (traced(vote))
                }
            }
            td data-label="Why" {
                (prose(&plain(&ended.reason, LONG)))
                @if is_goal {
                    " " a href=(viewer.act(Verb::RollBack, &app.repository, Some(&own.digest))) {
                        "Roll back to " (own.tag)
                    }
                }
            }
        }
    }
}

fn through(via: Via) -> &'static str {
    match via {
        Via::Push => "a push",
        Via::Schedule => "the schedule",
        Via::Sns => "SNS",
        Via::Direct => "an invocation",
        Via::Slack => "Slack",
        Via::Link => "an approval link",
        Via::Alarm => "a CloudWatch alarm",
    }
}
