//! The envelope of all events from EventBridge.

use serde_json::Value;

use super::NotUnderstood;
use crate::model::place::Place;

/// The part of an EventBridge event that is read. Its time is not read: nothing depends on it, and
/// AWS's samples have impossible times.
pub(super) struct Envelope<'a> {
    pub(super) detail_type: &'a str,
    /// The account and region that it comes from.
    pub(super) at: Place,
    pub(super) detail: &'a Value,
}

impl<'a> Envelope<'a> {
    pub(super) fn read(raw: &'a Value) -> Result<Self, NotUnderstood> {
        let detail_type = raw["detail-type"]
            .as_str()
            .ok_or_else(|| NotUnderstood::new("an event from EventBridge has no `detail-type`"))?;
        Ok(Self {
            detail_type,
            at: Place {
                account: raw["account"].as_str().map(str::to_owned),
                region: raw["region"].as_str().map(str::to_owned),
            },
            detail: &raw["detail"],
        })
    }
}
