//! nginx's access lines: what its variables tell beyond the status.
//!
//! `$upstream_header_time` is `-` where no header came, `$upstream_connect_time` where no connection came up: that, and not
//! 504 (which an upstream may have sent itself), says that nginx gave up. With several upstreams each list has one element
//! for each, so that a timeout hidden behind a 200 is seen.

use domain::{Claim, ClaimedOutcome, Confidence, Kind, Millis, Product, RequestId};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{FORMAT, limit};
use crate::parse::access_line::{self, AccessLine, REQUEST_ID_KEYS};
use crate::parse::{Fate, RAW_BYTES_MAX, cut, times, trace_header};

/// What a line says, whatever its spelling.
#[derive(Default)]
struct Facts<'a> {
    client: Option<&'a str>,
    at: Option<Timestamp>,
    method: Option<&'a str>,
    path: Option<&'a str>,
    status: Option<u32>,
    bytes: Option<u32>,
    request_id: Option<RequestId>,
    pid: Option<u32>,
    connection: Option<String>,
    elapsed: Option<Millis>,
    upstreams: Upstreams,
    addresses: Option<String>,
}

/// One element per upstream tried. The outer `None`: not logged. An inner one: `-`.
#[derive(Default)]
struct Upstreams {
    status: Option<Vec<Option<u32>>>,
    response: Option<Vec<Option<Millis>>>,
    connect: Option<Vec<Option<Millis>>>,
    header: Option<Vec<Option<Millis>>>,
}

impl Upstreams {
    fn read<'t>(get: &impl Fn(&[&str]) -> Option<&'t str>) -> Self {
        let times = |keys: &[&str]| get(keys).map(|list| elements(list).map(access_line::seconds).collect());
        Self {
            status: get(&["us", "upstream_status"]).map(|list| elements(list).map(|one| one.parse().ok()).collect()),
            response: times(&["urt", "upstream_response_time"]),
            connect: times(&["uct", "upstream_connect_time"]),
            header: times(&["uht", "upstream_header_time"]),
        }
    }

    /// With the request's status for the last one's, where a format has times of upstreams but no `$upstream_status`, as the most
    /// copied one has: nginx passes the last one's status on, or makes one for it. Of those before it nothing is known.
    fn with_status(self, status: u32) -> Self {
        let times = [&self.response, &self.connect, &self.header].into_iter().flatten();
        let (tried, was_asked) = times
            .fold((0, false), |(tried, was_asked), list| (tried.max(list.len()), was_asked || list.last().is_some_and(Option::is_some)));
        if self.status.is_some() || tried == 0 {
            return self;
        }
        let mut statuses = vec![None; tried];
        statuses[tried - 1] = was_asked.then_some(status);
        Self { status: Some(statuses), ..self }
    }
}

fn elements(list: &str) -> impl Iterator<Item = &str> {
    list.split([',', ' ']).filter(|one| !one.is_empty() && *one != ":")
}

/// Reads a line of text.
pub fn read_line(line: &AccessLine<'_>, raw: &str) -> Fate {
    let get = |keys: &[&str]| line.trailer.get(keys);
    claim(
        Facts {
            client: Some(line.client),
            at: get(&["msec"]).and_then(times::epoch_seconds).or(Some(line.at)),
            method: line.request.map(|(method, _)| method),
            path: line.request.map(|(_, path)| path),
            status: Some(line.status),
            bytes: line.bytes,
            request_id: line.trailer.request_id(),
            pid: get(&["pid"]).and_then(|pid| pid.parse().ok()),
            connection: get(&["conn", "connection"]).map(str::to_owned),
            elapsed: get(&["rt", "request_time"]).and_then(access_line::seconds),
            upstreams: Upstreams::read(&get),
            addresses: get(&["ua", "upstream_addr"]).map(str::to_owned),
        },
        raw,
    )
}

/// Reads a JSON access line (`log_format … escape=json`): told by the names of nginx's own variables.
pub fn read_record(object: &Map<String, Value>, raw: &str) -> Option<Vec<Fate>> {
    let own = ["upstream_response_time", "upstream_status", "upstream_addr", "body_bytes_sent", "remote_addr", "request_uri"];
    if !object.contains_key("request_time") || !object.contains_key("status") || !own.iter().any(|key| object.contains_key(*key)) {
        return None;
    }
    let texts: Vec<(&str, String)> = object.iter().filter_map(|(key, value)| Some((key.as_str(), text(value)?))).collect();
    let get = |keys: &[&str]| keys.iter().find_map(|key| texts.iter().find(|(name, _)| name == key)).map(|(_, value)| value.as_str());
    let request = get(&["request"]).and_then(|line| line.split_once(' '));
    let target = request.map(|(_, target)| target.rsplit_once(' ').map_or(target, |(path, _)| path));
    let stamp = |text: &str| times::rfc3339(text).or_else(|| times::common_log(text)).or_else(|| times::epoch_seconds(text));
    let facts = Facts {
        client: get(&["remote_addr", "client"]),
        at: get(&["msec"])
            .and_then(times::epoch_seconds)
            .or_else(|| get(&["time_iso8601", "time", "@timestamp", "timestamp", "time_local", "ts"]).and_then(stamp)),
        method: get(&["method", "request_method"]).or(request.map(|(method, _)| method)),
        path: get(&["request_uri", "uri", "path"]).or(target),
        status: get(&["status"]).and_then(|status| status.parse().ok()),
        bytes: get(&["body_bytes_sent", "bytes_sent"]).and_then(|bytes| bytes.parse().ok()),
        request_id: get(&REQUEST_ID_KEYS).filter(|id| !matches!(*id, "" | "-")).map(RequestId::from),
        pid: get(&["pid"]).and_then(|pid| pid.parse().ok()),
        connection: get(&["connection", "conn"]).map(str::to_owned),
        elapsed: get(&["request_time"]).and_then(access_line::seconds),
        upstreams: Upstreams::read(&get),
        addresses: get(&["upstream_addr"]).map(str::to_owned),
    };
    Some(vec![claim(facts, raw)])
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn claim(facts: Facts<'_>, raw: &str) -> Fate {
    let mut claim = Claim::new(Kind::GatewayRequest, FORMAT, cut(raw.trim_end(), RAW_BYTES_MAX));
    claim.platform = Some(Product::NGINX);
    claim.request_id = facts.request_id;
    claim.trace_id = claim.request_id.as_ref().and_then(|_| trace_header::within(raw));
    claim.pid = facts.pid;
    // The stamp is the end: the line is written once the answer is.
    claim.observed_at = facts.at;
    claim.elapsed_ms = facts.elapsed;
    claim.started_at = facts.at.zip(facts.elapsed).map(|(end, elapsed)| elapsed.before(end));
    for (name, text) in [("client", facts.client), ("method", facts.method), ("path", facts.path)] {
        if let Some(text) = text.filter(|text| !matches!(*text, "" | "-")) {
            claim = claim.with(name, text);
        }
    }
    for (name, number) in [("status", facts.status), ("response_bytes", facts.bytes)] {
        if let Some(number) = number {
            claim = claim.with(name, number);
        }
    }
    for (name, text) in [("connection", facts.connection), ("upstream", facts.addresses)] {
        if let Some(text) = text {
            claim = claim.with(name, text);
        }
    }
    let status = facts.status.unwrap_or_default();
    let told = tell(claim, status, facts.elapsed, &facts.upstreams.with_status(status));
    // Answered and without an ID it ties to nothing.
    let says = told.request_id.is_some() || told.outcome.is_some_and(|outcome| outcome != ClaimedOutcome::Success);
    if says { Fate::Evidence(Box::new(told)) } else { Fate::Ignored(Box::new(told)) }
}

/// How it says the request ended.
fn tell(claim: Claim, status: u32, elapsed: Option<Millis>, upstreams: &Upstreams) -> Claim {
    let outcome = |claim: Claim, outcome| Claim { outcome: Some(outcome), ..claim };
    if let Some((index, last)) = upstreams.given_up() {
        return given_up(claim, index, last, upstreams);
    }
    let last = |list: &Option<Vec<Option<u32>>>| list.as_ref().and_then(|list| list.last().copied());
    match (status, last(&upstreams.status)) {
        (499, _) => outcome(claim, ClaimedOutcome::ClientClosed),
        // No upstream was asked: nginx itself was waiting for the client.
        (408, Some(None)) if claim.text("method").is_some() => {
            // What has no body can only have kept its headers back.
            let has_no_body = matches!(claim.text("method"), Some("GET" | "HEAD"));
            let setting = if has_no_body { "client_header_timeout" } else { "client_body_timeout" };
            let claim = Claim { limit: Some(limit(setting)), outcome_confidence: Some(Confidence::Likely), ..claim };
            let claim = outcome(claim, ClaimedOutcome::ClientIdleTimeout);
            if let Some(elapsed) = elapsed { claim.with("waited_ms", elapsed) } else { claim }
        }
        (504, Some(Some(504))) => outcome(claim, ClaimedOutcome::UpstreamTimeout),
        (502, Some(Some(502))) if upstreams.was_connected() => outcome(claim, ClaimedOutcome::Error).with("upstream_closed", true),
        (500.., _) => outcome(claim, ClaimedOutcome::Error),
        (100..400, _) => outcome(claim, ClaimedOutcome::Success),
        _ => claim,
    }
}

impl Upstreams {
    /// The first upstream that nginx gave up on, and whether it was the last one asked. A 504 with a header is one that the
    /// upstream sent.
    fn given_up(&self) -> Option<(usize, bool)> {
        let status = self.status.as_ref()?;
        let own = |index: usize| self.header.as_ref().is_none_or(|header| header.get(index).is_some_and(Option::is_none));
        let index = status.iter().enumerate().position(|(index, status)| *status == Some(504) && own(index))?;
        Some((index, status[index..].iter().all(|status| *status == Some(504))))
    }

    fn was_connected(&self) -> bool {
        self.connect.as_ref().is_none_or(|connect| connect.last().is_some_and(Option::is_some))
            && self.header.as_ref().is_none_or(|header| header.last().is_some_and(Option::is_none))
    }
}

fn given_up(claim: Claim, index: usize, last: bool, upstreams: &Upstreams) -> Claim {
    let connected = upstreams.connect.as_ref().map(|connect| connect.get(index).is_some_and(Option::is_some));
    let (setting, outcome) = match connected {
        Some(false) => ("proxy_connect_timeout", ClaimedOutcome::ConnectTimeout),
        _ => ("proxy_read_timeout", ClaimedOutcome::GatewayTimeout),
    };
    // Without the times of header and connection, 504 may be the upstream's own, or the connection's.
    let sure = upstreams.header.is_some() && connected.is_some();
    let waited = upstreams.response.as_ref().and_then(|times| times.get(index).copied().flatten());
    let mut claim = Claim { outcome: Some(outcome), limit: Some(limit(setting)), ..claim };
    if !sure {
        claim.outcome_confidence = Some(Confidence::Likely);
    }
    if let Some(waited) = waited {
        claim = claim.with("waited_ms", waited);
    }
    if last { claim } else { claim.with("next_upstream", true) }
}
