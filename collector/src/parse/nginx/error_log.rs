//! nginx's error log: which timer ran out in which phase, who closed which connection.

use domain::{Claim, ClaimedOutcome, Kind, Product};
use jiff::Timestamp;

use super::{FORMAT, limit};
use crate::parse::{Fate, RAW_BYTES_MAX, cut, php_fpm, times};

const STAMP_BYTES: usize = "2026/11/22 12:17:08".len();
const LEVELS: [&str; 8] = ["debug", "info", "notice", "warn", "error", "crit", "alert", "emerg"];
/// More brackets than any transport's prefix has.
const BRACKETS_MAX: usize = 8;

/// What stands before the message.
struct Head<'a> {
    at: Timestamp,
    pid: u32,
    connection: Option<&'a str>,
    message: &'a str,
}

/// Where in a line nginx's head begins.
pub fn find(line: &str) -> Option<usize> {
    let starts = line.match_indices(" [").take(BRACKETS_MAX).filter_map(|(at, _)| at.checked_sub(STAMP_BYTES));
    let own = |at: &usize| line.is_char_boundary(*at) && (*at == 0 || line[..*at].ends_with(' ')) && split(&line[*at..]).is_some();
    starts.into_iter().find(own)
}

fn split(text: &str) -> Option<Head<'_>> {
    let (stamp, rest) = (text.get(..STAMP_BYTES)?, text.get(STAMP_BYTES..)?);
    let (level, rest) = rest.strip_prefix(" [")?.split_once("] ")?;
    let (process, rest) = rest.split_once(": ")?;
    let (pid, thread) = process.split_once('#')?;
    let plain = stamp.as_bytes()[4] == b'/' && stamp.as_bytes()[7] == b'/' && thread.bytes().all(|b| b.is_ascii_digit());
    if !plain || !LEVELS.contains(&level) {
        return None;
    }
    let numbered = rest.strip_prefix('*').and_then(|rest| rest.split_once(' '));
    let numbered = numbered.filter(|(connection, _)| connection.bytes().all(|b| b.is_ascii_digit()));
    let (connection, message) = numbered.map_or((None, rest), |(connection, message)| (Some(connection), message));
    Some(Head { at: times::rfc3339(&stamp.replace('/', "-"))?, pid: pid.parse().ok()?, connection, message })
}

/// Reads a line; `None` when it is not of this log.
pub fn read(text: &str) -> Option<Fate> {
    let head = split(text)?;
    let (words, context) = head.message.split_once(", client: ").unwrap_or((head.message, ""));
    let mut claim = Claim {
        platform: Some(Product::NGINX),
        observed_at: Some(head.at),
        pid: Some(head.pid),
        ..Claim::new(Kind::ProxyError, FORMAT, cut(text.trim_end(), RAW_BYTES_MAX))
    };
    if let Some(connection) = head.connection {
        claim = claim.with("connection", connection);
    }
    for (name, key) in [("client", ""), ("upstream", "upstream: \""), ("host", "host: \"")] {
        let value =
            if key.is_empty() { context.split(", ").next() } else { context.split_once(key).and_then(|(_, rest)| rest.split('"').next()) };
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            claim = claim.with(name, value);
        }
    }
    let request = context.split_once("request: \"").and_then(|(_, rest)| rest.split('"').next()?.split_once(' '));
    if let Some((method, target)) = request {
        claim = claim.with("method", method).with("path", target.rsplit_once(' ').map_or(target, |(path, _)| path));
    }
    let scheme = claim.text("upstream").and_then(|upstream| upstream.split_once("://")).map_or("http", |(scheme, _)| scheme).to_owned();
    let told = tell(words, &scheme, claim);
    let is_request = head.connection.is_some() && (told.outcome.is_some() || told.attributes.contains_key("next_upstream"));
    Some(if is_request && request.is_some() {
        Fate::Evidence(Box::new(told))
    } else {
        Fate::Ignored(Box::new(Claim { kind: Kind::AppLog, ..told }))
    })
}

/// What the words say happened.
fn tell(words: &str, scheme: &str, claim: Claim) -> Claim {
    // What PHP wrote to its standard error comes with the request that it was about.
    if words.starts_with("FastCGI sent in stderr: ") {
        return php_fpm::ended_by_php(claim.clone(), words).unwrap_or(claim);
    }
    let (what, phase) = words.split_once(" while ").unwrap_or((words, ""));
    // nginx says so while it already looks for another.
    if what.starts_with("upstream server temporarily disabled") {
        return claim.with("next_upstream", true);
    }
    // One cause, two words: the second sentence tells the phase.
    let phase = phase.rsplit_once(" while ").map_or(phase, |(_, last)| last);
    if what.starts_with("upstream timed out (") {
        let (timer, outcome) = upstream_timer(phase);
        let claim = Claim { outcome: Some(outcome), limit: Some(limit(&format!("{}_{timer}", module(scheme)))), ..claim };
        return claim.with("phase", phase);
    }
    if what.starts_with("client timed out (") {
        return match client_timer(phase) {
            Some(setting) => {
                Claim { outcome: Some(ClaimedOutcome::ClientIdleTimeout), limit: Some(limit(setting)), ..claim }.with("phase", phase)
            }
            None => claim,
        };
    }
    let left = what.contains("client prematurely closed connection") || what.contains("client closed connection");
    if left && !phase.starts_with("waiting for request") && !phase.starts_with("keepalive") {
        return Claim { outcome: Some(ClaimedOutcome::ClientClosed), ..claim }.with("phase", phase);
    }
    let broke = what.starts_with("upstream prematurely closed") || what.starts_with("recv() failed") || what.starts_with("writev() failed");
    let failed = what.starts_with("connect() failed") || what.starts_with("no live upstreams") || what.starts_with("upstream sent ");
    if broke && phase.contains("upstream") {
        return Claim { outcome: Some(ClaimedOutcome::Error), ..claim }.with("phase", phase).with("upstream_closed", true);
    }
    if failed {
        return Claim { outcome: Some(ClaimedOutcome::Error), ..claim }.with("phase", phase);
    }
    claim
}

/// Which of the upstream's timers runs in a phase. The handshake has that of the connection.
fn upstream_timer(phase: &str) -> (&'static str, ClaimedOutcome) {
    if phase.contains("connecting to upstream") || phase.contains("handshak") {
        ("connect_timeout", ClaimedOutcome::ConnectTimeout)
    } else if phase.contains("sending") {
        ("send_timeout", ClaimedOutcome::GatewayTimeout)
    } else {
        ("read_timeout", ClaimedOutcome::GatewayTimeout)
    }
}

/// Which timer runs while nginx waits for the client. An idle connection is no request.
fn client_timer(phase: &str) -> Option<&'static str> {
    match phase {
        _ if phase.contains("request body") => Some("client_body_timeout"),
        _ if phase.contains("request headers") || phase.contains("request line") => Some("client_header_timeout"),
        _ if phase.contains("sending") => Some("send_timeout"),
        _ => None,
    }
}

/// The module whose settings hold, by the upstream's scheme.
fn module(scheme: &str) -> &str {
    match scheme {
        "fastcgi" | "uwsgi" | "scgi" | "memcached" => scheme,
        "grpc" | "grpcs" => "grpc",
        "suwsgi" => "uwsgi",
        _ => "proxy",
    }
}
