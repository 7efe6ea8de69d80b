//! Every file in `tests/fixtures/<format>/` is read by that format, and by `auto`: nothing rejected, something understood.

use std::fs;
use std::path::{Path, PathBuf};

use collector::parse::{Context, Fate, Format};
use domain::Kind;

/// The input files of a format: all but the note of where they came from.
fn fixtures(format: Format) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(format.name());
    let entries = fs::read_dir(&folder).expect("every format has fixtures, see tests/tidy.rs");
    let paths = entries.map(|entry| entry.expect("a folder of ours can be listed").path());
    paths.filter(|path| path.extension().is_none_or(|extension| extension != "md")).collect()
}

/// How many items of a file are evidence, and how many are understood at all; a rejected one is a failure.
fn read(path: &Path, format: Format) -> (usize, usize) {
    let parsed = format.parse(&fs::read(path).expect("a fixture can be read"), &Context::default());
    let (mut evidence, mut understood) = (0, 0);
    for item in &parsed.items {
        match &item.fate {
            Fate::Evidence(_) => (evidence, understood) = (evidence + 1, understood + 1),
            Fate::Ignored(claim) if claim.kind != Kind::AppLog => understood += 1,
            Fate::Ignored(_) => {}
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
