//! One act: the page that asks people to confirm it, and the page with its result.

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

/// The form's field with an id, so that a form that is sent twice acts once.
pub const ONCE: &str = "once";
/// The form's field that says why an app is held.
pub const REASON: &str = "reason";
/// The longest reason, in characters.
pub const LONGEST_REASON: usize = 200;
/// The query's name for the image that an act is about.
pub const IMAGE: &str = "image";

/// The page that asks people to confirm an act. `once` is the id of the command that the form
/// makes.
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
            h2 id="what" { "What will happen" }
            (facts(app, seen, digest))
            p { strong { (sentence(&consequence(viewer, app, seen, verb, digest))) } }
        }
        section aria-labelledby="decision" {
            h2 id="decision" { "Decision" }
            @if let Some(objection) = objection {
                p { "You are not allowed to do this: " (plain(objection, LONG)) "." }
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
                            "Go back without changes"
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

/// What the act will do.
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
    let required = required(app, seen, digest);
    match verb {
        Verb::Approve | Verb::Reject | Verb::Promote
            if digest.is_some() && digest == running(seen) =>
        {
            format!("{what} is already running.")
        }
        Verb::Approve | Verb::Reject if !is_newest => {
            format!("{what} is no longer the candidate: a newer image took its place.")
        }
        Verb::Approve if required > 1 => {
            format!("{what} goes to production once {required} people have approved it.")
        }
        Verb::Approve => format!("{what} goes to production."),
        Verb::Reject => {
            format!("{what} does not go to production, and nobody is asked about it again.")
        }
        Verb::Promote => promotion(viewer, &what, is_newest, required),
        Verb::RollBack if digest.is_some() => {
            format!("The stack goes back to {what}. From then on pushes ask for approval.")
        }
        Verb::RollBack => "The stack goes back to the image that was deployed before, except one \
                           that was itself rolled back from. An update of ours that is still \
                           under way is cancelled. From then on pushes ask for approval."
            .to_owned(),
        Verb::Hold => "From now on pushes ask for approval instead of deploying.".to_owned(),
        Verb::Resume => "The hold ends, and an image that was cancelled or rolled back from is a \
                         candidate again. In mode `auto` the newest image is deployed within five \
                         minutes."
            .to_owned(),
        Verb::Cancel => "An update of ours that is under way is cancelled. An update that was not \
                         sent yet is not sent."
            .to_owned(),
    }
}

/// What a promotion will do.
fn promotion(viewer: &Viewer<'_>, what: &str, is_newest: bool, required: u32) -> String {
    let is_from_slack = viewer.session.slack.is_some();
    if !is_newest {
        format!(
            "{what} goes to production although it is not the newest image. From then on pushes \
             ask for approval."
        )
    } else if is_from_slack && required > 1 {
        format!("This is your vote for {what}: {required} people must approve it.")
    } else if is_from_slack {
        format!("{what} goes to production with your approval, whatever was decided before.")
    } else {
        format!(
            "{what} goes to production without an approval, in any mode. This is for emergencies."
        )
    }
}

/// How many people must approve this image.
fn required(app: &App, seen: &Snapshot, digest: Option<&Digest>) -> u32 {
    let asked = seen
        .state
        .as_ref()
        .and_then(|state| state.request.as_ref())
        .filter(|request| Some(&request.digest) == digest);
    asked.map_or(app.policy(), |request| request.policy(app.policy())).required
}

/// The page with the result of an act.
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

/// The page for an act that was not done, or that nobody knows the result of yet.
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
