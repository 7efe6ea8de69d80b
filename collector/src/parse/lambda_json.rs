//! AWS Lambda's platform events as JSON: the JSON log format, and the records of the Telemetry API, which are the same.
//!
//! ```text
//! {"time":"2026-02-11T10:05:50.581Z","type":"platform.report","record":{"requestId":"3195…","status":"timeout",
//!  "metrics":{"durationMs":5000.0,"billedDurationMs":5000,"memorySizeMB":128,"maxMemoryUsedMB":94}}}
//! ```
//!
//! Documented in AWS's "Lambda Telemetry API Event schema reference", read in November 2026. All schema versions are read
//! alike: types that nobody knows yet are kept as such, and a record that is a text in one version and an object in the next
//! is both.

use domain::{Claim, ClaimedOutcome, Kind, Millis, Product, RequestId, SpanId, Value};
use serde::Deserialize;
use serde_json::Map;

use super::{Fate, RAW_BYTES_MAX, cut, lambda_app_json, lambda_text, times, trace_header};

/// The format's name.
pub const FORMAT: &str = "lambda_json";

/// One event.
#[derive(Deserialize)]
struct Event {
    /// When it happened, RFC 3339.
    time: String,
    /// `platform.…`, `function` or `extension`.
    #[serde(rename = "type")]
    name: String,
    /// An object; for lines of functions and extensions, and for faults, a text.
    record: serde_json::Value,
}

/// What the records of platform events hold, each some of it.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Record {
    request_id: Option<String>,
    version: Option<String>,
    function_arn: Option<String>,
    function_name: Option<String>,
    function_version: Option<String>,
    runtime_version: Option<String>,
    runtime_version_arn: Option<String>,
    initialization_type: Option<String>,
    phase: Option<String>,
    status: Option<String>,
    error_type: Option<String>,
    instance_id: Option<String>,
    /// Bytes; a text in some versions of the schema.
    instance_max_memory: Option<serde_json::Value>,
    metrics: Metrics,
    spans: Vec<Span>,
    tracing: Option<Tracing>,
    name: Option<String>,
    state: Option<String>,
    events: Option<Vec<String>>,
    types: Option<Vec<String>>,
    dropped_records: Option<f64>,
    dropped_bytes: Option<f64>,
    reason: Option<String>,
}

/// Durations in ms, memory in MB as Lambda counts it.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Metrics {
    duration_ms: Option<f64>,
    billed_duration_ms: Option<f64>,
    #[serde(rename = "memorySizeMB")]
    memory_size_mb: Option<f64>,
    #[serde(rename = "maxMemoryUsedMB")]
    max_memory_used_mb: Option<f64>,
    init_duration_ms: Option<f64>,
    restore_duration_ms: Option<f64>,
    billed_restore_duration_ms: Option<f64>,
    produced_bytes: Option<f64>,
}

#[derive(Deserialize)]
struct Span {
    name: String,
    #[serde(rename = "durationMs", default)]
    duration_ms: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tracing {
    #[serde(default)]
    span_id: Option<String>,
    #[serde(default)]
    value: Option<String>,
}

/// Reads one event as a record.
pub(super) fn read_record(object: &Map<String, serde_json::Value>, raw: &str) -> Option<Vec<Fate>> {
    Some(vec![parse(object, raw)?])
}

/// Reads one event; `None` when the object is none.
#[must_use]
pub fn parse(object: &Map<String, serde_json::Value>, raw: &str) -> Option<Fate> {
    let known = object.get("type")?.as_str().filter(|name| name.starts_with("platform.") || matches!(*name, "function" | "extension"))?;
    (object.contains_key("time") && object.contains_key("record")).then_some(known)?;
    let event = Event::deserialize(object).ok()?;
    let at = times::rfc3339(&event.time);
    let placed = |mut claim: Claim| {
        claim.observed_at = claim.observed_at.or(at);
        claim.platform = Some(Product::AWS_LAMBDA);
        cut(raw, RAW_BYTES_MAX).clone_into(&mut claim.raw);
        claim
    };
    Some(match (event.name.as_str(), event.record) {
        ("function", serde_json::Value::Object(record)) => map(application(&record, raw), placed),
        ("function", serde_json::Value::String(text)) => map(application_text(&text), placed),
        ("extension", record) => {
            let text = record.as_str().map_or_else(|| record.to_string(), str::to_owned);
            Fate::Ignored(Box::new(placed(Claim::new(Kind::ExtensionLog, FORMAT, "").with("message", text.trim_end()))))
        }
        // The ancestor of this API gives the old style's line as text.
        ("platform.fault", serde_json::Value::String(text)) => match lambda_text::parse_event(&text) {
            Some(claim) => Fate::Evidence(Box::new(placed(Claim { format: FORMAT.to_owned(), ..claim }))),
            None => Fate::Ignored(Box::new(placed(Claim::new(Kind::Fault, FORMAT, "").with("message", text)))),
        },
        (name, record) => match Record::deserialize(&record) {
            Ok(record) => platform(name, &record, placed),
            Err(_) => Fate::Ignored(Box::new(placed(Claim::new(Kind::UnknownPlatformEvent, FORMAT, "").with("type", name)))),
        },
    })
}

fn map(fate: Fate, with: impl Fn(Claim) -> Claim) -> Fate {
    match fate {
        Fate::Evidence(claim) => Fate::Evidence(Box::new(with(*claim))),
        Fate::Ignored(claim) => Fate::Ignored(Box::new(with(*claim))),
        rejected @ Fate::Rejected(_) => rejected,
    }
}

/// A line that the function wrote as JSON.
fn application(record: &Map<String, serde_json::Value>, raw: &str) -> Fate {
    lambda_app_json::parse(record, raw).unwrap_or_else(|| Fate::Ignored(Box::new(super::app_log(FORMAT, raw))))
}

/// A line that the function wrote as text.
fn application_text(text: &str) -> Fate {
    (lambda_text::LINES.read)(text).unwrap_or_else(|| Fate::Ignored(Box::new(super::app_log(FORMAT, text))))
}

fn platform(name: &str, record: &Record, placed: impl Fn(Claim) -> Claim) -> Fate {
    let kind = match name {
        "platform.start" => Kind::InvocationStart,
        "platform.end" => Kind::InvocationEnd,
        "platform.report" => Kind::InvocationReport,
        "platform.runtimeDone" => Kind::RuntimeDone,
        "platform.initStart" => Kind::InitStart,
        "platform.initRuntimeDone" => Kind::InitRuntimeDone,
        "platform.initReport" => Kind::InitReport,
        "platform.restoreStart" => Kind::RestoreStart,
        "platform.restoreRuntimeDone" => Kind::RestoreRuntimeDone,
        "platform.restoreReport" => Kind::RestoreReport,
        "platform.extension" => Kind::Extension,
        "platform.telemetrySubscription" | "platform.logsSubscription" => Kind::Subscription,
        "platform.logsDropped" => Kind::LogsDropped,
        _ => Kind::UnknownPlatformEvent,
    };
    let mut claim = common(Claim::new(kind, FORMAT, ""), record);
    claim = durations(claim, record);
    let elapsed = claim.elapsed_ms;
    (claim.outcome, claim.limit) = outcome(kind, record, elapsed);
    claim = match kind {
        Kind::UnknownPlatformEvent => claim.with("type", name),
        Kind::Subscription => claim.with("api", if name == "platform.logsSubscription" { "logs" } else { "telemetry" }),
        _ => claim,
    };
    let claim = Box::new(placed(claim));
    let bookkeeping = matches!(kind, Kind::Subscription | Kind::LogsDropped | Kind::UnknownPlatformEvent);
    if bookkeeping || kind == Kind::Extension && claim.outcome.is_none() { Fate::Ignored(claim) } else { Fate::Evidence(claim) }
}

fn common(mut claim: Claim, record: &Record) -> Claim {
    claim.request_id = record.request_id.as_deref().map(RequestId::from);
    claim.function = record.function_name.as_deref().or_else(|| name_of_arn(record.function_arn.as_deref()?)).map(Into::into);
    claim.instance = record.instance_id.as_deref().map(Into::into);
    let mut say = |name: &str, value: Option<&str>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            claim.attributes.insert(name.to_owned(), value.into());
        }
    };
    say("function_version", record.version.as_deref().or(record.function_version.as_deref()));
    say("function_arn", record.function_arn.as_deref());
    say("runtime_version", record.runtime_version.as_deref());
    say("runtime_version_arn", record.runtime_version_arn.as_deref());
    say("initialization_type", record.initialization_type.as_deref());
    say("phase", record.phase.as_deref());
    say("status", record.status.as_deref());
    say("error_type", record.error_type.as_deref());
    say("name", record.name.as_deref());
    say("state", record.state.as_deref());
    say("reason", record.reason.as_deref());
    for (name, list) in [("events", &record.events), ("types", &record.types)] {
        if let Some(list) = list {
            claim.attributes.insert(name.to_owned(), Value::List(list.iter().map(|item| item.as_str().into()).collect()));
        }
    }
    if let Some(tracing) = &record.tracing {
        claim = trace_header::add_xray(claim, tracing.value.as_deref().unwrap_or_default());
        claim.span_id = tracing.span_id.as_deref().map(SpanId::from).or(claim.span_id);
    }
    claim
}

/// `arn:aws:lambda:eu-west-1:111122223333:function:billing[:version]` → `billing`.
fn name_of_arn(arn: &str) -> Option<&str> {
    arn.split(':').nth(6)
}

/// Lambda's MB are MiB.
const MIB: f64 = 1_048_576.0;

fn durations(mut claim: Claim, record: &Record) -> Claim {
    let metrics = &record.metrics;
    let own = match claim.kind {
        Kind::InitReport => "init_duration_ms",
        Kind::RestoreReport => "restore_duration_ms",
        Kind::RuntimeDone => "runtime_duration_ms",
        _ => "duration_ms",
    };
    claim.elapsed_ms = metrics.duration_ms.map(Millis::from_ms_f64);
    let memory = record.instance_max_memory.as_ref().and_then(|bytes| bytes.as_f64().or_else(|| bytes.as_str()?.parse().ok()));
    let latency = |wanted: &str| record.spans.iter().find(|span| span.name == wanted).and_then(|span| span.duration_ms);
    let numbers = [
        (own, metrics.duration_ms),
        ("billed_duration_ms", metrics.billed_duration_ms),
        ("memory_size_mb", metrics.memory_size_mb.or(memory.map(|bytes| bytes / MIB))),
        ("max_memory_used_mb", metrics.max_memory_used_mb),
        ("init_duration_ms", metrics.init_duration_ms),
        ("restore_duration_ms", metrics.restore_duration_ms),
        ("billed_restore_duration_ms", metrics.billed_restore_duration_ms),
        ("produced_bytes", metrics.produced_bytes),
        ("response_latency_ms", latency("responseLatency")),
        ("dropped_records", record.dropped_records),
        ("dropped_bytes", record.dropped_bytes),
    ];
    for (name, number) in numbers {
        if let Some(number) = number {
            claim.attributes.insert(name.to_owned(), number.into());
        }
    }
    if claim.kind == Kind::InvocationReport {
        let cold = |duration: Option<f64>| duration.is_some_and(|ms| ms > 0.0);
        claim = claim.with("cold_start", cold(metrics.init_duration_ms) || cold(metrics.restore_duration_ms));
        if metrics.max_memory_used_mb.zip(metrics.memory_size_mb).is_some_and(|(used, size)| used >= size) {
            claim = claim.with("memory_at_limit", true);
        }
    }
    claim
}

/// How a record says that it ended, and the limit that this proves.
fn outcome(kind: Kind, record: &Record, elapsed: Option<Millis>) -> (Option<ClaimedOutcome>, Option<domain::Limit>) {
    use ClaimedOutcome::{Crash, Error, ExtensionCrash, InitCrash, InitTimeout, OutOfMemory, RestoreTimeout, Success, Timeout};
    let function_limit = || Some(lambda_text::timeout_limit(elapsed.map(Millis::floor_seconds)));
    let error_type = record.error_type.as_deref();
    let invoke = record.phase.as_deref() == Some("invoke");
    let is_init = matches!(kind, Kind::InitReport | Kind::InitRuntimeDone);
    let is_restore = matches!(kind, Kind::RestoreReport | Kind::RestoreRuntimeDone);
    if kind == Kind::Extension {
        return (error_type.filter(|error| error.starts_with("Extension.")).map(|_| ExtensionCrash), None);
    }
    match record.status.as_deref() {
        Some("timeout") if is_init && invoke => (Some(InitTimeout), function_limit()),
        Some("timeout") if is_init => (Some(InitTimeout), Some(lambda_text::init_limit())),
        Some("timeout") if is_restore => (Some(RestoreTimeout), Some(lambda_text::restore_limit())),
        Some("timeout") => (Some(Timeout), function_limit()),
        // An init that ended well, or was cut by the function timeout under this name, says nothing about the request.
        Some("error") if is_init && invoke && error_type == Some("Runtime.Unknown") => (None, None),
        Some("error" | "failure") if is_init || is_restore => (Some(InitCrash), None),
        Some("success") if !is_init && !is_restore => (Some(Success), None),
        Some("error" | "failure") => {
            let outcome = match error_type {
                Some("Runtime.OutOfMemory") => OutOfMemory,
                Some("Sandbox.Timedout" | "Sandbox.Timeout") => return (Some(Timeout), function_limit()),
                Some(error) if error.starts_with("Extension.") => ExtensionCrash,
                // `error`: the environment broke. `failure`: the function said no; an empty type is what a process that
                // vanished leaves behind.
                Some(error) if error.starts_with("Function.") => Error,
                Some("") => Crash,
                _ if record.status.as_deref() == Some("failure") => Error,
                _ => Crash,
            };
            (Some(outcome), None)
        }
        _ => (None, None),
    }
}

#[cfg(test)]
mod tests {
    use crate::parse::{Context, Format, facts};

    fn read(text: &str) -> Vec<serde_json::Value> {
        Format::LambdaJson.parse(text.as_bytes(), &Context::default()).items.iter().map(facts::of).collect()
    }

    #[test]
    fn a_report_gives_durations_memory_and_the_limit_that_it_proves() {
        let items = read(include_str!("../../../tests/fixtures/lambda_json/timeout.log"));
        let report = items.iter().find(|item| item["kind"] == "invocation_report").expect("there is one");
        assert_eq!((&report["outcome"], &report["limit_ms"], &report["memory_size_mb"]), (&"timeout".into(), &6000.into(), &256.into()));
        let start = items.iter().find(|item| item["kind"] == "invocation_start").expect("there is one");
        assert_eq!(start["trace_id_w3c"], "69072a385c1d2e3f4a5b6c7d8e9f0a1b");
    }

    #[test]
    fn what_is_not_decided_is_not_said() {
        let unknown = r#"{"time":"2026-11-02T09:14:06.615Z","type":"platform.initReport","record":{"phase":"invoke","status":"error","errorType":"Runtime.Unknown","metrics":{"durationMs":6000.2}}}"#;
        assert_eq!(read(unknown)[0].get("outcome"), None);
        let silent =
            r#"{"time":"2026-11-02T09:14:06.615Z","type":"platform.report","record":{"requestId":"a","metrics":{"durationMs":10.0}}}"#;
        assert_eq!(read(silent)[0].get("outcome"), None);
    }

    #[test]
    fn types_that_nobody_knows_and_odd_records_cost_nobody_else() {
        let text = "{\"time\":\"2026-11-02T09:14:06Z\",\"type\":\"platform.new\",\"record\":{\"x\":1}}\n\
                    {\"time\":\"2026-11-02T09:14:06Z\",\"type\":\"platform.report\",\"record\":{\"requestId\":7}}\n\
                    {\"type\":\"platform.start\",\"msg\":\"own fields\"}\n\
                    {\"time\":\"2026-11-02T09:14:06Z\",\"type\":\"platform.start\",\"rec";
        let fates: Vec<_> = read(text).iter().map(|item| (item["kind"].clone(), item["fate"].clone())).collect();
        let expected = [
            ("unknown_platform_event", "ignored"),
            ("unknown_platform_event", "ignored"),
            ("app_log", "ignored"),
            ("unparsed", "rejected"),
        ];
        assert_eq!(fates, expected.map(|(kind, fate)| (kind.into(), fate.into())));
    }
}
