//! Messages of dead-letter queues. Lambda's own holds the original event, the facts are in its attributes; those of rules,
//! schedules and event buses tell that delivery failed.

use domain::{Claim, Kind, RequestId};
use serde_json::{Map, Value, json};

use super::{about, embedded, started, with_payload};
use crate::parse::times;

/// The messages of a `receive-message` answer, an SQS or SNS event, or one message.
pub fn read(object: &Map<String, Value>, raw: &str) -> Option<Vec<Claim>> {
    if let Some(claim) = bus(object, raw) {
        return Some(vec![claim]);
    }
    let list = ["Messages", "Records"].iter().find_map(|name| object.get(*name)?.as_array());
    let Some(list) = list else { return message(object, raw) };
    let found: Vec<Claim> = list.iter().filter_map(Value::as_object).filter_map(|one| message(one, raw)).flatten().collect();
    (!found.is_empty()).then_some(found)
}

fn message(object: &Map<String, Value>, raw: &str) -> Option<Vec<Claim>> {
    let sns = object.get("Sns").and_then(Value::as_object).unwrap_or(object);
    let attributes = ["MessageAttributes", "messageAttributes"].iter().find_map(|name| sns.get(*name)?.as_object());
    if let Some(claim) = attributes.and_then(|attributes| by_attributes(attributes, raw)) {
        return Some(vec![sent(claim, object)]);
    }
    let body = ["Body", "body", "Message"].iter().find_map(|name| sns.get(*name)?.as_str())?;
    embedded(body, raw, "lambda_destination")
}

fn by_attributes(attributes: &Map<String, Value>, raw: &str) -> Option<Claim> {
    let text = |name: &str| {
        let value = attributes.get(name)?;
        ["StringValue", "stringValue", "Value"].iter().find_map(|key| value.get(*key)?.as_str())
    };
    if let (Some(id), Some(_)) = (text("RequestID"), text("ErrorCode")) {
        let mut claim = started(Kind::AsyncFailure, raw, "lambda_dlq_sqs");
        claim.request_id = Some(RequestId::from(id));
        let payload = text("ErrorMessage").map(|message| json!({ "errorMessage": message }));
        return Some(payload.as_ref().and_then(Value::as_object).map_or(claim.clone(), |payload| with_payload(claim, payload)));
    }
    let transport = match (text("RULE_ARN"), text("SCHEDULE_ARN")) {
        (Some(_), _) => "eventbridge_rule_dlq",
        (_, Some(_)) => "eventbridge_scheduler_dlq",
        _ => return None,
    };
    let facts = [text("TARGET_ARN"), text("ERROR_CODE"), text("ERROR_MESSAGE"), text("EXHAUSTED_RETRY_CONDITION")];
    let retries = text("RETRY_ATTEMPTS").and_then(|text| text.parse::<u32>().ok());
    Some(undelivered(started(Kind::DeliveryFailure, raw, transport), facts, retries))
}

/// The queue of a custom event bus, since 2026: the body is the record.
fn bus(object: &Map<String, Value>, raw: &str) -> Option<Claim> {
    let text = |name: &str| object.get(name).and_then(Value::as_str);
    (object.contains_key("busArn") && object.contains_key("failedMessages")).then_some(())?;
    let facts = [text("targetArn"), text("errorCode"), text("errorMessage"), text("exhaustedRetryCondition")];
    let retries = object.get("retryAttempts").and_then(Value::as_u64).and_then(|count| u32::try_from(count).ok());
    Some(undelivered(started(Kind::DeliveryFailure, raw, "eventbridge_bus_dlq"), facts, retries))
}

fn undelivered(mut claim: Claim, facts: [Option<&str>; 4], retries: Option<u32>) -> Claim {
    let [target, code, message, condition] = facts;
    // It may have been meant for something else than a function.
    claim.platform = None;
    if let Some(arn) = target {
        claim = about(claim, arn);
    }
    for (name, value) in [("error_code", code), ("message", message), ("retry_condition", condition)] {
        if let Some(value) = value {
            claim = claim.with(name, value);
        }
    }
    retries.map_or(claim.clone(), |retries| claim.with("attempts", retries.saturating_add(1)))
}

/// When the queue got it, which is after the last try.
fn sent(mut claim: Claim, object: &Map<String, Value>) -> Claim {
    let attributes = ["Attributes", "attributes"].iter().find_map(|name| object.get(*name)?.as_object());
    let at = attributes.and_then(|attributes| attributes.get("SentTimestamp")?.as_str()?.parse().ok());
    claim.observed_at = at.and_then(times::epoch);
    claim
}
