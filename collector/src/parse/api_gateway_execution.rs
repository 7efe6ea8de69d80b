//! Execution logs of Amazon API Gateway's REST and WebSocket APIs, and what a caller is told.
//!
//! ```text
//! (4fc4db34-…) Execution failed due to a timeout error
//! (4fc4db34-…) Lambda execution failed with status 200 due to customer function error: RequestId: eed5… Error: Task timed out after
//!   3.00 seconds. Lambda request id: eed5…
//! Wed Feb 11 10:00:31 UTC 2026 : Execution failed due to a timeout error           (the console's test)
//! {"message": "Endpoint request timed out"}                                        (the caller's answer)
//! ```
//!
//! Log group `API-Gateway-Execution-Logs_<api>/<stage>`. The words are those of public reports and AWS re:Post answers, read in
//! November 2026; AWS documents none of them. The line with the endpoint's headers ties the gateway's ID to Lambda's.

use domain::{Claim, ClaimedOutcome, Confidence, FunctionName, Kind, Product, RequestId, TraceId};
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;
use serde_json::{Map, Value};

use super::gateway_facts;
use super::{Fate, Lines, RAW_BYTES_MAX, api_gateway_access, cut, lambda_text, marks, trace_header};

/// The format's name.
pub const FORMAT: &str = "api_gateway_execution";

/// What every line with something to say holds one of: see [`super::marks`].
pub(super) const MARKS: marks::Declared = &[&[
    ") Execution failed",
    " : Execution failed",
    "Method completed with status: ",
    "Lambda execution failed with status ",
    "Lambda invocation failed with status: ",
    "Received response. Status: ",
    "Endpoint response h",
    "Sending request to ",
    "Endpoint request URI: ",
    "AWS Integration Endpoint RequestId :",
    "X-ray Tracing ID :",
    "Execution log for ",
    "Endpoint request timed out",
]];

pub(super) const LINES: Lines = Lines { begins, read };

fn begins(line: &str) -> Option<usize> {
    head(line).map(|_| 0)
}

/// What stands in front of the words: the request's ID, or the moment in the console's test.
enum Head<'a> {
    Id(&'a str),
    At(jiff::Timestamp),
    /// The console's test begins with a line of its own.
    First(&'a str),
}

fn head(line: &str) -> Option<(Head<'_>, &str)> {
    if let Some(rest) = line.strip_prefix('(') {
        let (id, text) = rest.split_once(") ")?;
        let is_uuid = id.len() == 36 && id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
        // WebSocket APIs have short IDs, as anybody's brackets have.
        let is_short = id.len() == 16 && id.ends_with('=') && text.starts_with(char::is_uppercase);
        return (is_uuid || is_short).then_some((Head::Id(id), text));
    }
    if let Some(id) = line.strip_prefix("Execution log for request ") {
        return Some((Head::First(id.trim_end()), ""));
    }
    let (date, text) = line.split_once(" : ")?;
    Some((Head::At(java_date(date)?), text))
}

const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";

/// `Wed Feb 11 10:00:31 UTC 2026`.
fn java_date(text: &str) -> Option<jiff::Timestamp> {
    let words: Vec<&str> = text.split(' ').collect();
    let [weekday, month, day, time, "UTC", year] = words[..] else { return None };
    (weekday.len() == 3 && month.len() == 3).then_some(())?;
    let month = MONTHS.find(month).filter(|at| at % 3 == 0)? / 3 + 1;
    let mut parts = time.split(':').map(|part| part.parse::<i8>().ok());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    let date = Date::new(year.parse().ok()?, i8::try_from(month).ok()?, day.parse().ok()?).ok()?;
    Offset::UTC.to_timestamp(DateTime::from_parts(date, Time::new(hour, minute, second, 0).ok()?)).ok()
}

fn read(text: &str) -> Option<Fate> {
    let text = text.trim_end();
    let (head, words) = head(text)?;
    let mut claim = Claim::new(Kind::GatewayDetail, FORMAT, cut(text, RAW_BYTES_MAX)).with("gateway", "apigw_rest");
    match head {
        Head::Id(id) | Head::First(id) => claim = claim.with("gateway_request_id", id),
        Head::At(at) => claim.observed_at = Some(at),
    }
    let claim = told(claim, words);
    let says = claim.outcome.is_some()
        || claim.request_id.is_some()
        || claim.trace_id.is_some()
        || claim.function.is_some()
        || claim.kind != Kind::GatewayDetail;
    Some(if says { gateway_facts::fate(claim) } else { Fate::Ignored(Box::new(claim)) })
}

fn told(mut claim: Claim, words: &str) -> Claim {
    if words == "Execution failed due to a timeout error" {
        claim.kind = Kind::GatewayTimeout;
        claim.outcome = Some(ClaimedOutcome::GatewayTimeout);
        claim.limit = Some(api_gateway_access::limit(None));
        return claim;
    }
    if let Some(status) = words.strip_prefix("Method completed with status: ").and_then(|text| text.trim().parse::<u32>().ok()) {
        claim.kind = Kind::GatewayRequest;
        claim.outcome = gateway_facts::by_status(status);
        if status == 504 {
            // Or a 504 of the endpoint's own; other lines of the request say so.
            claim.outcome = Some(ClaimedOutcome::GatewayTimeout);
            claim.outcome_confidence = Some(Confidence::Likely);
            claim.limit = Some(api_gateway_access::limit(None));
        }
        return claim.with("status_code", status);
    }
    if let Some(rest) = words.strip_prefix("Lambda execution failed with status ") {
        return function_failed(claim, rest);
    }
    if let Some(rest) = words.strip_prefix("Lambda invocation failed with status: ") {
        let status = rest.split('.').next().and_then(|text| text.trim().parse::<u32>().ok());
        claim.request_id = lambda_id(rest);
        claim.outcome = Some(if status == Some(429) { ClaimedOutcome::Throttled } else { ClaimedOutcome::Error });
        return claim;
    }
    if words.starts_with("Execution failed") {
        claim.outcome = Some(ClaimedOutcome::Error);
        return claim.with("message", words);
    }
    if let Some(rest) = words.strip_prefix("Received response. Status: ") {
        return received(claim, rest);
    }
    if let Some(headers) = words.strip_prefix("Endpoint response headers: ") {
        return headers_of(claim, headers);
    }
    if let Some(uri) = words.strip_prefix("Sending request to ").or_else(|| words.strip_prefix("Endpoint request URI: ")) {
        claim.function = function_of(uri);
        return claim;
    }
    if let Some(id) = words.strip_prefix("AWS Integration Endpoint RequestId :") {
        claim.request_id = Some(id.trim()).filter(|id| !id.is_empty()).map(RequestId::from);
    } else if let Some(trace) = words.strip_prefix("X-ray Tracing ID :") {
        claim = traced(claim, TraceId::parse(trace.trim()));
    }
    claim
}

/// `200 due to customer function error: MESSAGE. Lambda request id: ID`; the message may hold anything, so the ID is taken
/// from the end.
fn function_failed(mut claim: Claim, rest: &str) -> Claim {
    claim.request_id = lambda_id(rest);
    let message = rest.split_once("error: ").map_or(rest, |(_, message)| message);
    let message = message.rsplit_once(". Lambda request id: ").map_or(message, |(message, _)| message);
    let claim = claim.with("message", message);
    match function_timeout(message).filter(|told| claim.request_id.is_none() || told.request_id == claim.request_id) {
        Some(told) => merged(claim, told),
        None => Claim { outcome: Some(ClaimedOutcome::Error), ..claim },
    }
}

fn lambda_id(rest: &str) -> Option<RequestId> {
    let (_, id) = rest.rsplit_once("Lambda request id: ")?;
    Some(id.trim()).filter(|id| !id.is_empty() && !id.contains(' ')).map(RequestId::from)
}

/// Lambda's own timeout as a gateway repeats it; words without the request's ID are anybody's.
pub(super) fn function_timeout(message: &str) -> Option<Claim> {
    let from = message.find("RequestId: ").unwrap_or(0);
    let told = lambda_text::parse_event(&message[from..])?;
    (told.outcome == Some(ClaimedOutcome::Timeout) && told.request_id.is_some()).then_some(told)
}

/// A gateway's claim with what Lambda said in it.
pub(super) fn merged(claim: Claim, told: Claim) -> Claim {
    let request_id = claim.request_id.or(told.request_id);
    Claim {
        request_id,
        platform: Some(Product::AWS_LAMBDA),
        outcome: told.outcome,
        limit: told.limit,
        elapsed_ms: told.elapsed_ms,
        ..claim
    }
}

/// `200, Integration latency: 426 ms`.
fn received(claim: Claim, rest: &str) -> Claim {
    let (status, rest) = rest.split_once(',').unwrap_or((rest, ""));
    let claim = status.trim().parse::<u32>().map_or(claim.clone(), |status| claim.with("integration_status_code", status));
    let latency = rest.trim().strip_prefix("Integration latency: ").and_then(|text| text.trim_end_matches(" ms").parse::<u32>().ok());
    latency.map_or(claim.clone(), |latency| claim.with("integration_latency_ms", latency))
}

/// `{Date=…, x-amzn-RequestId=7f3b…, X-Amzn-Trace-Id=root=1-…;parent=…}`.
fn headers_of(mut claim: Claim, headers: &str) -> Claim {
    for header in headers.trim_matches(['{', '}']).split(", ") {
        let Some((name, value)) = header.split_once('=') else { continue };
        if name.eq_ignore_ascii_case("x-amzn-requestid") && !value.is_empty() {
            claim.request_id = Some(RequestId::from(value));
        } else if name.eq_ignore_ascii_case("x-amzn-trace-id") {
            claim = trace_header::add_xray(claim, value);
        }
    }
    claim
}

fn traced(claim: Claim, trace_id: Option<TraceId>) -> Claim {
    let Some(trace_id) = trace_id else { return claim };
    Claim { trace_id: Some(trace_id.clone()), ..claim.with("xray_trace_id", trace_id.to_xray()) }
}

/// `https://lambda.…/functions/arn:aws:lambda:eu-west-1:111122223333:function:pay/invocations`.
fn function_of(uri: &str) -> Option<FunctionName> {
    let (_, rest) = uri.split_once(":function:")?;
    rest.split([':', '/']).next().filter(|name| !name.is_empty()).map(FunctionName::from)
}

/// Reads the answer that a caller got for a timeout.
pub(super) fn read_record(object: &Map<String, Value>, raw: &str) -> Option<Vec<Fate>> {
    let is_answer = object.len() == 1 && object.get("message").and_then(Value::as_str) == Some("Endpoint request timed out");
    is_answer.then(|| {
        let mut claim = Claim::new(Kind::GatewayError, FORMAT, cut(raw, RAW_BYTES_MAX)).with("gateway", "apigw_rest");
        claim.outcome = Some(ClaimedOutcome::GatewayTimeout);
        claim.limit = Some(api_gateway_access::limit(None));
        vec![gateway_facts::fate(claim.with("status_code", 504_u32))]
    })
}

#[cfg(test)]
mod tests {
    use crate::parse::{Format, tests::read};

    #[test]
    fn each_line_says_its_part() {
        let told = read(Format::ApiGatewayExecution, include_str!("../../../tests/fixtures/api_gateway_execution/execution.log"));
        let says = |index: usize, words: &[&str]| {
            for word in words {
                assert!(told[index].contains(word), "{word}: {}", told[index]);
            }
        };
        assert_eq!(told.len(), 10, "{told:#?}");
        says(0, &["ignored gateway_detail"]);
        says(1, &["function_name=invoices"]);
        says(2, &["request_id=2d4f", "xray_trace_id=1-690714a8"]);
        says(3, &["evidence gateway_timeout", "outcome=gateway_timeout", "limit_ms=null"]);
        says(4, &["status_code=504", "outcome=gateway_timeout"]);
        says(5, &["outcome=timeout", "limit_ms=6000", "request_id=2d4f"]);
        says(6, &["outcome=error", "request_id=2d4f"]);
        says(7, &["outcome=throttled"]);
        says(8, &["observed_at=2026-11-02T08:14:31", "outcome=gateway_timeout"]);
        says(9, &["integration_latency_ms=426"]);
    }

    #[test]
    fn an_applications_brackets_are_its_own() {
        let read = read(Format::Auto, "(main) Execution failed due to a timeout error\nMon : Execution failed\n");
        assert!(read.iter().all(|item| item.starts_with("ignored app_log")), "{read:#?}");
    }
}
