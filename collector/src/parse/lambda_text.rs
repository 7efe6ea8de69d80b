//! AWS Lambda's text log format: the platform's own lines.
//!
//! ```text
//! START RequestId: 6f747a63-ce41-11e7-8cfe-3d61dad3d219 Version: $LATEST
//! END RequestId: 6f747a63-ce41-11e7-8cfe-3d61dad3d219
//! REPORT RequestId: 6f747a63-…⇥Duration: 3001.52 ms⇥Billed Duration: 3000 ms⇥Memory Size: 128 MB⇥Max Memory Used: 20 MB⇥
//! 2017-11-20T22:23:32.998Z 6f747a63-… Task timed out after 3.00 seconds
//! REPORT RequestId: …⇥Duration: 3000.00 ms⇥…⇥Status: timeout
//! ```
//!
//! Documented in AWS's "Understanding the Lambda execution environment lifecycle" and "Using CloudWatch logs with Lambda",
//! read in November 2026; what only its emulator or other writers print is noted where it is read. Only the first
//! characters of an event decide: applications log the same words.

use domain::{Claim, ClaimedOutcome, Confidence, Kind, KnownFrom, Layer, Limit, Millis, Product, RequestId, TraceId};

use super::lambda_report::Report;
use super::{Fate, Lines, RAW_BYTES_MAX, cut, lambda_app, lambda_fields, marks, times};
use crate::documented::default_of;

/// The format's name.
pub const FORMAT: &str = "lambda_text";

/// Of the platform's lines, and of those that code running there prints.
pub(super) const MARKS: marks::Declared = &[
    &lambda_app::MARKS,
    &["RequestId:", "INIT_START", "INIT_REPORT", "RESTORE_START", "RESTORE_REPORT", "EXTENSION", "Task timed out after ", "XRAY TraceId:"],
];

/// Names of the two fixed limits, as the limits table has them.
const INIT_SETTING: &str = "(fixed) init phase";
const RESTORE_SETTING: &str = "(fixed) SnapStart restore + afterRestore hooks";

/// The platform's lines, and those that code running there prints.
pub(super) const LINES: Lines = Lines { begins, read: |text| parse_event(text).map(fate).or_else(|| lambda_app::parse_event(text)) };

fn begins(line: &str) -> Option<usize> {
    let platform = ["START RequestId: ", "END RequestId: ", "REPORT RequestId: ", "RequestId: ", "INIT_", "RESTORE_", "[ERROR] "];
    let known = platform.iter().any(|words| line.starts_with(words))
        // Node's own lines, and the old timeout notice, begin with a time that is theirs.
        || line.contains("Task timed out after ") && parse_event(line).is_some()
        || line.split_once('\t').is_some_and(|(first, _)| first.starts_with('[') || times::rfc3339(first).is_some());
    known.then_some(0)
}

/// The platform's bookkeeping says nothing about a request by itself.
fn fate(claim: Claim) -> Fate {
    let bookkeeping =
        matches!(claim.kind, Kind::Subscription | Kind::LogsDropped) || matches!(claim.kind, Kind::Extension) && claim.outcome.is_none();
    if bookkeeping { Fate::Ignored(Box::new(claim)) } else { Fate::Evidence(Box::new(claim)) }
}

/// Reads one event; `None` when it is not one of the platform's lines.
#[must_use]
pub fn parse_event(text: &str) -> Option<Claim> {
    let report = Report::read(text).filter(|report| text[report.text.len()..].trim_end().is_empty());
    report.map(|report| report.claim()).or_else(|| any_layout(text))
}

/// The same, reports in AWS's own layout as all others.
pub(super) fn any_layout(text: &str) -> Option<Claim> {
    let text = text.trim_end();
    let first = text.lines().next()?;
    let claim = |kind| Claim { platform: Some(Product::AWS_LAMBDA), ..Claim::new(kind, FORMAT, cut(text, RAW_BYTES_MAX)) };
    match first.split_once([' ', '\t'])? {
        ("START", rest) => start(claim(Kind::InvocationStart), rest),
        ("END", rest) => end(claim(Kind::InvocationEnd), rest),
        ("REPORT", rest) => report(claim(Kind::InvocationReport), rest, text),
        ("INIT_START", rest) => Some(version_line(claim(Kind::InitStart), rest)?),
        ("RESTORE_START", rest) => Some(version_line(claim(Kind::RestoreStart), rest)?),
        ("INIT_REPORT", rest) => Some(init_report(lambda_fields::read(rest, claim(Kind::InitReport)))),
        ("RESTORE_REPORT", rest) => Some(restore_report(lambda_fields::read(rest, claim(Kind::RestoreReport)))),
        ("EXTENSION", rest) => named(claim(Kind::Extension), rest).map(extension),
        ("LOGS", rest) => named(claim(Kind::Subscription).with("api", "logs"), rest),
        ("TELEMETRY", rest) => named(claim(Kind::Subscription).with("api", "telemetry"), rest),
        ("XRAY", _) => first.starts_with("XRAY TraceId: ").then(|| xray(lambda_fields::read(first, claim(Kind::Xray)))),
        ("LOGS_DROPPED", rest) => Some(lambda_fields::read(rest, claim(Kind::LogsDropped))),
        ("RequestId:", rest) => fault(claim(Kind::Fault), rest, text),
        _ => timeout_notice(claim(Kind::TimeoutNotice), first),
    }
}

/// `RequestId: ID…`: the ID and what follows it.
fn request_id(rest: &str) -> Option<(RequestId, &str)> {
    id_word(rest.strip_prefix("RequestId:")?.trim_start_matches(' '))
}

fn id_word(text: &str) -> Option<(RequestId, &str)> {
    let end = text.find([' ', '\t']).unwrap_or(text.len());
    let (id, rest) = text.split_at(end);
    (!id.is_empty()).then(|| (RequestId::from(id), rest))
}

fn start(mut claim: Claim, rest: &str) -> Option<Claim> {
    let (id, rest) = request_id(rest)?;
    claim.request_id = Some(id);
    Some(lambda_fields::read(rest, claim))
}

/// Datadog's extension appends how it ended: `END RequestId: X Task timed out after 5.00 seconds`.
fn end(mut claim: Claim, rest: &str) -> Option<Claim> {
    let (id, rest) = request_id(rest)?;
    claim.request_id = Some(id);
    if let Some(elapsed) = timed_out_after(rest.trim_start()) {
        claim = timed_out(claim, elapsed);
    } else if let Some(failure) = rest.trim_start().strip_prefix("Task failed: \"") {
        claim.outcome = Some(ClaimedOutcome::Crash);
        claim = claim.with("error_type", failure.trim_end_matches('"'));
    }
    Some(claim)
}

fn report(mut claim: Claim, rest: &str, text: &str) -> Option<Claim> {
    let (id, _) = request_id(rest)?;
    claim.request_id = Some(id);
    // The X-Ray part is a second physical line of the same event.
    let claim = judged(lambda_fields::read(&text["REPORT ".len()..], claim));
    // The OpenTelemetry extension: `REPORT RequestId: X Runtime Duration: … ms Task timed out after 30.00 seconds`.
    Some(match text.find("Task timed out after ").and_then(|at| timed_out_after(&text[at..])) {
        Some(elapsed) => timed_out(claim.with("status", "timeout"), elapsed),
        None => claim,
    })
}

/// A report whose fields are read, with what they say together.
pub(super) fn judged(claim: Claim) -> Claim {
    let mut claim = xray(claim);
    let cold = |name: &str| claim.millis(name).is_some_and(|duration| duration > Millis::ZERO);
    let cold_start = cold("init_duration_ms") || cold("restore_duration_ms");
    let at_limit = claim.number("max_memory_used_mb").zip(claim.number("memory_size_mb")).is_some_and(|(used, size)| used >= size);
    claim = claim.with("cold_start", cold_start);
    if at_limit {
        claim = claim.with("memory_at_limit", true);
    }
    claim.elapsed_ms = claim.millis("duration_ms");
    if claim.text("status") == Some("timeout") {
        let elapsed = claim.elapsed_ms;
        claim.outcome = Some(ClaimedOutcome::Timeout);
        claim.limit = Some(timeout_limit(elapsed.map(Millis::floor_seconds)));
    } else if claim.text("status") == Some("error") {
        claim.outcome = Some(crash_outcome(claim.text("error_type")));
        if claim.outcome == Some(ClaimedOutcome::Timeout) {
            claim.limit = Some(timeout_limit(claim.elapsed_ms.map(Millis::floor_seconds)));
        }
    }
    claim
}

fn version_line(claim: Claim, rest: &str) -> Option<Claim> {
    rest.starts_with("Runtime Version:").then_some(())?;
    let claim = lambda_fields::read(rest, claim);
    let durable = claim.text("runtime_version").is_some_and(|version| version.contains("DurableFunction"));
    Some(if durable { claim.with("durable_function", true) } else { claim })
}

fn init_report(mut claim: Claim) -> Claim {
    // The OpenTelemetry extension calls it `Duration`.
    if let (None, Some(duration)) = (claim.millis("init_duration_ms"), claim.attributes.remove("duration_ms")) {
        claim.attributes.insert("init_duration_ms".to_owned(), duration);
    }
    claim.elapsed_ms = claim.millis("init_duration_ms");
    let invoke = claim.text("phase") == Some("invoke");
    match (claim.text("status"), claim.text("error_type")) {
        (Some("timeout"), _) if invoke => {
            claim.outcome = Some(ClaimedOutcome::InitTimeout);
            claim.limit = Some(timeout_limit(claim.elapsed_ms.map(Millis::floor_seconds)));
        }
        (Some("timeout"), _) => {
            claim.outcome = Some(ClaimedOutcome::InitTimeout);
            claim.limit = Some(init_limit(claim.elapsed_ms));
        }
        // The words for an init that the function timeout killed, and for much else: not decidable from this line.
        (Some("error"), Some("Runtime.Unknown")) if invoke => {}
        (Some("error"), _) => claim.outcome = Some(ClaimedOutcome::InitCrash),
        _ => {}
    }
    claim
}

fn restore_report(mut claim: Claim) -> Claim {
    claim.elapsed_ms = claim.millis("restore_duration_ms");
    if claim.text("status") == Some("timeout") {
        claim.outcome = Some(ClaimedOutcome::RestoreTimeout);
        claim.limit = Some(fixed_limit(RESTORE_SETTING));
    }
    claim
}

/// `EXTENSION⇥Name: metrics-agent⇥State: Ready⇥Events: [INVOKE, SHUTDOWN]`.
fn named(claim: Claim, rest: &str) -> Option<Claim> {
    let rest = rest.strip_prefix("Name: ")?;
    let (name, rest) = rest.split_once(['\t', ' '])?;
    Some(lambda_fields::read(rest, claim.with("name", name)))
}

fn extension(mut claim: Claim) -> Claim {
    if claim.text("error_type").is_some_and(|error| error.starts_with("Extension.")) {
        claim.outcome = Some(ClaimedOutcome::ExtensionCrash);
    }
    claim
}

fn xray(mut claim: Claim) -> Claim {
    claim.trace_id = claim.text("xray_trace_id").and_then(TraceId::parse);
    claim
}

/// The old style's crash lines, the emulator's `RequestId: X⇥Status: timeout⇥ErrorType: …`, and the new payload's
/// `RequestId: X Error: Task timed out after 1.00 seconds`.
fn fault(mut claim: Claim, rest: &str, text: &str) -> Option<Claim> {
    let (id, rest) = id_word(rest.trim_start_matches(' '))?;
    claim.request_id = Some(id);
    let rest = rest.trim_start();
    if rest.starts_with("Status: ") {
        let claim = lambda_fields::read(rest, claim);
        let outcome =
            if claim.text("status") == Some("timeout") { ClaimedOutcome::Timeout } else { crash_outcome(claim.text("error_type")) };
        return Some(Claim { outcome: Some(outcome), ..claim });
    }
    if rest == "Process exited before completing request" {
        claim.outcome = Some(ClaimedOutcome::Crash);
        return Some(claim);
    }
    let error = rest.strip_prefix("Error: ")?;
    if let Some(elapsed) = timed_out_after(error) {
        claim.kind = Kind::TimeoutNotice;
        return Some(timed_out(claim, elapsed));
    }
    let error_type = text.lines().nth(1).map(str::trim).filter(|line| is_error_type(line));
    // Applications write `RequestId: … Error: …` too; what the platform says is followed by its type or begins like this.
    let platforms = ["Runtime exited", "Runtime failed", "exit code", "exit status", "signal: ", "fork/exec"];
    if error_type.is_none() && !platforms.iter().any(|words| error.starts_with(words)) {
        return None;
    }
    if let Some(error_type) = error_type {
        claim = claim.with("error_type", error_type);
    }
    claim.outcome = Some(crash_outcome(error_type));
    if let Some(signal) = error.split_once("signal: ").map(|(_, signal)| signal.trim_end_matches(" (core dumped)")) {
        claim = claim.with("signal", signal);
        if signal == "killed" {
            claim.outcome = Some(ClaimedOutcome::OutOfMemory);
            claim.outcome_confidence = Some(Confidence::Likely);
        }
    } else if let Some(status) = error.rsplit_once("exit status ").and_then(|(_, status)| status.parse::<u32>().ok()) {
        claim = claim.with("exit_status", status);
    }
    Some(claim.with("message", error))
}

/// `Runtime.ExitError` and its like: a line by itself that names a fault.
#[must_use]
pub fn is_error_type(line: &str) -> bool {
    let families = ["Runtime.", "Extension.", "Function.", "Sandbox."];
    families
        .iter()
        .any(|family| line.strip_prefix(family).is_some_and(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric())))
}

fn crash_outcome(error_type: Option<&str>) -> ClaimedOutcome {
    match error_type {
        Some("Runtime.OutOfMemory") => ClaimedOutcome::OutOfMemory,
        Some("Sandbox.Timedout" | "Sandbox.Timeout") => ClaimedOutcome::Timeout,
        Some(error) if error.starts_with("Extension.") => ClaimedOutcome::ExtensionCrash,
        _ => ClaimedOutcome::Crash,
    }
}

/// `<iso> <id> Task timed out after 3.00 seconds`, the same without time and ID (an invoke payload's words), and Vercel's.
fn timeout_notice(mut claim: Claim, first: &str) -> Option<Claim> {
    if let Some(elapsed) = timed_out_after(first) {
        return Some(timed_out(claim, elapsed));
    }
    if let Some(elapsed) = first.strip_prefix("Vercel Runtime Timeout Error: ").and_then(elapsed_seconds) {
        let value_ms = Some(elapsed.floor_seconds());
        claim.platform = Some(Product::from("vercel"));
        claim.elapsed_ms = Some(elapsed);
        claim.outcome = Some(ClaimedOutcome::Timeout);
        claim.limit = Some(Limit { product: Product::from("vercel"), setting: "maxDuration".to_owned(), value_ms, ..timeout_limit(None) });
        return Some(claim);
    }
    let (at, rest) = first.split_once(' ')?;
    let (id, rest) = rest.split_once(' ').filter(|(id, _)| is_uuid(id))?;
    let elapsed = timed_out_after(rest)?;
    claim.observed_at = Some(times::rfc3339(at)?);
    claim.request_id = Some(RequestId::from(id));
    Some(timed_out(claim, elapsed))
}

/// `Task timed out after 3.00 seconds` and nothing after it: the platform always writes two places.
fn timed_out_after(text: &str) -> Option<Millis> {
    let two_places =
        text.trim_end().strip_suffix(" seconds").and_then(|text| text.rsplit_once('.')).is_some_and(|(_, places)| places.len() == 2);
    elapsed_seconds(text).filter(|_| two_places)
}

fn elapsed_seconds(text: &str) -> Option<Millis> {
    let seconds = text.strip_prefix("Task timed out after ")?.trim_end().strip_suffix(" seconds")?;
    Millis::parse_seconds(seconds)
}

/// The form of the platform's own IDs, whatever their version: a level in that place is an application's line.
fn is_uuid(text: &str) -> bool {
    let groups = [8, 4, 4, 4, 12];
    let mut parts = text.split('-');
    groups.iter().all(|length| parts.next().is_some_and(|part| part.len() == *length && part.bytes().all(|b| b.is_ascii_hexdigit())))
        && parts.next().is_none()
}

fn timed_out(mut claim: Claim, elapsed: Millis) -> Claim {
    // What is printed is the time elapsed; limits are whole seconds.
    claim.elapsed_ms = Some(elapsed);
    claim.outcome = Some(ClaimedOutcome::Timeout);
    claim.limit = Some(timeout_limit(Some(elapsed.floor_seconds())));
    claim
}

pub(super) fn timeout_limit(value_ms: Option<Millis>) -> Limit {
    let setting = "Timeout".to_owned();
    // The shortest is a second.
    let value_ms = value_ms.filter(|value| *value > Millis::ZERO);
    Limit { layer: Layer::Platform, product: Product::AWS_LAMBDA, setting, value_ms, known_from: KnownFrom::Claimed, place: None }
}

/// The limit of the init phase. With provisioned concurrency, for a SnapStart snapshot and on Managed Instances it is another,
/// which no line names; that is seen from an init that took longer than the usual one lasts (12 s; up to 10.4 s were printed).
pub(super) fn init_limit(elapsed: Option<Millis>) -> Limit {
    let limit = fixed_limit(INIT_SETTING);
    let usual = elapsed.is_none_or(|elapsed| elapsed < Millis::from_ms(12_000));
    if usual { limit } else { Limit { value_ms: None, known_from: KnownFrom::Claimed, ..limit } }
}

/// The limit of restoring a snapshot.
pub(super) fn restore_limit() -> Limit {
    fixed_limit(RESTORE_SETTING)
}

fn fixed_limit(setting: &str) -> Limit {
    let value = default_of(Product::AWS_LAMBDA.as_str(), setting);
    Limit { setting: setting.to_owned(), known_from: KnownFrom::Default, ..timeout_limit(Some(value)) }
}

#[cfg(test)]
mod tests;
