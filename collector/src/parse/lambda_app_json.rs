//! JSON lines that code running in AWS Lambda prints: the JSON log format of its runtimes, and Powertools.
//!
//! ```text
//! {"timestamp":"2026-02-11T16:29:45.009Z","level":"INFO","requestId":"fcd0…","message":"hello"}                Node.js, Python
//! {"timestamp":"2026-02-11T11:05:19.955Z","level":"UNDEFINED","AWSRequestId":"c238…","message":"INFO: started"} Java
//! {"timestamp":"2026-02-11T03:48:40Z","log_level":"ERROR","errorType":"NameError","errorMessage":"…","requestId":"","stackTrace":[]}
//! {"Timestamp":"…","Level":"Information","FunctionRequestId":"577b…","ColdStart":true,"XrayTraceId":"1-6a3f…-…","Message":"ok"}
//! ```
//!
//! Shapes: AWS's "Log and monitor functions" pages and Powertools' documentation, read in November 2026. Other people's JSON
//! lines have a `requestId` as well: only the names that nobody else uses make a line Lambda's.

use domain::{Claim, ClaimedOutcome, Kind, Product, RequestId, TraceId};
use serde_json::{Map, Value};

use super::{Fate, RAW_BYTES_MAX, cut, lambda_text::FORMAT, times};

/// Names under which only code in Lambda keeps the request's ID.
const LAMBDA_ID_KEYS: [&str; 3] = ["AWSRequestId", "function_request_id", "FunctionRequestId"];

/// Reads a record in an application's own words.
pub(super) fn read_record(object: &Map<String, Value>, raw: &str) -> Option<Vec<Fate>> {
    Some(vec![parse(object, raw)?])
}

/// Reads one line; `None` when it has no request's ID and tells of no error of the runtime's.
#[must_use]
pub fn parse(object: &Map<String, Value>, raw: &str) -> Option<Fate> {
    let text = |names: &[&str]| names.iter().find_map(|name| object.get(*name)?.as_str());
    let level = text(&["level", "log_level", "Level"])?;
    let error_type = text(&["errorType"]);
    let id = text(&LAMBDA_ID_KEYS).or_else(|| text(&["requestId"]))?;
    // In the init phase there is no request yet: Python leaves the ID empty.
    let is_init = id.is_empty();
    let runtimes_error = error_type.is_some() && object.contains_key("requestId");

    let mut claim = Claim::new(Kind::AppLog, FORMAT, cut(raw, RAW_BYTES_MAX)).with("level", level);
    claim.request_id = (!is_init).then(|| RequestId::from(id));
    claim.observed_at = text(&["timestamp", "Timestamp", "time"]).and_then(times::rfc3339);
    if text(&LAMBDA_ID_KEYS).is_some() || runtimes_error {
        claim.platform = Some(Product::AWS_LAMBDA);
    }
    if let Some(message) = text(&["message", "Message", "errorMessage", "msg"]) {
        claim = claim.with("message", message);
    }
    if let Some(xray) = text(&["XrayTraceId", "xray_trace_id"]) {
        claim.trace_id = TraceId::parse(xray);
        claim = claim.with("xray_trace_id", xray);
    }
    if let Some(cold_start) = ["ColdStart", "cold_start", "coldStart"].iter().find_map(|name| object.get(*name)?.as_bool()) {
        claim = claim.with("cold_start", cold_start);
    }
    if let Some(error_type) = error_type.filter(|_| runtimes_error) {
        claim = claim.with("error_type", error_type);
        claim.outcome = Some(if is_init { ClaimedOutcome::InitCrash } else { ClaimedOutcome::Error });
    }
    let telling = claim.request_id.is_some() || claim.outcome.is_some_and(ClaimedOutcome::is_anomalous);
    Some(if telling { Fate::Evidence(Box::new(claim)) } else { Fate::Ignored(Box::new(claim)) })
}

#[cfg(test)]
mod tests;
