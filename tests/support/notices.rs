//! Where people are told: a channel in Slack, and a topic.

use ecr_promoter::error::Error;
use ecr_promoter::model::approval::{ApprovalRequest, Posted};
use ecr_promoter::model::notice::Notice;
use ecr_promoter::world::Applied;

use super::slack::CHANNEL;
use super::world::Inner;

impl Inner {
    pub(super) fn show(&mut self, request: &ApprovalRequest) -> Applied {
        if self.slack_is_down {
            return Applied::PutOff;
        }
        let posted = request.posted.clone().unwrap_or_else(|| {
            self.nonces += 1;
            Posted { channel: CHANNEL.to_owned(), ts: self.nonces.to_string(), team: None }
        });
        self.slack.insert(posted.ts.clone(), request.clone());
        Applied::Shown(posted)
    }

    pub(super) fn tell(&mut self, notice: &Notice) -> Result<Applied, Error> {
        self.now += self.told_in;
        if self.topic_is_down {
            let (resource, message) = ("topic".to_owned(), "it is down".to_owned());
            return Err(Error::Aws { action: "sns:Publish", resource, message });
        }
        self.told.push(notice.clone());
        Ok(Applied::Done)
    }
}
