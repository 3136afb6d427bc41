//! A fault at every call.

use ecr_promoter::model::Digest;
use serde_json::Value;

use super::interleave::run;
use super::world::{Fault, Memory};

/// Runs `payload` once for each call that it makes and each fault, and delivers it again as Lambda
/// would.
pub(crate) fn survives_every_fault(
    new: impl Fn() -> (Memory, Digest),
    payload: impl Fn(&Memory, &Digest) -> Value,
    end: impl Fn(&Memory, &Digest),
) {
    let calls = {
        let (world, digest) = new();
        let before = world.get().calls.len();
        world.invoke(&payload(&world, &digest), "request").expect("an answer");
        let calls = before..world.get().calls.len();
        end(&world, &digest);
        calls
    };
    for at in calls {
        for fault in [Fault::Before, Fault::After, Fault::Death] {
            let (world, digest) = new();
            world.get_mut().fault = Some((at, fault));
            let payload = payload(&world, &digest);
            for attempt in 0..3 {
                match run(world.handler(payload.clone(), "request")) {
                    Some(Ok(_)) => break,
                    Some(Err(_)) | None => assert!(
                        attempt < 2,
                        "fault {fault:?} at call {at}: not carried out in three attempts"
                    ),
                }
            }
            eprintln!("fault {fault:?} at call {at}: {:?}", world.get().calls);
            end(&world, &digest);
        }
    }
}
