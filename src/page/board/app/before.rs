//! What was promoted before: how it ended, for how long it ran, and whether one can go back to it.

use jiff::SignedDuration;
use maud::{Markup, html};

use super::sight::Sight;
use crate::model::Digest;
use crate::model::approval::Vote;
use crate::model::command::Via;
use crate::model::promotion::{End, Ended};
use crate::page::board::verb::Verb;
use crate::page::board::{named, running};
use crate::page::moment::{at, long, time};
use crate::page::steps::who_approved;
use crate::page::symbol::{Symbol, Tone};
use crate::page::words::{LONG, SHORT, count, prose, sentence};
use crate::text::plain;

/// How many promotions are listed.
const HISTORY: usize = 20;

/// The list of what was promoted before, without what runs now.
pub(super) fn part(sight: &Sight<'_>) -> Markup {
    let history = sight.seen.history.as_deref().unwrap_or_default();
    let present = running(sight.seen).filter(|_| !is_verifying(sight));
    let now = history
        .iter()
        .position(|ended| ended.end == End::Deployed && Some(&ended.promotion.digest) == present);
    let shown = failed_above(sight);
    let ended: Vec<usize> =
        (0..history.len()).filter(|at| Some(*at) != now && Some(*at) != shown).collect();
    let listed = &ended[..ended.len().min(HISTORY)];
    let beside = match ended.len() {
        0 => "nothing yet".to_owned(),
        all if all > HISTORY => format!("last {HISTORY} of {all}"),
        all => count(all, "promotion"),
    };
    html! {
        li class="none" {
            (Symbol::Was.draw())
            div {
                h2 class="k2" { span { "Before" } " " span class="dim" { (beside) } }
                @if history.is_empty() {
                    p class="meta" { "No promotion has ended yet." }
                }
                @if !listed.is_empty() {
                    ol class="list hist" {
                        @for at in listed { (entry(sight, history, *at)) }
                    }
                }
            }
        }
    }
}

fn is_verifying(sight: &Sight<'_>) -> bool {
    sight.state().is_some_and(|state| state.verifying.is_some())
}

/// The failure that has a card of its own.
fn failed_above(sight: &Sight<'_>) -> Option<usize> {
    let state = sight.state()?;
    let last = state.recent.last().filter(|last| last.end == End::Failed)?;
    if !state.open.is_empty() || state.verifying.is_some() {
        return None;
    }
    sight
        .seen
        .history
        .iter()
        .flatten()
        .position(|ended| ended.end == End::Failed && ended.promotion.token == last.token)
}

/// The images that were rolled back from, and not deployed again since.
fn left_behind(history: &[Ended]) -> Vec<&Digest> {
    let mut left = Vec::new();
    let mut redeployed: Vec<&Digest> = Vec::new();
    for own in history.iter().filter(|ended| ended.end == End::Deployed).map(|it| &it.promotion) {
        let of_tag = || {
            let tag = own.rolls_back.as_ref()?;
            let its = history.iter().find(|ended| ended.promotion.tag.as_str() == tag)?;
            Some(&its.promotion.digest)
        };
        let from = own.rolls_back_digest.as_ref().or_else(of_tag);
        left.extend(from.filter(|from| !redeployed.contains(from)));
        redeployed.push(&own.digest);
    }
    left
}

/// The promotion that took the place of this one, if this one ran.
fn replaced_by(history: &[Ended], index: usize) -> Option<&Ended> {
    history[..index].iter().rfind(|ended| ended.end == End::Deployed)
}

fn entry(sight: &Sight<'_>, history: &[Ended], index: usize) -> Markup {
    let ended = &history[index];
    let own = &ended.promotion;
    let next = replaced_by(history, index).filter(|_| ended.end == End::Deployed);
    let back = next.filter(|next| next.promotion.rolls_back_digest.as_ref() == Some(&own.digest));
    let is_left = left_behind(history).contains(&&own.digest);
    let (tone, symbol) = match (ended.end, back) {
        (End::Deployed, Some(_)) => (Tone::Bad, Symbol::Back),
        (End::Deployed, None) => (Tone::Ok, Symbol::Was),
        (End::Failed | End::Blocked, _) => (Tone::Bad, Symbol::Bad),
        (End::Cancelled | End::Superseded, _) => (Tone::None, Symbol::None),
    };
    let class = format!("{}{}", tone.class(), if back.is_some() { " off" } else { "" });
    let image = named(sight.app, sight.seen, &own.digest);
    html! {
        li class=(class) {
            (symbol.draw())
            div {
                p class="was" {
                    (image.chip())
                    @if let Some(subject) = image.subject() { " " span class="s" { (subject) } }
                }
                p class="meta" { (how(sight, ended, next, back)) }
            }
            p { (way_back(sight, ended, is_left)) }
        }
    }
}

/// How it ended, for how long it ran, and who wanted it.
fn how(sight: &Sight<'_>, ended: &Ended, next: Option<&Ended>, back: Option<&Ended>) -> Markup {
    let now = sight.viewer.now;
    let ran = next.map(|next| next.ended_at.duration_since(ended.ended_at));
    let ran = ran.map(long).unwrap_or_default();
    html! {
        @match (ended.end, next, back) {
            (End::Deployed, Some(next), Some(back)) => {
                b class="st" { "Rolled back" } " after " (ran) " by "
                (prose(&back.promotion.by, LONG))
                @if let Some(why) = &back.promotion.why { ": “" (prose(why, LONG)) "”" }
                ". Ran " (at(ended.ended_at, now)) " to " (at(next.ended_at, now)) ". "
            }
            (End::Deployed, Some(next), None) => {
                "Ran " (ran) ", " (at(ended.ended_at, now)) " to " (at(next.ended_at, now)) ". "
            }
            (End::Deployed, None, _) => { "Deployed " (at(ended.ended_at, now)) ". " }
            (end, _, _) => {
                b class="st" { (sentence(&end.outcome().to_string())) } " "
                (at(ended.ended_at, now)) ": " (prose(&ended.reason, LONG)) ". "
            }
        }
        (who(ended))
        @if ended.end == End::Deployed { (took(ended)) } "."
    }
}

/// Who wanted it, and through what.
fn who(ended: &Ended) -> Markup {
    let own = &ended.promotion;
    let verb = if own.rolls_back.is_some() { "A rollback by " } else { "Promoted by " };
    html! {
        @match who_approved(&own.votes) {
            Some(who) => { "Approved by " (prose(&who, LONG)) }
            None => { (verb) (prose(&own.by, LONG)) ", through " (through(own.via)) }
        }
        @for vote in &own.votes { (traced(vote)) }
    }
}

fn took(ended: &Ended) -> Markup {
    let Some(sent) = ended.promotion.sent_at else { return html! {} };
    let took: SignedDuration = ended.ended_at.duration_since(sent);
    html! { ", took " (time(sent, &long(took))) }
}

/// The link that goes back to it, or why there is none.
fn way_back(sight: &Sight<'_>, ended: &Ended, is_left: bool) -> Markup {
    let own = &ended.promotion;
    let image = named(sight.app, sight.seen, &own.digest);
    let is_present = running(sight.seen) == Some(&own.digest);
    match ended.end {
        End::Deployed if is_present => html! { small { "runs now" } },
        End::Deployed if is_left => html! { small { "not offered again" } },
        End::Deployed if sight.may(Verb::RollBack) => {
            let address = sight.viewer.act(Verb::RollBack, &sight.app.name, Some(&own.digest));
            html! {
                a class="back" href=(address) {
                    "Roll back to this" span class="vh" { ": " (image.short()) }
                }
            }
        }
        End::Deployed => html! {},
        End::Failed | End::Superseded | End::Cancelled | End::Blocked => {
            html! { small { "never ran" } }
        }
    }
}

/// Where a vote came from, if it was made on a page.
pub(super) fn traced(vote: &Vote) -> Markup {
    let Some(trace) = &vote.trace else { return html! {} };
    html! {
        @if let Some(address) = &trace.address { ", from " code { (plain(address, SHORT)) } }
        @if let Some(agent) = &trace.agent { " (" (plain(agent, SHORT)) ")" }
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
