//! Heroku: the router's line for each request, the platform's lines about dynos, and Rails' account of a request that has
//! Heroku's ID in front.
//!
//! ```text
//! 2026-02-11T10:00:37.458556+00:00 heroku[router]: at=error code=H12 desc="Request timeout" method=GET path="/slow" host=…
//!   request_id=5e760cec-… fwd="203.0.113.9" dyno=web.1 connect=1ms service=30001ms status=503 bytes=0 protocol=https
//! 2026-02-11T10:00:37+00:00 heroku[worker.1]: Error R12 (Exit timeout) -> Process failed to exit within 30 seconds of SIGTERM
//! 2026-02-11T10:00:41+00:00 app[web.1]: [5e760cec-…] Completed 200 OK in 40998ms
//! ```
//!
//! Heroku's "HTTP Routing", "Error Codes" and "Request Timeout", read in November 2026. `docs/formats/heroku.md`.

use std::collections::BTreeMap;

use domain::{Claim, ClaimedOutcome, Confidence, Kind, KnownFrom, Layer, Limit, Millis, Product, RequestId};

use super::{Fate, Lines, RAW_BYTES_MAX, cut, marks, times};
use crate::documented::default_of;

/// The format's name.
pub const FORMAT: &str = "heroku";

/// What every line with something to say holds one of: see [`super::marks`].
pub(super) const MARKS: marks::Declared = &[&[" fwd=\"", r"Error R\d\d (", r"Error L\d\d (", r"Error H\d\d (", "] Completed "]];
/// The product.
pub(crate) const PRODUCT: &str = "heroku";

/// The router's limits and the dyno manager's, none of which can be set: code, how a request ends by it, name in the table.
const LIMITS: [(&str, ClaimedOutcome, Layer, &str); 7] = [
    ("H12", ClaimedOutcome::Timeout, Layer::Router, "(fixed) request timeout"),
    ("H15", ClaimedOutcome::IdleTimeout, Layer::Router, "(fixed) idle connection"),
    ("H19", ClaimedOutcome::ConnectTimeout, Layer::Router, "(fixed) backend connection timeout"),
    ("H20", ClaimedOutcome::BootTimeout, Layer::Router, "(fixed) app boot timeout"),
    ("H28", ClaimedOutcome::ClientIdleTimeout, Layer::Router, "(fixed) client connection idle"),
    ("R10", ClaimedOutcome::BootTimeout, Layer::Platform, "boot timeout"),
    ("R12", ClaimedOutcome::ExitTimeout, Layer::Platform, "(fixed) exit timeout"),
];

/// Lines of the router and of the dyno manager.
pub(super) const LINES: Lines = Lines { begins, read };

fn begins(line: &str) -> Option<usize> {
    let (_, _, text) = source(line);
    let at = line.len() - text.len();
    if (at > 0 || is_router_line(text)) && is_ours(text) {
        return Some(0);
    }
    None
}

fn read(text: &str) -> Option<Fate> {
    let (at, process, words) = source(text);
    let raw = cut(text.trim_end(), RAW_BYTES_MAX);
    let claim = |kind| Claim { platform: Some(Product::from(PRODUCT)), observed_at: at, ..Claim::new(kind, FORMAT, raw) };
    let read = if is_router_line(words) {
        Some(router_line(claim(Kind::Request), words))
    } else if let Some(error) = words.strip_prefix("Error ").filter(|_| process.is_none_or(|process| process != "router")) {
        dyno_error(claim(Kind::DynoError), error, process)
    } else {
        rails(Claim { platform: None, ..claim(Kind::Request) }, words, process)
    };
    read.map(|claim| Fate::Evidence(Box::new(claim)))
}

fn is_ours(text: &str) -> bool {
    is_router_line(text) || text.strip_prefix("Error ").is_some_and(|rest| dyno_code(rest).is_some())
}

/// `at=error code=… fwd="…" dyno=…`: these keys together are the router's alone.
fn is_router_line(text: &str) -> bool {
    (text.starts_with("at=") || text.starts_with("sock="))
        && [" fwd=", " dyno=", " connect=", " service="].iter().all(|key| text.contains(key))
}

/// What `heroku logs` and drains put in front: time, and `heroku[router]:` or `app[web.1]:`.
fn source(line: &str) -> (Option<jiff::Timestamp>, Option<&str>, &str) {
    let split = || {
        let (time, rest) = line.split_once(' ')?;
        let at = times::rfc3339(time)?;
        let (word, text) = rest.split_once(' ')?;
        let (_, process) = word.strip_suffix("]:")?.split_once('[')?;
        Some((Some(at), Some(process), text))
    };
    split().unwrap_or((None, None, line))
}

fn router_line(mut claim: Claim, text: &str) -> Claim {
    let fields = logfmt(text);
    let text = |name: &str| fields.get(name).copied().filter(|value| !value.is_empty());
    let millis = |name: &str| text(name)?.strip_suffix("ms").and_then(Millis::parse_ms);
    claim.request_id = text("request_id").map(RequestId::from);
    claim.instance = text("dyno").map(Into::into);
    claim.elapsed_ms = millis("service").map(|service| service.plus(millis("connect").unwrap_or(Millis::ZERO)));
    for name in ["code", "desc", "method", "path", "host", "dyno", "protocol"] {
        if let Some(value) = text(name) {
            claim = claim.with(name, value);
        }
    }
    for (ours, theirs) in [("status_code", "status"), ("bytes", "bytes")] {
        if let Some(number) = text(theirs).and_then(|value| value.parse::<f64>().ok()) {
            claim = claim.with(ours, number);
        }
    }
    for (ours, theirs) in [("service_ms", "service"), ("connect_ms", "connect")] {
        if let Some(value) = millis(theirs) {
            claim = claim.with(ours, value);
        }
    }
    let code = claim.text("code").map(str::to_owned);
    let status = claim.number("status_code");
    claim = match code.as_deref() {
        Some(code) => coded(claim, code),
        None => Claim { outcome: status.filter(|status| *status < 500.0).map(|_| ClaimedOutcome::Success), ..claim },
    };
    // An answer of the app's own with a 5xx.
    if code.is_none() && status.is_some_and(|status| status >= 500.0) {
        claim.outcome = Some(ClaimedOutcome::Error);
    }
    claim
}

/// What the code says.
fn coded(mut claim: Claim, code: &str) -> Claim {
    use ClaimedOutcome::{ClientClosed, Crash, NoCapacity, OutOfMemory};
    if let Some((_, outcome, layer, setting)) = LIMITS.into_iter().find(|(known, ..)| *known == code) {
        claim.outcome = Some(outcome);
        claim.limit = Some(Limit {
            layer,
            product: Product::from(PRODUCT),
            setting: setting.to_owned(),
            value_ms: Some(default_of(PRODUCT, setting)),
            known_from: KnownFrom::Default,
            place: None,
        });
        return claim;
    }
    claim.outcome = match code {
        // H10: the app crashed before; H13: it closed the connection without an answer, as a killed worker's end does.
        "H10" | "H13" => Some(Crash),
        "H11" => Some(NoCapacity),
        "H27" => Some(ClientClosed),
        "R15" => Some(OutOfMemory),
        _ => None,
    };
    if code == "H13" {
        claim.outcome_confidence = Some(Confidence::Likely);
    }
    claim
}

/// `R12 (Exit timeout) -> Process failed to exit within 30 seconds of SIGTERM`.
fn dyno_error(mut claim: Claim, error: &str, process: Option<&str>) -> Option<Claim> {
    let (code, rest) = dyno_code(error)?;
    claim.instance = process.map(Into::into);
    if let Some(process) = process {
        claim = claim.with("dyno", process);
    }
    let (desc, message) = rest.split_once(')').unwrap_or((rest, ""));
    claim = claim.with("code", code).with("desc", desc);
    // L10 to L13: what a drain could not deliver.
    if let Some(dropped) = message.trim_start_matches([':', ' ']).split_once(" message").and_then(|(count, _)| count.parse::<f64>().ok()) {
        claim.kind = Kind::LogsDropped;
        return Some(claim.with("dropped_records", dropped));
    }
    claim = coded(claim, code);
    if matches!(code, "R14" | "R15") {
        claim = claim.with("memory_at_limit", true);
    }
    // Both limits stand in the words: R10's can be raised on request.
    let stated = message.split_once("within ").and_then(|(_, rest)| Millis::parse_seconds(rest.split(' ').next()?));
    if let (Some(limit), Some(stated)) = (&mut claim.limit, stated) {
        limit.value_ms = Some(stated);
        limit.known_from = KnownFrom::Claimed;
    }
    Some(claim)
}

/// `R12 (Exit timeout)…` → the code and what follows the bracket.
fn dyno_code(text: &str) -> Option<(&str, &str)> {
    let (code, rest) = text.split_once(" (")?;
    let digits = code.strip_prefix(['R', 'L', 'H'])?;
    (digits.len() == 2 && digits.bytes().all(|b| b.is_ascii_digit())).then_some((code, rest))
}

/// Rails with `config.log_tags = [:request_id]`: `[5e760cec-…] Completed 200 OK in 40998ms (Views: …)`. The ID is the
/// router's, so this is how an app says that it went on after H12.
fn rails(mut claim: Claim, text: &str, process: Option<&str>) -> Option<Claim> {
    let (id, rest) = text.strip_prefix('[')?.split_once("] Completed ")?;
    let is_id = id.len() == 36 && id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    let (status, rest) = rest.split_once(' ').filter(|_| is_id)?;
    let elapsed = rest.rsplit_once(" in ").or_else(|| rest.split_once(" in "))?.1.split("ms").next().and_then(Millis::parse_ms)?;
    let status: f64 = status.parse().ok()?;
    claim.request_id = Some(RequestId::from(id));
    claim.instance = process.map(Into::into);
    claim.elapsed_ms = Some(elapsed);
    claim.outcome = Some(if status < 500.0 { ClaimedOutcome::Success } else { ClaimedOutcome::Error });
    Some(claim.with("status_code", status).with("runtime", "rails"))
}

/// `key=value key="value with spaces" key=`.
fn logfmt(text: &str) -> BTreeMap<&str, &str> {
    let mut fields = BTreeMap::new();
    let mut rest = text.trim();
    while let Some((key, after)) = rest.split_once('=') {
        let (value, next) = match after.strip_prefix('"') {
            // A path may hold quotes: the value ends at the one before the next key or the end.
            Some(quoted) => {
                quoted.find("\" ").map_or_else(|| (quoted.trim_end_matches('"'), ""), |end| (&quoted[..end], &quoted[end + 1..]))
            }
            None => after.split_once(' ').unwrap_or((after, "")),
        };
        fields.entry(key.trim()).or_insert(value);
        rest = next.trim_start();
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{Context, Format, facts};

    fn read_all(format: Format) -> Vec<serde_json::Value> {
        let log = include_str!("../../../tests/fixtures/heroku/router.log");
        format.parse(log.as_bytes(), &Context::default()).items.iter().map(facts::of).collect()
    }

    #[test]
    fn the_routers_codes_say_whose_clock_ran_out() {
        for format in [Format::Heroku, Format::Auto] {
            let told: Vec<_> = read_all(format)
                .iter()
                .filter(|item| item["code"].is_string())
                .map(|item| format!("{} {} {}", item["code"].as_str().unwrap_or_default(), item["outcome"], item["limit_ms"]))
                .collect();
            assert_eq!(
                told,
                [
                    "H12 \"timeout\" 30000",
                    "H13 \"crash\" null",
                    "H19 \"connect_timeout\" 5000",
                    "H20 \"boot_timeout\" 75000",
                    "H27 \"client_closed\" null",
                    "R12 \"exit_timeout\" 30000",
                    "R14 null null",
                    "R15 \"out_of_memory\" null",
                ]
            );
        }
    }

    #[test]
    fn empty_values_are_absent_and_paths_hold_anything() {
        let items = read_all(Format::Heroku);
        let boot = items.iter().find(|item| item["code"] == "H20").expect("in the fixture");
        assert!(boot.get("dyno").is_none() && boot.get("service_ms").is_none() && boot.get("instance").is_none());
        assert_eq!(items[0]["path"], "/report?name=\"a b\"&x=1");
        assert_eq!((&items[0]["service_ms"], &items[0]["connect_ms"]), (&30000.into(), &2.into()));
    }

    #[test]
    fn rails_says_that_it_went_on() {
        let items = read_all(Format::Auto);
        let done = items.iter().find(|item| item["runtime"] == "rails").expect("in the fixture");
        assert_eq!((&done["request_id"], &done["elapsed_ms"]), (&items[0]["request_id"], &38112.into()));
        assert_eq!(done["instance"], "web.2");
    }

    #[test]
    fn other_peoples_logfmt_is_not_the_routers() {
        let text = "at=error code=H12 msg=\"we log codes too\"\n[not-an-id] Completed 200 OK in 3ms\nError R12 is what Heroku says\n";
        let parsed = Format::Auto.parse(text.as_bytes(), &Context::default());
        assert!(parsed.items.iter().all(|item| matches!(item.fate, Fate::Ignored(_))));
    }
}
