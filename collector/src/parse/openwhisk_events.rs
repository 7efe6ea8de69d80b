//! Apache OpenWhisk's user events, from its Kafka topic `events`: one object an event.
//!
//! ```text
//! {"source":"invoker0","body":{"name":"guest/pay","activationId":"e0e6…","statusCode":2,"duration":60012,"initTime":0},"eventType":"Activation","timestamp":1770804060100}
//! ```
//!
//! They hold neither message nor limit: status 2 may be a timeout, a crash or full memory, and is left undecided. The
//! activation record decides. Read from apache/openwhisk in November 2026.

use domain::{Claim, ClaimedOutcome, FunctionName, Kind, Millis, Product};
use serde_json::{Map, Value};

use super::{Fate, RAW_BYTES_MAX, cut, marks, openwhisk, times};

/// The format's name.
pub const FORMAT: &str = "openwhisk_events";

/// What every line with something to say holds one of: see [`super::marks`].
pub(super) const MARKS: marks::Declared = &[&["activationId"]];

/// The name of the action by which invokers are looked after.
const PROBE: &str = "whisk.system/invokerHealthTestAction";

/// Reads an event; `None` when it is none of OpenWhisk's.
pub(super) fn read_record(object: &Map<String, Value>, raw: &str) -> Option<Vec<Fate>> {
    let at = object.get("timestamp")?;
    let at = at.as_i64().or_else(|| at.as_str()?.parse().ok()).and_then(times::epoch)?;
    let body = object.get("body")?.as_object()?;
    match object.get("eventType")?.as_str()? {
        "Activation" => {
            let claim = Box::new(Claim { observed_at: Some(at), ..activation(body, raw)? });
            // The controllers' own probes of their invokers.
            let is_probe = body.get("name").and_then(Value::as_str).is_some_and(|name| name.starts_with(PROBE));
            Some(vec![if is_probe { Fate::Ignored(claim) } else { Fate::Evidence(claim) }])
        }
        "Metric" => {
            let claim = Claim::new(Kind::Metric, FORMAT, cut(raw, RAW_BYTES_MAX)).with("metric", body.get("metricName")?.as_str()?);
            let claim = claim.with("value", body.get("metricValue")?.as_f64()?);
            Some(vec![Fate::Ignored(Box::new(Claim { platform: Some(Product::from("openwhisk")), observed_at: Some(at), ..claim }))])
        }
        _ => None,
    }
}

fn activation(body: &Map<String, Value>, raw: &str) -> Option<Claim> {
    let number = |name: &str| body.get(name).and_then(|value| value.as_i64().or_else(|| value.as_str()?.parse().ok()));
    let mut claim = openwhisk::base(Kind::Invocation, FORMAT, body.get("activationId")?.as_str()?, raw);
    let name = body.get("name")?.as_str()?;
    claim.function = Some(FunctionName::from(name.split_once('/').map_or(name, |(_, action)| action)));
    let mut put = |name: &str, value: Option<i64>| {
        if let Some(value) = value {
            claim.attributes.insert(name.to_owned(), value.into());
        }
    };
    put("duration_ms", number("duration"));
    put("wait_ms", number("waitTime"));
    put("memory_size_mb", number("memory"));
    put("user_status_code", number("userDefinedStatusCode"));
    put("init_duration_ms", number("initTime").filter(|ms| *ms > 0));
    claim.elapsed_ms = number("duration").map(Millis::from_ms);
    claim = claim.with("cold_start", number("initTime").is_some_and(|ms| ms > 0));
    if let Some(by) = body.get("causedBy").and_then(Value::as_str) {
        claim = claim.with("caused_by", by);
    }
    claim.outcome = match number("statusCode")? {
        0 => Some(ClaimedOutcome::Success),
        1 => Some(ClaimedOutcome::Error),
        3 => {
            claim = claim.with("error_owner", "platform");
            Some(ClaimedOutcome::Error)
        }
        _ => {
            let candidates = serde_json::json!(["timeout", "crash", "out_of_memory", "init_timeout", "init_crash"]);
            claim = claim.with("outcome_candidates", candidates);
            None
        }
    };
    Some(claim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_developers_error_is_left_undecided() {
        let event = serde_json::json!({"source": "invoker0", "eventType": "Activation", "timestamp": 1_770_804_060_100_i64,
            "body": {"name": "guest/pay", "activationId": "a1", "statusCode": 2, "duration": 3001, "waitTime": 4, "initTime": 0}});
        let Some(Fate::Evidence(claim)) = read_record(event.as_object().expect("an object"), "").map(|mut fates| fates.remove(0)) else {
            panic!("not read")
        };
        assert_eq!((claim.outcome, claim.elapsed_ms, claim.limit), (None, Some(Millis::from_ms(3001)), None));
    }
}
