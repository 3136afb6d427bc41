use aws_smithy_types::body::SdkBody;
use http::Response;
use serde_json::json;

use crate::error::Error;
use crate::model::Digest;
use crate::samples::repository;
use crate::services::wire::ecr::{
    MANIFEST, MEDIA_TYPE, batch_get_image, describe_images, image, images, row,
};
use crate::services::wire::{denied, json_denied, json_error, ok_json, replay};

#[tokio::test]
async fn an_image_is_read_by_digest_with_the_bytes_as_they_are() {
    let image = image();
    let rows = [
        row(&image.digest, Some("latest"), MANIFEST, MEDIA_TYPE),
        row(&image.digest, Some("9fceb02"), MANIFEST, MEDIA_TYPE),
    ];
    let asked = batch_get_image(&json!([{ "imageDigest": image.digest }]));
    let found = replay([(asked, images(&rows, &[]))], async |clients| {
        clients.image(&repository(), &image.digest).await
    })
    .await;
    assert_eq!(found.expect("read"), Ok(image));
}

#[tokio::test]
async fn other_bytes_than_those_of_the_digest_are_an_error() {
    let digest = Digest::of(b"other bytes");
    let asked = batch_get_image(&json!([{ "imageDigest": digest }]));
    let answer = images(&[row(&digest, None, MANIFEST, MEDIA_TYPE)], &[]);
    let error =
        replay([(asked, answer)], async |clients| clients.image(&repository(), &digest).await)
            .await
            .expect_err("other bytes");
    assert_eq!(
        error.to_string(),
        format!("manifest {digest} of `web`: ECR answered bytes with another sha256")
    );
}

#[tokio::test]
async fn a_denied_read_names_the_action_that_is_missing() {
    let digest = image().digest;
    let asked = batch_get_image(&json!([{ "imageDigest": digest }]));
    let recordings = [(asked, json_denied("ecr:BatchGetImage"))];
    let result =
        replay(recordings, async |clients| clients.image(&repository(), &digest).await).await;
    assert_eq!(denied(result), ("ecr:BatchGetImage".to_owned(), "repository `web`".to_owned()));
}

async fn unavailable(answer: Response<SdkBody>) -> Result<Option<String>, Error> {
    let digest = image().digest;
    let asked = describe_images(&json!({ "imageDigest": digest }));
    replay([(asked, answer)], async |clients| clients.unavailable(&repository(), &digest).await)
        .await
}

#[tokio::test]
async fn an_image_that_is_active_or_says_no_status_can_be_pulled() {
    for detail in [json!({ "imageStatus": "ACTIVE" }), json!({})] {
        assert_eq!(
            unavailable(ok_json(&json!({ "imageDetails": [detail] }))).await.expect("read"),
            None
        );
    }
}

#[tokio::test]
async fn an_image_that_is_archived_or_gone_cannot_be_pulled() {
    let digest = image().digest;
    for status in ["ARCHIVED", "ACTIVATING", "STATUS_OF_TOMORROW"] {
        let answer = ok_json(&json!({ "imageDetails": [{ "imageStatus": status }] }));
        assert_eq!(
            unavailable(answer).await.expect("read"),
            Some(format!("{digest} cannot be pulled: it is {status}"))
        );
    }
    let gone =
        Some(format!("{digest} cannot be pulled: ImageNotFound: ECR does not have it any more"));
    assert_eq!(unavailable(ok_json(&json!({ "imageDetails": [] }))).await.expect("read"), gone);
    assert_eq!(
        unavailable(json_error("ImageNotFoundException", "not there", &json!({})))
            .await
            .expect("not an error"),
        gone
    );
}

#[tokio::test]
async fn a_denied_look_names_the_action_that_is_missing() {
    let result = unavailable(json_error("AccessDeniedException", "", &json!({}))).await;
    assert_eq!(denied(result), ("ecr:DescribeImages".to_owned(), "repository `web`".to_owned()));
}
