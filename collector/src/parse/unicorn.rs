//! unicorn's master log, version 6.0: it ends workers whose request takes longer than `timeout`.
//!
//! ```text
//! E, [2026-11-22T12:44:41.329958 #19553] ERROR -- : worker=1 PID:19555 timeout (4s > 3s), killing
//! E, [2026-11-22T12:44:41.332249 #19553] ERROR -- : reaped #<Process::Status: pid 19555 SIGKILL (signal 9)> worker=1
//! I, [2026-11-22T12:44:41.333915 #19558]  INFO -- : worker=1 spawned pid=19558
//! ```
//!
//! The line names process and limit, never a request. `docs/formats/unicorn.md`.

use domain::{Claim, ClaimedOutcome, Kind, KnownFrom, Layer, Limit, Millis, Product};

use super::{Fate, Lines, RAW_BYTES_MAX, cut, go, marks, ruby};

/// The format's name.
pub const FORMAT: &str = "unicorn";

/// What every line with something to say holds one of: see [`super::marks`].
pub(super) const MARKS: marks::Declared = &[&[r": worker=\d", ": reaped #"]];

pub(super) const LINES: Lines = Lines { begins: |line| ruby::find(line, is_known), read };

fn is_known(message: &str) -> bool {
    message.starts_with("worker=") || message.starts_with("reaped #<Process::Status: pid ")
}

/// unicorn's own words that say nothing about a request.
fn is_idle(message: &str) -> bool {
    const WORDS: [&str; 5] =
        ["listening on addr=", "Refreshing Gem list", "master process ready", "master complete", "reloading config_file="];
    let of_worker = message.starts_with("worker=") && [" ready", " spawning..."].iter().any(|end| message.trim_end().ends_with(end));
    of_worker || WORDS.iter().any(|words| message.starts_with(words))
}

/// Reads one line; `None` when it is not unicorn's.
#[must_use]
pub fn read(text: &str) -> Option<Fate> {
    let (head, message) = ruby::split(text.lines().next()?)?;
    if is_idle(message) {
        let claim = Claim::new(Kind::AppLog, FORMAT, cut(text.trim_end(), RAW_BYTES_MAX)).with("message", message);
        return Some(Fate::Ignored(Box::new(Claim { observed_at: Some(head.at), pid: head.pid, ..claim })));
    }
    let claim = |kind, pid| Claim {
        platform: Some(Product::from(FORMAT)),
        observed_at: Some(head.at),
        pid: Some(pid),
        ..Claim::new(kind, FORMAT, cut(text.trim_end(), RAW_BYTES_MAX))
    };
    let found = if let Some(status) = message.strip_prefix("reaped #<Process::Status: pid ") {
        let (pid, how) = status.split_once(' ')?;
        reaped(claim(Kind::WorkerExit, pid.parse().ok()?), how.split_once('>')?.0)?
    } else {
        let (_, event) = message.strip_prefix("worker=")?.split_once(' ')?;
        if let Some(pid) = event.strip_prefix("spawned pid=") {
            claim(Kind::WorkerBoot, pid.trim_end().parse().ok()?)
        } else {
            let (pid, rest) = event.strip_prefix("PID:")?.split_once(" timeout (")?;
            let (elapsed, value) = rest.split_once("), killing")?.0.split_once(" > ")?;
            timeout(claim(Kind::WorkerTimeout, pid.parse().ok()?), go::duration(elapsed), go::duration(value))
        }
    };
    let arbiter = head.pid.filter(|pid| Some(*pid) != found.pid);
    Some(Fate::Evidence(Box::new(arbiter.map_or(found.clone(), |pid| found.with("arbiter_pid", pid)))))
}

/// `(4s > 3s)`: seconds since the worker was last heard of, then the limit.
fn timeout(claim: Claim, elapsed: Option<Millis>, value_ms: Option<Millis>) -> Claim {
    let limit = Limit {
        layer: Layer::AppServer,
        product: Product::from(FORMAT),
        setting: "timeout".to_owned(),
        value_ms,
        known_from: KnownFrom::Claimed,
        place: None,
    };
    let claim = elapsed.map_or(claim.clone(), |elapsed| claim.with("silent_for_ms", elapsed));
    Claim { outcome: Some(ClaimedOutcome::Timeout), limit: Some(limit), ..claim }
}

/// `SIGKILL (signal 9)`, `exit 0`.
fn reaped(claim: Claim, how: &str) -> Option<Claim> {
    if let Some((signal, _)) = how.split_once(" (signal ") {
        return Some(Claim { kind: Kind::WorkerKilled, ..claim.with("signal", signal) });
    }
    let code: u32 = how.strip_prefix("exit ")?.parse().ok()?;
    Some(if code == 0 { claim } else { Claim { kind: Kind::ProcessExit, ..claim.with("exit_status", code) } })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(message: &str) -> Claim {
        match read(&format!("E, [2026-11-22T09:00:00.250000 #7] ERROR -- : {message}")) {
            Some(Fate::Evidence(claim)) => *claim,
            other => panic!("expected evidence in {message:?}, found {other:?}"),
        }
    }

    #[test]
    fn the_master_names_process_and_limit() {
        let claim = claim("worker=2 PID:31 timeout (61s > 60s), killing");
        assert_eq!((claim.kind, claim.pid, claim.number("silent_for_ms")), (Kind::WorkerTimeout, Some(31), Some(61_000.0)));
        assert_eq!(claim.number("arbiter_pid"), Some(7.0));
        assert_eq!(claim.limit.expect("named").value_ms, Some(Millis::from_ms(60_000)));
    }

    #[test]
    fn workers_come_and_go() {
        assert_eq!(claim("worker=2 spawned pid=31").kind, Kind::WorkerBoot);
        let killed = claim("reaped #<Process::Status: pid 31 SIGKILL (signal 9)> worker=2");
        assert_eq!((killed.kind, killed.text("signal")), (Kind::WorkerKilled, Some("SIGKILL")));
        assert_eq!(claim("reaped #<Process::Status: pid 31 exit 0> worker=2").kind, Kind::WorkerExit);
        assert_eq!(claim("reaped #<Process::Status: pid 31 exit 1> worker=2").number("exit_status"), Some(1.0));
    }

    #[test]
    fn an_applications_words_are_not_unicorns() {
        for line in ["worker=2 PID:31 is fine", "hello"] {
            assert!(read(&format!("I, [2026-11-22T09:00:00.250000 #7]  INFO -- : {line}")).is_none(), "{line}");
        }
    }
}
