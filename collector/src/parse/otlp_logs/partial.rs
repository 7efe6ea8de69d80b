//! Log records that carry a span which has not ended: the call that hangs is seen although its span never comes.
//!
//! ```text
//! body        {"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"…","spanId":"…","name":"POST","startTimeUnixNano":"…"}]}]}]}
//! attributes  partial.event = heartbeat | stop    partial.frequency = 5000ms    partial.body.type = json/v1 | proto
//! ```
//!
//! The convention of G-Research's partial span processors for Python, Java and .NET, and of the exporter that reads them
//! (`otel-partial-collector`, read 2026-11-27; proposed as open-telemetry/opentelemetry-python-contrib#3564). Without
//! `partial.body.type` the body is base64 of protobuf. As there, the record's resource says what the span's does not.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::Claim;

use super::{Any, Around, Attributes, FORMAT, Fate, Record, text};
use crate::parse::otlp::{Request, Signal};
use crate::parse::{Reject, cut, go_duration, otlp_traces};

/// Reads what the record carries: one claim a span.
pub fn read(event: &str, record: &Record<'_>, attributes: &Attributes<'_, '_>, around: &Around<'_>) -> Vec<Fate> {
    let is_open = match event {
        "heartbeat" => true,
        "stop" => false,
        other => return rejected(&format!("expected `partial.event` to be `heartbeat` or `stop`, found `{}`", cut(other, 64)), record),
    };
    let request = match carried(record, attributes) {
        Ok(request) => request,
        Err(reason) => return rejected(&reason, record),
    };
    let every = attributes.own_text(&["partial.frequency"]).and_then(go_duration).filter(|_| is_open);
    let mut fates = Vec::new();
    request.for_each_span(|span, inner| {
        if is_open {
            // Some write the beginning as the end of a span that has none.
            (span.ended_unix_nano, span.seen_open_unix_nano) = (0, record.at_unix_nano());
        } else if span.ended_unix_nano == 0 {
            span.ended_unix_nano = record.at_unix_nano();
        }
        let mut both = inner.clone();
        both.add_resource(&around.resource);
        fates.push(otlp_traces::read(span, &both).map_or_else(Fate::Rejected, |claim| {
            let claim = Claim { format: FORMAT.to_owned(), ..claim };
            Fate::Evidence(Box::new(match every {
                Some(every) => claim.with("heartbeat_every_ms", every),
                None => claim,
            }))
        }));
    });
    if fates.is_empty() { rejected("expected a span in the body of a partial span's record, found none", record) } else { fates }
}

/// The spans in the body.
fn carried(record: &Record<'_>, attributes: &Attributes<'_, '_>) -> Result<Request, String> {
    let Any::Text(body) = record.body else { return Err("expected the body of a partial span's record to be text".to_owned()) };
    let is_json = match attributes.own_text(&["partial.body.type"]) {
        Some(kind) if kind.starts_with("json") => true,
        Some("proto") => false,
        None => body.starts_with(b"{"),
        Some(other) => {
            return Err(format!("expected `partial.body.type` to be `json/v1` or `proto`, found `{}`", cut(other, 64)));
        }
    };
    if is_json {
        return Signal::Traces.of_json(body).map_err(|reject| reject.reason);
    }
    let bytes = STANDARD.decode(body).map_err(|error| format!("expected a partial span in base64, found {error}"))?;
    Signal::Traces.of_protobuf(bytes).map_err(|reject| reject.reason)
}

fn rejected(reason: &str, record: &Record<'_>) -> Vec<Fate> {
    let body = if let Any::Text(body) = record.body { text(body) } else { "" };
    vec![Fate::Rejected(Reject::new(reason, body))]
}
