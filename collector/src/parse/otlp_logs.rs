//! OpenTelemetry log records: each is read for the line that it carries, as if that had come by itself.
//!
//! ```text
//! {"resourceLogs":[{"resource":{"attributes":[{"key":"host.name","value":{"stringValue":"web-1"}}]},"scopeLogs":[{"scope":{"name":"gunicorn.error"},
//!   "logRecords":[{"timeUnixNano":"1795348972282614000","severityText":"CRITICAL","body":{"stringValue":"WORKER TIMEOUT (pid:8901)"},
//!    "traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","attributes":[…]}]}]}]}
//! ```
//!
//! OTLP 1.x as in opentelemetry-proto's specification (read 2026-11-27); which attributes say what: `docs/formats/otlp_logs.md`.
//! What the line does not say, the record may: request, trace, span, process, place and time. Log records that carry a span
//! still open are in `partial.rs`.

mod partial;

use std::borrow::Cow;

use domain::Claim;
use serde_json::json;

use super::envelope::Envelope;
use super::events::{self, Detail, Marked};
use super::otlp::attributes::Attributes;
use super::otlp::identity::{self, Identity};
use super::otlp::record::Record;
use super::otlp::tree::Around;
use super::otlp::value::{Any, text, to_json};
use super::{Context, Fate, Format, LINE_BYTES_MAX, Reject, marks};

/// The format's name.
pub const FORMAT: &str = "otlp_logs";

/// What every line with something to say holds one of: see [`super::marks`].
pub(super) const MARKS: marks::Declared = &[&["resourceLogs", "resource_logs"]];

/// With what the types of the platform's events begin.
const PLATFORM: &str = "platform.";

/// Whether a record holds a line that is nobody's, for sure.
pub(super) fn is_nobodys(record: &Record<'_>, around: &Around<'_>) -> bool {
    let attributes = Attributes::new(&record.attributes, &around.resource);
    let own = |name: &str| attributes.own_text(&[name]);
    let is_part = is_pythons(around) || own("partial.event").is_some() || own("type").is_some_and(|event| event.starts_with(PLATFORM));
    let Any::Text(body) = record.body else { return false };
    let stack = own("exception.stacktrace").unwrap_or_default().as_bytes();
    !is_part && body.len() + stack.len() < LINE_BYTES_MAX && [body, stack].iter().all(|text| Detail::Count.marked(text) == Marked::No)
}

/// Reads one log record; more than one fate only where its body is a batch.
pub(super) fn read(record: &Record<'_>, around: &Around<'_>, context: &Context) -> Vec<Fate> {
    let attributes = Attributes::new(&record.attributes, &around.resource);
    if let Some(event) = attributes.own_text(&["partial.event"]) {
        return partial::read(event, record, &attributes, around);
    }
    let identity = Identity::of(&attributes);
    let envelope = Envelope {
        at: identity::time(record.at_unix_nano()),
        instance: identity.instance.clone(),
        function: identity.function.clone(),
        log_stream: log_stream(&attributes),
        facts: record.severity().map(|word| ("level", word.into())).into_iter().collect(),
        ..Envelope::default()
    };
    let line = line(record, &attributes);
    if line.len() > LINE_BYTES_MAX {
        let reason = format!("expected a line of at most {LINE_BYTES_MAX} bytes, found {}", line.len());
        return vec![Fate::Rejected(Reject::new(reason, &line))];
    }
    let read = |text: &str| events::wrapped(Format::Auto, text, &envelope, context);
    let says_something = |fates: &Vec<Fate>| fates.iter().any(|fate| matches!(fate, Fate::Evidence(_)));
    // Whatever a logger is called, others' lines may come through it.
    let fates = match structured(&line, record, &attributes, around).map(|whole| read(&whole)) {
        Some(fates) if says_something(&fates) => fates,
        Some(fates) => Some(read(&line)).filter(says_something).unwrap_or(fates),
        None => read(&line),
    };
    let own = |mut claim: Box<Claim>| {
        identity.clone().fill(&mut claim);
        if claim.format == Format::Auto.name() {
            // Nobody's line.
            FORMAT.clone_into(&mut claim.format);
        }
        claim.trace_id = claim.trace_id.take().or_else(|| identity::trace_id(record.trace_id));
        claim.span_id = claim.span_id.take().or_else(|| identity::span_id(record.span_id));
        claim
    };
    let own = |fate| match fate {
        Fate::Evidence(claim) => Fate::Evidence(own(claim)),
        Fate::Ignored(claim) => Fate::Ignored(own(claim)),
        other @ (Fate::Passed(_) | Fate::Rejected(_)) => other,
    };
    let is_one = fates.len() == 1;
    fates.into_iter().map(|fate| if is_one { own(fate).with_raw(&line) } else { own(fate) }).collect()
}

/// The log stream by itself, where one is named as AWS names it.
fn log_stream(attributes: &Attributes<'_, '_>) -> Option<String> {
    let named = || attributes.text(&["faas.instance"]).filter(|name| name.contains("/["));
    attributes.first_text("aws.log.stream.names").or_else(named).map(str::to_owned)
}

/// The line: the body as text, and the stack trace that belongs under it.
fn line<'a>(record: &Record<'a>, attributes: &Attributes<'a, '_>) -> Cow<'a, str> {
    let body = match record.body {
        Any::Unset => Cow::Borrowed(""),
        Any::Text(bytes) => Cow::Borrowed(text(bytes)),
        Any::Bytes(bytes) => String::from_utf8_lossy(bytes),
        other => Cow::Owned(to_json(other).to_string()),
    };
    match attributes.own_text(&["exception.stacktrace"]) {
        Some(stack) if !body.contains(stack.trim()) => Cow::Owned(format!("{body}\n{stack}")),
        _ => body,
    }
}

/// The line as the JSON that it would have been without OpenTelemetry, where a record holds it in parts: what Lambda's
/// platform reports, which the Collector's Telemetry API receiver takes apart, and gunicorn's or Celery's words without their head,
/// which Python's logging handler sends with the logger as scope.
fn structured(line: &str, record: &Record<'_>, attributes: &Attributes<'_, '_>, around: &Around<'_>) -> Option<String> {
    let time = identity::time(record.at_unix_nano()).map(|at| at.to_string());
    if let Some(event) = attributes.own_text(&["type"]).filter(|event| event.starts_with(PLATFORM))
        && let Ok(record) = serde_json::from_str::<serde_json::Map<_, _>>(line)
    {
        return Some(json!({ "time": time, "type": event, "record": record }).to_string());
    }
    let is_bare = is_pythons(around) && !line.starts_with(['[', '{']);
    is_bare.then(|| {
        let pid = attributes.integer("process.pid");
        let (message, stack) =
            line.split_once("\nTraceback ").map_or((line, None), |(message, _)| (message, Some(&line[message.len() + 1..])));
        json!({
            "timestamp": time, "levelname": record.severity(), "name": around.scope, "process": pid,
            "message": message, "exc_info": stack,
        })
        .to_string()
    })
}

/// Whether Python's logging handler sent a record for a logger of gunicorn's or Celery's.
fn is_pythons(around: &Around<'_>) -> bool {
    ["gunicorn.", "celery."].iter().any(|logger| around.scope.starts_with(logger))
}

#[cfg(test)]
mod tests;
