//! `telemetry_overhead`: an extension or an exporter ate the budget; ours is no exception.
//!
//! Looks at: Lambda's word that the runtime was done while the invocation went on until its limit, which only extensions
//! can do; a call that covers most of the time and goes to a collector; a stack that stands in an exporter. Conclusive,
//! because neither is the user's work. Looks the same: a handler that left its event loop busy (`event_loop_not_empty`);
//! then the runtime was not done.
//! What to change: export in the background with a short limit, or drop what cannot be sent.

use domain::{Advice, ClaimedOutcome, Confidence, Evidence, Kind, Millis, Outcome, Product};

use super::waiting_on_downstream::waited_for;
use super::{Calls, Recognised, stack};
use crate::correlate::Case;
use crate::diagnose::advice::plain;
use crate::diagnose::firing::Firing;
use crate::diagnose::{cite, cite_all};

/// A runtime that was done this long before the end was not what the limit struck.
const AFTER_MIN: Millis = Millis::from_ms(250);
/// Ports that collectors listen on: OTLP (and ours), X-Ray's daemon, Datadog's agent, Zipkin.
const PORTS: [&str; 5] = [":4317", ":4318", ":2000", ":8126", ":9411"];
/// Paths and names that only telemetry is sent to.
const NAMES: [&str; 9] = [
    "/v1/traces",
    "/v1/metrics",
    "/v1/logs",
    "/v1/watchdog",
    "TraceService/Export",
    "MetricsService/Export",
    "LogsService/Export",
    "ingest.sentry.io",
    "/api/v0.2/traces",
];
/// Parts of the files in which exporters live, ours among them.
const FILES: [&str; 9] = [
    "opentelemetry/sdk/",
    "opentelemetry/exporter/",
    "@opentelemetry/",
    "ddtrace/",
    "dd-trace/",
    "sentry_sdk/",
    "newrelic/",
    "aws_xray_sdk/",
    "overrun_watchdog/",
];

/// Recognises the cause.
pub fn recognise(case: &Case<'_>, firing: &Firing, calls: &Calls<'_>) -> Option<Recognised> {
    if !matches!(firing.outcome, Outcome::Timeout | Outcome::CallerLeft | Outcome::NearMiss) {
        return None;
    }
    in_an_extension(case, firing).or_else(|| in_a_call(calls)).or_else(|| in_a_stack(case))
}

/// The runtime had answered; only extensions keep an invocation open after that.
fn in_an_extension(case: &Case<'_>, firing: &Firing) -> Option<Recognised> {
    if firing.product.as_ref() != Some(&Product::AWS_LAMBDA) || firing.outcome != Outcome::Timeout {
        return None;
    }
    let done = case.all(Kind::RuntimeDone).find(|one| one.claim.outcome == Some(ClaimedOutcome::Success))?;
    let rest = by_durations(case, done).or_else(|| {
        let ended = case.first(Kind::InvocationReport).and_then(|one| one.claim.observed_at).or(firing.at)?;
        Some(Millis::between(done.claim.observed_at?, ended))
    });
    let rest = rest.filter(|rest| *rest >= AFTER_MIN)?;
    let report: Vec<&Evidence> = [done].into_iter().chain(case.first(Kind::InvocationReport)).collect();
    let found = Recognised { waited_ms: Some(rest), hidden_by_more_time: Some("the extension"), ..Recognised::new(Confidence::Likely) };
    let text = format!("the runtime was done with success {rest} before the invocation was ended: an extension had not finished");
    Some(found.because(text, cite_all(report)).change(advice()).says(format!("an extension took the last {rest}")))
}

/// The invocation's duration less the runtime's.
fn by_durations(case: &Case<'_>, done: &Evidence) -> Option<Millis> {
    let whole = case.first(Kind::InvocationReport)?.claim.elapsed_ms?;
    Some(whole.minus(done.claim.elapsed_ms?))
}

fn in_a_call(calls: &Calls<'_>) -> Option<Recognised> {
    let (made, whole) = calls.longest()?;
    let spoken = made.spoken();
    let name = made.told.claim.text("name").unwrap_or_default();
    let is_exporters = |text: &str| NAMES.iter().any(|name| text.contains(name)) || PORTS.iter().any(|port| text.ends_with(port));
    if !is_exporters(&spoken) && !is_exporters(name) {
        return None;
    }
    let found = waited_for(&made, whole).change(advice());
    let why = format!("{} went into sending telemetry ({spoken})", made.wait());
    Some(Recognised { hidden_by_more_time: Some("the exporter"), ..found }.says(why))
}

fn in_a_stack(case: &Case<'_>) -> Option<Recognised> {
    let sample = stack::samples(case).into_iter().next()?;
    // An instrumentation wraps the user's calls and so lies above them; an exporter lies below all that is the user's.
    let below = sample.stack.frames.iter().rev().take_while(|frame| !stack::is_own(frame));
    let is_exporters = |file: &str| FILES.iter().any(|part| file.contains(part)) && file.contains("export");
    below.into_iter().find(|frame| frame.file.as_deref().is_some_and(is_exporters))?;
    let found = Recognised { hidden_by_more_time: Some("the exporter"), ..Recognised::new(Confidence::Likely) };
    let text = format!("{}, inside an exporter of telemetry", sample.spoken());
    Some(found.because(text, vec![cite(sample.told)]).change(advice()).says("it was sending telemetry"))
}

fn advice() -> Advice {
    plain(
        "tame_telemetry",
        "Send telemetry in the background and in batches, give its exporter a timeout well below the function's (`OTEL_EXPORTER_OTLP_TIMEOUT`, in ms), and let it drop what it cannot send. Look at where it sends to: an unreachable collector looks like this.",
    )
}
