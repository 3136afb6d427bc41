//! The form of a page that confirms an act, and the command that it becomes.

use crate::model::AppName;
use crate::model::Digest;
use crate::model::command::{Act, Choice, Command, ImageRef, RollbackStep, RollbackTo};
use crate::page::board::Viewer;
use crate::page::board::act::{LONGEST_REASON, ONCE, REASON};
use crate::page::board::rollback::{FROM, TO, WHY};
use crate::page::board::verb::Verb;
use crate::text::plain;

/// The fields of a confirming page's form: each of them once, and no others.
pub(super) struct Form {
    once: String,
    reason: Option<String>,
    from: Option<Digest>,
    to: Option<Digest>,
}

impl Form {
    pub(super) fn parse(fields: &[(String, String)], verb: Verb) -> Option<Self> {
        let (mut once, mut reason, mut from, mut to) = (None, None, None, None);
        for (name, value) in fields {
            let field = match name.as_str() {
                ONCE => &mut once,
                REASON if verb == Verb::Hold => &mut reason,
                WHY if verb == Verb::RollBack => &mut reason,
                FROM if verb == Verb::RollBack => &mut from,
                TO if verb == Verb::RollBack => &mut to,
                _ => return None,
            };
            if field.replace(value.clone()).is_some() {
                return None;
            }
        }
        let is_id = |text: &String| {
            text.len() == 32
                && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        };
        let is_too_long = |reason: &String| reason.chars().count() > LONGEST_REASON;
        if reason.as_ref().is_some_and(is_too_long) {
            return None;
        }
        let reason = reason.map(|reason| plain(&reason, LONGEST_REASON).trim().to_owned());
        let reason = reason.filter(|reason| !reason.is_empty());
        let digest = |text: Option<String>| text.map(|text| text.parse()).transpose().ok();
        let (from, to) = (digest(from)?, digest(to)?);
        Some(Self { once: once.filter(is_id)?, reason, from, to })
    }
}

/// A new id for a form.
pub(super) fn once() -> String {
    format!("{:032x}", fastrand::u128(..))
}

/// The command that the form makes; `None` if something that the act needs is missing.
pub(super) fn command(
    viewer: &Viewer<'_>,
    repository: &AppName,
    verb: Verb,
    image: Option<Digest>,
    form: Form,
) -> Option<Command> {
    let act = match verb {
        Verb::Approve => Act::Approve(Choice::Image(ImageRef::Digest(image?))),
        Verb::Reject => Act::Reject(Choice::Image(ImageRef::Digest(image?))),
        Verb::Promote => Act::Promote(Some(ImageRef::Digest(image?))),
        Verb::RollBack => Act::Rollback(rollback(image, form.from, form.to)?, form.reason),
        Verb::Hold => Act::Hold(form.reason?),
        Verb::Resume => Act::Resume,
        Verb::Cancel => Act::Cancel,
        Verb::Look => Act::Reconcile,
        Verb::AskAgain => Act::AskAgain(image?),
    };
    let id = format!("board#{}", form.once);
    Some(match &viewer.session.slack {
        Some(origin) => {
            Command::from_slack(id, act, repository.clone(), origin, &viewer.session.by)
        }
        None => Command::from_board(id, act, repository.clone(), &viewer.session.by),
    })
}

/// The rollback that the form was about: bound to both images, as its reader saw them. Where it is
/// not known what runs, it is bound to its target alone.
fn rollback(
    chosen: Option<Digest>,
    from: Option<Digest>,
    to: Option<Digest>,
) -> Option<RollbackTo> {
    let is_chosen = chosen.is_some();
    if is_chosen && chosen != to {
        return None;
    }
    match from {
        Some(from) => Some(RollbackTo::Shown(Box::new(RollbackStep { from, to, is_chosen }))),
        None => Some(RollbackTo::Image(ImageRef::Digest(to?))),
    }
}
