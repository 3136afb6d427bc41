//! Text as the message of an SNS record: in words or in JSON, it becomes a command or is told what
//! would be understood.
#![no_main]

use ecr_promoter::event::Invocation;
use ecr_promoter::event::payload::parse;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|text: &str| {
    let invocation = Invocation::new("request-1".to_owned(), "", Timestamp::UNIX_EPOCH);
    let sns = json!({ "MessageId": "1", "Message": text, "Timestamp": "2026-03-17T09:55:00Z" });
    let raw = json!({ "Records": [{ "EventSource": "aws:sns", "Sns": sns }] });
    let events = parse(&raw, &invocation).expect("a record is a record");
    assert_eq!(events.len(), 1);
    // The same text as a payload of its own.
    if let Ok(payload) = serde_json::from_str(text) {
        let _ = parse(&payload, &invocation);
    }
});
