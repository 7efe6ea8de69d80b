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

/// A record's base64.
fn data(record: &Value) -> Option<&str> {
    record.get("data")?.as_str()
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
        for part in std::iter::once(self.request_id.as_str()).chain(self.records.iter().filter_map(data)) {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
        }
        hasher.finalize()
    }

    /// What the records hold. A record that cannot be read costs no other.
    #[must_use]
    pub fn parse(&self, context: &Context) -> Parsed {
        let read = |record: &Value| {
            let encoded = data(record).ok_or_else(|| "expected a record with `data`".to_owned());
            match encoded.and_then(|encoded| cloudwatch::decode(encoded.as_bytes())) {
                Ok(bytes) => cloudwatch::read_delivered(&bytes, context),
                Err(reason) => vec![Fate::Rejected(Reject::new(reason, &record.to_string()))],
            }
        };
        let items = (1..).zip(&self.records).flat_map(|(line, record)| read(record).into_iter().map(move |fate| Item { line, fate }));
        Parsed { items: items.collect(), lines: self.records.len() as u64 }
    }
}

/// Reads a delivery as a record among others.
pub(super) fn read_record(object: &Map<String, Value>, _raw: &str) -> Option<Vec<Fate>> {
    let is_delivery = ["requestId", "timestamp", "records"].iter().all(|key| object.contains_key(*key));
    let delivery = is_delivery.then(|| Delivery::deserialize(object).ok()).flatten()?;
    Some(delivery.parse(&Context::default()).items.into_iter().map(|item| item.fate).collect())
}

/// Reads a body.
#[must_use]
pub fn parse(input: &[u8], context: &Context) -> Parsed {
    match Delivery::read(input) {
        Ok(delivery) => delivery.parse(context),
        Err(reason) => {
            let reject = Reject::new(reason, &String::from_utf8_lossy(input));
            Parsed { items: vec![Item { line: 1, fate: Fate::Rejected(reject) }], lines: 1 }
        }
    }
}

#[cfg(test)]
mod tests {
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
    fn what_is_no_delivery_is_rejected_with_the_reason() {
        let parsed = parse(b"{}", &Context::default());
        assert!(
            matches!(&parsed.items[..], [Item { fate: Fate::Rejected(reject), .. }] if reject.reason.starts_with("expected a Firehose delivery"))
        );
    }
}
