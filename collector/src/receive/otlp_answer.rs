//! What OTLP's senders are answered once their spans or log records are durable: nothing, or how many were refused and why.
//!
//! `ExportTraceServiceResponse` and `ExportLogsServiceResponse` of opentelemetry-proto (read 2026-11-27) are the same on the
//! wire; only in JSON does the number have two names.

use prost::Message;
use serde_json::{Value, json};

use super::intake::Tally;
use crate::parse::otlp::Signal;

/// `Export…ServiceResponse`
#[derive(Clone, PartialEq, Message)]
pub struct Answer {
    /// Set if something was refused.
    #[prost(message, optional, tag = "1")]
    pub partial_success: Option<PartialSuccess>,
}

/// `Export…PartialSuccess`
#[derive(Clone, PartialEq, Message)]
pub struct PartialSuccess {
    /// How many were refused; the others are durable.
    #[prost(int64, tag = "1")]
    pub rejected: i64,
    /// Why the first of them was.
    #[prost(string, tag = "2")]
    pub error_message: String,
}

impl Answer {
    /// The answer to a request of that signal.
    pub fn of(signal: Signal, tally: &Tally) -> Self {
        let what = if signal == Signal::Traces { "span" } else { "log record" };
        let partial_success = tally.first_rejected.first().map(|first| PartialSuccess {
            rejected: i64::try_from(tally.rejected).unwrap_or(i64::MAX),
            error_message: format!("{what} {}: {}", first.line, first.reason),
        });
        Self { partial_success }
    }

    /// The same in protobuf's JSON, where 64-bit integers are text.
    pub fn to_json(&self, signal: Signal) -> Value {
        let name = if signal == Signal::Traces { "rejectedSpans" } else { "rejectedLogRecords" };
        let partial = |partial: &PartialSuccess| json!({"partialSuccess": {name: partial.rejected.to_string(), "errorMessage": partial.error_message}});
        self.partial_success.as_ref().map_or_else(|| json!({}), partial)
    }
}
