//! Every file in `tests/fixtures/<format>/` is read by that format, and by `auto`: nothing rejected, something understood.

use std::fs;
use std::path::{Path, PathBuf};

use collector::parse::{Context, Fate, Format};

/// The input files of a format: all but the note of where they came from.
fn fixtures(format: Format) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(format.name());
    let entries = fs::read_dir(&folder).expect("every format has fixtures, see tests/tidy.rs");
    let paths = entries.map(|entry| entry.expect("a folder of ours can be listed").path());
    paths.filter(|path| path.extension().is_none_or(|extension| extension != "md")).collect()
}

/// How many items of a file are evidence; a rejected one is a failure.
fn evidence(path: &Path, format: Format) -> usize {
    let parsed = format.parse(&fs::read(path).expect("a fixture can be read"), &Context::default());
    for item in &parsed.items {
        if let Fate::Rejected(reject) = &item.fate {
            panic!("{}:{} as {}: {}", path.display(), item.line, format.name(), reject.reason);
        }
    }
    parsed.items.iter().filter(|item| matches!(item.fate, Fate::Evidence(_))).count()
}

#[test]
fn every_fixture_is_read_by_its_format_and_found_by_auto() {
    for format in Format::ALL.into_iter().filter(|format| *format != Format::Auto) {
        for path in fixtures(format) {
            let (asked, found) = (evidence(&path, format), evidence(&path, Format::Auto));
            assert!(asked > 0, "{} says nothing as {}", path.display(), format.name());
            assert_eq!(found, asked, "{} as auto and as {}", path.display(), format.name());
        }
    }
}
