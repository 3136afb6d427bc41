//! Limits for texts and lists that are kept, since a DynamoDB item holds at most 400 KB. Reasons,
//! names and lists of changes come from outside and are cut before they are kept. Messages that are
//! sent at once have limits of their own.

/// The most bytes of a reason, in CloudFormation's words or a person's.
pub const REASON: usize = 600;

/// The most bytes of a name of a person or a sender.
pub const BY: usize = 300;

/// The most bytes of a stack parameter's value.
pub const VALUE: usize = 256;

/// The most bytes of one line of changes.
pub const CHANGE: usize = 200;

/// The most lines of changes in a notice.
pub const CHANGES_OF_A_NOTICE: usize = 10;

/// The most people who approved that a notice mentions.
pub const APPROVERS_OF_A_NOTICE: usize = 5;

/// The most bytes of what a notice is about.
pub const ABOUT: usize = 80;

/// The most lines of changes in a request, which pages show for days.
pub const CHANGES_OF_A_REQUEST: usize = 20;

/// The most votes of the present request.
pub const VOTES: usize = 60;

/// The most votes of an earlier request, whose Slack message is still to be updated.
pub const VOTES_OF_AN_EARLIER_REQUEST: usize = 5;

/// The most votes that a promotion carries into the history.
pub const VOTES_OF_A_PROMOTION: usize = 20;

/// The most earlier requests whose Slack messages are still to be updated.
pub const EARLIER: usize = 10;

/// The most notices that have not been sent yet.
pub const UNTOLD: usize = 15;

/// The most change sets that may have to be removed.
pub const CHANGE_SETS: usize = 30;

/// The most commits of a request, a notice or a message.
pub const COMMITS: usize = 20;

/// The longest subject of a commit, in characters and in bytes.
pub const SUBJECT: usize = 200;

/// The longest author of a commit, in characters and in bytes.
pub const AUTHOR: usize = 60;

/// The longest address of a CI run, in bytes. A longer one is left out, since a cut one leads
/// elsewhere.
pub const ADDRESS: usize = 300;

/// The most notices that wait to be sent and keep their change notes and their thread in Slack.
pub const UNTOLD_WITH_NOTES: usize = 4;

/// The most ECS services of one stack whose images are remembered.
pub const SERVICES: usize = 60;

/// The number of ended promotions that one page of the history has.
pub const HISTORY: usize = 100;

/// The most lines that people were told about the alarms of one bake.
pub const TOLD_OF_ALARMS: usize = 20;

/// The most names of other people's change sets that executing ours deletes.
pub const DELETED: usize = 20;

/// Cuts a reason to the length that is kept. A reason must be cut like this before it is compared
/// with a kept one.
pub fn kept_reason(reason: &str) -> String {
    cut(reason, REASON)
}

/// Cuts a text to at most so many bytes. Cutting it twice changes nothing more.
pub fn cut(text: &str, most: usize) -> String {
    const MARK: &str = "…";
    if text.len() <= most {
        return text.to_owned();
    }
    let mut end = most - MARK.len();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{MARK}", &text[..end])
}

pub fn cut_changes(changes: &mut Vec<String>, most: usize) {
    // The line with the number of missing ones counts too.
    if changes.len() > most {
        let missing = changes.len() - (most - 1);
        changes.truncate(most - 1);
        changes.push(format!("and {missing} more"));
    }
    changes.iter_mut().for_each(|change| *change = cut(change, CHANGE));
}

pub fn keep_newest<T>(list: &mut Vec<T>, most: usize) {
    let surplus = list.len().saturating_sub(most);
    list.drain(..surplus);
}
