//! The incident as programs and templates are given it: in the shape of the API (design.md §6), within bounds.

use serde_json::{Value, json};

use crate::notification::Notification;

/// Most entries kept of each list of the diagnosis; the rest is on the incident's page.
const ENTRIES_MAX: usize = 20;

/// Longest text kept, in characters, so that a message stays near the 20 kB that Standard Webhooks asks for.
const TEXT_CHARS_MAX: usize = 1_000;

/// The incident with what the receiver needs beside it, without what only pages need: the drawing and the input.
pub(crate) fn data(notification: &Notification) -> Value {
    let mut data = serde_json::to_value(&notification.incident).expect("an incident holds only what JSON can say");
    if let Some(fields) = data.as_object_mut() {
        fields.remove("timeline");
        fields.remove("original_event");
        fields.insert("rule".to_owned(), json!(notification.rule));
        fields.insert("link".to_owned(), json!(notification.link));
        fields.insert("alert".to_owned(), json!(notification.context));
    }
    bound(&mut data);
    data
}

/// Cuts long lists and long texts.
fn bound(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Some((end, _)) = text.char_indices().nth(TEXT_CHARS_MAX) {
                text.truncate(end);
                text.push('…');
            }
        }
        Value::Array(items) => {
            items.truncate(ENTRIES_MAX);
            items.iter_mut().for_each(bound);
        }
        Value::Object(fields) => fields.values_mut().for_each(bound),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
