//! How Go's standard library writes a log line's time and a duration: `2026/11/22 12:08:10 text`, `1m30s`, `1.5s`, `500ms`.
//!
//! Read from Go's `log` (default flags) and `time.Duration.String`. The time has no zone; watchdogs and gateways run in UTC.

use domain::Millis;
use jiff::Timestamp;

use super::times;

/// `2026/11/22 12:08:10 ` and a microsecond fraction, if the program asked for one.
const STAMP_BYTES: usize = "2026/11/22 12:08:10".len();
/// More blanks than any transport's prefix has.
const BLANKS_MAX: usize = 12;

/// The time at the beginning of a line, and what follows it.
#[must_use]
pub fn split(line: &str) -> Option<(Timestamp, &str)> {
    let bytes = line.as_bytes();
    if bytes.len() < STAMP_BYTES || bytes[4] != b'/' || bytes[7] != b'/' || bytes[10] != b' ' || bytes[13] != b':' {
        return None;
    }
    let (stamp, rest) = line.split_once(' ').and_then(|(date, rest)| Some((date, rest.split_once(' ')?)))?;
    let (clock, text) = rest;
    Some((times::rfc3339(&format!("{} {clock}", stamp.replace('/', "-")))?, text))
}

/// Where in a line such a time begins whose text `is_known`: whatever a transport put in front of it ends there.
#[must_use]
pub fn find(line: &str, is_known: fn(&str) -> bool) -> Option<usize> {
    let starts = std::iter::once(0).chain(line.match_indices(' ').map(|(at, _)| at + 1).take(BLANKS_MAX));
    starts.into_iter().find(|at| split(&line[*at..]).is_some_and(|(_, text)| is_known(text)))
}

/// A duration as Go prints it; also what stands before a trailing comma or full stop.
#[must_use]
pub fn duration(text: &str) -> Option<Millis> {
    let mut rest = text.trim_end_matches([',', '.']);
    if rest == "0" {
        return Some(Millis::ZERO);
    }
    let mut sum = None;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(digits);
        let unit = tail.find(|c: char| c.is_ascii_digit()).map_or(tail, |end| &tail[..end]);
        let micros = match unit {
            "h" => 3_600_000_000.0,
            "m" => 60_000_000.0,
            "s" => 1_000_000.0,
            "ms" => 1_000.0,
            "us" | "µs" | "μs" => 1.0,
            "ns" => 0.001,
            _ => return None,
        };
        let number: f64 = number.parse().ok()?;
        sum = Some(sum.unwrap_or(Millis::ZERO).plus(Millis::from_ms_f64(number * micros / 1000.0)));
        rest = &tail[unit.len()..];
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_prints_them() {
        let ms = |text| duration(text).map(Millis::as_ms);
        assert_eq!([ms("2s"), ms("1m30s"), ms("1.5s"), ms("500ms"), ms("1h0m0s")], [2000, 90_000, 1500, 500, 3_600_000].map(Some));
        assert_eq!([ms("30s,"), ms("20s."), ms("0s"), ms("0")], [30_000, 20_000, 0, 0].map(Some));
        assert_eq!([ms(""), ms("2"), ms("s"), ms("2 s"), ms("soon")], [None; 5]);
    }

    #[test]
    fn a_stamp_is_found_behind_a_transports_prefix() {
        let known = |text: &str| text.starts_with("signal: killed");
        assert_eq!(find("2026/11/22 12:08:10 signal: killed", known), Some(0));
        assert_eq!(find("2026-11-22T12:08:10.1Z stderr F 2026/11/22 12:08:10 signal: killed", known), Some(32));
        assert_eq!(find("2026/11/22 12:08:10 hello", known), None);
        assert_eq!(find("2026/13/22 12:08:10 signal: killed", known), None);
        assert_eq!(find("ä2026/11/22 12:08:10 signal: killed", known), None);
    }
}
