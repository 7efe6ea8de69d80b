//! Access lines in the common or combined log format, with what gunicorn users append to them.
//!
//! ```text
//! 127.0.0.1 - - [22/Nov/2026:12:05:26 +0000] "GET /report?seconds=1 HTTP/1.1" 200 11 "-" "-" 1001412 rid=8ff0… pid=<10041>
//! ```
//!
//! The trailing part is free (`--access-logformat`). Read are `key=value` pairs whose meaning their key states, and the
//! one bare number before `pid=<N>`, which in gunicorn's own notation is `%(D)s`: microseconds. A line that names neither a
//! request nor a process ties to nothing and is ignored.

use domain::{Claim, Kind, Millis, Product, RequestId};

use super::{Fate, RAW_BYTES_MAX, cut, gunicorn::FORMAT, times};

/// Keys under which access lines carry the request's ID.
const REQUEST_ID_KEYS: [&str; 5] = ["rid", "request_id", "req_id", "x_request_id", "id"];

/// Reads one line; `None` when it is no access line.
#[must_use]
pub fn parse_event(text: &str) -> Option<Fate> {
    let text = text.trim_end();
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
    let tied = claim.request_id.is_some() || claim.pid.is_some();
    Some(if tied { Fate::Evidence(Box::new(claim)) } else { Fate::Ignored(Box::new(claim)) })
}

fn read_trailer(mut claim: Claim, trailer: &str) -> Claim {
    // What follows the last quoted field: the referer and agent before it are free text.
    let free = trailer.rsplit_once('"').map_or(trailer, |(_, free)| free);
    let mut bare = None;
    for word in free.split_whitespace() {
        match word.split_once('=') {
            Some((key, value)) if REQUEST_ID_KEYS.contains(&key) && !matches!(value, "" | "-") => {
                claim.request_id = Some(RequestId::from(value));
            }
            // The angle brackets are how gunicorn prints `%(p)s`, and nobody else does.
            Some(("pid", value)) => {
                let own = value.strip_prefix('<').and_then(|v| v.strip_suffix('>'));
                claim.pid = own.unwrap_or(value).parse().ok();
                if own.is_some() {
                    claim.platform = Some(Product::GUNICORN);
                }
            }
            _ => bare = word.parse::<i64>().ok().or(bare),
        }
    }
    if let (Some(product), Some(us)) = (&claim.platform, bare)
        && *product == Product::GUNICORN
    {
        claim.elapsed_ms = Some(Millis::from_us(us));
        claim.started_at = claim.observed_at.map(|end| Millis::from_us(us).before(end));
    }
    claim
}
