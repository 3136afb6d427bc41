//! A read that failed and ends nothing. No I/O here.

/// A read that failed. The look goes on without it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// The error: it names the action and the cause.
    pub words: String,
    /// Whether the role of the call may not make it.
    pub is_denied: bool,
}
