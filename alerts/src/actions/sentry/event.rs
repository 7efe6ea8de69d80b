//! The event: the verdict as an exception, the stuck stack as its frames, the problem as its fingerprint.
//!
//! <https://develop.sentry.dev/sdk/foundations/transport/event-payloads/>, read 2026-11-27: frames stand oldest first, tags hold 200
//! characters, a message 8 KiB.

use std::borrow::Cow;
use std::collections::BTreeMap;

use domain::{Frame as OurFrame, Incident, Outcome, StackSample};
use sentry_types::Uuid;
use sentry_types::protocol::v7::{
    Breadcrumb, ClientSdkInfo, Context, Event, Exception, Frame, Level, Map, Mechanism, SpanStatus, Stacktrace, TraceContext, Value,
};

use crate::notification::Notification;
use crate::text::one_line;
use crate::view::View;

/// Longest value of a tag, in characters.
const TAG_CHARS_MAX: usize = 200;
/// Longest message, in characters.
const VALUE_CHARS_MAX: usize = 2_000;
/// Most frames: the innermost ones.
const FRAMES_MAX: usize = 100;

/// Makes the event: the same for every attempt at one delivery.
pub(super) fn of(notification: &Notification, environment: Option<&str>) -> Event<'static> {
    let incident = &notification.incident;
    let view = View::of(notification);
    let function = incident.function.as_ref().map(|function| one_line(function.as_str(), TAG_CHARS_MAX));
    let fingerprint: Vec<Cow<'static, str>> = vec!["overrun".into(), incident.problem.as_str().to_owned().into()];
    let breadcrumbs: Vec<Breadcrumb> = incident
        .diagnosis
        .evidence
        .iter()
        .zip(&view.evidence)
        .filter_map(|(claim, line)| {
            let (timestamp, message) = (claim.at?.into(), Some(one_line(&line.text, VALUE_CHARS_MAX)));
            Some(Breadcrumb { timestamp, category: Some(line.format.clone()), message, ..Breadcrumb::default() })
        })
        .collect();
    Event {
        event_id: event_id(&notification.delivery_id),
        level: level(incident),
        fingerprint: fingerprint.into(),
        platform: platform(incident).into(),
        timestamp: incident.at().unwrap_or(notification.created_at).into(),
        logger: Some("overrun".to_owned()),
        transaction: function.clone(),
        server_name: incident.instance.as_ref().map(|instance| one_line(instance.as_str(), TAG_CHARS_MAX).into()),
        environment: environment.map(|name| name.to_owned().into()),
        exception: vec![exception(incident, view.verdict.clone())].into(),
        breadcrumbs: breadcrumbs.into(),
        tags: tags(incident, &view.rule),
        contexts: contexts(notification, &view),
        sdk: Some(Cow::Owned(ClientSdkInfo {
            name: "overrun".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            integrations: Vec::new(),
            packages: Vec::new(),
        })),
        ..Event::default()
    }
}

/// The delivery's 32 hex digits; a digest of it should it ever be something else.
fn event_id(delivery_id: &str) -> Uuid {
    Uuid::parse_str(delivery_id).unwrap_or_else(|_| {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&blake3::hash(delivery_id.as_bytes()).as_bytes()[..16]);
        Uuid::from_bytes(bytes)
    })
}

fn level(incident: &Incident) -> Level {
    match (incident.state, incident.outcome) {
        (domain::IncidentState::Survived, _) | (_, Outcome::NearMiss) => Level::Warning,
        _ => Level::Error,
    }
}

/// What Sentry shows an event's language by: told by the files of the stack.
fn platform(incident: &Incident) -> &'static str {
    let mut files = incident.stack_sample.iter().flat_map(|sample| &sample.frames).filter_map(|frame| frame.file.as_deref());
    let suffixes =
        [(".py", "python"), (".js", "node"), (".mjs", "node"), (".cjs", "node"), (".ts", "node"), (".rb", "ruby"), (".php", "php")];
    let told = |file: &str| suffixes.iter().find(|(suffix, _)| file.ends_with(suffix)).map(|(_, platform)| *platform);
    files.find_map(told).unwrap_or("other")
}

fn exception(incident: &Incident, verdict: String) -> Exception {
    let kind = match incident.outcome {
        Outcome::Timeout => "FunctionTimeout",
        Outcome::InitTimeout => "InitTimeout",
        Outcome::OutOfMemory => "OutOfMemory",
        Outcome::Crash => "FunctionCrash",
        Outcome::DroppedAtShutdown => "DroppedAtShutdown",
        Outcome::CallerLeft => "CallerLeft",
        Outcome::NearMiss => "NearMiss",
        Outcome::Ok => "Survived",
    };
    let mechanism = Mechanism { ty: "overrun".to_owned(), handled: Some(false), ..Mechanism::default() };
    let stacktrace = incident.stack_sample.as_ref().map(stacktrace);
    Exception { ty: kind.to_owned(), value: Some(verdict), mechanism: Some(mechanism), stacktrace, ..Exception::default() }
}

fn stacktrace(sample: &StackSample) -> Stacktrace {
    let outermost = sample.frames.len().saturating_sub(FRAMES_MAX);
    Stacktrace { frames: sample.frames[outermost..].iter().map(frame).collect(), ..Stacktrace::default() }
}

fn frame(frame: &OurFrame) -> Frame {
    let libraries = ["site-packages", "dist-packages", "node_modules", "/lib/python", "node:", "<frozen", "/gems/", "/vendor/"];
    let file = frame.file.as_ref().map(|file| one_line(file, VALUE_CHARS_MAX));
    let in_app = file.as_ref().map(|file| !libraries.iter().any(|part| file.contains(part)));
    let filename = file.as_ref().map(|file| file.rsplit('/').next().unwrap_or(file).to_owned());
    let function = Some(one_line(&frame.function, TAG_CHARS_MAX));
    Frame { function, filename, abs_path: file, lineno: frame.line.map(u64::from), in_app, ..Frame::default() }
}

/// What people search by; what is not known is left out.
fn tags(incident: &Incident, rule: &str) -> Map<String, String> {
    let diagnosis = &incident.diagnosis;
    let tags = [
        ("function", incident.function.as_ref().map(domain::FunctionName::as_str)),
        ("stack", Some(incident.stack.as_str())),
        ("request_id", incident.request_id.as_ref().map(domain::RequestId::as_str)),
        ("outcome", Some(incident.outcome.as_str())),
        ("state", Some(incident.state.as_str())),
        ("layer", diagnosis.layer.map(domain::Layer::as_str)),
        ("product", diagnosis.product.as_ref().map(domain::Product::as_str)),
        ("setting", diagnosis.limit.as_ref().map(|limit| limit.setting.as_str())),
        ("cause", Some(diagnosis.cause.id.as_str())),
        ("in_flight", diagnosis.cause.operation.as_deref()),
        ("confidence", Some(diagnosis.confidence.as_str())),
        ("rule", Some(rule)),
    ];
    let known = tags.into_iter().filter_map(|(name, value)| Some((name.to_owned(), one_line(value?, TAG_CHARS_MAX))));
    known.filter(|(_, value)| !value.is_empty()).collect()
}

fn contexts(notification: &Notification, view: &View) -> Map<String, Context> {
    let incident = &notification.incident;
    let mut own: BTreeMap<String, Value> = view.fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into())).collect();
    own.insert("What to change".to_owned(), view.advice.clone().into());
    own.insert("Why we say so".to_owned(), view.reasons.clone().into());
    own.insert("Incident".to_owned(), notification.link.clone().into());
    let mut contexts = Map::from_iter([("overrun".to_owned(), Context::Other(own))]);
    if let Some(trace_id) = incident.trace_id.as_ref().and_then(|id| id.as_str().parse().ok()) {
        let status = (incident.outcome == Outcome::Timeout).then_some(SpanStatus::DeadlineExceeded);
        let trace = TraceContext { trace_id, status, op: Some("function".to_owned()), ..TraceContext::default() };
        contexts.insert("trace".to_owned(), Context::Trace(Box::new(trace)));
    }
    contexts
}
