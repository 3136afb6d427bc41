//! Stages: what an app that comes after another one may promote. An image must have run there for
//! some time, and nothing may have spoken against it. Judged from the earlier app's state and
//! history. No I/O here.

use std::collections::BTreeSet;

use crate::model::config::App;
use crate::model::config::stage::After;
use crate::model::promotion::{Basis, End, Ended, Promotion};
use crate::model::soaking::{SeenStage, Soaking};
use crate::model::state::State;
use crate::model::{AppName, Digest};
use jiff::{SignedDuration, Timestamp};

/// The longest chain of stages that is followed.
const LONGEST_CHAIN: usize = 50;

/// The earlier app, as it was just read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    /// Its state; `None` before its first look.
    pub state: Option<State>,
    /// Its last promotions that ended, newest first.
    pub history: Vec<Ended>,
}

/// What the earlier app says about the images of this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// The earlier app.
    pub after: AppName,
    /// How many of its promotions had ended.
    pub ended: u64,
    /// The candidate, and since when it has run there.
    pub candidate: Option<Soaked>,
    /// The newest image that still has to run there for a while.
    pub soaking: Option<Soaking>,
    /// The images that failed there, that an alarm went off for, or that somebody went back from.
    pub out: BTreeSet<Digest>,
}

/// An image that has run long enough in the earlier app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Soaked {
    /// The image.
    pub digest: Digest,
    /// When the earlier app had deployed it.
    pub since: Timestamp,
}

impl Stage {
    /// Judges which image may come next. `own` is the state of the app that waits.
    pub fn of(after: &After, earlier: &Earlier, own: Option<&State>, now: Timestamp) -> Self {
        let soak = SignedDuration::from_mins(after.soak_minutes.into());
        let judge = Judge { earlier, soak, now };
        let known = known_to(own);
        let mut stage = Self {
            after: after.app.clone(),
            ended: earlier.state.as_ref().map_or(0, |state| state.ended),
            candidate: None,
            soaking: None,
            out: BTreeSet::new(),
        };
        let mut has_ended = false;
        for (at, ended) in earlier.history.iter().enumerate() {
            if !goes_forward(ended) {
                continue;
            }
            let digest = &ended.promotion.digest;
            match judge.verdict(at, ended) {
                Verdict::Out => {
                    stage.out.insert(digest.clone());
                    // This app has had it, and an older image never follows by itself.
                    has_ended |= known.contains(digest);
                }
                Verdict::Soaked if !has_ended => {
                    let (digest, since) = (digest.clone(), ended.ended_at);
                    stage.candidate = Some(Soaked { digest, since });
                    has_ended = true;
                }
                Verdict::Soaking(soaking) if !has_ended => {
                    stage.soaking.get_or_insert(soaking);
                }
                Verdict::Soaked | Verdict::Soaking(_) | Verdict::TooShort => {}
            }
        }
        stage
    }

    /// What to remember of it.
    pub fn seen(&self) -> SeenStage {
        SeenStage { after: self.after.clone(), ended: self.ended, soaking: self.soaking.clone() }
    }

    /// Says why there is no candidate.
    pub fn why_none(&self) -> String {
        match &self.soaking {
            Some(soaking) => soaking.words(&self.after),
            None => format!("no image has run in `{}` for long enough", self.after),
        }
    }
}

/// The images that an app has had as candidates, and the one that it runs.
fn known_to(own: Option<&State>) -> BTreeSet<&Digest> {
    let running = own.and_then(|own| own.running.as_ref()?.digest.as_ref());
    let seen = own.iter().flat_map(|own| own.candidates.0.iter().map(|one| &one.digest));
    seen.chain(running).collect()
}

fn goes_forward(ended: &Ended) -> bool {
    ended.end == End::Deployed && !is_way_back(&ended.promotion)
}

fn is_way_back(promotion: &Promotion) -> bool {
    promotion.rolls_back.is_some() || matches!(promotion.basis(), Basis::GoingBack | Basis::Undoing)
}

/// What speaks for or against one deployment of the earlier app.
enum Verdict {
    /// It ran for long enough.
    Soaked,
    /// It runs, and not yet for long enough.
    Soaking(Soaking),
    /// It was replaced before it had run for long enough.
    TooShort,
    /// It failed, an alarm went off in its bake, or somebody went back from it.
    Out,
}

struct Judge<'a> {
    earlier: &'a Earlier,
    soak: SignedDuration,
    now: Timestamp,
}

impl Judge<'_> {
    /// Judges the deployment at this place of the history.
    fn verdict(&self, at: usize, ended: &Ended) -> Verdict {
        let digest = &ended.promotion.digest;
        let newer = &self.earlier.history[..at];
        if self.is_out(digest, newer) {
            return Verdict::Out;
        }
        let state = self.earlier.state.as_ref();
        let baking = state.and_then(|state| state.bake.as_ref());
        let baking = baking.filter(|bake| bake.digest == *digest);
        let until = ended.ended_at.saturating_add(self.soak).expect("a time");
        if let Some(bake) = baking {
            let until = until.max(bake.until);
            return Verdict::Soaking(soaking(&ended.promotion, until, true));
        }
        match self.replaced_at(digest, newer) {
            Some(replaced) if replaced < until => Verdict::TooShort,
            Some(_) => Verdict::Soaked,
            None if self.now >= until => Verdict::Soaked,
            None => Verdict::Soaking(soaking(&ended.promotion, until, false)),
        }
    }

    /// Whether something that came after a deployment speaks against its image.
    fn is_out(&self, digest: &Digest, newer: &[Ended]) -> bool {
        let state = self.earlier.state.as_ref();
        let goes_back = |one: &Promotion| one.rolls_back_digest.as_ref() == Some(digest);
        let has_gone_back = newer
            .iter()
            .any(|one| goes_back(&one.promotion) && matches!(one.end, End::Deployed | End::Failed));
        let has_failed =
            newer.iter().any(|one| one.promotion.digest == *digest && one.end == End::Failed);
        let is_turned_away_from = state.is_some_and(|state| {
            let under_way = state.open.iter().chain(state.verifying.iter().map(|it| &it.promotion));
            under_way.into_iter().any(goes_back)
                || state.failed.contains(digest)
                || state.alarmed.contains(digest)
        });
        has_gone_back || has_failed || is_turned_away_from
    }

    /// When another image took the place of this one, which was deployed before these: by a
    /// promotion, or by somebody else's change of the stack.
    fn replaced_at(&self, digest: &Digest, newer: &[Ended]) -> Option<Timestamp> {
        let next = newer.iter().rev().find(|one| one.end == End::Deployed);
        let ended = next.map(|one| one.promotion.sent_at.unwrap_or(one.ended_at));
        let state = self.earlier.state.as_ref();
        let under_way = state.and_then(|state| {
            let open = state.open.iter().chain(state.verifying.iter().map(|it| &it.promotion));
            open.filter_map(|open| open.sent_at).min()
        });
        let running = state.and_then(|state| state.running.as_ref());
        let outside = running
            .filter(|running| running.digest.as_ref() != Some(digest))
            .map(|running| running.since.unwrap_or(self.now));
        ended.or(under_way).or(outside)
    }
}

fn soaking(promotion: &Promotion, until: Timestamp, is_baking: bool) -> Soaking {
    let (digest, commit) = (promotion.digest.clone(), promotion.commit.clone());
    Soaking { digest, commit, until, is_baking }
}

/// Follows the stages before an app. Fails if one of them is not configured, promotes another
/// repository, or comes after itself; the error is a sentence about the key `after.app`.
pub fn check_chain<'a>(
    app: &'a App,
    find: impl Fn(&AppName) -> Option<Option<&'a App>>,
) -> Result<(), String> {
    let mut at = app;
    for _ in 0..LONGEST_CHAIN {
        let Some(After { app: name, .. }) = &at.config.after else { return Ok(()) };
        if *name == app.name {
            let circle = format!("`{}` comes after `{}`", app.name, at.name);
            return Err(format!("{circle}, which comes after `{name}`: expected no circle"));
        }
        let Some(earlier) = find(name) else {
            return Err(format!("`{name}` is not configured; expected the name of an app"));
        };
        // The earlier app's own error says what is wrong with it.
        let Some(earlier) = earlier else { return Ok(()) };
        if earlier.repository != app.repository {
            return Err(format!(
                "`{name}` promotes the repository `{}`; expected an app of `{}`",
                earlier.repository, app.repository
            ));
        }
        at = earlier;
    }
    Err(format!("found more than {LONGEST_CHAIN} stages in a row; expected no circle"))
}

#[cfg(test)]
mod tests;
