//! Caddy's JSON log: access lines, and the errors of `reverse_proxy`.
//!
//! ```text
//! {"level":"error","ts":1795351770.63,"logger":"http.log.error.log0","msg":"net/http: timeout awaiting response headers","request":{…},"duration":1.0007,"status":504,"err_id":"206p…"}
//! {"level":"info","ts":1795351783.08,"logger":"http.log.access.log0","msg":"handled request","request":{…},"duration":1.0016,"size":0,"status":0,…}
//! ```
//!
//! Read off Caddy 2.6.2 in November 2026; 2.7 and later say 499 where 2.6 says 0. Headers are in the log, so the request's
//! ID is where the client or an outer proxy sent one.

use domain::{Claim, ClaimedOutcome, Kind, KnownFrom, Layer, Limit, Millis, Product, RequestId};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{Fate, RAW_BYTES_MAX, cut, marks, times};

/// The format's name.
pub const FORMAT: &str = "caddy";

/// What every line with something to say holds one of: see [`super::marks`].
pub(super) const MARKS: marks::Declared = &[&["http.log.", "http.handlers."]];

/// The headers under which a request's ID travels.
const ID_HEADERS: [&str; 2] = ["x-request-id", "x-correlation-id"];

/// Reads a line of Caddy's: told by its loggers' names. `None` for any other object.
pub(super) fn read_record(object: &Map<String, Value>, raw: &str) -> Option<Vec<Fate>> {
    let logger = object.get("logger")?.as_str()?;
    let request = object.get("request").and_then(Value::as_object);
    let own = logger.starts_with("http.log.") || logger.starts_with("http.handlers.");
    let request = request.filter(|_| own)?;
    let text = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default();
    let is_access = logger.starts_with("http.log.access");
    let mut claim = Claim::new(if is_access { Kind::GatewayRequest } else { Kind::ProxyError }, FORMAT, cut(raw, RAW_BYTES_MAX));
    claim.platform = Some(Product::CADDY);
    claim.observed_at = object.get("ts").or_else(|| object.get("time")).and_then(moment);
    claim.elapsed_ms = object.get("duration").and_then(seconds);
    claim.started_at = claim.observed_at.zip(claim.elapsed_ms).map(|(end, elapsed)| elapsed.before(end));
    claim.request_id = request.get("headers").and_then(Value::as_object).and_then(request_id);
    let word = |name: &str| request.get(name).and_then(Value::as_str).filter(|word| !word.is_empty());
    for (name, key) in [("method", "method"), ("path", "uri"), ("host", "host")] {
        if let Some(word) = word(key) {
            claim = claim.with(name, word);
        }
    }
    if let (Some(ip), Some(port)) = (word("remote_ip"), word("remote_port")) {
        claim = claim.with("client", format!("{ip}:{port}")).with("connection", port);
    }
    let status = object.get("status").and_then(Value::as_u64).and_then(|status| u32::try_from(status).ok());
    if let Some(status) = status {
        claim = claim.with("status", status);
    }
    if let Some(upstream) = object.get("upstream").and_then(Value::as_str) {
        claim = claim.with("upstream", upstream);
    }
    let words = if is_access { String::new() } else { format!("{} {}", text("msg"), text("error")) };
    let told = tell(claim, &words, is_access.then_some(status).flatten());
    let says = told.request_id.is_some() || told.outcome.is_some_and(|outcome| outcome != ClaimedOutcome::Success);
    let fate = if says && (is_access || told.outcome.is_some()) { Fate::Evidence(Box::new(told)) } else { Fate::Ignored(Box::new(told)) };
    Some(vec![fate])
}

/// What the error's words say, else what an access line's status does.
fn tell(claim: Claim, words: &str, status: Option<u32>) -> Claim {
    let outcome = |claim: Claim, outcome| Claim { outcome: Some(outcome), ..claim };
    let fired = |claim: Claim, setting: &str, kind| {
        let claim = outcome(Claim { limit: Some(limit(setting)), ..claim }, kind);
        // Limits on one reading or writing: on a connection that was used before, Caddy tries a second time.
        let elapsed = claim.elapsed_ms.filter(|_| !matches!(setting, "read_timeout" | "write_timeout"));
        if let Some(elapsed) = elapsed { claim.with("waited_ms", elapsed) } else { claim }
    };
    if words.contains("timeout awaiting response headers") {
        return fired(claim, "response_header_timeout", ClaimedOutcome::GatewayTimeout);
    }
    if words.contains("i/o timeout") && words.contains("dial ") {
        return fired(claim, "dial_timeout", ClaimedOutcome::ConnectTimeout);
    }
    // Before the answer's head the words stand bare, beside the 504 that came of them; in its body a reader's name precedes them.
    let gave_504 = claim.number("status") == Some(504.0);
    if words.contains("i/o timeout") && (words.contains("reading: read ") || gave_504 && words.starts_with("read ")) {
        return fired(claim, "read_timeout", ClaimedOutcome::GatewayTimeout);
    }
    if words.contains("i/o timeout") && gave_504 && words.starts_with("write ") {
        return fired(claim, "write_timeout", ClaimedOutcome::GatewayTimeout);
    }
    if words.contains("context canceled") {
        return outcome(claim, ClaimedOutcome::ClientClosed);
    }
    if words.contains("EOF") || words.contains("connection reset by peer") {
        return outcome(claim, ClaimedOutcome::Error).with("upstream_closed", true);
    }
    if !words.trim().is_empty() {
        return if claim.number("status").is_some_and(|status| status >= 500.0) { outcome(claim, ClaimedOutcome::Error) } else { claim };
    }
    match status {
        // Nothing was written: the client had left.
        Some(0 | 499) => outcome(claim, ClaimedOutcome::ClientClosed),
        // Whose 504 it is, only the error line tells.
        Some(500..) => outcome(claim, ClaimedOutcome::Error),
        Some(100..400) => outcome(claim, ClaimedOutcome::Success),
        _ => claim,
    }
}

fn request_id(headers: &Map<String, Value>) -> Option<RequestId> {
    let named = |name: &&str| headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    let value = ID_HEADERS.iter().find_map(named)?;
    let id = value.as_str().or_else(|| value.as_array()?.first()?.as_str())?;
    // Caddy blanks out what may be secret.
    (!id.is_empty() && id != "REDACTED").then(|| RequestId::from(id))
}

fn seconds(value: &Value) -> Option<Millis> {
    value.as_f64().map(|seconds| Millis::from_ms_f64(seconds * 1000.0))
}

fn moment(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Number(number) => times::epoch_seconds(&number.to_string()),
        Value::String(text) => times::rfc3339(text),
        _ => None,
    }
}

fn limit(setting: &str) -> Limit {
    Limit {
        layer: Layer::Router,
        product: Product::CADDY,
        setting: setting.to_owned(),
        value_ms: None,
        known_from: KnownFrom::Claimed,
        place: None,
    }
}

#[cfg(test)]
mod tests {
    use crate::parse::Format;
    use crate::parse::tests::read_one;

    fn line(logger: &str, msg: &str, status: u32) -> String {
        read_one(
            Format::Auto,
            &format!(
                r#"{{"level":"error","ts":1795351770.5,"logger":"{logger}","msg":"{msg}","request":{{"remote_ip":"10.0.0.9","remote_port":"60866","method":"GET","host":"h","uri":"/r?x=1","headers":{{"X-Request-Id":["r-7"]}}}},"duration":1.25,"status":{status}}}"#
            ),
        )
    }

    #[test]
    fn the_error_names_the_timer() {
        for (msg, expected) in [
            ("net/http: timeout awaiting response headers", "gateway_timeout"),
            ("dial tcp 10.0.0.1:80: i/o timeout", "connect_timeout"),
            // Caddy 2.6.2 with `read_timeout`, before the answer's head (November 2026).
            ("read tcp 10.0.0.9:56516->10.0.0.1:80: i/o timeout", "gateway_timeout"),
            ("write tcp 10.0.0.9:56516->10.0.0.1:80: i/o timeout", "gateway_timeout"),
            ("EOF", "error"),
        ] {
            let read = line("http.log.error.log0", msg, 504);
            assert!(read.starts_with("evidence proxy_error") && read.contains(&format!("outcome={expected} ")), "{read}");
            assert!(read.contains("request_id=r-7 started_at=2026-11-22T12:49:29.250Z"), "{read}");
        }
    }

    #[test]
    fn no_status_is_a_client_that_left_and_504_alone_is_nobodys() {
        assert!(line("http.log.access.log0", "handled request", 0).contains("outcome=client_closed"));
        assert!(line("http.log.access.log0", "handled request", 504).contains("outcome=error"));
        assert!(line("http.log.access", "handled request", 200).contains("outcome=success"));
    }

    #[test]
    fn what_caddy_says_of_itself_is_ignored() {
        let read = read_one(Format::Auto, r#"{"level":"info","ts":1795351770.5,"logger":"tls","msg":"cleaning storage unit"}"#);
        assert!(read.starts_with("ignored"), "{read}");
    }
}
