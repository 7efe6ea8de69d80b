//! The JSON encoding of logs.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::logs::v1 as proto;
use serde::{Deserialize, Deserializer};

use super::{AnyValue, Id, KeyValue, Resource, Scope, U64, all, number_or_name, or_default};

/// `ExportLogsServiceRequest`, or `LogsData`: the same shape.
#[derive(Deserialize)]
pub struct Request {
    #[serde(default, rename = "resourceLogs", alias = "resource_logs", deserialize_with = "or_default")]
    resource_logs: Vec<ResourceLogs>,
}

#[derive(Deserialize)]
struct ResourceLogs {
    #[serde(default, deserialize_with = "or_default")]
    resource: Resource,
    #[serde(default, rename = "scopeLogs", alias = "scope_logs", alias = "instrumentationLibraryLogs", deserialize_with = "or_default")]
    scope_logs: Vec<ScopeLogs>,
}

#[derive(Deserialize)]
struct ScopeLogs {
    #[serde(default, alias = "instrumentationLibrary", deserialize_with = "or_default")]
    scope: Scope,
    #[serde(default, rename = "logRecords", alias = "log_records", alias = "logs", deserialize_with = "or_default")]
    log_records: Vec<LogRecord>,
}

#[derive(Deserialize)]
struct LogRecord {
    #[serde(default, rename = "timeUnixNano", alias = "time_unix_nano")]
    time_unix_nano: U64,
    #[serde(default, rename = "observedTimeUnixNano", alias = "observed_time_unix_nano")]
    observed_time_unix_nano: U64,
    #[serde(default, rename = "severityNumber", alias = "severity_number", deserialize_with = "severity")]
    severity_number: i32,
    #[serde(default, rename = "severityText", alias = "severity_text", deserialize_with = "or_default")]
    severity_text: String,
    #[serde(default)]
    body: Option<AnyValue>,
    #[serde(default, deserialize_with = "or_default")]
    attributes: Vec<KeyValue>,
    #[serde(default, rename = "traceId", alias = "trace_id")]
    trace: Id<16>,
    #[serde(default, rename = "spanId", alias = "span_id")]
    span: Id<8>,
    #[serde(default, rename = "eventName", alias = "event_name", deserialize_with = "or_default")]
    event_name: String,
}

fn severity<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
    number_or_name(deserializer, |name| proto::SeverityNumber::from_str_name(name).map(Into::into))
}

impl From<Request> for ExportLogsServiceRequest {
    fn from(request: Request) -> Self {
        Self { resource_logs: all(request.resource_logs) }
    }
}

impl From<ResourceLogs> for proto::ResourceLogs {
    fn from(logs: ResourceLogs) -> Self {
        Self { resource: Some(logs.resource.into()), scope_logs: all(logs.scope_logs), ..Self::default() }
    }
}

impl From<ScopeLogs> for proto::ScopeLogs {
    fn from(logs: ScopeLogs) -> Self {
        Self { scope: Some(logs.scope.into()), log_records: all(logs.log_records), ..Self::default() }
    }
}

impl From<LogRecord> for proto::LogRecord {
    fn from(record: LogRecord) -> Self {
        Self {
            time_unix_nano: record.time_unix_nano.0,
            observed_time_unix_nano: record.observed_time_unix_nano.0,
            severity_number: record.severity_number,
            severity_text: record.severity_text,
            body: record.body.map(Into::into),
            attributes: all(record.attributes),
            trace_id: record.trace.0,
            span_id: record.span.0,
            event_name: record.event_name,
            ..Self::default()
        }
    }
}
