//! Every file in `tests/fixtures/<format>/` is read by that format, and by `auto`: nothing rejected, something understood.

use std::fs;
use std::path::{Path, PathBuf};

use collector::parse::{Context, Fate, Format};
use domain::Kind;

/// The input files below a folder: all but the notes of where they came from.
fn below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("every format has fixtures, see tests/tidy.rs");
    let paths = entries.map(|entry| entry.expect("a folder of ours can be listed").path());
    let inputs = paths.filter(|path| path.extension().is_none_or(|extension| extension != "md"));
    inputs.flat_map(|path| if path.is_dir() { below(&path) } else { vec![path] }).collect()
}

/// The input files of a format.
fn fixtures(format: Format) -> Vec<PathBuf> {
    below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(format.name()))
}

/// How many items of a file are evidence, and how many are understood at all; a rejected one is a failure.
fn read(path: &Path, format: Format) -> (usize, usize) {
    let parsed = format.parse(&fs::read(path).expect("a fixture can be read"), &Context::default());
    let (mut evidence, mut understood) = (0, 0);
    for item in &parsed.items {
        match &item.fate {
            Fate::Evidence(_) => (evidence, understood) = (evidence + 1, understood + 1),
            Fate::Ignored(claim) if claim.kind != Kind::AppLog => understood += 1,
            Fate::Ignored(_) | Fate::Passed(_) => {}
            Fate::Rejected(reject) => panic!("{}:{} as {}: {}", path.display(), item.line, format.name(), reject.reason),
        }
    }
    (evidence, understood)
}

#[test]
fn every_fixture_is_read_by_its_format_and_found_by_auto() {
    for format in Format::ALL.into_iter().filter(|format| *format != Format::Auto) {
        for path in fixtures(format) {
            let (asked, understood) = read(&path, format);
            let (found, _) = read(&path, Format::Auto);
            assert!(understood > 0, "{} says nothing as {}", path.display(), format.name());
            // It may find more: lines of other formats between them.
            assert!(found >= asked, "{}: {asked} as {}, but only {found} as auto", path.display(), format.name());
        }
    }
}

/// What the SDKs of `watchdogs/` sent in their tests: every field of it is understood.
#[test]
fn what_the_watchdogs_send_is_read_whole() {
    let sent = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/watchdog");
    let folders =
        fs::read_dir(sent).expect("it is there").map(|entry| entry.expect("it can be listed").path()).filter(|path| path.is_dir());
    let paths: Vec<PathBuf> = folders.flat_map(|folder| below(&folder)).collect();
    assert!(!paths.is_empty(), "no SDK has written any");
    for path in paths {
        let parsed = Format::Watchdog.parse(&fs::read(&path).expect("a fixture can be read"), &Context::default());
        for item in &parsed.items {
            let Fate::Evidence(claim) = &item.fate else { panic!("{}:{} is no evidence", path.display(), item.line) };
            for spoilt in ["unreadable", "cut", "truncated"] {
                assert!(!claim.attributes.contains_key(spoilt), "{}:{} is {spoilt}: {claim:?}", path.display(), item.line);
            }
        }
        let is_fired = |item: &collector::parse::Item| matches!(&item.fate, Fate::Evidence(claim) if claim.kind == Kind::WatchdogFired);
        assert!(parsed.items.iter().any(is_fired), "{} says nothing of a timeout", path.display());
    }
}
