use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::{Candidates, Newest};
use crate::model::Digest;
use crate::samples::repository;
use crate::services::samples::{tag, web_app};
use crate::services::wire::ecr::{
    MANIFEST, MEDIA_TYPE, OCI, OLD_MANIFEST, batch_get_image, image, images, no_repository, row,
};
use crate::services::wire::replay;

#[tokio::test]
async fn a_repository_that_does_not_exist_has_no_images_and_no_tags() {
    let asked = || batch_get_image(&json!([{ "imageTag": "latest" }]));
    let candidates = replay([(asked(), no_repository())], async |clients| {
        clients.candidates(&web_app(), None).await
    })
    .await
    .expect("not an error");
    assert_eq!((candidates.found.len(), candidates.rows, candidates.is_there), (0, 0, false));
}

#[tokio::test]
async fn one_call_reads_the_image_of_a_push_and_that_of_the_source_tag() {
    let (image, old) = (image(), Digest::of(OLD_MANIFEST.as_bytes()));
    // By digest, ECR answers a row for each tag.
    let rows = [
        row(&old, Some("9fceb02"), OLD_MANIFEST, OCI),
        row(&old, Some("production_9fceb02"), OLD_MANIFEST, OCI),
        row(&image.digest, Some("latest"), MANIFEST, MEDIA_TYPE),
    ];
    let asked = batch_get_image(&json!([{ "imageDigest": old }, { "imageTag": "latest" }]));
    let candidates = replay([(asked, images(&rows, &[]))], async |clients| {
        clients.candidates(&web_app(), Some(&old)).await
    })
    .await;
    let candidates = candidates.expect("read");
    assert_eq!(
        candidates.found.keys().collect::<BTreeSet<_>>(),
        BTreeSet::from([&image.digest, &old])
    );
    assert_eq!(candidates.found[&image.digest], Ok(image.clone()));
    assert_eq!(candidates.newest(Some(&old), &tag("latest")), Newest::Known(Some(image.digest)));
}

#[tokio::test]
async fn a_manifest_that_ecr_converted_is_not_taken_for_the_image() {
    let digest = Digest::of(b"a list of manifests");
    let rows = [row(&digest, Some("latest"), MANIFEST, MEDIA_TYPE)];
    let asked = batch_get_image(&json!([{ "imageTag": "latest" }]));
    let candidates = replay([(asked, images(&rows, &[]))], async |clients| {
        clients.candidates(&web_app(), None).await
    })
    .await
    .expect("read");
    assert_eq!(candidates.found, BTreeMap::new());
    assert_eq!(candidates.newest(None, &tag("latest")), Newest::Known(Some(digest)));
}

#[tokio::test]
async fn an_image_that_cannot_be_pulled_says_why() {
    let digest = image().digest;
    let failure = |code: &str, words: &str| {
        let id = json!({ "imageDigest": digest });
        json!({ "imageId": id, "failureCode": code, "failureReason": words })
    };
    let asked = || batch_get_image(&json!([{ "imageDigest": digest }, { "imageTag": "latest" }]));
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
        let rows = [row(&Digest::of(OLD_MANIFEST.as_bytes()), Some("latest"), OLD_MANIFEST, OCI)];
        let recordings = [(asked(), images(&rows, &failures))];
        let candidates =
            replay(recordings, async |clients| clients.candidates(&web_app(), Some(&digest)).await)
                .await
                .expect("read");
        assert_eq!(
            candidates.found[&digest],
            Err(format!("{digest} cannot be pulled: {expected}"))
        );

        let recordings =
            [(batch_get_image(&json!([{ "imageDigest": digest }])), images(&[], &failures))];
        let alone = replay(recordings, async |clients| clients.image(&repository(), &digest).await)
            .await
            .expect("read");
        assert_eq!(alone, Err(format!("{digest} cannot be pulled: {expected}")));
    }
}

#[tokio::test]
async fn a_source_tag_on_nothing_makes_nothing_the_newest() {
    let failures = [json!({
        "imageId": { "imageTag": "latest" }, "failureCode": "ImageNotFound",
        "failureReason": "Requested image not found",
    })];
    let asked = batch_get_image(&json!([{ "imageTag": "latest" }]));
    let candidates = replay([(asked, images(&[], &failures))], async |clients| {
        clients.candidates(&web_app(), None).await
    })
    .await
    .expect("read");
    assert_eq!(candidates.newest(None, &tag("latest")), Newest::Known(None));
}

#[test]
fn the_newest_is_the_image_that_the_source_tag_is_on() {
    let (a, b) = (Digest::of(b"a"), Digest::of(b"b"));
    let latest = tag("latest");
    let newest = |asked: Option<&Digest>, rows: &[(&Digest, &str)]| {
        let tagged =
            rows.iter().map(|(digest, tag)| ((*digest).clone(), (*tag).to_owned())).collect();
        let candidates = Candidates {
            found: BTreeMap::new(),
            by_tag_failed: false,
            tagged,
            rows: rows.len(),
            is_there: true,
        };
        candidates.newest(asked, &latest)
    };
    let known = |digest: &Digest| Newest::Known(Some(digest.clone()));
    type Rows<'a> = &'a [(&'a Digest, &'a str)];
    let cases: [(Option<&Digest>, Rows<'_>, Newest, &str); 10] = [
        (Some(&a), &[(&a, "latest")], known(&a), "one row for both ids"),
        (Some(&a), &[(&a, "9fceb02"), (&a, "latest")], known(&a), "a row for each tag"),
        (Some(&a), &[(&a, ""), (&a, "")], known(&a), "a row for each id, without tags"),
        (Some(&a), &[(&a, "9fceb02"), (&b, "latest")], known(&b), "another image"),
        (Some(&a), &[(&a, "9fceb02"), (&b, "e83c516")], known(&b), "another image's other tag"),
        (Some(&a), &[(&b, "latest")], known(&b), "the image of the push is gone"),
        (Some(&b), &[(&a, "latest"), (&b, "latest")], known(&a), "the tag moved meanwhile"),
        (None, &[(&b, "e83c516"), (&b, "latest")], known(&b), "only the source tag was asked for"),
        (Some(&a), &[(&a, "9fceb02")], Newest::Ambiguous, "one row, which may be of either id"),
        (Some(&a), &[], Newest::Known(None), "no row"),
    ];
    for (asked, rows, expected, case) in cases {
        assert_eq!(newest(asked, rows), expected, "{case}");
    }
}
