//! php-fpm 8.2: its log, its slow log, and access lines that name a request.
//!
//! ```text
//! [22-Nov-2026 12:42:47] WARNING: [pool www] child 19085, script '/srv/report.php' (request: "GET /report.php") execution timed out (2.122282 sec), terminating
//! [22-Nov-2026 12:42:47] WARNING: [pool www] child 19085 exited on signal 15 (SIGTERM) after 3.004831 seconds from start
//! [22-Nov-2026 12:42:55] WARNING: [pool www] child 19108 said into stderr: "NOTICE: PHP message: PHP Fatal error:  Maximum execution time of 1 second exceeded in /srv/spin.php on line 3"
//! 127.0.0.1 -  22/Nov/2026:12:42:54 +0000 "GET /spin.php" 500 /srv/spin.php 1031.380 19108 rid=e62b5b63-…
//! ```
//!
//! Lines name a child process, and in the first form the path. Times are local; they are read as UTC. `docs/formats/php_fpm.md`.

mod slow;

use domain::{Claim, ClaimedOutcome, Kind, KnownFrom, Layer, Limit, Millis, Product, RequestId};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;

use super::{Fate, Lines, RAW_BYTES_MAX, cut, marks, times};

pub(super) use slow::continues;

/// The format's name.
pub const FORMAT: &str = "php_fpm";

/// What every line with something to say holds one of: see [`super::marks`].
pub(super) const MARKS: marks::Declared =
    &[&marks::COMMON_LOG, &[": [pool ", "]  [pool ", "Maximum execution time of ", "fpm is running, pid "]];

pub(super) const LINES: Lines = Lines { begins, read };

/// PHP's own limit, which counts processor time on Linux.
const PHP_LIMIT: &str = "Maximum execution time of ";

/// Where the head begins: bare, or after a blank behind a transport's prefix.
fn begins(line: &str) -> Option<usize> {
    const BRACKETS_MAX: usize = 8;
    let brackets = line.match_indices('[').map(|(at, _)| at).take(BRACKETS_MAX);
    let head = brackets.into_iter().find(|at| (*at == 0 || line[..*at].ends_with([' ', '\t'])) && split(&line[*at..]).is_some());
    head.or_else(|| access(line).map(|_| 0))
}

/// `[22-Nov-2026 12:42:47] message`; PHP's own error log has a zone behind the time.
fn split(line: &str) -> Option<(Timestamp, &str)> {
    let (stamp, message) = line.strip_prefix('[')?.split_once("] ")?;
    let civil = stamp.get(..STAMP_BYTES)?;
    let zone = &stamp[STAMP_BYTES..];
    (zone.is_empty() || zone == " UTC" || zone.starts_with('.')).then_some(())?;
    Some((Offset::UTC.to_timestamp(DateTime::strptime("%d-%b-%Y %H:%M:%S", civil).ok()?).ok()?, message))
}

const STAMP_BYTES: usize = "22-Nov-2026 12:42:47".len();

/// Reads one event; `None` when it is not php-fpm's.
#[must_use]
pub fn read(text: &str) -> Option<Fate> {
    let first = text.lines().next()?;
    if let Some(claim) = access(first) {
        let tied = claim.request_id.is_some();
        let claim = Box::new(Claim { raw: cut(text.trim_end(), RAW_BYTES_MAX).to_owned(), ..claim });
        return Some(if tied { Fate::Evidence(claim) } else { Fate::Ignored(claim) });
    }
    let (at, message) = split(first)?;
    let claim = |kind| Claim {
        platform: Some(Product::from(FORMAT)),
        observed_at: Some(at),
        ..Claim::new(kind, FORMAT, cut(text.trim_end(), RAW_BYTES_MAX))
    };
    if let Some(claim) = slow::read(claim(Kind::Other), message, text) {
        return Some(Fate::Evidence(Box::new(claim)));
    }
    let message =
        ["NOTICE: ", "WARNING: ", "ERROR: ", "ALERT: ", "DEBUG: "].iter().find_map(|level| message.strip_prefix(level)).unwrap_or(message);
    let found = child(&claim, message)
        .or_else(|| pool_full(claim(Kind::Other), message))
        .or_else(|| ended_by_php(claim(Kind::TimeoutNotice), message))
        .or_else(|| {
            let pid = message.strip_prefix("fpm is running, pid ")?.trim_end().parse().ok()?;
            Some(Claim { pid: Some(pid), ..claim(Kind::ServerStart) })
        });
    Some(match found {
        Some(found) => Fate::Evidence(Box::new(found)),
        None => Fate::Ignored(Box::new(claim(Kind::AppLog).with("message", message))),
    })
}

/// `[pool www] child 19085, script '…' (request: "GET /report.php") execution timed out (2.122282 sec), terminating`.
fn child(claim: &impl Fn(Kind) -> Claim, message: &str) -> Option<Claim> {
    let (pool, rest) = message.strip_prefix("[pool ")?.split_once("] child ")?;
    let digits = rest.find(|c: char| !c.is_ascii_digit())?;
    let (pid, what) = rest.split_at(digits);
    let claim = |kind| Some(Claim { pid: Some(pid.parse().ok()?), ..claim(kind) }.with("pool", pool));
    if what.starts_with(" started") {
        return claim(Kind::WorkerBoot);
    }
    if let Some(how) = what.strip_prefix(" exited on signal ") {
        let (_, rest) = how.split_once('(')?;
        return Some(claim(Kind::WorkerKilled)?.with("signal", rest.split([')', ' ']).next()?));
    }
    if let Some(how) = what.strip_prefix(" exited with code ") {
        let code: u32 = how.split(' ').next()?.parse().ok()?;
        let kind = if code == 0 { Kind::WorkerExit } else { Kind::ProcessExit };
        return Some(claim(kind)?.with("exit_status", code));
    }
    if what.starts_with(" said into ") {
        return ended_by_php(claim(Kind::TimeoutNotice)?, what);
    }
    let (target, after) = what.split_once("(request: \"")?.1.split_once("\") ")?;
    let seconds = |words: &str| Millis::parse_seconds(after.strip_prefix(words)?.split(' ').next()?);
    let (kind, elapsed, is_end) = match (seconds("execution timed out ("), seconds("executing too slow (")) {
        (Some(elapsed), _) => (Kind::WorkerTimeout, elapsed, true),
        (None, Some(elapsed)) => (Kind::Other, elapsed, false),
        (None, None) => return None,
    };
    let (method, path) = target.split_once(' ')?;
    let claim = claim(kind)?.with("method", method).with("path", path);
    let (outcome, limit) = if is_end {
        (Some(ClaimedOutcome::Timeout), Some(limit(Layer::AppServer, FORMAT, "request_terminate_timeout", None)))
    } else {
        (None, None)
    };
    let started_at = claim.observed_at.map(|at| elapsed.before(at));
    Some(Claim { elapsed_ms: Some(elapsed), started_at, outcome, limit, ..claim })
}

/// `[pool www] server reached pm.max_children setting (2), consider raising it`: whoever comes now waits for a child.
fn pool_full(claim: Claim, message: &str) -> Option<Claim> {
    let (pool, rest) = message.strip_prefix("[pool ")?.split_once("] server reached pm.max_children setting (")?;
    let children: u32 = rest.split(')').next()?.parse().ok()?;
    Some(claim.with("pool", pool).with("max_children", children))
}

fn limit(layer: Layer, product: &'static str, setting: &str, value_ms: Option<Millis>) -> Limit {
    Limit { layer, product: Product::from(product), setting: setting.to_owned(), value_ms, known_from: KnownFrom::Claimed, place: None }
}

/// `PHP Fatal error:  Maximum execution time of 30 seconds exceeded in /srv/spin.php on line 3`, whoever writes it down; `message` is
/// where in the script it was.
pub(super) fn ended_by_php(claim: Claim, message: &str) -> Option<Claim> {
    let (before, rest) = message.split_once(PHP_LIMIT)?;
    let (seconds, rest) = rest.split_once(" second")?;
    let place = rest.trim_start_matches('s').strip_prefix(" exceeded in ")?;
    before.contains("PHP Fatal error:").then_some(())?;
    let value = Millis::parse_seconds(seconds)?;
    let place = match place.split_once(" on line ") {
        Some((file, line)) => format!("{file} on line {}", line.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default()),
        None => place.trim_end_matches('"').to_owned(),
    };
    let limit = limit(Layer::Application, "php", "max_execution_time", Some(value));
    Some(Claim { outcome: Some(ClaimedOutcome::Timeout), limit: Some(limit), ..claim.with("message", place) })
}

/// An access line: `IP - user time "GET /path" status`, then what `access.format` adds. Only what says its own meaning is read.
fn access(line: &str) -> Option<Claim> {
    let (head, rest) = line.split_once(" \"")?;
    let stamp = head.get(head.len().checked_sub("22/Nov/2026:12:42:54 +0000".len())?..)?;
    let (peer, _) = head.split_once(" - ")?;
    let received = times::common_log(stamp)?;
    (!peer.contains(' ')).then_some(())?;
    let (target, rest) = rest.split_once("\" ")?;
    let (method, path) = target.split_once(' ')?;
    let status: u32 = rest.split(' ').next()?.parse().ok()?;
    let claim = Claim::new(Kind::Request, FORMAT, "").with("method", method).with("path", path).with("status", status);
    let id = rest.split(' ').find_map(|word| word.strip_prefix("rid=").or_else(|| word.strip_prefix("request_id=")));
    Some(Claim {
        platform: Some(Product::from(FORMAT)),
        started_at: Some(received),
        request_id: id.map(|id| id.trim_matches('"')).filter(|id| !matches!(*id, "" | "-")).map(RequestId::from),
        ..claim
    })
}

#[cfg(test)]
mod tests;
