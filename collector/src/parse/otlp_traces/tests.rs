use domain::{Claim, FunctionName, Key, Kind, Millis};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::parse::otlp::{Signal, parse_json_value, protobuf_signal};
use crate::parse::{Context, Fate, Format, Item, Parsed};

fn parse(input: &[u8]) -> Parsed {
    Format::OtlpTraces.parse(input, &Context::default())
}

const TRACE: &str = "5b8efff798038103d269b633813fc60c";

fn document(resource: &Value, span: &Value) -> Value {
    json!({"resourceSpans": [{"resource": {"attributes": resource}, "scopeSpans": [{"scope": {"name": "lib"}, "spans": [span]}]}]})
}

fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

fn claims(parsed: Parsed) -> Vec<Claim> {
    let claim = |item: Item| match item.fate {
        Fate::Evidence(claim) => Some(*claim),
        _ => None,
    };
    parsed.items.into_iter().filter_map(claim).collect()
}

fn only(resource: &Value, mut span: Value) -> Claim {
    let ids = json!({"traceId": TRACE, "spanId": "eee19b7ec3c1b174", "name": "s", "startTimeUnixNano": "1795348972282614000", "endTimeUnixNano": 1_795_348_975_284_134_000_u64});
    for (name, value) in ids.as_object().expect("object") {
        span.as_object_mut().expect("object").entry(name).or_insert(value.clone());
    }
    let mut all = claims(parse(document(resource, &span).to_string().as_bytes()));
    assert_eq!(all.len(), 1, "{span}");
    all.remove(0)
}

#[test]
fn a_lambda_span_is_found_by_its_invocation() {
    let arn = "arn:aws:lambda:us-east-1:123456789012:function:checkout:live";
    let resource =
        json!([text("service.name", "svc"), text("cloud.platform", "aws_lambda"), text("faas.instance", "2026/11/22/[$LATEST]ab")]);
    let claim = only(&resource, json!({"kind": 2, "attributes": [text("faas.invocation_id", "6f747a63"), text("cloud.resource_id", arn)]}));
    assert_eq!((claim.kind, claim.key().to_string().as_str()), (Kind::Span, "request/6f747a63"));
    assert!(claim.links().iter().any(|link| link.to.to_string() == format!("trace/{TRACE}")));
    assert_eq!(claim.function.as_ref().map(FunctionName::as_str), Some("checkout"));
    assert_eq!(claim.instance.as_ref().map(domain::Instance::as_str), Some("2026/11/22/[$LATEST]ab"));
    assert_eq!((claim.elapsed_ms, claim.platform), (Some(Millis::from_us(3_001_520)), Some(domain::Product::AWS_LAMBDA)));
    assert!(claim.calls.is_empty() && claim.outcome.is_none());
    let older = only(&json!([]), json!({"attributes": [text("faas.execution", "6f747a63"), text("faas.id", arn)]}));
    assert_eq!((older.request_id, older.function.map(|f| f.to_string()).as_deref()), (Some("6f747a63".into()), Some("checkout")));
}

#[test]
fn a_span_without_a_request_id_is_found_by_its_trace() {
    let resource =
        json!([text("host.name", "web-1"), text("service.instance.id", "aa5f"), {"key": "process.pid", "value": {"intValue": "29901"}}]);
    let claim = only(&resource, json!({"parentSpanId": "DA49C543567450AF"}));
    assert!(matches!(claim.key(), Key::Trace(_)));
    assert_eq!((claim.pid, claim.instance.map(|i| i.to_string()).as_deref()), (Some(29901), Some("web-1")));
    assert_eq!(claim.parent_span_id.map(|id| id.to_string()).as_deref(), Some("da49c543567450af"));
}

#[test]
fn a_client_span_is_a_call() {
    let call = |kind: i32, attributes: Value| {
        only(&json!([]), json!({"kind": kind, "name": "outer", "attributes": attributes}))
            .calls
            .pop()
            .map(|call| (call.operation, call.target))
    };
    let said = |operation: &str, target: &str| Some((operation.to_owned(), Some(target.to_owned())));
    assert_eq!(
        call(3, json!([text("http.request.method", "POST"), text("server.address", "payments.internal")])),
        said("POST", "payments.internal")
    );
    assert_eq!(
        call(3, json!([text("http.method", "GET"), text("http.url", "http://u:p@a.example:81/x?y=1")])),
        said("GET", "a.example:81")
    );
    assert_eq!(
        call(3, json!([text("db.operation.name", "SELECT"), text("db.collection.name", "orders"), text("db.name", "shop")])),
        said("SELECT orders", "shop")
    );
    assert_eq!(call(4, json!([text("messaging.destination.name", "mails")])), said("outer", "mails"));
    assert_eq!(call(1, json!([text("db.system", "postgresql")])), said("outer", "postgresql"));
    assert_eq!(call(1, json!([])), None);
    assert_eq!(call(2, json!([text("http.method", "GET")])), None);
}

#[test]
fn an_open_span_has_no_end() {
    let claim = only(&json!([]), json!({"endTimeUnixNano": "0", "kind": 3}));
    assert_eq!((claim.observed_at, claim.elapsed_ms, claim.calls[0].ended_at), (None, None, None));
    assert_eq!(claim.attributes["open"], true.into());
    assert!(claim.raw.contains("not ended"), "{}", claim.raw);
    let named = only(&json!([]), json!({"attributes": [{"key": "open", "value": {"boolValue": true}}]}));
    assert_eq!(named.attributes.get("open"), None, "an application's own attribute is none of ours");
    let backwards = only(&json!([]), json!({"endTimeUnixNano": "1795348972282613999"}));
    assert!(backwards.observed_at.is_some() && backwards.elapsed_ms.is_none());
}

#[test]
fn an_xray_trace_beside_the_own_one_is_kept() {
    let xray = "1-6a3f1c20-9a8fbf0a9c13eafa397c5a3b";
    let header =
        only(&json!([]), json!({"attributes": [text("_X_AMZN_TRACE_ID", &format!("Root={xray};Parent=53995c3f42cd8ad8;Sampled=1"))]}));
    let link =
        json!({"traceId": "6a3f1c209a8fbf0a9c13eafa397c5a3b", "spanId": "53995c3f42cd8ad8", "attributes": [text("source", "x-ray-env")]});
    for claim in [header, only(&json!([]), json!({"links": [link]}))] {
        assert_eq!(claim.text("xray_trace_id"), Some(xray));
    }
}

#[test]
fn attributes_are_bounded_and_without_secrets() {
    let mut attributes: Vec<_> = (0..70).map(|n| text(&format!("k{n}"), &"x".repeat(2000))).collect();
    attributes.insert(0, text("http.request.header.authorization", "Bearer abc"));
    attributes.insert(1, text("url.full", "https://a.example/?token=abc&page=2"));
    attributes.insert(2, json!({"key": "list", "value": {"arrayValue": {"values": [{"intValue": "9007199254740993"}, {"doubleValue": "NaN"}, {"bytesValue": "AAEC"}, {}]}}}));
    let claim = only(&json!([]), json!({"attributes": attributes}));
    assert_eq!(claim.text("http.request.header.authorization"), Some("[redacted]"));
    assert_eq!(claim.text("url.full"), Some("https://a.example/?token=[redacted]&page=2"));
    assert_eq!(claim.text("k0").map(str::len), Some(1024));
    assert_eq!(claim.number("attributes_dropped"), Some(9.0));
    assert_eq!(serde_json::to_value(&claim.attributes["list"]).expect("json"), json!(["9007199254740993", null, "(3 bytes)", null]));
}

#[test]
fn ids_of_zeros_cost_their_own_span_only() {
    let zeros = json!({"traceId": "0".repeat(32), "spanId": "eee19b7ec3c1b174", "name": "bad"});
    let good = json!({"traceId": TRACE, "spanId": "eee19b7ec3c1b174", "name": "good"});
    let parsed = parse(
        json!({"resourceSpans": [{"scopeSpans": [{"spans": [zeros, good, {"traceId": TRACE, "name": "none"}]}]}]}).to_string().as_bytes(),
    );
    let reasons: Vec<_> = parsed
        .items
        .iter()
        .filter_map(|item| if let Fate::Rejected(reject) = &item.fate { Some((item.line, reject.reason.as_str())) } else { None })
        .collect();
    assert_eq!(
        reasons,
        [
            (1, "expected a trace ID of 16 bytes that are not all zero, found zeros only"),
            (3, "expected a span ID of 8 bytes that are not all zero, found 0 bytes"),
        ]
    );
}

#[test]
fn both_dialects_of_json_and_protobuf_are_the_same_claim() {
    let canonical = document(
        &json!([text("service.name", "orders")]),
        &json!({"traceId": TRACE.to_uppercase(), "spanId": "eee19b7ec3c1b174", "name": "s", "kind": 3, "startTimeUnixNano": "1", "endTimeUnixNano": "2",
            "status": {"code": 2, "message": "no"}, "unknown": {"a": [1]}, "events": null,
            "attributes": [{"key": "n", "value": {"intValue": 7}}, {"key": "l", "value": {"kvlistValue": {"values": [text("a", "b")]}}}]}),
    );
    let other = json!({"resource_spans": [{"resource": {"attributes": [text("service.name", "orders")]}, "scope_spans": [{"scope": {"name": "lib"}, "spans": [
        {"trace_id": TRACE, "span_id": "eee19b7ec3c1b174", "name": "s", "kind": "SPAN_KIND_CLIENT", "start_time_unix_nano": 1, "end_time_unix_nano": 2,
            "status": {"code": "STATUS_CODE_ERROR", "message": "no"}, "links": [],
            "attributes": [{"key": "n", "value": {"int_value": "7"}}, {"key": "l", "value": {"kvlist_value": {"values": [{"key": "a", "value": {"string_value": "b"}}]}}}]}]}]}]});
    let first = claims(parse(canonical.to_string().as_bytes())).remove(0);
    assert_eq!(first.text("status"), Some("error"));
    let binary = Signal::Traces.of_json(canonical.to_string().as_bytes()).expect("good").into_bytes();
    assert_eq!(protobuf_signal(&binary), Some(Signal::Traces));
    for same in [parse(other.to_string().as_bytes()), parse(&binary), parse_json_value(&other, &Context::default()).expect("traces")] {
        assert_eq!(claims(same), std::slice::from_ref(&first));
    }
}

#[test]
fn what_is_no_trace_request_is_refused_by_name() {
    let id = |id: &str| document(&json!([]), &json!({"traceId": id, "spanId": "eee19b7ec3c1b174"})).to_string();
    for (input, expected) in [
        (id("W47/95gDgQPSabYzgTP8YA=="), "expected an ID of 32 hex digits, found `W47/95gDgQPSabYzgTP8YA==`"),
        (id("abc"), "expected an ID of 32 hex digits, found `abc`"),
        ("{\"resourceSpans\": [".to_owned(), "expected an OTLP trace request in JSON: EOF"),
        ("\u{1}\u{2}garbage".to_owned(), "expected an ExportTraceServiceRequest in protobuf"),
    ] {
        let parsed = parse(input.as_bytes());
        assert!(matches!(&parsed.items[0].fate, Fate::Rejected(reject) if reject.reason.contains(expected)), "{parsed:?}");
    }
    let read = Signal::Traces;
    assert!(read.of_json(b"").is_err() && read.of_json(b"{}").is_ok() && read.of_protobuf(Vec::new()).is_ok());
    assert!(parse_json_value(&json!({"resourceMetrics": []}), &Context::default()).is_none());
    assert_eq!((protobuf_signal(b"\n\nplain text after blank lines"), protobuf_signal(b"")), (None, None));
}

#[test]
fn a_file_of_one_document_a_line_is_read() {
    let one = document(&json!([]), &json!({"traceId": TRACE, "spanId": "eee19b7ec3c1b174", "name": "a"})).to_string();
    let parsed = parse(format!("{one}\n\n{one}\nnonsense\n").as_bytes());
    assert_eq!((parsed.lines, parsed.items.iter().map(|item| item.line).collect::<Vec<_>>()), (4, vec![1, 3, 4]));
}

#[test]
fn fixtures_are_read() {
    let killed = claims(parse(include_bytes!("../../../../tests/fixtures/otlp_traces/python-gunicorn-27.0.1-killed.pb")));
    assert_eq!(killed.len(), 1);
    assert!(killed[0].parent_span_id.is_some(), "a child whose parent never came is what a killed request looks like");
    let aborted = claims(parse(include_bytes!("../../../../tests/fixtures/otlp_traces/python-gunicorn-21.2.0-aborted.pb")));
    let server = aborted.iter().find(|claim| claim.text("span_kind") == Some("server")).expect("it was exported at the abort");
    assert_eq!((server.text("status"), server.attributes.get("http.status_code")), (Some("unset"), None));
    let call = aborted.iter().flat_map(|claim| &claim.calls).next().expect("the query");
    assert_eq!((call.operation.as_str(), call.target.as_deref()), ("db.query", Some("postgresql")));
    let lambda = claims(parse(include_bytes!("../../../../tests/fixtures/otlp_traces/python-lambda.json")));
    assert!(lambda.iter().all(|claim| claim.function.as_ref().map(FunctionName::as_str) == Some("checkout")));
}

proptest! {
    /// Whatever comes: no panic, and every item has its fate.
    #[test]
    fn any_bytes_are_read(input in proptest::collection::vec(any::<u8>(), 0..300)) {
        let parsed = parse(&input);
        let blank = input.split(|byte| *byte == b'\n').filter(|line| line.iter().all(u8::is_ascii_whitespace)).count();
        prop_assert!((parsed.items.len() + blank) as u64 >= parsed.lines);
    }

    #[test]
    fn any_damage_to_a_request_is_survived(at in 0..400_usize, byte in any::<u8>()) {
        let mut input = include_bytes!("../../../../tests/fixtures/otlp_traces/python-gunicorn-21.2.0-aborted.pb").to_vec();
        let at = at % input.len();
        input[at] = byte;
        let _ = parse(&input);
    }
}

#[test]
fn blank_lines_count_as_lines() {
    let line = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"a"}]}]}]}"#;
    let parsed = parse(format!("{line}\n\n\n{line}\n").as_bytes());
    assert_eq!((parsed.lines, parsed.items.iter().map(|item| item.line).collect::<Vec<_>>()), (4, vec![1, 4]));
}
