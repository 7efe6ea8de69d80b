//! Every parser on arbitrary bytes: it does not panic, every item has its fate and its place, and what it yields can be
//! folded and printed.

use std::fs;

use collector::fold;
use collector::parse::{Context, Fate, Format, Item, Parsed, facts};
use domain::{Evidence, SourceName, StackName};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::support::{LATER, at, fixture_path};

#[path = "../../../fuzz/harness.rs"]
mod harness;

fn formats() -> Vec<Format> {
    Format::ALL.to_vec()
}

/// Every fixture there is.
fn corpus() -> Vec<Vec<u8>> {
    let mut files = Vec::new();
    for folder in fs::read_dir(fixture_path(".")).expect("fixtures").map(|entry| entry.expect("listed").path()).filter(|path| path.is_dir())
    {
        let paths = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("listed").path()).filter(|path| path.is_file());
        files.extend(paths.map(|path| fs::read(path).expect("a fixture")));
    }
    assert!(files.len() > 50, "fixtures are found");
    files.sort();
    files
}

/// What has to hold of anything that was read from these bytes.
fn check(format: Format, input: &[u8]) {
    let incidents = fold(&evidence(harness::check(format, input)), at(LATER)).incidents;
    assert!(serde_json::to_string(&incidents).is_ok());
}

fn evidence(parsed: Parsed) -> Vec<Evidence> {
    let claims = parsed.items.into_iter().filter_map(|item| if let Fate::Evidence(claim) = item.fate { Some(*claim) } else { None });
    claims
        .map(|claim| Evidence {
            stack: StackName::default(),
            source: SourceName::from("test"),
            received_at: at(LATER),
            origin: None,
            claim,
        })
        .collect()
}

/// What lines are made of, put together in any way.
fn pieces() -> impl Strategy<Value = String> {
    let piece = select(vec![
        "START RequestId: ",
        "END RequestId: ",
        "REPORT RequestId: ",
        "INIT_REPORT Init Duration: ",
        "RequestId: ",
        " Error: ",
        "Task timed out after ",
        " seconds",
        "3.00",
        "\t",
        "Duration: ",
        " ms",
        "Status: timeout",
        "Error Type: ",
        "XRAY TraceId: ",
        "1-6a3f1c20-3eb34191e0d1a317b3829668",
        "[2026-11-22 12:04:32 +0000] ",
        "[8899] ",
        "[CRITICAL] ",
        "WORKER TIMEOUT (pid:",
        "8901",
        ")",
        "Worker (pid:",
        "was sent SIG",
        "!",
        "exited with code ",
        "2026-11-22T12:04:32.123Z ",
        "2026-11-22T12:0é",
        "app[web.1]: ",
        "web-1  | ",
        "Nov 22 12:04:32 ",
        " - - [22/Nov/2026:12:05:26 +0000] \"",
        "\" 200 12 ",
        "rid=",
        "pid=<",
        ">",
        "\"",
        "\\",
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\"kind\":\"fired\"",
        "\"request_id\":\"r\"",
        "\"left_ms\":",
        "-1e400",
        "null",
        "\"timestamp\":1770804000000",
        "\"message\":\"",
        "\"logStream\":\"s\"",
        "\n",
        "\r\n",
        "\r",
        "\u{a0}",
        "\0",
        "\u{202e}",
        "é",
        "  File \"a.py\", line 1, in f",
        "Traceback (most recent call last):",
        " ",
        "9999999999999999999999",
        "-",
    ]);
    vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// Spoils a file once, somewhere between two places that are chosen within its length: a part left out, the rest cut, a part
/// twice, a byte changed.
fn spoil(bytes: &mut Vec<u8>, places: impl FnOnce(usize) -> (usize, usize), what: u8, byte: u8) {
    if bytes.is_empty() {
        return;
    }
    let (a, b) = places(bytes.len());
    let (from, to) = (a.min(b), a.max(b));
    match what {
        0 => drop(bytes.drain(from..to)),
        1 => bytes.truncate(to),
        2 => bytes.extend_from_within(from..to.min(from + 200)),
        _ => bytes[from] = byte,
    }
}

/// A real file, spoilt in up to five ways.
fn spoilt() -> impl Strategy<Value = Vec<u8>> {
    let edit = (any::<Index>(), any::<Index>(), 0_u8..4, any::<u8>());
    (select(corpus()), vec(edit, 1..6)).prop_map(|(mut bytes, edits)| {
        for (a, b, what, byte) in edits {
            spoil(&mut bytes, |length| (a.index(length), b.index(length)), what, byte);
        }
        bytes
    })
}

#[test]
fn a_carriage_return_alone_ends_no_line() {
    for input in ["{\r", "{\r\n", "a\r\nb\r"] {
        for format in formats() {
            check(format, input.as_bytes());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read(format in select(formats()), input in vec(any::<u8>(), 0..300)) {
        check(format, &input);
    }

    #[test]
    fn anything_made_of_known_pieces_is_read(format in select(formats()), text in pieces()) {
        check(format, text.as_bytes());
        check(Format::Auto, text.as_bytes());
    }

    #[test]
    fn spoilt_files_are_read(format in select(formats()), input in spoilt()) {
        check(format, &input);
        check(Format::Auto, &input);
    }

    #[test]
    fn every_line_is_in_exactly_one_item(lines in vec("[a-z {}\":0-9]{1,40}", 0..30)) {
        // Objects behind each other on a line are items of their own.
        prop_assume!(lines.iter().all(|line| !line.replace(' ', "").contains("}{")));
        let text: String = lines.iter().flat_map(|line| [&line[..], "\n"]).collect();
        let parsed = Format::Auto.parse(text.as_bytes(), &Context::default());
        prop_assert_eq!(parsed.lines, lines.len() as u64);
        let begun: Vec<u64> = parsed.items.iter().map(|item| item.line).collect();
        prop_assert!(begun.windows(2).all(|pair| pair[0] < pair[1]), "in order, none twice: {:?}", begun);
        let first = lines.iter().position(|line| !line.trim().is_empty()).map(|index| index as u64 + 1);
        prop_assert_eq!(begun.first().copied(), first);
    }
}

#[test]
fn every_fixture_is_read_by_every_format() {
    for input in corpus() {
        for format in formats() {
            check(format, &input);
            check_every_word(format, &input);
        }
    }
}

/// Of what programs really wrote, passing over lines changes no word of what is told.
fn check_every_word(format: Format, input: &[u8]) {
    let mut sifted: Vec<Item> = Vec::new();
    format.visit(input, &Context::default(), &mut sifted);
    let told = |items: &[Item]| -> Vec<(u64, String)> {
        let telling = items.iter().filter(|item| matches!(item.fate, Fate::Evidence(_) | Fate::Rejected(_)));
        telling.map(|item| (item.line, facts::of(item).to_string())).collect()
    };
    let parsed = format.parse(input, &Context::default());
    assert_eq!(told(&sifted), told(&parsed.items), "{}: with lines passed over, and without", format.name());
}

#[test]
fn a_number_behind_an_object_is_one_line_of_nobodys() {
    for text in ["{}0", "{} 0", "{\"order\": 7} 200 12"] {
        let parsed = harness::check(Format::Auto, text.as_bytes());
        assert_eq!((parsed.lines, parsed.items.len()), (1, 1), "{text}");
        assert!(matches!(parsed.items[0].fate, Fate::Ignored(_)), "{text}");
    }
}

/// What `make fuzz` does for longer, the same in every run.
#[test]
fn every_format_reads_its_own_fixtures_spoilt() {
    let mut random = fastrand::Rng::with_seed(20_261_127);
    for format in formats().into_iter().filter(|format| *format != Format::Auto) {
        let folder = fs::read_dir(fixture_path(format.name())).expect("every format has fixtures");
        let mut paths: Vec<_> = folder.map(|entry| entry.expect("listed").path()).filter(|path| path.is_file()).collect();
        paths.sort();
        for mut input in paths.into_iter().map(|path| fs::read(path).expect("a fixture")) {
            for _ in 0..6 {
                let (what, byte) = (random.u8(0..4), random.u8(..));
                spoil(&mut input, |length| (random.usize(..length), random.usize(..length)), what, byte);
            }
            harness::check(format, &input);
            harness::check(Format::Auto, &input);
        }
    }
}
