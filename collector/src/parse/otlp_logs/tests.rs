use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::{Claim, FunctionName, Instance, Kind, Millis};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::parse::otlp::{Signal, parse_json_value, protobuf_signal};
use crate::parse::{Context, Fate, Format, Item};

const TRACE: &str = "5b8efff798038103d269b633813fc60c";
const REPORT: &str = "REPORT RequestId: 6f747a63-ce41-11e7-8cfe-3d61dad3d219\tDuration: 3000.00 ms\tBilled Duration: 3000 ms\tMemory Size: 128 MB\tMax Memory Used: 20 MB\tStatus: timeout";

fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

/// One record in a request.
fn request(resource: &Value, scope: &str, record: &Value) -> Value {
    json!({"resourceLogs": [{"resource": {"attributes": resource}, "scopeLogs": [{"scope": {"name": scope}, "logRecords": [record]}]}]})
}

fn items(request: &Value) -> Vec<Item> {
    Format::OtlpLogs.parse(request.to_string().as_bytes(), &Context::default()).items
}

fn claim(item: Item) -> Option<Claim> {
    if let Fate::Evidence(claim) = item.fate { Some(*claim) } else { None }
}

fn only(resource: &Value, scope: &str, record: &Value) -> Claim {
    let mut all = items(&request(resource, scope, record));
    assert_eq!(all.len(), 1, "{all:?}");
    claim(all.remove(0)).expect("evidence")
}

/// The same line without OpenTelemetry.
fn bare(line: &str) -> Claim {
    let mut all = Format::Auto.parse(line.as_bytes(), &Context::default()).items;
    claim(all.remove(0)).expect("evidence")
}

/// What is left when what the record says beside its line is taken away.
fn without_record(claim: Claim) -> Claim {
    Claim { instance: None, function: None, trace_id: None, span_id: None, observed_at: None, ..claim }
}

#[test]
fn a_line_says_in_a_record_what_it_says_by_itself() {
    let record =
        json!({"timeUnixNano": "1795348975284134000", "body": {"stringValue": REPORT}, "traceId": TRACE, "spanId": "eee19b7ec3c1b174"});
    let resource = json!([text("faas.name", "checkout"), {"key": "aws.log.group.names", "value": {"arrayValue": {"values": [{"stringValue": "/aws/lambda/checkout"}]}}}, text("faas.instance", "2026/11/22/[$LATEST]ab")]);
    let claim = only(&resource, "", &record);
    assert_eq!((claim.kind, claim.format.as_str(), claim.raw.as_str()), (Kind::InvocationReport, "lambda_text", REPORT));
    assert_eq!(claim.function.as_ref().map(FunctionName::as_str), Some("checkout"));
    assert_eq!(claim.instance.as_ref().map(Instance::as_str), Some("/aws/lambda/checkout:2026/11/22/[$LATEST]ab"));
    assert_eq!(claim.text("log_stream"), Some("2026/11/22/[$LATEST]ab"));
    assert_eq!(claim.trace_id.as_ref().map(ToString::to_string).as_deref(), Some(TRACE));
    assert_eq!(claim.observed_at.map(|at| at.to_string()).as_deref(), Some("2026-11-22T12:02:55.284134Z"));
    let plain = only(&json!([]), "", &json!({"body": {"stringValue": REPORT}}));
    assert_eq!(plain, bare(REPORT), "what a record does not say is not invented");

    let line = "[2026-11-22 12:04:32 +0000] [8899] [CRITICAL] WORKER TIMEOUT (pid:8901)";
    let claim = only(
        &json!([text("host.name", "web-1")]),
        "",
        &json!({"observedTimeUnixNano": "1795349073000000000", "body": {"stringValue": line}}),
    );
    assert_eq!((claim.kind, claim.pid, claim.instance.as_ref().map(Instance::as_str)), (Kind::WorkerTimeout, Some(8901), Some("web-1")));
    assert_eq!(without_record(claim), without_record(bare(line)));
}

#[test]
fn gunicorns_words_without_their_head_are_gunicorns() {
    let resource = json!([text("host.name", "web-1"), {"key": "process.pid", "value": {"intValue": "8899"}}]);
    let record =
        json!({"timeUnixNano": "1795349072000000000", "severityText": "FATAL", "body": {"stringValue": "WORKER TIMEOUT (pid:8901)"}});
    let claim = only(&resource, "gunicorn.error", &record);
    assert_eq!((claim.kind, claim.pid, claim.number("arbiter_pid")), (Kind::WorkerTimeout, Some(8901), Some(8899.0)));
    assert_eq!(
        (claim.observed_at.map(|at| at.to_string()).as_deref(), claim.raw.as_str()),
        (Some("2026-11-22T12:04:32Z"), "WORKER TIMEOUT (pid:8901)")
    );
    let nobodys = items(&request(&resource, "app", &record));
    assert!(matches!(nobodys[0].fate, Fate::Evidence(_) | Fate::Ignored(_)), "without the logger only its words tell");
}

#[test]
fn what_lambdas_platform_reports_is_put_together_again() {
    let body = json!({"requestId": "6f747a63", "status": "timeout", "metrics": {"durationMs": 3000.0, "billedDurationMs": 3000, "memorySizeMB": 128, "maxMemoryUsedMB": 20}});
    let record = json!({"timeUnixNano": "1795348975284000000", "body": {"stringValue": body.to_string()}, "attributes": [text("type", "platform.report")]});
    let claim = only(&json!([text("faas.name", "checkout")]), "telemetryapi", &record);
    assert_eq!((claim.kind, claim.request_id.as_ref().map(ToString::to_string).as_deref()), (Kind::InvocationReport, Some("6f747a63")));
    let event = json!({"time": "2026-11-22T12:02:55.284Z", "type": "platform.report", "record": body}).to_string();
    assert_eq!(without_record(Claim { raw: String::new(), ..claim }), without_record(Claim { raw: String::new(), ..bare(&event) }));
}

#[test]
fn structured_bodies_are_read_as_json() {
    let event = json!({"kind": "fired", "request_id": "a", "left_ms": 500});
    let pairs = json!([text("kind", "fired"), text("request_id", "a"), {"key": "left_ms", "value": {"intValue": 500}}]);
    for body in [json!({"stringValue": event.to_string()}), json!({"kvlistValue": {"values": pairs}})] {
        let claim = only(&json!([]), "", &json!({"body": body}));
        assert_eq!((claim.kind, claim.request_id.as_ref().map(ToString::to_string).as_deref()), (Kind::WatchdogFired, Some("a")));
    }
}

#[test]
fn ordinary_records_are_ignored_and_what_they_say_can_be_seen() {
    for body in [
        json!({"stringValue": "order 7 was paid"}),
        json!(null),
        json!({"intValue": 7}),
        json!({"arrayValue": {"values": [{"boolValue": true}]}}),
    ] {
        let record = json!({"severityNumber": 17, "body": body, "attributes": [text("faas.execution", "a")], "eventName": "paid"});
        let mut all = items(&request(&json!([text("service.name", "shop")]), "app", &record));
        let Fate::Ignored(claim) = all.remove(0).fate else { panic!("{record}") };
        assert_eq!(
            (claim.kind, claim.text("level"), claim.request_id.as_ref().map(ToString::to_string).as_deref()),
            (Kind::AppLog, Some("ERROR"), Some("a"))
        );
        assert!(all.is_empty());
    }
}

fn partial(event: &str, kind: Option<&str>, body: &str) -> Value {
    let kind = kind.map(|kind| text("partial.body.type", kind));
    let attributes: Vec<Value> = [text("partial.event", event), text("partial.frequency", "500ms")].into_iter().chain(kind).collect();
    json!({"timeUnixNano": "1795348972782614000", "body": {"stringValue": body}, "attributes": attributes})
}

fn span(ended: &str) -> Value {
    let span = json!({"traceId": TRACE, "spanId": "eee19b7ec3c1b174", "name": "POST", "kind": "SPAN_KIND_CLIENT", "endTimeUnixNano": ended,
        "startTimeUnixNano": "1795348972282614000", "attributes": [text("server.address", "payments.internal")]});
    json!({"resourceSpans": [{"resource": {"attributes": [text("service.name", "checkout")]}, "scopeSpans": [{"spans": [span]}]}]})
}

#[test]
fn a_heartbeat_is_a_span_that_is_open() {
    let json = span("0").to_string();
    let binary = Signal::Traces.of_json(json.as_bytes()).expect("good").into_bytes();
    let base64 = STANDARD.encode(binary);
    let began_as_end = span("1795348972282614000").to_string();
    for (kind, body) in [(Some("json/v1"), &json), (None, &json), (None, &base64), (Some("proto"), &base64), (Some("json"), &began_as_end)]
    {
        let claim = only(&json!([text("host.name", "web-1")]), "app", &partial("heartbeat", kind, body));
        assert_eq!((claim.kind, claim.format.as_str(), claim.attributes.get("open")), (Kind::Span, "otlp_logs", Some(&true.into())));
        assert_eq!((claim.elapsed_ms, claim.millis("heartbeat_every_ms")), (Some(Millis::from_ms(500)), Some(Millis::from_ms(500))));
        assert_eq!(claim.observed_at.map(|at| at.to_string()).as_deref(), Some("2026-11-22T12:02:52.782614Z"));
        assert_eq!((claim.calls[0].target.as_deref(), claim.calls[0].ended_at), (Some("payments.internal"), None));
        let place = (claim.function.as_ref().map(FunctionName::as_str), claim.instance.as_ref().map(Instance::as_str));
        assert_eq!(place, (Some("checkout"), Some("web-1")), "the record's resource says what the span's does not");
        assert!(claim.raw.contains("still open after 500 ms"), "{}", claim.raw);
    }
}

#[test]
fn a_stop_is_a_span_that_has_ended() {
    for (ended, ms) in [("1795348974282614000", 2000), ("0", 500)] {
        let claim = only(&json!([]), "app", &partial("stop", Some("json/v1"), &span(ended).to_string()));
        assert_eq!((claim.attributes.get("open"), claim.elapsed_ms), (None, Some(Millis::from_ms(ms))));
        assert!(claim.calls[0].ended_at.is_some() && !claim.attributes.contains_key("heartbeat_every_ms"));
    }
}

#[test]
fn what_is_no_partial_span_is_rejected_with_the_reason() {
    for (record, reason) in [
        (partial("pause", None, "{}"), "expected `partial.event` to be `heartbeat` or `stop`, found `pause`"),
        (partial("heartbeat", Some("xml"), "<a/>"), "expected `partial.body.type` to be `json/v1` or `proto`, found `xml`"),
        (partial("heartbeat", Some("json/v1"), "{\"resourceSpans\": ["), "expected an OTLP trace request in JSON"),
        (partial("heartbeat", None, "no base64"), "expected a partial span in base64"),
        (partial("heartbeat", None, "AAAA"), "expected an ExportTraceServiceRequest in protobuf"),
        (partial("heartbeat", None, "{}"), "expected a span in the body of a partial span's record, found none"),
        (json!({"attributes": [text("partial.event", "stop")]}), "expected the body of a partial span's record to be text"),
    ] {
        let all = items(&request(&json!([]), "app", &record));
        assert!(matches!(&all[..], [Item { fate: Fate::Rejected(reject), .. }] if reject.reason.starts_with(reason)), "{reason}: {all:?}");
    }
}

#[test]
fn real_records_are_read() {
    use Kind::{RequestError, ServerStart, ServerStopped, ServerStopping, WorkerBoot, WorkerExit, WorkerTimeout};
    let read = |bytes: &[u8]| -> Vec<Claim> {
        assert_eq!(protobuf_signal(bytes), Some(Signal::Logs));
        Format::Auto.parse(bytes, &Context::default()).items.into_iter().filter_map(claim).collect()
    };
    let gunicorn = read(include_bytes!("../../../../tests/fixtures/otlp_logs/python-gunicorn-27.0.1.pb"));
    let kinds: Vec<_> = gunicorn.iter().map(|claim| claim.kind).collect();
    assert_eq!(
        kinds,
        [ServerStart, WorkerBoot, WorkerTimeout, RequestError, WorkerExit, WorkerBoot, ServerStopping, WorkerExit, ServerStopped]
    );
    let error = &gunicorn[3];
    assert_eq!((error.text("path"), error.stacks[0].frames.last().map(|frame| frame.function.as_str())), (Some("/x?20"), Some("app")));
    let spans = read(include_bytes!("../../../../tests/fixtures/otlp_logs/python-partial-span-processor-0.0.9.pb"));
    let told: Vec<_> = spans.iter().map(|claim| (claim.text("name"), claim.attributes.contains_key("open"))).collect();
    let (open, ended) = (|name| (Some(name), true), |name| (Some(name), false));
    assert_eq!(told, [open("checkout"), open("GET"), ended("GET"), open("POST"), open("POST"), open("checkout")]);
    assert!(spans.iter().all(|claim| claim.instance.as_ref().map(Instance::as_str) == Some("web-1")));
}

#[test]
fn documents_are_found_among_lines() {
    let document = request(&json!([]), "", &json!({"body": {"stringValue": REPORT}}));
    let all = parse_json_value(&document, &Context::default()).expect("logs").items;
    assert_eq!(all.into_iter().filter_map(claim).count(), 1);
    let lines = format!("{document}\nordinary\n{document}\n");
    assert_eq!(Format::Auto.parse(lines.as_bytes(), &Context::default()).items.into_iter().filter_map(claim).count(), 2);
}

proptest! {
    /// Whatever comes: no panic, and every item has its place.
    #[test]
    fn any_damage_to_a_request_is_survived(at in 0..8094_usize, byte in any::<u8>()) {
        let mut input = include_bytes!("../../../../tests/fixtures/otlp_logs/python-partial-span-processor-0.0.9.pb").to_vec();
        let at = at % input.len();
        input[at] = byte;
        let parsed = Format::OtlpLogs.parse(&input, &Context::default());
        prop_assert!(parsed.items.iter().all(|item| (1..=parsed.lines.max(1)).contains(&item.line)));
    }
}
