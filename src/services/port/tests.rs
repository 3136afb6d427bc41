use serde_json::json;

use crate::model::Digest;
use crate::services::samples::{tag, web_app};
use crate::services::wire::cloudformation::{answered, ask, element, parameter_member};
use crate::services::wire::dynamodb::get_item;
use crate::services::wire::ecr::{
    MANIFEST, MEDIA_TYPE, OLD_MANIFEST, batch_get_image, image, images, row,
};
use crate::services::wire::{Recording, ok_json, replay};
use crate::world::World;
use crate::world::snapshot::Subject;

/// The reads of a look besides the images, side by side.
fn others() -> [Recording; 2] {
    let parameters = parameter_member("ProductionTag", "production_e83c516", "");
    let stack = element("StackName", "web") + &element("Parameters", &parameters);
    let stacks = element("Stacks", &element("member", &stack));
    [
        (get_item("web", "state"), ok_json(&json!({}))),
        (ask("DescribeStacks", &[("StackName", "web")]), answered("DescribeStacks", &stacks)),
    ]
}

#[tokio::test]
async fn a_routine_look_asks_for_both_tags_in_one_call() {
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
        "read after the state and the stack"
    );
}
