//! rack-timeout under any Ruby server, version 0.6.3, and the error that it raises as the server prints it.
//!
//! ```text
//! source=rack-timeout id=5caf1b14-… timeout=2000ms service=2000ms state=timed_out at=error
//! 2026-11-22 12:43:03 +0000 Rack app ("GET /report" - (127.0.0.1)): #<Rack::Timeout::RequestTimeoutError: Request ran for longer than 2000ms >
//! ```
//!
//! The first form has request, limit and time elapsed, but no moment unless a logger adds one. `state=completed` follows for
//! the same request: the exception was handled, which is no success. `docs/formats/rack_timeout.md`.

use domain::{Claim, ClaimedOutcome, Kind, KnownFrom, Layer, Limit, Millis, Product, RequestId};
use jiff::Timestamp;

use super::{Fate, Lines, RAW_BYTES_MAX, cut, go, marks, ruby, times};

/// The format's name.
pub const FORMAT: &str = "rack_timeout";

/// What every line with something to say holds one of: see [`super::marks`].
pub(super) const MARKS: marks::Declared = &[&["source=rack-timeout ", "Rack::Timeout::"]];

pub(super) const LINES: Lines = Lines { begins, read };

const SOURCE: &str = "source=rack-timeout ";
const ERROR: &str = "Rack::Timeout::RequestTimeout";

/// Behind Ruby's own logger the head belongs to the line; what stands before that is a transport's.
fn begins(line: &str) -> Option<usize> {
    let at = line.find(SOURCE)?;
    ruby::find(line, |message| message.starts_with(SOURCE)).or_else(|| (at == 0 || line[..at].ends_with([' ', '\t'])).then_some(at))
}

/// Reads one line; `None` when it is not rack-timeout's.
#[must_use]
pub fn read(text: &str) -> Option<Fate> {
    let line = text.lines().next()?;
    let (at, message) = ruby::split(line).map_or((None, line), |(head, message)| (Some(head.at), message));
    let claim = |kind, at| Claim {
        platform: Some(Product::from(FORMAT)),
        observed_at: at,
        ..Claim::new(kind, FORMAT, cut(text.trim_end(), RAW_BYTES_MAX))
    };
    if let Some(fields) = message.strip_prefix(SOURCE) {
        return state(claim(Kind::AppLog, at), fields);
    }
    // `#<Rack::Timeout::RequestTimeoutError: Request ran for longer than 2000ms >`; Rails: `…Error (Request ran for … )`.
    let (before, error) = line.split_once(ERROR)?;
    let value = error.split_once("ran for longer than ").and_then(|(_, rest)| go::duration(rest.split([' ', ')', '>', ',']).next()?))?;
    let claim = claim(Kind::RequestError, at.or_else(|| moment(before))).with("error_type", "Rack::Timeout::RequestTimeoutError");
    let target = before.split_once("(\"").and_then(|(_, rest)| rest.split_once("\" - ("));
    let claim = target.and_then(|(target, _)| target.split_once(' ')).map_or(claim.clone(), |(method, _)| claim.with("method", method));
    let outcome = Some(ClaimedOutcome::Timeout);
    let waited = error.split_once("Request waited ").and_then(|(_, rest)| go::duration(rest.split([' ', ',']).next()?));
    Some(Fate::Evidence(Box::new(Claim { outcome, limit: Some(served_until(value, waited)), ..claim })))
}

/// The limit of a request that was being served: `service_timeout`, or what its wait in front of the server had left of
/// `wait_timeout` if that was less, which is what is printed then. Settings are whole seconds, a rest is none.
fn served_until(printed: Millis, waited: Option<Millis>) -> Limit {
    // Both are rounded to milliseconds.
    let whole = |value: Millis| {
        let nearest = value.plus(Millis::from_ms(1)).floor_seconds();
        (nearest > Millis::ZERO && value.plus(Millis::from_ms(1)).minus(nearest) <= Millis::from_ms(2)).then_some(nearest)
    };
    match waited.and_then(|waited| whole(printed.plus(waited))).filter(|_| whole(printed).is_none()) {
        Some(sum) => limit("wait_timeout", Some(sum)),
        None => limit("service_timeout", Some(printed)),
    }
}

/// puma's `2026-11-22 12:43:03 +0000 `.
fn moment(before: &str) -> Option<Timestamp> {
    times::rfc3339(before.get(.."2026-11-22 12:43:03 +0000".len())?)
}

fn limit(setting: &str, value_ms: Option<Millis>) -> Limit {
    Limit {
        layer: Layer::AppServer,
        product: Product::from(FORMAT),
        setting: setting.to_owned(),
        value_ms,
        known_from: KnownFrom::Claimed,
        place: None,
    }
}

/// `id=… wait=… timeout=… service=… state=… at=…`.
fn state(claim: Claim, fields: &str) -> Option<Fate> {
    let field = |name: &str| fields.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    let time = |name| field(name).and_then(go::duration);
    let id = field("id").filter(|id| !matches!(*id, "" | "-")).map(RequestId::from);
    let claim = Claim { request_id: id, ..claim.with("state", field("state")?) };
    let claim = time("wait").map_or(claim.clone(), |wait| claim.with("wait_ms", wait));
    let timeout = |limit, elapsed| Claim {
        kind: Kind::TimeoutNotice,
        outcome: Some(ClaimedOutcome::Timeout),
        elapsed_ms: elapsed,
        limit: Some(limit),
        ..claim.clone()
    };
    let stated = time("timeout").filter(|value| *value > Millis::ZERO);
    let claim = match field("state")? {
        "timed_out" => {
            let limit = stated.map_or_else(|| limit("service_timeout", None), |printed| served_until(printed, time("wait")));
            timeout(limit, time("service"))
        }
        // It had waited for longer than `wait_timeout` in front of the server, and was not served at all.
        "expired" => timeout(limit("wait_timeout", stated), time("wait")),
        "completed" => Claim { kind: Kind::Request, elapsed_ms: time("service"), ..claim },
        _ => return Some(Fate::Ignored(Box::new(claim))),
    };
    Some(Fate::Evidence(Box::new(claim)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::tests::evidence;

    fn claim(text: &str) -> Claim {
        evidence(text, read)
    }

    #[test]
    fn a_line_has_request_limit_and_time() {
        for head in ["", "E, [2026-11-22T09:00:00.250000 #7] ERROR -- : "] {
            let line = format!("{head}source=rack-timeout id=a-1 wait=12ms timeout=15000ms service=15001ms state=timed_out at=error");
            assert_eq!(begins(&format!("web.1 {line}")), Some(6));
            let claim = claim(&line);
            assert_eq!(
                (claim.kind, claim.request_id, claim.elapsed_ms),
                (Kind::TimeoutNotice, Some(RequestId::from("a-1")), Some(Millis::from_ms(15_001)))
            );
            let limit = claim.limit.expect("named");
            assert_eq!((limit.setting.as_str(), limit.value_ms), ("service_timeout", Some(Millis::from_ms(15_000))));
        }
    }

    #[test]
    fn one_that_waited_too_long_was_never_served() {
        let claim = claim("source=rack-timeout id=a-1 wait=31000ms timeout=30000ms state=expired at=error");
        assert_eq!((claim.limit.expect("named").setting, claim.elapsed_ms), ("wait_timeout".to_owned(), Some(Millis::from_ms(31_000))));
    }

    #[test]
    fn what_the_wait_left_of_its_limit_is_no_service_timeout() {
        let limit = |fields: &str| {
            let limit = claim(&format!("source=rack-timeout id=a-1 {fields} state=timed_out at=error")).limit.expect("named");
            (limit.setting, limit.value_ms.map(Millis::as_ms))
        };
        assert_eq!(limit("wait=19877ms timeout=10123ms service=10124ms"), ("wait_timeout".to_owned(), Some(30_000)));
        assert_eq!(limit("wait=12ms timeout=15000ms service=15001ms"), ("service_timeout".to_owned(), Some(15_000)));
        assert_eq!(limit("timeout=2500ms service=2501ms"), ("service_timeout".to_owned(), Some(2500)));
    }

    #[test]
    fn the_error_names_no_request() {
        let puma = claim(
            "2026-11-22 09:00:00 +0000 Rack app (\"GET /a\" - (10.0.0.1)): #<Rack::Timeout::RequestTimeoutError: Request ran for longer than 2000ms >",
        );
        assert_eq!((puma.request_id, puma.limit.expect("named").value_ms), (None, Some(Millis::from_ms(2000))));
        let rails = claim("Rack::Timeout::RequestTimeoutException (Request waited 5ms, then ran for longer than 14995ms ):");
        let limit = rails.limit.expect("named");
        assert_eq!((limit.setting.as_str(), limit.value_ms), ("wait_timeout", Some(Millis::from_ms(15_000))));
    }

    #[test]
    fn a_request_that_goes_on_is_ignored() {
        assert!(matches!(read("source=rack-timeout id=a-1 timeout=2000ms state=ready at=info"), Some(Fate::Ignored(_))));
        assert!(read("see source=rack-timeout for more").is_none());
    }
}
