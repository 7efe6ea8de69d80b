//! Batches of AWS Lambda's Telemetry API: a JSON array of the events of `lambda_json`.
//!
//! All schema versions (2022-07-01, 2022-12-13, 2025-01-29) and the older Logs API are read alike. One record that cannot be
//! read costs nobody else: <https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html>, November 2026.

use serde_json::Value;

use super::{Context, Fate, Format, Item, Parsed, Reject, events, marks};

/// The format's name.
pub const FORMAT: &str = "lambda_telemetry";

/// Its records are `lambda_json`'s.
pub(super) const MARKS: marks::Declared = &[];

/// Reads a batch.
#[must_use]
pub fn parse(input: &[u8], context: &Context) -> Parsed {
    let text = String::from_utf8_lossy(input);
    let documents: Result<Vec<Value>, _> = serde_json::Deserializer::from_str(&text).into_iter().collect();
    // Whoever keeps batches in a file writes them, or their events, one after the other.
    let is_batch = |document: &Value| document.is_array() || document.get("type").is_some() && document.get("record").is_some();
    let records: Vec<Value> = match documents {
        Ok(documents) if !documents.is_empty() && documents.iter().all(is_batch) => documents
            .into_iter()
            .flat_map(|document| match document {
                Value::Array(records) => records,
                event => vec![event],
            })
            .collect(),
        Ok(documents) if documents.is_empty() => return rejected("expected a JSON array of telemetry events, found nothing", &text),
        Ok(_) => return rejected("expected a JSON array of telemetry events, found another JSON value", &text),
        Err(error) => return rejected(&format!("expected a JSON array of telemetry events, found {error}"), &text),
    };
    let lines = records.len() as u64;
    let items = (1..).zip(records).flat_map(|(line, record)| {
        let raw = record.to_string();
        events::json(Format::LambdaJson, record, &raw, context).into_iter().map(move |fate| Item { line, fate })
    });
    Parsed { items: items.collect(), lines }
}

fn rejected(reason: &str, text: &str) -> Parsed {
    Parsed { items: vec![Item { line: 1, fate: Fate::Rejected(Reject::new(reason, text)) }], lines: 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_of_a_batch_has_its_fate() {
        let parsed = parse(include_bytes!("../../../tests/fixtures/lambda_telemetry/batch.json"), &Context::default());
        let evidence = parsed.items.iter().filter(|item| matches!(item.fate, Fate::Evidence(_))).count();
        assert_eq!((parsed.lines, parsed.items.len(), evidence), (10, 10, 7));
    }

    #[test]
    fn batches_one_after_the_other_and_single_events_are_read() {
        let event = r#"{"time":"2026-11-02T09:14:06Z","type":"platform.start","record":{"requestId":"a"}}"#;
        for text in [format!("{event}\n{event}\n"), format!("[{event}]\n[{event}]"), format!("[{event},{event}]")] {
            assert_eq!(parse(text.as_bytes(), &Context::default()).items.len(), 2, "{text}");
        }
    }

    #[test]
    fn what_is_no_batch_is_rejected_with_the_reason() {
        for text in ["{\"a\":1}", "[{\"time\":", ""] {
            let parsed = parse(text.as_bytes(), &Context::default());
            assert!(
                matches!(&parsed.items[..], [Item { fate: Fate::Rejected(reject), .. }] if reject.reason.starts_with("expected a JSON array")),
                "{text}"
            );
        }
    }
}
