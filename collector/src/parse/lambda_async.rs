//! What became of asynchronous invocations: destinations, dead-letter queues, Step Functions' history.
//!
//! ```text
//! {"version":"1.0","timestamp":…,"requestContext":{"requestId":…,"functionArn":…,"condition":"RetriesExhausted",
//!   "approximateInvokeCount":3},"responseContext":{"functionError":"Unhandled"},"responsePayload":{"errorType":"Sandbox.Timedout",…}}
//! {"Messages":[{"Body":"…","MessageAttributes":{"RequestID":{"StringValue":…},"ErrorMessage":{"StringValue":…}}}]}
//! {"type":"TaskTimedOut","taskTimedOutEventDetails":{"error":"States.Timeout",…}}
//! {"id":"5","type":"TaskTimedOut","details":{"error":"States.Timeout",…},"event_timestamp":"…","execution_arn":"arn:aws:states:…"}
//! ```
//!
//! AWS's "Capturing records of Lambda asynchronous invocations" and Step Functions' `HistoryEvent`, read in November 2026. A
//! record of a rule's or schedule's own queue tells that delivery failed: the function may never have run.

mod queue;
mod steps;

use domain::{Claim, ClaimedOutcome, FunctionName, Kind, Product, RequestId};
use serde_json::{Map, Value};

use super::{Fate, RAW_BYTES_MAX, cut, lambda_invoke_error, marks, times};

/// The format's name.
pub const FORMAT: &str = "lambda_async";

/// Of each kind of record; what they are wrapped in has none of its own.
pub(super) const MARKS: marks::Declared =
    &[&["requestContext", "failedMessages", "ErrorCode", "RULE_ARN", "SCHEDULE_ARN", "EventDetails", "execution_arn"]];

/// Reads a record, in whatever it is wrapped.
pub(super) fn read_record(object: &Map<String, Value>, raw: &str) -> Option<Vec<Fate>> {
    let claims = claims(object, raw, "lambda_destination")?;
    Some(claims.into_iter().map(fate).collect())
}

fn fate(claim: Claim) -> Fate {
    let tied = claim.request_id.is_some() || claim.is_anomalous();
    if tied { Fate::Evidence(Box::new(claim)) } else { Fate::Ignored(Box::new(claim)) }
}

/// The claims in one JSON object; `None` when it is none of these records.
fn claims(object: &Map<String, Value>, raw: &str, transport: &str) -> Option<Vec<Claim>> {
    let text = |name: &str| object.get(name).and_then(Value::as_str);
    if let Some(claim) = destination(object, raw, transport) {
        return Some(vec![claim]);
    }
    if text("detail-type").is_some_and(|kind| kind.starts_with("Lambda Function Invocation Result")) {
        let claim = destination(object.get("detail")?.as_object()?, raw, "eventbridge")?;
        return Some(vec![text("id").map_or(claim.clone(), |id| claim.with("event_id", id))]);
    }
    if text("Type") == Some("Notification") {
        return embedded(text("Message")?, raw, "lambda_destination_sns");
    }
    queue::read(object, raw).or_else(|| steps::read(object, raw))
}

/// A record inside a text.
fn embedded(text: &str, raw: &str, transport: &str) -> Option<Vec<Claim>> {
    let object: Map<String, Value> = text.starts_with('{').then(|| serde_json::from_str(text).ok())??;
    claims(&object, raw, transport)
}

fn destination(object: &Map<String, Value>, raw: &str, transport: &str) -> Option<Claim> {
    let context = object.get("requestContext")?.as_object()?;
    let of = |name: &str| context.get(name).and_then(Value::as_str);
    let (condition, arn) = (of("condition")?, of("functionArn")?);
    let failed = condition != "Success";
    let kind = if failed { Kind::AsyncFailure } else { Kind::AsyncSuccess };
    let mut claim = started(kind, raw, transport).with("condition", condition);
    claim.request_id = of("requestId").map(RequestId::from);
    claim.observed_at = object.get("timestamp").and_then(Value::as_str).and_then(times::rfc3339);
    claim = about(claim, arn);
    if let Some(count) = context.get("approximateInvokeCount").and_then(Value::as_u64).and_then(|count| u32::try_from(count).ok()) {
        claim = claim.with("attempts", count);
    }
    if !failed {
        claim.outcome = Some(ClaimedOutcome::Success);
        return Some(claim);
    }
    match object.get("responsePayload") {
        Some(Value::Object(payload)) => Some(with_payload(claim, payload)),
        // An event that became too old may never have been tried.
        _ => Some(claim),
    }
}

fn started(kind: Kind, raw: &str, transport: &str) -> Claim {
    let claim = Claim::new(kind, FORMAT, cut(raw, RAW_BYTES_MAX)).with("transport", transport);
    Claim { platform: Some(Product::AWS_LAMBDA), ..claim }
}

/// The function that an ARN names.
fn about(mut claim: Claim, arn: &str) -> Claim {
    claim.function = arn.split_once(":function:").and_then(|(_, rest)| rest.split(':').next()).map(FunctionName::from);
    claim.with("function_arn", arn)
}

/// Adds what the function's invoker was answered.
fn with_payload(mut claim: Claim, payload: &Map<String, Value>) -> Claim {
    let raw = Value::Object(payload.clone()).to_string();
    let told = lambda_invoke_error::read_record(payload, &raw).and_then(|mut fates| fates.pop());
    let Some(Fate::Evidence(told)) = told else {
        claim.outcome = Some(ClaimedOutcome::Error);
        return claim;
    };
    claim.request_id = claim.request_id.or(told.request_id);
    (claim.outcome, claim.outcome_confidence) = (told.outcome, told.outcome_confidence);
    (claim.limit, claim.elapsed_ms) = (told.limit, told.elapsed_ms);
    for (name, value) in told.attributes {
        claim.attributes.entry(name).or_insert(value);
    }
    claim
}

#[cfg(test)]
mod tests {
    use crate::parse::{Format, tests::read};

    #[test]
    fn every_wrapping_tells_how_the_function_ended() {
        let told = read(Format::LambdaAsync, include_str!("../../../tests/fixtures/lambda_async/records.jsonl"));
        let says = |index: usize, words: &[&str]| {
            for word in words {
                assert!(told[index].contains(word), "{word}: {}", told[index]);
            }
        };
        assert_eq!(told.len(), 12, "{told:#?}");
        says(0, &["async_failure", "outcome=timeout", "limit_ms=6000", "attempts=3", "function_name=invoices"]);
        says(1, &["async_failure", "outcome=error"]);
        says(2, &["async_success", "outcome=success"]);
        says(3, &["async_failure", "transport=eventbridge", "outcome=timeout", "event_id=e-1"]);
        says(4, &["async_failure", "condition=EventAgeExceeded"]);
        says(5, &["transport=lambda_dlq_sqs", "outcome=timeout", "limit_ms=6000"]);
        says(6, &["ignored delivery_failure", "transport=eventbridge_rule_dlq", "attempts=4"]);
        says(7, &["ignored delivery_failure", "transport=eventbridge_bus_dlq"]);
        says(8, &["step_timeout", "timeout_owner=stepfunctions"]);
        says(9, &["step_failure", "timeout_owner=lambda", "limit_ms=6000"]);
        says(10, &["execution_timeout", "outcome=timeout"]);
        says(11, &["transport=lambda_destination_sns", "outcome=timeout"]);
        for index in [4, 6, 7] {
            assert!(!told[index].contains("outcome="), "{}", told[index]);
        }
    }

    #[test]
    fn other_messages_are_left_alone() {
        let text =
            r#"{"Messages":[{"MessageId":"m","Body":"{}","MessageAttributes":{"color":{"StringValue":"red","DataType":"String"}}}]}"#;
        assert!(read(Format::Auto, text).iter().all(|item| item.starts_with("ignored")), "{text}");
    }
}
