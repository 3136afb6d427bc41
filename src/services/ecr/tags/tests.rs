use std::collections::BTreeSet;

use aws_smithy_types::body::SdkBody;
use http::{Request, Response};
use serde_json::{Value, json};

use crate::error::Error;
use crate::model::Digest;
use crate::samples::repository;
use crate::services::samples::tag;
use crate::services::wire::ecr::{
    MANIFEST, MEDIA_TYPE, ask, batch_get_image, describe_images, image, images, row,
};
use crate::services::wire::{Recording, answer, denied, json_denied, json_error, ok_json, replay};
use crate::world::Applied;

fn described(detail: Value) -> Response<SdkBody> {
    ok_json(&json!({ "imageDetails": [detail] }))
}

#[tokio::test]
async fn tags_are_read_in_one_call_and_other_artifacts_in_another() {
    let (image, chart) = (image(), Digest::of(b"chart"));
    let asked = batch_get_image(&json!([
        { "imageTag": "chart" }, { "imageTag": "free" }, { "imageTag": "production_9fceb02" },
    ]));
    let failure = |tag: &str, code: &str| {
        let id = json!({ "imageTag": tag });
        json!({ "imageId": id, "failureCode": code, "failureReason": "because" })
    };
    let answer = images(
        &[row(&image.digest, Some("production_9fceb02"), MANIFEST, MEDIA_TYPE)],
        &[failure("free", "ImageNotFound"), failure("chart", "CodeOfTomorrow")],
    );
    let by_tag = describe_images(&json!({ "imageTag": "chart" }));
    let detail = json!({
        "imageDigest": chart, "imageTags": ["chart"],
        "artifactMediaType": "application/vnd.cncf.helm.config.v1+json",
    });
    let recordings = [(asked, answer), (by_tag, described(detail))];
    let tags = ["production_9fceb02", "free", "chart"].map(tag).into();
    let named = replay(recordings, async |clients| clients.tags_named(&repository(), &tags).await)
        .await
        .expect("read");
    assert_eq!(
        named,
        [
            (tag("chart"), Some(chart)),
            (tag("free"), None),
            (tag("production_9fceb02"), Some(image.digest))
        ]
        .into()
    );
}

#[tokio::test]
async fn a_tag_that_is_on_another_image_is_found_before_it_is_put() {
    let (image, other) = (image(), Digest::of(b"other"));
    let check = async |failures: &[Value], rows: &[Value]| {
        let asked = batch_get_image(&json!([{ "imageTag": "production_9fceb02" }]));
        let tags = [(tag("production_9fceb02"), other.clone())];
        replay([(asked, images(rows, failures))], async |clients| {
            clients.check_tags(&repository(), &tags).await
        })
        .await
        .expect("checked")
    };
    let on_image = [row(&image.digest, Some("production_9fceb02"), MANIFEST, MEDIA_TYPE)];
    assert_eq!(check(&[], &on_image).await, Applied::TagTaken(tag("production_9fceb02")));
    let missing =
        json!({ "imageId": { "imageTag": "production_9fceb02" }, "failureCode": "ImageNotFound" });
    assert_eq!(check(&[missing], &[]).await, Applied::Done);
}

#[tokio::test]
async fn all_tags_of_an_image_are_read() {
    let digest = image().digest;
    let by_digest = || describe_images(&json!({ "imageDigest": digest }));
    let tags_of = async |answer| {
        replay([(by_digest(), answer)], async |clients| {
            clients.tags_of(&repository(), &digest).await
        })
        .await
    };
    let tagged = described(json!({ "imageDigest": digest, "imageTags": ["latest", "9fceb02"] }));
    assert_eq!(tags_of(tagged).await.expect("read"), Some([tag("9fceb02"), tag("latest")].into()));
    assert_eq!(
        tags_of(described(json!({ "imageDigest": digest }))).await.expect("read"),
        Some(BTreeSet::new())
    );
    for code in ["ImageNotFoundException", "RepositoryNotFoundException"] {
        assert_eq!(
            tags_of(json_error(code, "not there", &json!({}))).await.expect("not an error"),
            None
        );
    }
    let result = tags_of(json_error("AccessDeniedException", "", &json!({}))).await;
    assert_eq!(denied(result), ("ecr:DescribeImages".to_owned(), "repository `web`".to_owned()));
}

fn put_image() -> Request<SdkBody> {
    let asked = json!({
        "repositoryName": "web",
        "imageManifest": MANIFEST,
        "imageManifestMediaType": MEDIA_TYPE,
        "imageDigest": image().digest,
        "imageTag": "production_9fceb02",
    });
    ask("PutImage", &asked)
}

async fn put_tag(recordings: Vec<Recording>) -> Result<Applied, Error> {
    replay(recordings, async |clients| {
        clients.put_tag(&repository(), &image(), &tag("production_9fceb02")).await
    })
    .await
}

#[tokio::test]
async fn a_tag_is_put_on_the_same_bytes() {
    let answer =
        json!({ "image": row(&image().digest, Some("production_9fceb02"), MANIFEST, MEDIA_TYPE) });
    assert_eq!(put_tag(vec![(put_image(), ok_json(&answer))]).await.expect("put"), Applied::Done);
}

#[tokio::test]
async fn a_tag_that_is_on_the_image_already_is_done() {
    let answer = json_error(
        "ImageAlreadyExistsException",
        "Image with digest and tag already exists",
        &json!({}),
    );
    assert_eq!(put_tag(vec![(put_image(), answer)]).await.expect("not an error"), Applied::Done);
}

#[tokio::test]
async fn an_immutable_tag_that_exists_is_ours_or_taken() {
    let exists = || {
        (
            put_image(),
            json_error(
                "ImageTagAlreadyExistsException",
                "The image tag already exists and is immutable",
                &json!({}),
            ),
        )
    };
    let holder = |digest: &Digest| {
        let answer = images(&[row(digest, Some("production_9fceb02"), MANIFEST, MEDIA_TYPE)], &[]);
        (batch_get_image(&json!([{ "imageTag": "production_9fceb02" }])), answer)
    };
    let ours = put_tag(vec![exists(), holder(&image().digest)]).await;
    assert_eq!(ours.expect("not an error"), Applied::Done, "our first try, whose answer was lost");
    let other = put_tag(vec![exists(), holder(&Digest::of(b"other"))]).await;
    assert_eq!(other.expect("not an error"), Applied::TagTaken(tag("production_9fceb02")));
}

#[tokio::test]
async fn a_tag_that_cannot_be_put_is_an_error_with_the_words_of_ecr() {
    let children = json_error(
        "ReferencedImagesNotFoundException",
        "a manifest of the index is missing",
        &json!({}),
    );
    let error = put_tag(vec![(put_image(), children)]).await.expect_err("refused");
    let expected = "ecr:PutImage on `web:production_9fceb02` failed: \
                    ReferencedImagesNotFoundException: a manifest of the index is missing";
    assert_eq!(error.to_string(), expected);

    let result = put_tag(vec![(put_image(), json_denied("ecr:PutImage"))]).await;
    assert_eq!(denied(result), ("ecr:PutImage".to_owned(), "`web:production_9fceb02`".to_owned()));
}

#[tokio::test]
async fn a_put_whose_first_answer_was_lost_is_tried_again_and_done() {
    let lost = (put_image(), answer(500, "{}"));
    let again = (put_image(), json_error("ImageAlreadyExistsException", "", &json!({})));
    assert_eq!(put_tag(vec![lost, again]).await.expect("not an error"), Applied::Done);
}
