//! Batches of AWS Lambda's Telemetry API: a JSON array of the events of `lambda_json`.
//!
//! All schema versions (2022-07-01, 2022-12-13, 2025-01-29) and the older Logs API are read alike. One record that cannot be
//! read costs nobody else: <https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html>, November 2026.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;

use super::events::{self, Detail, Marked};
use super::{Context, Fate, Format, Item, Parsed, PassedLines, Reject, documents, marks};

/// The format's name.
pub const FORMAT: &str = "lambda_telemetry";

/// Its records are `lambda_json`'s.
pub(super) const MARKS: marks::Declared = &[];

/// Reads a batch.
#[must_use]
pub(super) fn parse(input: &[u8], (context, detail): (&Context, Detail)) -> Parsed {
    let text = String::from_utf8_lossy(input);
    let documents: Result<Vec<&RawValue>, _> = serde_json::Deserializer::from_str(&text).into_iter().collect();
    let records = match documents {
        Ok(documents) if !documents.is_empty() && documents.iter().all(|document| is_batch(document.get())) => {
            let mut records = Vec::new();
            for document in documents {
                documents::add_records(&mut records, document);
            }
            records
        }
        Ok(documents) if documents.is_empty() => return rejected("expected a JSON array of telemetry events, found nothing", &text),
        Ok(_) => return rejected("expected a JSON array of telemetry events, found another JSON value", &text),
        Err(error) => return rejected(&format!("expected a JSON array of telemetry events, found {error}"), &text),
    };
    let (mut items, mut passed) = (Vec::new(), PassedLines::default());
    for (line, record) in (1..).zip(&records) {
        match detail.marked(record.get().as_bytes()) {
            Marked::No => passed.add(line, 1),
            Marked::Yes => {
                items.extend(passed.take());
                items.extend(read(record.get(), context).into_iter().map(|fate| Item { line, fate }));
            }
        }
    }
    items.extend(passed.take());
    Parsed { items, lines: records.len() as u64 }
}

/// Whoever keeps batches in a file writes them, or their events, one after the other.
fn is_batch(document: &str) -> bool {
    document.starts_with('[') || serde_json::from_str::<Event>(document).is_ok()
}

/// What every event has.
#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    _kind: IgnoredAny,
    #[serde(rename = "record")]
    _record: IgnoredAny,
}

fn read(record: &str, context: &Context) -> Vec<Fate> {
    match serde_json::from_str::<Value>(record) {
        Ok(value) => {
            let raw = value.to_string();
            events::json(Format::LambdaJson, value, &raw, context)
        }
        Err(error) => vec![Fate::Rejected(Reject::new(format!("expected a telemetry event, found {error}"), record))],
    }
}

fn rejected(reason: &str, text: &str) -> Parsed {
    Parsed { items: vec![Item { line: 1, fate: Fate::Rejected(Reject::new(reason, text)) }], lines: 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_of_a_batch_has_its_fate() {
        let parsed =
            Format::LambdaTelemetry.parse(include_bytes!("../../../tests/fixtures/lambda_telemetry/batch.json"), &Context::default());
        let evidence = parsed.items.iter().filter(|item| matches!(item.fate, Fate::Evidence(_))).count();
        assert_eq!((parsed.lines, parsed.items.len(), evidence), (10, 10, 7));
    }

    #[test]
    fn batches_one_after_the_other_and_single_events_are_read() {
        let event = r#"{"time":"2026-11-02T09:14:06Z","type":"platform.start","record":{"requestId":"a"}}"#;
        for text in [format!("{event}\n{event}\n"), format!("[{event}]\n[{event}]"), format!("[{event},{event}]")] {
            assert_eq!(Format::LambdaTelemetry.parse(text.as_bytes(), &Context::default()).items.len(), 2, "{text}");
        }
    }

    #[test]
    fn what_is_no_batch_is_rejected_with_the_reason() {
        for text in ["{\"a\":1}", "[{\"time\":", ""] {
            let parsed = Format::LambdaTelemetry.parse(text.as_bytes(), &Context::default());
            assert!(
                matches!(&parsed.items[..], [Item { fate: Fate::Rejected(reject), .. }] if reject.reason.starts_with("expected a JSON array")),
                "{text}"
            );
        }
    }
}
