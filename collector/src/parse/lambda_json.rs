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
use serde_json::Map;

use super::{Fate, RAW_BYTES_MAX, cut, lambda_app_json, lambda_text, marks, times, trace_header};

/// The format's name.
pub const FORMAT: &str = "lambda_json";

/// What the function wrote has its own.
pub(super) const MARKS: marks::Declared = &[&["\"platform."]];

/// What the records of platform events hold, each some of it. A field of another type than its own is passed over: it costs
/// neither the others nor the event.
#[derive(Default)]
struct Record<'a> {
    request_id: Option<&'a str>,
    version: Option<&'a str>,
    function_arn: Option<&'a str>,
    function_name: Option<&'a str>,
    function_version: Option<&'a str>,
    runtime_version: Option<&'a str>,
    runtime_version_arn: Option<&'a str>,
    initialization_type: Option<&'a str>,
    phase: Option<&'a str>,
    status: Option<&'a str>,
    error_type: Option<&'a str>,
    instance_id: Option<&'a str>,
    /// Bytes.
    instance_max_memory: Option<f64>,
    metrics: Metrics,
    response_latency_ms: Option<f64>,
    tracing_value: Option<&'a str>,
    tracing_span_id: Option<&'a str>,
    name: Option<&'a str>,
    state: Option<&'a str>,
    events: Option<Vec<&'a str>>,
    types: Option<Vec<&'a str>>,
    dropped_records: Option<f64>,
    dropped_bytes: Option<f64>,
    reason: Option<&'a str>,
}

/// Durations in ms, memory in MB as Lambda counts it.
#[derive(Default)]
struct Metrics {
    duration_ms: Option<f64>,
    billed_duration_ms: Option<f64>,
    memory_size_mb: Option<f64>,
    max_memory_used_mb: Option<f64>,
    init_duration_ms: Option<f64>,
    restore_duration_ms: Option<f64>,
    billed_restore_duration_ms: Option<f64>,
    produced_bytes: Option<f64>,
}

impl<'a> Record<'a> {
    /// `None` when it names its request by something else than a text: then it is none that we know.
    fn of(object: &'a Map<String, serde_json::Value>) -> Option<Self> {
        let field = |name: &str| object.get(name).filter(|value| !value.is_null());
        field("requestId").is_none_or(serde_json::Value::is_string).then_some(())?;
        let text = |name: &str| field(name).and_then(serde_json::Value::as_str);
        let list = |name: &str| field(name)?.as_array().map(|list| list.iter().filter_map(serde_json::Value::as_str).collect());
        let tracing = |name: &str| field("tracing")?.get(name)?.as_str();
        let spans = field("spans").and_then(serde_json::Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let latency = spans.iter().find(|span| span.get("name").is_some_and(|name| name == "responseLatency"));
        Some(Self {
            request_id: text("requestId"),
            version: text("version"),
            function_arn: text("functionArn"),
            function_name: text("functionName"),
            function_version: text("functionVersion"),
            runtime_version: text("runtimeVersion"),
            runtime_version_arn: text("runtimeVersionArn"),
            initialization_type: text("initializationType"),
            phase: text("phase"),
            status: text("status"),
            error_type: text("errorType"),
            instance_id: text("instanceId"),
            instance_max_memory: field("instanceMaxMemory").and_then(memory_bytes),
            metrics: field("metrics").map(Metrics::of).unwrap_or_default(),
            response_latency_ms: latency.and_then(|span| number(span.get("durationMs")?)),
            tracing_value: tracing("value"),
            tracing_span_id: tracing("spanId"),
            name: text("name"),
            state: text("state"),
            events: list("events"),
            types: list("types"),
            dropped_records: field("droppedRecords").and_then(number),
            dropped_bytes: field("droppedBytes").and_then(number),
            reason: text("reason"),
        })
    }
}

impl Metrics {
    fn of(metrics: &serde_json::Value) -> Self {
        let figure = |name: &str| metrics.get(name).and_then(number);
        Self {
            duration_ms: figure("durationMs"),
            billed_duration_ms: figure("billedDurationMs"),
            memory_size_mb: figure("memorySizeMB"),
            max_memory_used_mb: figure("maxMemoryUsedMB"),
            init_duration_ms: figure("initDurationMs"),
            restore_duration_ms: figure("restoreDurationMs"),
            billed_restore_duration_ms: figure("billedRestoreDurationMs"),
            produced_bytes: figure("producedBytes"),
        }
    }
}

/// A number, also as text.
fn number(value: &serde_json::Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok()).filter(|number| number.is_finite())
}

/// Bytes; what would be less than a MiB in bytes is meant in MB, as older documentation shows it.
fn memory_bytes(value: &serde_json::Value) -> Option<f64> {
    let amount = number(value).or_else(|| value.as_str()?.trim().strip_suffix("MB")?.trim().parse().ok())?;
    Some(if amount < MIB { amount * MIB } else { amount })
}

/// Reads one event as a record.
pub(super) fn read_record(object: &Map<String, serde_json::Value>, raw: &str) -> Option<Vec<Fate>> {
    Some(vec![parse(object, raw)?])
}

/// Reads one event; `None` when the object is none.
#[must_use]
pub fn parse(object: &Map<String, serde_json::Value>, raw: &str) -> Option<Fate> {
    use serde_json::Value as Json;
    let name = object.get("type")?.as_str()?;
    let (time, record) = (object.get("time"), object.get("record"));
    match name {
        "function" | "extension" => time.and(record).map(|_| ())?,
        // An event whose time or record is missing is one all the same; an application's own line has neither.
        _ => (name.starts_with("platform.") && (time.is_some() || record.is_some_and(Json::is_object))).then_some(())?,
    }
    let at = time.and_then(|time| time.as_str().map_or_else(|| times::epoch(time.as_i64()?), times::rfc3339));
    let placed = |mut claim: Claim| {
        claim.observed_at = claim.observed_at.or(at);
        claim.platform = Some(Product::AWS_LAMBDA);
        cut(raw, RAW_BYTES_MAX).clone_into(&mut claim.raw);
        claim
    };
    // The first version of the schema gives every line, and some records, as text.
    let inside: Option<Map<String, Json>> = record.and_then(|record| match record {
        Json::String(text) if text.starts_with('{') => serde_json::from_str(text).ok(),
        _ => None,
    });
    let object = inside.as_ref().or_else(|| record.and_then(Json::as_object));
    let text = || record.map_or_else(String::new, |record| record.as_str().map_or_else(|| record.to_string(), str::to_owned));
    Some(match (name, object) {
        ("function", Some(own)) => map(application(own, raw), placed),
        ("function", None) => map(application_text(&text()), placed),
        ("extension", _) => Fate::Ignored(Box::new(placed(Claim::new(Kind::ExtensionLog, FORMAT, "").with("message", text().trim_end())))),
        // The ancestor of this API gives the old style's line as text.
        ("platform.fault", None) => match lambda_text::parse_event(&text()) {
            Some(claim) => Fate::Evidence(Box::new(placed(Claim { format: FORMAT.to_owned(), ..claim }))),
            None => Fate::Ignored(Box::new(placed(Claim::new(Kind::Fault, FORMAT, "").with("message", text())))),
        },
        (name, object) => match object.and_then(Record::of) {
            Some(record) => platform(name, &record, placed),
            None => Fate::Ignored(Box::new(placed(Claim::new(Kind::UnknownPlatformEvent, FORMAT, "").with("type", name)))),
        },
    })
}

fn map(fate: Fate, with: impl Fn(Claim) -> Claim) -> Fate {
    match fate {
        Fate::Evidence(claim) => Fate::Evidence(Box::new(with(*claim))),
        Fate::Ignored(claim) => Fate::Ignored(Box::new(with(*claim))),
        other @ (Fate::Passed(_) | Fate::Rejected(_)) => other,
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

fn platform(name: &str, record: &Record<'_>, placed: impl Fn(Claim) -> Claim) -> Fate {
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

fn common(mut claim: Claim, record: &Record<'_>) -> Claim {
    claim.request_id = record.request_id.map(RequestId::from);
    claim.function = record.function_name.or_else(|| name_of_arn(record.function_arn?)).map(Into::into);
    claim.instance = record.instance_id.map(Into::into);
    let mut say = |name: &str, value: Option<&str>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            claim.attributes.insert(name.to_owned(), value.into());
        }
    };
    say("function_version", record.version.or(record.function_version));
    say("function_arn", record.function_arn);
    say("runtime_version", record.runtime_version);
    say("runtime_version_arn", record.runtime_version_arn);
    say("initialization_type", record.initialization_type);
    say("phase", record.phase);
    say("status", record.status);
    say("error_type", record.error_type);
    say("name", record.name);
    say("state", record.state);
    say("reason", record.reason);
    for (name, list) in [("events", &record.events), ("types", &record.types)] {
        if let Some(list) = list {
            claim.attributes.insert(name.to_owned(), Value::List(list.iter().map(|item| (*item).into()).collect()));
        }
    }
    if record.tracing_value.is_some() || record.tracing_span_id.is_some() {
        claim = trace_header::add_xray(claim, record.tracing_value.unwrap_or_default());
        claim.span_id = record.tracing_span_id.map(SpanId::from).or(claim.span_id);
    }
    claim
}

/// `arn:aws:lambda:eu-west-1:111122223333:function:billing[:version]` → `billing`.
fn name_of_arn(arn: &str) -> Option<&str> {
    arn.split(':').nth(6)
}

/// Lambda's MB are MiB.
const MIB: f64 = 1_048_576.0;

fn durations(mut claim: Claim, record: &Record<'_>) -> Claim {
    let metrics = &record.metrics;
    let own = match claim.kind {
        Kind::InitReport => "init_duration_ms",
        Kind::RestoreReport => "restore_duration_ms",
        Kind::RuntimeDone => "runtime_duration_ms",
        _ => "duration_ms",
    };
    claim.elapsed_ms = metrics.duration_ms.map(Millis::from_ms_f64);
    let numbers = [
        (own, metrics.duration_ms),
        ("billed_duration_ms", metrics.billed_duration_ms),
        ("memory_size_mb", metrics.memory_size_mb.or(record.instance_max_memory.map(|bytes| bytes / MIB))),
        ("max_memory_used_mb", metrics.max_memory_used_mb),
        ("init_duration_ms", metrics.init_duration_ms),
        ("restore_duration_ms", metrics.restore_duration_ms),
        ("billed_restore_duration_ms", metrics.billed_restore_duration_ms),
        ("produced_bytes", metrics.produced_bytes),
        ("response_latency_ms", record.response_latency_ms),
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

/// The limit of the init phase, whose value is known for environments that are started on demand.
fn init_limit(record: &Record<'_>, elapsed: Option<Millis>) -> domain::Limit {
    let limit = lambda_text::init_limit(elapsed);
    let usual = record.initialization_type.is_none_or(|kind| kind == "on-demand");
    if usual { limit } else { domain::Limit { value_ms: None, known_from: domain::KnownFrom::Claimed, ..limit } }
}

/// How a record says that it ended, and the limit that this proves.
fn outcome(kind: Kind, record: &Record<'_>, elapsed: Option<Millis>) -> (Option<ClaimedOutcome>, Option<domain::Limit>) {
    use ClaimedOutcome::{Crash, Error, ExtensionCrash, InitCrash, InitTimeout, OutOfMemory, RestoreTimeout, Success, Timeout};
    let function_limit = || Some(lambda_text::timeout_limit(elapsed.map(Millis::floor_seconds)));
    let error_type = record.error_type;
    let invoke = record.phase == Some("invoke");
    let is_init = matches!(kind, Kind::InitReport | Kind::InitRuntimeDone);
    let is_restore = matches!(kind, Kind::RestoreReport | Kind::RestoreRuntimeDone);
    if kind == Kind::Extension {
        return (error_type.filter(|error| error.starts_with("Extension.")).map(|_| ExtensionCrash), None);
    }
    match record.status {
        Some("timeout") if is_init && invoke => (Some(InitTimeout), function_limit()),
        Some("timeout") if is_init => (Some(InitTimeout), Some(init_limit(record, elapsed))),
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
                _ if record.status == Some("failure") => Error,
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
    fn one_odd_field_costs_only_itself() {
        let odd = r#"{"time":1793610846615,"type":"platform.report","record":{"requestId":"a","status":"timeout","errorType":null,"spans":null,"tracing":null,"metrics":{"durationMs":"6000.0","billedDurationMs":null,"memorySizeMB":128,"maxMemoryUsedMB":"41"}}}
{"type":"platform.runtimeDone","record":{"requestId":"a","status":"success","metrics":null}}
{"time":"2026-11-02T09:14:06Z","type":"function","record":"{\"level\":\"ERROR\",\"requestId\":\"a\",\"message\":\"boom\"}"}
{"time":"2026-11-02T09:14:06Z","type":"platform.restoreStart","record":{"functionName":"pay","instanceMaxMemory":"256MB"}}"#;
        let items = read(odd);
        assert_eq!(
            (&items[0]["outcome"], &items[0]["limit_ms"], &items[0]["max_memory_used_mb"]),
            (&"timeout".into(), &6000.into(), &41.into())
        );
        assert_eq!(items[0]["observed_at"], "2026-11-02T09:14:06.615Z");
        assert_eq!((&items[1]["kind"], &items[1]["outcome"]), (&"runtime_done".into(), &"success".into()));
        assert_eq!((&items[2]["request_id"], &items[2]["message"]), (&"a".into(), &"boom".into()));
        assert_eq!(items[3]["memory_size_mb"], 256);
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
