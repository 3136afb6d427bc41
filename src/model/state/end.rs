//! Ends a promotion in the state.

use jiff::Timestamp;

use super::{Recent, Running, State};
use crate::model::Digest;
use crate::model::approval::Progress;
use crate::model::limits::{keep_newest, kept_reason};
use crate::model::promotion::{End, Ended, Promotion};

/// The most ended promotions that the state itself remembers by token. All are in the history
/// items.
const RECENT: usize = 20;
/// The most failed images that automation remembers, so as not to retry them.
const FAILED: usize = 50;

impl State {
    /// Ends an open promotion: remembers its token, and returns the record for the history.
    pub fn end(
        &mut self,
        promotion: &Promotion,
        end: End,
        reason: impl Into<String>,
        now: Timestamp,
    ) -> Ended {
        let reason = kept_reason(&reason.into());
        self.open.retain(|open| open.token != promotion.token);
        if matches!(end, End::Superseded | End::Blocked) {
            self.release_request(promotion);
        }
        let ended = Ended {
            number: self.ended,
            promotion: promotion.clone().within_limits(),
            end,
            reason: reason.clone(),
            ended_at: now,
        };
        self.ended += 1;
        self.recent.push(Recent {
            token: promotion.token.clone(),
            tag: promotion.tag.clone(),
            digest: promotion.digest.clone(),
            commit: promotion.commit.clone(),
            previous_tag: promotion.previous_tag.clone(),
            end,
            reason,
        });
        keep_newest(&mut self.recent, RECENT);
        match end {
            End::Deployed => {
                self.forget_failure(&promotion.digest);
                self.running = Some(Running {
                    tag: promotion.tag.to_string(),
                    digest: Some(promotion.digest.clone()),
                    commit: promotion.commit.clone(),
                    since: Some(now),
                    by: promotion.by.clone(),
                });
            }
            End::Failed => {
                self.forget_failure(&promotion.digest);
                self.failed.push(promotion.digest.clone());
                keep_newest(&mut self.failed, FAILED);
            }
            End::Cancelled | End::Superseded | End::Blocked => {}
        }
        ended
    }

    /// Ends an earlier request whose promotion was not carried out. The votes on the present
    /// request still count.
    fn release_request(&mut self, promotion: &Promotion) {
        let Some(id) = &promotion.request else { return };
        for request in self.earlier_requests.iter_mut().filter(|request| request.id == *id) {
            if !request.progress.is_final() {
                request.progress = Progress::Superseded;
            }
        }
        if let Some(request) = self.request.as_mut().filter(|request| request.id == *id) {
            request.step_back();
        }
    }

    fn forget_failure(&mut self, digest: &Digest) {
        self.failed.retain(|failed| failed != digest);
    }
}
