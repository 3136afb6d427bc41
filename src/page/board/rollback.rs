//! The page that asks before a rollback: from what, to what, and what goes away. Its form carries
//! both images. If the answer is another one by the time it is sent, nothing is done.

use maud::{Markup, html};

use super::act::{LONGEST_REASON, ONCE, Question};
use super::verb::Verb;
use super::{commit_of, named, objection};
use crate::function_url::Response;
use crate::model::Digest;
use crate::model::approval::Vote;
use crate::model::notes::ChangeNotes;
use crate::model::promotion::{End, Ended, Promotion};
use crate::model::state::State;
use crate::model::way_back::WayBack;
use crate::page::commits::{Named, in_full, notes};
use crate::page::condition;
use crate::page::frame::{Frame, Width};
use crate::page::moment::{at, long, since};
use crate::page::steps::{alarms, who_approved};
use crate::page::symbol::Symbol;
use crate::page::words::{LONG, count, prose};

/// The form's field with the image that is rolled back from.
pub const FROM: &str = "from";
/// The form's field with the image that is gone back to.
pub const TO: &str = "to";
/// The form's field that says why it is gone back.
pub const WHY: &str = "why";
/// How many commits are shown at once.
const SHOWN: usize = 8;

/// Where a rollback leads, as far as it could be worked out.
pub enum Lead<'a> {
    /// To this image.
    To(&'a WayBack, Option<&'a ChangeNotes>),
    /// Nowhere, and why.
    Nowhere(&'a str),
    /// To what was deployed before. Working out more would change something.
    Unknown,
}

/// The page. The promotion that is under way, if there is one, is what the rollback leaves.
pub fn confirm(question: &Question<'_>, lead: &Lead<'_>) -> Response {
    let Question { viewer, place, app, seen, rights, .. } = question;
    let repository = &app.name;
    let refusal = rights.objection(Verb::RollBack);
    let from = from(question);
    let title = match lead {
        Lead::To(way, _) => {
            format!("Roll back {repository} to {}?", named(app, seen, &way.to).words())
        }
        Lead::Nowhere(_) | Lead::Unknown => format!("Roll back {repository}?"),
    };
    let content = html! {
        div class="head" {
            div {
                (viewer.crumb(Some(repository)))
                h1 { "Roll back " (repository) "?" }
                p class="lead-in" { (lead_in(question, from.as_ref(), lead)) }
            }
        }
        @if let Lead::To(way, gone) = lead {
            (swap(question, from.as_ref(), way))
            (what_goes(question, from.as_ref(), way, *gone))
        }
        @if let Some(words) = refusal {
            (objection(&format!("You are not allowed to do this: {words}.")))
        } @else if let Lead::Nowhere(_) = lead {
            p { a class="btn" href=(viewer.app(repository)) { "Go back without changes" } }
        } @else {
            (form(question, from.as_ref(), lead))
        }
    };
    let tone = condition::of(Ok(app), Ok(seen.state.as_ref()), viewer.now).kind.tone();
    let frame = Frame { worst: Some(tone), ..viewer.frame(place, Width::Slim) };
    frame.page(if refusal.is_some() { 403 } else { 200 }, &title, &content)
}

/// The image that the rollback leaves.
struct From<'a> {
    digest: &'a Digest,
    named: Named,
    /// The promotion that is under way.
    open: Option<&'a Promotion>,
}

fn from<'a>(question: &Question<'a>) -> Option<From<'a>> {
    let Question { app, seen, .. } = question;
    let state: &'a State = seen.state.as_ref()?;
    let open = state.open.iter().find(|open| open.accepted_at.is_some());
    let running = state.running.as_ref().and_then(|running| running.digest.as_ref());
    let digest = open.map(|open| &open.digest).or(running)?;
    Some(From { digest, named: named(app, seen, digest), open })
}

fn lead_in(question: &Question<'_>, from: Option<&From<'_>>, lead: &Lead<'_>) -> Markup {
    let Question { app, seen, .. } = question;
    let from = html! {
        @match from {
            Some(from) => (from.named.chip()),
            None => "what runs",
        }
    };
    match lead {
        Lead::To(way, gone) => {
            let to = named(app, seen, &way.to);
            let commits = gone.filter(|gone| gone.count() > 0);
            let commits = commits.map(|gone| format!(" {}", count(gone.count(), "commit")));
            html! {
                "Production goes from " (from) " back" (commits.unwrap_or_default()) " to "
                b { (to.chip()) } "."
            }
        }
        Lead::Nowhere(why) => prose(&format!("This is not possible: {why}."), LONG),
        Lead::Unknown => html! {
            "Production goes from " (from) " back to the image that was deployed before. Which one \
             that is can only be said once CloudFormation was asked what would change."
        },
    }
}

/// Two cards: from, and to.
fn swap(question: &Question<'_>, from: Option<&From<'_>>, way: &WayBack) -> Markup {
    let Question { app, seen, .. } = question;
    let to = named(app, seen, &way.to);
    html! {
        div class="swap" {
            section class="card" aria-labelledby="from" {
                h2 id="from" class="k2 dim" {
                    @if from.is_some_and(|from| from.open.is_some()) { "On its way" }
                    @else { "Runs now" }
                }
                @match from {
                    Some(from) => (what_is_left(question, from)),
                    None => p class="meta" { "It is not known which image runs." },
                }
            }
            span class="arrow" aria-hidden="true" { "→" }
            section class="card to" aria-labelledby="to" {
                h2 id="to" class="k2 ok" { "Will run" }
                p class="big" { (to.chip()) }
                @if let Some(subject) = to.subject() { p class="subj" { (subject) } }
                p class="meta" { (what_it_was(question, way, &to)) }
                ul class="facts" { (facts(question, way)) }
            }
        }
    }
}

fn what_is_left(question: &Question<'_>, from: &From<'_>) -> Markup {
    let Question { seen, viewer, .. } = question;
    let state = seen.state.as_ref();
    let running = state.and_then(|state| state.running.as_ref());
    let start = match from.open {
        Some(open) => open.sent_at,
        None => running.and_then(|running| running.since),
    };
    let by = match from.open {
        Some(open) => Some(open.by.as_str()),
        None => running.map(|running| running.by.as_str()).filter(|by| !by.is_empty()),
    };
    let bake = state.and_then(|state| state.bake.as_ref());
    let bake = bake.filter(|bake| bake.digest == *from.digest && !bake.alarms.is_empty());
    html! {
        p class="big" { (from.named.chip()) }
        @if let Some(subject) = from.named.subject() { p class="subj" { (subject) } }
        p class="meta" {
            (by_whom(from.named.author(), votes(seen.history.as_deref(), from.digest), by))
            @if let Some(start) = start { br; (since(start, viewer.now)) }
        }
        @if let Some(bake) = bake { (alarms(bake)) }
    }
}

/// Who wrote it, and who approved or promoted it.
fn by_whom(author: Option<String>, votes: &[Vote], by: Option<&str>) -> Markup {
    let promoted = match (who_approved(votes), by) {
        (Some(who), _) => Some(format!("approved by {who}")),
        (None, Some(by)) => Some(format!("promoted by {by}")),
        (None, None) => None,
    };
    let written = author.map(|author| format!("by {author}"));
    let words: Vec<String> = written.into_iter().chain(promoted).collect();
    prose(&words.join(", "), LONG)
}

/// The votes by which an image was deployed last.
fn votes<'a>(history: Option<&'a [Ended]>, digest: &Digest) -> &'a [Vote] {
    let is_it = |ended: &&Ended| ended.end == End::Deployed && ended.promotion.digest == *digest;
    let ended = history.into_iter().flatten().find(is_it);
    ended.map_or(&[], |ended| ended.promotion.votes.as_slice())
}

/// When it was deployed, by whom, and for how long it ran.
fn what_it_was(question: &Question<'_>, way: &WayBack, to: &Named) -> Markup {
    let Question { seen, viewer, .. } = question;
    let votes = votes(seen.history.as_deref(), &way.to);
    let ran = way.ran_seconds.map(|seconds| long(jiff::SignedDuration::from_secs(seconds)));
    html! {
        (by_whom(to.author(), votes, way.deployed_by.as_deref()))
        @if let Some(deployed) = way.deployed_at {
            br; "deployed " (at(deployed, viewer.now))
            @if let Some(ran) = ran { ", ran " (ran) }
        } @else { "It ran before ecr-promoter came, or longer ago than the history goes." }
    }
}

/// What speaks for it, or against it.
fn facts(question: &Question<'_>, way: &WayBack) -> Markup {
    let history = question.seen.history.as_deref().unwrap_or_default();
    let was_left = history.iter().any(|ended| {
        ended.end == End::Deployed && ended.promotion.rolls_back_digest.as_ref() == Some(&way.to)
    });
    let has_failed =
        history.iter().any(|ended| ended.end == End::Failed && ended.promotion.digest == way.to);
    let bad = |words: &str| {
        html! { li class="bad" { (Symbol::Error.draw()) span { (words) } } }
    };
    html! {
        @if was_left { (bad("It was rolled back from before")) }
        @if has_failed { (bad("A promotion of it failed before")) }
        li class="ok" {
            (Symbol::Ok.draw()) span { "The image is still there and can be pulled" }
        }
    }
}

/// The commits that go away, and where to compare them.
fn what_goes(
    question: &Question<'_>,
    from: Option<&From<'_>>,
    way: &WayBack,
    gone: Option<&ChangeNotes>,
) -> Markup {
    let Question { app, seen, viewer, .. } = question;
    let from = from.and_then(|from| commit_of(app, seen, from.digest));
    let to = commit_of(app, seen, &way.to);
    let compare = app.compare_url(to.as_ref(), from.as_ref());
    let gone = gone.filter(|gone| !gone.commits.is_empty());
    html! {
        section class="card" aria-labelledby="gone" {
            h2 id="gone" {
                @match gone {
                    Some(gone) => {
                        (count(gone.count(), "commit"))
                        @if gone.count() == 1 { " goes away" } @else { " go away" }
                    }
                    None => "What goes away",
                }
            }
            @if let Some(gone) = gone { (notes(gone, SHOWN, compare.as_deref(), viewer.now)) }
            p class="meta" {
                @if let Some(url) = &compare {
                    a href=(url) rel="noreferrer" { "Compare" } " · "
                }
                "Only the image goes back. Data, settings and secrets stay as they are now."
            }
        }
    }
}

fn form(question: &Question<'_>, from: Option<&From<'_>>, lead: &Lead<'_>) -> Markup {
    let Question { viewer, app, seen, once, .. } = question;
    let to = match lead {
        Lead::To(way, _) => Some(&way.to),
        Lead::Nowhere(_) | Lead::Unknown => None,
    };
    let label = match to {
        Some(to) => format!("Roll back to {}", named(app, seen, to).words()),
        None => "Roll back to what was deployed before".to_owned(),
    };
    let keep = match from {
        Some(from) => format!("Keep {}", from.named.words()),
        None => "Keep what runs".to_owned(),
    };
    let is_under_way = from.is_some_and(|from| from.open.is_some());
    html! {
        form class="card" method="post" {
            h2 { "What happens" }
            p class="meta" {
                @if is_under_way { "The update that is under way is cancelled. " }
                "After that, pushes ask until somebody resumes. If anything newer is deployed \
                 before you press, nothing happens and you are told."
            }
            @if let Some(from) = from { input type="hidden" name=(FROM) value=(from.digest); }
            @if let Some(to) = to { input type="hidden" name=(TO) value=(to); }
            input type="hidden" name=(ONCE) value=(once);
            div class="field" {
                label for="why" { "Why? " small { "Optional, shown to everybody" } }
                input type="text" id="why" name=(WHY) maxlength=(LONGEST_REASON)
                    autocomplete="off";
            }
            div class="acts one" {
                button type="submit" class="stop" { (label) }
                a class="btn" href=(viewer.app(&app.name)) { (keep) }
            }
            @if let Some(to) = to {
                (in_full(commit_of(app, seen, to).as_ref(), None, Some(to), &[]))
            }
        }
    }
}
