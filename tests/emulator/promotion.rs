//! The main job: a push becomes the same image under a production tag and one update of one
//! parameter.

use serde_json::json;

use super::cloud::lock;
use super::cloudformation::{Parameter, Stack};
use super::image::{Image, sha256};
use super::world::{COMMIT, FIRST_TAG, OLDER_COMMIT, World};

#[tokio::test]
async fn a_push_in_auto_mode_tags_the_digest_and_changes_one_parameter() {
    let Some(world) = World::new().await else { return };
    let image = Image::docker("new", None);
    world.push(&image, &["latest", COMMIT]).await;
    let before = world.stack(|stack| stack.clone());

    let answer = world.answer(&world.pushed(&image)).await;

    let tag = format!("production_{COMMIT}");
    for (key, value) in [
        ("outcome", "promoted"),
        ("repository", "web"),
        ("digest", &image.digest()),
        ("commit", COMMIT),
        ("tag", &tag),
        ("previous_tag", FIRST_TAG),
    ] {
        assert_eq!(answer[key], value, "{key} of {answer}");
    }
    assert!(world.tags(&image).await.contains(&tag));
    world.assert_runs(&image, "after the push").await;
    world.stack(|stack| {
        let changed: Vec<_> = stack
            .parameters
            .iter()
            .zip(&before.parameters)
            .filter(|(now, then)| now != then)
            .collect();
        assert_eq!(changed.len(), 1, "only ProductionTag: {changed:?}");
        assert_eq!((&stack.tags, &stack.capabilities), (&before.tags, &before.capabilities));
    });
    assert_eq!(world.told().len(), 1, "people hear of it once");

    world.cloud.forget_calls();
    let mut retag = world.pushed(&image);
    retag["detail"]["image-tag"] = json!(tag);
    assert_eq!(
        world.answer(&retag).await["outcome"],
        "ignored",
        "the function's own tag comes back as a push"
    );
    assert_eq!(world.cloud.ops(), [""; 0], "its configuration is cached");
}

#[tokio::test]
async fn every_kind_of_image_keeps_its_bytes_in_every_kind_of_repository() {
    let images = [
        ("Docker v2, commit in a tag", Image::docker("new", None), vec!["latest", COMMIT]),
        ("Docker v2, commit in a label", Image::docker("new", Some(COMMIT)), vec!["latest"]),
        ("OCI, commit in an annotation", Image::oci("new", COMMIT), vec!["latest"]),
        (
            "OCI without mediaType, commit in a label",
            Image::oci_without_media_type("new", COMMIT),
            vec!["latest"],
        ),
        ("index with attestations, commit in a label", Image::index("new", COMMIT), vec!["latest"]),
    ];
    for mutability in ["MUTABLE", "IMMUTABLE", "IMMUTABLE_WITH_EXCLUSION", "MUTABLE_WITH_EXCLUSION"]
    {
        for (kind, image, tags) in &images {
            let case = format!("{kind} in {mutability}");
            let Some(world) = World::with_repository(mutability).await else { return };
            world.push(image, tags).await;
            let before = world.images().await;

            let answer = world.answer(&world.pushed(image)).await;

            assert_eq!(
                (&answer["outcome"], &answer["commit"]),
                (&json!("promoted"), &json!(COMMIT)),
                "{case}: {answer}"
            );
            world.assert_runs(image, &case).await;
            let mut after = world.images().await;
            for stored in &mut after {
                assert_eq!(sha256(&stored.manifest), stored.digest, "{case}: the bytes");
                stored.tags.retain(|tag| *tag != format!("production_{COMMIT}"));
            }
            assert_eq!(after, before, "{case}: nothing but one tag is new");
        }
    }
}

#[tokio::test]
async fn an_image_without_a_commit_gets_a_tag_made_of_its_digest() {
    let Some(world) = World::new().await else { return };
    let image = Image::docker("new", None);
    world.push(&image, &["latest"]).await;

    let answer = world.answer(&world.pushed(&image)).await;

    let expected = format!("production_{}", &image.digest()["sha256:".len()..][..12]);
    assert_eq!((&answer["tag"], &answer["commit"]), (&json!(expected), &json!(null)), "{answer}");
    world.assert_runs(&image, "no commit").await;
}

#[tokio::test]
async fn a_repository_may_have_slashes_in_its_name() {
    let Some(world) = World::new().await else { return };
    let image = Image::oci("new", COMMIT);
    world.configure("shop/web", &json!({ "stack": "web", "mode": "auto" })).await;
    world.cloud.registry.create("shop/web", "MUTABLE").await;
    world.cloud.registry.push("shop/web", &image, &["latest"]).await;
    let mut event = world.pushed(&image);
    event["detail"]["repository-name"] = json!("shop/web");

    let answer = world.answer(&event).await;

    assert_eq!(
        (&answer["outcome"], &answer["repository"]),
        (&json!("promoted"), &json!("shop/web")),
        "{answer}"
    );
    assert_eq!(
        world.stack(|stack| stack.value("ProductionTag").to_owned()),
        format!("production_{COMMIT}")
    );
}

#[tokio::test]
async fn a_foreign_image_keeps_the_tag_that_it_has() {
    for mutability in ["MUTABLE", "IMMUTABLE", "IMMUTABLE_WITH_EXCLUSION", "MUTABLE_WITH_EXCLUSION"]
    {
        let Some(world) = World::with_repository(mutability).await else { return };
        let (foreign, ours) =
            (Image::oci("built before", COMMIT), Image::oci("built again", COMMIT));
        let tag = format!("production_{COMMIT}");
        world.push(&foreign, &[&tag]).await;
        world.push(&ours, &["latest"]).await;

        let answer = world.answer(&world.pushed(&ours)).await;

        let digest12 = ours.digest()["sha256:".len()..][..12].to_owned();
        assert_eq!(answer["tag"], format!("{tag}-{digest12}"), "{mutability}: {answer}");
        assert_eq!(world.tags(&foreign).await, [tag], "{mutability}");
        world.assert_runs(&ours, mutability).await;
    }
}

#[tokio::test]
async fn the_same_event_three_times_makes_one_update() {
    let Some(world) = World::new().await else { return };
    let image = Image::oci("new", COMMIT);
    world.push(&image, &["latest"]).await;

    assert_eq!(world.answer(&world.pushed(&image)).await["outcome"], "promoted");
    let again = world.answer(&world.pushed(&image)).await;
    assert_ne!(again["outcome"], "failed", "while the update runs: {again}");
    world.assert_runs(&image, "twice").await;
    let at_rest = world.answer(&world.pushed(&image)).await;
    assert_ne!(at_rest["outcome"], "failed", "after the update: {at_rest}");
    world.assert_runs(&image, "three times").await;
    assert_eq!(world.cloud.count("ecr:PutImage"), 1);
}

#[tokio::test]
async fn an_older_push_that_arrives_after_a_newer_one_is_superseded() {
    let Some(world) = World::new().await else { return };
    let (older, newer) = (Image::oci("older", OLDER_COMMIT), Image::oci("newer", COMMIT));
    world.push(&older, &["latest"]).await;
    world.push(&newer, &["latest"]).await;
    let before = world.production().await;

    assert_eq!(world.answer(&world.pushed(&older)).await["outcome"], "superseded");
    assert_eq!(world.production().await, before, "nothing changed");

    assert_eq!(world.answer(&world.pushed(&newer)).await["outcome"], "promoted");
    world.assert_runs(&newer, "the newer push").await;
    assert_eq!(world.answer(&world.pushed(&older)).await["outcome"], "superseded");
    world.assert_runs(&newer, "the older event again").await;
}

#[tokio::test]
async fn a_busy_stack_is_left_alone() {
    let Some(world) = World::new().await else { return };
    let image = Image::oci("new", COMMIT);
    world.push(&image, &["latest"]).await;
    world.stack(Stack::start_foreign_update);

    assert_eq!(world.answer(&world.pushed(&image)).await["outcome"], "queued");

    assert_eq!(world.updates(), 1, "only the foreign one");
    assert_eq!(world.stack(|stack| stack.value("ProductionTag").to_owned()), FIRST_TAG);
}

#[tokio::test]
async fn a_push_in_approval_mode_only_asks() {
    let Some(world) = World::new().await else { return };
    world.configure("web", &json!({ "stack": "web" })).await;
    let image = Image::oci("new", COMMIT);
    world.push(&image, &["latest"]).await;
    let before = world.production().await;

    let answer = world.answer(&world.pushed(&image)).await;

    assert_eq!(answer["outcome"], "approval_requested", "{answer}");
    assert_eq!(world.production().await, before);
    let [told] = &world.told()[..] else { panic!("people are asked once: {:?}", world.told()) };
    let (text, digest) = (told["Message"].as_str().unwrap_or_default(), image.digest());
    for said in ["web", COMMIT, &digest, FIRST_TAG] {
        assert!(text.contains(said), "the request names {said}: {text}");
    }
    world.answer(&world.pushed(&image)).await;
    assert_eq!(world.told().len(), 1, "the same push does not ask again");
}

#[tokio::test]
async fn a_configuration_that_does_not_fit_is_an_error_and_nothing_happens() {
    let cases = [
        (json!("no object"), vec!["/ecr-promoter/apps/web"]),
        (json!({}), vec!["/ecr-promoter/apps/web", "stack"]),
        (json!({ "stack": "web", "modus": "auto" }), vec!["/ecr-promoter/apps/web", "modus"]),
        (
            json!({ "stack": "web", "mode": "sometimes" }),
            vec!["/ecr-promoter/apps/web", "mode", "approval"],
        ),
        (
            json!({ "stack": "absent", "mode": "auto" }),
            vec!["/ecr-promoter/apps/web", "stack", "absent"],
        ),
        (
            json!({ "stack": "nested", "mode": "auto" }),
            vec!["/ecr-promoter/apps/web", "stack", "nested"],
        ),
        (
            json!({ "stack": "web", "mode": "auto", "parameter": "Tag" }),
            vec!["/ecr-promoter/apps/web", "parameter", "Tag"],
        ),
        (
            json!({ "stack": "web", "mode": "auto", "tag_prefix": "a b" }),
            vec!["/ecr-promoter/apps/web", "tag_prefix"],
        ),
    ];
    for (configuration, named) in cases {
        let Some(world) = World::new().await else { return };
        let mut nested = Stack::new("nested", vec![Parameter::new("ProductionTag", FIRST_TAG)]);
        nested.parent = Some("web".to_owned());
        world.add_stack(nested);
        let image = Image::oci("new", COMMIT);
        world.push(&image, &["latest"]).await;
        world.configure("web", &configuration).await;
        let before = world.production().await;

        let error = world.invoke(&world.pushed(&image)).await.expect_err("a function error");

        for word in named {
            assert!(
                error.message.contains(word),
                "{configuration}: {word:?} is not in: {}",
                error.message
            );
        }
        assert_eq!(world.production().await, before, "{configuration}");
        assert_eq!(lock(&world.cloud.cloudformation).stacks[1].updates.len(), 0, "{configuration}");
    }
}
