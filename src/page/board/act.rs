//! The pages that ask people to confirm an act. A rollback has a page of its own.

use maud::{Markup, html};

use super::verb::{Rights, Verb};
use super::{Viewer, commit_of, named, note_of, objection, running};
use crate::function_url::Response;
use crate::model::Digest;
use crate::model::config::App;
use crate::page::commits::{Named, in_full};
use crate::page::condition;
use crate::page::frame::{Frame, Place, Width};
use crate::page::moment::ago;
use crate::page::words::sentence;
use crate::world::snapshot::Snapshot;

/// The form's field with an id, so that a form that is sent twice acts once.
pub const ONCE: &str = "once";
/// The form's field that says why an app is held.
pub const REASON: &str = "reason";
/// The longest reason of an act, in characters.
pub const LONGEST_REASON: usize = 200;

/// What a page asks about.
pub struct Question<'a> {
    /// Who looks.
    pub viewer: &'a Viewer<'a>,
    /// The place.
    pub place: &'a Place,
    /// The app.
    pub app: &'a App,
    /// What was read, with the history.
    pub seen: &'a Snapshot,
    /// What the viewer may do.
    pub rights: &'a Rights,
    /// The id of the command that the form makes.
    pub once: &'a str,
}

/// The page that asks people to confirm an act about this image, or about none.
pub fn confirm(question: &Question<'_>, verb: Verb, digest: Option<&Digest>) -> Response {
    let Question { viewer, place, app, seen, rights, .. } = question;
    let image = subject(question, verb, digest);
    let what = match &image {
        Some(image) => format!("{} {}", app.name, image.words()),
        None => app.name.to_string(),
    };
    let title = format!("{} {what}?", verb.question());
    let refusal = rights.objection(verb);
    let content = html! {
        div class="head" {
            div {
                (viewer.crumb(Some(&app.name)))
                h1 { (title) }
                p class="lead-in" { (sentence(&consequence(question, verb, digest))) }
            }
        }
        @if let Some(image) = &image { (card(question, image, digest)) }
        @if let Some(words) = refusal {
            (objection(&format!("You are not allowed to do this: {words}.")))
        } @else {
            (form(question, verb, image.as_ref()))
        }
    };
    let state = seen.state.as_ref();
    let tone = condition::of(Ok(app), Ok(state), viewer.now).kind.tone();
    let frame = Frame { worst: Some(tone), ..viewer.frame(place, Width::Slim) };
    frame.page(if refusal.is_some() { 403 } else { 200 }, &title, &content)
}

/// The image that an act is about: the one in the address, or what is under way.
fn subject(question: &Question<'_>, verb: Verb, digest: Option<&Digest>) -> Option<Named> {
    let Question { app, seen, .. } = question;
    let open = || seen.state.as_ref()?.open.first().map(|open| &open.digest);
    let digest = digest.or_else(|| open().filter(|_| verb == Verb::Cancel))?;
    Some(named(app, seen, digest))
}

fn card(question: &Question<'_>, image: &Named, digest: Option<&Digest>) -> Markup {
    let Question { app, seen, viewer, .. } = question;
    let runs = seen.state.as_ref().and_then(condition::runs);
    let commit = digest.and_then(|digest| commit_of(app, seen, digest));
    let at = digest.and_then(|digest| note_of(seen, digest)).and_then(|note| note.at);
    html! {
        section class="card" aria-labelledby="what" {
            h2 id="what" class="vh" { "What it is about" }
            (image.title())
            p class="meta" {
                (image.by_line())
                @if let Some(at) = at { ", " (ago(at, viewer.now)) }
                @if let Some(runs) = &runs { ". " (runs.chip()) " runs now." }
            }
            (in_full(commit.as_ref(), None, digest, &[]))
        }
    }
}

fn form(question: &Question<'_>, verb: Verb, image: Option<&Named>) -> Markup {
    let Question { viewer, app, once, .. } = question;
    let label = match image {
        Some(image) => format!("{} {}", verb.question(), image.words()),
        None => format!("{} {}", verb.question(), app.name),
    };
    html! {
        form class="card" method="post" {
            h2 { "Do it?" }
            input type="hidden" name=(ONCE) value=(once);
            @if verb == Verb::Hold {
                div class="field" {
                    label for="reason" { "Why" }
                    input type="text" id="reason" name=(REASON) maxlength=(LONGEST_REASON)
                        autocomplete="off" required;
                }
            }
            div class="acts one" {
                button type="submit" class=(verb.class()) { (label) }
                a class="btn" href=(viewer.app(&app.name)) { "Go back without changes" }
            }
        }
    }
}

/// What the act will do.
fn consequence(question: &Question<'_>, verb: Verb, digest: Option<&Digest>) -> String {
    let Question { app, seen, .. } = question;
    let is_newest = digest.is_some() && digest == seen.newest.as_ref();
    let what = digest.map_or_else(String::new, |digest| named(app, seen, digest).words());
    let required = required(app, seen, digest);
    match verb {
        Verb::Approve | Verb::Reject | Verb::Promote | Verb::AskAgain
            if digest.is_some() && digest == running(seen) =>
        {
            format!("{what} is already running.")
        }
        Verb::Approve | Verb::Reject | Verb::AskAgain if !is_newest => {
            format!("{what} is no longer the candidate: a newer image took its place.")
        }
        Verb::Approve if required > 1 => {
            format!("{what} goes to production once {required} people have approved it.")
        }
        Verb::Approve => format!("{what} goes to production."),
        Verb::Reject => {
            format!("{what} does not go to production, and nobody is asked about it again.")
        }
        Verb::Promote => promotion(question.viewer, &what, is_newest, required),
        Verb::RollBack => "The stack goes back to what ran before.".to_owned(),
        Verb::Hold => "From now on pushes ask for approval instead of deploying.".to_owned(),
        Verb::Resume => "The hold ends, and an image that was cancelled or rolled back from is a \
                         candidate again. In mode auto the newest image is deployed within five \
                         minutes."
            .to_owned(),
        Verb::Cancel => "An update of ours that is under way is cancelled. An update that was not \
                         sent yet is not sent."
            .to_owned(),
        Verb::Look => "ecr-promoter looks at the app now, as it does by itself every hour, and \
                       does what is due: a promotion that waits may be sent."
            .to_owned(),
        Verb::AskAgain => format!("People are asked about {what} once more."),
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
