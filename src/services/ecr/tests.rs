use std::collections::{BTreeMap, BTreeSet};

use aws_smithy_types::body::SdkBody;
use http::{Request, Response};
use serde_json::{Value, json};

use super::super::wire::{
    Recording, app, denied, form_request, json_error, json_request, ok, ok_json, replay, web,
};
use super::{Candidates, Newest};
use crate::error::Error;
use crate::model::config::App;
use crate::model::image::Image;
use crate::model::{Digest, Tag};
use crate::world::snapshot::Subject;
use crate::world::{Applied, World};

/// As `docker push` writes it: the blanks and line breaks count.
const MANIFEST: &str = "{\n   \"schemaVersion\": 2,\n   \"config\": {}\n}";
const MEDIA_TYPE: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(super) const OCI: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const OLD_MANIFEST: &str = r#"{"schemaVersion":2}"#;

pub(super) fn ask(operation: &str, body: &Value) -> Request<SdkBody> {
    json_request(&format!("AmazonEC2ContainerRegistry_V20150921.{operation}"), body)
}

pub(super) fn batch_get_image(ids: &Value) -> Request<SdkBody> {
    let media_types = [
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
    ];
    ask(
        "BatchGetImage",
        &json!({ "repositoryName": "web", "imageIds": ids, "acceptedMediaTypes": media_types }),
    )
}

pub(super) fn images(rows: &[Value], failures: &[Value]) -> Response<SdkBody> {
    ok_json(&json!({ "images": rows, "failures": failures }))
}

pub(super) fn row(digest: &Digest, tag: Option<&str>, manifest: &str, media_type: &str) -> Value {
    let mut id = json!({ "imageDigest": digest });
    if let Some(tag) = tag {
        id["imageTag"] = tag.into();
    }
    json!({
        "registryId": "012345678912", "repositoryName": "web", "imageId": id,
        "imageManifest": manifest, "imageManifestMediaType": media_type,
    })
}

pub(super) fn web_app() -> App {
    app(&json!({ "stack": "web" }))
}

fn image() -> Image {
    Image::parse(&Digest::of(MANIFEST.as_bytes()), MANIFEST.to_owned(), Some(MEDIA_TYPE.to_owned()))
        .expect("a manifest")
}

fn tag(text: &str) -> Tag {
    text.parse().expect("a tag")
}

// What the tags are on

#[tokio::test]
async fn a_repository_that_does_not_exist_has_no_images_and_no_tags() {
    let missing = || {
        json_error(
            "RepositoryNotFoundException",
            "The repository with name 'web' does not exist",
            &json!({}),
        )
    };
    let asked = || batch_get_image(&json!([{ "imageTag": "latest" }]));
    let candidates =
        replay([(asked(), missing())], async |clients| clients.candidates(&web_app(), None).await)
            .await
            .expect("not an error");
    assert_eq!((candidates.found.len(), candidates.rows, candidates.is_there), (0, 0, false));
}

// The candidates of a push

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
async fn what_cannot_be_pulled_says_why() {
    let digest = image().digest;
    let failure = |code: &str, words: &str| json!({ "imageId": { "imageDigest": digest }, "failureCode": code, "failureReason": words });
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
        let alone = replay(recordings, async |clients| clients.image(&web(), &digest).await)
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
fn the_newest_is_what_the_source_tag_is_on_whatever_the_rows_look_like() {
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
    assert_eq!(newest(Some(&a), &[(&a, "latest")]), known(&a), "one row for both ids");
    assert_eq!(
        newest(Some(&a), &[(&a, "9fceb02"), (&a, "latest")]),
        known(&a),
        "a row for each tag"
    );
    assert_eq!(
        newest(Some(&a), &[(&a, ""), (&a, "")]),
        known(&a),
        "a row for each id, without tags"
    );
    assert_eq!(newest(Some(&a), &[(&a, "9fceb02"), (&b, "latest")]), known(&b), "another image");
    assert_eq!(
        newest(Some(&a), &[(&a, "9fceb02"), (&b, "e83c516")]),
        known(&b),
        "another image, named by another of its tags"
    );
    assert_eq!(newest(Some(&a), &[(&b, "latest")]), known(&b), "the image of the push is gone");
    assert_eq!(
        newest(Some(&b), &[(&a, "latest"), (&b, "latest")]),
        known(&a),
        "the tag moved while ECR answered"
    );
    assert_eq!(
        newest(None, &[(&b, "e83c516"), (&b, "latest")]),
        known(&b),
        "only the source tag was asked for"
    );
    assert_eq!(
        newest(Some(&a), &[(&a, "9fceb02")]),
        Newest::Ambiguous,
        "one row, which may be of either id"
    );
    assert_eq!(newest(Some(&a), &[]), Newest::Known(None), "nothing at all");
}

// The schedule's look

/// What a look reads, side by side, besides the images.
fn others() -> [Recording; 2] {
    let stack = [("Action", "DescribeStacks"), ("Version", "2010-05-15"), ("StackName", "web")];
    let key = json!({ "app": { "S": "web" }, "item": { "S": "state" } });
    let state = json!({ "TableName": "state-table", "Key": key, "ConsistentRead": true });
    let value = "<ParameterKey>ProductionTag</ParameterKey><ParameterValue>production_e83c516</ParameterValue>";
    let member = format!(
        "<member><StackName>web</StackName><Parameters><member>{value}</member></Parameters></member>"
    );
    let described = format!(
        "<DescribeStacksResponse><DescribeStacksResult><Stacks>{member}</Stacks></DescribeStacksResult></DescribeStacksResponse>"
    );
    [
        (json_request("DynamoDB_20120810.GetItem", &state), ok_json(&json!({}))),
        (form_request("cloudformation", &stack), ok(described)),
    ]
}

#[tokio::test]
async fn a_routine_look_asks_for_the_newest_and_the_running_tag_in_one_call() {
    let (image, running) = (image(), Digest::of(OLD_MANIFEST.as_bytes()));
    let rows = [
        row(&image.digest, Some("latest"), MANIFEST, MEDIA_TYPE),
        row(&running, Some("production_e83c516"), OLD_MANIFEST, MEDIA_TYPE),
    ];
    let asked =
        batch_get_image(&json!([{ "imageTag": "latest" }, { "imageTag": "production_e83c516" }]));
    let recordings = others().into_iter().chain([(asked, images(&rows, &[]))]);
    let subject = Subject { is_routine: true, ..Subject::default() };
    let seen = replay(recordings, async |clients| clients.observe(&web_app(), &subject).await)
        .await
        .expect("seen");
    let tags = seen.tags.expect("a repository");
    assert_eq!(tags.holder(&tag("production_e83c516")), Some(Some(&running)));
    assert_eq!(seen.newest, Some(image.digest));
    assert_eq!(
        seen.asked_tags,
        ["latest", "production_e83c516"].map(tag).into(),
        "read after what they are compared with"
    );
}

// One image by digest

#[tokio::test]
async fn an_image_is_read_by_digest_with_the_bytes_as_they_are() {
    let image = image();
    let rows = [
        row(&image.digest, Some("latest"), MANIFEST, MEDIA_TYPE),
        row(&image.digest, Some("9fceb02"), MANIFEST, MEDIA_TYPE),
    ];
    let asked = batch_get_image(&json!([{ "imageDigest": image.digest }]));
    let found = replay([(asked, images(&rows, &[]))], async |clients| {
        clients.image(&web(), &image.digest).await
    })
    .await;
    assert_eq!(found.expect("read"), Ok(image));
}

#[tokio::test]
async fn other_bytes_than_those_of_the_digest_are_an_error() {
    let digest = Digest::of(b"other bytes");
    let asked = batch_get_image(&json!([{ "imageDigest": digest }]));
    let answer = images(&[row(&digest, None, MANIFEST, MEDIA_TYPE)], &[]);
    let error = replay([(asked, answer)], async |clients| clients.image(&web(), &digest).await)
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
    let words = "User: arn:aws:sts::012345678912:assumed-role/r/f is not authorized to perform: \
                 ecr:BatchGetImage on resource: \
                 arn:aws:ecr:us-east-1:012345678912:repository/web";
    let recordings = [(
        batch_get_image(&json!([{ "imageDigest": digest }])),
        json_error("AccessDeniedException", words, &json!({})),
    )];
    let result = replay(recordings, async |clients| clients.image(&web(), &digest).await).await;
    assert_eq!(denied(result), ("ecr:BatchGetImage".to_owned(), "repository `web`".to_owned()));
}

// Whether it can be pulled

async fn unavailable(answer: Response<SdkBody>) -> Result<Option<String>, Error> {
    let digest = image().digest;
    let asked = ask(
        "DescribeImages",
        &json!({ "repositoryName": "web", "imageIds": [{ "imageDigest": digest }] }),
    );
    replay([(asked, answer)], async |clients| clients.unavailable(&web(), &digest).await).await
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

// Tags by name

fn described(detail: Value) -> Response<SdkBody> {
    ok_json(&json!({ "imageDetails": [detail] }))
}

#[tokio::test]
async fn tags_are_asked_for_by_name_in_one_call_and_what_is_no_image_once_more() {
    let (image, chart) = (image(), Digest::of(b"chart"));
    let asked = batch_get_image(&json!([
        { "imageTag": "chart" }, { "imageTag": "free" }, { "imageTag": "production_9fceb02" },
    ]));
    let failure = |tag: &str, code: &str| json!({ "imageId": { "imageTag": tag }, "failureCode": code, "failureReason": "because" });
    let answer = images(
        &[row(&image.digest, Some("production_9fceb02"), MANIFEST, MEDIA_TYPE)],
        &[failure("free", "ImageNotFound"), failure("chart", "CodeOfTomorrow")],
    );
    let by_tag = ask(
        "DescribeImages",
        &json!({ "repositoryName": "web", "imageIds": [{ "imageTag": "chart" }] }),
    );
    let detail = json!({
        "imageDigest": chart, "imageTags": ["chart"],
        "artifactMediaType": "application/vnd.cncf.helm.config.v1+json",
    });
    let recordings = [(asked, answer), (by_tag, described(detail))];
    let tags = ["production_9fceb02", "free", "chart"].map(tag).into();
    let named = replay(recordings, async |clients| clients.tags_named(&web(), &tags).await)
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
            clients.check_tags(&web(), &tags).await
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
async fn of_one_image_all_tags_are_told() {
    let digest = image().digest;
    let by_digest = || {
        ask(
            "DescribeImages",
            &json!({ "repositoryName": "web", "imageIds": [{ "imageDigest": digest }] }),
        )
    };
    let tags_of = async |answer| {
        replay([(by_digest(), answer)], async |clients| clients.tags_of(&web(), &digest).await)
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

// The one write

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

async fn put_tag(recordings: Vec<(Request<SdkBody>, Response<SdkBody>)>) -> Result<Applied, Error> {
    replay(recordings, async |clients| {
        clients.put_tag(&web(), &image(), &tag("production_9fceb02")).await
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
async fn of_an_immutable_tag_that_exists_it_is_asked_whose_it_is() {
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

    let words = "User: arn:aws:sts::012345678912:assumed-role/r/f is not authorized to perform: \
                 ecr:PutImage on resource: x";
    let result =
        put_tag(vec![(put_image(), json_error("AccessDeniedException", words, &json!({})))]).await;
    assert_eq!(denied(result), ("ecr:PutImage".to_owned(), "`web:production_9fceb02`".to_owned()));
}

#[tokio::test]
async fn a_put_whose_first_answer_was_lost_is_tried_again_and_done() {
    let lost = (put_image(), super::super::wire::answer(500, "{}"));
    let again = (put_image(), json_error("ImageAlreadyExistsException", "", &json!({})));
    assert_eq!(put_tag(vec![lost, again]).await.expect("not an error"), Applied::Done);
}

// Which tags can be moved

fn with_mutability(mutability: &Value) -> Recording {
    let mut repository = json!({ "repositoryName": "web" });
    repository
        .as_object_mut()
        .expect("an object")
        .extend(mutability.as_object().expect("an object").clone());
    (
        ask("DescribeRepositories", &json!({ "repositoryNames": ["web"] })),
        ok_json(&json!({ "repositories": [repository] })),
    )
}

#[tokio::test]
async fn a_tag_can_be_moved_where_the_repository_and_its_exclusions_say_so() {
    let filter = |text: &str| json!([{ "filterType": "WILDCARD", "filter": text }]);
    for (settings, can_move) in [
        (json!({}), true),
        (json!({ "imageTagMutability": "MUTABLE" }), true),
        (json!({ "imageTagMutability": "IMMUTABLE" }), false),
        (
            json!({
                "imageTagMutability": "MUTABLE_WITH_EXCLUSION",
                "imageTagMutabilityExclusionFilters": filter("production_*"),
            }),
            false,
        ),
        (
            json!({
                "imageTagMutability": "MUTABLE_WITH_EXCLUSION",
                "imageTagMutabilityExclusionFilters": filter("v*"),
            }),
            true,
        ),
        (
            json!({
                "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
                "imageTagMutabilityExclusionFilters": filter("latest"),
            }),
            false,
        ),
        (
            json!({
                "imageTagMutability": "IMMUTABLE_WITH_EXCLUSION",
                "imageTagMutabilityExclusionFilters": filter("*_9fceb02"),
            }),
            true,
        ),
        (json!({ "imageTagMutability": "WORD_OF_TOMORROW" }), true),
    ] {
        let read = replay([with_mutability(&settings)], async |clients| {
            let first = clients.mutability(&web()).await;
            // It is read once a minute.
            assert_eq!(clients.mutability(&web()).await, first);
            first
        });
        assert_eq!(read.await.can_move(&tag("production_9fceb02")), can_move, "{settings}");
    }
}

#[tokio::test]
async fn where_nobody_may_read_it_all_tags_can_be_moved() {
    let words = "User: x is not authorized to perform: ecr:DescribeRepositories on resource: y";
    let asked = ask("DescribeRepositories", &json!({ "repositoryNames": ["web"] }));
    let recordings = [(asked, json_error("AccessDeniedException", words, &json!({})))];
    let read = replay(recordings, async |clients| clients.mutability(&web()).await).await;
    assert!(read.can_move(&tag("production_9fceb02")));
}
