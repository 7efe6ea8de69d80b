//! What was read, folded: no panic, and the order of arrival changes nothing.
#![no_main]

use collector::parse::{Context, Fate, Format};
use domain::{Evidence, SourceName, StackName};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let parsed = Format::Auto.parse(input, &Context::default());
    let as_of: Timestamp = "2026-12-24T00:00:00Z".parse().expect("a time");
    let mut evidence: Vec<Evidence> = Vec::new();
    for item in parsed.items {
        if let Fate::Evidence(claim) = item.fate {
            let (stack, source) = (StackName::default(), SourceName::from("fuzz"));
            evidence.push(Evidence { stack, source, received_at: as_of, origin: None, claim: *claim });
        }
    }
    let said = |evidence: &[Evidence]| serde_json::to_string(&collector::fold(evidence, as_of).incidents).expect("JSON");
    let forwards = said(&evidence);
    evidence.reverse();
    assert_eq!(forwards, said(&evidence));
});
