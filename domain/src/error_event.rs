//! An error of a stack as functions and programs are told of it: the object that the classic wrapper sends, with the diagnosis
//! beside it, alone or as a CloudEvent (`docs/actions/errors_node.md`).
//!
//! ```json
//! {"message": "Function timed out", "originalEvent": {"order": 7}, "originalRequestId": "6f747a63-…", "overrun": {"summary": "…"}}
//! ```

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use crate::{Incident, Outcome};

/// The `type` of the CloudEvent.
pub const ERROR_EVENT_TYPE: &str = "dev.overrun.error.v1";

/// Digits of `sequence`: CloudEvents compares it as text, and a number of 64 bits has no more.
const SEQUENCE_DIGITS: usize = 19;

/// Most entries kept of each list of the diagnosis; the rest is on the incident's page.
const ENTRIES_MAX: usize = 20;

/// Longest text of the diagnosis, in characters. The original event is kept whole.
const TEXT_CHARS_MAX: usize = 2_000;

impl Incident {
    /// What happened, in the words of the classic wrapper for what it knew, and in like ones for the rest.
    #[must_use]
    pub fn classic_message(&self) -> &'static str {
        match self.outcome {
            Outcome::OutOfMemory => "Function ran out of memory",
            Outcome::Crash => "Function crashed",
            Outcome::DroppedAtShutdown => "Function was shut down",
            Outcome::CallerLeft => "Caller gave up",
            Outcome::Timeout | Outcome::InitTimeout | Outcome::NearMiss | Outcome::Ok => "Function timed out",
        }
    }

    /// The error for functions: what the classic wrapper sends, and everything else under `overrun`.
    #[must_use]
    pub fn error_object(&self, link: &str) -> Json {
        let mut incident = serde_json::to_value(self).expect("an incident holds only what JSON can say");
        if let Some(fields) = incident.as_object_mut() {
            fields.remove("timeline");
            fields.remove("original_event");
            fields.insert("link".to_owned(), json!(link));
        }
        bound(&mut incident);
        json!({
            "message": self.classic_message(),
            "originalEvent": self.original_event,
            "originalRequestId": self.request_id,
            "overrun": incident,
        })
    }

    /// The same as a CloudEvent: the `sequence`-th error of its stack.
    #[must_use]
    pub fn error_event(&self, link: &str, sequence: i64, at: Timestamp) -> Json {
        let mut event = json!({
            "specversion": "1.0",
            "id": self.id,
            "type": ERROR_EVENT_TYPE,
            "source": format!("urn:overrun:stack:{}", percent_encoded(self.stack.as_str())),
            "time": at.to_string(),
            "sequence": sequence_text(sequence),
            "datacontenttype": "application/json",
            "data": self.error_object(link),
        });
        if let Some(function) = self.function.as_ref().map(crate::FunctionName::as_str) {
            let subject: String = function.chars().filter(|c| !c.is_control()).take(200).collect();
            if !subject.is_empty() {
                event["subject"] = json!(subject);
            }
        }
        event
    }
}

/// A number as text that sorts as the number does.
#[must_use]
pub fn sequence_text(sequence: i64) -> String {
    format!("{sequence:0SEQUENCE_DIGITS$}")
}

/// Cuts long lists and long texts.
fn bound(value: &mut Json) {
    match value {
        Json::String(text) => {
            if let Some((end, _)) = text.char_indices().nth(TEXT_CHARS_MAX) {
                text.truncate(end);
                text.push('…');
            }
        }
        Json::Array(items) => {
            items.truncate(ENTRIES_MAX);
            items.iter_mut().for_each(bound);
        }
        Json::Object(fields) => fields.values_mut().for_each(bound),
        _ => {}
    }
}

/// The text with everything but unreserved characters of URIs percent-encoded.
fn percent_encoded(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect::<Vec<_>>().concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_sort_as_texts() {
        let mut texts = [10, 9, i64::MAX, 0].map(sequence_text);
        texts.sort_unstable();
        assert_eq!(texts, [0, 9, 10, i64::MAX].map(sequence_text));
        assert_eq!(percent_encoded("a b/ü"), "a%20b%2F%C3%BC");
    }
}
