//! What can be done. Types only.

use crate::model::approval::ApprovalRequest;
use crate::model::image::Image;
use crate::model::notice::Notice;
use crate::model::promotion::{Ended, Update};
use crate::model::state::{CommandRecord, State};
use crate::model::{Digest, Tag, Token};

/// A write, complete in itself and repeatable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Writes the records, all or none, if nobody wrote the state since it was read.
    SaveState(Box<Records>),
    /// The same, where only what was told is lost if somebody else wrote first: then it may be told
    /// again.
    MarkTold(Box<Records>),
    /// Looks whether each tag is on its image or on none, where PutImage would take it from
    /// another.
    CheckTags(Vec<(Tag, Digest)>),
    /// Puts a tag on an image.
    PutTag {
        /// The image, its manifest included.
        image: Box<Image>,
        /// The tag.
        tag: Tag,
    },
    /// Sends the one update of a promotion.
    UpdateStack(Update),
    /// Has CloudFormation work out what this update would change. Nothing that runs changes.
    CreateChangeSet {
        /// The update.
        update: Update,
        /// The change set's name.
        name: String,
    },
    /// Sends the one update of this promotion, which was reviewed.
    ExecuteChangeSet {
        /// The promotion.
        token: Token,
        /// Its change set.
        arn: String,
    },
    /// Removes a change set that is not needed any more, by its ARN, or by its name where that is
    /// not known.
    DeleteChangeSet(String),
    /// Cancels the update of this promotion, which is under way.
    CancelUpdate(Token),
    /// Notifies people.
    Tell(Notice),
    /// Shows people in Slack what a request has come to.
    Show(Box<ApprovalRequest>),
    /// Keeps a command's answer, now that it is known.
    KeepAnswer(Box<CommandRecord>),
}

impl Action {
    /// Whether this asks CloudFormation to do something. CloudFormation does not know the state, so
    /// the reads must be recent.
    pub fn rests_on_reads(&self) -> bool {
        match self {
            Action::UpdateStack(_)
            | Action::CreateChangeSet { .. }
            | Action::ExecuteChangeSet { .. }
            | Action::CancelUpdate(_) => true,
            Action::SaveState(_)
            | Action::MarkTold(_)
            | Action::PutTag { .. }
            | Action::DeleteChangeSet(_) => false,
            Action::CheckTags(_) | Action::Tell(_) | Action::Show(_) | Action::KeepAnswer(_) => {
                false
            }
        }
    }

    /// Its name, for logs.
    pub fn name(&self) -> &'static str {
        match self {
            Action::SaveState(_) => "SaveState",
            Action::MarkTold(_) => "MarkTold",
            Action::CheckTags(_) => "CheckTags",
            Action::PutTag { .. } => "PutTag",
            Action::UpdateStack(_) => "UpdateStack",
            Action::CreateChangeSet { .. } => "CreateChangeSet",
            Action::ExecuteChangeSet { .. } => "ExecuteChangeSet",
            Action::DeleteChangeSet(_) => "DeleteChangeSet",
            Action::CancelUpdate(_) => "CancelUpdate",
            Action::Tell(_) => "Tell",
            Action::Show(_) => "Show",
            Action::KeepAnswer(_) => "KeepAnswer",
        }
    }
}

/// What one conditional write writes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Records {
    /// The state; `None` leaves it.
    pub state: Option<State>,
    /// The state's request, if it is a new one: it is to be found by its id.
    pub request: Option<ApprovalRequest>,
    /// Promotions that ended.
    pub history: Vec<Ended>,
    /// A command that is carried out by this write.
    pub command: Option<CommandRecord>,
}
