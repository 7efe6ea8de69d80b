//! Google Pub/Sub push: one log entry in base64, as a log sink's topic delivers it.
//!
//! ```text
//! {"message":{"data":"eyJpbnNlcnRJZCI6…","messageId":"11309000000000001","publishTime":"2026-02-11T10:01:02.5Z"},"subscription":"projects/p/subscriptions/overrun"}
//! ```
//!
//! Google's "Push subscriptions", read in November 2026; some forwarders compress what is inside. `docs/formats/gcp_pubsub.md`.

use domain::{Claim, Kind};
use serde_json::{Map, Value};

use super::{Context, Fate, Format, Reject, cloudwatch, events, gcp, marks};

/// The format's name.
pub const FORMAT: &str = "gcp_pubsub";

/// An entry by itself has those of `gcp`; a delivery packs its text.
pub(super) const MARKS: marks::Declared = &[&["\"subscr"]];

/// What a message holds: a log entry, or lines that somebody published, which are no reason to have it delivered again.
fn inside(bytes: &[u8]) -> Vec<Fate> {
    let text = String::from_utf8_lossy(bytes);
    let entry: Option<Value> = serde_json::from_str(&text).ok();
    let read = entry.as_ref().and_then(Value::as_object).and_then(|entry| gcp::read_record(entry, &text));
    read.unwrap_or_else(|| events::parse(Format::Auto, bytes, &Context::default()).items.into_iter().map(|item| item.fate).collect())
}

/// Reads a delivery; `None` when the object is none. A subscription may be told to deliver what is inside without anything
/// around it.
pub(super) fn read_record(object: &Map<String, Value>, raw: &str) -> Option<Vec<Fate>> {
    let Some(message) = object.get("message").and_then(Value::as_object) else { return gcp::read_record(object, raw) };
    object.get("subscription")?.as_str()?;
    ["data", "attributes", "messageId", "message_id"].iter().any(|key| message.contains_key(*key)).then_some(())?;
    let Some(data) = message.get("data").and_then(Value::as_str) else {
        return Some(vec![Fate::Ignored(Box::new(Claim::new(Kind::Other, FORMAT, raw)))]);
    };
    let fates = cloudwatch::decode(data.as_bytes()).and_then(|bytes| cloudwatch::plain(&bytes).map(|text| inside(&text)));
    let about = |fate| match fate {
        Fate::Evidence(claim) => Fate::Evidence(Box::new(delivered(*claim, object, message))),
        Fate::Ignored(claim) => Fate::Ignored(Box::new(delivered(*claim, object, message))),
        other @ (Fate::Passed(_) | Fate::Rejected(_)) => other,
    };
    match fates {
        Ok(fates) => Some(fates.into_iter().map(about).collect()),
        Err(reason) => Some(vec![Fate::Rejected(Reject::new(reason, raw))]),
    }
}

/// Adds by which message it came; a repeated delivery is told by the entry itself.
fn delivered(mut claim: Claim, object: &Map<String, Value>, message: &Map<String, Value>) -> Claim {
    let id = message.get("messageId").or_else(|| message.get("message_id")).and_then(Value::as_str);
    if let Some(id) = id {
        claim = claim.with("message_id", id);
    }
    if let Some(attempt) = object.get("deliveryAttempt").and_then(Value::as_f64) {
        claim = claim.with("delivery_attempt", attempt);
    }
    claim
}

#[cfg(test)]
mod tests {
    use crate::parse::{Context, Format, facts};

    #[test]
    fn the_entry_inside_is_read_and_what_cannot_be_decoded_is_rejected() {
        let broken = r#"{"message": {"data": "@@", "messageId": "9003"}, "subscription": "s"}
{"message": {"data": "eyJhIjoxfQ==", "messageId": "9004"}, "subscription": "s"}"#;
        let log = include_str!("../../../tests/fixtures/gcp_pubsub/deliveries.jsonl").to_owned() + broken;
        for format in [Format::GcpPubsub, Format::Auto] {
            let items: Vec<_> = format.parse(log.as_bytes(), &Context::default()).items.iter().map(facts::of).collect();
            let fates: Vec<_> = items.iter().map(|item| item["fate"].as_str().unwrap_or_default()).collect();
            assert_eq!(fates, ["evidence", "ignored", "rejected", "ignored"]);
            assert_eq!(
                (&items[0]["outcome"], &items[0]["limit_ms"], &items[0]["message_id"]),
                (&"timeout".into(), &120_000.into(), &"9001".into())
            );
        }
    }
}
