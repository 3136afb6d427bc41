//! CBOR, which CloudWatch speaks, as JSON.

use aws_smithy_cbor::data::Type;
use aws_smithy_cbor::decode::DeserializeError;
use aws_smithy_cbor::{Decoder, Encoder};
use serde_json::{Map, Value};

/// A body as JSON; null where it is no CBOR of the kind that the SDK sends.
pub(crate) fn read(body: &[u8]) -> Value {
    value(&mut Decoder::new(body)).unwrap_or_default()
}

/// JSON as a body. A number whose key ends in `Timestamp` is a time.
pub(crate) fn written(value: &Value) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    write(&mut encoder, "", value);
    encoder.into_writer()
}

fn value(from: &mut Decoder<'_>) -> Result<Value, DeserializeError> {
    let kind = from.datatype()?;
    if matches!(kind, Type::Map | Type::MapIndef) {
        let mut left = from.map()?;
        let mut map = Map::new();
        while has_more(from, &mut left)? {
            let key = from.string()?;
            map.insert(key, value(from)?);
        }
        return Ok(Value::Object(map));
    }
    if matches!(kind, Type::Array | Type::ArrayIndef) {
        let mut left = from.list()?;
        let mut list = vec![];
        while has_more(from, &mut left)? {
            list.push(value(from)?);
        }
        return Ok(Value::Array(list));
    }
    if matches!(kind, Type::String | Type::StringIndef) {
        return Ok(Value::from(from.string()?));
    }
    // Requests have nothing else.
    from.skip()?;
    Ok(Value::Null)
}

/// Whether another item follows in a list or map, which says how many it has or ends with a break.
fn has_more(from: &mut Decoder<'_>, left: &mut Option<u64>) -> Result<bool, DeserializeError> {
    if let Some(left) = left {
        let more = *left > 0;
        *left = left.saturating_sub(1);
        return Ok(more);
    }
    let more = from.datatype()? != Type::Break;
    if !more {
        from.skip()?;
    }
    Ok(more)
}

fn write(to: &mut Encoder, key: &str, value: &Value) {
    match value {
        Value::Null => {
            to.null();
        }
        Value::Bool(is) => {
            to.boolean(*is);
        }
        Value::String(text) => {
            to.str(text);
        }
        Value::Number(number) => {
            let number = number.as_f64().expect("a number");
            if key.ends_with("Timestamp") {
                to.timestamp(&aws_smithy_types::DateTime::from_secs_f64(number));
            } else {
                to.double(number);
            }
        }
        Value::Array(list) => {
            to.array(list.len());
            list.iter().for_each(|item| write(to, "", item));
        }
        Value::Object(map) => {
            to.map(map.len());
            for (key, value) in map {
                to.str(key);
                write(to, key, value);
            }
        }
    }
}
