//! OpenFaaS's of-watchdog: its log on stderr, versions 0.8.4 to 0.11.6.
//!
//! ```text
//! 2026/11/22 12:07:59 Timeouts: read: 10s write: 10s hard: 2s health: 1s
//! 2026/11/22 12:08:02 Upstream HTTP request error: Get "http://127.0.0.1:5000/orders/7": context deadline exceeded
//! 2026/11/22 12:08:02 Upstream HTTP killed due to exec_timeout: 2s
//! 2026/11/22 12:13:36 GET /jobs/3?sleep=6 - 200 - ContentLength: 14B (2.0016s)
//! 2026/11/22 12:13:36 signal: killed
//! ```
//!
//! The second line of such a pair is printed whatever ended the request: the first one says what did. Written from the
//! program's source and runs of it, see `docs/formats/of_watchdog.md`.

use domain::{Claim, ClaimedOutcome, Kind, KnownFrom, Layer, Limit, Millis, Product, RequestId};
use jiff::Timestamp;

use super::openfaas::{self, Program, evidence};
use super::{Fate, Lines, go, marks};

/// The format's name.
pub const FORMAT: &str = "of_watchdog";

/// What every line with something to say holds one of: see [`super::marks`].
pub(super) const MARKS: marks::Declared = &[
    &openfaas::LIFECYCLE_WORDS,
    &["Upstream HTTP ", "Function was killed by Exec", "Forked function has terminated: ", r"\d signal: killed", " - ContentLength: "],
];

pub(super) const LINES: Lines = Lines { begins: |line| go::find(line, is_known), read };

const PROGRAM: Program = Program { name: FORMAT };
const REQUEST_ERROR: &str = "Upstream HTTP request error: ";
const KILLED_BY: &str = "Upstream HTTP killed due to exec_timeout: ";
const FORK_KILLED_BY: &str = "Function was killed by ExecTimeout: ";
const FORK_ENDED: &str = "Forked function has terminated: ";

fn is_known(text: &str) -> bool {
    let own = [REQUEST_ERROR, KILLED_BY, FORK_KILLED_BY, FORK_ENDED, "signal: killed"];
    own.iter().chain(&openfaas::LIFECYCLE_WORDS).any(|words| text.starts_with(words)) || text.contains(" - ContentLength: ")
}

/// Whether `line` is the second half of the pair that `event` began.
pub(super) fn continues(event: &str, line: &str) -> bool {
    let ended = [": context canceled", ": context deadline exceeded"];
    go::split(line).is_some_and(|(_, text)| text.starts_with(KILLED_BY))
        && !event.contains('\n')
        && event.contains(REQUEST_ERROR)
        && ended.iter().any(|end| event.trim_end().ends_with(end))
}

/// Reads one event; `None` when it is not of-watchdog's.
#[must_use]
pub fn read(text: &str) -> Option<Fate> {
    let mut lines = text.lines();
    let (at, first) = go::split(lines.next()?)?;
    let first = first.trim_end();
    // The classic watchdog ends this line with a full stop, and does not write the commas that older versions of this one did.
    if first.starts_with("Timeouts: ") && first.ends_with('.') && !first.contains(',') {
        return None;
    }
    if let Some(claim) = openfaas::lifecycle(PROGRAM, at, first, text) {
        return Some(evidence(claim));
    }
    let killed_by = |line: &str| go::duration(line.strip_prefix(KILLED_BY)?.trim_end());
    let claimed = lines.next().and_then(go::split).and_then(|(_, second)| killed_by(second));
    let claim = |kind| PROGRAM.claim(kind, at, text);
    if let Some(rest) = first.strip_prefix(REQUEST_ERROR) {
        return request_error(claim(Kind::TimeoutNotice), rest, claimed).map(evidence);
    }
    if let Some(value) = killed_by(first) {
        let claim = Claim { outcome: Some(ClaimedOutcome::Timeout), ..claim(Kind::TimeoutNotice) };
        return Some(evidence(Claim { limit: Some(exec_timeout(Some(value))), ..claim }));
    }
    if let Some(value) = first.strip_prefix(FORK_KILLED_BY).and_then(go::duration) {
        let claim = claim(Kind::TimeoutNotice).with("error", "deadline exceeded");
        return Some(evidence(Claim { outcome: Some(ClaimedOutcome::Timeout), limit: Some(exec_timeout(Some(value))), ..claim }));
    }
    if first == "signal: killed" {
        return Some(evidence(claim(Kind::WorkerKilled).with("signal", "SIGKILL")));
    }
    if let Some(how) = first.strip_prefix(FORK_ENDED) {
        return Some(evidence(ended(claim(Kind::ProcessExit), how)));
    }
    request(at, first, text).map(evidence)
}

/// The limit of the function's time, as a claim names it.
fn exec_timeout(value_ms: Option<Millis>) -> Limit {
    Limit {
        layer: Layer::FunctionWatchdog,
        product: Product::from(FORMAT),
        setting: "exec_timeout".to_owned(),
        value_ms,
        known_from: KnownFrom::Claimed,
        place: None,
    }
}

/// `Get "http://127.0.0.1:5000/orders/7": context deadline exceeded`, with the value that the next line blames.
fn request_error(claim: Claim, rest: &str, claimed: Option<Millis>) -> Option<Claim> {
    let (what, error) = rest.rsplit_once("\": ")?;
    let (method, url) = what.split_once(" \"")?;
    let path = url.split_once("://").map_or(url, |(_, rest)| rest.find('/').map_or("/", |at| &rest[at..]));
    let claim = claim.with("method", method.to_ascii_uppercase()).with("path", path).with("error", error.trim_end());
    Some(match error.trim_end() {
        "context deadline exceeded" => {
            Claim { outcome: Some(ClaimedOutcome::Timeout), limit: claimed.map(|value| exec_timeout(Some(value))), ..claim }
        }
        "context canceled" => {
            let claim = Claim { outcome: Some(ClaimedOutcome::ClientClosed), ..claim };
            // The limit that is blamed is the configured one; that it fired is not true, and so not claimed here.
            claimed.map_or(claim.clone(), |value| claim.with("blamed_exec_timeout_ms", value.as_ms_f64()))
        }
        _ => Claim { kind: Kind::RequestError, outcome: Some(ClaimedOutcome::Error), ..claim },
    })
}

/// How the function's process ended: `signal: terminated`, `exit status 1`.
fn ended(claim: Claim, how: &str) -> Claim {
    match (how.strip_prefix("exit status ").and_then(|code| code.parse::<u32>().ok()), how.strip_prefix("signal: ")) {
        (Some(0), _) => claim.with("exit_status", 0_u32),
        (Some(code), _) => Claim { outcome: Some(ClaimedOutcome::Crash), ..claim.with("exit_status", code) },
        // The order to stop is passed on to the function.
        (None, Some("terminated" | "interrupt")) => claim.with("signal", "SIGTERM"),
        (None, Some(signal)) => Claim { outcome: Some(ClaimedOutcome::Crash), ..claim.with("signal", signal) },
        (None, None) => claim.with("message", how),
    }
}

/// `GET /jobs/3?sleep=6 - 200 OK - ContentLength: 14B (2.0016s) [call id]`; before 0.10.0 it ends after the length.
fn request(at: Timestamp, line: &str, raw: &str) -> Option<Claim> {
    let (head, tail) = line.rsplit_once(" - ContentLength: ")?;
    let (target, status) = head.rsplit_once(" - ")?;
    let (method, path) = target.split_once(' ')?;
    let status: u32 = status.split(' ').next()?.parse().ok()?;
    if method.is_empty() || !method.bytes().all(|b| b.is_ascii_uppercase()) {
        return None;
    }
    let mut claim = PROGRAM.claim(Kind::Request, at, raw).with("method", method).with("path", path).with("status", status);
    if let Some(seconds) = tail.split_once(" (").and_then(|(_, rest)| rest.split_once("s)")).map(|(seconds, _)| seconds) {
        claim.elapsed_ms = Millis::parse_seconds(seconds);
        claim.started_at = claim.elapsed_ms.map(|elapsed| elapsed.before(at));
    }
    let id = tail.split_once(") [").and_then(|(_, rest)| rest.strip_suffix(']')).filter(|id| !matches!(*id, "" | "-" | "none"));
    claim.request_id = id.map(RequestId::from);
    Some(claim)
}

#[cfg(test)]
mod tests;
