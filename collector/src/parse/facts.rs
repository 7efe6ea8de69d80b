//! An item as `overrun parse --json` prints it: one flat object, under the names of `docs/formats/README.md`.

use domain::Claim;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Fate, Item};

/// The item's fate and everything that was read in it.
#[must_use]
pub fn of(item: &Item) -> Value {
    let (fate, mut facts) = match &item.fate {
        Fate::Evidence(claim) => ("evidence", of_claim(claim)),
        Fate::Ignored(claim) => ("ignored", of_claim(claim)),
        Fate::Passed(lines) => ("ignored", Map::from_iter([("lines".to_owned(), (*lines).into())])),
        Fate::Rejected(reject) => {
            let facts = json!({ "kind": "unparsed", "reason": reject.reason, "raw": reject.text });
            ("rejected", facts.as_object().cloned().unwrap_or_default())
        }
    };
    facts.insert("fate".to_owned(), fate.into());
    facts.insert("line".to_owned(), item.line.into());
    Value::Object(facts)
}

/// The claim with its attributes and its limit on the top level.
fn of_claim(claim: &Claim) -> Map<String, Value> {
    let Ok(Value::Object(mut facts)) = serde_json::to_value(claim) else { return Map::new() };
    for (name, at) in [("observed_at", claim.observed_at), ("started_at", claim.started_at)] {
        if let Some(at) = at {
            facts.insert(name.to_owned(), written(at, &claim.raw).into());
        }
    }
    for (ours, theirs) in [("trace_id", "trace_id_w3c"), ("function", "function_name")] {
        if let Some(value) = facts.remove(ours) {
            facts.insert(theirs.to_owned(), value);
        }
    }
    if let Some(limit) = &claim.limit {
        facts.insert("limit_ms".to_owned(), json!(limit.value_ms));
        facts.insert("limit_setting".to_owned(), json!(limit.setting));
        facts.remove("limit");
    }
    if let Some(Value::Object(attributes)) = facts.remove("attributes") {
        for (name, value) in attributes {
            facts.entry(name).or_insert(value);
        }
    }
    facts
}

/// RFC 3339 with as many groups of three fraction digits as the moment needs; with milliseconds where the text writes them even
/// for a whole second.
fn written(at: Timestamp, raw: &str) -> String {
    let groups = [9, 6, 3, 0].map(|digits| format!("{at:.digits$}"));
    let needed = match at.subsec_nanosecond().unsigned_abs() {
        0 => 3,
        nanos if nanos.is_multiple_of(1_000_000) => 2,
        nanos if nanos.is_multiple_of(1_000) => 1,
        _ => 0,
    };
    let chosen = groups
        .iter()
        .position(|text| raw.contains(text.as_str()))
        .filter(|found| (needed.min(2)..=needed).contains(found))
        .unwrap_or(needed);
    groups[chosen].clone()
}
