//! The matching of `EventBridge`.

use serde_json::Value;

/// Whether an event matches a pattern, as far as the patterns of the templates go: every key must be
/// there, with one of the values; of a list, one item must match.
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html>
pub(super) fn matches(pattern: &Value, event: &Value) -> bool {
    match pattern {
        Value::Object(keys) => keys.iter().all(|(key, pattern)| match (key.as_str(), pattern) {
            ("$or", Value::Array(some)) => some.iter().any(|pattern| matches(pattern, event)),
            _ => matches(pattern, &event[key]),
        }),
        Value::Array(_) if event.is_array() => {
            event.as_array().into_iter().flatten().any(|item| matches(pattern, item))
        }
        Value::Array(values) => values.iter().any(|value| is_value(value, event)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            panic!("a pattern's leaf is a list, not {pattern}")
        }
    }
}

/// Whether one value of an event is this one, or what this matcher stands for.
fn is_value(value: &Value, event: &Value) -> bool {
    let Some(matcher) = value.as_object() else { return value == event };
    let starts = |start: &str| event.as_str().is_some_and(|text| text.starts_with(start));
    match matcher.iter().next().map(|(name, argument)| (name.as_str(), argument)) {
        Some(("prefix", Value::String(prefix))) => starts(prefix),
        Some(("wildcard", Value::String(wildcard))) => {
            let start = wildcard.strip_suffix('*').filter(|start| !start.contains('*'));
            starts(start.expect("only an asterisk at the end is known to this test"))
        }
        // A value that is not there is none of the others.
        Some(("anything-but", but)) => event.is_string() && !is_value(but, event),
        _ => panic!("this test does not know the matcher {value}"),
    }
}
