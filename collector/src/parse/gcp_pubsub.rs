//! Google Pub/Sub push: one log entry in base64, as a log sink's topic delivers it.
//!
//! ```text
//! {"message":{"data":"eyJpbnNlcnRJZCI6…","messageId":"11309000000000001","publishTime":"2026-02-11T10:01:02.5Z"},"subscription":"projects/p/subscriptions/overrun"}
//! ```
//!
//! Google's "Push subscriptions", read in November 2026; some forwarders compress what is inside. `docs/formats/gcp_pubsub.md`.

use domain::{Claim, Kind};
use serde_json::{Map, Value};

use super::{Fate, Reject, cloudwatch, gcp};

/// The format's name.
pub const FORMAT: &str = "gcp_pubsub";

/// Reads a delivery; `None` when the object is none.
pub(super) fn read_record(object: &Map<String, Value>, raw: &str) -> Option<Vec<Fate>> {
    let message = object.get("message")?.as_object()?;
    object.get("subscription")?.as_str()?;
    ["data", "attributes", "messageId", "message_id"].iter().any(|key| message.contains_key(*key)).then_some(())?;
    let Some(data) = message.get("data").and_then(Value::as_str) else {
        return Some(vec![Fate::Ignored(Box::new(Claim::new(Kind::Other, FORMAT, raw)))]);
    };
    let entry = cloudwatch::decode(data.as_bytes())
        .and_then(cloudwatch::plain)
        .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).map_err(|error| format!("expected a log entry, found {error}")));
    let fates = entry.and_then(|entry| {
        let read = entry.as_object().and_then(|entry| gcp::read_record(entry, &Value::from(entry.clone()).to_string()));
        read.ok_or_else(|| "expected a log entry, found other JSON".to_owned())
    });
    let about = |fate| match fate {
        Fate::Evidence(claim) => Fate::Evidence(Box::new(delivered(*claim, object, message))),
        Fate::Ignored(claim) => Fate::Ignored(Box::new(delivered(*claim, object, message))),
        rejected @ Fate::Rejected(_) => rejected,
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
    fn the_entry_inside_is_read_and_what_is_none_is_rejected() {
        let broken = r#"{"message": {"data": "@@", "messageId": "9003"}, "subscription": "s"}
{"message": {"data": "eyJhIjoxfQ==", "messageId": "9004"}, "subscription": "s"}"#;
        let log = include_str!("../../../tests/fixtures/gcp_pubsub/deliveries.jsonl").to_owned() + broken;
        for format in [Format::GcpPubsub, Format::Auto] {
            let items: Vec<_> = format.parse(log.as_bytes(), &Context::default()).items.iter().map(facts::of).collect();
            let fates: Vec<_> = items.iter().map(|item| item["fate"].as_str().unwrap_or_default()).collect();
            assert_eq!(fates, ["evidence", "ignored", "rejected", "rejected"]);
            assert_eq!(
                (&items[0]["outcome"], &items[0]["limit_ms"], &items[0]["message_id"]),
                (&"timeout".into(), &120_000.into(), &"9001".into())
            );
        }
    }
}
