//! Ends a promotion in the state.

use jiff::Timestamp;

use super::{Recent, Running, State};
use crate::model::Digest;
use crate::model::approval::Progress;
use crate::model::limits::{keep_newest, kept_reason};
use crate::model::promotion::{End, Ended, Promotion};
use crate::model::verification::Verification;

/// The most ended promotions that the state itself remembers. All are in the history items, and
/// each write of the state carries these.
const RECENT: usize = 2;
/// The most failed images that automation remembers, so as not to retry them.
const FAILED: usize = 50;

impl State {
    /// Notes that CloudFormation has finished an open promotion. The stack names its tag from now
    /// on; whether ECS runs the image is verified until `end` is called.
    pub fn verify(&mut self, promotion: &Promotion, minutes: u32, now: Timestamp) {
        self.open.retain(|open| open.token != promotion.token);
        self.forget_failure(&promotion.digest);
        let reason = "CloudFormation finished the update".to_owned();
        self.remember(promotion, End::Deployed, reason, now);
        self.now_runs(promotion, now);
        self.verifying = Some(Verification::begin(promotion.clone(), minutes, now));
    }

    /// Ends an open promotion, or one that is being verified: remembers its token, and returns the
    /// record for the history.
    pub fn end(
        &mut self,
        promotion: &Promotion,
        end: End,
        reason: impl Into<String>,
        now: Timestamp,
    ) -> Ended {
        let reason = kept_reason(&reason.into());
        self.open.retain(|open| open.token != promotion.token);
        let was_verified = self
            .verifying
            .take_if(|verifying| verifying.promotion.token == promotion.token)
            .is_some();
        if was_verified && end == End::Superseded {
            self.close_request(promotion);
        } else if matches!(end, End::Superseded | End::Blocked) {
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
        // CloudFormation finished what was verified, and that is what its token stands for.
        if !was_verified || end == End::Failed {
            self.remember(promotion, end, reason, now);
        }
        match end {
            End::Deployed => {
                self.forget_failure(&promotion.digest);
                self.now_runs(promotion, now);
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

    /// Ends the bake. No message says any more that something bakes.
    pub fn end_bake(&mut self) {
        self.bake = None;
        let requests = self.request.iter_mut().chain(&mut self.earlier_requests);
        for request in requests.filter(|it| matches!(it.progress, Progress::Baking(_))) {
            request.progress = Progress::Deployed(None);
        }
    }

    fn remember(&mut self, promotion: &Promotion, end: End, reason: String, now: Timestamp) {
        self.recent.retain(|recent| recent.token != promotion.token);
        self.recent.iter_mut().for_each(|recent| recent.at = None);
        self.recent.push(Recent { at: Some(now), ..Recent::new(promotion, end, reason) });
        keep_newest(&mut self.recent, RECENT);
    }

    fn now_runs(&mut self, promotion: &Promotion, now: Timestamp) {
        self.running = Some(Running {
            tag: promotion.tag.to_string(),
            digest: Some(promotion.digest.clone()),
            commit: promotion.commit.clone(),
            note: promotion.note.clone(),
            since: Some(now),
            by: promotion.by.clone(),
        });
    }

    /// Ends the request of a promotion that was carried out and replaced before it was verified.
    fn close_request(&mut self, promotion: &Promotion) {
        let request = promotion.request.as_ref().and_then(|id| self.request_mut(id));
        if let Some(request) = request.filter(|request| !request.progress.is_final()) {
            request.progress = Progress::Superseded;
        }
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
