use serde_json::{Value, json};

use super::Candidates;
use crate::error::Error;
use crate::model::Digest;
use crate::model::image::Tags;
use crate::samples::repository;
use crate::services::samples::{tag, web_app};
use crate::services::wire::ecr::{
    MANIFEST, MEDIA_TYPE, OCI, OLD_MANIFEST, batch_get_image, describe_images, image, images,
    no_repository, row,
};
use crate::services::wire::{Recording, json_error, ok_json, replay};

async fn on_source_tag(answer: Recording) -> Candidates {
    let read = replay([answer], async |clients| clients.candidates(&web_app(), None).await).await;
    read.expect("read")
}

async fn named(digest: &Digest, recordings: Vec<Recording>) -> Result<Candidates, Error> {
    replay(recordings, async |clients| clients.candidates(&web_app(), Some(digest)).await).await
}

/// A call for the image of the source tag.
fn by_tag(rows: &[Value], failures: &[Value]) -> Recording {
    (batch_get_image(&json!([{ "imageTag": "latest" }])), images(rows, failures))
}

/// A call for an image by its digest.
fn by_digest(digest: &Digest, rows: &[Value], failures: &[Value]) -> Recording {
    (batch_get_image(&json!([{ "imageDigest": digest }])), images(rows, failures))
}

/// A call for the tags of an image.
fn tags_of(digest: &Digest, tags: &[&str]) -> Recording {
    let detail = json!({ "imageDigest": digest, "imageTags": tags });
    let asked = describe_images(&json!({ "imageDigest": digest }));
    (asked, ok_json(&json!({ "imageDetails": [detail] })))
}

fn holder(candidates: &Candidates, name: &str) -> Option<Option<Digest>> {
    let tags: &Tags = candidates.tags.as_ref().expect("a repository");
    tags.holder(&tag(name)).map(Option::<&Digest>::cloned)
}

#[tokio::test]
async fn a_repository_that_does_not_exist_has_no_images_and_no_tags() {
    let asked = batch_get_image(&json!([{ "imageTag": "latest" }]));
    let none = on_source_tag((asked, no_repository())).await;
    assert_eq!((none.found.len(), none.newest, none.tags.is_none()), (0, None, true));

    let digest = image().digest;
    let recordings = vec![
        (batch_get_image(&json!([{ "imageDigest": digest }])), no_repository()),
        (describe_images(&json!({ "imageDigest": digest })), no_repository()),
    ];
    let none = named(&digest, recordings).await.expect("not an error");
    assert_eq!((none.found.len(), none.newest, none.tags.is_none()), (0, None, true));
}

#[tokio::test]
async fn the_newest_image_of_a_push_is_known_by_its_own_tags() {
    let image = image();
    // By digest, ECR answers a row for each tag.
    let rows =
        ["latest", "9fceb02"].map(|name| row(&image.digest, Some(name), MANIFEST, MEDIA_TYPE));
    let recordings =
        vec![by_digest(&image.digest, &rows, &[]), tags_of(&image.digest, &["9fceb02", "latest"])];
    let candidates = named(&image.digest, recordings).await.expect("read");
    assert_eq!(candidates.found, [(image.digest.clone(), Ok(image.clone()))].into());
    assert_eq!(candidates.newest, Some(image.digest.clone()));
    assert_eq!(holder(&candidates, "latest"), Some(Some(image.digest.clone())));
    assert_eq!(holder(&candidates, "9fceb02"), Some(Some(image.digest)));
    assert_eq!(holder(&candidates, "e83c516"), None);
}

#[tokio::test]
async fn another_newest_image_is_found_by_the_source_tag() {
    let (image, old) = (image(), Digest::of(OLD_MANIFEST.as_bytes()));
    let newest = row(&image.digest, Some("latest"), MANIFEST, MEDIA_TYPE);
    let recordings = vec![
        by_digest(&old, &[row(&old, Some("9fceb02"), OLD_MANIFEST, OCI)], &[]),
        tags_of(&old, &["9fceb02"]),
        by_tag(&[newest], &[]),
    ];
    let candidates = named(&old, recordings).await.expect("read");
    assert_eq!(candidates.found.keys().collect::<Vec<_>>(), [&old]);
    assert_eq!(candidates.newest, Some(image.digest.clone()));
    assert_eq!(holder(&candidates, "latest"), Some(Some(image.digest)));
    assert_eq!(holder(&candidates, "9fceb02"), Some(Some(old)));
}

#[tokio::test]
async fn a_manifest_that_ecr_converted_is_not_taken_for_the_image() {
    let digest = Digest::of(b"a list of manifests");
    let candidates =
        on_source_tag(by_tag(&[row(&digest, Some("latest"), MANIFEST, MEDIA_TYPE)], &[])).await;
    assert_eq!(candidates.found, [].into());
    assert_eq!(candidates.newest, Some(digest));
}

#[tokio::test]
async fn the_image_of_the_source_tag_is_read_with_it() {
    let image = image();
    // ECR may name another of its tags.
    let rows =
        ["9fceb02", "latest"].map(|name| row(&image.digest, Some(name), MANIFEST, MEDIA_TYPE));
    let candidates = on_source_tag(by_tag(&rows, &[])).await;
    assert_eq!(candidates.newest, Some(image.digest.clone()));
    assert_eq!(candidates.found, [(image.digest.clone(), Ok(image))].into());
}

#[tokio::test]
async fn an_image_that_cannot_be_pulled_says_why() {
    let digest = image().digest;
    let failure = |code: &str, words: &str| {
        let id = json!({ "imageDigest": digest });
        json!({ "imageId": id, "failureCode": code, "failureReason": words })
    };
    for (failures, expected) in [
        (
            vec![failure("ImageNotFound", "Requested image not found")],
            "ImageNotFound: Requested image not found",
        ),
        (
            vec![failure("ImageInaccessible", "The image is archived")],
            "ImageInaccessible: The image is archived",
        ),
        (vec![], "ImageNotFound: ECR does not have it any more"),
    ] {
        let newest = row(&Digest::of(OLD_MANIFEST.as_bytes()), Some("latest"), OLD_MANIFEST, OCI);
        let no_image = json_error("ImageNotFoundException", "not there", &json!({}));
        let recordings = vec![
            by_digest(&digest, &[], &failures),
            (describe_images(&json!({ "imageDigest": digest })), no_image),
            by_tag(&[newest], &[]),
        ];
        let candidates = named(&digest, recordings).await.expect("read");
        let expected = Err(format!("{digest} cannot be pulled: {expected}"));
        assert_eq!(candidates.found[&digest], expected);
        assert_eq!(candidates.newest, Some(Digest::of(OLD_MANIFEST.as_bytes())));

        let recordings = [by_digest(&digest, &[], &failures)];
        let alone = replay(recordings, async |clients| clients.image(&repository(), &digest).await)
            .await
            .expect("read");
        assert_eq!(alone, expected);
    }
}

#[tokio::test]
async fn a_source_tag_on_nothing_makes_nothing_the_newest() {
    let not_found = json!({
        "imageId": { "imageTag": "latest" }, "failureCode": "ImageNotFound",
        "failureReason": "Requested image not found",
    });
    let candidates = on_source_tag(by_tag(&[], &[not_found])).await;
    assert_eq!((candidates.newest.clone(), holder(&candidates, "latest")), (None, Some(None)));
}
