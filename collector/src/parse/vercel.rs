//! Vercel's log drains: a JSON array or one object a line, each a line of a function or a request.
//!
//! ```text
//! [{"id":"…","deploymentId":"dpl_…","source":"lambda","timestamp":1770804003330,"projectName":"pay","level":"error",
//!   "message":"Vercel Runtime Timeout Error: Task timed out after 10 seconds","requestId":"643a…","statusCode":504,"proxy":{…}}]
//! ```
//!
//! Vercel's "Log Drains reference" and error codes, read in November 2026. `statusCode` −1 means that nothing was answered.
//! Older drains pack Lambda's own lines of one invocation into one message. `docs/formats/vercel.md`.

use domain::{Claim, ClaimedOutcome, Kind, KnownFrom, Layer, Limit, Millis, Product, RequestId, SpanId, TraceId};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{Context, Fate, Format, RAW_BYTES_MAX, cut, events, lambda_text, marks, times};

/// The format's name.
pub const FORMAT: &str = "vercel";

/// What every line with something to say holds one of: see [`super::marks`].
pub(super) const MARKS: marks::Declared = &[&["deploymentId\"", "projectId\"", "projectName\""]];

/// What a record may come from.
const SOURCES: [&str; 7] = ["build", "edge", "lambda", "static", "external", "firewall", "redirect"];

/// Reads a record; `None` when the object is none.
pub(super) fn read_record(object: &Map<String, Value>, raw: &str) -> Option<Vec<Fate>> {
    let text = |name: &str| object.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let source = text("source").filter(|source| SOURCES.contains(source))?;
    // Every other field may be missing.
    ["deploymentId", "projectId", "projectName"].iter().any(|key| object.contains_key(*key)).then_some(())?;
    let claim = |kind| common(Claim::new(kind, FORMAT, cut(raw, RAW_BYTES_MAX)), object);
    if source == "build" {
        return Some(vec![Fate::Ignored(Box::new(claim(Kind::Other).with("message", text("message").unwrap_or_default())))]);
    }
    let message = text("message").unwrap_or_default().trim_end();
    if is_timeout(message) {
        let setting = if message.starts_with("EDGE_") || source == "edge" { "(fixed) first byte" } else { "maxDuration" };
        let claim =
            Claim { outcome: Some(ClaimedOutcome::Timeout), limit: Some(named(setting, stated(message))), ..claim(Kind::TimeoutNotice) };
        return Some(vec![evidence(claim.with("message", message))]);
    }
    // Older runtimes leave it to Lambda's own words, which always have two places.
    let lambdas = lambda_text::parse_event(message).filter(|line| line.kind == Kind::TimeoutNotice && source == "lambda");
    if let Some(told) = lambdas {
        let value = told.limit.and_then(|limit| limit.value_ms);
        let notice =
            Claim { outcome: Some(ClaimedOutcome::Timeout), limit: Some(named("maxDuration", value)), ..claim(Kind::TimeoutNotice) };
        let notice = Claim { elapsed_ms: told.elapsed_ms, ..notice }.with("message", message);
        return Some(vec![evidence(match told.request_id {
            Some(id) => notice.with("lambda_request_id", id.as_str()),
            None => notice,
        })]);
    }
    if message.starts_with("START RequestId: ") {
        return Some(vec![evidence(lambda_block(claim(Kind::LambdaBlock), message))]);
    }
    let unanswered = number(object.get("statusCode")) == Some(-1.0);
    if matches!(source, "static" | "redirect" | "external" | "firewall") || message.is_empty() {
        return Some(vec![evidence(answered(claim(Kind::Request), unanswered && matches!(source, "lambda" | "edge")))]);
    }
    // What the function wrote, which may be somebody's line.
    let fates = events::wrapped(Format::Auto, message, &super::envelope::Envelope::default(), &Context::default());
    Some(fates.into_iter().map(|fate| own_line(fate, object, raw)).collect())
}

fn evidence(claim: Claim) -> Fate {
    Fate::Evidence(Box::new(claim))
}

/// A number, also as text.
fn number(value: Option<&Value>) -> Option<f64> {
    value?.as_f64().or_else(|| value?.as_str()?.parse().ok())
}

/// With what the runtime tells of a timeout, before the number of seconds.
const TIMED_OUT: &str = "Vercel Runtime Timeout Error: Task timed out after ";

/// `Vercel Runtime Timeout Error: Task timed out after 10 seconds`, or the error's code.
fn is_timeout(message: &str) -> bool {
    let words = message.strip_prefix("Error: ").unwrap_or(message);
    let codes = ["FUNCTION_INVOCATION_TIMEOUT", "EDGE_FUNCTION_INVOCATION_TIMEOUT", "MIDDLEWARE_INVOCATION_TIMEOUT"];
    words.starts_with(TIMED_OUT) || codes.iter().any(|code| words.split([' ', ':']).next() == Some(code))
}

/// The limit in the runtime's words; a code says no value.
fn stated(message: &str) -> Option<Millis> {
    let (seconds, _) = message.strip_prefix("Error: ").unwrap_or(message).strip_prefix(TIMED_OUT)?.split_once(" second")?;
    Millis::parse_seconds(seconds).map(Millis::floor_seconds)
}

fn named(setting: &str, value_ms: Option<Millis>) -> Limit {
    Limit {
        layer: Layer::Platform,
        product: Product::from(FORMAT),
        setting: setting.to_owned(),
        value_ms,
        known_from: KnownFrom::Claimed,
        place: None,
    }
}

/// Lambda's lines of one invocation in one message. The two IDs are of two platforms.
fn lambda_block(mut claim: Claim, message: &str) -> Claim {
    let report = message.lines().find(|line| line.starts_with("REPORT RequestId: ")).and_then(lambda_text::parse_event);
    let notice = message.lines().filter_map(lambda_text::parse_event).find(|line| line.outcome == Some(ClaimedOutcome::Timeout));
    let theirs = message.lines().find_map(|line| lambda_text::parse_event(line)?.request_id);
    if let Some(id) = theirs {
        claim = claim.with("lambda_request_id", id.as_str());
    }
    if let Some(report) = report {
        claim.elapsed_ms = report.elapsed_ms;
        claim.outcome = report.outcome;
        for (name, value) in report.attributes {
            claim.attributes.entry(name).or_insert(value);
        }
    }
    if let Some(notice) = notice {
        claim.outcome = notice.outcome;
        claim.limit = Some(named("maxDuration", notice.limit.and_then(|limit| limit.value_ms)));
    }
    claim
}

/// A request's record, by its status.
fn answered(mut claim: Claim, unanswered: bool) -> Claim {
    claim.outcome = match claim.number("status_code") {
        _ if unanswered => Some(ClaimedOutcome::Crash),
        Some(status) if status < 500.0 => Some(ClaimedOutcome::Success),
        // Whether the platform or the code answered so is not told.
        Some(504.0) | None => None,
        Some(_) => Some(ClaimedOutcome::Error),
    };
    claim
}

/// Adds whose request a function's line belongs to. With an ID it is evidence.
fn own_line(fate: Fate, object: &Map<String, Value>, raw: &str) -> Fate {
    let own = |claim: Claim| {
        let format = if claim.format == Format::Auto.name() { FORMAT.to_owned() } else { claim.format.clone() };
        let mut claim = common(Claim { format, ..claim }, object);
        cut(raw, RAW_BYTES_MAX).clone_into(&mut claim.raw);
        claim
    };
    match fate {
        Fate::Ignored(claim) => {
            let claim = own(*claim);
            if claim.request_id.is_some() && claim.kind == Kind::AppLog { evidence(claim) } else { Fate::Ignored(Box::new(claim)) }
        }
        Fate::Evidence(claim) => evidence(own(*claim)),
        other @ (Fate::Passed(_) | Fate::Rejected(_)) => other,
    }
}

/// Milliseconds since 1970, or RFC 3339.
fn moment(value: Option<&Value>) -> Option<Timestamp> {
    value?.as_i64().map_or_else(|| times::rfc3339(value?.as_str()?), times::epoch)
}

/// What every record says beside its message.
fn common(mut claim: Claim, object: &Map<String, Value>) -> Claim {
    let text = |name: &str| object.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let inner = |name: &str| object.get("proxy").and_then(|proxy| proxy.get(name));
    // A trace stands under a dotted key, or in an object of its own, in older schemas.
    let id = |flat: &str, outer: &str| {
        let nested = || object.get(outer).and_then(|value| value.get("id")).and_then(Value::as_str);
        text(flat).or_else(|| text(&format!("{outer}.id"))).or_else(nested).map(str::to_owned)
    };
    claim.platform = claim.platform.or(Some(Product::from(FORMAT)));
    claim.request_id = claim.request_id.or_else(|| text("requestId").map(RequestId::from));
    claim.trace_id = claim.trace_id.or_else(|| id("traceId", "trace").map(TraceId::from));
    claim.span_id = claim.span_id.or_else(|| id("spanId", "span").map(SpanId::from));
    claim.instance = claim.instance.or_else(|| text("instanceId").map(Into::into));
    claim.function = claim.function.or_else(|| text("entrypoint").or_else(|| text("projectName")).map(Into::into));
    claim.observed_at = claim.observed_at.or_else(|| moment(object.get("timestamp")));
    let began = moment(inner("timestamp"));
    claim.started_at = claim.started_at.or(began.filter(|_| claim.kind != Kind::AppLog));
    let facts = [
        ("source", text("source")),
        ("level", text("level")),
        ("path", text("path")),
        ("environment", text("environment")),
        ("region", text("executionRegion")),
        ("invocation_id", text("invocationId")),
        ("deployment_id", text("deploymentId")),
        ("method", inner("method").and_then(Value::as_str)),
        ("vercel_id", inner("vercelId").and_then(Value::as_str)),
    ];
    for (name, value) in facts {
        if let Some(value) = value {
            claim.attributes.entry(name.to_owned()).or_insert_with(|| value.into());
        }
    }
    if let Some(status) = number(object.get("statusCode")).filter(|status| *status > 0.0) {
        claim.attributes.entry("status_code".to_owned()).or_insert_with(|| status.into());
    }
    claim
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::facts;

    fn read_all(format: Format, text: &str) -> Vec<String> {
        let parsed = format.parse(text.as_bytes(), &Context::default());
        let items = parsed.items.iter().map(facts::of);
        items.map(|item| format!("{} {} {}", item["kind"], item["outcome"], item["limit_ms"]).replace('"', "")).collect()
    }

    const EXPECTED: [&str; 6] = [
        "app_log null null",
        "timeout_notice timeout 60000",
        "timeout_notice timeout null",
        "request crash null",
        "lambda_block null null",
        "other null null",
    ];

    #[test]
    fn arrays_and_lines_of_records_are_the_same() {
        let lines = include_str!("../../../tests/fixtures/vercel/drain.ndjson");
        let array = format!("[{}]", lines.trim().replace('\n', ","));
        for format in [Format::Vercel, Format::Auto] {
            assert_eq!(read_all(format, lines), EXPECTED);
            assert_eq!(read_all(format, &array), EXPECTED);
        }
    }

    #[test]
    fn fields_may_be_missing_and_numbers_texts() {
        let head = r#""deploymentId":"dpl","source":"lambda","requestId":"r""#;
        for (fields, expected) in [
            (
                r#""timestamp":"2026-11-02T09:14:03Z","message":"Vercel Runtime Timeout Error: Task timed out after 1 second""#,
                "timeout_notice timeout 1000",
            ),
            (r#""message":"Task timed out after 10.01 seconds""#, "timeout_notice timeout 10000"),
            (r#""message":"Task timed out after 10 seconds""#, "app_log null null"),
            (r#""statusCode":"-1","message":null"#, "request crash null"),
            (r#""proxy":{"statusCode":-1}"#, "request null null"),
        ] {
            assert_eq!(read_all(Format::Vercel, &format!("[{{{head},{fields}}}]")), [expected], "{fields}");
        }
    }

    #[test]
    fn the_two_ids_of_a_packed_block_are_kept_apart() {
        let lines = include_str!("../../../tests/fixtures/vercel/drain.ndjson");
        let parsed = Format::Vercel.parse(lines.as_bytes(), &Context::default());
        let block = facts::of(&parsed.items[4]);
        assert_eq!(block["request_id"], "q7w8e-1793697246000-0a1b2c3d4e5f");
        assert_eq!((&block["lambda_request_id"], &block["duration_ms"]), (&"5b0c1d2e-3f40-4a51-8b62-7c8d9eafb0c1".into(), &812.4.into()));
    }
}
