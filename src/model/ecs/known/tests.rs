//! What is kept about services from look to look.

use super::*;
use crate::samples;

const TAG: &str = "production_own";

fn own() -> Digest {
    Digest::of(b"own")
}

fn other() -> Digest {
    Digest::of(b"other")
}

fn workload(revision: &str, digest: Option<Digest>, tasks: u32) -> Workload {
    let (container, tag) = ("app".to_owned(), Some(TAG.to_owned()));
    let images = vec![ContainerImage { container, tag, digest }];
    Workload { revision: Some(revision.to_owned()), tasks, images }
}

fn arn(name: &str) -> String {
    format!("arn:aws:ecs:us-east-1:012345678912:service/main/{name}")
}

fn service(workloads: Vec<Workload>) -> Service {
    Service { arn: arn("web"), desired: 2, deployment: None, workloads }
}

/// A service whose tasks all run this revision and image.
fn runs(revision: &str, digest: &Digest) -> Service {
    service(vec![workload(revision, Some(digest.clone()), 2)])
}

fn seen(before: &KnownServices, service: &Service) -> KnownServices {
    let at = Some(samples::at("2026-03-17T10:00:00Z"));
    let wanted = Wanted { digests: &[own()], tag: TAG };
    before.seen(at, std::slice::from_ref(service), wanted)
}

fn nothing() -> KnownServices {
    KnownServices::default()
}

#[test]
fn what_a_service_runs_is_remembered_and_known_again() {
    let known = seen(&nothing(), &runs("1", &own()));
    let it = KnownService {
        arn: arn("web"),
        revision: Some("1".to_owned()),
        digest: Some(own()),
        is_promoted: true,
    };
    assert_eq!(known.list, [it]);
    assert!(known.has_seen(&runs("1", &own())));
    for unknown in [
        runs("2", &own()),
        runs("1", &other()),
        Service { arn: arn("worker"), ..runs("1", &own()) },
        service(vec![workload("1", None, 2)]),
        service(vec![workload("1", Some(own()), 0)]),
        service(vec![workload("1", Some(own()), 1), workload("2", Some(other()), 1)]),
    ] {
        assert!(!known.has_seen(&unknown), "{unknown:?}");
    }
    assert!(!nothing().has_seen(&runs("1", &own())));
}

#[test]
fn an_old_revision_without_tasks_is_no_second_image() {
    let both = vec![workload("1", Some(other()), 0), workload("2", Some(own()), 2)];
    let known = seen(&nothing(), &service(both));
    assert_eq!(known.list[0].digest, Some(own()));
    assert!(known.has_seen(&runs("2", &own())));
}

#[test]
fn a_service_between_two_images_keeps_what_was_known() {
    let between = service(vec![workload("1", Some(own()), 1), workload("2", Some(other()), 1)]);
    let known = seen(&nothing(), &runs("1", &own()));
    assert_eq!(seen(&known, &between).list, known.list);
    assert_eq!(seen(&known, &service(Vec::new())).list, known.list);
    let unknown = &seen(&nothing(), &between).list[0];
    assert_eq!((&unknown.digest, unknown.is_promoted), (&None, false));
    assert_eq!(unknown.words(), "ECS service `web` runs no task");
}

/// ECS may show the digest of an index's image. That it is the promoted one is known from when the
/// manifest was read.
#[test]
fn what_was_known_to_be_promoted_stays_so_without_its_manifest() {
    let child = Digest::of(b"its image for arm64");
    let digests = [own(), child.clone()];
    let with_manifest = Wanted { digests: &digests, tag: TAG };
    let first = nothing().seen(None, &[runs("1", &child)], with_manifest);
    assert!(first.list[0].is_promoted);
    assert!(seen(&first, &runs("1", &child)).list[0].is_promoted);
    assert!(!seen(&first, &runs("2", &child)).list[0].is_promoted);
}

#[test]
fn only_a_known_other_image_is_elsewhere() {
    let elsewhere = |service: &Service| seen(&nothing(), service).elsewhere().count();
    assert_eq!(elsewhere(&runs("1", &other())), 1);
    assert_eq!(elsewhere(&runs("1", &own())), 0);
    assert_eq!(elsewhere(&service(Vec::new())), 0);
    let known = seen(&nothing(), &runs("1", &other()));
    let words: Vec<String> = known.elsewhere().map(KnownService::words).collect();
    assert_eq!(words, [format!("ECS service `web` runs {}", other())]);
}

#[test]
fn the_images_of_a_known_revision_need_no_call() {
    let known = seen(&nothing(), &runs("1", &own()));
    let images = known.images_of("1").expect("known");
    assert_eq!(images.iter().map(|image| image.digest.clone()).collect::<Vec<_>>(), [Some(own())]);
    assert_eq!(known.images_of("2"), None);
    let without = seen(&nothing(), &service(vec![workload("1", None, 2)]));
    assert_eq!(without.images_of("1"), None, "a revision without a digest is asked again");
}

#[test]
fn the_list_is_current_until_the_stack_is_updated() {
    let at = |text: &str| Some(samples::at(text));
    let known = seen(&nothing(), &runs("1", &own()));
    assert!(known.is_current(at("2026-03-17T10:00:00Z")));
    assert!(!known.is_current(at("2026-03-17T11:00:00Z")));
    assert!(!known.is_current(None));
    assert!(!nothing().is_current(None), "what was never read is not current");
}

#[test]
fn no_more_services_are_kept_than_there_is_room_for() {
    let many: Vec<Service> = (0..SERVICES + 5)
        .map(|n| Service { arn: arn(&format!("web-{n}")), ..runs("1", &own()) })
        .collect();
    let wanted = Wanted { digests: &[own()], tag: TAG };
    assert_eq!(nothing().seen(None, &many, wanted).list.len(), SERVICES);
}

#[test]
fn what_an_older_version_did_not_write_is_read_as_unknown() {
    let known: KnownServices = serde_json::from_str(r#"{"list": [{"arn": "a"}]}"#).expect("valid");
    assert_eq!((known.as_of, known.elsewhere().count()), (None, 0));
    let read: KnownServices =
        serde_json::from_value(serde_json::json!(seen(&nothing(), &runs("1", &own()))))
            .expect("valid");
    assert_eq!(read, seen(&nothing(), &runs("1", &own())));
}

#[test]
fn a_failed_promotion_is_remembered_whatever_is_seen_afterwards() {
    let failed = KnownServices { has_failed: true, ..seen(&nothing(), &runs("1", &other())) };
    assert!(seen(&failed, &runs("2", &own())).has_failed, "who compares them decides");
    assert!(!seen(&nothing(), &runs("1", &other())).has_failed);
    let json = serde_json::json!(failed);
    assert_eq!(json["has_failed"], true);
    assert_eq!(serde_json::from_value::<KnownServices>(json).expect("valid"), failed);
    assert!(serde_json::json!(nothing()).get("has_failed").is_none());
}
