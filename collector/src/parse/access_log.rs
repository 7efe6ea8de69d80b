//! Access lines in the common or combined log format, with what gunicorn users append to them.
//!
//! ```text
//! 127.0.0.1 - - [22/Nov/2026:12:05:26 +0000] "GET /report?seconds=1 HTTP/1.1" 200 11 "-" "-" 1001412 rid=8ff0… pid=<10041>
//! ```
//!
//! The trailing part is free (`--access-logformat`). Read are `key=value` pairs whose meaning their key states, and, where
//! `pid=<N>` shows that gunicorn wrote it, a bare number: `%(D)s` (microseconds) or `%(L)s` (seconds). A line that names neither a
//! request nor a process ties to nothing and is ignored.

use domain::{Claim, Kind, Millis, Product, RequestId};
use serde_json::{Map, Value};

use super::{Fate, RAW_BYTES_MAX, access_line, cut, gunicorn::FORMAT, haproxy, times, trace_header};

/// Keys under which access lines carry the request's ID.
const REQUEST_ID_KEYS: [&str; 5] = ["rid", "request_id", "req_id", "x_request_id", "id"];

/// Where in a line an access line begins: whatever a transport put in front of it ends there.
#[must_use]
pub fn find_head(line: &str) -> Option<usize> {
    let stamp = |at: &usize| line[at + 2..].split_once("] \"").is_some_and(|(stamp, _)| times::common_log(stamp).is_some());
    let before = line.match_indices(" [").map(|(at, _)| at).take(BRACKETS_MAX).find(stamp)?;
    // The peer, the identity, which nobody asks for and so is a dash, and the user, whom some leave out.
    let mut words = line[..before].rsplitn(4, ' ');
    let (last, before_last, third) = (words.next()?, words.next()?, words.next());
    let head = match third {
        _ if last == "-" && is_address(before_last) => before_last.len() + " -".len(),
        Some(peer) if before_last == "-" && !peer.is_empty() => peer.len() + " - ".len() + last.len(),
        _ => return None,
    };
    Some(before - head)
}

/// Whether a word can be nothing but an address, of version 4 or 6.
fn is_address(word: &str) -> bool {
    word.contains(['.', ':']) && word.bytes().all(|b| b.is_ascii_hexdigit() || matches!(b, b'.' | b':'))
}

/// More brackets than any transport's prefix has.
const BRACKETS_MAX: usize = 8;

/// Reads one line; `None` when it is no access line.
#[must_use]
pub fn parse_event(text: &str) -> Option<Fate> {
    let text = text.trim_end();
    if access_line::is_of_a_proxy(text) || haproxy::is_common_log(text) {
        return None;
    }
    let (peer, rest) = text.split_once(" [")?;
    if peer.split(' ').count() != 3 {
        return None;
    }
    let (at, rest) = rest.split_once("] \"")?;
    let (request, rest) = rest.split_once("\" ")?;
    let mut words = rest.splitn(3, ' ');
    let (status, bytes) = (words.next()?.parse::<u32>().ok()?, words.next()?);
    let trailer = words.next().unwrap_or_default();

    let mut claim = Claim::new(Kind::Request, FORMAT, cut(text, RAW_BYTES_MAX));
    claim.observed_at = Some(times::common_log(at)?);
    claim = claim.with("status", status);
    if let Some((method, target)) = request.split_once(' ') {
        let path = target.rsplit_once(' ').map_or(target, |(path, _)| path);
        claim = claim.with("method", method).with("path", path);
    }
    if let Ok(bytes) = bytes.parse::<u32>() {
        claim = claim.with("response_bytes", bytes);
    }
    claim = read_trailer(claim, trailer);
    claim.trace_id = claim.request_id.as_ref().and_then(|_| trace_header::within(trailer));
    let tied = claim.request_id.is_some() || claim.pid.is_some();
    Some(if tied { Fate::Evidence(Box::new(claim)) } else { Fate::Ignored(Box::new(claim)) })
}

/// Reads an access line that is written as JSON (`--access-logformat '{"request": "%(r)s", "pid": "%(p)s", …}'`); `None` without
/// the process ID in angle brackets, which nobody else writes, or without the request line.
pub(super) fn parse_record(object: &Map<String, Value>, raw: &str) -> Option<Fate> {
    let text = |names: &[&str]| names.iter().find_map(|name| object.get(*name)?.as_str());
    let number = |names: &[&str]| names.iter().find_map(|name| number_of(object.get(*name)?));
    let pid = text(&["pid", "process", "process_id"])?.strip_prefix('<')?.strip_suffix('>')?.parse().ok()?;
    let (method, target) = text(&["request", "request_line", "r"])?.split_once(' ')?;
    let mut claim = Claim::new(Kind::Request, FORMAT, cut(raw.trim_end(), RAW_BYTES_MAX));
    claim.platform = Some(Product::GUNICORN);
    claim.pid = Some(pid);
    claim.observed_at = text(&["time", "timestamp", "date", "t"])
        .and_then(|stamp| times::common_log(stamp.trim_matches(['[', ']'])).or_else(|| times::rfc3339(stamp)));
    claim.request_id = text(&access_line::REQUEST_ID_KEYS).filter(|id| !matches!(*id, "" | "-")).map(RequestId::from);
    claim.trace_id = claim.request_id.as_ref().and_then(|_| trace_header::within(raw));
    // The unit stands in the name, or shows in the places of seconds.
    claim.elapsed_ms = number(&["duration_us", "time_us"])
        .map(|us| Millis::from_ms_f64(us / 1000.0))
        .or_else(|| number(&["duration_ms", "time_ms"]).map(Millis::from_ms_f64))
        .or_else(|| number(&["duration", "request_time"]).filter(|value| value.fract() != 0.0).map(|s| Millis::from_ms_f64(s * 1000.0)));
    claim.started_at = claim.observed_at.zip(claim.elapsed_ms).map(|(end, elapsed)| elapsed.before(end));
    claim = claim.with("method", method).with("path", target.rsplit_once(' ').map_or(target, |(path, _)| path));
    if let Some(status) = number(&["status", "s"]) {
        claim = claim.with("status", status);
    }
    Some(Fate::Evidence(Box::new(claim)))
}

fn number_of(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

fn read_trailer(mut claim: Claim, trailer: &str) -> Claim {
    let mut bare = None;
    for word in access_line::words(trailer) {
        match word.split_once('=') {
            // Quoted fields, the referer and agent first of all, are free text.
            _ if word.starts_with('"') => {}
            Some((key, value)) if REQUEST_ID_KEYS.contains(&key) => {
                let id = value.trim_matches('"');
                claim.request_id = (!matches!(id, "" | "-")).then(|| RequestId::from(id)).or(claim.request_id);
            }
            // The angle brackets are how gunicorn prints `%(p)s`, and nobody else does.
            Some(("pid", value)) => {
                let own = value.strip_prefix('<').and_then(|v| v.strip_suffix('>'));
                claim.pid = own.unwrap_or(value).parse().ok();
                if own.is_some() {
                    claim.platform = Some(Product::GUNICORN);
                }
            }
            _ => bare = duration(word).or(bare),
        }
    }
    if let (Some(_), Some(elapsed)) = (&claim.platform, bare) {
        claim.elapsed_ms = Some(elapsed);
        claim.started_at = claim.observed_at.map(|end| elapsed.before(end));
    }
    claim
}

/// `%(D)s` is a whole number of microseconds; `%(L)s` is seconds, always with six places.
fn duration(word: &str) -> Option<Millis> {
    match word.split_once('.') {
        Some((_, places)) => (places.len() == 6).then(|| Millis::parse_seconds(word)).flatten(),
        None => word.parse().ok().filter(|us| *us >= 0).map(Millis::from_us),
    }
}

#[cfg(test)]
mod tests;
