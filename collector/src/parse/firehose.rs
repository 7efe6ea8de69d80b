//! Kinesis Data Firehose: records of a delivery stream, each base64 of what was put there.
//!
//! ```text
//! {"requestId":"ad91…","timestamp":1770804005123,"records":[{"data":"H4sIAAAA…"}]}
//! ```
//!
//! AWS's "HTTP endpoint delivery request and response specifications", read in November 2026. CloudWatch Logs puts gzipped
//! subscription messages there, other senders plain lines. The answer that Firehose wants is `receive/firehose.rs`.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::ops::{Range, RangeFrom};
use std::vec;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::cloudwatch::{self, Reading};
use super::events::Detail;
use super::{Context, Fate, Item, Parsed, PassedLines, Reject, marks};

/// The format's name.
pub const FORMAT: &str = "firehose";

/// A delivery has an ID and records, whose text is packed.
pub(super) const MARKS: marks::Declared = &[&["equestId\""]];

/// A delivery.
pub struct Delivery {
    /// The same on every try of the same delivery.
    pub request_id: String,
    body: Vec<u8>,
    /// Where in the body its records are. Each is read by itself: one that is none costs no other.
    records: Vec<Range<usize>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written<'t> {
    request_id: String,
    /// Milliseconds since 1970.
    #[serde(rename = "timestamp")]
    _timestamp: i64,
    #[serde(borrow)]
    records: Vec<&'t RawValue>,
}

#[derive(Deserialize)]
struct Record<'t> {
    #[serde(borrow)]
    data: Cow<'t, str>,
}

impl Delivery {
    /// Reads a body.
    ///
    /// # Errors
    /// What was expected and what was found.
    pub fn read(body: Vec<u8>) -> Result<Self, String> {
        let written: Written<'_> = serde_json::from_slice(&body)
            .map_err(|error| format!("expected a Firehose delivery (`requestId`, `timestamp`, `records`), found {error}"))?;
        let place = |record: &RawValue| {
            let begin = record.get().as_ptr().addr() - body.as_ptr().addr();
            begin..begin + record.get().len()
        };
        let records = written.records.into_iter().map(place).collect();
        Ok(Self { request_id: written.request_id, body, records })
    }

    /// By what the same delivery is recognised when it is tried again: all but the time of the try.
    #[must_use]
    pub fn identity(&self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        let data = self.records.iter().filter_map(|place| Some(record(&self.body[place.clone()]).ok()?.data));
        for part in std::iter::once(Cow::Borrowed(self.request_id.as_str())).chain(data) {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
        }
        hasher.finalize()
    }

    /// What the records say, each read when its turn comes: compressed lines may take a hundred times their size as claims. A record
    /// that cannot be read costs no other.
    pub fn items(self, context: Context) -> impl Iterator<Item = Item> + Send {
        Records::new(self, context, Detail::Count)
    }
}

/// What the records of a delivery may come to: 64 MiB of base64, the most that Firehose sends, compressed to a twentieth.
const UNPACKED_BYTES_MAX: usize = 1 << 30;

/// The records of a delivery, while they are read.
struct Records {
    body: Vec<u8>,
    places: std::iter::Zip<RangeFrom<u64>, vec::IntoIter<Range<usize>>>,
    context: Context,
    detail: Detail,
    /// How much records may still come to.
    bytes_left: usize,
    /// What was in the last record, out of its base64.
    unpacked: Vec<u8>,
    ready: VecDeque<Item>,
    passed: PassedLines,
}

impl Records {
    fn new(Delivery { body, records, .. }: Delivery, context: Context, detail: Detail) -> Self {
        let (unpacked, ready, passed) = (Vec::new(), VecDeque::new(), PassedLines::default());
        Self { body, places: (1..).zip(records), context, detail, bytes_left: UNPACKED_BYTES_MAX, unpacked, ready, passed }
    }

    /// Reads a record.
    fn read(&mut self, line: u64, place: Range<usize>) -> Result<(), String> {
        let record = record(&self.body[place])?;
        self.unpacked.clear();
        STANDARD.decode_vec(record.data.as_bytes(), &mut self.unpacked).map_err(|error| format!("expected base64, found {error}"))?;
        let text = cloudwatch::plain(&self.unpacked)?;
        let too_much = || format!("expected records of at most {UNPACKED_BYTES_MAX} bytes in all after decompression, found more");
        self.bytes_left = self.bytes_left.checked_sub(text.len()).ok_or_else(too_much)?;
        let mut reading = Reading::new((&self.context, self.detail));
        reading.delivered(&text);
        if !reading.items.is_empty() {
            self.ready.extend(self.passed.take());
            self.ready.extend(reading.items.into_iter().map(|item| Item { line, ..item }));
        }
        self.passed.append(line, &reading.passed);
        Ok(())
    }
}

impl Iterator for Records {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        while self.ready.is_empty() {
            let Some((line, place)) = self.places.next() else { return self.passed.take() };
            if let Err(reason) = self.read(line, place.clone()) {
                let reject = Reject::new(reason, &String::from_utf8_lossy(&self.body[place]));
                self.ready.extend(self.passed.take());
                self.ready.push_back(Item { line, fate: Fate::Rejected(reject) });
            }
        }
        self.ready.pop_front()
    }
}

fn record(text: &[u8]) -> Result<Record<'_>, String> {
    serde_json::from_slice(text).map_err(|_| "expected a record with `data`".to_owned())
}

/// Reads a delivery as a record among others.
pub(super) fn read_record(object: &Map<String, Value>, _raw: &str) -> Option<Vec<Fate>> {
    let is_delivery = ["requestId", "timestamp", "records"].iter().all(|key| object.contains_key(*key));
    let delivery = is_delivery.then(|| Delivery::read(serde_json::to_vec(object).ok()?).ok()).flatten()?;
    Some(Records::new(delivery, Context::default(), Detail::All).map(|item| item.fate).collect())
}

/// Reads a body.
#[must_use]
pub(super) fn parse(input: &[u8], (context, detail): (&Context, Detail)) -> Parsed {
    match Delivery::read(input.to_vec()) {
        Ok(delivery) => {
            let lines = delivery.records.len() as u64;
            Parsed { items: Records::new(delivery, context.clone(), detail).collect(), lines }
        }
        Err(reason) => {
            let reject = Reject::new(reason, &String::from_utf8_lossy(input));
            Parsed { items: vec![Item { line: 1, fate: Fate::Rejected(reject) }], lines: 1 }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::Format;

    #[test]
    fn a_record_that_cannot_be_read_costs_no_other() {
        let delivery = include_str!("../../../tests/fixtures/firehose/delivery.json").replace("}]", "}, {\"data\": \"%%%\"}]");
        let parsed = Format::Firehose.parse(delivery.as_bytes(), &Context::default());
        let rejected: Vec<_> = parsed.items.iter().filter(|item| matches!(item.fate, Fate::Rejected(_))).map(|item| item.line).collect();
        let evidence = parsed.items.iter().filter(|item| matches!(item.fate, Fate::Evidence(_))).count();
        assert_eq!((parsed.lines, evidence, rejected), (3, 9, vec![3]));
    }

    #[test]
    fn what_records_come_to_in_all_is_bounded() {
        // 40 bytes, 100, and 40 again, which there still is room for.
        let record = |bytes: usize| serde_json::json!({"data": STANDARD.encode("x".repeat(bytes))});
        let delivery = serde_json::json!({"requestId": "a", "timestamp": 1, "records": [record(40), record(100), record(40)]});
        let delivery = Delivery::read(delivery.to_string().into_bytes()).expect("a delivery");
        let records = Records { bytes_left: 100, ..Records::new(delivery, Context::default(), Detail::All) };
        let rejected: Vec<_> = records.map(|item| matches!(item.fate, Fate::Rejected(_))).collect();
        assert_eq!(rejected, [false, true, false]);
    }

    #[test]
    fn what_is_no_delivery_is_rejected_with_the_reason() {
        let parsed = Format::Firehose.parse(b"{}", &Context::default());
        assert!(
            matches!(&parsed.items[..], [Item { fate: Fate::Rejected(reject), .. }] if reject.reason.starts_with("expected a Firehose delivery"))
        );
    }
}
