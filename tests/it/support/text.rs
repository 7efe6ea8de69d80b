//! What functions and platforms write, with the identity and the time that a story wants.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// A request ID in the form that AWS gives.
pub fn request_id(number: u32) -> String {
    format!("6f747a63-ce41-11e7-8cfe-{number:012x}")
}

/// The moment so many milliseconds ago, in RFC 3339.
#[expect(clippy::disallowed_methods, reason = "stories stand for senders, who have clocks of their own")]
fn ago(ms: i64) -> String {
    Timestamp::now().saturating_sub(SignedDuration::from_millis(ms)).expect("a time").to_string()
}

/// The lines in which Lambda says that a request ran into its timeout of 3 s. They give no time of day.
pub fn report(request_id: &str) -> String {
    format!(
        "START RequestId: {request_id} Version: $LATEST\nEND RequestId: {request_id}\nREPORT RequestId: {request_id}\tDuration: 3000.00 ms\t\
         Billed Duration: 3000 ms\tMemory Size: 256 MB\tMax Memory Used: 91 MB\tStatus: timeout\n"
    )
}

/// A watchdog's last word: half a second before the deadline the function waits for a payment, without a client timeout.
pub fn fired(request_id: &str) -> Value {
    json!({
        "kind": "fired", "request_id": request_id, "function": "checkout", "platform": "aws_lambda", "observed_at": ago(0),
        "limit_ms": 3000, "elapsed_ms": 2500, "left_ms": 500, "margin_ms": 500,
        "in_flight": [{ "operation": "POST", "target": "payments.internal/charge", "started_at": ago(2400), "client_timeout_ms": null }],
    })
}
