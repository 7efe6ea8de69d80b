//! HAProxy's traffic log, HTTP and TCP: who ended the session, and what it was waiting for.
//!
//! ```text
//! 10.0.0.9:37704 [22/Nov/2026:12:19:05.431] web app/s1 0/0/0/-1/1001 504 198 - - sH-- 1/1/0/0/0 0/0 {…} "GET /report HTTP/1.1"
//! 10.0.0.9:37705 [22/Nov/2026:12:19:05.431] db pg/s1 0/0/5002 212 sD 1/1/0/0/0 0/0
//! ```
//!
//! Read off HAProxy 2.6.12 in November 2026, and chapter 8 of its configuration manual. The stamp is the beginning, in the
//! machine's own zone. `%ID` is HAProxy's; captured headers stand in braces without their names, so that a UUID there is the
//! request's ID only where another source says so.

use domain::{Claim, ClaimedOutcome, Kind, KnownFrom, Layer, Limit, Millis, Product, RequestId};
use jiff::Timestamp;

use super::{Fate, Lines, RAW_BYTES_MAX, access_line, cut, marks, times};

/// The format's name.
pub const FORMAT: &str = "haproxy";

/// What every line with something to say holds one of: see [`super::marks`].
pub(super) const MARKS: marks::Declared = &[&marks::COMMON_LOG];

/// One line per session or request.
pub(super) const LINES: Lines = Lines { begins: find, read };

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

fn timers(text: &str) -> Option<Timers> {
    let one = |part: &str| {
        let number: i64 = part.trim_start_matches('+').parse().ok()?;
        Some((number >= 0).then(|| Millis::from_ms(number)))
    };
    let read: Vec<Option<Millis>> = text.split('/').map(one).collect::<Option<_>>()?;
    match read[..] {
        [request, queue, connect, _, total] => Some(Timers { request, queue, connect, total, is_http: true }),
        [queue, connect, total] => Some(Timers { request: None, queue, connect, total, is_http: false }),
        _ => None,
    }
}

fn read(text: &str) -> Option<Fate> {
    let text = text.trim_end();
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
    let mut claim = Claim::new(Kind::GatewayRequest, FORMAT, cut(text, RAW_BYTES_MAX));
    claim.platform = Some(Product::HAPROXY);
    claim.started_at = Some(started_at);
    claim.elapsed_ms = timers.total;
    claim.observed_at = Some(timers.total.unwrap_or(Millis::ZERO).after(started_at));
    claim =
        claim.with("client", client).with("frontend", frontend.trim_end_matches('~')).with("upstream", server).with("termination", state);
    if let Some(status) = status.and_then(|status| status.parse::<u32>().ok()) {
        claim = claim.with("status", status);
    }
    if let Ok(bytes) = bytes.trim_start_matches('+').parse::<u32>() {
        claim = claim.with("response_bytes", bytes);
    }
    if let Some(retries) = load.rsplit('/').next().and_then(|word| word.trim_start_matches('+').parse::<u32>().ok()) {
        claim = claim.with("retries", retries);
    }
    claim = with_request(claim, rest);
    let told = tell(claim, state, &timers);
    let says = told.request_id.is_some() || told.outcome.is_some_and(|outcome| outcome != ClaimedOutcome::Success);
    Some(if says { Fate::Evidence(Box::new(told)) } else { Fate::Ignored(Box::new(told)) })
}

/// Queues, captured headers, the request line, and what a `log-format` has behind them.
fn with_request(mut claim: Claim, rest: &str) -> Claim {
    let (before, after) = rest.split_once(" \"").unwrap_or((rest, ""));
    let (request, behind) = after.split_once('"').unwrap_or((after, ""));
    let mut parts = request.splitn(3, ' ');
    if let (Some(method), Some(path)) = (parts.next().filter(|method| !method.starts_with('<')), parts.next()) {
        claim = claim.with("method", method).with("path", path);
    } else if request.starts_with('<') {
        claim = claim.with("bad_request", true);
    }
    let mut named = behind.split_whitespace().filter_map(|word| word.split_once('='));
    let named = named.find(|(key, _)| access_line::REQUEST_ID_KEYS.contains(key)).map(|(_, id)| id.trim_matches('"'));
    claim.request_id = named.filter(|id| !matches!(*id, "" | "-")).map(RequestId::from);
    let captured = before.split(['{', '}', '|', ' ']).filter(|word| access_line::is_uuid(word));
    let captured: Vec<&str> = captured.collect();
    if let ([id], None) = (&captured[..], &claim.request_id) {
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
mod tests {
    use crate::parse::Format;
    use crate::parse::tests::read_one;

    fn read(line: &str) -> String {
        read_one(Format::Auto, line)
    }

    #[test]
    fn the_termination_state_decides_and_not_the_status() {
        let line = |state: &str, times: &str, status: &str| {
            read(&format!(
                r#"10.0.0.9:37704 [22/Nov/2026:12:19:05.431] web~ app/s1 {times} {status} 198 - - {state} 1/1/0/0/0 0/0 "GET /r?x=1 HTTP/1.1""#
            ))
        };
        let told = |read: String| {
            let word = |name: &str| read.split(' ').find_map(|word| word.strip_prefix(name)).unwrap_or("-").to_owned();
            (read.split(' ').next().expect("a fate").to_owned(), word("outcome="), word("waited_ms="))
        };
        let check = |state, times, status, expected: (&str, &str, &str)| {
            let (fate, outcome, waited) = told(line(state, times, status));
            assert_eq!((fate.as_str(), outcome.as_str(), waited.as_str()), expected, "{state}");
        };
        check("sH--", "0/0/3/-1/1004", "504", ("evidence", "gateway_timeout", "1001"));
        check("sQ--", "0/1002/-1/-1/1002", "503", ("evidence", "gateway_timeout", "1002"));
        check("sC--", "0/0/-1/-1/1001", "503", ("evidence", "connect_timeout", "1001"));
        check("sD--", "0/0/0/5/3005", "200", ("evidence", "gateway_timeout", "-"));
        check("CH--", "0/0/0/-1/1000", "400", ("evidence", "client_closed", "-"));
        check("cD--", "0/0/0/4/9000", "200", ("evidence", "client_idle_timeout", "-"));
        check("SC--", "0/0/-1/-1/0", "503", ("evidence", "error", "-"));
        check("SH--", "0/0/0/-1/2833", "502", ("evidence", "error", "-"));
        check("----", "0/0/0/1008/1008", "200", ("ignored", "success", "-"));
        check("----", "0/0/0/1008/1008", "504", ("evidence", "error", "-"));
        check("sD--", "0/0/0/4/9000", "101", ("evidence", "idle_timeout", "-"));
    }

    #[test]
    fn a_prefix_of_syslog_is_taken_off_and_a_captured_uuid_stays_unnamed() {
        let line = r#"Nov 22 12:19:06 gw1 haproxy[412]: 10.0.0.9:37704 [22/Nov/2026:12:19:05.431] web app/s1 0/0/0/-1/1001 504 198 - - sH-- 1/1/0/0/0 0/0 {1a2e60bc-0460-4288-accd-8b07b9114cef|x} "GET /r HTTP/1.1""#;
        assert_eq!(
            read(line),
            "evidence gateway_request client=10.0.0.9:37704 elapsed_ms=1001 frontend=web instance=gw1 limit_ms=null method=GET observed_at=2026-11-22T12:19:06.432Z outcome=gateway_timeout path=/r response_bytes=198 retries=0 started_at=2026-11-22T12:19:05.431Z status=504 termination=sH-- unnamed_id=1a2e60bc-0460-4288-accd-8b07b9114cef upstream=app/s1 waited_ms=1001"
        );
    }

    #[test]
    fn tcp_sessions_are_read_and_a_probe_is_not_evidence() {
        let idle = read("10.0.0.9:37705 [22/Nov/2026:12:19:05.431] db pg/s1 0/0/5002 212 sD 1/1/0/0/0 0/0");
        assert!(idle.starts_with("evidence gateway_request") && idle.contains("outcome=idle_timeout"), "{idle}");
        let queued = read("10.0.0.9:37705 [22/Nov/2026:12:19:05.431] db pg/<NOSRV> 5000/-1/5000 0 sQ 1/1/0/0/0 0/0");
        assert!(queued.contains("outcome=gateway_timeout"), "{queued}");
        let probe = read(r#"10.0.0.9:5 [22/Nov/2026:12:19:04.830] web web/<NOSRV> -1/-1/-1/-1/0 400 0 - - CR-- 1/1/0/0/0 0/0 "<BADREQ>""#);
        assert!(probe.starts_with("ignored"), "{probe}");
    }
}
