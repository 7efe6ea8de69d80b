//! Values nested so deep that the reader of JSON would refuse to read them back (`serde_json` stops at 128): from a limit
//! on, what lies deeper is kept as JSON text.

use std::borrow::Cow;
use std::collections::BTreeMap;

use domain::{Claim, Value};

use crate::columns;

/// Levels of lists and maps that are kept as such.
const LEVELS_MAX: usize = 64;

/// The claim with no value nested deeper than can be read back.
pub(crate) fn readable(claim: &Claim) -> Cow<'_, Claim> {
    if claim.attributes.values().all(|value| is_within(value, LEVELS_MAX)) {
        return Cow::Borrowed(claim);
    }
    let attributes = claim.attributes.iter().map(|(name, value)| (name.clone(), flattened(value, LEVELS_MAX))).collect();
    Cow::Owned(Claim { attributes, ..claim.clone() })
}

fn is_within(value: &Value, levels: usize) -> bool {
    match value {
        Value::List(items) => levels > 0 && items.iter().all(|item| is_within(item, levels - 1)),
        Value::Map(map) => levels > 0 && map.values().all(|item| is_within(item, levels - 1)),
        Value::Null | Value::Flag(_) | Value::Number(_) | Value::Text(_) => true,
    }
}

fn flattened(value: &Value, levels: usize) -> Value {
    match value {
        Value::List(items) if levels > 0 => Value::List(items.iter().map(|item| flattened(item, levels - 1)).collect()),
        Value::Map(map) if levels > 0 => {
            Value::Map(map.iter().map(|(name, item)| (name.clone(), flattened(item, levels - 1))).collect::<BTreeMap<_, _>>())
        }
        Value::List(_) | Value::Map(_) => Value::Text(columns::json(value)),
        flat => flat.clone(),
    }
}

#[cfg(test)]
mod tests {
    use domain::Kind;

    use super::*;

    fn nested(levels: usize) -> Claim {
        let value = (0..levels).fold(Value::from("core"), |inner, _| Value::List(vec![inner]));
        Claim::new(Kind::AppLog, "test", "").with("event", value)
    }

    #[test]
    fn only_what_is_too_deep_becomes_text() {
        assert!(matches!(readable(&nested(LEVELS_MAX)), Cow::Borrowed(_)));
        let deep = readable(&nested(LEVELS_MAX + 2)).into_owned();
        let json = columns::json(&deep);
        assert!(json.contains(r#""[[\"core\"]]""#), "{json}");
        assert!(matches!(readable(&deep), Cow::Borrowed(_)));
    }
}
