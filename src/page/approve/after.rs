//! The page of a request after people have decided: it follows the promotion.

use maud::{Markup, html};

use super::asked::{Asked, STILL};
use crate::function_url::Response;
use crate::model::approval::Progress;
use crate::model::promotion::Promotion;
use crate::page::frame::{Frame, REFRESH};
use crate::page::steps::{Reached, approved, of_promotion, progress, rest, steps};
use crate::page::symbol::{Symbol, Tone};
use crate::page::words::{LONG, prose};

/// What a request's progress says at the top of its page.
struct Standing {
    tone: Tone,
    symbol: Symbol,
    /// The word beside the shape.
    tag: String,
    /// The rest of the title, after the app and the commit.
    title: &'static str,
    /// What else there is to say.
    words: String,
}

/// The page.
pub(super) fn page(status: u16, asked: &Asked<'_>, said: Option<&str>) -> Response {
    let Asked { app, request, place, now, .. } = asked;
    let image = asked.named();
    let Standing { tone, symbol, tag, title, words } = standing(asked);
    let is_moving = tone == Tone::Move && is_under_way(&request.progress);
    let drawn = if is_moving { symbol.spin() } else { symbol.draw() };
    let content = html! {
        div class="head" {
            div {
                p class={ "tag " (tone.class()) } { (drawn) (tag) }
                h1 { (app.name) " " (image.words()) " " (title) }
                @if let Some(subject) = image.subject() { p class="lead-in" { (subject) } }
                @if !words.is_empty() { p class="lead-in" { (prose(&words, LONG)) } }
            }
        }
        @if let Some(said) = said {
            div class={ "box " (tone.class()) } role="status" { p { (prose(said, LONG)) } }
        }
        (course(asked, tone, is_moving))
        (if_wrong(asked))
        section class="card" aria-labelledby="full" {
            h2 id="full" { "What it is" }
            p class="meta" {
                (image.by_line())
                @if let Some(ci) = asked.ci() { " · " (ci) }
            }
            (asked.in_full())
        }
    };
    let title = format!("{} {} {title}", app.name, image.words());
    let refresh = (is_moving && !asked.is_still).then(|| asked.address.to_owned());
    let frame = Frame { worst: Some(tone), refresh, ..Frame::slim(place, *now) };
    frame.page(status, &title, &content)
}

/// Whether the page will say something else soon, without anybody doing anything.
fn is_under_way(progress: &Progress) -> bool {
    match progress {
        Progress::Approved | Progress::Waiting(_) => true,
        Progress::Deploying | Progress::Verifying(_) | Progress::Baking(_) => true,
        Progress::Pending | Progress::Rejected | Progress::Deployed(_) => false,
        Progress::Failed(_) | Progress::Cancelled(_) => false,
        Progress::Superseded | Progress::Expired => false,
    }
}

fn standing(asked: &Asked<'_>) -> Standing {
    let request = asked.request;
    let of = |tone, symbol, tag: &str, title, words: String| Standing {
        tone,
        symbol,
        tag: tag.to_owned(),
        title,
        words,
    };
    let moving = |tag, title, words| of(Tone::Move, Symbol::Move, tag, title, words);
    let goes = "goes into production";
    match &request.progress {
        Progress::Pending | Progress::Approved => moving("Approved", goes, String::new()),
        Progress::Waiting(_) => moving("Approved, waiting", "waits for its turn", String::new()),
        Progress::Deploying => moving("On its way", goes, String::new()),
        Progress::Verifying(_) => moving("On its way, in ECS", goes, String::new()),
        Progress::Baking(_) => {
            let title = "is in production, and bakes";
            of(Tone::Move, Symbol::Bake, "In production, baking", title, String::new())
        }
        Progress::Deployed(_) => {
            of(Tone::Ok, Symbol::Ok, "In production", "is in production", String::new())
        }
        Progress::Failed(_) => {
            let words = "It did not reach production.".to_owned();
            of(Tone::Bad, Symbol::Bad, "Failed", "failed", words)
        }
        Progress::Rejected => {
            let words = format!("Rejected by {}. Nothing was promoted.", request.who(false));
            of(Tone::None, Symbol::None, "Rejected", "was rejected", words)
        }
        Progress::Cancelled(why) => {
            of(Tone::None, Symbol::None, "Cancelled", "was cancelled", why.clone())
        }
        Progress::Superseded => {
            let words = "A newer image took its place. The message about the newer image has its \
                         own link.";
            of(Tone::None, Symbol::None, "Superseded", "was superseded", words.to_owned())
        }
        Progress::Expired => {
            let words = "Nobody decided in time. Approval can be requested again.".to_owned();
            of(Tone::Ask, Symbol::Time, "Expired", "has expired", words)
        }
    }
}

/// The promotion of the request, while the state has it.
fn promotion<'a>(asked: &Asked<'a>) -> Option<&'a Promotion> {
    let state = asked.state;
    let verifying = state.verifying.iter().map(|verifying| &verifying.promotion);
    let mut known = state.open.iter().chain(verifying);
    known.find(|own| own.digest == asked.request.digest)
}

/// How far the promotion has come; `None` where there is none.
fn reached<'a>(asked: &Asked<'a>) -> Option<Reached<'a>> {
    let Asked { state, request, .. } = asked;
    Some(match &request.progress {
        Progress::Pending | Progress::Approved => Reached::Waits(None),
        Progress::Waiting(why) => Reached::Waits(Some(why)),
        Progress::Deploying => {
            let bar =
                asked.stack.and_then(|(stack, events)| progress(stack.as_ref(), Some(events)));
            Reached::Stack(promotion(asked).and_then(|own| own.sent_at), bar)
        }
        Progress::Verifying(_) => match &state.verifying {
            Some(verifying) => Reached::Ecs(verifying),
            None => Reached::Done,
        },
        Progress::Baking(_) => match &state.bake {
            Some(bake) => Reached::Bake(bake),
            None => Reached::Done,
        },
        Progress::Deployed(_) => Reached::Done,
        Progress::Failed(why) => {
            let running = state.running.as_ref().and_then(|running| running.digest.as_ref());
            Reached::Failed(None, why, running == Some(&request.digest))
        }
        Progress::Rejected | Progress::Cancelled(_) => return None,
        Progress::Superseded | Progress::Expired => return None,
    })
}

/// The steps, and how to stop the page from refreshing.
fn course(asked: &Asked<'_>, tone: Tone, is_moving: bool) -> Markup {
    let Asked { app, request, now, .. } = asked;
    let Some(reached) = reached(asked) else { return html! {} };
    let list = match promotion(asked) {
        Some(own) if !own.votes.is_empty() => of_promotion(app, own, &reached, *now),
        own => {
            let by = request.promoted_by.as_deref().unwrap_or("somebody");
            let mut list = vec![approved(&request.votes, by, request.at, *now)];
            list.extend(rest(app, &reached, own.and_then(|own| own.sent_at), false, *now));
            list
        }
    };
    html! {
        section class={ "card " (tone.class()) } aria-labelledby="progress" {
            h2 id="progress" class="vh" { "Progress" }
            div role="status" { (steps(&list)) }
            @if is_moving {
                p class="meta" {
                    @if asked.is_still {
                        "Paused. " a href=(asked.address) { "Refresh every " (REFRESH) " s" }
                    } @else {
                        "Refreshes every " (REFRESH) " s. "
                        a href={ (asked.address) "?" (STILL) } { "Pause" }
                    }
                    " · You can close this page: people are told how it ends."
                }
            }
        }
    }
}

/// What still runs, and how to stop it.
fn if_wrong(asked: &Asked<'_>) -> Markup {
    let app = asked.app;
    let before = asked.runs();
    let is_sent = matches!(asked.request.progress, Progress::Deploying | Progress::Verifying(_));
    let (before, command) = match (&asked.request.progress, before) {
        (Progress::Deploying, Some(before)) => (before, "cancel"),
        (Progress::Verifying(_) | Progress::Baking(_), Some(before)) => (before, "rollback"),
        _ => return html! {},
    };
    html! {
        section class="card" aria-labelledby="wrong" {
            h2 id="wrong" { "If something is wrong" }
            p class="meta" {
                @if is_sent {
                    "Until it is done, " (before.chip()) " keeps serving. "
                }
                "To stop it, write " code { "/promote " (command) " " (app.name) }
                " in Slack, or open the board."
            }
        }
    }
}
