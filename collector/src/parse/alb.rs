//! Access logs of AWS's Application Load Balancer.
//!
//! ```text
//! https 2026-02-11T10:01:00.004000Z app/pay/50dc… 203.0.113.9:46532 10.0.0.66:9000 0.001 -1 -1 504 - 34 366 "GET https://… HTTP/1.1"
//!   "curl/8.5.0" ECDHE-… TLSv1.2 arn:aws:… "Root=1-6a3f1c20-…" "pay.example.com" "session-reused" 1 2026-02-11T10:00:00.000000Z "forward" …
//! ```
//!
//! AWS's "Access logs for your Application Load Balancer", read in November 2026. Fields are told by their place; newer ones
//! are appended, older logs end earlier. A time of −1 was not measured, which by itself says nothing: redirects have it too.

use domain::{Claim, ClaimedOutcome, Confidence, Kind, Layer, Limit, Millis};

use super::gateway_facts::{self as gateways, present};
use super::{Fate, Lines, RAW_BYTES_MAX, Reject, cut, marks, times, trace_header};
use crate::documented::default_of;

/// The format's name.
pub const FORMAT: &str = "alb";

/// The end of a moment, and the balancer's name.
pub(super) const MARKS: marks::Declared = &[&[r"\dZ app/"]];

pub(super) const LINES: Lines = Lines { begins, read };

const TYPES: [&str; 6] = ["http", "https", "h2", "grpcs", "ws", "wss"];

fn begins(line: &str) -> Option<usize> {
    let mut words = line.splitn(4, ' ');
    let (kind, at, name) = (words.next()?, words.next()?, words.next()?);
    (TYPES.contains(&kind) && name.starts_with("app/") && at.ends_with('Z') && times::rfc3339(at).is_some()).then_some(0)
}

/// The places of the fields that are read.
mod field {
    pub const AT: usize = 1;
    pub const LOAD_BALANCER: usize = 2;
    pub const REQUEST_TIME: usize = 5;
    pub const TARGET_TIME: usize = 6;
    pub const RESPONSE_TIME: usize = 7;
    pub const STATUS: usize = 8;
    pub const TARGET_STATUS: usize = 9;
    pub const REQUEST: usize = 12;
    pub const TRACE: usize = 17;
    pub const STARTED: usize = 21;
    pub const ERROR_REASON: usize = 24;
}

fn read(text: &str) -> Option<Fate> {
    begins(text)?;
    let text = text.trim_end();
    let fields = split(text);
    if fields.len() <= field::REQUEST {
        let reason = format!("expected at least {} fields of a load balancer's access log, found {}", field::REQUEST + 1, fields.len());
        return Some(Fate::Rejected(Reject::new(reason, text)));
    }
    Some(gateways::fate(claim(&fields, text)))
}

/// Splits at blanks outside of quotes; quotes within a value are written as `\x22`.
fn split(text: &str) -> Vec<&str> {
    let mut quoted = false;
    let ends = move |c: char| {
        quoted ^= c == '"';
        c == ' ' && !quoted
    };
    text.split(ends).map(|field| field.trim_matches('"')).collect()
}

fn claim(fields: &[&str], text: &str) -> Claim {
    let value = |at: usize| fields.get(at).copied().and_then(present);
    let duration = |at: usize| value(at).and_then(Millis::parse_seconds).filter(|time| *time >= Millis::ZERO);
    let mut claim = Claim::new(Kind::GatewayRequest, FORMAT, cut(text, RAW_BYTES_MAX)).with("gateway", "alb");
    if let Some(header) = value(field::TRACE) {
        claim = trace_header::add_xray(claim, header);
    }
    claim.observed_at = value(field::AT).and_then(times::rfc3339);
    claim.started_at = value(field::STARTED).and_then(times::rfc3339);
    claim.elapsed_ms =
        claim.started_at.zip(claim.observed_at).map(|(start, end)| Millis::between(start, end)).filter(|time| *time >= Millis::ZERO);
    let times = [
        (field::REQUEST_TIME, "request_processing_ms"),
        (field::TARGET_TIME, "target_processing_ms"),
        (field::RESPONSE_TIME, "response_processing_ms"),
    ];
    for (at, name) in times {
        if let Some(time) = duration(at) {
            claim = claim.with(name, time.as_ms_f64());
        }
    }
    for (at, name) in [(field::STATUS, "status_code"), (field::TARGET_STATUS, "target_status_code")] {
        if let Some(status) = value(at).and_then(|text| text.parse::<u32>().ok()) {
            claim = claim.with(name, status);
        }
    }
    for (at, name) in [(field::LOAD_BALANCER, "load_balancer"), (field::ERROR_REASON, "error_reason")] {
        if let Some(word) = value(at) {
            claim = claim.with(name, word);
        }
    }
    if let Some((method, target)) = value(field::REQUEST).and_then(|request| request.split_once(' ')) {
        claim = claim.with("method", method).with("path", target.rsplit_once(' ').map_or(target, |(path, _)| path));
    }
    judged(claim)
}

/// What status, reason and times together say.
fn judged(mut claim: Claim) -> Claim {
    use ClaimedOutcome::{ClientClosed, ClientIdleTimeout, ConnectTimeout, Crash, Error, NoCapacity, Throttled, UpstreamTimeout};
    let status = |name: &str| gateways::status(&claim, name);
    let (Some(own), target) = (status("status_code"), status("target_status_code")) else { return claim };
    let reason = claim.text("error_reason");
    let answered = target.is_some() || claim.millis("target_processing_ms").is_some();
    let outcome = match reason {
        Some("LambdaConnectionTimeout") => Some(ConnectTimeout),
        Some("LambdaThrottling") => Some(Throttled),
        Some(reason) if reason.starts_with("Lambda") => Some(Error),
        _ if own == 460 => Some(ClientClosed),
        _ if own == 408 && !answered => Some(ClientIdleTimeout),
        _ if own == 504 && target == Some(504) => Some(UpstreamTimeout),
        _ if own == 504 => {
            let (outcome, limit) = gave_up(&claim);
            claim.limit = Some(limit);
            Some(outcome)
        }
        _ if own == 502 && !answered => {
            claim.outcome_confidence = Some(Confidence::Likely);
            Some(Crash)
        }
        _ if own == 503 && !answered => Some(NoCapacity),
        _ => gateways::by_status(own),
    };
    claim.outcome = outcome;
    claim
}

/// A 504 of its own: it never reached the target within its fixed ten seconds, or the target was silent for the idle timeout.
fn gave_up(claim: &Claim) -> (ClaimedOutcome, Limit) {
    let limit = |setting: &str, value: Option<Millis>| gateways::limit(Layer::LoadBalancer, "alb", setting, value);
    let sent_after = claim.millis("request_processing_ms");
    let fixed = default_of("alb", gateways::ALB_CONNECT_TIMEOUT);
    let connecting = claim.elapsed_ms.and_then(gateways::whole_seconds).filter(|value| *value == fixed);
    if let (None, Some(value)) = (sent_after, connecting) {
        return (ClaimedOutcome::ConnectTimeout, limit(gateways::ALB_CONNECT_TIMEOUT, Some(value)));
    }
    let waited = claim.elapsed_ms.map(|elapsed| elapsed.minus(sent_after.unwrap_or(Millis::ZERO)));
    (ClaimedOutcome::GatewayTimeout, limit(gateways::ALB_IDLE_TIMEOUT, waited.and_then(gateways::whole_seconds)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{Format, tests::read_one};

    #[test]
    fn status_and_times_together_tell_who_gave_up() {
        use ClaimedOutcome::{ClientClosed, ConnectTimeout, Crash, Error, GatewayTimeout, Success, UpstreamTimeout};
        let told: Vec<_> = include_str!("../../../tests/fixtures/alb/access.log")
            .lines()
            .map(|line| match read(line).expect("an access line") {
                Fate::Evidence(claim) => (claim.outcome, claim.limit.and_then(|limit| limit.value_ms).map(Millis::as_ms)),
                other => panic!("expected evidence, found {other:?}"),
            })
            .collect();
        let expected = [
            (Some(Success), None),
            (Some(GatewayTimeout), Some(45_000)),
            (Some(ConnectTimeout), Some(10_000)),
            (Some(Crash), None),
            (Some(Error), None),
            (Some(UpstreamTimeout), None),
            (Some(ClientClosed), None),
            (Some(GatewayTimeout), None),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_redirect_without_times_is_no_timeout() {
        let line = r#"http 2026-11-02T08:00:00.001000Z app/shop/1f2e3d4c5b6a7980 198.51.100.7:50001 - -1 -1 -1 301 - 10 20 "GET http://shop.example.com:80/ HTTP/1.1" "curl" - - - "-" "-" "-" 0 2026-11-02T08:00:00.000000Z "redirect" "https://shop.example.com/" "-" "-" "-""#;
        let read = read_one(Format::Alb, line);
        assert!(read.starts_with("ignored gateway_request") && read.contains("outcome=success"), "{read}");
    }

    #[test]
    fn a_cut_line_is_rejected_and_words_are_nobodys() {
        let cut = "https 2026-11-02T08:00:00.001000Z app/shop/1f2e3d4c5b6a7980 198.51.100.7:50001 - -1 -1";
        assert!(matches!(read(cut), Some(Fate::Rejected(reject)) if reject.reason.contains("found 7")));
        for words in ["http 2026-11-02T08:00:00Z hello", "https is on", ""] {
            assert!(read(words).is_none(), "{words}");
        }
    }
}
