//! Azure diagnostic settings through an Event Hub: `{"records": […]}`, or one record a line.
//!
//! ```text
//! {"records":[{"time":"2026-02-11T11:33:11Z","resourceId":"/SUBSCRIPTIONS/…/SITES/PAY-FUNC","category":"FunctionAppLogs","level":"Error",
//!   "properties":{"appName":"pay-func","message":"Executed Functions.hello (Failed, Id=…, Duration=300021ms)","exceptionMessage":"Timeout value of …"}}]}
//! ```
//!
//! Rows of Application Insights (`AppRequests`, `AppExceptions`, `AppTraces`) come the same way.
//! Azure's "FunctionAppLogs" table and recorded Event Hub bodies, read in November 2026. `properties` may be a text, even one
//! that is not JSON but holds the message in single quotes. `docs/formats/azure_eventhub.md`.

use domain::{Claim, ClaimedOutcome, Kind, Millis, Product, TraceId};
use serde_json::{Map, Value};

use super::{Fate, RAW_BYTES_MAX, Reject, app_log, azure_functions, cut, marks, times};

/// The format's name.
pub const FORMAT: &str = "azure_eventhub";

/// What every line with something to say holds one of: see [`super::marks`].
pub(super) const MARKS: marks::Declared = &[&["\"category\"", "AppRequests", "AppExceptions", "AppTraces"]];

/// Reads a body or a single record; `None` when the object is neither.
pub(super) fn read_record(object: &Map<String, Value>, raw: &str) -> Option<Vec<Fate>> {
    if is_record(object) {
        return Some(vec![read(object, raw)]);
    }
    let records = object.get("records")?.as_array()?;
    let is_body = records.is_empty() || records.iter().filter_map(Value::as_object).any(is_record);
    (object.len() == 1 && is_body).then_some(())?;
    // One that is none costs no other.
    let read = |record: &Value| match record.as_object().filter(|record| is_record(record)) {
        Some(object) => read(object, &record.to_string()),
        None => Fate::Rejected(Reject::new("expected a record with `time`, `category` and `properties`", &record.to_string())),
    };
    Some(records.iter().map(read).collect())
}

/// A record of a diagnostic setting, or of Application Insights, whose names are written large.
fn is_record(object: &Map<String, Value>) -> bool {
    let has = |names: &[&str]| names.iter().any(|name| object.contains_key(*name));
    let is_diagnostic =
        object.get("category").is_some_and(Value::is_string) && has(&["resourceId", "time"]) && has(&["properties", "operationName"]);
    is_diagnostic || insights(object).is_some()
}

fn insights(object: &Map<String, Value>) -> Option<&str> {
    let table = object.get("Type").or_else(|| object.get("type"))?.as_str()?;
    let is_known = matches!(table, "AppRequests" | "AppExceptions" | "AppTraces");
    (is_known && object.contains_key("OperationId")).then_some(table)
}

/// Reads a row of Application Insights: a request with its duration, an exception, or a line.
fn read_insights(table: &str, record: &Map<String, Value>, raw: &str) -> Fate {
    let text = |name: &str| record.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let properties = properties(record.get("Properties").unwrap_or(&Value::Null));
    let property = |name: &str| properties.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let words = match table {
        "AppTraces" => text("Message"),
        "AppExceptions" => text("OuterMessage").or_else(|| text("InnermostMessage")).or_else(|| text("ProblemId")),
        _ => None,
    };
    let hosts = words.and_then(azure_functions::parse_event);
    let is_request = table == "AppRequests";
    let mut claim = hosts
        .unwrap_or_else(|| if is_request { Claim::new(Kind::Invocation, FORMAT, "") } else { app_log(FORMAT, words.unwrap_or_default()) });
    cut(raw, RAW_BYTES_MAX).clone_into(&mut claim.raw);
    FORMAT.clone_into(&mut claim.format);
    claim.platform = Some(Product::from(azure_functions::PRODUCT));
    let id = property("InvocationId").or_else(|| property("prop__invocationId"));
    claim.request_id = claim.request_id.or_else(|| id.map(Into::into));
    claim.trace_id = text("OperationId").and_then(TraceId::parse);
    claim.function = claim.function.or_else(|| text("OperationName").or_else(|| text("Name").filter(|_| is_request)).map(Into::into));
    claim.instance = text("AppRoleInstance").map(Into::into);
    // A request's row bears the time of its beginning.
    let at = text("time").or_else(|| text("TimeGenerated")).and_then(times::rfc3339);
    if is_request {
        claim.started_at = at;
        claim.elapsed_ms = record.get("DurationMs").and_then(Value::as_f64).map(Millis::from_ms_f64);
        claim.observed_at = claim.elapsed_ms.zip(at).map(|(elapsed, start)| elapsed.after(start)).or(at);
        // Why it failed stands on other rows.
        let success =
            record.get("Success").and_then(|success| success.as_bool().or_else(|| success.as_str()?.to_ascii_lowercase().parse().ok()));
        claim.outcome = success.filter(|success| *success).map(|_| ClaimedOutcome::Success);
    } else {
        claim.observed_at = claim.observed_at.or(at);
    }
    if text("ExceptionType").is_some_and(|name| name.ends_with("FunctionTimeoutException")) {
        (claim.kind, claim.outcome) = (Kind::TimeoutNotice, Some(ClaimedOutcome::Timeout));
    }
    let says = claim.kind != Kind::AppLog || claim.request_id.is_some();
    if says { Fate::Evidence(Box::new(claim)) } else { Fate::Ignored(Box::new(claim)) }
}

fn read(record: &Map<String, Value>, raw: &str) -> Fate {
    if let Some(table) = insights(record) {
        return read_insights(table, record, raw);
    }
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
    let is_timeout = text("exceptionType").is_some_and(|name| name.ends_with("FunctionTimeoutException"));
    let message = text("exceptionMessage").filter(|_| is_timeout).or_else(|| text("exceptionDetails"));
    let thrown = message.and_then(azure_functions::parse_event).filter(|thrown| thrown.kind == Kind::TimeoutNotice);
    if let Some(thrown) = thrown {
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

    fn read(text: &str) -> Vec<serde_json::Value> {
        Format::AzureEventhub.parse(text.as_bytes(), &Context::default()).items.iter().map(facts::of).collect()
    }

    #[test]
    fn a_record_that_is_none_costs_no_other() {
        let items = read(
            r#"{"records":[5,{"a":1},{"time":"2026-11-02T09:14:11Z","category":"FunctionAppLogs","properties":{"message":"Executed Functions.hello (Failed, Id=72e92103-8fa4-47ce-bf0d-89322aa1f58f, Duration=300021ms)","exceptionDetails":"Microsoft.Azure.WebJobs.Host.FunctionTimeoutException : Timeout value of 00:05:00 was exceeded by function: Functions.hello"}}]}"#,
        );
        let fates: Vec<_> = items.iter().map(|item| item["fate"].as_str().unwrap_or_default()).collect();
        assert_eq!(fates, ["rejected", "rejected", "evidence"]);
        assert_eq!((&items[2]["outcome"], &items[2]["limit_ms"]), (&"timeout".into(), &300_000.into()));
    }

    #[test]
    fn rows_of_application_insights_are_read() {
        let request = r#"{"time":"2026-11-02T09:14:11Z","Type":"AppRequests","OperationId":"7a6adae3e6a7d26cbae7c802d87aed52","Name":"hello","Success":false,"DurationMs":300012.5,"ResultCode":"0","Properties":{"InvocationId":"72e92103-8fa4-47ce-bf0d-89322aa1f58f"}}"#;
        let exception = r#"{"time":"2026-11-02T09:19:11Z","Type":"AppExceptions","OperationId":"7a6adae3e6a7d26cbae7c802d87aed52","ExceptionType":"Microsoft.Azure.WebJobs.Host.FunctionTimeoutException","OuterMessage":"Timeout value of 00:05:00 was exceeded by function: Functions.hello","Properties":{"InvocationId":"72e92103-8fa4-47ce-bf0d-89322aa1f58f"}}"#;
        let items = read(&format!("{{\"records\":[{request},{exception}]}}"));
        assert_eq!(
            (&items[0]["kind"], &items[0]["elapsed_ms"], &items[0]["outcome"]),
            (&"invocation".into(), &300_012.5.into(), &serde_json::Value::Null)
        );
        assert_eq!(
            (&items[1]["outcome"], &items[1]["limit_ms"], &items[1]["request_id"]),
            (&"timeout".into(), &300_000.into(), &items[0]["request_id"])
        );
    }

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
