//! The form of a page that confirms an act, and the command that it becomes.

use crate::model::Digest;
use crate::model::Repository;
use crate::model::command::{Act, Choice, Command, ImageRef};
use crate::page::board::Viewer;
use crate::page::board::act::{LONGEST_REASON, ONCE, REASON};
use crate::page::board::verb::Verb;
use crate::text::plain;

/// The fields of a confirming page's form: each of them once, and no others.
pub(super) struct Form {
    once: String,
    reason: Option<String>,
}

impl Form {
    pub(super) fn parse(fields: &[(String, String)], verb: Verb) -> Option<Self> {
        let (mut once, mut reason) = (None, None);
        for (name, value) in fields {
            let field = match name.as_str() {
                ONCE => &mut once,
                REASON if verb == Verb::Hold => &mut reason,
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
        let reason = reason
            .map(|reason| plain(reason.trim(), LONGEST_REASON))
            .filter(|reason| !reason.is_empty());
        Some(Self { once: once.filter(is_id)?, reason })
    }
}

/// The command that the form makes; `None` if something that the act needs is missing.
pub(super) fn command(
    viewer: &Viewer<'_>,
    repository: &Repository,
    verb: Verb,
    image: Option<Digest>,
    form: Form,
) -> Option<Command> {
    let image = image.map(ImageRef::Digest);
    let act = match verb {
        Verb::Approve => Act::Approve(Choice::Image(image?)),
        Verb::Reject => Act::Reject(Choice::Image(image?)),
        Verb::Promote => Act::Promote(Some(image?)),
        Verb::RollBack => Act::Rollback(image),
        Verb::Hold => Act::Hold(form.reason?),
        Verb::Resume => Act::Resume,
        Verb::Cancel => Act::Cancel,
    };
    let id = format!("board#{}", form.once);
    Some(match &viewer.session.slack {
        Some(origin) => {
            Command::from_slack(id, act, repository.clone(), origin, &viewer.session.by)
        }
        None => Command::from_board(id, act, repository.clone(), &viewer.session.by),
    })
}
