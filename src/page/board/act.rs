//! One act: the page that asks once more, and the page that says what came of it.

use maud::{Markup, html};

use super::verb::{Rights, Verb};
use super::{LONG, SHORT, Viewer, commit_of, outcome, running, sentence, way_back};
use crate::function_url::Response;
use crate::model::answer::Answer;
use crate::model::config::App;
use crate::model::{Digest, Repository};
use crate::page::{image, page, prose};
use crate::text::plain;
use crate::world::snapshot::Snapshot;

/// The form's field that makes a form that is sent twice act once.
pub const ONCE: &str = "once";
/// The form's field that says why an app is held.
pub const REASON: &str = "reason";
/// How long that may be.
pub const LONGEST_REASON: usize = 200;
/// The query's name for the image that an act is about.
pub const IMAGE: &str = "image";

/// Asks once more. `once` is the id of what the form will order.
pub fn confirm(
    viewer: &Viewer<'_>,
    app: &App,
    seen: &Snapshot,
    rights: &Rights,
    verb: Verb,
    digest: Option<&Digest>,
    once: &str,
) -> Response {
    let title = format!("{}: {}?", app.repository, verb.label());
    let objection = rights.objection(verb);
    let content = html! {
        (way_back(viewer, Some(&app.repository)))
        h1 { (title) }
        section aria-labelledby="what" {
            h2 id="what" { "What it is about" }
            (facts(app, seen, digest))
            p { strong { (sentence(&consequence(viewer, app, seen, verb, digest))) } }
        }
        section aria-labelledby="decision" {
            h2 id="decision" { "Decision" }
            @if let Some(objection) = objection {
                p { "You may not do this: " (plain(objection, LONG)) "." }
            } @else {
                form method="post" {
                    input type="hidden" name=(ONCE) value=(once);
                    @if verb == Verb::Hold {
                        label for="reason" { "Why" }
                        input type="text" id="reason" name=(REASON)
                            maxlength=(LONGEST_REASON) autocomplete="off" required;
                    }
                    div class="acts" {
                        button type="submit" class=(verb.class()) { (verb.label()) }
                        a class="act" href=(viewer.app(&app.repository)) {
                            "Back, and change nothing"
                        }
                    }
                }
            }
        }
    };
    page(if objection.is_some() { 403 } else { 200 }, &title, None, &content)
}

fn facts(app: &App, seen: &Snapshot, digest: Option<&Digest>) -> Markup {
    let runs = seen.state.as_ref().and_then(|state| state.running.as_ref());
    html! {
        dl {
            dt { "App" } dd { (app.repository) }
            @if let Some(digest) = digest {
                @if let Some(commit) = commit_of(app, seen, digest) {
                    dt { "Commit" } dd { code { (commit) } }
                }
                dt { "Digest" } dd { code { (digest) } }
            }
            @if let Some(runs) = runs {
                dt { "Runs now" } dd { code { (plain(&runs.tag, SHORT)) } }
            }
            dt { "Stack" } dd { (app.config.stack) " (" (app.config.parameter) ")" }
        }
    }
}

/// What follows, said before it is done.
fn consequence(
    viewer: &Viewer<'_>,
    app: &App,
    seen: &Snapshot,
    verb: Verb,
    digest: Option<&Digest>,
) -> String {
    let is_newest = digest.is_some() && digest == seen.newest.as_ref();
    let what = digest
        .map_or_else(String::new, |digest| image(commit_of(app, seen, digest).as_ref(), digest));
    let asked = seen
        .state
        .as_ref()
        .and_then(|state| state.request.as_ref())
        .filter(|request| Some(&request.digest) == digest);
    let required = asked.map_or(app.policy(), |request| request.policy(app.policy())).required;
    match verb {
        Verb::Approve | Verb::Reject | Verb::Promote
            if digest.is_some() && digest == running(seen) =>
        {
            format!("{what} runs already.")
        }
        Verb::Approve | Verb::Reject if !is_newest => format!(
            "{what} is not the candidate any \
            more: a newer image took its place."
        ),
        Verb::Approve if required > 1 => format!(
            "{what} goes to production once {required} \
            people have approved it."
        ),
        Verb::Approve => format!("{what} goes to production."),
        Verb::Reject => format!("{what} does not go to production, and is not asked about again."),
        Verb::Promote if !is_newest => format!(
            "{what} goes to production although it is not the \
            newest image. From then on pushes ask."
        ),
        Verb::Promote if viewer.session.slack.is_some() && required > 1 => {
            format!("This is your vote for {what}: {required} people must approve it.")
        }
        Verb::Promote if viewer.session.slack.is_some() => {
            format!("{what} goes to production with your approval, whatever was said before.")
        }
        Verb::Promote => format!(
            "{what} goes to production, whatever the mode and whoever \
                                  approves. This is the way for emergencies."
        ),
        Verb::RollBack if digest.is_some() => format!(
            "The stack goes back to {what}. From then \
            on pushes ask."
        ),
        Verb::RollBack => "The stack goes back to what was deployed before and was not itself \
                           rolled back from; an update of ours that is \
                           still under way is cancelled. From then on pushes ask."
            .to_owned(),
        Verb::Hold => "From now on pushes ask for approval instead of deploying.".to_owned(),
        Verb::Resume => "The hold ends, and an image that was turned away from is a candidate \
                         again. In mode `auto` the newest image goes \
                         out within five minutes."
            .to_owned(),
        Verb::Cancel => "An update of ours that is under way is cancelled, and what waits to be \
                         sent is not sent."
            .to_owned(),
    }
}

/// What came of it.
pub fn result(
    viewer: &Viewer<'_>,
    status: u16,
    answer: &Answer,
    repository: &Repository,
    verb: Verb,
) -> Response {
    let title = format!("{repository}: {}", verb.label());
    let content = html! {
        h1 { (title) }
        section role="status" {
            p { (outcome(answer.outcome)) " " (prose(&plain(&answer.reason, LONG))) }
            @if let Some(digest) = &answer.digest {
                p {
                    (image(answer.commit.as_ref(), digest)) @if let Some(tag) = &answer.tag {
                        ", " code { (tag) }
                    }
                }
            }
            @if !answer.changes.is_empty() {
                ul { @for change in &answer.changes { li { (plain(change, SHORT)) } } }
            }
        }
        (way_back(viewer, Some(repository)))
    };
    page(status, &title, None, &content)
}

/// It was not done, or nobody knows yet whether it was.
pub fn unfinished(
    viewer: &Viewer<'_>,
    status: u16,
    repository: &Repository,
    verb: Verb,
    words: &str,
) -> Response {
    let title = format!("{repository}: {}", verb.label());
    let content = html! {
        h1 { (title) }
        section role="status" { p { (plain(words, LONG)) } }
        (way_back(viewer, Some(repository)))
    };
    page(status, &title, None, &content)
}
