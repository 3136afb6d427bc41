//! The table of the AWS in memory: writes with conditions.

use ecr_promoter::model::approval::RequestIndex;
use ecr_promoter::world::Applied;
use ecr_promoter::world::action::Records;
use ecr_promoter::world::snapshot::Version;

use super::world::Inner;

impl Inner {
    pub(super) fn save(&mut self, records: &Records, version: &Version) -> Applied {
        if records.state.is_some()
            && self.state.as_ref().map(|(_, nonce)| nonce) != version.0.as_ref()
        {
            return Applied::Conflict;
        }
        if let Some(command) = &records.command {
            if self.commands.get(&command.id).is_some_and(|known| known.answer.is_some()) {
                return Applied::Conflict;
            }
            self.commands.insert(command.id.clone(), command.clone());
            self.alarm_has_acted = false;
        }
        for ended in &records.history {
            let before = self.history.insert(ended.number, ended.clone());
            assert!(before.is_none(), "two promotions have the number {}", ended.number);
        }
        let Some(state) = &records.state else { return Applied::Done };
        if let Some(request) = &records.request {
            self.asked.insert(
                request.id.clone(),
                RequestIndex { app: self.turned_to(), digest: request.digest.clone() },
            );
        }
        self.nonces += 1;
        let nonce = self.nonces.to_string();
        self.state = Some((state.clone(), nonce.clone()));
        Applied::Saved(Version(Some(nonce)))
    }

    /// What a record is to be called that nobody else writes.
    pub(super) fn nonce(&mut self) -> String {
        self.nonces += 1;
        format!("{:032x}", self.nonces)
    }
}

/// Writes a record if it is still as it was read.
pub(super) fn keep<T: Clone>(
    kept: &mut Option<(T, String)>,
    record: &T,
    version: &Version,
    nonces: &mut u64,
) -> Applied {
    if kept.as_ref().map(|(_, nonce)| nonce) != version.0.as_ref() {
        return Applied::Conflict;
    }
    *nonces += 1;
    *kept = Some((record.clone(), nonces.to_string()));
    Applied::Saved(Version(Some(nonces.to_string())))
}
