//! The invariant again, over everything that we have: all fixtures and all scenarios, some of them together, shuffled and
//! repeated at random, give byte for byte the same.

use std::path::Path;
use std::sync::OnceLock;

use domain::{Evidence, Instance};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::properties::{arrivals, said};
use crate::support::{LATER, at, evidence_of, fixture, fixture_path};

/// More than this of one file says nothing new, and takes long to fold some hundred times.
const EVIDENCE_MAX: usize = 400;

/// The evidence of every fixture that has any, each as if it stood in a file of its own.
fn inputs() -> &'static [Vec<Evidence>] {
    static INPUTS: OnceLock<Vec<Vec<Evidence>>> = OnceLock::new();
    INPUTS.get_or_init(|| {
        let mut names = Vec::new();
        collect(&fixture_path(""), "", &mut names);
        names.sort();
        let read = names.iter().map(|name| {
            let bytes = if name.starts_with("scenarios/") { scenario(name) } else { fixture(name) };
            let mut evidence = evidence_of(&bytes, Some(name));
            evidence.truncate(EVIDENCE_MAX);
            for one in evidence.iter_mut().filter(|one| one.claim.instance.is_none()) {
                one.claim.instance = Some(Instance::from(name.as_str()));
            }
            evidence
        });
        read.filter(|evidence| !evidence.is_empty()).collect()
    })
}

fn collect(folder: &Path, prefix: &str, names: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder of fixtures") {
        let entry = entry.expect("an entry");
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type().expect("a type").is_dir() {
            collect(&entry.path(), &format!("{name}/"), names);
        } else if Path::new(&name).extension().is_none_or(|extension| extension != "md") {
            names.push(name);
        }
    }
}

/// A scenario's events as their transports would bring them.
fn scenario(name: &str) -> Vec<u8> {
    let text = String::from_utf8(fixture(name)).expect("UTF-8");
    let events = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    let brought = events.filter_map(|event| {
        let (line, body) = (event.get("line"), event.get("post").or_else(|| event.get("event")));
        match (line.and_then(serde_json::Value::as_str), body) {
            (Some(line), _) if event["source"] == "cloudwatch" => {
                let wrapped = serde_json::json!({"timestamp": event["t"], "logGroup": event["log_group"], "logStream": event["log_stream"], "message": line});
                Some(wrapped.to_string())
            }
            (Some(line), _) => Some(line.trim_end().to_owned()),
            (None, body) => body.map(ToString::to_string),
        }
    });
    brought.collect::<Vec<_>>().join("\n").into_bytes()
}

fn some_together() -> impl Strategy<Value = Vec<Evidence>> {
    vec(any::<Index>(), 1..4).prop_map(|chosen| chosen.iter().flat_map(|index| index.get(inputs()).clone()).collect())
}

#[test]
fn there_is_something_to_shuffle() {
    assert!(inputs().len() > 100, "{} inputs", inputs().len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn everything_we_have_gives_the_same_in_any_order((once, arrived) in some_together().prop_flat_map(arrivals)) {
        prop_assert_eq!(said(&once, at(LATER)), said(&arrived, at(LATER)));
    }
}
