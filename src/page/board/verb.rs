//! What can be done on the board, and who may do it.

/// What can be done on the board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Approve the candidate.
    Approve,
    /// Reject the candidate.
    Reject,
    /// Promote an image.
    Promote,
    /// Go back to an image, or to the previous one.
    RollBack,
    /// Make pushes ask for approval instead of deploying.
    Hold,
    /// End a hold.
    Resume,
    /// Cancel what is under way.
    Cancel,
    /// Look at the app now.
    Look,
    /// Ask people about the candidate again.
    AskAgain,
}

/// Whether an act names an image in its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// Always: people act on the image that they were shown.
    Image,
    /// It may; without one, the previous image is meant.
    Perhaps,
    /// Never.
    Nothing,
}

impl Verb {
    /// All of them.
    pub const ALL: [Verb; 9] = [
        Verb::Approve,
        Verb::Reject,
        Verb::Promote,
        Verb::RollBack,
        Verb::Hold,
        Verb::Resume,
        Verb::Cancel,
        Verb::Look,
        Verb::AskAgain,
    ];

    /// Its name in an address.
    pub fn name(self) -> &'static str {
        match self {
            Verb::Approve => "approve",
            Verb::Reject => "reject",
            Verb::Promote => "promote",
            Verb::RollBack => "rollback",
            Verb::Hold => "hold",
            Verb::Resume => "resume",
            Verb::Cancel => "cancel",
            Verb::Look => "look",
            Verb::AskAgain => "ask",
        }
    }

    /// Whether it names an image.
    pub fn names(self) -> Names {
        match self {
            Verb::Approve | Verb::Reject | Verb::Promote | Verb::AskAgain => Names::Image,
            Verb::RollBack => Names::Perhaps,
            Verb::Hold | Verb::Resume | Verb::Cancel | Verb::Look => Names::Nothing,
        }
    }

    /// Its words on a button.
    pub fn label(self) -> &'static str {
        match self {
            Verb::Approve => "Approve",
            Verb::Reject => "Reject",
            Verb::Promote => "Promote",
            Verb::RollBack => "Roll back",
            Verb::Hold => "Hold",
            Verb::Resume => "Resume",
            Verb::Cancel => "Cancel",
            Verb::Look => "Look now",
            Verb::AskAgain => "Ask again",
        }
    }

    /// The words before the app and the image, on the page that asks about it.
    pub fn question(self) -> &'static str {
        match self {
            Verb::Look => "Look now at",
            Verb::AskAgain => "Ask again about",
            Verb::Approve | Verb::Reject | Verb::Promote | Verb::RollBack => self.label(),
            Verb::Hold | Verb::Resume | Verb::Cancel => self.label(),
        }
    }

    /// The class of its button.
    pub fn class(self) -> &'static str {
        match self {
            Verb::Approve | Verb::Promote | Verb::Resume | Verb::Look | Verb::AskAgain => "go",
            Verb::Reject | Verb::RollBack | Verb::Hold | Verb::Cancel => "stop",
        }
    }
}

/// What the bearer of a board may not do with an app, and why. These rules only choose what a page
/// shows: the decision applies them again.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rights {
    /// Why they may do nothing at all.
    pub no_commands: Option<String>,
    /// Why they may neither approve nor reject.
    pub no_decisions: Option<String>,
}

impl Rights {
    /// Why they may not do this.
    pub fn objection(&self, verb: Verb) -> Option<&str> {
        let decides = matches!(verb, Verb::Approve | Verb::Reject);
        self.no_commands.as_deref().or(self.no_decisions.as_deref().filter(|_| decides))
    }
}
