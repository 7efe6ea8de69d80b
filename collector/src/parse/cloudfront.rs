//! Standard logs of Amazon CloudFront: the W3C files with tabs, and version 2's JSON lines.
//!
//! ```text
//! #Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status …
//! 2026-02-11⇥10:00:30⇥FRA56-P1⇥1045⇥203.0.113.9⇥GET⇥d111111abcdef8.cloudfront.net⇥/slow⇥504⇥…⇥OriginCommError⇥…
//! {"date":"2026-02-11","time":"10:00:30","sc-status":"504","x-edge-detailed-result-type":"OriginCommError","time-taken":"30.005",…}
//! ```
//!
//! AWS's "Standard logging reference", read in November 2026. Columns are mapped by the `#Fields` line; a line that comes
//! without one is read by the standard columns. `time-taken` is seconds.

use domain::{Claim, ClaimedOutcome, Confidence, Kind, KnownFrom, Layer, Limit, Millis};
use serde_json::{Map, Value};

use super::gateway_facts::{self as gateways, present};
use super::{Context, Fate, Format, Item, Lines, Parsed, RAW_BYTES_MAX, Reject, cut, events, marks, times};
use crate::documented::default_of;

/// The format's name.
pub const FORMAT: &str = "cloudfront";

/// A line names its distribution by the domain that AWS gave it.
pub(super) const MARKS: marks::Declared = &[&[".cloudfront.net", ".cloudfront.cn", "sc-status\""]];

pub(super) const LINES: Lines = Lines { begins, read: |text| begins(text).and_then(|_| read(text, &COLUMNS)) };

/// The standard columns, in their order.
const COLUMNS: [&str; 33] = [
    "date",
    "time",
    "x-edge-location",
    "sc-bytes",
    "c-ip",
    "cs-method",
    "cs(Host)",
    "cs-uri-stem",
    "sc-status",
    "cs(Referer)",
    "cs(User-Agent)",
    "cs-uri-query",
    "cs(Cookie)",
    "x-edge-result-type",
    "x-edge-request-id",
    "x-host-header",
    "cs-protocol",
    "cs-bytes",
    "time-taken",
    "x-forwarded-for",
    "ssl-protocol",
    "ssl-cipher",
    "x-edge-response-result-type",
    "cs-protocol-version",
    "fle-status",
    "fle-encrypted-fields",
    "c-port",
    "time-to-first-byte",
    "x-edge-detailed-result-type",
    "sc-content-type",
    "sc-content-len",
    "sc-range-start",
    "sc-range-end",
];

fn begins(line: &str) -> Option<usize> {
    let is_header = line == "#Version: 1.0" || line.starts_with("#Fields: date time x-edge-");
    (is_header || line.as_bytes().get(10) == Some(&b'\t') && is_standard(line)).then_some(0)
}

/// Whether it has the standard columns: a date, a time, an edge location with its digits, a status in its place.
fn is_standard(line: &str) -> bool {
    let cells: Vec<&str> = line.split('\t').take(COLUMNS.len()).collect();
    cells.len() > 18
        && moment(cells[0], cells[1]).is_some()
        && cells[2].bytes().any(|b| b.is_ascii_digit())
        && cells[8].len() == 3
        && cells[8].bytes().all(|b| b.is_ascii_digit())
        && Millis::parse_seconds(cells[18]).is_some()
}

fn moment(date: &str, time: &str) -> Option<jiff::Timestamp> {
    times::rfc3339(&format!("{date}T{time}Z"))
}

/// Reads a file: its header says what its columns are.
#[must_use]
pub fn parse(input: &[u8], context: &Context) -> Parsed {
    let text = String::from_utf8_lossy(input);
    let mut columns: Vec<&str> = COLUMNS.to_vec();
    let mut parsed = Parsed::default();
    for (line, text) in (1..).zip(text.lines()) {
        parsed.lines = line;
        if let Some(names) = text.strip_prefix("#Fields:") {
            columns = names.split_whitespace().collect();
        }
        let fates = match read(text, &columns) {
            _ if text.trim().is_empty() => Vec::new(),
            Some(fate) => vec![fate],
            None => serde_json::from_str(text).map_or_else(
                |_| {
                    let reason = format!("expected {} columns with tabs between them, found {}", columns.len(), text.split('\t').count());
                    vec![Fate::Rejected(Reject::new(reason, text))]
                },
                |value| events::json(Format::Cloudfront, value, text, context),
            ),
        };
        parsed.items.extend(fates.into_iter().map(|fate| Item { line, fate }));
    }
    parsed
}

/// Reads a line with these columns.
fn read(text: &str, columns: &[&str]) -> Option<Fate> {
    let text = text.trim_end_matches(['\r', '\n']);
    if text.starts_with("#Version:") || text.starts_with("#Fields:") {
        let claim = Claim::new(Kind::Header, FORMAT, cut(text, RAW_BYTES_MAX));
        let names = text.strip_prefix("#Fields:").map(|names| u32::try_from(names.split_whitespace().count()).unwrap_or(u32::MAX));
        return Some(Fate::Ignored(Box::new(names.map_or(claim.clone(), |count| claim.with("columns", count)))));
    }
    let cells: Vec<&str> = text.split('\t').collect();
    // Columns are appended over the years; a line has at least those up to its times.
    let value = |name: &str| columns.iter().position(|column| *column == name).and_then(|at| cells.get(at).copied()).and_then(present);
    let is_line = cells.len() > 2 && value("sc-status").is_some() && value("date").zip(value("time")).is_some();
    is_line.then(|| gateways::fate(claim(value, text)))
}

/// Reads a JSON line.
pub(super) fn read_record(object: &Map<String, Value>, raw: &str) -> Option<Vec<Fate>> {
    let has = |name: &str| object.contains_key(name);
    (has("sc-status") && (has("x-edge-request-id") || has("x-edge-result-type") || has("x-edge-location"))).then_some(())?;
    let texts: Map<String, Value> = object.iter().map(|(key, value)| (key.clone(), as_text(value))).collect();
    let value = |name: &str| texts.get(name).and_then(Value::as_str).and_then(present);
    Some(vec![gateways::fate(claim(value, raw))])
}

fn as_text(value: &Value) -> Value {
    if let Value::Number(number) = value { Value::String(number.to_string()) } else { value.clone() }
}

fn claim<'a>(value: impl Fn(&str) -> Option<&'a str>, raw: &str) -> Claim {
    let mut claim = Claim::new(Kind::GatewayRequest, FORMAT, cut(raw, RAW_BYTES_MAX)).with("gateway", "cloudfront");
    claim.observed_at = value("date").zip(value("time")).and_then(|(date, time)| moment(date, time));
    claim.elapsed_ms = value("time-taken").and_then(Millis::parse_seconds).filter(|time| *time >= Millis::ZERO);
    if let Some(time) = claim.elapsed_ms {
        claim = claim.with("latency_ms", time.as_ms_f64());
    }
    let words = [
        ("gateway_request_id", "x-edge-request-id"),
        ("edge_location", "x-edge-location"),
        ("result_type", "x-edge-result-type"),
        ("detailed_result_type", "x-edge-detailed-result-type"),
        ("method", "cs-method"),
        ("path", "cs-uri-stem"),
    ];
    for (name, column) in words {
        if let Some(word) = value(column) {
            claim = claim.with(name, word);
        }
    }
    let status = value("sc-status").and_then(|text| text.parse::<u32>().ok());
    // `000`: the viewer was gone before there was a status.
    if let Some(status) = status.filter(|status| *status > 0) {
        claim = claim.with("status_code", status);
    }
    judged(claim, status)
}

/// Every limit of an origin is a second or more: what was answered sooner is a cached error page or a refusal.
const LIMIT_MIN: Millis = Millis::from_ms(1000);

/// What status, detailed result and time together say.
fn judged(mut claim: Claim, status: Option<u32>) -> Claim {
    let Some(status) = status else { return claim };
    let detail = claim.text("detailed_result_type").unwrap_or_default().to_owned();
    let waited = claim.elapsed_ms.filter(|elapsed| *elapsed >= LIMIT_MIN);
    let by_origin = detail.starts_with("Origin") || detail == "SlowReaderOriginError";
    claim.outcome = match (status, waited) {
        (0, _) => Some(ClaimedOutcome::ClientClosed),
        (504, Some(_)) if detail == "OriginConnectError" => {
            claim.limit = Some(gateways::limit(Layer::Cdn, "cloudfront", gateways::CLOUDFRONT_CONNECT_TIMEOUT, None));
            Some(ClaimedOutcome::ConnectTimeout)
        }
        (504, Some(waited)) if by_origin && detail != "OriginError" => {
            claim.limit = Some(read_limit(claim.text("method"), waited));
            Some(ClaimedOutcome::GatewayTimeout)
        }
        // No trouble of its own with the origin: the origin's answer was the 504.
        (504, Some(_)) => {
            claim.outcome_confidence = Some(Confidence::Likely);
            Some(ClaimedOutcome::UpstreamTimeout)
        }
        // Headers had gone out when it stalled.
        (100..400, _) if claim.text("result_type") == Some("Error") => Some(ClaimedOutcome::Error),
        _ => gateways::by_status(status),
    };
    claim
}

/// GET and HEAD are tried up to three times, so that the time taken may be several times the limit: only the documented default
/// is told by its time.
fn read_limit(method: Option<&str>, waited: Millis) -> Limit {
    let is_tried_again = method.is_none_or(|method| matches!(method, "GET" | "HEAD"));
    let default = default_of("cloudfront", gateways::CLOUDFRONT_READ_TIMEOUT);
    let value = gateways::whole_seconds(waited).filter(|value| !is_tried_again || *value == default);
    let limit = gateways::limit(Layer::Cdn, "cloudfront", gateways::CLOUDFRONT_READ_TIMEOUT, value);
    if is_tried_again && value.is_some() { Limit { known_from: KnownFrom::Default, ..limit } } else { limit }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::tests::read as told;

    #[test]
    fn status_detail_and_time_together_tell_who_gave_up() {
        let told = told(Format::Cloudfront, include_str!("../../../tests/fixtures/cloudfront/standard.log"));
        let says = |index: usize, words: &[&str]| {
            for word in words {
                assert!(told[index].contains(word), "{word}: {}", told[index]);
            }
        };
        assert_eq!(told.len(), 10, "{told:#?}");
        says(0, &["ignored header"]);
        says(1, &["ignored header", "columns=33"]);
        says(2, &["outcome=success", "latency_ms=84"]);
        says(3, &["outcome=gateway_timeout", "limit_ms=30000"]);
        says(4, &["outcome=gateway_timeout", "limit_ms=null"]);
        says(5, &["outcome=gateway_timeout", "limit_ms=45000"]);
        says(6, &["outcome=connect_timeout"]);
        says(7, &["outcome=error"]);
        says(8, &["outcome=client_closed"]);
        says(9, &["outcome=gateway_timeout", "gateway_request_id=j2"]);
    }

    #[test]
    fn columns_are_told_by_their_header() {
        let file =
            "#Version: 1.0\n#Fields: time date sc-status x-edge-request-id time-taken\n08:14:30\t2026-11-02\t502\tabc==\t0.250\nno line\n";
        let told = told(Format::Cloudfront, file);
        assert!(told[2].contains("outcome=error") && told[2].contains("observed_at=2026-11-02T08:14:30"), "{told:#?}");
        assert!(told[3].starts_with("rejected"), "{told:#?}");
    }
}
