//! The actions: everything that a decision can have written. Types only.

use crate::model::approval::ApprovalRequest;
use crate::model::identity::SourceIdentity;
use crate::model::image::Image;
use crate::model::notice::Notice;
use crate::model::promotion::{Ended, Update};
use crate::model::state::{CommandRecord, State};
use crate::model::{Digest, Tag, Token};

/// One write. It is complete in itself, and repeating it is safe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Writes all records or none, if nobody has written the state since it was read.
    SaveState(Box<Records>),
    /// Writes the same way that notices were sent. If another invocation wrote the state first, a
    /// notice may be sent again.
    MarkTold(Box<Records>),
    /// Checks that each tag is on its image or on none. Needed where tags can be moved: PutImage
    /// would take a tag from another image.
    CheckTags(Vec<(Tag, Digest)>),
    /// Puts a tag on an image.
    PutTag {
        /// The image, with its manifest.
        image: Box<Image>,
        /// The tag.
        tag: Tag,
    },
    /// Checks that a tag is on its image in the registry that the stack pulls from.
    CheckReplica {
        /// The tag.
        tag: Tag,
        /// The image.
        digest: Digest,
    },
    /// Sends the update of a promotion.
    UpdateStack(Update),
    /// Asks CloudFormation what this update would change. Changes nothing in the stack.
    CreateChangeSet {
        /// The update.
        update: Update,
        /// The change set's name.
        name: String,
    },
    /// Executes the reviewed change set of a promotion.
    ExecuteChangeSet {
        /// The promotion's token.
        token: Token,
        /// The change set's ARN.
        arn: String,
        /// Who it is executed for.
        identity: Option<SourceIdentity>,
    },
    /// Deletes a change set that is no longer needed, by its ARN, or by its name if the ARN is not
    /// known.
    DeleteChangeSet(String),
    /// Cancels the running update of this promotion.
    CancelUpdate(Token),
    /// Sends a notice.
    Tell(Box<Notice>),
    /// Posts or updates the message of a request in Slack.
    Show(Box<ApprovalRequest>),
    /// Stores the answer to a command.
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
            | Action::CheckReplica { .. }
            | Action::DeleteChangeSet(_) => false,
            Action::CheckTags(_) | Action::Tell(_) | Action::Show(_) | Action::KeepAnswer(_) => {
                false
            }
        }
    }

    /// Who this is done for in another account, where it says so itself.
    pub fn identity(&self) -> Option<&SourceIdentity> {
        match self {
            Action::UpdateStack(update) | Action::CreateChangeSet { update, .. } => {
                update.identity.as_ref()
            }
            Action::ExecuteChangeSet { identity, .. } => identity.as_ref(),
            Action::SaveState(_) | Action::MarkTold(_) | Action::CheckTags(_) => None,
            Action::PutTag { .. } | Action::CheckReplica { .. } => None,
            Action::DeleteChangeSet(_) | Action::CancelUpdate(_) => None,
            Action::Tell(_) | Action::Show(_) | Action::KeepAnswer(_) => None,
        }
    }

    /// The action's name, for logs.
    pub fn name(&self) -> &'static str {
        match self {
            Action::SaveState(_) => "SaveState",
            Action::MarkTold(_) => "MarkTold",
            Action::CheckTags(_) => "CheckTags",
            Action::PutTag { .. } => "PutTag",
            Action::CheckReplica { .. } => "CheckReplica",
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

/// The records of one conditional write.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Records {
    /// The state; `None` leaves it as it is.
    pub state: Option<State>,
    /// A new approval request, to be found by its id.
    pub request: Option<ApprovalRequest>,
    /// Promotions that ended.
    pub history: Vec<Ended>,
    /// The command that this write carries out.
    pub command: Option<CommandRecord>,
}

impl Records {
    /// Whether they are the state and nothing besides.
    pub fn is_state_alone(&self) -> bool {
        let Self { state, request, history, command } = self;
        state.is_some() && request.is_none() && history.is_empty() && command.is_none()
    }
}
