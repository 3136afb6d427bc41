//! The known apps (stored as the roster), and where the next look continues.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;
use serde::{Deserialize, Serialize};

use super::{if_unchanged, nonce_of, read, unreadable};
use crate::error::Error;
use crate::model::AppName;
use crate::model::known_apps::{KnownApps, Trouble, Unfinished};
use crate::services::clients::Clients;
use crate::world::Applied;
use crate::world::snapshot::Version;

/// The partition and the item of the roster. No app can have such a name.
const ROSTER: &str = "#roster";
/// The largest size of one item of the roster, in bytes as DynamoDB counts them. An item may have
/// 400 KB.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>
const ROSTER_BYTES: usize = 300_000;
/// The largest size of an entry without its name, in bytes: DynamoDB's overhead and the value.
const ROSTER_ENTRY: usize = 20;
/// The most reads of the roster, if other invocations write it during the read.
const ROSTER_ROUNDS: u32 = 3;
/// The partition and the item that say where the next look continues.
const UNFINISHED: &str = "#unfinished";

/// One item of the roster. It holds the whole roster, unless there are thousands of apps.
#[derive(Serialize, Deserialize)]
struct Part {
    apps: BTreeMap<AppName, Option<Trouble>>,
    /// The apps that are gone. Only the first item has them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    gone: BTreeSet<AppName>,
    /// The number of items of the roster. Only the first item has it.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    parts: usize,
}

fn one() -> usize {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_one(parts: &usize) -> bool {
    *parts == 1
}

fn roster_part(n: usize) -> String {
    format!("{ROSTER}/{n}")
}

/// Splits the roster into items that are small enough for DynamoDB.
fn parts(roster: &KnownApps) -> (Part, Vec<Part>) {
    let new = || Part { apps: BTreeMap::new(), gone: BTreeSet::new(), parts: 1 };
    let size = roster.gone.iter().map(|name| name.as_str().len() + ROSTER_ENTRY).sum();
    let (mut first, mut further, mut size): (Part, Vec<Part>, usize) = (new(), Vec::new(), size);
    first.gone.clone_from(&roster.gone);
    for (name, trouble) in &roster.apps {
        let entry = name.as_str().len() + ROSTER_ENTRY;
        if size + entry > ROSTER_BYTES {
            further.push(new());
            size = 0;
        }
        size += entry;
        further.last_mut().unwrap_or(&mut first).apps.insert(name.clone(), trouble.clone());
    }
    first.parts += further.len();
    (first, further)
}

impl Clients {
    /// Reads the known apps and their version.
    pub(in super::super) async fn read_roster(&self) -> Result<(KnownApps, Version), Error> {
        for _ in 0..ROSTER_ROUNDS {
            let Some((first, version)) = self.versioned(ROSTER, ROSTER).await? else {
                return Ok(Default::default());
            };
            let Part { mut apps, gone, parts } = first;
            let names: Vec<String> = (1..parts).map(roster_part).collect();
            let further = try_join_all(names.iter().map(|name| self.item(ROSTER, name))).await?;
            let is_whole = further
                .iter()
                .all(|item| item.as_ref().is_some_and(|item| nonce_of(item) == version.0));
            if is_whole {
                for (name, item) in names.iter().zip(further.into_iter().flatten()) {
                    apps.extend(read::<Part>(ROSTER, name, item)?.apps);
                }
                return Ok((KnownApps { apps, gone }, version));
            }
            // Another invocation wrote it between two of these reads: read again.
        }
        Err(unreadable(self.resource(ROSTER, ROSTER), &"it kept changing while it was read"))
    }

    /// Writes the known apps: one item, or several items in one transaction.
    pub(in super::super) async fn write_roster(
        &self,
        roster: &KnownApps,
        version: &Version,
    ) -> Result<Applied, Error> {
        let nonce = (self.nonce)()?;
        let resource = self.resource(ROSTER, ROSTER);
        let (first, further) = parts(roster);
        let mut puts = vec![if_unchanged(self.put(ROSTER, ROSTER, &first, &nonce)?, version)];
        for (n, part) in (1..).zip(&further) {
            puts.push(self.put(ROSTER, &roster_part(n), part, &nonce)?);
        }
        let is_written = self.write(puts, &nonce, &resource).await?;
        Ok(if is_written { Applied::Saved(Version(Some(nonce))) } else { Applied::Conflict })
    }

    /// Reads where the next look continues, and its version.
    pub(in super::super) async fn read_unfinished(&self) -> Result<(Unfinished, Version), Error> {
        Ok(self.versioned(UNFINISHED, UNFINISHED).await?.unwrap_or_default())
    }

    /// Writes where the next look continues.
    pub(in super::super) async fn write_unfinished(
        &self,
        unfinished: &Unfinished,
        version: &Version,
    ) -> Result<Applied, Error> {
        let nonce = (self.nonce)()?;
        let resource = self.resource(UNFINISHED, UNFINISHED);
        let put = if_unchanged(self.put(UNFINISHED, UNFINISHED, unfinished, &nonce)?, version);
        let is_written = self.write(vec![put], &nonce, &resource).await?;
        Ok(if is_written { Applied::Saved(Version(Some(nonce))) } else { Applied::Conflict })
    }
}

#[cfg(test)]
mod tests;
