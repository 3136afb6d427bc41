//! A guard, and changes that it lets through and that it does not.

use ecr_promoter::model::change_set::{Change, Replacement};
use serde_json::json;

use super::world::Memory;

pub(crate) const TASK: &str = "AWS::ECS::TaskDefinition";

/// A resource that an update would replace.
pub(crate) fn change(kind: &str, resource: &str) -> Change {
    let (action, kind, resource) = ("Modify".to_owned(), kind.to_owned(), resource.to_owned());
    Change { action, kind, resource, within: None, replacement: Replacement::Yes }
}

/// What the guard of [`guarded`] lets through.
pub(crate) fn allowed() -> Vec<Change> {
    vec![change(TASK, "Task")]
}

/// What it does not.
pub(crate) fn forbidden() -> Vec<Change> {
    vec![change(TASK, "Task"), change("AWS::RDS::DBInstance", "Database")]
}

/// Promotions may replace the app's task definition, and its stack's next update would do this.
pub(crate) fn guarded(world: Memory, list: Vec<Change>) -> Memory {
    {
        let mut inner = world.get_mut();
        inner.config["guard"] = json!({ "allowed_changes": [format!("{TASK}:Replacement")] });
        inner.would_change.list = list;
    }
    world
}
