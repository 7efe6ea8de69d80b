//! A watchdog event inside a CloudEvent, structured or binary.
//!
//! ```text
//! {"specversion":"1.0","type":"dev.overrun.watchdog.v1","source":"urn:overrun:stack:shop","subject":"checkout",
//!  "id":"…","time":"2026-11-22T12:05:06Z","datacontenttype":"application/json","data":{"kind":"fired",…}}
//! ```
//!
//! CloudEvents 1.0.2, JSON format and HTTP protocol binding (read 2026-11-22). What the envelope says fills what the event
//! itself leaves open: subject → function, source → stack, time → `observed_at`, traceparent → trace and span.

use domain::{Claim, FunctionName, TraceId};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::claim;
use crate::parse::{Reject, cut};

/// The type of our events.
pub const TYPE: &str = "dev.overrun.watchdog.v1";
/// How their `source` begins; the stack follows.
const SOURCE_PREFIX: &str = "urn:overrun:stack:";

/// The attributes of a CloudEvent that we read.
#[derive(Clone, Debug, Default)]
pub struct Attributes {
    /// The event's type.
    pub kind: String,
    /// `urn:overrun:stack:` and the stack.
    pub source: Option<String>,
    /// The function.
    pub subject: Option<String>,
    /// When it happened, RFC 3339.
    pub time: Option<String>,
    /// W3C trace context.
    pub traceparent: Option<String>,
}

impl Attributes {
    /// The attributes of a CloudEvent in binary form: HTTP headers `ce-type`, `ce-source`, … `None` when there are none.
    /// `header` gives a header's value by its lower-case name.
    pub fn from_headers(header: impl Fn(&str) -> Option<String>) -> Option<Self> {
        header("ce-specversion")?;
        Some(Self {
            kind: header("ce-type").map(|text| percent_decoded(&text)).unwrap_or_default(),
            source: header("ce-source").map(|text| percent_decoded(&text)),
            subject: header("ce-subject").map(|text| percent_decoded(&text)),
            time: header("ce-time"),
            traceparent: header("ce-traceparent").or_else(|| header("traceparent")),
        })
    }

    fn from_object(object: &Map<String, Value>) -> Self {
        let text = |name: &str| object.get(name).and_then(Value::as_str).map(str::to_owned);
        Self {
            kind: text("type").unwrap_or_default(),
            source: text("source"),
            subject: text("subject"),
            time: text("time"),
            traceparent: text("traceparent"),
        }
    }
}

/// Whether this is a CloudEvent, of whatever type.
pub fn is_one(object: &Map<String, Value>) -> bool {
    object.contains_key("specversion") && object.contains_key("type")
}

/// Reads a CloudEvent in structured form.
pub fn structured(mut object: Map<String, Value>) -> Result<Claim, Reject> {
    let attributes = Attributes::from_object(&object);
    match object.remove("data") {
        Some(data) => with_data(&attributes, data),
        None => Err(Reject::new("expected the CloudEvent's `data` as JSON, found none", &Value::Object(object).to_string())),
    }
}

/// Reads the data of a CloudEvent whose attributes are known.
pub fn with_data(attributes: &Attributes, data: Value) -> Result<Claim, Reject> {
    if attributes.kind != TYPE {
        let reason = format!("expected a CloudEvent of type `{TYPE}`, found `{}`", cut(&attributes.kind, 128));
        return Err(Reject::new(reason, &data.to_string()));
    }
    let mut claim = claim::read(data)?;
    if claim.function.is_none() {
        claim.function = attributes.subject.as_deref().filter(|name| !name.is_empty()).map(|name| FunctionName::from(cut(name, 512)));
    }
    if claim.observed_at.is_none() {
        claim.observed_at = attributes.time.as_deref().and_then(|time| time.parse::<Timestamp>().ok());
    }
    if let Some(stack) = attributes.source.as_deref().and_then(|source| source.strip_prefix(SOURCE_PREFIX))
        && !stack.is_empty()
    {
        claim.attributes.entry("stack".to_owned()).or_insert_with(|| cut(stack, 512).into());
    }
    if claim.trace_id.is_none()
        && let Some((trace_id, span_id)) = attributes.traceparent.as_deref().and_then(trace_context)
    {
        claim.trace_id = Some(trace_id);
        claim.span_id = claim.span_id.or_else(|| claim::span_id(span_id));
    }
    Ok(claim)
}

/// `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01`
fn trace_context(text: &str) -> Option<(TraceId, &str)> {
    let mut parts = text.split('-');
    let (_version, trace, span) = (parts.next()?, parts.next()?, parts.next()?);
    Some((TraceId::parse(trace)?, span))
}

/// Header values carry anything but printable ASCII percent-encoded.
fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digit = |offset: usize| bytes.get(at + offset).and_then(|b| char::from(*b).to_digit(16)).and_then(|d| u8::try_from(d).ok());
        match (bytes[at], digit(1), digit(2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push(high * 16 + low);
                at += 3;
            }
            (byte, ..) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
