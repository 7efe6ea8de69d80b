//! Step Functions' history, as the API gives it and as it is logged. `States.Timeout` is the state's own clock; a failed task
//! whose cause is an invocation's answer tells of the function's.

use domain::{Claim, ClaimedOutcome, Kind, KnownFrom, Layer, Limit, Product};
use serde_json::{Map, Value};

use super::{started, with_payload};
use crate::parse::times;

/// One event, or the answer of `get-execution-history`.
pub fn read(object: &Map<String, Value>, raw: &str) -> Option<Vec<Claim>> {
    let Some(events) = object.get("events").and_then(Value::as_array) else { return event(object, raw).map(|claim| vec![claim]) };
    let found: Vec<Claim> = events.iter().filter_map(|one| event(one.as_object()?, &one.to_string())).collect();
    (!found.is_empty()).then_some(found)
}

fn event(object: &Map<String, Value>, raw: &str) -> Option<Claim> {
    let logged = object.get("execution_arn").and_then(Value::as_str);
    object.get("id").filter(|id| id.is_number() || logged.is_some())?;
    let kind = object.get("type")?.as_str()?;
    let (_, details) = object.iter().find(|(name, _)| name.ends_with("EventDetails") || logged.is_some() && *name == "details")?;
    let text = |name: &str| details.get(name).and_then(Value::as_str);
    let claim = match kind {
        "ExecutionTimedOut" => owned(started(Kind::ExecutionTimeout, raw, TRANSPORT), "TimeoutSeconds"),
        "TaskTimedOut" | "LambdaFunctionTimedOut" | "ActivityTimedOut" => {
            let heartbeat = text("error") == Some("States.HeartbeatTimeout");
            owned(started(Kind::StepTimeout, raw, TRANSPORT), if heartbeat { "HeartbeatSeconds" } else { "TimeoutSeconds" })
        }
        "TaskFailed" | "LambdaFunctionFailed" => failed(started(Kind::StepFailure, raw, TRANSPORT), text("cause"), text("error")),
        _ => return None,
    };
    let mut claim = text("error").map_or(claim.clone(), |error| claim.with("error_type", error));
    claim.observed_at = object.get("timestamp").or_else(|| object.get("event_timestamp")).and_then(at);
    Some(logged.map_or(claim.clone(), |arn| claim.with("execution_arn", arn)))
}

const TRANSPORT: &str = "stepfunctions_history";

/// A clock of Step Functions' own; its value stands in the state's definition only.
fn owned(claim: Claim, setting: &str) -> Claim {
    let product = Product::from("step_functions");
    let limit = Limit {
        layer: Layer::Platform,
        product: product.clone(),
        setting: setting.to_owned(),
        value_ms: None,
        known_from: KnownFrom::Claimed,
        place: None,
    };
    let claim = claim.with("timeout_owner", "stepfunctions");
    Claim { outcome: Some(ClaimedOutcome::Timeout), platform: Some(product), limit: Some(limit), ..claim }
}

/// The cause is the function's answer as a text.
fn failed(claim: Claim, cause: Option<&str>, error: Option<&str>) -> Claim {
    let payload = cause.and_then(|cause| serde_json::from_str::<Map<String, Value>>(cause).ok());
    let Some(payload) = payload.filter(|payload| payload.contains_key("errorMessage")) else {
        let claim = cause.map_or(claim.clone(), |cause| claim.with("message", cause));
        let is_timeout = error == Some("States.Timeout");
        return if is_timeout { owned(claim, "TimeoutSeconds") } else { Claim { outcome: Some(ClaimedOutcome::Error), ..claim } };
    };
    let claim = with_payload(claim, &payload);
    if claim.outcome == Some(ClaimedOutcome::Timeout) { claim.with("timeout_owner", "lambda") } else { claim }
}

/// The API writes milliseconds as text or seconds as a number, the command line RFC 3339.
fn at(value: &Value) -> Option<jiff::Timestamp> {
    match value {
        Value::String(text) => text.parse().ok().and_then(times::epoch).or_else(|| times::rfc3339(text)),
        #[expect(clippy::cast_possible_truncation, reason = "milliseconds of our time fit")]
        Value::Number(number) => times::epoch((number.as_f64()? * 1000.0).round() as i64),
        _ => None,
    }
}
