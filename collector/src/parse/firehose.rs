//! Kinesis Data Firehose: records of a delivery stream, each base64 of what was put there.
//!
//! ```text
//! {"requestId":"ad91…","timestamp":1770804005123,"records":[{"data":"H4sIAAAA…"}]}
//! ```
//!
//! AWS's "HTTP endpoint delivery request and response specifications", read in November 2026. CloudWatch Logs puts gzipped
//! subscription messages there, other senders plain lines. The answer that Firehose wants is `receive/firehose.rs`.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Context, Fate, Item, Parsed, Reject, cloudwatch, marks};

/// The format's name.
pub const FORMAT: &str = "firehose";

/// A delivery has an ID and records, whose text is packed.
pub(super) const MARKS: marks::Declared = &[&["equestId\""]];

/// A delivery.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// The same on every try of the same delivery.
    pub request_id: String,
    /// Milliseconds since 1970.
    pub timestamp: i64,
    /// Each is read by itself: one that is none costs no other.
    records: Vec<Value>,
}

impl Delivery {
    /// Reads a body.
    ///
    /// # Errors
    /// What was expected and what was found.
    pub fn read(input: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(input)
            .map_err(|error| format!("expected a Firehose delivery (`requestId`, `timestamp`, `records`), found {error}"))
    }

    /// By what the same delivery is recognised when it is tried again: all but the time of the try.
    #[must_use]
    pub fn identity(&self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        for part in std::iter::once(self.request_id.as_str()).chain(self.records.iter().filter_map(|record| record.get("data")?.as_str())) {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
        }
        hasher.finalize()
    }

    /// What the records hold, each read when its turn comes: compressed lines may take a hundred times their size as claims. A record
    /// that cannot be read costs no other.
    pub fn items(self, context: Context) -> impl Iterator<Item = Item> + Send {
        self.items_of(UNPACKED_BYTES_MAX, context)
    }

    /// The same where records may come to so many bytes.
    fn items_of(self, bytes_max: usize, context: Context) -> impl Iterator<Item = Item> + Send {
        let mut left = bytes_max;
        let read = move |record: &Value| {
            let bytes = unpacked(record)?;
            let too_much = || format!("expected records of at most {bytes_max} bytes in all after decompression, found more");
            left = left.checked_sub(bytes.len()).ok_or_else(too_much)?;
            Ok(cloudwatch::read_delivered(&bytes, &context))
        };
        let fates = self.records.into_iter().scan(read, |read, record| {
            Some(read(&record).unwrap_or_else(|reason: String| vec![Fate::Rejected(Reject::new(reason, &record.to_string()))]))
        });
        (1..).zip(fates).flat_map(|(line, fates)| fates.into_iter().map(move |fate| Item { line, fate }))
    }
}

/// What the records of a delivery may come to: 64 MiB of base64, the most that Firehose sends, compressed to a twentieth.
const UNPACKED_BYTES_MAX: usize = 1 << 30;

/// The bytes in a record, decompressed.
fn unpacked(record: &Value) -> Result<Vec<u8>, String> {
    let encoded = record.get("data").and_then(Value::as_str).ok_or("expected a record with `data`")?;
    cloudwatch::plain(cloudwatch::decode(encoded.as_bytes())?)
}

/// Reads a delivery as a record among others.
pub(super) fn read_record(object: &Map<String, Value>, _raw: &str) -> Option<Vec<Fate>> {
    let is_delivery = ["requestId", "timestamp", "records"].iter().all(|key| object.contains_key(*key));
    let delivery = is_delivery.then(|| Delivery::deserialize(object).ok()).flatten()?;
    Some(delivery.items(Context::default()).map(|item| item.fate).collect())
}

/// Reads a body.
#[must_use]
pub fn parse(input: &[u8], context: &Context) -> Parsed {
    match Delivery::read(input) {
        Ok(delivery) => {
            let lines = delivery.records.len() as u64;
            Parsed { items: delivery.items(context.clone()).collect(), lines }
        }
        Err(reason) => {
            let reject = Reject::new(reason, &String::from_utf8_lossy(input));
            Parsed { items: vec![Item { line: 1, fate: Fate::Rejected(reject) }], lines: 1 }
        }
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;

    use super::*;

    #[test]
    fn a_record_that_cannot_be_read_costs_no_other() {
        let delivery = include_str!("../../../tests/fixtures/firehose/delivery.json").replace("}]", "}, {\"data\": \"%%%\"}]");
        let parsed = parse(delivery.as_bytes(), &Context::default());
        let rejected: Vec<_> = parsed.items.iter().filter(|item| matches!(item.fate, Fate::Rejected(_))).map(|item| item.line).collect();
        let evidence = parsed.items.iter().filter(|item| matches!(item.fate, Fate::Evidence(_))).count();
        assert_eq!((parsed.lines, evidence, rejected), (3, 9, vec![3]));
    }

    #[test]
    fn what_records_come_to_in_all_is_bounded() {
        // 40 bytes, 100, and 40 again, which there still is room for.
        let record = |bytes: usize| serde_json::json!({"data": base64::engine::general_purpose::STANDARD.encode("x".repeat(bytes))});
        let delivery = serde_json::json!({"requestId": "a", "timestamp": 1, "records": [record(40), record(100), record(40)]});
        let delivery = Delivery::read(delivery.to_string().as_bytes()).expect("a delivery");
        let rejected: Vec<_> = delivery.items_of(100, Context::default()).map(|item| matches!(item.fate, Fate::Rejected(_))).collect();
        assert_eq!(rejected, [false, true, false]);
    }

    #[test]
    fn what_is_no_delivery_is_rejected_with_the_reason() {
        let parsed = parse(b"{}", &Context::default());
        assert!(
            matches!(&parsed.items[..], [Item { fate: Fate::Rejected(reject), .. }] if reject.reason.starts_with("expected a Firehose delivery"))
        );
    }
}
