//! What the tests of the pure half share: fixtures, evidence from text, verdicts as text.

use std::path::{Path, PathBuf};

use collector::correlate::Knowledge;
use collector::explain::{Input, Report, explain};
use collector::parse::{Context, Fate, Format};
use domain::{Evidence, Incident, Origin, SourceName, StackName};
use jiff::Timestamp;

/// A moment after everything that fixtures tell of.
pub const LATER: &str = "2026-12-24T00:00:00Z";

pub fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

pub fn fixture_path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures").join(name)
}

pub fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(fixture_path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Limits as a Procfile with these options gives them.
pub fn gunicorn_with(options: &str) -> Knowledge {
    let limits = collector::limits::read("Procfile", &format!("web: gunicorn app:app {options}")).expect("a Procfile");
    Knowledge { limits, ..Knowledge::default() }
}

/// `overrun explain` on one input.
pub fn explained(name: &str, bytes: &[u8], knowledge: &Knowledge) -> Report {
    explain(&[Input { name, bytes }], Format::Auto, knowledge, at(LATER))
}

pub fn explained_text(text: &str) -> Vec<Incident> {
    explained("app.log", text.as_bytes(), &Knowledge::default()).incidents
}

/// Evidence of a text that arrived over the network: no file to cite.
pub fn evidence(text: &str) -> Vec<Evidence> {
    evidence_of(text.as_bytes(), None)
}

/// Evidence of an input, as if it stood in that file.
pub fn evidence_of(bytes: &[u8], file: Option<&str>) -> Vec<Evidence> {
    let parsed = Format::Auto.parse(bytes, &Context::default());
    let found = parsed.items.into_iter().filter_map(|item| match item.fate {
        Fate::Evidence(claim) => Some(Evidence {
            stack: StackName::default(),
            source: SourceName::from("test"),
            received_at: at(LATER),
            origin: file.map(|file| Origin { file: file.to_owned(), line: item.line }),
            claim: *claim,
        }),
        Fate::Ignored(_) | Fate::Passed(_) | Fate::Rejected(_) => None,
    });
    found.collect()
}

/// `timeout confirmed certain platform aws_lambda Timeout 3000`: what a verdict says, `-` for what it does not.
pub fn verdict(incident: &Incident) -> String {
    let diagnosis = &incident.diagnosis;
    let limit = diagnosis.limit.as_ref();
    let words = [
        incident.outcome.as_str(),
        incident.state.as_str(),
        diagnosis.confidence.as_str(),
        diagnosis.layer.map_or("-", domain::Layer::as_str),
        diagnosis.product.as_ref().map_or("-", domain::Product::as_str),
        limit.map_or("-", |limit| &limit.setting),
    ];
    let value = limit.and_then(|limit| limit.value_ms).map_or_else(|| "-".to_owned(), |value| value.as_ms_f64().to_string());
    format!("{} {value}", words.join(" "))
}

pub fn verdicts(incidents: &[Incident]) -> Vec<String> {
    incidents.iter().map(verdict).collect()
}

/// The one incident there is.
pub fn only(incidents: Vec<Incident>) -> Incident {
    assert_eq!(incidents.len(), 1, "{:#?}", verdicts(&incidents));
    incidents.into_iter().next().expect("one")
}

/// The lines that a verdict cites.
pub fn cited(incident: &Incident) -> Vec<u64> {
    incident.diagnosis.evidence.iter().filter_map(|citation| citation.line).collect()
}

/// One span as OTLP's JSON, times in milliseconds after 12:00:00.
pub struct Span<'a> {
    pub service: &'a str,
    pub trace: &'a str,
    pub id: &'a str,
    pub parent: &'a str,
    /// 2 server, 3 client.
    pub kind: u8,
    pub from_ms: u64,
    /// 0: it never ended.
    pub to_ms: u64,
    pub failed: bool,
    pub attributes: &'a [(&'a str, &'a str)],
}

/// 12:00:00 in nanoseconds since 1970.
const NOON_NS: u64 = 1_795_348_800_000_000_000;

impl Span<'_> {
    /// A log record that carries this span, sent at that moment: `heartbeat` or `stop`, one line.
    pub fn partial(&self, event: &str, at_ms: u64, every_ms: u64) -> String {
        let attribute = |key: &str, value: &str| serde_json::json!({"key": key, "value": {"stringValue": value}});
        let frequency = format!("{every_ms}ms");
        let attributes = [("partial.event", event), ("partial.frequency", frequency.as_str()), ("partial.body.type", "json/v1")];
        let record = serde_json::json!({
            "timeUnixNano": (NOON_NS + at_ms * 1_000_000).to_string(), "body": {"stringValue": self.line().trim_end()},
            "attributes": attributes.map(|(key, value)| attribute(key, value)),
        });
        format!("{}\n", serde_json::json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}))
    }

    /// The export request of this span alone, one line.
    pub fn line(&self) -> String {
        let nanos = |ms: u64| if ms == 0 { "0".to_owned() } else { (NOON_NS + ms * 1_000_000).to_string() };
        let attribute = |(key, value): &(&str, &str)| serde_json::json!({"key": key, "value": {"stringValue": value}});
        let span = serde_json::json!({
            "traceId": self.trace, "spanId": self.id, "parentSpanId": self.parent, "name": self.service, "kind": self.kind,
            "startTimeUnixNano": nanos(self.from_ms.max(1)), "endTimeUnixNano": nanos(self.to_ms),
            "status": {"code": if self.failed { 2 } else { 0 }},
            "attributes": self.attributes.iter().map(attribute).collect::<Vec<_>>(),
        });
        let resource = serde_json::json!({"attributes": [attribute(&("service.name", self.service))]});
        format!("{}\n", serde_json::json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]}))
    }
}
