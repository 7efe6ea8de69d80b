//! What has to hold of whatever a parser is given. The fuzz targets and `collector/tests/pure/parsers.rs` are both this.

use collector::parse::{Context, Fate, Format, Item, Parsed, RAW_BYTES_MAX, REJECT_TEXT_BYTES_MAX, facts};

/// What is kept of an input in all is not more than so many times its size: an item of two bytes has a name for each of its facts.
const KEPT_TIMES: usize = 128;
/// But may be this much.
const LEAST_BYTES: usize = 16 * 1024;

/// Reads an input: nothing panics, every item has its place and one fate, no more items than bytes, what is kept of them is
/// bounded, and what is stored comes back. Returns what was read.
pub fn check(format: Format, input: &[u8]) -> Parsed {
    let name = format.name();
    let parsed = format.parse(input, &Context::default());
    let places = parsed.lines.max(parsed.items.len() as u64);
    let mut kept = 0;
    for item in &parsed.items {
        assert!((1..=places).contains(&item.line), "{name}: line {} of {places}", item.line);
        kept += facts::of(item).to_string().len();
        check_fate(name, &item.fate);
    }
    assert!(parsed.items.windows(2).all(|pair| pair[0].line <= pair[1].line), "{name}: in order");
    // What is compressed may be a thousand times as long; its limit is another.
    let compressed = [&b"H4sI"[..], &b"\x1f\x8b"[..]].iter().any(|mark| input.windows(mark.len()).any(|window| window == *mark));
    assert!(compressed || kept <= LEAST_BYTES + input.len() * KEPT_TIMES, "{name}: {kept} bytes kept of {}", input.len());
    assert!(compressed || places <= 1 + input.len() as u64, "{name}: {places} lines or items in {} bytes", input.len());
    check_sieve(format, input, &parsed);
    parsed
}

/// Passing over lines without marks adds nothing, and loses nothing that has something to say: neither evidence nor rejected items.
/// Where a mark itself is spoilt, a parser may still make something of what no program wrote, or say that it cannot, and a line
/// without any may be taken for the rest of the one before it: what is asked is whether the same is told of, not in how many words.
fn check_sieve(format: Format, input: &[u8], parsed: &Parsed) {
    let mut sifted: Vec<Item> = Vec::new();
    let lines = format.visit(input, &Context::default(), &mut sifted);
    let told = |item: &Item| match &item.fate {
        Fate::Evidence(claim) => Some((item.line, Some((claim.format.clone(), claim.kind, claim.request_id.clone(), claim.outcome)))),
        Fate::Rejected(_) => Some((item.line, None)),
        Fate::Ignored(_) | Fate::Passed(_) => None,
    };
    let is_marked = |item: &&Item| match &item.fate {
        Fate::Evidence(claim) => claim.raw.lines().any(Format::is_marked),
        Fate::Rejected(reject) => reject.text.lines().any(Format::is_marked),
        Fate::Ignored(_) | Fate::Passed(_) => false,
    };
    let (all, sifted): (Vec<_>, Vec<_>) = (parsed.items.iter().filter_map(told).collect(), sifted.iter().filter_map(told).collect());
    let added = sifted.iter().find(|item| !all.contains(item));
    let lost = parsed.items.iter().filter(is_marked).filter_map(told).find(|item| !sifted.contains(item));
    assert_eq!((lines, added, lost), (parsed.lines, None, None), "{}: with lines passed over, and without", format.name());
}

fn check_fate(name: &str, fate: &Fate) {
    match fate {
        Fate::Evidence(claim) | Fate::Ignored(claim) => {
            assert!(claim.raw.len() <= RAW_BYTES_MAX, "{name}: {} bytes kept", claim.raw.len());
            assert!(claim.request_id.as_ref().is_none_or(|id| !id.as_str().is_empty()), "{name}: an empty ID");
            let json = serde_json::to_string(claim).expect("a claim holds only what JSON can say");
            let back: domain::Claim = serde_json::from_str(&json).expect("what was written can be read");
            assert_eq!((&back, back.id()), (&**claim, claim.id()), "{name}: stored and loaded, a claim is the same");
        }
        Fate::Passed(lines) => panic!("{name}: {lines} lines passed over"),
        Fate::Rejected(reject) => {
            assert!(!reject.reason.is_empty() && reject.text.len() <= REJECT_TEXT_BYTES_MAX, "{name}: {reject:?}");
        }
    }
}
