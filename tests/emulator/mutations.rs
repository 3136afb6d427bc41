//! 1,500 events that are not quite those of events/: the process lives through all of them, and
//! nothing changes. Each is made from a number, so that a failure names the mutation that caused
//! it.

use fastrand::Rng;
use serde_json::{Map, Value, json};

use super::image::Image;
use super::world::{COMMIT, OLDER_COMMIT, World};

/// Where what is newest runs already, no event of any kind has a reason to change anything; a
/// rollback that is still one has.
#[tokio::test]
async fn no_mutated_event_kills_the_process_or_changes_what_is_settled() {
    let Some(world) = World::new().await else { return };
    let image = Image::oci("new", COMMIT);
    world.push(&image, &["latest"]).await;
    world.answer(&world.pushed(&image)).await;
    world.assert_runs(&image, "before the mutations").await;
    let originals: Vec<Value> =
        event_files().iter().map(|file| current(world.event(file), &image)).collect();

    let rollback = meaning(&world.event("command-rollback.json"));

    for seed in 0..900 {
        let rng = &mut Rng::with_seed(seed);
        let original = &originals[rng.usize(..originals.len())];
        let mutant = mutate(original, rng);
        if read(&mutant).is_none_or(|mutant| meaning(&mutant) != rollback) {
            assert_changes_nothing(&world, seed, &mutant).await;
        }
    }
}

/// Where the event as it was would promote, one that says something else must not.
#[tokio::test]
async fn no_mutated_event_is_taken_for_a_push_or_a_command() {
    let Some(world) = World::new().await else { return };
    let (running, candidate) =
        (Image::oci("running", OLDER_COMMIT), Image::oci("candidate", COMMIT));
    world.push(&running, &["latest"]).await;
    world.answer(&world.pushed(&running)).await;
    world.assert_runs(&running, "before the mutations").await;
    world.push(&candidate, &["latest"]).await;
    let originals = [
        world.pushed(&candidate),
        world.event("command-promote.json"),
        world.sns("promote web"),
        world.sns(r#"{"action":"promote","repository":"web"}"#),
        json!({ "action": "promote", "repository": "web", "commit": OLDER_COMMIT }),
    ];

    let meanings: Vec<Value> = originals.iter().map(meaning).collect();

    let mut delivered = 0;
    for seed in 0.. {
        let rng = &mut Rng::with_seed(seed);
        let mutant = mutate(&originals[rng.usize(..originals.len())], rng);
        if read(&mutant).is_some_and(|mutant| meanings.contains(&meaning(&mutant))) {
            continue;
        }
        assert_changes_nothing(&world, seed, &mutant).await;
        delivered += 1;
        if delivered == 600 {
            break;
        }
    }
    let promoted = world.answer(&world.sns("promote web")).await;
    assert_eq!(promoted["outcome"], "promoted", "the command itself still promotes: {promoted}");
}

async fn assert_changes_nothing(world: &World, seed: u64, mutant: &[u8]) {
    let sandbox = world.warm().await;
    world.cloud.forget_calls();
    let before = world.production().await;
    let outcome = sandbox.invoke(mutant, &world.unused_id()).await;
    let case = format!("seed {seed}: {} gave {outcome:?}", String::from_utf8_lossy(mutant));
    assert!(!sandbox.is_gone(), "the process died: {case}");
    if let Err(error) = &outcome {
        assert!(!error.message.is_empty(), "an error without a message: {case}");
        assert!(!error.message.contains("panick"), "a panic: {case}");
    }
    for op in ["ecr:PutImage", "cloudformation:UpdateStack"] {
        assert_eq!(world.cloud.count(op), 0, "{op}: {case}");
    }
    assert_eq!(world.production().await, before, "{case}");
}

/// As the runtime reads it: what follows the first value is left unread.
fn read(mutant: &[u8]) -> Option<Value> {
    serde_json::Deserializer::from_slice(mutant).into_iter().next()?.ok()
}

/// In the order of their names, which is the same everywhere.
fn event_files() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/events");
    let entries = std::fs::read_dir(folder).expect("events/ is there");
    let mut files: Vec<String> = entries
        .map(|entry| entry.expect("readable").file_name().into_string().expect("UTF-8"))
        .collect();
    files.retain(|file| file.ends_with(".json"));
    files.sort();
    files
}

/// About the image that is there, and sent just now, so that nothing is left aside for being
/// foreign or old.
fn current(mut event: Value, image: &Image) -> Value {
    if event["detail"]["image-digest"].is_string() {
        event["detail"]["image-digest"] = json!(image.digest());
    }
    if event["Records"][0]["Sns"]["Timestamp"].is_string() {
        event["Records"][0]["Sns"]["Timestamp"] = json!(jiff::Timestamp::now().to_string());
    }
    event
}

/// What an event asks for, without what may be any way: its id, its time, spaces and capitals in
/// words.
fn meaning(event: &Value) -> Value {
    if let Some(records) = event["Records"].as_array() {
        let mut said: Vec<Value> = records
            .iter()
            .map(|record| {
                let text = record["Sns"]["Message"].as_str().unwrap_or_default();
                let words = text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
                json!([
                    record["EventSource"],
                    serde_json::from_str(text).map_or(Value::from(words), command)
                ])
            })
            .collect();
        said.dedup();
        return Value::from(said);
    }
    if event.get("detail").is_none() && event.get("source").is_none() {
        return command(event.clone());
    }
    let detail = &event["detail"];
    json!([
        [event["source"], event["detail-type"], event["account"], event["region"]],
        [detail["result"], detail["action-type"], detail["repository-name"], detail["image-tag"]],
    ])
}

/// An option that is null is not given.
fn command(mut command: Value) -> Value {
    if let Some(fields) = command.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    command
}

fn mutate(original: &Value, rng: &mut Rng) -> Vec<u8> {
    if rng.bool() {
        let mut bytes = original.to_string().into_bytes();
        mutate_bytes(&mut bytes, rng);
        return bytes;
    }
    let mut event = original.clone();
    for _ in 0..rng.usize(1..=2) {
        mutate_json(&mut event, rng);
    }
    event.to_string().into_bytes()
}

fn mutate_bytes(bytes: &mut Vec<u8>, rng: &mut Rng) {
    let at = rng.usize(..bytes.len());
    let to = bytes.len().min(at + rng.usize(1..20));
    match rng.u8(..5) {
        0 => bytes[at] ^= 1 << rng.u8(..8),
        1 => bytes.insert(at, rng.u8(..)),
        2 => drop(bytes.drain(at..to)),
        3 => bytes.truncate(at),
        _ => {
            let again = bytes[at..to].to_vec();
            bytes.splice(at..at, again);
        }
    }
}

fn mutate_json(event: &mut Value, rng: &mut Rng) {
    let mut pointers = vec![];
    collect_pointers(event, String::new(), &mut pointers);
    let pointer = &pointers[rng.usize(..pointers.len())];
    if rng.u8(..4) == 0 {
        return remove(event, pointer);
    }
    let other = event.pointer(&pointers[rng.usize(..pointers.len())]).cloned().unwrap_or_default();
    let value = event.pointer_mut(pointer).expect("collected");
    *value = match rng.u8(..10) {
        0 => Value::Null,
        1 => json!(rng.bool()),
        2 => json!(rng.i64(..)),
        3 => json!(1e308),
        4 => json!([value.clone(), value.clone()]),
        5 => json!({ "": value.clone() }),
        6 => json!("💥\u{0}é".repeat(rng.usize(..2000))),
        7 => other,
        _ => value.as_str().map_or_else(|| json!(""), |text| Value::from(mutate_text(text, rng))),
    };
}

fn mutate_text(text: &str, rng: &mut Rng) -> String {
    let letters: Vec<char> = text.chars().collect();
    let at = rng.usize(..=letters.len());
    let (head, tail): (String, String) =
        (letters[..at].iter().collect(), letters[at..].iter().collect());
    match rng.u8(..4) {
        0 => head,
        1 => format!("{head}{}{tail}", rng.alphanumeric()),
        2 => format!("{head}{}", tail.chars().skip(1).collect::<String>()),
        _ => format!("{text}{text}"),
    }
}

fn collect_pointers(value: &Value, here: String, all: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            let escape = |key: &str| key.replace('~', "~0").replace('/', "~1");
            fields.iter().for_each(|(key, value)| {
                collect_pointers(value, format!("{here}/{}", escape(key)), all)
            });
        }
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(i, value)| collect_pointers(value, format!("{here}/{i}"), all));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    all.push(here);
}

fn remove(event: &mut Value, pointer: &str) {
    let (parent, key) = pointer.rsplit_once('/').unwrap_or_default();
    match event.pointer_mut(parent) {
        Some(Value::Object(fields)) if !key.is_empty() => {
            drop(fields.remove(&key.replace("~1", "/").replace("~0", "~")))
        }
        Some(Value::Array(items)) if key.parse::<usize>().is_ok_and(|at| at < items.len()) => {
            drop(items.remove(key.parse().expect("checked")));
        }
        _ => *event = Value::Object(Map::new()),
    }
}
