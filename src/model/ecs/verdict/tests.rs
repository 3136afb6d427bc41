//! What each answer of ECS means for a promotion.

use super::*;
use crate::model::ecs::StoppedContainer;
use crate::samples;

/// Every `ServiceDeploymentStatus`.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ServiceDeployment.html>
const STATUSES: [&str; 9] = [
    "PENDING",
    "SUCCESSFUL",
    "STOPPED",
    "STOP_REQUESTED",
    "IN_PROGRESS",
    "ROLLBACK_REQUESTED",
    "ROLLBACK_IN_PROGRESS",
    "ROLLBACK_SUCCESSFUL",
    "ROLLBACK_FAILED",
];

/// Every lifecycle stage, and whether it may last for hours on purpose.
const STAGES: [(&str, bool); 9] = [
    ("RECONCILE_SERVICE", false),
    ("PRE_SCALE_UP", false),
    ("SCALE_UP", false),
    ("POST_SCALE_UP", false),
    ("TEST_TRAFFIC_SHIFT", true),
    ("POST_TEST_TRAFFIC_SHIFT", true),
    ("PRODUCTION_TRAFFIC_SHIFT", true),
    ("POST_PRODUCTION_TRAFFIC_SHIFT", true),
    ("BAKE_TIME", true),
];

const TAG: &str = "production_own";

fn own() -> Digest {
    Digest::of(b"own")
}

fn other() -> Digest {
    Digest::of(b"other")
}

fn image(digest: Option<Digest>, tag: &str) -> ContainerImage {
    ContainerImage { container: "app".to_owned(), tag: Some(tag.to_owned()), digest }
}

fn workload(digest: &Digest, tasks: u32) -> Workload {
    let tag = if *digest == own() { TAG } else { "production_other" };
    Workload { revision: None, tasks, images: vec![image(Some(digest.clone()), tag)] }
}

fn deployment(status: &str, target: Workload) -> Deployment {
    Deployment {
        status: DeploymentStatus::of(status),
        status_word: status.to_owned(),
        stage: None,
        target,
        requested: 2,
        traffic: None,
        back_to: None,
        is_tripped: false,
        reasons: Vec::new(),
    }
}

/// A service that wants two tasks.
fn service(deployment: Option<Deployment>, workloads: Vec<Workload>) -> Service {
    Service {
        arn: "arn:aws:ecs:us-east-1:012345678912:service/main/web".to_owned(),
        desired: 2,
        deployment,
        workloads,
    }
}

/// A service of two tasks that run what its newest deployment has brought.
fn deployed(digest: &Digest) -> Service {
    let target = workload(digest, 2);
    service(Some(deployment("SUCCESSFUL", target.clone())), vec![target])
}

fn verdict(services: &[Service]) -> Verdict {
    judge(services, Wanted { digests: &[own()], tag: TAG })
}

/// The verdict in one word, and its words for people.
fn said(services: &[Service]) -> (&'static str, String) {
    match verdict(services) {
        Verdict::Running { progress } => ("running", progress),
        Verdict::NextTask => ("next task", String::new()),
        Verdict::NotYet { progress, .. } => ("not yet", progress),
        Verdict::Failed { words } => ("failed", words),
        Verdict::Elsewhere { progress } => ("elsewhere", progress),
    }
}

#[track_caller]
fn check(services: &[Service], verdict: &str, words: &[&str]) {
    let (is, said) = said(services);
    assert_eq!(is, verdict, "{said}: {services:#?}");
    for word in words {
        assert!(said.contains(word), "{said:?} does not say {word:?}");
    }
}

#[test]
fn every_status_of_a_deployment_of_our_image_has_its_verdict() {
    for (status, verdict, is_tripped) in [
        ("PENDING", "not yet", false),
        ("IN_PROGRESS", "not yet", false),
        ("IN_PROGRESS", "not yet", true),
        ("STOP_REQUESTED", "not yet", false),
        ("STOPPED", "not yet", false),
        ("STOPPED", "failed", true),
        ("SUCCESSFUL", "running", false),
        ("ROLLBACK_REQUESTED", "not yet", true),
        ("ROLLBACK_IN_PROGRESS", "not yet", true),
        ("ROLLBACK_SUCCESSFUL", "failed", true),
        ("ROLLBACK_SUCCESSFUL", "failed", false),
        ("ROLLBACK_FAILED", "failed", true),
        ("A_WORD_OF_TOMORROW", "not yet", false),
    ] {
        let target = workload(&own(), 2);
        let own = Deployment { is_tripped, ..deployment(status, target.clone()) };
        check(&[service(Some(own), vec![target])], verdict, &[]);
    }
}

#[test]
fn every_status_of_a_deployment_of_another_image_has_its_verdict() {
    for (status, verdict) in [
        ("PENDING", "not yet"),
        ("IN_PROGRESS", "not yet"),
        ("STOP_REQUESTED", "not yet"),
        ("STOPPED", "not yet"),
        ("SUCCESSFUL", "elsewhere"),
        ("ROLLBACK_REQUESTED", "not yet"),
        ("ROLLBACK_IN_PROGRESS", "not yet"),
        ("ROLLBACK_SUCCESSFUL", "elsewhere"),
        ("ROLLBACK_FAILED", "elsewhere"),
    ] {
        let target = workload(&other(), 2);
        let tripped = Deployment { is_tripped: true, ..deployment(status, target.clone()) };
        check(&[service(Some(tripped), vec![target])], verdict, &[]);
    }
}

#[test]
fn each_status_of_the_api_is_known_and_is_said() {
    for status in STATUSES {
        let (_, words) = said(&[service(Some(deployment(status, workload(&own(), 1))), vec![])]);
        assert!(words.contains(status) || status == "SUCCESSFUL", "{status}: {words}");
        let is_known = DeploymentStatus::of(status) != DeploymentStatus::UnderWay
            || ["PENDING", "STOP_REQUESTED", "IN_PROGRESS"].contains(&status);
        assert!(is_known, "{status}");
    }
}

#[test]
fn a_rollback_of_another_deployment_that_went_back_to_our_image_runs_it() {
    for status in ["ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED"] {
        let back_to = Some(workload(&own(), 2));
        let undone = Deployment { back_to, ..deployment(status, workload(&other(), 0)) };
        check(&[service(Some(undone), vec![workload(&own(), 2)])], "running", &["2 tasks"]);
    }
}

#[test]
fn a_rollback_of_our_image_under_an_earlier_tag_says_nothing_about_this_promotion() {
    let mut target = workload(&own(), 0);
    target.images[0].tag = Some("production_earlier".to_owned());
    let back_to = Some(workload(&other(), 2));
    let before = Deployment { back_to, ..deployment("ROLLBACK_SUCCESSFUL", target) };
    let words = other().to_string();
    check(&[service(Some(before), vec![workload(&other(), 2)])], "elsewhere", &[&words]);
}

#[test]
fn a_complete_deployment_beside_tasks_of_another_image_is_not_done_yet() {
    let complete = deployment("SUCCESSFUL", workload(&own(), 2));
    let mixed = vec![workload(&own(), 2), workload(&other(), 1)];
    check(&[service(Some(complete.clone()), mixed)], "not yet", &["2 of 2 tasks"]);
    let drained = vec![workload(&own(), 2), workload(&other(), 0)];
    check(&[service(Some(complete), drained)], "running", &["2 tasks of ECS service `web`"]);
}

#[test]
fn only_a_traffic_shift_and_a_bake_in_progress_may_last() {
    let may_last = |status: &str, stage: Option<&str>| {
        let own = Deployment {
            stage: stage.map(str::to_owned),
            ..deployment(status, workload(&own(), 1))
        };
        let verdict = verdict(&[service(Some(own), Vec::new())]);
        let Verdict::NotYet { may_last, progress } = verdict else {
            panic!("{status}: {verdict:?}")
        };
        assert!(progress.contains(stage.unwrap_or("")), "{progress}");
        may_last
    };
    for (stage, lasts) in STAGES {
        assert_eq!(may_last("IN_PROGRESS", Some(stage)), lasts, "{stage}");
        for status in ["PENDING", "STOP_REQUESTED", "STOPPED", "ROLLBACK_IN_PROGRESS"] {
            assert!(!may_last(status, Some(stage)), "{status} in {stage}");
        }
    }
    assert!(!may_last("IN_PROGRESS", Some("CLEAN_UP")));
    assert!(!may_last("IN_PROGRESS", None));
}

#[test]
fn progress_says_the_stage_the_tasks_and_the_traffic() {
    let shift = Deployment {
        stage: Some("PRODUCTION_TRAFFIC_SHIFT".to_owned()),
        traffic: Some(10),
        ..deployment("IN_PROGRESS", workload(&own(), 1))
    };
    let (_, words) = said(&[service(Some(shift), Vec::new())]);
    let want = "ECS service `web`: IN_PROGRESS, PRODUCTION_TRAFFIC_SHIFT, 1 of 2 tasks, 10 % of \
                the traffic";
    assert_eq!(words, want);
    let going_back = Deployment {
        reasons: vec!["alarm `slow` detected".to_owned()],
        ..deployment("ROLLBACK_IN_PROGRESS", workload(&own(), 1))
    };
    check(&[service(Some(going_back), Vec::new())], "not yet", &["(alarm `slow` detected)"]);
}

#[test]
fn a_service_that_wants_no_task_waits_for_the_next_one_whatever_its_deployment_says() {
    let statuses = STATUSES.map(|status| Some(deployment(status, workload(&own(), 0))));
    for deployment in statuses.into_iter().chain([None]) {
        let off = Service { desired: 0, ..service(deployment, Vec::new()) };
        check(&[off], "next task", &[]);
    }
    check(&[], "next task", &[]);
}

#[test]
fn of_several_services_the_worst_counts() {
    let failing = service(
        Some(Deployment {
            reasons: vec!["circuit breaker".to_owned()],
            ..deployment("ROLLBACK_FAILED", workload(&own(), 0))
        }),
        Vec::new(),
    );
    let waiting = service(Some(deployment("PENDING", workload(&own(), 0))), Vec::new());
    let lasting = service(
        Some(Deployment {
            stage: Some("BAKE_TIME".to_owned()),
            ..deployment("IN_PROGRESS", workload(&own(), 2))
        }),
        Vec::new(),
    );
    let (done, elsewhere) = (deployed(&own()), deployed(&other()));
    let off = Service { desired: 0, ..deployed(&other()) };
    let all = [&done, &off, &elsewhere, &waiting, &lasting, &failing].map(Clone::clone);
    check(&all, "failed", &["circuit breaker"]);
    check(&all[..5], "not yet", &["PENDING", "BAKE_TIME"]);
    assert!(matches!(verdict(&all[..5]), Verdict::NotYet { may_last: true, .. }));
    assert!(matches!(verdict(&all[..4]), Verdict::NotYet { may_last: false, .. }));
    check(&all[..3], "elsewhere", &[]);
    check(&all[..2], "running", &["2 tasks"]);
    check(&[done.clone(), done], "running", &["2 tasks of ECS service `web`, 2 tasks"]);
}

#[test]
fn the_digest_of_the_index_and_that_of_one_of_its_images_are_both_it() {
    let child = Digest::of(b"its image for arm64");
    let digests = [own(), child.clone()];
    let wanted = Wanted { digests: &digests, tag: TAG };
    for shown in [own(), child] {
        let verdict = judge(&[deployed(&shown)], wanted);
        assert!(matches!(verdict, Verdict::Running { .. }), "{shown}: {verdict:?}");
    }
    assert!(matches!(judge(&[deployed(&other())], wanted), Verdict::Elsewhere { .. }));
}

#[test]
fn without_a_digest_the_tag_decides_and_a_digest_counts_more_than_a_tag() {
    let of = |digest: Option<Digest>, tag: &str| {
        let target = Workload { revision: None, tasks: 2, images: vec![image(digest, tag)] };
        service(Some(deployment("SUCCESSFUL", target.clone())), vec![target])
    };
    check(&[of(None, TAG)], "running", &[]);
    check(&[of(None, "production_other")], "elsewhere", &["runs another image"]);
    check(&[of(Some(other()), TAG)], "elsewhere", &[&other().to_string()]);
    check(&[of(Some(own()), "latest")], "running", &[]);
}

#[test]
fn every_container_of_the_repository_must_run_the_image() {
    let both = |second: Digest| {
        let images = vec![image(Some(own()), TAG), image(Some(second), TAG)];
        let target = Workload { revision: None, tasks: 2, images };
        service(Some(deployment("SUCCESSFUL", target.clone())), vec![target])
    };
    check(&[both(own())], "running", &[]);
    check(&[both(other())], "elsewhere", &[]);
}

#[test]
fn tasks_decide_where_no_deployment_says_how_far_it_has_come() {
    let tasks = |own_ones: u32, others: u32| {
        let workloads = vec![workload(&own(), own_ones), workload(&other(), others)];
        service(None, workloads)
    };
    check(&[tasks(2, 0)], "running", &["2 tasks"]);
    check(&[tasks(3, 0)], "running", &["3 tasks"]);
    check(&[tasks(1, 1)], "not yet", &["1 of 2 tasks"]);
    check(&[tasks(2, 1)], "not yet", &["2 of 2 tasks"]);
    check(&[tasks(1, 0)], "not yet", &["1 of 2 tasks"]);
    check(&[tasks(0, 0)], "not yet", &["0 of 2 tasks"]);
    check(&[tasks(0, 2)], "elsewhere", &[&other().to_string()]);
    check(&[service(None, Vec::new())], "not yet", &["0 of 2 tasks"]);
    let one = Service { desired: 1, ..tasks(1, 0) };
    check(&[one], "running", &["1 task of ECS service `web`"]);
}

#[test]
fn a_failure_has_the_words_of_ecs() {
    let reasons =
        vec!["tasks failed to start".to_owned(), "alarm `web-5xx` was triggered".to_owned()];
    let bare = deployment("ROLLBACK_SUCCESSFUL", workload(&own(), 0));
    let told = Deployment { reasons, ..bare.clone() };
    let words = |one: Deployment| said(&[service(Some(one), Vec::new())]).1;
    assert_eq!(
        words(told),
        "ECS service `web` is in ROLLBACK_SUCCESSFUL: tasks failed to start; alarm `web-5xx` was \
         triggered"
    );
    assert_eq!(words(bare), "ECS service `web` is in ROLLBACK_SUCCESSFUL");
}

/// A task of our image that stopped so many minutes after 10:00.
fn stopped(minute: i64, exit_code: Option<i32>, why: Option<&str>) -> StoppedTask {
    let at = samples::at("2026-03-17T10:00:00Z") + jiff::SignedDuration::from_mins(minute);
    let container = |name: &str, image: Option<ContainerImage>| StoppedContainer {
        name: name.to_owned(),
        image,
        exit_code: None,
        reason: None,
    };
    let app = StoppedContainer {
        exit_code,
        reason: why.map(str::to_owned),
        ..container("app", Some(image(Some(own()), TAG)))
    };
    StoppedTask {
        at: Some(at),
        reason: Some("Essential container in task exited".to_owned()),
        containers: vec![container("log-router", None), app],
    }
}

fn why(tasks: Vec<StoppedTask>) -> Option<String> {
    let arn = "arn:aws:ecs:us-east-1:012345678912:service/main/web".to_owned();
    why_it_stopped(&[(arn, tasks)], Wanted { digests: &[own()], tag: TAG })
}

#[test]
fn the_last_stopped_task_says_which_container_ended_and_how() {
    for (task, words) in [
        (
            stopped(1, Some(1), None),
            "container `app` exited with 1: Essential container in task exited (service `web`)",
        ),
        (
            stopped(1, Some(137), Some("OutOfMemoryError: killed")),
            "container `app` exited with 137: OutOfMemoryError: killed (service `web`)",
        ),
        (
            stopped(1, None, Some("CannotPullContainerError: no such image")),
            "container `app` did not start: CannotPullContainerError: no such image (service \
             `web`)",
        ),
        (
            stopped(1, Some(0), None),
            "the last task stopped: Essential container in task exited (service `web`)",
        ),
        (
            StoppedTask { reason: None, ..stopped(1, None, None) },
            "the last task stopped: ECS gives no reason (service `web`)",
        ),
    ] {
        assert_eq!(why(vec![task.clone()]).as_deref(), Some(words), "{task:?}");
    }
    let two = vec![stopped(5, Some(2), None), stopped(1, Some(1), None)];
    assert!(why(two).expect("words").contains("exited with 2"), "the newest counts");
}

#[test]
fn a_stopped_task_of_another_image_says_nothing_and_a_tag_will_do() {
    let of = |digest: Option<Digest>, tag: &str| {
        let mut task = stopped(1, Some(1), None);
        task.containers[1].image = Some(image(digest, tag));
        task
    };
    assert_eq!(why(vec![of(Some(other()), "production_other")]), None);
    assert_eq!(why(vec![of(None, "production_other")]), None);
    assert!(why(vec![of(None, TAG)]).is_some());
    // A task that could not pull its image has no digest yet, or that of an unknown platform.
    assert!(why(vec![of(Some(Digest::of(b"its image")), TAG)]).is_some());
    assert_eq!(why(Vec::new()), None);
}
