//! Puma's own lines, version 5.6: workers of a cluster that the master gives up on, and requests that a stop cuts off.
//!
//! ```text
//! [3884] - Worker 0 (PID: 3989) booted in 0.17s, phase: 0
//! [3884] ! Terminating timed out worker (worker failed to check in within 6 seconds): 3989
//! 2026-11-27 15:31:15 +0000 Rack app ("GET /report" - (127.0.0.1)): #<Puma::ThreadPool::ForceShutdown: Puma::ThreadPool::ForceShutdown>
//! ```
//!
//! The last one has the query without its question mark. Other shapes are from Puma's source, read in November 2026: up to 4 the
//! master gives no reason, from 6 on it names the worker's number there. Only the last line has a time. `docs/formats/puma.md`.

use domain::{Claim, ClaimedOutcome, Kind, KnownFrom, Layer, Limit, Millis, Product};

use super::{Fate, Lines, RAW_BYTES_MAX, cut, marks, times};

/// The format's name.
pub const FORMAT: &str = "puma";

/// What every line with something to say holds one of: see [`super::marks`].
pub(super) const MARKS: marks::Declared = &[&["! Terminating timed out worker", " (PID: ", FORCED]];

/// The exception that ends a thread when a stop has waited for `force_shutdown_after`.
const FORCED: &str = "Puma::ThreadPool::ForceShutdown";

pub(super) const LINES: Lines = Lines { begins: find, read };

/// Where a line begins: bare, or after a blank behind a transport's prefix.
fn find(line: &str) -> Option<usize> {
    const BRACKETS_MAX: usize = 8;
    if line.contains(FORCED) {
        let stamp = line.split_once(" Rack app (")?.0.len().checked_sub(STAMP_BYTES)?;
        return (line.is_char_boundary(stamp) && forced(&line[stamp..]).is_some()).then_some(stamp);
    }
    let brackets = line.match_indices('[').map(|(at, _)| at).take(BRACKETS_MAX);
    brackets.into_iter().find(|at| (*at == 0 || line[..*at].ends_with([' ', '\t'])) && of_master(&line[*at..]).is_some())
}

const STAMP_BYTES: usize = "2026-11-27 15:31:15 +0000".len();

/// Reads one line; `None` when it is not Puma's.
#[must_use]
pub fn read(text: &str) -> Option<Fate> {
    let first = text.lines().next()?;
    let claim = of_master(first).or_else(|| forced(first))?;
    let raw = cut(text.trim_end(), RAW_BYTES_MAX).to_owned();
    Some(Fate::Evidence(Box::new(Claim { platform: Some(Product::from(FORMAT)), raw, ..claim })))
}

/// `[3884] …`, as the master of a cluster writes.
fn of_master(line: &str) -> Option<Claim> {
    let (master, message) = line.strip_prefix('[')?.split_once("] ")?;
    let master: u32 = master.parse().ok()?;
    let claim = if let Some(rest) = message.strip_prefix("! Terminating timed out worker") {
        given_up(rest)?
    } else {
        let (pid, rest) = message.strip_prefix("- Worker ")?.split_once(" (PID: ")?.1.split_once(')')?;
        rest.starts_with(" booted").then_some(())?;
        Claim { pid: Some(pid.parse().ok()?), ..Claim::new(Kind::WorkerBoot, FORMAT, "") }
    };
    Some(claim.with("arbiter_pid", master))
}

/// ` (worker failed to check in within 6 seconds): 3989`, ` (Worker 0 failed to boot within 60 seconds): 3989`, `: 3989`.
fn given_up(rest: &str) -> Option<Claim> {
    let (why, pid) = rest.rsplit_once(": ")?;
    let value_ms = why.split_once(" within ").and_then(|(_, rest)| Millis::parse_seconds(rest.split(' ').next()?));
    let (setting, outcome) = match why {
        _ if why.contains(" failed to boot within ") => ("worker_boot_timeout", ClaimedOutcome::BootTimeout),
        "" => ("worker_timeout", ClaimedOutcome::Timeout),
        _ if why.contains(" failed to check in within ") => ("worker_timeout", ClaimedOutcome::Timeout),
        _ => return None,
    };
    let claim = Claim { pid: Some(pid.trim_end().parse().ok()?), ..Claim::new(Kind::WorkerTimeout, FORMAT, "") };
    Some(Claim { outcome: Some(outcome), limit: Some(limit(setting, value_ms)), ..claim })
}

/// A request whose thread was ended because the stop had waited long enough.
fn forced(line: &str) -> Option<Claim> {
    let (stamp, rest) = line.split_at_checked(STAMP_BYTES)?;
    let (request, error) = rest.strip_prefix(" Rack app (\"")?.split_once("\" - (")?;
    error.contains(FORCED).then_some(())?;
    let claim = Claim { observed_at: Some(times::rfc3339(stamp)?), ..Claim::new(Kind::TimeoutNotice, FORMAT, "") };
    let claim = match request.split_once(' ') {
        Some((method, path)) => claim.with("method", method).with("path", path),
        None => claim,
    };
    Some(Claim { outcome: Some(ClaimedOutcome::DroppedAtShutdown), limit: Some(limit("force_shutdown_after", None)), ..claim })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::tests::evidence;

    fn claim(text: &str) -> Claim {
        evidence(text, read)
    }

    #[test]
    fn the_master_names_process_limit_and_whether_it_was_the_boot() {
        for (why, setting, ms) in [
            (" (worker failed to check in within 6 seconds)", "worker_timeout", Some(6000)),
            (" (Worker 3 failed to check in within 60 seconds)", "worker_timeout", Some(60_000)),
            (" (Worker 3 failed to boot within 90 seconds)", "worker_boot_timeout", Some(90_000)),
            ("", "worker_timeout", None),
        ] {
            let claim = claim(&format!("[3884] ! Terminating timed out worker{why}: 3989"));
            assert_eq!((claim.kind, claim.pid, claim.number("arbiter_pid")), (Kind::WorkerTimeout, Some(3989), Some(3884.0)));
            let limit = claim.limit.expect("named");
            assert_eq!((limit.setting.as_str(), limit.value_ms), (setting, ms.map(Millis::from_ms)));
        }
        let boot = claim("[3884] - Worker 0 (PID: 3989) booted in 0.17s, phase: 0");
        assert_eq!((boot.kind, boot.pid), (Kind::WorkerBoot, Some(3989)));
    }

    #[test]
    fn a_request_that_a_stop_cut_off_is_named() {
        let line = r#"2026-11-27 15:31:15 +0000 Rack app ("GET /report" - (127.0.0.1)): #<Puma::ThreadPool::ForceShutdown: Puma::ThreadPool::ForceShutdown>"#;
        let claim = claim(line);
        assert_eq!((claim.outcome, claim.text("path")), (Some(ClaimedOutcome::DroppedAtShutdown), Some("/report")));
        assert_eq!(find(&format!("app[web.1]: {line}")), Some("app[web.1]: ".len()));
    }

    #[test]
    fn other_lines_are_not_pumas() {
        for line in [
            "[3884] - Worker 0 is fine",
            "[3884] ! Terminating timed out worker of ours: 12",
            "[web] ! Terminating timed out worker: 12",
            "rescue Puma::ThreadPool::ForceShutdown => e",
        ] {
            assert!(read(line).is_none() && find(line).is_none(), "{line}");
        }
    }
}
