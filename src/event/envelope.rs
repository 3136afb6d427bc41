//! The envelope of all events from EventBridge.

use serde_json::Value;

use super::{Invocation, NotUnderstood};
use crate::text::brief;

/// The part of an EventBridge event that is read. Its time is not read: nothing depends on it, and
/// AWS's samples have impossible times.
pub(super) struct Envelope<'a> {
    pub(super) detail_type: &'a str,
    account: Option<&'a str>,
    region: Option<&'a str>,
    pub(super) detail: &'a Value,
}

impl<'a> Envelope<'a> {
    pub(super) fn read(raw: &'a Value) -> Result<Self, NotUnderstood> {
        let detail_type = raw["detail-type"]
            .as_str()
            .ok_or_else(|| NotUnderstood::new("an event from EventBridge has no `detail-type`"))?;
        Ok(Self {
            detail_type,
            account: raw["account"].as_str(),
            region: raw["region"].as_str(),
            detail: &raw["detail"],
        })
    }

    /// Says from which other account or region the event comes; `None` if both are the function's
    /// own.
    pub(super) fn is_elsewhere(&self, invocation: &Invocation) -> Option<String> {
        let differs =
            |own: &Option<String>, its: Option<&str>| own.is_some() && own.as_deref() != its;
        let other = |name: &str, its: Option<&str>| {
            format!("it comes from another {name}: {}", brief(its.unwrap_or("none")))
        };
        if differs(&invocation.account, self.account) {
            return Some(other("account", self.account));
        }
        differs(&invocation.region, self.region).then(|| other("region", self.region))
    }
}
