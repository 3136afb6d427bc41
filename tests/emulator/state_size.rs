//! How large an app's state becomes: each look reads it, each change writes it, and DynamoDB is paid
//! by its size.

use serde_json::{Value, json};

use super::image::Image;
use super::table::is_write;
use super::world::World;

/// More than the state remembers.
const PROMOTIONS: usize = 12;
/// docs/costs.md rests on this many bytes.
const MOST: usize = 4 * 1024;

/// What DynamoDB counts.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html>
fn size_of(attribute: &Value) -> usize {
    let of_all = |map: &serde_json::Map<String, Value>| {
        map.iter().map(|(name, value)| name.len() + size_of(value)).sum::<usize>()
    };
    let Some((kind, value)) = attribute.as_object().and_then(|it| it.iter().next()) else {
        return 0;
    };
    match (kind.as_str(), value) {
        ("S", Value::String(text)) => text.len(),
        ("N", Value::String(digits)) => digits.len() / 2 + 1,
        ("L", Value::Array(list)) => 3 + list.iter().map(|it| 1 + size_of(it)).sum::<usize>(),
        ("M", Value::Object(map)) => 3 + map.len() + of_all(map),
        _ => 1,
    }
}

async fn size_of_state(world: &World) -> usize {
    let item = world.item("web", "state").await;
    let attributes = item.as_object().expect("an item");
    attributes.iter().map(|(name, value)| name.len() + size_of(value)).sum()
}

#[tokio::test]
async fn the_state_of_an_app_that_is_promoted_often_stays_small() {
    let Some(world) = World::new().await else { return };
    world.configure("web", &json!({ "stack": "web", "mode": "approval" })).await;
    let mut sizes = [0; 3];
    for build in 0..PROMOTIONS {
        let image = Image::oci(&format!("build {build}"), &format!("{:040x}", 0xc0ffee + build));
        world.push(&image, &["latest"]).await;
        let asked = world.answer(&world.pushed(&image)).await;
        assert_eq!(asked["outcome"], "approval_requested", "{asked}");
        sizes[0] = size_of_state(&world).await;
        let approved = world.answer(&world.sns(&format!("approve web {}", image.digest()))).await;
        assert_eq!(approved["outcome"], "promoted", "{approved}");
        sizes[1] = size_of_state(&world).await;
        assert!(world.finish());
        let ended = world.answer(&world.stack_changed("web")).await;
        assert_eq!(ended["outcome"], "deployed", "{ended}");
        sizes[2] = size_of_state(&world).await;
    }
    assert!(sizes.iter().all(|size| *size <= MOST), "{sizes:?} bytes, at most {MOST}");
}

#[tokio::test]
async fn once_people_were_told_only_that_is_written() {
    let Some(world) = World::new().await else { return };
    world.configure("web", &json!({ "stack": "web", "mode": "auto" })).await;
    for build in 0..2 {
        let image = Image::oci(&format!("build {build}"), &format!("{:040x}", 0xc0ffee + build));
        world.push(&image, &["latest"]).await;
        world.cloud.forget_calls();
        let promoted = world.answer(&world.pushed(&image)).await;
        assert_eq!(promoted["outcome"], "promoted", "{promoted}");
        let written: Vec<_> =
            world.cloud.calls().into_iter().filter(|call| is_write(&call.op)).collect();
        let ops: Vec<&str> = written.iter().map(|call| call.op.as_str()).collect();
        let last = written.last().map(|call| &call.body["UpdateExpression"]);
        let in_place = json!("SET #nonce = :0, #open[0].#accepted_at = :1");
        assert_eq!((ops.len(), last), (2, Some(&in_place)), "{ops:?}");
        let state = world.item("web", "state").await;
        assert!(state["open"]["L"][0]["M"]["accepted_at"]["S"].is_string(), "{state}");
        assert!(world.finish());
    }
}
