//! A command whose id is known: it answers what it answered, or goes on where it was interrupted.
//! It never acts anew.

use super::cancel::{going_back, send_cancel, unfinished_cancel};
use super::cause::Cause;
use super::draft::Draft;
use super::finish::tell_and_mark;
use super::plan::{Decided, Plan};
use super::promote::promote;
use crate::model::answer::{Answer, Outcome};
use crate::model::command::Command;
use crate::model::limits::kept_reason;
use crate::model::state::CommandRecord;

/// The words of a command, which are kept with its id: the id of another command is refused.
pub(super) fn what(command: &Command) -> String {
    kept_reason(&command.act.to_string())
}

/// Answers a command that has this record.
pub(super) fn repeat(draft: Draft<'_>, command: &Command, record: &CommandRecord) -> Decided {
    if let Some(other) = record.what.as_ref().filter(|its| **its != what(command)) {
        let reason = format!(
            "the id `{}` was given to another command before: `{other}`. Give each command its own",
            command.id
        );
        return Ok(draft.refused(&reason));
    }
    match &record.answer {
        Some(answer) => Ok(answer_again(&draft, answer)),
        None => go_on(draft, record),
    }
}

/// Answers the same, and sends the notices that could not be sent when it was carried out.
fn answer_again(draft: &Draft<'_>, answer: &Answer) -> Plan {
    let known = draft.seen.state.clone();
    let stages = known.map(|state| tell_and_mark(state, &[], draft.now)).unwrap_or_default();
    Plan::new(stages, answer.clone())
}

/// Goes on with a command that was interrupted, or tells how it ended.
fn go_on(mut draft: Draft<'_>, record: &CommandRecord) -> Decided {
    draft.command = Some(record.clone());
    if let Some(under_way) = unfinished_cancel(&draft)? {
        return Ok(send_cancel(draft, &under_way));
    }
    // The cancel arrived, and only its answer was lost.
    if let Some(going_back) = going_back(&draft, record.token.as_ref()) {
        return Ok(send_cancel(draft, &going_back));
    }
    let mut open = draft.state.open.iter();
    if let Some(open) = open.find(|open| Some(&open.token) == record.token.as_ref()).cloned() {
        return promote(draft, &open.digest, &Cause::again(&open));
    }
    let verifying = draft.state.verifying.as_ref();
    if let Some(own) = verifying.filter(|own| Some(&own.promotion.token) == record.token.as_ref()) {
        let (promotion, words) = (own.promotion.clone(), own.words());
        draft.subject.digest = Some(promotion.digest);
        draft.subject.commit = promotion.commit;
        draft.subject.previous_tag = Some(promotion.previous_tag);
        draft.subject.tag = Some(promotion.tag);
        draft.subject.token = Some(promotion.token);
        return Ok(draft.nothing(Outcome::Promoted, words));
    }
    let ended = match &record.token {
        Some(own) => draft.ended_with(|token| token == own)?,
        None => None,
    };
    Ok(match ended {
        Some(ended) => {
            draft.subject.digest = Some(ended.digest);
            draft.subject.commit = ended.commit;
            draft.subject.previous_tag = Some(ended.previous_tag);
            draft.subject.tag = Some(ended.tag);
            draft.subject.token = Some(ended.token);
            draft.nothing(ended.end.outcome(), ended.reason)
        }
        None => draft.nothing(
            Outcome::Superseded,
            "this command was carried out before; `history` tells how it ended".to_owned(),
        ),
    })
}
