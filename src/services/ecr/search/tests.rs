use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;
use crate::model::place::Place;
use crate::samples::{COMMIT, OTHER_COMMIT};
use crate::services::samples::{app, web_app};
use crate::services::wire::ecr::{INDEX, OCI, ask, batch_get_image, images, no_repository, row};
use crate::services::wire::{Recording, connect, ok, ok_json, replay};

fn commit() -> Commit {
    "9fceb02".parse().expect("a commit")
}

fn all(digests: &[&Digest]) -> Matches {
    Matches { digests: digests.iter().map(|digest| (*digest).clone()).collect(), unread: 0 }
}

fn manifest(content: &Value) -> (Digest, String) {
    let text = content.to_string();
    (Digest::of(text.as_bytes()), text)
}

/// A manifest that names its commit.
fn annotated(commit: &str, build: usize) -> (Digest, String) {
    manifest(
        &json!({ "build": build, "annotations": { "org.opencontainers.image.revision": commit } }),
    )
}

/// A manifest whose commit can only be in the label of its config.
fn labelled(build: usize) -> (Digest, String) {
    manifest(&json!({ "build": build, "config": { "digest": Digest::of(&build.to_be_bytes()) } }))
}

fn page(ids: &[Value], token: Option<&str>) -> Value {
    let mut page = json!({ "imageIds": ids });
    if let Some(token) = token {
        page["nextToken"] = token.into();
    }
    page
}

fn list(token: Option<&str>) -> http::Request<aws_smithy_types::body::SdkBody> {
    let mut asked = json!({ "repositoryName": "web", "maxResults": 1000 });
    if let Some(token) = token {
        asked["nextToken"] = token.into();
    }
    ask("ListImages", &asked)
}

fn id(digest: &Digest, tag: Option<&str>) -> Value {
    let mut id = json!({ "imageDigest": digest });
    if let Some(tag) = tag {
        id["imageTag"] = tag.into();
    }
    id
}

/// The calls that read these untagged images, sorted by digest, a hundred in one call.
fn reads(untagged: &[(Digest, String)]) -> Vec<Recording> {
    let mut sorted: Vec<&(Digest, String)> = untagged.iter().collect();
    sorted.sort();
    let ids: Vec<Value> = sorted.iter().map(|(digest, _)| id(digest, None)).collect();
    let pages = ids.chunks(1_000).count();
    let listed = ids.chunks(1_000).enumerate().map(|(n, ids)| {
        let token = |n: usize| (n > 0 && n < pages).then(|| format!("page {n}"));
        (list(token(n).as_deref()), ok_json(&page(ids, token(n + 1).as_deref())))
    });
    let read = sorted.chunks(BATCH).map(|batch| {
        let ids: Vec<Value> = batch.iter().map(|(digest, _)| id(digest, None)).collect();
        let rows: Vec<Value> =
            batch.iter().map(|(digest, text)| row(digest, None, text, OCI)).collect();
        (batch_get_image(&json!(ids)), images(&rows, &[]))
    });
    listed.chain(read).collect()
}

async fn search(recordings: Vec<Recording>) -> Matches {
    replay(recordings, async |clients| clients.images_of(&web_app(), &commit()).await)
        .await
        .expect("searched")
}

#[tokio::test]
async fn images_are_found_by_tag_and_annotation_without_platforms() {
    let (platform, platform_text) = annotated(COMMIT, 0);
    let (index, index_text) = manifest(&json!({
        "annotations": { "org.opencontainers.image.revision": COMMIT },
        "manifests": [{
            "digest": platform, "platform": { "os": "linux", "architecture": "arm64" },
        }],
    }));
    let (tagged, tagged_text) = manifest(&json!({ "schemaVersion": 2 }));
    let (other, other_text) = annotated(OTHER_COMMIT, 1);
    // Two rows of one image, on two pages.
    let page_1 = [id(&platform, None), id(&index, Some("latest")), id(&tagged, Some("staging"))];
    let page_2 = [id(&tagged, Some("9fceb02")), id(&other, Some("e83c516"))];
    let asked: Vec<Value> = BTreeSet::from([&platform, &index, &tagged, &other])
        .into_iter()
        .map(|digest| id(digest, None))
        .collect();
    let rows = [
        row(&platform, None, &platform_text, OCI),
        row(&index, Some("latest"), &index_text, INDEX),
        row(&tagged, Some("staging"), &tagged_text, OCI),
        row(&tagged, Some("9fceb02"), &tagged_text, OCI),
        row(&other, Some("e83c516"), &other_text, OCI),
    ];
    let recordings = vec![
        (list(None), ok_json(&page(&page_1, Some("page 2")))),
        (list(Some("page 2")), ok_json(&page(&page_2, None))),
        (batch_get_image(&json!(asked)), images(&rows, &[])),
    ];
    let expected: Vec<&Digest> = BTreeSet::from([&index, &tagged]).into_iter().collect();
    assert_eq!(search(recordings).await, all(&expected));
}

#[tokio::test]
async fn a_search_asks_for_a_hundred_images_at_once() {
    let (wanted, text) = annotated(COMMIT, 0);
    let others = (1..=250).map(|build| annotated(OTHER_COMMIT, build));
    let recordings = reads(&others.chain([(wanted.clone(), text)]).collect::<Vec<_>>());
    assert_eq!(recordings.len(), 1 + 3);
    assert_eq!(search(recordings).await, all(&[&wanted]));
}

#[tokio::test]
async fn labels_are_read_where_nothing_else_names_a_commit() {
    let config = json!({ "config": { "Labels": { "org.opencontainers.image.revision": COMMIT } } })
        .to_string();
    let blob = Digest::of(config.as_bytes());
    let (wanted, text) = manifest(&json!({ "config": { "digest": blob } }));
    let url = "https://x.s3.us-east-1.amazonaws.com/blob";
    let mut recordings = reads(&[(wanted.clone(), text), annotated(OTHER_COMMIT, 0)]);
    let asked = json!({ "repositoryName": "web", "layerDigest": blob });
    recordings
        .push((ask("GetDownloadUrlForLayer", &asked), ok_json(&json!({ "downloadUrl": url }))));
    let get =
        http::Request::get(url).body(aws_smithy_types::body::SdkBody::empty()).expect("a request");
    recordings.push((get, ok(config)));
    assert_eq!(search(recordings).await, all(&[&wanted]));
}

/// Most repositories have no commit in their manifests. `approve web 9fceb02` must not fail there.
#[tokio::test]
async fn more_labels_than_can_be_read_are_counted_and_none_is_read() {
    let (wanted, text) = annotated(COMMIT, 0);
    let labels = (0..=MOST_LABELS).map(labelled);
    let recordings = reads(&labels.chain([(wanted.clone(), text)]).collect::<Vec<_>>());
    assert_eq!(
        search(recordings).await,
        Matches { digests: vec![wanted], unread: MOST_LABELS + 1 }
    );
}

#[tokio::test]
async fn a_config_that_cannot_be_read_does_not_stop_the_search() {
    let (wanted, text) = annotated(COMMIT, 0);
    let broken = labelled(1);
    let asked =
        json!({ "repositoryName": "web", "layerDigest": Digest::of(&1_usize.to_be_bytes()) });
    let mut recordings = reads(&[(wanted.clone(), text), broken]);
    recordings.push((
        ask("GetDownloadUrlForLayer", &asked),
        ok_json(&json!({ "downloadUrl": "https://evil.example/" })),
    ));
    assert_eq!(search(recordings).await, Matches { digests: vec![wanted], unread: 1 });
}

/// ECR repeats a manifest for each of its tags.
#[tokio::test]
async fn manifests_that_are_too_large_together_are_read_in_parts() {
    let (wanted, text) = annotated(COMMIT, 0);
    let (other, other_text) = annotated(OTHER_COMMIT, 1);
    let (large, large_text) =
        manifest(&json!({ "build": "x".repeat(4 * 1024 * 1024), "annotations": {} }));
    let mut sorted = [(&wanted, &text), (&other, &other_text), (&large, &large_text)];
    sorted.sort();
    let ids: Vec<Value> = sorted.iter().map(|(digest, _)| id(digest, None)).collect();
    let read = |asked: &[(&Digest, &String)]| {
        let ids: Vec<Value> = asked.iter().map(|(digest, _)| id(digest, None)).collect();
        let rows = asked.iter().flat_map(|(digest, text)| {
            let tags =
                if **digest == large { ["a", "b", "c", "d"].as_slice() } else { [""].as_slice() };
            tags.iter().map(|tag| row(digest, Some(tag), text, OCI))
        });
        (batch_get_image(&json!(ids)), images(&rows.collect::<Vec<_>>(), &[]))
    };
    // The SDK makes three tries.
    let thrice = |asked: &[(&Digest, &String)]| [(); 3].map(|()| read(asked));
    let mut recordings = vec![(list(None), ok_json(&page(&ids, None)))];
    recordings.extend(thrice(&sorted));
    for half in [&sorted[..1], &sorted[1..]] {
        match half.iter().any(|(digest, _)| **digest == large) {
            false => recordings.push(read(half)),
            true if half.len() == 1 => recordings.extend(thrice(half)),
            true => {
                recordings.extend(thrice(half));
                for one in half.chunks(1) {
                    if *one[0].0 == large {
                        recordings.extend(thrice(one))
                    } else {
                        recordings.push(read(one))
                    }
                }
            }
        }
    }
    assert_eq!(search(recordings).await, all(&[&wanted]));
}

#[tokio::test]
async fn a_search_without_time_counts_the_images_that_it_did_not_read() {
    let images: Vec<(Digest, String)> = (0..3).map(|build| annotated(COMMIT, build)).collect();
    let (clients, wire) = connect(reads(&images).into_iter().take(1));
    clients.begin(&Place::default(), Some(Duration::from_micros(1)));
    let found = clients.images_of(&web_app(), &commit()).await.expect("searched");
    assert_eq!(found, Matches { digests: vec![], unread: 3 });
    wire.relaxed_requests_match();
}

#[tokio::test]
async fn a_repository_that_does_not_exist_has_no_image_of_the_commit() {
    assert_eq!(search(vec![(list(None), no_repository())]).await, all(&[]));
}

#[tokio::test]
async fn tags_do_not_count_if_the_configuration_leaves_them_out() {
    let (tagged, text) = manifest(&json!({ "schemaVersion": 2 }));
    let recordings = [
        (list(None), ok_json(&page(&[id(&tagged, Some("9fceb02"))], None))),
        (
            batch_get_image(&json!([id(&tagged, None)])),
            images(&[row(&tagged, Some("9fceb02"), &text, OCI)], &[]),
        ),
    ];
    let app = app(&json!({ "stack": "web", "commit_from": ["annotation"] }));
    let found = replay(recordings, async |clients| clients.images_of(&app, &commit()).await)
        .await
        .expect("searched");
    assert_eq!(found, all(&[]));
}

#[test]
fn a_key_is_its_digest() {
    let it = Digest::of(b"hello");
    assert_eq!(digest(key(it.as_str()).expect("a key")), it);
    for bad in ["", "sha256:", "sha256:zz", &"a".repeat(71), &format!("sha256:{}", "é".repeat(32))]
    {
        assert_eq!(key(bad), None, "{bad}");
    }
}
