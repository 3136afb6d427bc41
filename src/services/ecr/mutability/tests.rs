use serde_json::{Value, json};

use crate::samples::repository;
use crate::services::samples::tag;
use crate::services::wire::ecr::ask;
use crate::services::wire::{Recording, json_denied, ok_json, replay};

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
async fn a_tag_can_be_moved_if_the_repository_says_so() {
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
            let first = clients.mutability(&repository()).await;
            // It is read once a minute.
            assert_eq!(clients.mutability(&repository()).await, first);
            first
        });
        assert_eq!(read.await.can_move(&tag("production_9fceb02")), can_move, "{settings}");
    }
}

#[tokio::test]
async fn all_tags_can_be_moved_if_the_settings_cannot_be_read() {
    let asked = ask("DescribeRepositories", &json!({ "repositoryNames": ["web"] }));
    let recordings = [(asked, json_denied("ecr:DescribeRepositories"))];
    let read = replay(recordings, async |clients| clients.mutability(&repository()).await).await;
    assert!(read.can_move(&tag("production_9fceb02")));
}
