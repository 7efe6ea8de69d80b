//! What AWS Lambda answers whoever invoked a function that failed.
//!
//! ```text
//! {"errorType":"Sandbox.Timedout","errorMessage":"RequestId: cbc9… Error: Task timed out after 1.00 seconds"}   since 2025
//! {"errorMessage":"2026-02-11T16:56:22.123Z 3884… Task timed out after 1.00 seconds"}                           until 2024
//! {"errorMessage":"Handler fails","errorType":"Exception","requestId":"956f…","stackTrace":[…]}                 the code's own
//! ```
//!
//! Recorded against AWS in 2024 and 2025. The message is the platform's line of that time and is read as such; an exception
//! of the code with the same words has another type.

use domain::{Claim, ClaimedOutcome, Kind, Product, RequestId};
use serde_json::{Map, Value};

use super::{Fate, RAW_BYTES_MAX, cut, lambda_text, marks};

/// The format's name.
pub const FORMAT: &str = "lambda_invoke_error";

/// What every line with something to say holds one of: see [`super::marks`].
pub(super) const MARKS: marks::Declared = &[&["errorMessage", "Endpoint request timed out"]];

/// Reads a payload.
pub(super) fn read_record(object: &Map<String, Value>, raw: &str) -> Option<Vec<Fate>> {
    // API Gateway's body for its own timeout, which names neither request nor limit.
    if object.len() == 1 && object.get("message").and_then(Value::as_str) == Some("Endpoint request timed out") {
        let claim = Claim { outcome: Some(ClaimedOutcome::GatewayTimeout), ..Claim::new(Kind::GatewayError, FORMAT, raw) };
        return Some(vec![Fate::Evidence(Box::new(claim))]);
    }
    let message = object.get("errorMessage")?.as_str()?;
    // Other people's JSON has an `errorMessage` as well; a log line of the runtimes has a time or a level beside it.
    let known = ["errorMessage", "errorType", "requestId", "stackTrace", "trace", "stack", "cause"];
    object.keys().all(|key| known.contains(&key.as_str())).then_some(())?;
    let error_type = object.get("errorType").and_then(Value::as_str);
    let platforms = error_type.is_none_or(lambda_text::is_error_type);
    let base = Claim { platform: Some(Product::AWS_LAMBDA), ..Claim::new(Kind::InvokeError, FORMAT, "") };
    let read = platforms.then(|| lambda_text::parse_event(&with_type(message, error_type))).flatten();
    let mut claim = Claim { kind: Kind::InvokeError, format: FORMAT.to_owned(), ..read.unwrap_or(base) };
    cut(raw, RAW_BYTES_MAX).clone_into(&mut claim.raw);
    claim.request_id = claim.request_id.or_else(|| object.get("requestId")?.as_str().filter(|id| !id.is_empty()).map(RequestId::from));
    if let Some(error_type) = error_type {
        claim = claim.with("error_type", error_type);
    }
    claim.outcome = claim.outcome.or(Some(match error_type {
        Some(error)
            if error.starts_with("Runtime.Import")
                || error.starts_with("Runtime.HandlerNotFound")
                || error.starts_with("Runtime.UserCode") =>
        {
            ClaimedOutcome::InitCrash
        }
        _ => ClaimedOutcome::Error,
    }));
    Some(vec![Fate::Evidence(Box::new(claim.with("message", message)))])
}

/// In a log the type stands on a line of its own.
fn with_type(message: &str, error_type: Option<&str>) -> String {
    error_type.map_or_else(|| message.to_owned(), |error_type| format!("{message}\n{error_type}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_platforms_words_are_told_from_the_codes() {
        let outcomes: Vec<_> = include_str!("../../../tests/fixtures/lambda_invoke_error/payloads.jsonl")
            .lines()
            .map(|line| {
                let object = serde_json::from_str(line).expect("a fixture");
                match &read_record(&object, line).expect("a payload")[0] {
                    Fate::Evidence(claim) => (claim.request_id.is_some(), claim.outcome.expect("each says")),
                    other => panic!("expected evidence, found {other:?}"),
                }
            })
            .collect();
        let [timeout, memory, error] = [ClaimedOutcome::Timeout, ClaimedOutcome::OutOfMemory, ClaimedOutcome::Error];
        assert_eq!(outcomes, [(true, timeout), (true, timeout), (true, memory), (true, error)]);
    }

    #[test]
    fn a_log_line_with_an_error_message_is_none() {
        let object = serde_json::json!({"timestamp": "2026-11-02T09:14:06Z", "errorMessage": "boom"});
        assert!(read_record(object.as_object().expect("an object"), "").is_none());
    }
}
