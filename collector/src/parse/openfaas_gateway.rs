//! OpenFaaS's gateway: its log, version 0.25.4.
//!
//! ```text
//! Timeouts: read=35s write=35s upstream=2s
//! 2026/11/22 12:46:21 error with upstream request to: /function/orders/7, Get "http://10.0.0.9/function/orders/7": context deadline exceeded
//! 2026/11/22 12:46:21 Forwarded [GET] to /function/orders/7?sleep=6 - [502] - 2.0003s
//! ```
//!
//! The caller gets a 502 both when `upstream_timeout` fired and when the caller itself left; the words before decide.
//! `docs/formats/openfaas_gateway.md`.

use domain::{Claim, ClaimedOutcome, FunctionName, Kind, KnownFrom, Layer, Limit, Millis, Product};
use jiff::Timestamp;

use super::openfaas::evidence;
use super::{Fate, Lines, RAW_BYTES_MAX, cut, go, marks};

/// The format's name.
pub const FORMAT: &str = "openfaas_gateway";

/// What every line with something to say holds one of: see [`super::marks`].
pub(super) const MARKS: marks::Declared = &[&["Timeouts: read=", "error with upstream request to: ", "Forwarded ["]];

pub(super) const LINES: Lines = Lines { begins: |line| if line.starts_with(BANNER) { Some(0) } else { go::find(line, is_known) }, read };

const BANNER: &str = "Timeouts: read=";
const ERROR: &str = "error with upstream request to: ";
const FORWARDED: &str = "Forwarded [";

fn is_known(text: &str) -> bool {
    text.starts_with(ERROR) || text.starts_with(FORWARDED)
}

/// Whether `line` is what the gateway writes right after the error that `event` is.
pub(super) fn continues(event: &str, line: &str) -> bool {
    let path = |event| Some(error_path(go::split(event)?.1)?.0);
    let forwarded = |line| forwarded(go::split(line)?.1).map(|(_, path, ..)| path);
    !event.contains('\n') && path(event).is_some_and(|path| forwarded(line).and_then(|target| target.split('?').next()) == Some(path))
}

/// Reads one event; `None` when it is not the gateway's.
#[must_use]
pub fn read(text: &str) -> Option<Fate> {
    let mut lines = text.lines();
    let first = lines.next()?;
    let base = |kind| Claim { platform: Some(Product::from(FORMAT)), ..Claim::new(kind, FORMAT, cut(text.trim_end(), RAW_BYTES_MAX)) };
    if let Some(claim) = banner(base(Kind::ServerStart), first) {
        return Some(evidence(claim));
    }
    let (at, words) = go::split(first)?;
    let claim = |kind| Claim { observed_at: Some(at), ..base(kind) };
    if let Some((path, error)) = error_path(words) {
        let claim = of_path(claim(Kind::GatewayError).with("error", error), path);
        let told = lines.next().and_then(go::split).and_then(|(_, second)| forwarded(second));
        let claim = told.map_or(claim.clone(), |(method, path, status, elapsed)| answered(claim, at, method, path, status, elapsed));
        return Some(evidence(match error {
            // Some of Go's clients say more behind it.
            _ if error.starts_with("context deadline exceeded") => {
                Claim { kind: Kind::GatewayTimeout, outcome: Some(ClaimedOutcome::Timeout), limit: Some(upstream_timeout()), ..claim }
            }
            "context canceled" => Claim { outcome: Some(ClaimedOutcome::ClientClosed), ..claim },
            _ => Claim { outcome: Some(ClaimedOutcome::Error), ..claim },
        }));
    }
    let (method, path, status, elapsed) = forwarded(words)?;
    Some(evidence(answered(of_path(claim(Kind::GatewayRequest), path), at, method, path, status, elapsed)))
}

fn upstream_timeout() -> Limit {
    Limit {
        layer: Layer::Gateway,
        product: Product::from(FORMAT),
        setting: "upstream_timeout".to_owned(),
        value_ms: None,
        known_from: KnownFrom::Claimed,
        place: None,
    }
}

/// `Timeouts: read=35s<TAB>write=35s<TAB>upstream=10s`.
fn banner(mut claim: Claim, line: &str) -> Option<Claim> {
    const NAMES: [(&str, &str); 3] = [("read", "read_timeout_ms"), ("write", "write_timeout_ms"), ("upstream", "upstream_timeout_ms")];
    for word in line.strip_prefix("Timeouts: ")?.split_whitespace() {
        let (label, value) = word.split_once('=')?;
        let (_, name) = NAMES.iter().find(|(known, _)| *known == label)?;
        claim = claim.with(name, go::duration(value)?);
    }
    claim.millis("upstream_timeout_ms").is_some().then_some(claim)
}

/// The path without its query, and what Go's HTTP client says: `…to: /function/orders/7, Get "http://…": EOF`.
fn error_path(words: &str) -> Option<(&str, &str)> {
    let (path, rest) = words.trim_end().strip_prefix(ERROR)?.split_once(", ")?;
    Some((path, rest.rsplit_once("\": ")?.1))
}

/// Method, path, status and duration of `Forwarded [GET] to /function/orders/7?sleep=6 - [502] - 2.0003s`.
fn forwarded(words: &str) -> Option<(&str, &str, u32, Millis)> {
    let (method, rest) = words.trim_end().strip_prefix(FORWARDED)?.split_once("] to ")?;
    let (rest, elapsed) = rest.rsplit_once("] - ")?;
    let (path, status) = rest.rsplit_once(" - [")?;
    let seconds = elapsed.strip_suffix(" seconds").or_else(|| elapsed.strip_suffix('s'))?;
    Some((method, path, status.parse().ok()?, Millis::parse_seconds(seconds)?))
}

fn answered(claim: Claim, at: Timestamp, method: &str, path: &str, status: u32, elapsed: Millis) -> Claim {
    let claim = claim.with("method", method).with("path", path).with("status", status);
    Claim { elapsed_ms: Some(elapsed), started_at: Some(elapsed.before(at)), ..claim }
}

/// The function is the path's second part; its namespace, after a full stop, belongs to the name.
fn of_path(claim: Claim, path: &str) -> Claim {
    let name = ["/function/", "/async-function/"].iter().find_map(|prefix| path.strip_prefix(prefix));
    let name = name.and_then(|rest| rest.split(['/', '?']).next()).filter(|name| !name.is_empty());
    Claim { function: name.map(FunctionName::from), ..claim }.with("path", path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::tests::evidence;

    fn claim(text: &str) -> Claim {
        evidence(text, read)
    }

    const ERROR_LINE: &str =
        "2026/11/22 09:00:02 error with upstream request to: /function/pay/7, Get \"http://p:8080/function/pay/7?a=b\": context";

    #[test]
    fn the_same_502_is_the_gateways_or_the_callers_by_the_words_before_it() {
        let second = "2026/11/22 09:00:02 Forwarded [GET] to /function/pay/7?a=b - [502] - 2.0003s";
        let fired = claim(&format!("{ERROR_LINE} deadline exceeded\n{second}"));
        assert_eq!((fired.kind, fired.outcome), (Kind::GatewayTimeout, Some(ClaimedOutcome::Timeout)));
        assert_eq!((fired.elapsed_ms, fired.text("path")), (Some(Millis::from_us(2_000_300)), Some("/function/pay/7?a=b")));
        assert_eq!(fired.function.as_ref().map(FunctionName::as_str), Some("pay"));
        assert_eq!(claim(&format!("{ERROR_LINE} canceled\n{second}")).outcome, Some(ClaimedOutcome::ClientClosed));
    }

    #[test]
    fn only_the_answer_of_the_same_path_continues_an_error() {
        let error = format!("{ERROR_LINE} canceled");
        assert!(continues(&error, "2026/11/22 09:00:02 Forwarded [GET] to /function/pay/7?a=b - [502] - 2.0003s"));
        assert!(!continues(&error, "2026/11/22 09:00:02 Forwarded [GET] to /function/pay/8 - [502] - 2.0003s"));
    }

    #[test]
    fn the_banner_has_no_time_and_gives_the_limits() {
        let banner = claim("Timeouts: read=35s\twrite=35s\tupstream=1m0s");
        assert_eq!((banner.kind, banner.number("upstream_timeout_ms"), banner.observed_at), (Kind::ServerStart, Some(60_000.0), None));
    }
}
