//! Sends a promotion's update: records the intent while the tag is put on the image, sends the
//! update, notifies people.

use std::ops::ControlFlow::{Break, Continue};

use jiff::Timestamp;

use super::cause::{Cause, NO_UPDATES, fail};
use super::change_set::{needs_review, update};
use super::draft::Draft;
use super::finish::tell_and_mark;
use super::plan::{Decided, First, Plan, Stages};
use super::replica::{check, wait_for_replica};
use super::review::reviewed;
use crate::model::answer::Outcome;
use crate::model::config::Config;
use crate::model::image::Image;
use crate::model::promotion::{Promotion, Update};
use crate::model::state::State;
use crate::world::action::Action;
use crate::world::snapshot::Question;

const ACCEPTED: &str = "CloudFormation accepted the update";

/// Says that CloudFormation accepted a promotion's update, and what is unusual about it.
pub(super) fn accepted(promotion: &Promotion, config: &Config) -> String {
    let mut words = ACCEPTED.to_owned();
    let plain = promotion.commit.as_ref().map(|commit| format!("{}{commit}", config.tag_prefix));
    if let Some(plain) =
        plain.filter(|plain| *plain != promotion.tag.as_str() && promotion.rolls_back.is_none())
    {
        words += &format!(
            "; its tag is `{}`, since `{plain}` is, or was, on another image",
            promotion.tag
        );
    }
    if !promotion.deletes_change_sets.is_empty() {
        words += &format!(
            "; executing its change set deleted the stack's others: {}",
            promotion.deletes_change_sets.join(", ")
        );
    }
    if let Some(why) = &promotion.why {
        words += &format!("; {why}");
    }
    words
}

/// Sends the promotion, unless CloudFormation refused it or a review ends the decision.
pub(super) fn send(
    draft: Draft<'_>,
    promotion: Promotion,
    image: &Image,
    cause: &Cause<'_>,
) -> Decided {
    let learned = &draft.seen.learned;
    if learned.no_updates.as_ref() == Some(&promotion.token) {
        return Ok(fail(draft, &promotion, NO_UPDATES.to_owned()));
    }
    if let Some((_, reason)) =
        learned.refused.as_ref().filter(|(token, _)| *token == promotion.token)
    {
        return Ok(fail(draft, &promotion, reason.clone()));
    }
    let (draft, promotion) = match wait_for_replica(draft, promotion)? {
        Continue(there) => there,
        Break(plan) => return Ok(plan),
    };
    let update = Update {
        identity: promotion.identity.clone(),
        ..update(&draft, promotion.token.clone(), promotion.tag.clone())
    };
    if !needs_review(&draft) {
        return go_out(draft, &promotion, image, cause, Action::UpdateStack(update));
    }
    match reviewed(draft, promotion, &update, cause)? {
        Continue((mut draft, promotion, arn)) => {
            let mut open = draft.state.open.iter_mut();
            if let Some(own) = open.find(|own| own.token == promotion.token) {
                own.change_set = Some(arn.clone());
            }
            let (token, identity) = (promotion.token.clone(), promotion.identity.clone());
            let execute = Action::ExecuteChangeSet { token, arn, identity };
            go_out(draft, &promotion, image, cause, execute)
        }
        Break(plan) => Ok(plan),
    }
}

/// Plans the stages: the intent and the tag, the update, what people are told.
fn go_out(
    mut draft: Draft<'_>,
    promotion: &Promotion,
    image: &Image,
    cause: &Cause<'_>,
    send: Action,
) -> Decided {
    draft.state.waiting = None;
    let reason = accepted(promotion, &draft.app.config);
    let mut stages = before_sending(&draft, promotion, image, cause)?;
    stages.extend(check(&draft, promotion).map(|check| vec![check]));
    let answer = draft.answer(Outcome::Promoted, reason.clone());
    let keep_answer = draft.keep_answer(&answer);
    let told = told(draft.state, promotion, &reason, &send, draft.now);
    stages.push(vec![send]);
    stages.extend(tell_and_mark(told, &[], draft.now));
    stages.extend(keep_answer);
    Ok(Plan { unread: draft.unread, ..Plan::new(stages, answer) })
}

/// Records the intent and puts the tag: side by side, where nobody else can be first.
fn before_sending(
    draft: &Draft<'_>,
    promotion: &Promotion,
    image: &Image,
    cause: &Cause<'_>,
) -> Decided<Stages> {
    let needs_tag = !draft.tags.is_on(&promotion.tag, &promotion.digest);
    let put_tag = needs_tag
        .then(|| Action::PutTag { image: Box::new(image.clone()), tag: promotion.tag.clone() });
    // Where tags can be moved, PutImage would take the tag from whoever was faster: the state says
    // first whose it is.
    let may_take_it = match &draft.seen.mutability {
        _ if !needs_tag => false,
        None => return Err(First::Read(Question::Mutability)),
        Some(mutability) => mutability.can_move(&promotion.tag),
    };
    let save = draft.save(draft.command.clone());
    // An approval counts from the moment that it is written: somebody else's decision may be
    // written first.
    let mut stages: Stages = if may_take_it {
        let check = tags_to_check(draft, promotion);
        vec![save.into_iter().chain([check]).collect(), put_tag.into_iter().collect()]
    } else if cause.is_verdict_written(draft) {
        vec![save.into_iter().chain(put_tag).collect()]
    } else {
        vec![save.into_iter().collect(), put_tag.into_iter().collect()]
    };
    stages.retain(|stage| !stage.is_empty());
    Ok(stages)
}

/// Where tags can be moved: the promotion's own tag must be free, and the running one must still be
/// on its image. If it is not, people have to hear of it first.
fn tags_to_check(draft: &Draft<'_>, promotion: &Promotion) -> Action {
    let own = (promotion.tag.clone(), promotion.digest.clone());
    let running = draft.state.running.as_ref().filter(|_| draft.state.moved_tag.is_none());
    let running = running.and_then(|running| {
        Some((draft.as_production_tag(&running.tag)?, running.digest.clone()?))
    });
    Action::CheckTags([own].into_iter().chain(running).collect())
}

/// The state once the update was accepted, with the notice of it.
fn told(
    mut told: State,
    promotion: &Promotion,
    reason: &str,
    send: &Action,
    now: Timestamp,
) -> State {
    if matches!(send, Action::ExecuteChangeSet { .. }) {
        // Executing a change set deletes all others.
        told.change_sets.iter_mut().for_each(|own| own.is_removed = true);
    }
    for own in told.open.iter_mut().filter(|own| own.token == promotion.token) {
        own.accepted_at = Some(now);
    }
    let promoted = promotion.notice(Outcome::Promoted, reason, now);
    told.note(&promoted);
    told.untold.push(promoted);
    told
}
