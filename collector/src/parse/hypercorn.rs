//! hypercorn's log, version 0.18: `[2026-11-22 12:00:00 +0000] [71] [INFO] Running on http://127.0.0.1:8000 (CTRL + C to quit)`.
//!
//! It has no limit on requests, and at the end of `--graceful-timeout` it prints nothing: only that a server ran is read. Its
//! head is gunicorn's; the words tell them apart. `docs/formats/hypercorn.md`.

use domain::{Claim, Kind, Product};

use super::gunicorn::head;
use super::{Fate, Lines, RAW_BYTES_MAX, cut, marks};

/// The format's name.
pub const FORMAT: &str = "hypercorn";

/// What every line with something to say holds one of: see [`super::marks`].
pub(super) const MARKS: marks::Declared = &[&["(CTRL + C to quit)"]];

pub(super) const LINES: Lines = Lines { begins: |line| if line.contains(SUFFIX) { head::find(line) } else { None }, read };

const SUFFIX: &str = " (CTRL + C to quit)";

/// Reads one line; `None` when it is not hypercorn's.
#[must_use]
pub fn read(text: &str) -> Option<Fate> {
    let (head, message) = head::split(text.lines().next()?)?;
    let address = message.strip_prefix("Running on ")?.strip_suffix(SUFFIX)?;
    let claim = Claim {
        platform: Some(Product::from(FORMAT)),
        observed_at: head.at,
        pid: head.pid,
        ..Claim::new(Kind::ServerStart, FORMAT, cut(text.trim_end(), RAW_BYTES_MAX)).with("name", address)
    };
    Some(Fate::Evidence(Box::new(claim)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_banner_is_told_from_gunicorns() {
        let line = "[2026-11-22 12:00:00 +0000] [71] [INFO] Running on http://127.0.0.1:8000 (CTRL + C to quit)";
        let Some(Fate::Evidence(claim)) = read(line) else { panic!("not read") };
        assert_eq!((claim.kind, claim.pid), (Kind::ServerStart, Some(71)));
        assert!(read("[2026-11-22 12:00:00 +0000] [71] [INFO] Booting worker with pid: 72").is_none());
    }
}
