//! uvicorn's default log, versions 0.30 and 0.54. It has no limit on requests; a stop may cut them off, a worker may end.
//!
//! ```text
//! INFO:     Started server process [19559]
//! INFO:     Child process [19559] died
//! ERROR:    Cancel 1 running task(s), timeout graceful shutdown exceeded
//! ERROR:    Exception in ASGI application
//! Traceback (most recent call last):
//! …
//! asyncio.exceptions.CancelledError: Task cancelled, timeout graceful shutdown exceeded
//! ```
//!
//! Lines have neither time nor request. Under gunicorn they have gunicorn's head and are read there. `docs/formats/uvicorn.md`.

use domain::{Claim, ClaimedOutcome, Kind, KnownFrom, Layer, Limit, Product};

use super::{Fate, Lines, RAW_BYTES_MAX, cut, marks, python};

/// The format's name.
pub const FORMAT: &str = "uvicorn";

/// What every line with something to say holds one of: see [`super::marks`].
pub(super) const MARKS: marks::Declared =
    &[&["server process [", "Child process [", "Shutting down", " running task(s), timeout graceful", "Exception in ASGI application"]];

pub(super) const LINES: Lines = Lines { begins: |line| split(line).is_some_and(is_known).then_some(0), read };

fn is_known(message: &str) -> bool {
    const WORDS: [&str; 6] = [
        "Started server process [",
        "Finished server process [",
        "Child process [",
        "Shutting down",
        "Cancel ",
        "Exception in ASGI application",
    ];
    WORDS.iter().any(|words| message.starts_with(words))
}

/// `INFO:     message`: the level, a colon, and blanks up to the tenth column.
fn split(line: &str) -> Option<&str> {
    let (level, rest) = line.split_once(':')?;
    matches!(level, "INFO" | "WARNING" | "ERROR" | "CRITICAL").then(|| rest.strip_prefix(' ')).flatten().map(str::trim)
}

/// Reads one event; `None` when it is not uvicorn's.
#[must_use]
pub fn read(text: &str) -> Option<Fate> {
    let message = split(text.lines().next()?)?;
    let base = |kind| Claim { platform: Some(Product::from(FORMAT)), ..Claim::new(kind, FORMAT, cut(text.trim_end(), RAW_BYTES_MAX)) };
    let of_process = |words: &str, end: &str| message.strip_prefix(words)?.strip_suffix(end)?.parse::<u32>().ok();
    let claim = if let Some(pid) = of_process("Started server process [", "]") {
        Claim { pid: Some(pid), ..base(Kind::WorkerBoot) }
    } else if let Some(pid) = of_process("Finished server process [", "]") {
        Claim { pid: Some(pid), ..base(Kind::WorkerExit) }
    } else if let Some(pid) = of_process("Child process [", "] died") {
        Claim { pid: Some(pid), ..base(Kind::ProcessExit) }
    } else if let Some(pid) = of_process("Child process [", "] failed to start, stopping the parent process.") {
        Claim { pid: Some(pid), outcome: Some(ClaimedOutcome::InitCrash), ..base(Kind::Fault) }
    } else if message == "Shutting down" {
        base(Kind::ServerStopping)
    } else if let Some(count) = message.strip_prefix("Cancel ").and_then(|rest| rest.strip_suffix(CANCELLED)) {
        cancelled(base(Kind::TimeoutNotice), count.parse().ok()?)
    } else if message == "Exception in ASGI application" {
        exception(base(Kind::RequestError), text)
    } else {
        return None;
    };
    Some(Fate::Evidence(Box::new(claim)))
}

const CANCELLED: &str = " running task(s), timeout graceful shutdown exceeded";

fn cancelled(claim: Claim, count: u32) -> Claim {
    let limit = Limit {
        layer: Layer::AppServer,
        product: Product::from(FORMAT),
        setting: "--timeout-graceful-shutdown".to_owned(),
        value_ms: None,
        known_from: KnownFrom::Claimed,
        place: None,
    };
    Claim { outcome: Some(ClaimedOutcome::DroppedAtShutdown), limit: Some(limit), ..claim.with("cancelled", count) }
}

/// An exception of the application's, with where it stood; the end by the stop is told apart.
fn exception(claim: Claim, text: &str) -> Claim {
    let at_stop = text.trim_end().ends_with("CancelledError: Task cancelled, timeout graceful shutdown exceeded");
    let claim = Claim { outcome: Some(ClaimedOutcome::Error), ..claim };
    python::with_stack(if at_stop { claim.with("told_to_quit", true) } else { claim }, python::frames(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::tests::evidence;

    fn claim(text: &str) -> Claim {
        evidence(text, read)
    }

    #[test]
    fn the_end_of_the_grace_period_is_told_with_its_setting() {
        let claim = claim("ERROR:    Cancel 3 running task(s), timeout graceful shutdown exceeded");
        assert_eq!((claim.outcome, claim.number("cancelled")), (Some(ClaimedOutcome::DroppedAtShutdown), Some(3.0)));
        assert_eq!(claim.limit.expect("named").setting, "--timeout-graceful-shutdown");
    }

    #[test]
    fn a_task_cut_off_shows_where_it_stood() {
        let text = "ERROR:    Exception in ASGI application\nTraceback (most recent call last):\n  File \"/a.py\", line 3, in pay\n    await sleep(9)\nasyncio.exceptions.CancelledError: Task cancelled, timeout graceful shutdown exceeded";
        let cut_off = claim(text);
        assert!(cut_off.attributes.contains_key("told_to_quit"));
        assert_eq!(cut_off.stacks[0].frames[0].function, "pay");
        assert!(!claim("ERROR:    Exception in ASGI application\nKeyError: 1").attributes.contains_key("told_to_quit"));
    }

    #[test]
    fn workers_come_and_go() {
        for (message, kind) in [
            ("INFO:     Started server process [7]", Kind::WorkerBoot),
            ("INFO:     Finished server process [7]", Kind::WorkerExit),
            ("INFO:     Child process [7] died", Kind::ProcessExit),
            ("ERROR:    Child process [7] failed to start, stopping the parent process.", Kind::Fault),
        ] {
            let claim = claim(message);
            assert_eq!((claim.kind, claim.pid), (kind, Some(7)), "{message}");
        }
        assert!(read("INFO:     Child process [7] died of boredom").is_none());
    }

    #[test]
    fn access_lines_and_others_words_are_not_read() {
        for line in
            ["INFO:     127.0.0.1:4 - \"GET / HTTP/1.1\" 200 OK", "INFO: Cancel order 7", "Shutting down", "INFO:root:Shutting down"]
        {
            assert!(read(line).is_none(), "{line}");
        }
    }
}
