use aws_smithy_types::body::SdkBody;
use http::{Request, Response};
use serde_json::{Value, json};

use super::{MOST_BYTES, is_trusted};
use crate::error::Error;
use crate::model::image::Image;
use crate::model::{Commit, Digest};
use crate::samples::{COMMIT, OTHER_COMMIT, repository};
use crate::services::wire::ecr::{OCI, ask, batch_get_image, images, row};
use crate::services::wire::{Recording, answer, connect, denied, json_error, ok, ok_json, replay};

/// A presigned address, as ECR names it.
const URL: &str = "https://prod-us-east-1-starport-layer-bucket.s3.us-east-1.amazonaws.com/\
                   blob?X-Amz-Signature=secret";

#[test]
fn only_aws_and_the_emulator_are_trusted() {
    let emulator = Some("http://127.0.0.1:4566");
    for good in [
        "https://prod-us-east-1-starport-layer-bucket.s3.us-east-1.amazonaws.com/x?y=z",
        "https://prod-us-gov-west-1-starport-layer-bucket.s3.us-gov-west-1.amazonaws.com/x",
        "https://x.s3.cn-north-1.amazonaws.com.cn/",
        "https://prod-eusc-de-east-1-starport-layer-bucket.s3.eusc-de-east-1.amazonaws.eu/x",
        "https://x.s3.us-iso-east-1.c2s.ic.gov/",
        "https://x.s3.us-isob-east-1.sc2s.sgov.gov/",
        "https://x.s3.eu-isoe-west-1.cloud.adc-e.uk/",
        "https://x.s3.us-isof-south-1.csp.hci.ic.gov/",
    ] {
        assert!(is_trusted(good, None), "{good}");
    }
    assert!(is_trusted("http://127.0.0.1:4567/blob", emulator));
    for bad in [
        "http://x.s3.amazonaws.com/",
        "https://amazonaws.com.evil.example/",
        "https://evilamazonaws.com/",
        "https://x.amazonaws.com@evil.example/",
        "https://evil.example/?.amazonaws.com",
        "https://amazonaws.eu/",
        "https://evilamazonaws.eu/",
        "https://x.ic.gov/",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "",
    ] {
        assert!(!is_trusted(bad, emulator), "{bad}");
    }
    assert!(!is_trusted("http://127.0.0.1:4566/", None));
    assert!(!is_trusted("http://127.0.0.1/", Some("https://127.0.0.1/")));
}

fn image_config(commit: &str) -> Vec<u8> {
    json!({
        "architecture": "arm64",
        "config": { "Labels": { "org.opencontainers.image.revision": commit } },
    })
    .to_string()
    .into_bytes()
}

fn image(manifest: &Value) -> Image {
    let text = manifest.to_string();
    Image::parse(&Digest::of(text.as_bytes()), text, Some(OCI.to_owned())).expect("a manifest")
}

/// An image with this image config.
fn image_of(config: &[u8]) -> Image {
    image(&json!({ "schemaVersion": 2, "config": { "digest": Digest::of(config) } }))
}

fn get_download_url(blob: &Digest) -> Request<SdkBody> {
    let asked = json!({ "repositoryName": "web", "layerDigest": blob });
    ask("GetDownloadUrlForLayer", &asked)
}

fn named(url: &str) -> Response<SdkBody> {
    ok_json(&json!({ "downloadUrl": url, "layerDigest": "sha256:…" }))
}

fn get(url: &str) -> Request<SdkBody> {
    Request::get(url).body(SdkBody::empty()).expect("a request")
}

async fn label(recordings: Vec<Recording>, image: &Image) -> Result<Option<Commit>, Error> {
    let labels =
        replay(recordings, async |clients| clients.labels(&repository(), image).await).await?;
    Ok(labels.revision)
}

/// The label of an image whose image config is downloaded with this answer.
async fn label_of_download(download: Response<SdkBody>) -> Result<Option<Commit>, Error> {
    let config = image_config(COMMIT);
    label(
        vec![(get_download_url(&Digest::of(&config)), named(URL)), (get(URL), download)],
        &image_of(&config),
    )
    .await
}

/// The problem that the error names. It never contains the address, which is a credential.
fn problem(result: Result<Option<Commit>, Error>) -> String {
    let words = result.expect_err("refused").to_string();
    assert!(!words.contains("secret"), "{words}");
    let resource = format!("image config {} of `web`: ", Digest::of(&image_config(COMMIT)));
    words.strip_prefix(&resource).expect("it names the image config").to_owned()
}

#[tokio::test]
async fn the_commit_is_read_from_the_label() {
    let commit = label_of_download(ok(image_config(COMMIT))).await.expect("read");
    assert_eq!(commit, Some(COMMIT.parse().expect("a commit")));
}

#[tokio::test]
async fn an_image_without_image_config_is_not_asked_for_one() {
    assert_eq!(label(vec![], &image(&json!({ "schemaVersion": 2 }))).await.expect("read"), None);
}

#[tokio::test]
async fn only_an_address_of_aws_is_fetched() {
    let config = image_config(COMMIT);
    for (url, expected) in [
        ("https://evil.example/blob?secret", "ECR named a download address that is not AWS's"),
        ("http://127.0.0.1/secret", "ECR named a download address that is not AWS's"),
        ("", "ECR named a download address that is not AWS's"),
    ] {
        let recordings = vec![(get_download_url(&Digest::of(&config)), named(url))];
        assert_eq!(problem(label(recordings, &image_of(&config)).await), expected, "{url}");
    }
}

#[tokio::test]
async fn the_emulators_own_address_is_fetched() {
    let config = image_config(COMMIT);
    let url = "http://127.0.0.1:4566/blob";
    let (mut clients, wire) = connect([
        (get_download_url(&Digest::of(&config)), named(url)),
        (get(url), ok(config.clone())),
    ]);
    clients.settings.endpoint_url = Some("http://127.0.0.1:4566".to_owned());
    assert!(
        clients.labels(&repository(), &image_of(&config)).await.expect("read").revision.is_some()
    );
    wire.relaxed_requests_match();
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let redirect = Response::builder()
        .status(302)
        .header("Location", "https://x.s3.amazonaws.com/secret")
        .body(SdkBody::empty());
    assert_eq!(
        problem(label_of_download(redirect.expect("a response")).await),
        "the download was answered 302"
    );
}

#[tokio::test]
async fn an_address_that_has_expired_is_an_error() {
    assert_eq!(
        problem(label_of_download(answer(403, "<Error>secret</Error>")).await),
        "the download was answered 403"
    );
}

#[tokio::test]
async fn other_bytes_than_those_of_the_digest_are_not_read() {
    let other = image_config(OTHER_COMMIT);
    assert_eq!(
        problem(label_of_download(ok(other)).await),
        "the downloaded bytes have another sha256"
    );
}

/// A later look could not read it either, so the image counts as one without a commit.
#[tokio::test]
async fn a_config_of_more_than_4_mb_has_no_commit() {
    assert_eq!(label_of_download(ok(vec![b' '; MOST_BYTES + 1])).await.expect("no failure"), None);
    assert_eq!(
        problem(label_of_download(ok(vec![b' '; MOST_BYTES])).await),
        "the downloaded bytes have another sha256"
    );
    let said = Response::builder()
        .status(200)
        .header("Content-Length", (MOST_BYTES + 1).to_string())
        .body(SdkBody::empty());
    assert_eq!(label_of_download(said.expect("a response")).await.expect("no failure"), None);
}

#[tokio::test]
async fn a_denied_call_names_the_action_that_is_missing() {
    let config = image_config(COMMIT);
    let blob = Digest::of(&config);
    let answer = json_error("AccessDeniedException", "", &json!({}));
    let result = label(vec![(get_download_url(&blob), answer)], &image_of(&config)).await;
    assert_eq!(
        denied(result),
        ("ecr:GetDownloadUrlForLayer".to_owned(), format!("image config {blob} of `web`"))
    );
}

/// An index of these images, with an attestation as `docker buildx` adds it.
fn index(platforms: &[&Image]) -> Image {
    let platform = json!({ "os": "linux", "architecture": "arm64" });
    let mut children: Vec<Value> = platforms
        .iter()
        .map(|image| json!({ "digest": image.digest, "platform": platform }))
        .collect();
    children.push(json!({
        "digest": Digest::of(b"attestation"),
        "platform": { "os": "unknown", "architecture": "unknown" },
    }));
    image(&json!({ "schemaVersion": 2, "manifests": children }))
}

/// The calls that read the label of one platform.
fn read_platform(image: &Image, config: Vec<u8>) -> [Recording; 3] {
    let asked = batch_get_image(&json!([{ "imageDigest": image.digest }]));
    let row = row(&image.digest, None, &image.manifest, &image.media_type);
    [
        (asked, images(&[row], &[])),
        (get_download_url(&Digest::of(&config)), named(URL)),
        (get(URL), ok(config)),
    ]
}

async fn label_of_platforms(commits: [&str; 2]) -> Option<Commit> {
    // The same commit in different bytes.
    let configs = [image_config(commits[0]), [image_config(commits[1]), b"\n".to_vec()].concat()];
    let platforms = [image_of(&configs[0]), image_of(&configs[1])];
    let index = index(&[&platforms[0], &platforms[1]]);
    let recordings = platforms
        .iter()
        .zip(configs)
        .flat_map(|(image, config)| read_platform(image, config))
        .collect();
    label(recordings, &index).await.expect("read")
}

#[tokio::test]
async fn an_index_has_the_commit_that_its_platforms_agree_on() {
    assert_eq!(label_of_platforms([COMMIT, COMMIT]).await, Some(COMMIT.parse().expect("a commit")));
}

#[tokio::test]
async fn a_platform_that_is_listed_a_thousand_times_is_read_once() {
    let config = image_config(COMMIT);
    let platform = image_of(&config);
    let recordings = read_platform(&platform, config).into();
    assert_eq!(
        label(recordings, &index(&[&platform; 1_000])).await.expect("read"),
        Some(COMMIT.parse().expect("a commit"))
    );
}

/// The SOCI index that `soci convert` puts beside an image has its platform, and no label.
#[tokio::test]
async fn a_soci_index_beside_the_image_hides_no_commit() {
    let config = image_config(COMMIT);
    let platform = image_of(&config);
    let amd64 = json!({ "os": "linux", "architecture": "amd64" });
    let soci = json!({
        "digest": Digest::of(b"soci"), "platform": amd64,
        "artifactType": "application/vnd.amazon.soci.index.v2+json",
    });
    let index = image(&json!({
        "schemaVersion": 2,
        "manifests": [{ "digest": platform.digest, "platform": amd64 }, soci],
    }));
    let recordings = read_platform(&platform, config).into();
    assert_eq!(
        label(recordings, &index).await.expect("read"),
        Some(COMMIT.parse().expect("a commit"))
    );
}

#[tokio::test]
async fn platforms_that_disagree_make_no_commit() {
    assert_eq!(label_of_platforms([COMMIT, OTHER_COMMIT]).await, None);
}

#[tokio::test]
async fn a_platform_that_is_gone_makes_no_commit() {
    let gone = image_of(&image_config(COMMIT));
    let [(asked, _), ..] = read_platform(&gone, vec![]);
    assert_eq!(label(vec![(asked, images(&[], &[]))], &index(&[&gone])).await.expect("read"), None);
}
