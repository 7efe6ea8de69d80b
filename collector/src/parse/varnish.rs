//! Varnish: groups of varnishlog, and lines of varnishncsa.
//!
//! ```text
//! *   << Request  >> 3
//! -   ReqURL         /report
//! -   RespStatus     503
//! **  << BeReq    >> 4
//! --  FetchError     first byte timeout
//! 10.0.0.9 - - [22/Nov/2026:12:48:29 +0000] "GET http://h/report HTTP/1.1" 503 278 1.001676 1001754 rid=6be5… xid=3
//! ```
//!
//! Read off Varnish 7.1.1 in November 2026. 503 is its answer to every failed fetch: `FetchError` tells which one.

use domain::{Claim, ClaimedOutcome, Kind, KnownFrom, Layer, Limit, Millis, Product, RequestId};
use jiff::Timestamp;

use super::access_line::{self, AccessLine};
use super::{Fate, Lines, RAW_BYTES_MAX, cut, marks, times};

/// The format's name.
pub const FORMAT: &str = "varnish";

/// What every line with something to say holds one of: see [`super::marks`].
pub(super) const MARKS: marks::Declared = &[&marks::COMMON_LOG, &GROUPS];

/// What groups are of, as their first lines name it.
const GROUPS: [&str; 3] = ["<< Request", "<< BeReq", "<< Session"];

/// Groups and access lines.
pub(super) const LINES: Lines = Lines {
    begins: |line| if is_group(line) { Some(0) } else { super::access_log::find_head(line) },
    read: |text| if is_group(text) { read_group(text) } else { read_line(text) },
};

/// A group's first line: `*   << Request  >> 3`.
fn is_group(text: &str) -> bool {
    text.starts_with('*')
        && !text.starts_with("**")
        && text.lines().next().is_some_and(|first| GROUPS.iter().any(|group| first.contains(group)) && first.contains(" >> "))
}

/// Whether a line belongs to the group that began with `first`.
pub(super) fn continues(first: &str, line: &str) -> bool {
    is_group(first) && (line.starts_with('-') || line.starts_with("**"))
}

/// What a group says, request and fetches together.
#[derive(Default)]
struct Group<'a> {
    method: Option<&'a str>,
    path: Option<&'a str>,
    request_id: Option<RequestId>,
    vxid: Option<&'a str>,
    status: Option<u32>,
    backend: Option<&'a str>,
    fetch_errors: Vec<&'a str>,
    started_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    elapsed: Option<Millis>,
    /// From the request sent to the backend to its answer or the error.
    waited: Option<Millis>,
    is_failed: bool,
}

fn read_group(text: &str) -> Option<Fate> {
    let mut group = Group { vxid: text.lines().next()?.rsplit(' ').find(|word| !word.is_empty()), ..Group::default() };
    for line in text.lines().skip(1) {
        let line = line.trim_start_matches(['-', '*']).trim_start();
        let (tag, value) = line.split_once(' ').map_or((line, ""), |(tag, value)| (tag, value.trim_start()));
        group.take(tag, value);
    }
    let mut claim = Claim::new(Kind::GatewayRequest, FORMAT, cut(text.trim_end(), RAW_BYTES_MAX));
    claim.platform = Some(Product::VARNISH);
    claim.request_id.clone_from(&group.request_id);
    claim.started_at = group.started_at;
    claim.observed_at = group.ended_at;
    claim.elapsed_ms = group.elapsed;
    for (name, value) in [("method", group.method), ("path", group.path), ("upstream", group.backend), ("vxid", group.vxid)] {
        if let Some(value) = value {
            claim = claim.with(name, value);
        }
    }
    if let Some(status) = group.status {
        claim = claim.with("status", status);
    }
    let told = group.tell(claim);
    let says = told.request_id.is_some() || told.outcome.is_some_and(|outcome| outcome != ClaimedOutcome::Success);
    Some(if says { Fate::Evidence(Box::new(told)) } else { Fate::Ignored(Box::new(told)) })
}

impl<'a> Group<'a> {
    fn take(&mut self, tag: &str, value: &'a str) {
        match tag {
            "ReqMethod" | "BereqMethod" => self.method = self.method.or(Some(value)),
            "ReqURL" | "BereqURL" => self.path = self.path.or(Some(value)),
            "ReqHeader" | "BereqHeader" => {
                let named = value.split_once(": ").filter(|(name, _)| name.eq_ignore_ascii_case("x-request-id"));
                self.request_id =
                    self.request_id.take().or_else(|| named.map(|(_, id)| id.trim()).filter(|id| !id.is_empty()).map(RequestId::from));
            }
            "RespStatus" => self.status = value.parse().ok(),
            "BerespStatus" => self.status = self.status.or(value.parse().ok()),
            "BackendOpen" => self.backend = value.split(' ').nth(1),
            "FetchError" => self.fetch_errors.push(value),
            "Timestamp" => self.stamp(value),
            _ => {}
        }
    }

    /// `Resp: 1795351710.571325 1.001755 0.000079`: the moment, since the start, since the one before.
    fn stamp(&mut self, value: &str) {
        let Some((event, figures)) = value.split_once(": ") else { return };
        let (at, spans) = figures.split_once(' ').unwrap_or((figures, ""));
        let spans: Vec<Millis> = spans.split_whitespace().filter_map(Millis::parse_seconds).collect();
        let [since_start, since_last] = spans[..] else { return };
        let at = times::epoch_seconds(at);
        match event {
            "Start" => self.started_at = self.started_at.or(at),
            // Of the client's transaction where there is one, which comes first in a group.
            "Resp" => (self.ended_at, self.elapsed) = (at, Some(since_start)),
            "Beresp" | "Error" if self.waited.is_none() => {
                self.waited = Some(since_last);
                self.is_failed = event == "Error";
                if self.elapsed.is_none() {
                    (self.ended_at, self.elapsed) = (at, Some(since_start));
                }
            }
            "Error" => self.is_failed = true,
            _ => {}
        }
    }

    fn tell(&self, claim: Claim) -> Claim {
        let outcome = |claim: Claim, outcome| Claim { outcome: Some(outcome), ..claim };
        let fired = |claim: Claim, setting: &str, kind| outcome(Claim { limit: Some(limit(setting)), ..claim }, kind);
        let waited = |claim: Claim| if let Some(waited) = self.waited { claim.with("waited_ms", waited) } else { claim };
        let has = |words: &str| self.fetch_errors.iter().any(|error| error.contains(words));
        let told = if has("first byte timeout") {
            waited(fired(claim, "first_byte_timeout", ClaimedOutcome::GatewayTimeout))
        } else if has("between bytes timeout") || has("Resource temporarily unavailable") {
            fired(claim, "between_bytes_timeout", ClaimedOutcome::GatewayTimeout)
        } else if has("Connection timed out") || has("connect timeout") {
            fired(claim, "connect_timeout", ClaimedOutcome::ConnectTimeout)
        } else if has("EOF") || has("HTC eof") || has("Connection reset by peer") {
            return outcome(claim, ClaimedOutcome::Error).with("upstream_closed", true);
        } else {
            return match self.status {
                Some(500..) => outcome(claim, ClaimedOutcome::Error),
                Some(100..400) => outcome(claim, ClaimedOutcome::Success),
                _ => claim,
            };
        };
        // A fetch that was tried again elsewhere.
        if !self.is_failed && self.status.is_some_and(|status| status < 500) && self.fetch_errors.len() == 1 && has("first byte") {
            return told.with("next_upstream", true);
        }
        told
    }
}

fn read_line(text: &str) -> Option<Fate> {
    let line = access_line::split(text)?;
    (!access_line::is_of_nginx(&line) && !access_line::is_of_apache(&line)).then(|| read_access(&line, text))
}

fn read_access(line: &AccessLine<'_>, raw: &str) -> Fate {
    let mut claim = Claim::new(Kind::GatewayRequest, FORMAT, cut(raw.trim_end(), RAW_BYTES_MAX));
    claim.platform = Some(Product::VARNISH);
    // varnishncsa stamps a request when it came in.
    claim.started_at = Some(line.at);
    claim.request_id = line.trailer.request_id();
    claim = claim.with("client", line.client).with("status", line.status);
    if let Some((method, target)) = line.request {
        let path = target.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..])).unwrap_or(target);
        claim = claim.with("method", method).with("path", path);
    }
    if let Some(xid) = line.trailer.get(&["xid"]) {
        claim = claim.with("vxid", xid);
    }
    claim.outcome = match line.status {
        100..400 => Some(ClaimedOutcome::Success),
        500.. => Some(ClaimedOutcome::Error),
        _ => None,
    };
    let says = claim.request_id.is_some() || claim.outcome == Some(ClaimedOutcome::Error);
    if says { Fate::Evidence(Box::new(claim)) } else { Fate::Ignored(Box::new(claim)) }
}

fn limit(setting: &str) -> Limit {
    Limit {
        layer: Layer::Cdn,
        product: Product::VARNISH,
        setting: setting.to_owned(),
        value_ms: None,
        known_from: KnownFrom::Claimed,
        place: None,
    }
}

#[cfg(test)]
mod tests {
    use crate::parse::Format;
    use crate::parse::tests::read;

    fn group(error: &str, status: u32) -> String {
        format!(
            "*   << Request  >> 3         \n-   Timestamp      Start: 1795351709.500000 0.000000 0.000000\n-   ReqMethod      GET\n-   ReqURL         /r?x=1\n\
             -   ReqHeader      X-Request-ID: r-9\n-   RespStatus     {status}\n-   Timestamp      Resp: 1795351710.501755 1.001755 0.000079\n-   End            \n\
             **  << BeReq    >> 4         \n--  Timestamp      Start: 1795351709.500100 0.000000 0.000000\n--  BackendOpen    22 shop 10.0.0.1 8000 10.0.0.2 58956 connect\n\
             --  FetchError     {error}\n--  Timestamp      Error: 1795351710.501025 1.001362 1.001200\n--  End            \n\n"
        )
    }

    #[test]
    fn a_group_is_one_item_and_its_fetch_error_decides() {
        let items = read(Format::Auto, &(group("first byte timeout", 503) + &group("EOF", 503)));
        assert_eq!(items.len(), 2, "{items:#?}");
        assert_eq!(
            items[0],
            "evidence gateway_request elapsed_ms=1001.755 limit_ms=null method=GET observed_at=2026-11-22T12:48:30.501755Z outcome=gateway_timeout path=/r?x=1 request_id=r-9 started_at=2026-11-22T12:48:29.500Z status=503 upstream=shop vxid=3 waited_ms=1001.2"
        );
        assert!(items[1].contains("outcome=error") && items[1].contains("upstream_closed=true"), "{}", items[1]);
    }

    #[test]
    fn an_access_line_has_the_path_without_the_host_and_no_verdict() {
        let line = r#"10.0.0.9 - - [22/Nov/2026:12:48:29 +0000] "GET http://h:80/r?x=1 HTTP/1.1" 503 278 1.001676 1001754 rid=r-9 xid=3"#;
        assert_eq!(
            read(Format::Auto, line),
            [
                "evidence gateway_request client=10.0.0.9 method=GET outcome=error path=/r?x=1 request_id=r-9 started_at=2026-11-22T12:48:29Z status=503 vxid=3"
            ]
        );
    }
}
