//! Whether the original event is all there: what runs again must be what ran.

use domain::{Incident, Value};

use super::Why;

/// What watchdogs and the collector write in place of what they took out.
const REDACTED: &str = "[redacted]";

/// From here on, a double no longer holds every whole number, so digits may have been lost on the way.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// The event, if it is whole.
pub(super) fn whole(incident: &Incident) -> Result<&Value, Why> {
    let event = incident.original_event.as_ref().filter(|event| **event != Value::Null).ok_or(Why::NoEvent)?;
    if is_digest(event) {
        return Err(Why::EventTooLarge);
    }
    check(event, &mut String::new())?;
    Ok(event)
}

/// What watchdogs send of an event that is too large: `{"bytes": 70000, "digest": "sha256:…"}`.
fn is_digest(event: &Value) -> bool {
    let Value::Map(fields) = event else { return false };
    let digest = fields.get("digest").and_then(Value::as_text).is_some_and(|digest| digest.contains(':'));
    digest && fields.len() == 2 && fields.contains_key("bytes")
}

fn check(value: &Value, path: &mut String) -> Result<(), Why> {
    let named = |path: &str| if path.is_empty() { "/".to_owned() } else { path.to_owned() };
    match value {
        Value::Text(text) if text.contains(REDACTED) => Err(Why::EventRedacted(named(path))),
        Value::Number(number) if number.as_f64().abs() >= EXACT_MAX => Err(Why::EventInexact(named(path))),
        Value::Map(fields) => fields.iter().try_for_each(|(name, value)| below(value, path, name)),
        Value::List(items) => items.iter().enumerate().try_for_each(|(place, value)| below(value, path, &place.to_string())),
        _ => Ok(()),
    }
}

/// Checks what is one step down; the path is a JSON pointer.
fn below(value: &Value, path: &mut String, step: &str) -> Result<(), Why> {
    let before = path.len();
    path.push('/');
    path.push_str(step);
    check(value, path)?;
    path.truncate(before);
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing;

    fn check(event: serde_json::Value, expected: Option<Why>) {
        let mut incident = testing::incident();
        incident.original_event = Some(Value::from(event));
        assert_eq!(whole(&incident).map(|_| ()), expected.map_or(Ok(()), Err));
    }

    #[test]
    fn an_event_that_is_not_whole_is_not_run_again() {
        check(json!({ "order": 7, "items": ["a"] }), None);
        check(json!("text"), None);
        check(json!(null), Some(Why::NoEvent));
        check(json!({ "headers": { "cookie": "[redacted]" } }), Some(Why::EventRedacted("/headers/cookie".to_owned())));
        check(json!({ "items": ["a", "card [redacted]"] }), Some(Why::EventRedacted("/items/1".to_owned())));
        check(json!("[redacted]"), Some(Why::EventRedacted("/".to_owned())));
        check(json!({ "bytes": 70_000, "digest": "sha256:00" }), Some(Why::EventTooLarge));
        check(json!({ "bytes": 70_000, "digest": "sha256:00", "order": 1 }), None);
        check(json!({ "id": 9_007_199_254_740_993_i64 }), Some(Why::EventInexact("/id".to_owned())));
        assert_eq!(whole(&testing::incident()).err(), Some(Why::NoEvent));
    }
}
