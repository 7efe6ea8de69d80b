//! Apache OpenWhisk's activation records, as its API and its database give them; also a 202's body, and the line that ends
//! an activation in a raw container log.
//!
//! ```text
//! {"namespace":"guest","name":"pay","activationId":"e0e6…","start":1770804000000,"duration":60012,"response":{"status":"action developer error","statusCode":2,
//!  "result":{"error":"The action exceeded its time limits of 60000 milliseconds."}},"annotations":[{"key":"limits","value":{"timeout":60000}}]}
//! ```
//!
//! Running out of time has no status of its own: the words of the error decide. Read from apache/openwhisk in November 2026.

use domain::{Claim, ClaimedOutcome, FunctionName, Kind, KnownFrom, Layer, Limit, Millis, Product, RequestId};
use serde_json::{Map, Value};

use super::{Fate, Lines, RAW_BYTES_MAX, cut, marks, times, tracepoints};

/// The format's name.
pub const FORMAT: &str = "openwhisk";

/// What every line with something to say holds one of: see [`super::marks`].
pub(super) const MARKS: marks::Declared = &[&["activationId"]];

pub(super) const LINES: Lines = Lines { begins: |line| (line.trim_end() == SENTINEL).then_some(0), read };

const SENTINEL: &str = "XXX_THE_END_OF_A_WHISK_ACTIVATION_XXX";

/// The line that ends an activation; on its own it says nothing.
fn read(text: &str) -> Option<Fate> {
    (text.trim_end() == SENTINEL).then(|| Fate::Ignored(Box::new(Claim::new(Kind::LogSentinel, FORMAT, text.trim_end()))))
}

/// A claim of OpenWhisk's about one activation.
pub(super) fn base(kind: Kind, format: &str, id: &str, raw: &str) -> Claim {
    let platform = Some(Product::from("openwhisk"));
    Claim { platform, request_id: Some(RequestId::from(id)), ..Claim::new(kind, format, cut(raw, RAW_BYTES_MAX)) }
}

/// Reads a record; `None` when it is none of OpenWhisk's.
pub(super) fn read_record(object: &Map<String, Value>, raw: &str) -> Option<Vec<Fate>> {
    let id = object.get("activationId")?.as_str().filter(|id| !id.is_empty())?;
    if object.len() == 1 {
        return Some(vec![Fate::Evidence(Box::new(base(Kind::Accepted, FORMAT, id, raw)))]);
    }
    let (response, start) = (object.get("response")?.as_object()?, object.get("start")?.as_i64()?);
    let note = |key: &str| {
        let notes = object.get("annotations").and_then(Value::as_array);
        notes.into_iter().flatten().find(|note| note.get("key").and_then(Value::as_str) == Some(key))?.get("value")
    };
    let mut claim = base(Kind::Invocation, FORMAT, id, raw);
    claim.function = object.get("name").and_then(Value::as_str).map(FunctionName::from);
    claim.started_at = times::epoch(start);
    claim.observed_at = object.get("end").and_then(Value::as_i64).filter(|end| *end > 0).and_then(times::epoch);
    if let Some(ms) = object.get("duration").and_then(Value::as_i64) {
        claim.elapsed_ms = Some(Millis::from_ms(ms));
        claim = claim.with("duration_ms", ms);
    }
    if let Some(ms) = note("waitTime").and_then(Value::as_i64) {
        claim = claim.with("wait_ms", ms);
    }
    let init = note("initTime").and_then(Value::as_i64);
    claim = claim.with("cold_start", init.is_some_and(|ms| ms > 0));
    if let Some(ms) = init {
        claim = claim.with("init_duration_ms", ms);
    }
    if let Some(mb) = note("limits").and_then(|limits| limits.get("memory")).and_then(Value::as_i64) {
        claim = claim.with("memory_size_mb", mb);
    }
    if let Some(parent) = object.get("cause").and_then(Value::as_str) {
        claim = claim.with("parent_request_id", parent);
    }
    // A sequence has no log of its own: its components' IDs stand there.
    if note("kind").and_then(Value::as_str) == Some("sequence")
        && let Some(children) = object.get("logs").filter(|logs| logs.is_array())
    {
        claim = claim.with("children", children.clone());
    }
    let error = response.get("result").and_then(|result| result.get("error")).and_then(Value::as_str).unwrap_or_default();
    let code = response.get("statusCode").or_else(|| object.get("statusCode")).and_then(Value::as_i64);
    let status = response.get("status").and_then(Value::as_str);
    claim.outcome = outcome(error, code, status, note("timeout") == Some(&Value::Bool(true)));
    let value = note("limits").and_then(|limits| limits.get("timeout")).and_then(Value::as_i64).map(Millis::from_ms);
    claim.limit = value.or_else(|| named(error)).map(|value| Limit {
        layer: Layer::Platform,
        product: Product::from("openwhisk"),
        setting: "timeout".to_owned(),
        value_ms: Some(value),
        known_from: KnownFrom::Claimed,
        place: None,
    });
    if !error.is_empty() {
        claim = claim.with("message", cut(error, 512));
    }
    let sections: Vec<Fate> = sections(object, &claim).collect();
    Some(std::iter::once(Fate::Evidence(Box::new(claim))).chain(sections).collect())
}

/// Sections among the activation's log lines: `2026-11-27T10:00:00.412345678Z stdout: topen connect db`.
fn sections<'a>(object: &'a Map<String, Value>, activation: &'a Claim) -> impl Iterator<Item = Fate> + 'a {
    let lines = object.get("logs").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    lines.filter_map(|line| {
        let (at, rest) = line.split_once(' ')?;
        let message = ["stdout:", "stderr:"].iter().find_map(|stream| rest.trim_start().strip_prefix(stream))?;
        let claim =
            Claim { request_id: activation.request_id.clone(), ..Claim::new(Kind::Other, tracepoints::FORMAT, cut(line, RAW_BYTES_MAX)) };
        let claim = Claim {
            function: activation.function.clone(),
            platform: activation.platform.clone(),
            observed_at: times::rfc3339(at),
            ..claim
        };
        tracepoints::marked(claim, message).map(|section| Fate::Evidence(Box::new(section)))
    })
}

/// `The action exceeded its time limits of 60000 milliseconds.`
fn named(error: &str) -> Option<Millis> {
    let (value, rest) = error.strip_prefix(TIMED_OUT)?.split_once(' ')?;
    Millis::parse_ms(value).filter(|_| rest.starts_with("milliseconds"))
}

const TIMED_OUT: &str = "The action exceeded its time limits of ";

fn outcome(error: &str, code: Option<i64>, status: Option<&str>, noted: bool) -> Option<ClaimedOutcome> {
    if status == Some("success") || code == Some(0) {
        return Some(ClaimedOutcome::Success);
    }
    let application = status == Some("application error") || code == Some(1);
    // An action may answer with these words itself.
    if application {
        return Some(ClaimedOutcome::Error);
    }
    Some(match error {
        _ if error.starts_with(TIMED_OUT) && error.ends_with("during initialization.") => ClaimedOutcome::InitTimeout,
        _ if error.starts_with(TIMED_OUT) || noted => ClaimedOutcome::Timeout,
        "The action exhausted its memory and was aborted." => ClaimedOutcome::OutOfMemory,
        "The action did not produce a valid response and exited unexpectedly." => ClaimedOutcome::Crash,
        "The action did not initialize and exited unexpectedly." => ClaimedOutcome::InitCrash,
        "Failed to provision resources to run the action." => ClaimedOutcome::NoCapacity,
        _ if code.is_some() || status.is_some() => ClaimedOutcome::Error,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(record: &Value) -> Claim {
        match read_record(record.as_object().expect("an object"), "raw").expect("a record").remove(0) {
            Fate::Evidence(claim) => *claim,
            other => panic!("expected evidence, found {other:?}"),
        }
    }

    fn record(code: i64, error: &str) -> Value {
        serde_json::json!({"name": "pay", "activationId": "a1", "start": 1_770_804_000_000_i64, "end": 1_770_804_003_001_i64, "duration": 3001,
            "response": {"statusCode": code, "result": {"error": error}}, "annotations": [{"key": "limits", "value": {"timeout": 3000, "memory": 128}}]})
    }

    #[test]
    fn the_words_decide_how_it_ended() {
        let outcome = |code, error| claim(&record(code, error)).outcome;
        assert_eq!(outcome(2, "The action exceeded its time limits of 3000 milliseconds."), Some(ClaimedOutcome::Timeout));
        assert_eq!(
            outcome(2, "The action exceeded its time limits of 3000 milliseconds during initialization."),
            Some(ClaimedOutcome::InitTimeout)
        );
        assert_eq!(outcome(2, "The action exhausted its memory and was aborted."), Some(ClaimedOutcome::OutOfMemory));
        assert_eq!(outcome(1, "The action exceeded its time limits of 3000 milliseconds."), Some(ClaimedOutcome::Error));
        assert_eq!(outcome(0, ""), Some(ClaimedOutcome::Success));
    }

    #[test]
    fn limit_and_time_stand_in_the_record() {
        let claim = claim(&record(0, ""));
        assert_eq!(
            (claim.elapsed_ms, claim.limit.expect("in the annotations").value_ms),
            (Some(Millis::from_ms(3001)), Some(Millis::from_ms(3000)))
        );
    }

    #[test]
    fn other_objects_are_not_records() {
        let other = serde_json::json!({"activationId": "a1", "message": "done"});
        assert!(read_record(other.as_object().expect("an object"), "").is_none());
    }
}
