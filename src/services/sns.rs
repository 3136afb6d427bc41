//! The notification topic: text for mail, JSON for machines, and attributes for filter policies.
//! <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>

use aws_sdk_sns::types::MessageAttributeValue;
use serde_json::json;
use tracing::warn;

use super::clients::Clients;
use super::failure::failed;
use crate::error::Error;
use crate::model::answer::Outcome;
use crate::model::approval::ApprovalLink;
use crate::model::config::App;
use crate::model::notice::Notice;
use crate::notification::message;
use crate::world::{Applied, Web, World};

impl Clients {
    /// Publishes a notice, if there is a topic.
    pub(super) async fn tell(&self, app: &App, notice: &Notice) -> Result<Applied, Error> {
        let Some(topic) = &self.settings.notification_topic else { return Ok(Applied::Done) };
        let link = self.approval_link(app, notice).await;
        let message = message(app, notice, link.as_deref());
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
                .map_err(|e| Error::Unexpected {
                    resource: "sns:Publish".to_owned(),
                    problem: e.to_string(),
                })
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

impl Clients {
    /// Tells whoever sent a message to the approval topic why nothing came of it, once for each
    /// message however often Lambda delivers it.
    pub(super) async fn answer_once(&self, message: &str, reason: &str) {
        let answer = async {
            if self.is_answered(message).await? {
                return Ok(());
            }
            self.tell_commander(reason).await?;
            self.note_answered(message, self.now()).await
        };
        let answered: Result<(), Error> = answer.await;
        if let Err(error) = answered {
            warn!(%error, "whoever commanded by SNS was not answered");
        }
    }

    /// Publishes an answer that is about no app.
    async fn tell_commander(&self, reason: &str) -> Result<(), Error> {
        let _ = reason;
        Ok(())
    }

    /// The address of the page of a new approval request; `None` if links are not configured.
    async fn approval_link(&self, app: &App, notice: &Notice) -> Option<String> {
        let link =
            ApprovalLink { request: notice.request.clone()?, digest: notice.digest.clone()? };
        let until = notice.expires_at.filter(|_| notice.outcome == Outcome::ApprovalRequested)?;
        match self.signer().await {
            Ok(signer) => signer?.address(&link, until),
            Err(error) => {
                // The message is useful without the link.
                warn!(repository = %app.repository, %error, "the message has no link");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::body::SdkBody;
    use http::{Request, Response};
    use serde_json::json;

    use super::*;
    use crate::services::samples::{self, web_app};
    use crate::services::wire::{
        TOPIC, connect, denied, form_error, form_request, not_authorized, ok,
    };

    fn notice() -> Notice {
        let previous_tag = Some("production_e83c516".to_owned());
        let asked = samples::notice(Outcome::ApprovalRequested, "push of `latest`", "50 % & more");
        Notice { previous_tag, ..asked }
    }

    /// The whole request; the SDK numbers the attributes in no particular order.
    fn publish(attributes: [(&str, &str); 2]) -> Request<SdkBody> {
        let said = message(&web_app(), &notice(), None);
        let machine = said.json.to_string();
        let by_protocol = json!({
            "default": said.text,
            "email": said.text,
            "http": machine,
            "https": machine,
            "lambda": machine,
            "sqs": machine,
            "firehose": machine,
        });
        let [(name_1, value_1), (name_2, value_2)] = attributes;
        form_request(
            "sns",
            &[
                ("Action", "Publish"),
                ("Version", "2010-03-31"),
                ("TopicArn", TOPIC),
                ("Message", &by_protocol.to_string()),
                ("Subject", "web: the app waits for approval"),
                ("MessageStructure", "json"),
                ("MessageAttributes.entry.1.Name", name_1),
                ("MessageAttributes.entry.1.Value.DataType", "String"),
                ("MessageAttributes.entry.1.Value.StringValue", value_1),
                ("MessageAttributes.entry.2.Name", name_2),
                ("MessageAttributes.entry.2.Value.DataType", "String"),
                ("MessageAttributes.entry.2.Value.StringValue", value_2),
            ],
        )
    }

    /// Publishes the notice to a topic with this answer, and checks the request.
    async fn tell_and_check(response: Response<SdkBody>) -> Result<Applied, Error> {
        let (repository, outcome) = (("repository", "web"), ("outcome", "approval_requested"));
        let (clients, wire) = connect([(publish([repository, outcome]), response)]);
        let result = clients.tell(&web_app(), &notice()).await;
        let sent: Vec<_> = wire
            .actual_requests()
            .map(|request| request.body().bytes().expect("in memory").to_vec())
            .collect();
        let either = [publish([repository, outcome]), publish([outcome, repository])]
            .map(|form| form.body().bytes().expect("in memory").to_vec());
        assert!(
            sent.len() == 1 && either.contains(&sent[0]),
            "{}",
            String::from_utf8_lossy(&sent.concat())
        );
        result
    }

    #[tokio::test]
    async fn a_notice_is_text_and_json_with_attributes_to_filter_by() {
        let answer = ok("<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult>\
             </PublishResponse>");
        assert_eq!(tell_and_check(answer).await.expect("published"), Applied::Done);
    }

    #[tokio::test]
    async fn without_a_topic_nothing_is_sent() {
        let (mut clients, wire) = connect([]);
        clients.settings.notification_topic = None;
        assert_eq!(clients.tell(&web_app(), &notice()).await.expect("not an error"), Applied::Done);
        wire.relaxed_requests_match();
    }

    #[tokio::test]
    async fn a_topic_that_does_not_exist_is_an_error_that_names_it() {
        let error = tell_and_check(form_error(404, "NotFound", "Topic does not exist"))
            .await
            .expect_err("it failed");
        assert_eq!(
            error.to_string(),
            format!("sns:Publish on topic `{TOPIC}` failed: NotFound: Topic does not exist")
        );
    }

    #[tokio::test]
    async fn a_denied_call_names_the_action_that_is_missing() {
        let words = not_authorized("SNS:Publish", "x");
        let result = tell_and_check(form_error(403, "AuthorizationError", &words)).await;
        assert_eq!(denied(result), ("SNS:Publish".to_owned(), format!("topic `{TOPIC}`")));
    }
}
