//! Azure diagnostic settings through an Event Hub: `{"records": […]}`, or one record a line.
//!
//! ```text
//! {"records":[{"time":"2026-02-11T11:33:11Z","resourceId":"/SUBSCRIPTIONS/…/SITES/PAY-FUNC","category":"FunctionAppLogs","level":"Error",
//!   "properties":{"appName":"pay-func","message":"Executed Functions.hello (Failed, Id=…, Duration=300021ms)","exceptionMessage":"Timeout value of …"}}]}
//! ```
//!
//! Azure's "FunctionAppLogs" table and recorded Event Hub bodies, read in November 2026. `properties` may be a text, even one
//! that is not JSON but holds the message in single quotes. `docs/formats/azure_eventhub.md`.

use domain::{Claim, ClaimedOutcome, Kind};
use serde_json::{Map, Value};

use super::{Fate, RAW_BYTES_MAX, app_log, azure_functions, cut, times};

/// The format's name.
pub const FORMAT: &str = "azure_eventhub";

/// Reads a body or a single record; `None` when the object is neither.
pub(super) fn read_record(object: &Map<String, Value>, raw: &str) -> Option<Vec<Fate>> {
    let is_record = |object: &Map<String, Value>| {
        object.get("category").is_some_and(Value::is_string) && ["resourceId", "properties"].iter().all(|key| object.contains_key(*key))
    };
    if is_record(object) {
        return Some(vec![read(object, raw)]);
    }
    let records = object.get("records")?.as_array()?;
    (object.len() == 1).then_some(())?;
    let objects: Vec<_> = records.iter().filter_map(Value::as_object).filter(|record| is_record(record)).collect();
    (objects.len() == records.len()).then_some(())?;
    Some(objects.into_iter().map(|record| read(record, &Value::from(record.clone()).to_string())).collect())
}

fn read(record: &Map<String, Value>, raw: &str) -> Fate {
    let properties = properties(record.get("properties").unwrap_or(&Value::Null));
    let text = |name: &str| properties.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let message = text("message").unwrap_or_default();
    let host = azure_functions::parse_event(message);
    let is_hosts = host.is_some();
    let mut claim = host.unwrap_or_else(|| app_log(FORMAT, message));
    cut(raw, RAW_BYTES_MAX).clone_into(&mut claim.raw);
    FORMAT.clone_into(&mut claim.format);
    claim.observed_at = claim.observed_at.or_else(|| record.get("time").and_then(Value::as_str).and_then(times::rfc3339));
    claim.request_id = claim.request_id.or_else(|| text("functionInvocationId").map(Into::into));
    let name = || text("functionName").map(|name| name.strip_prefix("Functions.").unwrap_or(name));
    claim.function = claim.function.or_else(|| name().filter(|_| text("functionInvocationId").is_some()).map(Into::into));
    claim.instance = claim.instance.or_else(|| text("roleInstance").or_else(|| text("hostInstanceId")).map(Into::into));
    // The completion of an invocation carries why it failed: that decides what `Failed` leaves open.
    let thrown = text("exceptionMessage").and_then(azure_functions::parse_event).filter(|thrown| thrown.kind == Kind::TimeoutNotice);
    if let Some(thrown) = thrown.filter(|_| text("exceptionType").is_some_and(|name| name.ends_with("FunctionTimeoutException"))) {
        claim.outcome = Some(ClaimedOutcome::Timeout);
        claim.limit = claim.limit.or(thrown.limit);
    }
    for (name, value) in [("app", text("appName")), ("level", text("level")), ("exception_type", text("exceptionType"))] {
        if let Some(value) = value {
            claim.attributes.entry(name.to_owned()).or_insert_with(|| value.into());
        }
    }
    let says = is_hosts || claim.request_id.is_some();
    if says { Fate::Evidence(Box::new(claim)) } else { Fate::Ignored(Box::new(Claim { request_id: None, ..claim })) }
}

/// An object, a JSON text of one, or a text in which at least the message can be found.
fn properties(value: &Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object.clone(),
        Value::String(text) => serde_json::from_str(text).unwrap_or_else(|_| message_in_quotes(text).into_iter().collect()),
        _ => Map::new(),
    }
}

fn message_in_quotes(text: &str) -> Option<(String, Value)> {
    let (_, rest) = text.split_once("'message':'")?;
    let end = rest.find("','").or_else(|| rest.rfind("'}"))?;
    Some(("message".to_owned(), Value::from(&rest[..end])))
}

#[cfg(test)]
mod tests {
    use crate::parse::{Context, Format, facts};

    #[test]
    fn records_are_read_however_their_properties_are_written() {
        let log = include_str!("../../../tests/fixtures/azure_eventhub/bodies.jsonl");
        for format in [Format::AzureEventhub, Format::Auto] {
            let items = format.parse(log.as_bytes(), &Context::default()).items;
            let told: Vec<_> = items
                .iter()
                .map(facts::of)
                .map(|item| format!("{} {} {} {}", item["fate"], item["kind"], item["outcome"], item["limit_ms"]).replace('"', ""))
                .collect();
            assert_eq!(
                told,
                [
                    "evidence timeout_notice timeout 600000",
                    "evidence invocation_end timeout 600000",
                    "evidence invocation_end success null",
                    "ignored app_log null null",
                ]
            );
        }
    }
}
