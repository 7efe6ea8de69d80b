//! `auto` names the right format: what every format says of its own fixtures, and of everybody else's.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use collector::parse::{Context, Fate, Format};

/// One piece of evidence: its line, which format read it, of what kind it is.
type Told = (u64, String, String);

/// The evidence in an input, in its order.
fn told(format: Format, input: &[u8]) -> Vec<Told> {
    let items = format.parse(input, &Context::default()).items.into_iter();
    let told = items.filter_map(|item| match item.fate {
        Fate::Evidence(claim) => Some((item.line, claim.format.clone(), format!("{:?}", claim.kind))),
        Fate::Ignored(_) | Fate::Passed(_) | Fate::Rejected(_) => None,
    });
    told.collect()
}

/// The files below a folder.
fn below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("every format has fixtures");
    let paths = entries.map(|entry| entry.expect("a folder of ours can be listed").path());
    paths.flat_map(|path| if path.is_dir() { below(&path) } else { vec![path] }).collect()
}

/// Every format with its fixtures: the path below the folder of all, and what is in it.
fn fixtures() -> Vec<(Format, String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut all = Vec::new();
    for format in Format::ALL.into_iter().filter(|format| *format != Format::Auto) {
        let paths = below(&folder.join(format.name()));
        for path in paths.into_iter().filter(|path| path.extension().is_none_or(|extension| extension != "md")) {
            let name = path.strip_prefix(&folder).expect("below it").display().to_string();
            all.push((format, name, fs::read(path).expect("a fixture")));
        }
    }
    assert!(all.len() > 100, "{} fixtures", all.len());
    all
}

/// Formats that read each other's lines when asked to.
const ALIKE: [&[&str]; 5] = [
    // The common log format, in which no word says whose it is; what follows it may.
    &["gunicorn", "nginx", "apache", "varnish"],
    // They share the library that writes the start and the stop.
    &["of_watchdog", "classic_watchdog"],
    // The same records through another transport.
    &["lambda_telemetry", "lambda_json"],
    // Lambda's Ruby runtime writes as Ruby's logger does.
    &["lambda_text", "unicorn"],
    // Vercel's functions run there.
    &["lambda_text", "vercel"],
];

/// `option httplog clf` begins as the lines of the others do, and who is asked for one of them reads that much. `auto` has to tell.
const COMMON_LOG: [&str; 4] = ["haproxy", "nginx", "apache", "varnish"];

fn are_alike(one: &str, other: &str) -> bool {
    ALIKE.iter().any(|group| group.contains(&one) && group.contains(&other))
}

#[test]
fn auto_says_of_every_line_what_its_own_format_says() {
    let mut confused = String::new();
    for (format, name, input) in fixtures() {
        let (asked, found) = (told(format, &input), told(Format::Auto, &input));
        // A record of a batch has a number there, and the number of its line here.
        let mut rest = found.iter();
        for (line, own, kind) in &asked {
            let same = |(_, format, found): &&Told| format == own && found == kind || are_alike(format, own);
            if rest.find(same).is_none() {
                let _ = writeln!(confused, "{name}:{line}: {own} {kind} as {}, not so as auto", format.name());
                break;
            }
        }
    }
    assert!(confused.is_empty(), "confused:\n{confused}");
}

#[test]
fn no_format_takes_anothers_lines_for_its_own() {
    let mut table: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (own, _, input) in fixtures() {
        let known: BTreeSet<(u64, String)> = told(own, &input).into_iter().map(|(line, by, _)| (line, by)).collect();
        let begins_alike = |format: &Format| COMMON_LOG.contains(&own.name()) && COMMON_LOG.contains(&format.name());
        let others = Format::ALL.into_iter().filter(|format| *format != Format::Auto && !are_alike(own.name(), format.name()));
        let others = others.filter(|format| !begins_alike(format));
        for format in others {
            // What only carries lines says of each whose it is, and is no authority on those that it cannot tell.
            let is_taken = |(line, by, _): &Told| {
                let mut said = known.iter().filter(|(known, _)| known == line).peekable();
                by == format.name() && said.peek().is_some() && said.all(|(_, said)| said != by)
            };
            let taken = told(format, &input).iter().filter(|told| is_taken(told)).count();
            if taken > 0 {
                *table.entry((own.name(), format.name())).or_default() += taken;
            }
        }
    }
    let confused: Vec<_> = table.iter().map(|((of, by), lines)| format!("{lines} lines of {of} read as {by}")).collect();
    assert!(confused.is_empty(), "confused:\n{}", confused.join("\n"));
}
