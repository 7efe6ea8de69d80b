//! Knative Serving: time-outs that queue-proxy and activator log, and the request log in its default template.
//!
//! ```text
//! {"severity":"WARNING","timestamp":"…","logger":"queueproxy","message":"Request timeout: 5m0s","knative.dev/key":"default/pay-00003","knative.dev/pod":"pay-…"}
//! {"httpRequest":{"requestMethod":"GET","requestUrl":"/slow","status":504,"latency":"300.002s",…},"traceId":"4792…"}
//! ```
//!
//! A time-out names no request; both layers may log the same one. Read from knative/serving, pkg/http/handler/timeout.go, in
//! November 2026. `docs/formats/knative.md`.

use domain::{Claim, ClaimedOutcome, Instance, Kind, KnownFrom, Layer, Limit, Millis, Product, RequestId, TraceId};
use serde_json::{Map, Value};

use super::{Fate, Lines, RAW_BYTES_MAX, cut, go, marks, times};

/// The format's name.
pub const FORMAT: &str = "knative";

/// What every line with something to say holds one of: see [`super::marks`].
pub(super) const MARKS: marks::Declared = &[&["queueproxy", "activator", "httpRequest"]];

pub(super) const LINES: Lines = Lines { begins: |line| page(line).map(|_| 0), read };

fn base(kind: Kind, raw: &str) -> Claim {
    Claim { platform: Some(Product::from(FORMAT)), ..Claim::new(kind, FORMAT, cut(raw, RAW_BYTES_MAX)) }
}

/// Who writes this as the body of a 504.
fn page(text: &str) -> Option<&'static str> {
    match text.trim_end() {
        "request timeout" => Some("queue_proxy"),
        "activator request timeout" => Some("activator"),
        _ => None,
    }
}

/// The body of a 504. Any program can print these words, so they are no evidence.
fn read(text: &str) -> Option<Fate> {
    let owner = page(text)?;
    let claim = base(Kind::ErrorPage, text.trim_end()).with("status_code", 504_u32).with("timeout_owner", owner);
    Some(Fate::Ignored(Box::new(Claim { outcome: Some(ClaimedOutcome::Timeout), ..claim })))
}

/// Reads an object; `None` when it is none of Knative's.
pub(super) fn read_record(object: &Map<String, Value>, raw: &str) -> Option<Vec<Fate>> {
    let claim = notice(object, raw).or_else(|| request(object, raw))?;
    Some(vec![Fate::Evidence(Box::new(claim))])
}

/// A line of zap's, from one of the two layers.
fn notice(object: &Map<String, Value>, raw: &str) -> Option<Claim> {
    let text = |name: &str| object.get(name).and_then(Value::as_str);
    let owner = match text("logger")?.split('.').next()? {
        "queueproxy" => "queue_proxy",
        "activator" => "activator",
        _ => return None,
    };
    // Older configurations of its logger call them `msg` and `ts`.
    let message = text("message").or_else(|| text("msg"))?;
    let mut claim = match message {
        "http: proxy error: context canceled" => Claim { outcome: Some(ClaimedOutcome::ClientClosed), ..base(Kind::ProxyError, raw) },
        _ => timeout(base(Kind::TimeoutNotice, raw).with("timeout_owner", owner), message)?,
    };
    claim.observed_at = text("timestamp").or_else(|| text("ts")).and_then(times::rfc3339);
    claim.instance = text("knative.dev/pod").map(Instance::from);
    if let Some((namespace, revision)) = text("knative.dev/key").and_then(|key| key.split_once('/')) {
        claim = claim.with("namespace", namespace).with("revision", revision);
    }
    Some(claim)
}

/// `Request timeout: 5m0s`.
fn timeout(claim: Claim, message: &str) -> Option<Claim> {
    let (what, value) = message.split_once(" timeout: ")?;
    let (setting, outcome) = match what {
        "Request" => ("timeoutSeconds", ClaimedOutcome::Timeout),
        "Response start" => ("responseStartTimeoutSeconds", ClaimedOutcome::Timeout),
        "Idle" => ("idleTimeoutSeconds", ClaimedOutcome::IdleTimeout),
        _ => return None,
    };
    let limit = Limit {
        layer: Layer::Platform,
        product: Product::from(FORMAT),
        setting: setting.to_owned(),
        value_ms: Some(go::duration(value)?),
        known_from: KnownFrom::Claimed,
        place: None,
    };
    Some(Claim { outcome: Some(outcome), limit: Some(limit), ..claim.with("setting", setting) })
}

/// The request log's default template, and nothing beside it: other platforms' entries have more.
fn request(object: &Map<String, Value>, raw: &str) -> Option<Claim> {
    let (http, trace) = (object.get("httpRequest")?.as_object()?, object.get("traceId")?.as_str()?);
    (object.len() == 2 && http.contains_key("protocol")).then_some(())?;
    let status = http.get("status")?;
    let status = status.as_u64().or_else(|| status.as_str()?.parse().ok())?;
    let elapsed = Millis::parse_seconds(http.get("latency")?.as_str()?.strip_suffix('s')?)?;
    let mut claim = base(Kind::Request, raw).with("status_code", i64::try_from(status).ok()?).with("duration_ms", elapsed);
    for (name, key) in [("method", "requestMethod"), ("path", "requestUrl")] {
        if let Some(value) = http.get(key).and_then(Value::as_str) {
            claim = claim.with(name, value);
        }
    }
    claim.outcome = match status {
        200..400 => Some(ClaimedOutcome::Success),
        504 => Some(ClaimedOutcome::Timeout),
        500..600 => Some(ClaimedOutcome::Error),
        _ => None,
    };
    // The request has no other ID than its trace's.
    let trace = TraceId::parse(trace);
    let request_id = trace.as_ref().map(|trace| RequestId::from(trace.as_str()));
    Some(Claim { elapsed_ms: Some(elapsed), trace_id: trace, request_id, ..claim })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(record: &Value) -> Option<Claim> {
        match read_record(record.as_object().expect("an object"), "raw")?.remove(0) {
            Fate::Evidence(claim) => Some(*claim),
            other => panic!("expected evidence, found {other:?}"),
        }
    }

    #[test]
    fn each_limit_is_told_with_its_value_and_layer() {
        for (message, setting, ms) in [
            ("Request timeout: 1m30s", "timeoutSeconds", 90_000),
            ("Response start timeout: 500ms", "responseStartTimeoutSeconds", 500),
            ("Idle timeout: 2s", "idleTimeoutSeconds", 2000),
        ] {
            let claim = claim(&serde_json::json!({"logger": "activator", "message": message, "knative.dev/key": "a/b"})).expect("a notice");
            let limit = claim.limit.as_ref().expect("named");
            assert_eq!((limit.setting.as_str(), limit.value_ms), (setting, Some(Millis::from_ms(ms))));
            assert_eq!(
                (claim.text("timeout_owner"), claim.text("revision"), claim.request_id.clone()),
                (Some("activator"), Some("b"), None)
            );
        }
    }

    #[test]
    fn others_objects_are_not_knatives() {
        for other in [
            serde_json::json!({"logger": "shop", "message": "Request timeout: 5s"}),
            serde_json::json!({"logger": "queueproxy", "message": "hello"}),
            serde_json::json!({"httpRequest": {"status": 504, "latency": "1s", "protocol": "HTTP/1.1"}, "traceId": "", "severity": "ERROR"}),
        ] {
            assert_eq!(claim(&other), None);
        }
    }

    #[test]
    fn the_body_of_a_504_is_no_evidence() {
        assert!(matches!(read("request timeout\n"), Some(Fate::Ignored(_))));
        assert!(read("a request timeout").is_none());
    }
}
