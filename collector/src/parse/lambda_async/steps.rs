//! Step Functions' history. `States.Timeout` is the state's own clock; a failed task whose cause is an invocation's answer tells
//! of the function's.

use domain::{Claim, ClaimedOutcome, Kind, Product};
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
    object.get("id").filter(|id| id.is_number())?;
    let kind = object.get("type")?.as_str()?;
    let (_, details) = object.iter().find(|(name, _)| name.ends_with("EventDetails"))?;
    let text = |name: &str| details.get(name).and_then(Value::as_str);
    let claim = match kind {
        "ExecutionTimedOut" => owned(started(Kind::ExecutionTimeout, raw, TRANSPORT)),
        "TaskTimedOut" | "LambdaFunctionTimedOut" | "ActivityTimedOut" => owned(started(Kind::StepTimeout, raw, TRANSPORT)),
        "TaskFailed" | "LambdaFunctionFailed" => failed(started(Kind::StepFailure, raw, TRANSPORT), text("cause"), text("error")),
        _ => return None,
    };
    let mut claim = text("error").map_or(claim.clone(), |error| claim.with("error_type", error));
    claim.observed_at = object.get("timestamp").and_then(at);
    Some(claim)
}

const TRANSPORT: &str = "stepfunctions_history";

/// A clock of Step Functions' own.
fn owned(claim: Claim) -> Claim {
    let outcome = Some(ClaimedOutcome::Timeout);
    Claim { outcome, platform: Some(Product::from("step_functions")), ..claim.with("timeout_owner", "stepfunctions") }
}

/// The cause is the function's answer as a text.
fn failed(claim: Claim, cause: Option<&str>, error: Option<&str>) -> Claim {
    let payload = cause.and_then(|cause| serde_json::from_str::<Map<String, Value>>(cause).ok());
    let Some(payload) = payload.filter(|payload| payload.contains_key("errorMessage")) else {
        let claim = cause.map_or(claim.clone(), |cause| claim.with("message", cause));
        let is_timeout = error == Some("States.Timeout");
        return if is_timeout { owned(claim) } else { Claim { outcome: Some(ClaimedOutcome::Error), ..claim } };
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
