//! Cloudflare: trace events of Workers (Logpush and `wrangler tail --format json`), and the zone's request log.
//!
//! ```text
//! {"Outcome":"exceededCpu","ScriptName":"pay","EventType":"fetch","Event":{"RayID":"e2f2…","Response":{"Status":503}},"CPUTimeMs":30001,"WallTimeMs":31000,…}
//! {"outcome":"exceededCpu","scriptName":"pay","event":{"request":{"headers":{"cf-ray":"8c1f2e3d4a5b6c7d-FRA"},…}},"eventTimestamp":1770804003330,…}
//! {"RayID":"8c1f…","EdgeResponseStatus":524,"OriginResponseDurationMs":100003,"EdgeStartTimestamp":"…","EdgeEndTimestamp":"…"}
//! ```
//!
//! Cloudflare's "Workers trace events", "HTTP requests" data sets and cloudflare/workerd's outcomes, read in November 2026.
//! `docs/formats/cloudflare.md`.

use domain::{Claim, ClaimedOutcome, Kind, KnownFrom, Layer, Limit, Millis, Product, RequestId};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{Fate, RAW_BYTES_MAX, cut, marks, times};
use crate::documented::default_of;

/// The format's name.
pub const FORMAT: &str = "cloudflare";

/// What every line with something to say holds one of: see [`super::marks`].
pub(super) const MARKS: marks::Declared = &[&["criptName\"", "EdgeResponseStatus"]];

/// The wall time of cron triggers and queue consumers, which cannot be set.
const WALL_SETTING: &str = "(fixed) wall time";
/// How far a measured time is from the limit that it ran into.
const SLACK_MS: i64 = 100;

/// Reads a record; `None` when the object is none.
pub(super) fn read_record(object: &Map<String, Value>, raw: &str) -> Option<Vec<Fate>> {
    let raw = cut(raw, RAW_BYTES_MAX);
    let claim = trace_event(object, raw).or_else(|| zone_request(object, raw))?;
    Some(vec![Fate::Evidence(Box::new(Claim { platform: Some(Product::from(FORMAT)), ..claim }))])
}

/// Both spellings of an event of a Worker.
fn trace_event(object: &Map<String, Value>, raw: &str) -> Option<Claim> {
    let either = |logpush: &str, tail: &str| object.get(logpush).or_else(|| object.get(tail));
    let outcome = either("Outcome", "outcome")?.as_str()?;
    let script = either("ScriptName", "scriptName")?.as_str();
    let at = either("EventTimestampMs", "eventTimestamp")?;
    let at = at.as_i64().or_else(|| at.as_str()?.parse().ok()).and_then(times::epoch);
    let event = either("Event", "event").unwrap_or(&Value::Null);
    let inside = |paths: &[&str]| paths.iter().find_map(|path| event.pointer(path));
    let headers = inside(&["/request/headers", "/Request/Headers"]).and_then(Value::as_object);
    let header = headers.and_then(|headers| headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("cf-ray")));
    let ray = inside(&["/RayID"]).or_else(|| header.map(|(_, value)| value)).and_then(Value::as_str).map(ray_id);
    let status = inside(&["/Response/Status", "/response/status"]).and_then(Value::as_f64);
    let event_type = object.get("EventType").and_then(Value::as_str);
    let is_request = event_type.map_or(event.get("request").is_some(), |kind| kind == "fetch");
    let mut claim = Claim::new(if is_request { Kind::Request } else { Kind::Invocation }, FORMAT, raw);
    claim.request_id = ray.filter(|ray| !ray.is_empty()).map(RequestId::from);
    claim.function = script.filter(|name| !name.is_empty()).map(Into::into);
    let figure = |value: &Value| value.as_f64().or_else(|| value.as_str()?.parse().ok());
    let millis = |name: &str| object.get(name).and_then(figure).map(Millis::from_ms_f64);
    let (cpu, wall) = (millis("CPUTimeMs"), millis("WallTimeMs"));
    claim.elapsed_ms = wall;
    // An event's timestamp is when it came in.
    claim.started_at = at;
    claim.observed_at = at.map(|at| wall.map_or(at, |wall| wall.after(at)));
    for (name, value) in [("cpu_ms", cpu), ("wall_ms", wall)] {
        if let Some(value) = value {
            claim = claim.with(name, value);
        }
    }
    if let Some(status) = status.filter(|status| *status > 0.0) {
        claim = claim.with("status_code", status);
    }
    if let Some(trigger) = event_type.filter(|_| !is_request) {
        claim = claim.with("trigger", trigger);
    }
    let exception = either("Exceptions", "exceptions").and_then(|list| list.get(0));
    if let Some(message) = exception.and_then(|one| one.get("Message").or_else(|| one.get("message"))).and_then(Value::as_str) {
        claim = claim.with("exception", message);
    }
    (claim.outcome, claim.limit) = ended(outcome, cpu, wall);
    Some(claim.with("status", outcome))
}

/// The colo follows the ID in a header: `8c1f2e3d4a5b6c7d-FRA`.
fn ray_id(text: &str) -> &str {
    text.split('-').next().unwrap_or(text)
}

/// workerd's outcomes in our words, and the limit that the times prove.
fn ended(outcome: &str, cpu: Option<Millis>, wall: Option<Millis>) -> (Option<ClaimedOutcome>, Option<Limit>) {
    use ClaimedOutcome as C;
    match outcome {
        "ok" => (Some(C::Success), None),
        "exception" | "scriptNotFound" | "killSwitch" | "daemonDown" | "internalError" => (Some(C::Error), None),
        // Any number of milliseconds can be set; whole seconds are what people set.
        "exceededCpu" => {
            (Some(C::CpuLimit), Some(limit(Layer::Platform, "limits.cpu_ms", cpu.and_then(whole_seconds), KnownFrom::Learned)))
        }
        "exceededWallTime" => {
            let fixed = default_of(FORMAT, WALL_SETTING);
            let value = wall.filter(|wall| (wall.as_ms() - fixed.as_ms()).abs() <= SLACK_MS).map(|_| fixed);
            (Some(C::Timeout), Some(limit(Layer::Platform, WALL_SETTING, value, KnownFrom::Default)))
        }
        "exceededMemory" => (Some(C::OutOfMemory), None),
        "canceled" | "responseStreamDisconnected" => (Some(C::ClientClosed), None),
        "loadShed" => (Some(C::NoCapacity), None),
        _ => (None, None),
    }
}

fn whole_seconds(measured: Millis) -> Option<Millis> {
    let whole = measured.plus(Millis::from_ms(SLACK_MS)).floor_seconds();
    (whole > Millis::ZERO && (measured.as_ms() - whole.as_ms()).abs() <= SLACK_MS).then_some(whole)
}

fn limit(layer: Layer, setting: &str, value_ms: Option<Millis>, known_from: KnownFrom) -> Limit {
    Limit { layer, product: Product::from(FORMAT), setting: setting.to_owned(), value_ms, known_from, place: None }
}

/// A line of the zone's request log.
fn zone_request(object: &Map<String, Value>, raw: &str) -> Option<Claim> {
    let ray = object.get("RayID")?.as_str()?;
    let status = object.get("EdgeResponseStatus")?.as_f64()?;
    let time = |name: &str| -> Option<Timestamp> {
        let value = object.get(name)?;
        value.as_str().and_then(times::rfc3339).or_else(|| value.as_i64().and_then(times::epoch))
    };
    let mut claim = Claim::new(Kind::Request, FORMAT, raw);
    claim.request_id = Some(RequestId::from(ray_id(ray)));
    (claim.started_at, claim.observed_at) = (time("EdgeStartTimestamp"), time("EdgeEndTimestamp"));
    claim.elapsed_ms = claim.started_at.zip(claim.observed_at).map(|(start, end)| Millis::between(start, end));
    let waited = object.get("OriginResponseDurationMs").and_then(Value::as_f64).map(Millis::from_ms_f64);
    claim.outcome = match status {
        499.0 => Some(ClaimedOutcome::ClientClosed),
        status if status < 500.0 => Some(ClaimedOutcome::Success),
        522.0 => Some(ClaimedOutcome::ConnectTimeout),
        524.0 => Some(ClaimedOutcome::GatewayTimeout),
        504.0 => Some(ClaimedOutcome::UpstreamTimeout),
        _ => Some(ClaimedOutcome::Error),
    };
    if claim.outcome == Some(ClaimedOutcome::GatewayTimeout) {
        claim.limit = Some(limit(Layer::Cdn, "proxy_read_timeout", waited.and_then(whole_seconds), KnownFrom::Learned));
    }
    if let Some(waited) = waited {
        claim = claim.with("waited_ms", waited);
    }
    Some(claim.with("status_code", status))
}

#[cfg(test)]
mod tests {
    use crate::parse::{Context, Format, facts};

    #[test]
    fn outcomes_are_told_apart_and_limits_only_where_the_times_prove_them() {
        let log = include_str!("../../../tests/fixtures/cloudflare/events.jsonl");
        for format in [Format::Cloudflare, Format::Auto] {
            let items = format.parse(log.as_bytes(), &Context::default()).items;
            let told: Vec<_> = items
                .iter()
                .map(facts::of)
                .map(|item| format!("{} {} {} {}", item["kind"], item["request_id"], item["outcome"], item["limit_ms"]).replace('"', ""))
                .collect();
            assert_eq!(
                told,
                [
                    "request 2f3e4d5c6b7a8190 success null",
                    "request 3e4d5c6b7a81902f cpu_limit 10000",
                    "invocation null timeout 900000",
                    "request 4d5c6b7a81902f3e client_closed null",
                    "request 5c6b7a81902f3e4d cpu_limit null",
                    "request 6b7a81902f3e4d5c gateway_timeout 100000",
                ]
            );
        }
    }
}
