//! nginx: its error log, and access lines of the default and of custom formats, as text, `key=value` or JSON.
//!
//! ```text
//! 2026/11/22 12:16:13 [error] 4730#4730: *4 upstream timed out (110: Connection timed out) while reading response header from upstream, client: …, request: "GET /report HTTP/1.1", upstream: "http://127.0.0.1:8000/report", host: "…"
//! 10.0.0.9 - - [22/Nov/2026:12:16:13 +0000] "GET /report HTTP/1.1" 504 167 "-" "-" rid=d6b1… rt=1.001 uct=0.001 uht=- urt=1.002 us=504
//! time="2026-11-22T12:16:13+00:00" method=GET uri="/report" status=504 request_time=1.001 upstream_status="504"
//! ```
//!
//! Read off nginx 1.22.1 in November 2026, and its source for the phases and which timer runs in each. The error log has no
//! request ID and no time zone; `PID#TID: *N` is the access log's `$pid` and `$connection`.

mod access;
mod error_log;
mod key_values;

use domain::{KnownFrom, Layer, Limit, Product};

use super::{Fate, Lines, access_line, marks};

/// The format's name.
pub const FORMAT: &str = "nginx";

/// What every line with something to say holds one of: see [`super::marks`].
pub(super) const MARKS: marks::Declared = &[&marks::COMMON_LOG, &[", request: \"", ", client: ", "request_time"]];

/// The error log and access lines.
pub(super) const LINES: Lines = Lines {
    begins: |line| error_log::find(line).or_else(|| super::access_log::find_head(line)).or_else(|| key_values::find(line)),
    read: |text| error_log::read(text).or_else(|| read_access(text)).or_else(|| key_values::read(text)),
};

pub(super) use access::read_record;

fn read_access(text: &str) -> Option<Fate> {
    let line = access_line::split(text)?;
    (!access_line::is_of_apache(&line) && !access_line::is_of_varnish(&line)).then(|| access::read_line(&line, text))
}

/// A limit that a line tells of; its value stands in no line.
fn limit(setting: &str) -> Limit {
    Limit {
        layer: Layer::Router,
        product: Product::NGINX,
        setting: setting.to_owned(),
        value_ms: None,
        known_from: KnownFrom::Claimed,
        place: None,
    }
}

#[cfg(test)]
mod tests;
