//! The notification topic: text for people, JSON for machines, attributes for filter policies.

use aws_sdk_sns::types::MessageAttributeValue;
use serde_json::json;

use super::{Aws, failed};
use crate::config::App;
use crate::error::Error;
use crate::message::message;
use crate::state::Notice;
use crate::world::Applied;

impl Aws {
    /// Publishes a notice; without a topic there is nobody to tell.
    pub(super) async fn tell(&self, app: &App, notice: &Notice) -> Result<Applied, Error> {
        let Some(topic) = &self.settings.notification_topic else { return Ok(Applied::Done) };
        let message = message(app, notice);
        let machine = message.json.to_string();
        let by_protocol = json!({
            "default": message.text,
            "email": message.text,
            "http": machine,
            "https": machine,
            "lambda": machine,
            "sqs": machine,
            "firehose": machine,
        });
        let attribute = |value: &str| {
            MessageAttributeValue::builder()
                .data_type("String")
                .string_value(value)
                .build()
                .map_err(|e| Error::Unexpected { resource: "sns:Publish".to_owned(), problem: e.to_string() })
        };
        self.sns
            .publish()
            .topic_arn(topic)
            .subject(message.subject)
            .message_structure("json")
            .message(by_protocol.to_string())
            .message_attributes("repository", attribute(app.repository.as_str())?)
            .message_attributes("outcome", attribute(&notice.outcome.to_string())?)
            .send()
            .await
            .map_err(|error| failed("sns:Publish", format!("topic `{topic}`"), &error))?;
        Ok(Applied::Done)
    }
}
