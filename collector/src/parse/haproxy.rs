//! HAProxy's traffic log, HTTP and TCP: who ended the session, and what it was waiting for.
//!
//! ```text
//! 10.0.0.9:37704 [22/Nov/2026:12:19:05.431] web app/s1 0/0/0/-1/1001 504 198 - - sH-- 1/1/0/0/0 0/0 {…} "GET /report HTTP/1.1"
//! 10.0.0.9:37705 [22/Nov/2026:12:19:05.431] db pg/s1 0/0/5002 212 sD 1/1/0/0/0 0/0
//! ```
//!
//! Read off HAProxy 2.6.12 in November 2026, and chapter 8 of its configuration manual; `option httplog clf` has the same in
//! another order, see `clf.rs`. The stamp is the beginning, in the machine's own zone. `%ID` is HAProxy's; captured headers stand
//! in braces without their names, so that a UUID there is the request's ID only where another source says so.

mod clf;

use std::num::ParseIntError;

use domain::{Claim, ClaimedOutcome, Kind, KnownFrom, Layer, Limit, Millis, Product, RequestId};
use jiff::Timestamp;

use super::{Fate, Lines, RAW_BYTES_MAX, access_line, cut, marks, times};

/// The format's name.
pub const FORMAT: &str = "haproxy";

/// What every line with something to say holds one of: see [`super::marks`].
pub(super) const MARKS: marks::Declared = &[&marks::COMMON_LOG];

/// One line per session or request.
pub(super) const LINES: Lines = Lines { begins: |line| find(line).or_else(|| clf::find(line)), read };

/// Whether an access line is HAProxy's, for the readers of others' that look the same at their beginning.
#[must_use]
pub fn is_common_log(text: &str) -> bool {
    clf::split(text).is_some()
}

/// More brackets than any transport's prefix has.
const BRACKETS_MAX: usize = 8;

/// Where in a line the client's address begins.
fn find(line: &str) -> Option<usize> {
    let brackets = line.match_indices(" [").map(|(at, _)| at).take(BRACKETS_MAX);
    let stamped = |at: &usize| line[at + 2..].split_once("] ").is_some_and(|(stamp, _)| moment(stamp).is_some());
    let at = brackets.into_iter().find(stamped)?;
    Some(line[..at].rfind(' ').map_or(0, |blank| blank + 1))
}

/// `22/Nov/2026:12:19:05.431`, no zone.
fn moment(stamp: &str) -> Option<Timestamp> {
    let (whole, millis) = stamp.split_once('.')?;
    let millis: i64 = (millis.len() == 3).then(|| millis.parse().ok())??;
    Some(Millis::from_ms(millis).after(times::common_log(&format!("{whole} +0000"))?))
}

/// The five times of an HTTP line, or the three of a TCP one; -1 is `None`: that phase was never reached.
struct Timers {
    request: Option<Millis>,
    queue: Option<Millis>,
    connect: Option<Millis>,
    total: Option<Millis>,
    is_http: bool,
}

/// One session or request, whatever the order of its fields.
struct Session<'a> {
    client: String,
    started_at: Timestamp,
    frontend: &'a str,
    /// Backend and server.
    server: String,
    timers: Timers,
    status: Option<&'a str>,
    bytes: &'a str,
    state: &'a str,
    retries: &'a str,
    /// Method, target and version, or `<BADREQ>`.
    request: &'a str,
    /// Where captured headers stand.
    captured: &'a str,
    /// What a `log-format` has behind everything else.
    behind: &'a str,
}

fn timers(text: &str) -> Option<Timers> {
    let read: Vec<Option<Millis>> = text.split('/').map(timer).collect::<Result<_, _>>().ok()?;
    match read[..] {
        [request, queue, connect, _, total] => Some(Timers { request, queue, connect, total, is_http: true }),
        [queue, connect, total] => Some(Timers { request: None, queue, connect, total, is_http: false }),
        _ => None,
    }
}

/// A plus says that the session went on when it was logged.
fn timer(word: &str) -> Result<Option<Millis>, ParseIntError> {
    let number: i64 = word.trim_start_matches('+').parse()?;
    Ok((number >= 0).then(|| Millis::from_ms(number)))
}

fn split(text: &str) -> Option<Session<'_>> {
    let (client, rest) = text.split_once(" [")?;
    let (stamp, rest) = rest.split_once("] ")?;
    let started_at = moment(stamp)?;
    let words: Vec<&str> = rest.splitn(4, ' ').collect();
    let [frontend, server, spent, rest] = words[..] else { return None };
    let timers = timers(spent)?;
    if client.contains(' ') || !server.contains('/') {
        return None;
    }
    let words: Vec<&str> = rest.splitn(if timers.is_http { 7 } else { 4 }, ' ').collect();
    let (status, bytes, state, load, rest) = match (timers.is_http, &words[..]) {
        (true, [status, bytes, _, _, state, load, rest]) => (Some(*status), *bytes, *state, *load, *rest),
        (false, [bytes, state, load, rest]) => (None, *bytes, *state, *load, *rest),
        _ => return None,
    };
    if !state.is_ascii() || state.len() != if timers.is_http { 4 } else { 2 } || load.split('/').count() != 5 {
        return None;
    }
    let retries = load.rsplit('/').next().unwrap_or_default();
    let (captured, after) = rest.split_once(" \"").unwrap_or((rest, ""));
    let (request, behind) = after.split_once('"').unwrap_or((after, ""));
    let (client, server) = (client.to_owned(), server.to_owned());
    Some(Session { client, started_at, frontend, server, timers, status, bytes, state, retries, request, captured, behind })
}

fn read(text: &str) -> Option<Fate> {
    let text = text.trim_end();
    let session = split(text).or_else(|| clf::split(text))?;
    let timers = &session.timers;
    let mut claim = Claim::new(Kind::GatewayRequest, FORMAT, cut(text, RAW_BYTES_MAX));
    claim.platform = Some(Product::HAPROXY);
    claim.started_at = Some(session.started_at);
    claim.elapsed_ms = timers.total;
    claim.observed_at = Some(timers.total.unwrap_or(Millis::ZERO).after(session.started_at));
    claim = claim
        .with("client", session.client.as_str())
        .with("frontend", session.frontend.trim_end_matches('~'))
        .with("upstream", session.server.as_str())
        .with("termination", session.state);
    if let Some(status) = session.status.and_then(|status| status.parse::<u32>().ok()) {
        claim = claim.with("status", status);
    }
    if let Ok(bytes) = session.bytes.trim_start_matches('+').parse::<u32>() {
        claim = claim.with("response_bytes", bytes);
    }
    if let Ok(retries) = session.retries.trim_start_matches('+').parse::<u32>() {
        claim = claim.with("retries", retries);
    }
    let told = tell(with_request(claim, &session), session.state, timers);
    let says = told.request_id.is_some() || told.outcome.is_some_and(|outcome| outcome != ClaimedOutcome::Success);
    Some(if says { Fate::Evidence(Box::new(told)) } else { Fate::Ignored(Box::new(told)) })
}

/// The request line, captured headers, and what a `log-format` has behind them.
fn with_request(mut claim: Claim, session: &Session<'_>) -> Claim {
    let mut parts = session.request.splitn(3, ' ');
    if let (Some(method), Some(path)) = (parts.next().filter(|method| !method.starts_with('<')), parts.next()) {
        claim = claim.with("method", method).with("path", path);
    } else if session.request.starts_with('<') {
        claim = claim.with("bad_request", true);
    }
    let mut named = session.behind.split_whitespace().filter_map(|word| word.split_once('='));
    let named = named.find(|(key, _)| access_line::REQUEST_ID_KEYS.contains(key)).map(|(_, id)| id.trim_matches('"'));
    claim.request_id = named.filter(|id| !matches!(*id, "" | "-")).map(RequestId::from);
    let captured: Vec<&str> = session.captured.split(['{', '}', '|', '"', ' ']).filter(|word| access_line::is_uuid(word)).collect();
    // `%ID` is put there, which `unique-id-header` may have sent on.
    let behind: Vec<&str> = session.behind.split_whitespace().filter(|word| *word != "-").collect();
    if let (None, [id], _) | (None, [], [id]) = (&claim.request_id, &captured[..], &behind[..]) {
        claim = claim.with("unnamed_id", *id);
    }
    claim
}

/// What the termination state says. First letter: who ended it, small for a timer of HAProxy's. Second: in which phase.
fn tell(claim: Claim, state: &str, timers: &Timers) -> Claim {
    let (who, phase) = state.split_at(1);
    let phase = &phase[..1];
    let outcome = |claim: Claim, outcome| Claim { outcome: Some(outcome), ..claim };
    let fired = |claim: Claim, setting: &str, kind, waited: Option<Millis>| {
        let claim = outcome(Claim { limit: Some(limit(setting)), ..claim }, kind);
        if let Some(waited) = waited { claim.with("waited_ms", waited) } else { claim }
    };
    // Time spent since the phases before it were over.
    let since = |before: &[Option<Millis>]| {
        let spent = before.iter().map(|one| one.unwrap_or(Millis::ZERO)).fold(Millis::ZERO, Millis::plus);
        timers.total.map(|total| total.minus(spent))
    };
    // An upgraded or raw connection that fell silent is no request that overran.
    let is_tunnel = !timers.is_http && timers.connect.is_some() || claim.number("status") == Some(101.0);
    let retried = claim.number("retries").is_some_and(|retries| retries > 0.0);
    match (who, phase) {
        ("s", "Q") => fired(claim, "timeout queue", ClaimedOutcome::GatewayTimeout, timers.queue),
        ("s", "C") => {
            let waited = since(&[timers.request, timers.queue]).filter(|_| !retried);
            fired(claim, "timeout connect", ClaimedOutcome::ConnectTimeout, waited)
        }
        ("s" | "c", _) if is_tunnel => outcome(claim, ClaimedOutcome::IdleTimeout),
        ("s", "H") => {
            fired(claim, "timeout server", ClaimedOutcome::GatewayTimeout, since(&[timers.request, timers.queue, timers.connect]))
        }
        ("s", "D" | "L") => fired(claim, "timeout server", ClaimedOutcome::GatewayTimeout, None),
        ("c", "R") if claim.attributes.contains_key("bad_request") && claim.number("status") != Some(408.0) => claim,
        ("c", "R") => fired(claim, "timeout http-request", ClaimedOutcome::ClientIdleTimeout, timers.total),
        ("c", _) => fired(claim, "timeout client", ClaimedOutcome::ClientIdleTimeout, None),
        // A connection that never carried a request is a probe.
        ("C", "R") => claim,
        ("C", _) if is_tunnel => claim,
        ("C", _) => outcome(claim, ClaimedOutcome::ClientClosed),
        ("S", "H" | "D" | "L") if timers.connect.is_some() => outcome(claim, ClaimedOutcome::Error).with("upstream_closed", true),
        ("S" | "P" | "R" | "I" | "D" | "U" | "K", _) => outcome(claim, ClaimedOutcome::Error),
        ("-" | "L", _) => match claim.number("status") {
            Some(500.0..) => outcome(claim, ClaimedOutcome::Error),
            _ => outcome(claim, ClaimedOutcome::Success),
        },
        _ => claim,
    }
}

fn limit(setting: &str) -> Limit {
    Limit {
        layer: Layer::Router,
        product: Product::HAPROXY,
        setting: setting.to_owned(),
        value_ms: None,
        known_from: KnownFrom::Claimed,
        place: None,
    }
}

#[cfg(test)]
mod tests;
