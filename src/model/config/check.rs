//! Checks that single values of a configuration must pass.

use crate::model::Tag;

/// A value that is not allowed.
pub(super) struct Wrong {
    /// The key, as a path (`approval.required`).
    pub(super) key: &'static str,
    /// What was expected.
    pub(super) expected: &'static str,
}

/// Returns an error about this key unless `holds`.
pub(super) fn ensure(holds: bool, key: &'static str, expected: &'static str) -> Result<(), Wrong> {
    if holds { Ok(()) } else { Err(Wrong { key, expected }) }
}

/// Whether this is a stack's name or ARN.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html>:
/// `[a-zA-Z][-a-zA-Z0-9]*`, 128.
pub(super) fn is_stack(text: &str) -> bool {
    let is_name = |name: &str| {
        (1..=128).contains(&name.len())
            && name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    match text.strip_prefix("arn:") {
        None => is_name(text),
        Some(rest) => {
            let parts: Vec<&str> = rest.splitn(5, ':').collect();
            parts.len() == 5
                && parts[1] == "cloudformation"
                && parts[4]
                    .strip_prefix("stack/")
                    .is_some_and(|r| is_name(r.split('/').next().unwrap_or_default()))
        }
    }
}

/// Whether this can be the name of a stack's parameter.
pub(super) fn is_parameter(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// Whether the longest tag with this prefix is still a tag.
pub(super) fn is_tag_prefix(text: &str) -> bool {
    format!("{text}{}-{}", "a".repeat(40), "a".repeat(12)).parse::<Tag>().is_ok()
}

/// Whether this is a resource type, perhaps with `:Replacement`.
pub(super) fn is_resource_type(change: &str) -> bool {
    let kind = change.strip_suffix(":Replacement").unwrap_or(change);
    kind.split("::").count() >= 2
        && kind.split("::").all(|part| {
            !part.is_empty()
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"@_-".contains(&b))
        })
}

/// Whether this is the name or the ARN of a CloudWatch alarm.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html>: a
/// name has 1-255 characters.
pub(super) fn is_alarm(text: &str) -> bool {
    let name = match text.strip_prefix("arn:") {
        Some(rest) => match rest.splitn(6, ':').collect::<Vec<_>>().as_slice() {
            [_, "cloudwatch", region, account, "alarm", name]
                if !region.is_empty() && !account.is_empty() =>
            {
                *name
            }
            _ => return false,
        },
        None => text,
    };
    (1..=255).contains(&name.chars().count()) && !name.chars().any(char::is_control)
}

/// Whether this is an https address that fits into a link.
pub(super) fn is_web_address(text: &str) -> bool {
    let breaks_a_link = |c: char| c.is_whitespace() || c.is_control() || "<>|\"".contains(c);
    text.starts_with("https://") && !text.contains(breaks_a_link)
}
