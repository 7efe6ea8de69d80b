//! What OpenFaaS's two watchdogs have in common: the words of start, stop and banner. `of_watchdog` and `classic_watchdog`
//! are two programs of one family; a line of these says which one wrote it only by the format that was asked for.

use domain::{Claim, Kind, Product};
use jiff::Timestamp;

use super::{Fate, RAW_BYTES_MAX, cut, go};

/// Which program is read.
#[derive(Clone, Copy)]
pub struct Program {
    /// The format's name, which is the product's.
    pub name: &'static str,
}

impl Program {
    /// A claim of this program's.
    pub fn claim(self, kind: Kind, at: Timestamp, raw: &str) -> Claim {
        let product = Product::from(self.name);
        Claim { platform: Some(product), observed_at: Some(at), ..Claim::new(kind, self.name, cut(raw.trim_end(), RAW_BYTES_MAX)) }
    }
}

/// A claim as evidence.
pub fn evidence(claim: Claim) -> Fate {
    Fate::Evidence(Box::new(claim))
}

/// A line of the start or the stop.
pub fn lifecycle(program: Program, at: Timestamp, text: &str, raw: &str) -> Option<Claim> {
    start(program, at, text, raw).or_else(|| stop(program, at, text, raw))
}

fn start(program: Program, at: Timestamp, text: &str, raw: &str) -> Option<Claim> {
    let claim = program.claim(Kind::ServerStart, at, raw);
    if let Some(version) = text.strip_prefix("Version: ") {
        let (version, _) = version.split_once("\tSHA: ")?;
        return Some(claim.with("version", version));
    }
    if let Some(mode) = text.strip_prefix("Watchdog mode: ") {
        return Some(claim.with("mode", mode.split(['\t', ' ']).next()?));
    }
    timeouts(claim, text)
}

/// `Timeouts: read: 10s write: 10s hard: 2s health: 1s`; with commas and a full stop in older versions.
pub fn timeouts(mut claim: Claim, text: &str) -> Option<Claim> {
    const NAMES: [(&str, &str); 4] = [
        ("read:", "read_timeout_ms"),
        ("write:", "write_timeout_ms"),
        ("hard:", "exec_timeout_ms"),
        ("health:", "healthcheck_interval_ms"),
    ];
    let mut words = text.strip_prefix("Timeouts: ")?.split_whitespace();
    while let Some(word) = words.next() {
        let (_, name) = NAMES.iter().find(|(label, _)| *label == word)?;
        claim = claim.with(name, go::duration(words.next()?)?.as_ms_f64());
    }
    claim.millis("exec_timeout_ms").is_some().then_some(claim)
}

fn stop(program: Program, at: Timestamp, text: &str, raw: &str) -> Option<Claim> {
    let claim = |kind| program.claim(kind, at, raw);
    let order = ["SIGTERM: no new connections in ", "SIGTERM received.. shutting down server in "];
    if let Some(wait) = order.iter().find_map(|order| text.strip_prefix(order)) {
        return Some(claim(Kind::ServerStopping).with("accepts_for_ms", go::duration(wait)?.as_ms_f64()));
    }
    if let Some(rest) = text.strip_prefix("No new connections allowed, draining: ") {
        let count: u32 = rest.strip_suffix(" requests")?.parse().ok()?;
        return Some(claim(Kind::ServerStopping).with("draining", count));
    }
    if let Some(error) = text.strip_prefix("Error in Shutdown: ") {
        return Some(claim(Kind::ServerStopping).with("shutdown_error", error));
    }
    if let Some(count) = text.strip_prefix("Exiting. Active connections: ") {
        return Some(claim(Kind::ServerStopped).with("active_connections", count.parse::<u32>().ok()?));
    }
    if text.starts_with("No new connections allowed. Exiting in: ") {
        return Some(claim(Kind::ServerStopped));
    }
    None
}

/// How words of start and stop begin.
pub const LIFECYCLE_WORDS: [&str; 9] = [
    "Version: ",
    "Watchdog mode: ",
    "Timeouts: read: ",
    "SIGTERM: no new connections in ",
    "SIGTERM received.. shutting down server in ",
    "No new connections allowed, draining: ",
    "No new connections allowed. Exiting in: ",
    "Error in Shutdown: ",
    "Exiting. Active connections: ",
];
