//! What is sent: the event in the envelope that functions behind the classic wrapper know, or the event alone.
//!
//! ```json
//! {"message": "Function timed out", "originalEvent": {"order": 7}, "originalRequestId": "6f747a63-…",
//!  "overrun": {"incidentId": "…", "idempotencyKey": "ovr-…-1", "attempt": 1, "maxAttempts": 1, "cause": "no_client_timeout"}}
//! ```

use domain::Value;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::Order;

/// The names of the payloads in the rules file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Payload {
    /// In the envelope: for a function that decides what to do with it.
    #[default]
    Wrapped,
    /// The event alone: for the function itself.
    OriginalEvent,
}

/// The body of one sending.
pub(super) fn body(order: &Order<'_>) -> String {
    let event = order.incident.original_event.as_ref().unwrap_or(&Value::Null);
    match order.payload {
        Payload::OriginalEvent => serde_json::to_string(event).expect("an event holds only what JSON can say"),
        Payload::Wrapped => wrapped(order, event).to_string(),
    }
}

fn wrapped(order: &Order<'_>, event: &Value) -> Json {
    let incident = order.incident;
    json!({
        "message": incident.classic_message(),
        "originalEvent": event,
        "originalRequestId": incident.request_id,
        "overrun": {
            "incidentId": incident.id,
            "idempotencyKey": order.id,
            "attempt": order.number,
            "maxAttempts": order.number_max,
            "cause": incident.diagnosis.cause.id,
            "function": incident.function,
            "stack": incident.stack,
        },
    })
}
