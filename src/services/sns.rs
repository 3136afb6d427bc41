//! The notification topic: text for mail, JSON for machines, and attributes for filter policies.
//! <https://docs.aws.amazon.com/sns/latest/api/API_Publish.html>

use aws_sdk_sns::types::MessageAttributeValue;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use tracing::warn;

use super::clients::Clients;
use super::failure::failed;
use crate::error::Error;
use crate::model::answer::Outcome;
use crate::model::approval::ApprovalLink;
use crate::model::config::App;
use crate::model::notice::Notice;
use crate::notification::{Message, Page, answer_to_commander, message};
use crate::world::{Applied, Web, World};

impl Clients {
    /// Publishes a notice, if there is a topic.
    pub(super) async fn tell(&self, app: &App, notice: &Notice) -> Result<Applied, Error> {
        let Some(topic) = &self.settings.notification_topic else { return Ok(Applied::Done) };
        let page = self.page_of(app, notice).await;
        let environment = app.environment(self.settings.environment.as_deref());
        let message = message(app, notice, &environment, &page);
        self.publish(topic, message).await?;
        Ok(Applied::Done)
    }

    async fn publish(&self, topic: &str, message: Message) -> Result<(), Error> {
        let by_protocol = by_protocol(&message).map_err(|error| incomplete(&error))?;
        let app = message.app.as_ref().map(|app| attribute(app.as_str())).transpose()?;
        let repository = message.repository.as_ref();
        let repository = repository.map(|its| attribute(its.as_str())).transpose()?;
        let request = self
            .sns
            .publish()
            .topic_arn(topic)
            .subject(message.subject)
            .message_structure("json")
            .message(by_protocol)
            .set_message_attributes(Some(
                [("app", app), ("repository", repository)]
                    .into_iter()
                    .filter_map(|(name, value)| Some((name.to_owned(), value?)))
                    .chain([("outcome".to_owned(), attribute(&message.outcome.to_string())?)])
                    .collect(),
            ));
        // On the heap: the future of a call is large.
        Box::pin(request.send())
            .await
            .map_err(|error| failed("sns:Publish", format!("topic `{topic}`"), &error))?;
        Ok(())
    }
}

/// The form for each protocol that a subscription can have. One that is not here gets `default`.
#[derive(Serialize)]
struct ByProtocol<'a> {
    default: &'a RawValue,
    email: &'a RawValue,
    http: &'a RawValue,
    https: &'a RawValue,
    lambda: &'a RawValue,
    sqs: &'a RawValue,
    firehose: &'a RawValue,
}

/// Writes a message for `MessageStructure: json`.
fn by_protocol(message: &Message) -> serde_json::Result<String> {
    // Each form is a JSON string. It is escaped once, and not for each protocol.
    let text = to_raw_value(&message.text)?;
    let machine = to_raw_value(&serde_json::to_string(&message.json)?)?;
    serde_json::to_string(&ByProtocol {
        default: &text,
        email: &text,
        http: &machine,
        https: &machine,
        lambda: &machine,
        sqs: &machine,
        firehose: &machine,
    })
}

/// An attribute that subscriptions filter by.
fn attribute(value: &str) -> Result<MessageAttributeValue, Error> {
    let attribute = MessageAttributeValue::builder().data_type("String").string_value(value);
    attribute.build().map_err(|error| incomplete(&error))
}

fn incomplete(error: &dyn std::fmt::Display) -> Error {
    Error::Unexpected { resource: "sns:Publish".to_owned(), problem: error.to_string() }
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

    /// Publishes an answer that is about no app, if there is a topic.
    async fn tell_commander(&self, reason: &str) -> Result<(), Error> {
        let Some(topic) = &self.settings.notification_topic else { return Ok(()) };
        let environment = self.settings.environment.as_deref();
        self.publish(topic, answer_to_commander(reason, self.now(), environment)).await
    }

    /// The page of a new approval request.
    async fn page_of(&self, app: &App, notice: &Notice) -> Page {
        let is_question = notice.outcome == Outcome::ApprovalRequested;
        let (Some(request), Some(digest), Some(until), true) =
            (&notice.request, &notice.digest, notice.expires_at, is_question)
        else {
            return Page::None;
        };
        let link = ApprovalLink { request: request.clone(), digest: digest.clone() };
        let page = async {
            let signer = self.signer().await?;
            if let Some(address) = signer.and_then(|signer| signer.address(&link, until)) {
                return Ok(Page::At(address));
            }
            let needs_address = app.policy().links && self.public_url().await?.is_none();
            Ok(if needs_address { Page::NeedsAddress } else { Page::None })
        };
        Box::pin(page).await.unwrap_or_else(|error: Error| {
            // The message is useful without the link.
            warn!(repository = %app.name, %error, "the message has no link");
            Page::None
        })
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::body::SdkBody;
    use http::{Request, Response};
    use serde_json::json;

    use super::*;
    use crate::samples::at;
    use crate::services::samples::{self, web_app};
    use crate::services::wire::{
        TOPIC, connect, denied, form_error, form_request, json_error, not_authorized, ok, ssm,
    };

    fn notice() -> Notice {
        let previous_tag = Some("production_e83c516".to_owned());
        let asked = samples::notice(Outcome::ApprovalRequested, "push of `latest`", "50 % & more");
        Notice { previous_tag, ..asked }
    }

    /// The whole request. The SDK numbers the attributes in no particular order.
    fn publish(said: &Message, attributes: &[(&str, &str)]) -> Request<SdkBody> {
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
        let by_protocol = by_protocol.to_string();
        let numbered: Vec<(String, &str)> = attributes
            .iter()
            .zip(1..)
            .flat_map(|((name, value), n)| {
                [("Name", *name), ("Value.DataType", "String"), ("Value.StringValue", *value)]
                    .map(|(key, value)| (format!("MessageAttributes.entry.{n}.{key}"), value))
            })
            .collect();
        let mut pairs = vec![
            ("Action", "Publish"),
            ("Version", "2010-03-31"),
            ("TopicArn", TOPIC),
            ("Message", &by_protocol),
            ("Subject", &said.subject),
            ("MessageStructure", "json"),
        ];
        pairs.extend(numbered.iter().map(|(key, value)| (key.as_str(), *value)));
        form_request("sns", &pairs)
    }

    /// Every order of these attributes.
    fn orders<'a>(attributes: &[(&'a str, &'a str)]) -> Vec<Vec<(&'a str, &'a str)>> {
        if attributes.is_empty() {
            return vec![Vec::new()];
        }
        let first = |i: usize| {
            let mut rest = attributes.to_vec();
            let first = rest.remove(i);
            orders(&rest).into_iter().map(move |rest| [vec![first], rest].concat())
        };
        (0..attributes.len()).flat_map(first).collect()
    }

    /// Publishes to a topic with this answer, and checks the request.
    async fn send_and_check<T>(
        response: Response<SdkBody>,
        said: &Message,
        attributes: &[(&str, &str)],
        send: impl AsyncFnOnce(&Clients) -> T,
    ) -> T {
        let (clients, wire) = connect([(publish(said, attributes), response)]);
        let result = send(&clients).await;
        let body = |request: &SdkBody| request.bytes().expect("in memory").to_vec();
        let sent: Vec<_> = wire.actual_requests().map(|request| body(request.body())).collect();
        let any: Vec<_> = orders(attributes)
            .iter()
            .map(|attributes| body(publish(said, attributes).body()))
            .collect();
        assert!(
            sent.len() == 1 && any.contains(&sent[0]),
            "{}",
            String::from_utf8_lossy(&sent.concat())
        );
        result
    }

    async fn tell_and_check(response: Response<SdkBody>) -> Result<Applied, Error> {
        let said = message(&web_app(), &notice(), "production", &Page::None);
        let attributes = [("app", "web"), ("repository", "web"), ("outcome", "approval_requested")];
        send_and_check(response, &said, &attributes, async |clients| {
            clients.tell(&web_app(), &notice()).await
        })
        .await
    }

    fn accepted() -> Response<SdkBody> {
        ok("<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult>\
            </PublishResponse>")
    }

    #[tokio::test]
    async fn an_answer_about_no_app_has_no_attribute_of_an_app() {
        let said = answer_to_commander("no such command", at("2026-03-17T09:41:30Z"), None);
        send_and_check(accepted(), &said, &[("outcome", "refused")], async |clients| {
            clients.publish(TOPIC, said.clone()).await
        })
        .await
        .expect("published");
        let (mut clients, wire) = connect([]);
        clients.settings.notification_topic = None;
        clients.tell_commander("no such command").await.expect("not an error");
        wire.relaxed_requests_match();
    }

    #[tokio::test]
    async fn a_notice_is_text_and_json_with_attributes_to_filter_by() {
        assert_eq!(tell_and_check(accepted()).await.expect("published"), Applied::Done);
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
    #[tokio::test]
    async fn a_question_ends_with_what_links_in_mails_need() {
        let asked = Notice {
            request: Some("req-0123456789abcdef0123456789abcdef".parse().expect("an id")),
            digest: Some(format!("sha256:{}", "a".repeat(64)).parse().expect("a digest")),
            expires_at: Some(at("2026-03-20T09:41:30Z")),
            ..notice()
        };
        let none = json_error("ParameterNotFound", "", &json!({}));
        let (clients, wire) = connect([(ssm::get_parameter("/ecr-promoter/public-url"), none)]);
        let page = clients.page_of(&web_app(), &asked).await;
        // The keys are not read: without an address the function has no right to.
        wire.assert_requests_match(&[]);
        let text = message(&web_app(), &asked, "production", &page).text;
        assert!(text.ends_with("The template's parameter PublicUrl=on gives it one."), "{text}");

        let mut by_slack = web_app();
        by_slack.config.approval.links = Some(false);
        let none = json_error("ParameterNotFound", "", &json!({}));
        let (clients, _) = connect([(ssm::get_parameter("/ecr-promoter/public-url"), none)]);
        assert_eq!(clients.page_of(&by_slack, &asked).await, Page::None, "links decide nothing");
    }
}
