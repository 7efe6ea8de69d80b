//! OpenFaaS's classic watchdog, which starts a process for each request: its log on stderr, versions 0.1.4 to 0.3.9.
//!
//! ```text
//! 2026/11/22 12:46:50 Timeouts: read: 10s write: 10s hard: 2s health: 1s.
//! 2026/11/22 12:46:51 Wrote 17 Bytes - Duration: 0.019844s
//! 2026/11/22 12:46:53 Killing process: /usr/bin/python3 /srv/app/handler.py
//! ```
//!
//! `Killing process` is `exec_timeout`'s act and nobody else's; the caller gets a 408. Words of start and stop are those of
//! of-watchdog, see `docs/formats/classic_watchdog.md`.

use domain::{Claim, ClaimedOutcome, Kind, KnownFrom, Layer, Limit, Millis, Product};

use super::openfaas::{self, Program, evidence};
use super::{Fate, Lines, go, marks};

/// The format's name.
pub const FORMAT: &str = "classic_watchdog";

/// What every line with something to say holds one of: see [`super::marks`].
pub(super) const MARKS: marks::Declared = &[&openfaas::LIFECYCLE_WORDS, &["Killing process: ", " Bytes - Duration: "]];

pub(super) const LINES: Lines = Lines { begins: |line| go::find(line, is_known), read };

const PROGRAM: Program = Program { name: FORMAT };
const KILLING: &str = "Killing process: ";

fn is_known(text: &str) -> bool {
    text.starts_with(KILLING) || wrote(text).is_some() || openfaas::LIFECYCLE_WORDS.iter().any(|words| text.starts_with(words))
}

/// `Wrote 17 Bytes - Duration: 0.019844s`.
fn wrote(text: &str) -> Option<(u32, Millis)> {
    let (bytes, duration) = text.strip_prefix("Wrote ")?.split_once(" Bytes - Duration: ")?;
    Some((bytes.parse().ok()?, go::duration(duration.trim_end()).or_else(|| Millis::parse_seconds(duration.trim_end()))?))
}

/// Reads one line; `None` when it is not the classic watchdog's.
#[must_use]
pub fn read(text: &str) -> Option<Fate> {
    let (at, line) = go::split(text.lines().next()?)?;
    let line = line.trim_end();
    if let Some(claim) = openfaas::lifecycle(PROGRAM, at, line, text) {
        return Some(evidence(claim));
    }
    if let Some(process) = line.strip_prefix(KILLING) {
        let claim = PROGRAM.claim(Kind::TimeoutNotice, at, text).with("process", process);
        let limit = Limit {
            layer: Layer::FunctionWatchdog,
            product: Product::from(FORMAT),
            setting: "exec_timeout".to_owned(),
            value_ms: None,
            known_from: KnownFrom::Claimed,
            place: None,
        };
        return Some(evidence(Claim { outcome: Some(ClaimedOutcome::Timeout), limit: Some(limit), ..claim }));
    }
    let (bytes, elapsed) = wrote(line)?;
    let claim = PROGRAM.claim(Kind::Request, at, text).with("response_bytes", bytes);
    Some(evidence(Claim { elapsed_ms: Some(elapsed), started_at: Some(elapsed.before(at)), ..claim }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn killing_the_process_is_a_timeout_of_its_own() {
        let Some(Fate::Evidence(claim)) = read("2026/11/22 12:46:53 Killing process: /bin/sh -c report") else { panic!("not read") };
        assert_eq!((claim.kind, claim.outcome), (Kind::TimeoutNotice, Some(ClaimedOutcome::Timeout)));
        assert_eq!(claim.limit.as_ref().map(|limit| (limit.setting.as_str(), limit.value_ms)), Some(("exec_timeout", None)));
        assert_eq!(claim.request_id, None);
    }

    #[test]
    fn the_banner_gives_the_limits() {
        let Some(Fate::Evidence(claim)) = read("2026/11/22 12:46:50 Timeouts: read: 10s write: 11s hard: 1m30s health: 1s.") else {
            panic!("not read")
        };
        assert_eq!(
            (claim.kind, claim.number("exec_timeout_ms"), claim.number("write_timeout_ms")),
            (Kind::ServerStart, Some(90_000.0), Some(11_000.0))
        );
    }

    #[test]
    fn a_functions_own_words_are_not_its() {
        for line in ["2026/11/22 12:46:51 Wrote 3 files", "2026/11/22 12:46:51 hello", "Killing process: 7"] {
            assert!(read(line).is_none(), "{line}");
        }
    }
}
