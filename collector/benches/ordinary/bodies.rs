//! Lines that are nobody's as transports bring them: one body each.

use std::fmt::Write as _;
use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use collector::parse::Format;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message as _;
use serde_json::{Value, json};

/// What a transport delivers at once.
pub struct Body {
    /// Whose.
    pub name: &'static str,
    /// As what it is read.
    pub format: Format,
    pub bytes: Vec<u8>,
}

/// Milliseconds since 1970.
const AT: u64 = 1_795_341_600_123;

/// These lines in a body of each transport.
pub fn bodies(lines: &[String]) -> Vec<Body> {
    let body = |name, format, bytes| Body { name, format, bytes };
    let text = |line: &dyn Fn(&str) -> String| lines.iter().map(|text| line(text)).collect::<String>().into_bytes();
    let json_lines = |record: &dyn Fn(&str) -> Value| text(&|line| record(line).to_string() + "\n");
    let json_array = |record: &dyn Fn(&str) -> Value| lines.iter().map(|line| record(line)).collect::<Value>().to_string().into_bytes();
    let fluent_bit =
        |line: &str| json!({ "date": 1_795_341_600.123, "log": line, "stream": "stdout", "kubernetes": { "pod_name": "shop-7d9f" } });
    let function = |line: &str| json!({ "time": "2026-11-22T10:00:00.123Z", "type": "function", "record": format!("{line}\n") });
    vec![
        body("syslog", Format::Syslog, text(&|line| format!("<14>1 2026-11-22T10:00:00.123456Z web-1 shop 77 - - {line}\n"))),
        body(
            "syslog, data",
            Format::Syslog,
            text(&|line| format!("<14>1 2026-11-22T10:00:00.123456Z web-1 shop 77 - [timeQuality tzKnown=\"1\" isSynced=\"1\"] {line}\n")),
        ),
        body(
            "syslog, as rsyslog passes on",
            Format::Syslog,
            text(&|line| format!("<14>1 2026-11-22T10:00:00.123456Z web-1 shop 77 - - {}\n", line.replace('\t', "#011"))),
        ),
        body(
            "logplex",
            Format::Logplex,
            text(&|line| counted(&format!("<190>1 2026-11-22T10:00:00.123456+00:00 host app web.1 - {line}\n"))),
        ),
        body("loki, JSON", Format::Loki, loki_json(lines)),
        body("loki, protobuf", Format::Loki, loki_protobuf(lines)),
        body("cloudwatch", Format::Cloudwatch, cloudwatch(lines).into_bytes()),
        body("firehose, of cloudwatch", Format::Firehose, firehose([zipped(&cloudwatch(lines))])),
        body("firehose, a line each", Format::Firehose, firehose(lines.iter().map(|line| format!("{line}\n").into_bytes()))),
        body("lambda_telemetry", Format::LambdaTelemetry, json_array(&function)),
        body("otlp_logs", Format::OtlpLogs, otlp_logs(lines)),
        body("journald", Format::Journald, json_lines(&journal)),
        body("journald, export", Format::Journald, text(&|line| export(&journal(line)))),
        body(
            "docker",
            Format::Docker,
            json_lines(&|line| json!({ "log": format!("{line}\n"), "stream": "stdout", "time": "2026-11-22T10:00:00.123456789Z" })),
        ),
        body("cri", Format::Cri, text(&|line| format!("2026-11-22T10:00:00.123456789Z stdout F {line}\n"))),
        body(
            "json_lines",
            Format::JsonLines,
            json_lines(&|line| json!({ "message": line, "timestamp": "2026-11-22T10:00:00.123Z", "host": "web-1", "source_type": "file" })),
        ),
        body("json_lines, an array", Format::JsonLines, json_array(&fluent_bit)),
        body("json_lines, a stream", Format::JsonLines, text(&|line| fluent_bit(line).to_string())),
        body("aws_logs", Format::AwsLogs, text(&|line| format!("2026-11-22T10:00:00.123000+00:00 2026/11/22/[$LATEST]1bd7 {line}\n"))),
    ]
}

fn counted(message: &str) -> String {
    format!("{} {message}", message.len())
}

fn cloudwatch(lines: &[String]) -> String {
    let events: Value = lines.iter().map(|line| json!({ "id": "38480", "timestamp": AT, "message": format!("{line}\n") })).collect();
    let message = json!({
        "messageType": "DATA_MESSAGE", "owner": "111122223333", "logGroup": "/aws/lambda/pay", "logStream": "2026/11/22/[$LATEST]1bd7",
        "subscriptionFilters": ["overrun"], "logEvents": events,
    });
    message.to_string()
}

fn zipped(text: &str) -> Vec<u8> {
    let mut zipped = Vec::new();
    flate2::read::GzEncoder::new(text.as_bytes(), flate2::Compression::fast()).read_to_end(&mut zipped).expect("memory");
    zipped
}

fn firehose(records: impl IntoIterator<Item = Vec<u8>>) -> Vec<u8> {
    let records: Value = records.into_iter().map(|record| json!({ "data": STANDARD.encode(record) })).collect();
    json!({ "requestId": "ad91", "timestamp": AT, "records": records }).to_string().into_bytes()
}

fn loki_json(lines: &[String]) -> Vec<u8> {
    let values: Value = lines.iter().map(|line| json!([format!("{AT}000000"), line, { "level": "info" }])).collect();
    json!({ "streams": [{ "stream": { "job": "shop", "pod": "shop-7d9f" }, "values": values }] }).to_string().into_bytes()
}

fn loki_protobuf(lines: &[String]) -> Vec<u8> {
    let mut stream = field(1, br#"{job="shop", pod="shop-7d9f"}"#);
    // Seconds and nanoseconds, a length of their own before them.
    let at = [&[8_u8][..], &varint(AT / 1000), &[16], &varint(123_000_000)].concat();
    let metadata = [field(1, b"level"), field(2, b"info")].concat();
    for line in lines {
        stream.extend(field(2, &[field(1, &at), field(2, line.as_bytes()), field(3, &metadata)].concat()));
    }
    snap::raw::Encoder::new().compress_vec(&field(1, &stream)).expect("memory")
}

/// A field of protobuf that has a length.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2][..], &varint(bytes.len() as u64), bytes].concat()
}

fn varint(number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    prost::encoding::encode_varint(number, &mut bytes);
    bytes
}

fn otlp_logs(lines: &[String]) -> Vec<u8> {
    let text = |text: &str| AnyValue { value: Some(any_value::Value::StringValue(text.to_owned())) };
    let pair = |key: &str, value: &str| KeyValue { key: key.to_owned(), value: Some(text(value)), ..KeyValue::default() };
    let record = |line: &String| LogRecord {
        time_unix_nano: AT * 1_000_000,
        severity_number: 9,
        severity_text: "INFO".to_owned(),
        body: Some(text(line)),
        attributes: vec![pair("log.file.name", "shop.log"), pair("thread.name", "worker-7")],
        ..LogRecord::default()
    };
    let scope = InstrumentationScope { name: "shop".to_owned(), ..InstrumentationScope::default() };
    let logs = ScopeLogs { scope: Some(scope), log_records: lines.iter().map(record).collect(), ..ScopeLogs::default() };
    let attributes = vec![pair("service.name", "shop"), pair("host.name", "web-1"), pair("k8s.pod.name", "shop-7d9f")];
    let resource = Resource { attributes, ..Resource::default() };
    let resource_logs = vec![ResourceLogs { resource: Some(resource), scope_logs: vec![logs], ..ResourceLogs::default() }];
    ExportLogsServiceRequest { resource_logs }.encode_to_vec()
}

fn journal(line: &str) -> Value {
    json!({
        "__REALTIME_TIMESTAMP": "1795341600123000", "_HOSTNAME": "web-1", "SYSLOG_IDENTIFIER": "shop",
        "_SYSTEMD_UNIT": "shop.service", "_PID": "77", "PRIORITY": "6", "MESSAGE": line,
    })
}

fn export(entry: &Value) -> String {
    let mut text = "__CURSOR=s=25fa84e7;i=1\n".to_owned();
    for (name, value) in entry.as_object().into_iter().flatten() {
        writeln!(text, "{name}={}", value.as_str().unwrap_or_default()).expect("memory");
    }
    text + "\n"
}
