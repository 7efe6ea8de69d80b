//! Apache httpd: its error log with mod_proxy, mod_reqtimeout and mod_wsgi, and access lines.
//!
//! ```text
//! [Sun Nov 22 12:30:24.079720 2026] [proxy_http:error] [pid 2685:tid 2689] (70007)The timeout specified has expired: [client 10.0.0.9:48278] AH01102: error reading status line from remote server 127.0.0.1:8000
//! 10.0.0.9 - - [22/Nov/2026:12:30:23 +0000] "GET /report HTTP/1.1" 502 544 "-" "-" 1001047 22b0… awLgX6d1w2fsFgXVf_hZrQAAAAE
//! ```
//!
//! Read off Apache 2.4.71 and mod_wsgi 4.9.4 in November 2026, and their sources for other messages. A timeout of the proxy
//! is a 502 here. The number in front of a message decides: 70007 and 110 are time, 20014, 104 and 111 are not.

mod error_log;

use domain::{Claim, ClaimedOutcome, Kind, KnownFrom, Layer, Limit, Millis, Product};

use super::access_line::{self, AccessLine};
use super::{Fate, Lines, RAW_BYTES_MAX, cut, marks, trace_header};

/// The format's name.
pub const FORMAT: &str = "apache";

/// What every line with something to say holds one of: see [`super::marks`].
pub(super) const MARKS: marks::Declared =
    &[&marks::COMMON_LOG, &[":emerg] ", ":alert] ", ":crit] ", ":error] ", ":warn] ", ":notice] ", ":info] ", ":debug] ", r":trace\d] "]];

/// The error log and access lines.
pub(super) const LINES: Lines = Lines {
    begins: |line| error_log::find(line).or_else(|| super::access_log::find_head(line)),
    read: |text| error_log::read(text).or_else(|| read_line(text)),
};

fn read_line(text: &str) -> Option<Fate> {
    let line = access_line::split(text)?;
    (!access_line::is_of_nginx(&line) && !access_line::is_of_varnish(&line)).then(|| read_access(&line, text))
}

/// A bare whole number at the end of an access line is `%D`, microseconds, if it is too large to be the seconds of `%T`.
const MICROSECONDS_MIN: i64 = 100_000;

fn read_access(line: &AccessLine<'_>, raw: &str) -> Fate {
    let mut claim = Claim::new(Kind::GatewayRequest, FORMAT, cut(raw.trim_end(), RAW_BYTES_MAX));
    claim.platform = Some(Product::APACHE);
    // Apache stamps a request when it came in.
    claim.started_at = Some(line.at);
    claim.request_id = line.trailer.request_id();
    claim.trace_id = claim.request_id.as_ref().and_then(|_| trace_header::within(raw));
    let number = |text: &str| text.parse::<i64>().ok().filter(|number| *number >= 0);
    let keyed = line.trailer.get(&["D", "duration_us", "time_us"]).and_then(number);
    let bare = || line.trailer.bare.iter().copied().find_map(number).filter(|number| *number >= MICROSECONDS_MIN);
    claim.elapsed_ms = keyed.or_else(bare).map(Millis::from_us);
    claim.observed_at = claim.elapsed_ms.map(|elapsed| elapsed.after(line.at));
    claim = claim.with("client", line.client).with("status", line.status);
    if let Some((method, path)) = line.request {
        claim = claim.with("method", method).with("path", path);
    }
    if let Some(bytes) = line.bytes {
        claim = claim.with("response_bytes", bytes);
    }
    if let (None, Some(id)) = (&claim.request_id, line.trailer.unnamed_id()) {
        claim = claim.with("unnamed_id", id);
    }
    claim.outcome = match line.status {
        100..400 => Some(ClaimedOutcome::Success),
        // mod_reqtimeout's; its own line says so only at level info.
        408 if line.request.is_some() => Some(ClaimedOutcome::ClientIdleTimeout),
        500.. => Some(ClaimedOutcome::Error),
        _ => None,
    };
    if claim.outcome == Some(ClaimedOutcome::ClientIdleTimeout) {
        claim.limit = Some(limit(Product::APACHE, "RequestReadTimeout body"));
        claim.outcome_confidence = Some(domain::Confidence::Likely);
    }
    let says = claim.request_id.is_some() || claim.outcome.is_some_and(|outcome| outcome != ClaimedOutcome::Success);
    if says { Fate::Evidence(Box::new(claim)) } else { Fate::Ignored(Box::new(claim)) }
}

/// A limit that a line tells of; its value stands in no line.
fn limit(product: Product, setting: &str) -> Limit {
    let layer = if product == Product::MOD_WSGI { Layer::AppServer } else { Layer::Router };
    Limit { layer, product, setting: setting.to_owned(), value_ms: None, known_from: KnownFrom::Claimed, place: None }
}

#[cfg(test)]
mod tests;
