//! Google Cloud's `LogEntry`: Cloud Functions of both generations and Cloud Run.
//!
//! ```text
//! {"resource":{"type":"cloud_function","labels":{"function_name":"resize",…}},"labels":{"execution_id":"a1b2c3d4e5f6"},
//!  "timestamp":"…","trace":"projects/p/traces/7a6a…","textPayload":"Function execution took 60002 ms, finished with status: 'timeout'"}
//! {"resource":{"type":"cloud_run_revision",…},"logName":"projects/p/logs/run.googleapis.com%2Frequests","timestamp":"…",
//!  "httpRequest":{"status":504,"latency":"299.999235s",…},"textPayload":"The request has been terminated because it has reached …"}
//! ```
//!
//! Google's "LogEntry", "Cloud Run: request timeout" and "troubleshooting", read in November 2026. In an entry of a request
//! `timestamp` is its start. Cloud Run gives requests no ID but their trace. `docs/formats/gcp.md`.

mod words;

use domain::{Claim, ClaimedOutcome, Confidence, Instance, Kind, Millis, Product, RequestId, SpanId, TraceId};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::envelope::Envelope;
use super::{Context, Fate, Format, RAW_BYTES_MAX, cut, events, marks, times};

/// The format's name.
pub const FORMAT: &str = "gcp";

/// What every line with something to say holds one of: see [`super::marks`].
pub(super) const MARKS: marks::Declared = &[&["textPayload", "jsonPayload", "httpRequest", "protoPayload"]];

/// One entry; what else it holds says nothing about a request's time.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Entry {
    insert_id: Option<String>,
    log_name: Option<String>,
    timestamp: Option<String>,
    receive_timestamp: Option<String>,
    severity: Option<String>,
    resource: Resource,
    labels: Map<String, Value>,
    /// `projects/P/traces/<32 hex>`.
    trace: Option<String>,
    span_id: Option<String>,
    text_payload: Option<String>,
    json_payload: Option<Value>,
    http_request: Option<HttpRequest>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Resource {
    #[serde(rename = "type")]
    kind: String,
    labels: Map<String, Value>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct HttpRequest {
    request_method: Option<String>,
    request_url: Option<String>,
    /// A number, or one as text.
    status: Option<Value>,
    /// Seconds with an `s`; exports of the log spell them as an object of seconds and nanoseconds.
    latency: Option<Value>,
}

impl HttpRequest {
    fn status(&self) -> Option<f64> {
        let status = self.status.as_ref()?;
        status.as_f64().or_else(|| status.as_str()?.parse().ok())
    }

    fn latency_seconds(&self) -> Option<f64> {
        let number = |value: &Value| value.as_f64().or_else(|| value.as_str()?.trim_end_matches('s').parse().ok());
        let seconds = match self.latency.as_ref()? {
            Value::Object(parts) => number(parts.get("seconds")?)? + parts.get("nanos").and_then(number).unwrap_or(0.0) / 1e9,
            latency => number(latency)?,
        };
        Some(seconds).filter(|seconds| seconds.is_finite() && *seconds >= 0.0)
    }
}

/// Reads an entry; `None` when the object is none.
pub(super) fn read_record(object: &Map<String, Value>, raw: &str) -> Option<Vec<Fate>> {
    let log = object.get("logName").and_then(Value::as_str).is_some_and(|name| name.contains("/logs/"));
    let resource = object.get("resource").and_then(|resource| resource.get("type")).is_some();
    let payload = ["textPayload", "jsonPayload", "httpRequest", "protoPayload"].iter().any(|key| object.contains_key(*key));
    (log && payload || resource && payload && object.contains_key("timestamp")).then_some(())?;
    let entry = Entry::deserialize(object).ok()?;
    if let Some(claim) = platforms(&entry) {
        return Some(vec![Fate::Evidence(Box::new(placed(claim, &entry, raw)))]);
    }
    Some(application(&entry, raw))
}

/// What the platform itself says.
fn platforms(entry: &Entry) -> Option<Claim> {
    let text = entry.text_payload.as_deref().unwrap_or_default().trim_end();
    let claim = |kind| Claim { platform: Some(platform(entry)), ..Claim::new(kind, FORMAT, "") };
    if entry.resource.kind == "cloud_function" {
        // Lines of the function's own stand in the same log; the platform's carry its severity and no other words.
        return words::of_first_generation(&claim, text);
    }
    let log = entry.log_name.as_deref().unwrap_or_default();
    if let Some(request) = entry.http_request.as_ref().filter(|_| log.ends_with("run.googleapis.com%2Frequests")) {
        return Some(answered(claim(Kind::Request), request, text, entry));
    }
    log.contains("run.googleapis.com%2Fvarlog%2F").then(|| words::of_system_log(claim(Kind::Fault), text)).flatten()
}

/// Cloud Run's account of one request.
fn answered(mut claim: Claim, request: &HttpRequest, text: &str, entry: &Entry) -> Claim {
    let latency = request.latency_seconds();
    claim.elapsed_ms = latency.map(|seconds| Millis::from_ms_f64(seconds * 1000.0));
    claim.started_at = entry.timestamp.as_deref().and_then(times::rfc3339);
    claim.observed_at = claim.elapsed_ms.zip(claim.started_at).map(|(elapsed, start)| elapsed.after(start));
    // It has no other ID: `x-cloud-trace-context` and `traceparent` carry this one to the application.
    claim.request_id = trace_id(entry).map(|id| RequestId::from(id.as_str()));
    for (name, value) in [("method", &request.request_method), ("url", &request.request_url)] {
        if let Some(value) = value {
            claim = claim.with(name, value.as_str());
        }
    }
    if let Some(seconds) = latency {
        claim = claim.with("latency_ms", seconds * 1000.0);
    }
    if let Some(status) = request.status() {
        claim = claim.with("status_code", status);
    }
    words::of_request(claim, request.status(), text)
}

/// What the function or service wrote. With an ID it says when the request was alive.
fn application(entry: &Entry, raw: &str) -> Vec<Fate> {
    let envelope = Envelope { at: entry.timestamp.as_deref().and_then(times::rfc3339), ..Envelope::default() };
    let fates = match (&entry.text_payload, &entry.json_payload) {
        (Some(text), _) => events::wrapped(Format::Auto, text, &envelope, &Context::default()),
        (None, Some(payload @ Value::Object(_))) => events::json(Format::Auto, payload.clone(), raw, &Context::default()),
        _ => vec![Fate::Ignored(Box::new(Claim::new(Kind::Other, FORMAT, "")))],
    };
    let own = |claim: Box<Claim>| {
        let mut claim = placed(*claim, entry, raw);
        if claim.format == Format::Auto.name() {
            FORMAT.clone_into(&mut claim.format);
            let message = entry.json_payload.as_ref().and_then(|payload| payload.get("message")?.as_str());
            if let Some(message) = message {
                claim = claim.with("message", message);
            }
        }
        let has_id = claim.request_id.is_some() || claim.trace_id.is_some();
        (Box::new(claim), has_id)
    };
    let place = |fate| match fate {
        Fate::Ignored(claim) => match own(claim) {
            (claim, true) if claim.kind == Kind::AppLog => Fate::Evidence(claim),
            (claim, _) => Fate::Ignored(claim),
        },
        Fate::Evidence(claim) => Fate::Evidence(own(claim).0),
        other @ (Fate::Passed(_) | Fate::Rejected(_)) => other,
    };
    fates.into_iter().map(place).collect()
}

/// Adds what the entry says beside its words.
fn placed(mut claim: Claim, entry: &Entry, raw: &str) -> Claim {
    let label = |labels: &Map<String, Value>, name: &str| labels.get(name).and_then(Value::as_str).map(str::to_owned);
    cut(raw, RAW_BYTES_MAX).clone_into(&mut claim.raw);
    claim.observed_at = claim.observed_at.or_else(|| times::rfc3339(entry.timestamp.as_deref().or(entry.receive_timestamp.as_deref())?));
    claim.request_id = claim.request_id.or_else(|| label(&entry.labels, "execution_id").map(RequestId::from));
    claim.trace_id = claim.trace_id.or_else(|| trace_id(entry));
    claim.span_id = claim.span_id.or_else(|| entry.span_id.as_deref().filter(|id| id.len() == 16).map(SpanId::from));
    claim.instance = claim.instance.or_else(|| label(&entry.labels, "instanceId").map(Instance::from));
    let name = ["function_name", "service_name", "job_name"].iter().find_map(|name| label(&entry.resource.labels, name));
    claim.function = claim.function.or_else(|| name.map(Into::into));
    let facts = [
        ("severity", entry.severity.clone()),
        ("insert_id", entry.insert_id.clone()),
        ("revision", label(&entry.resource.labels, "revision_name")),
        ("region", label(&entry.resource.labels, "region").or_else(|| label(&entry.resource.labels, "location"))),
    ];
    for (name, value) in facts {
        if let Some(value) = value {
            claim.attributes.entry(name.to_owned()).or_insert_with(|| value.into());
        }
    }
    claim
}

fn trace_id(entry: &Entry) -> Option<TraceId> {
    let id = entry.trace.as_deref()?.rsplit('/').next()?;
    (id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit())).then(|| TraceId::from(id.to_ascii_lowercase()))
}

/// Which product ran it: the second generation of functions is Cloud Run under another name.
fn platform(entry: &Entry) -> Product {
    let managed = entry.labels.get("goog-managed-by").and_then(Value::as_str) == Some("cloudfunctions");
    Product::from(match entry.resource.kind.as_str() {
        "cloud_function" => "gcf_gen1",
        "cloud_run_revision" if managed => "gcf_gen2",
        _ => "cloud_run",
    })
}

/// The limit that a duration proves: whole seconds, from which the platform's own clock strays by a hair to either side.
fn proven(elapsed: Millis, slack_ms: i64) -> Option<Millis> {
    let nearest = Millis::from_ms((elapsed.as_us() + 500_000).div_euclid(1_000_000) * 1000);
    let apart = (elapsed.as_us() - nearest.as_us()).abs();
    (nearest > Millis::ZERO && apart <= slack_ms * 1000).then_some(nearest)
}

/// An inference and not the platform's word.
fn inferred(outcome: ClaimedOutcome, claim: Claim) -> Claim {
    Claim { outcome: Some(outcome), outcome_confidence: Some(Confidence::Likely), ..claim }
}

#[cfg(test)]
mod tests;
