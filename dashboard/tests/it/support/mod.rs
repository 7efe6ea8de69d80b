//! Made-up requests for the tests of the pages and for `examples/preview.rs`, stored the way real ones are: their evidence
//! is appended, and a recomputation folds it into incidents.

pub mod samples;

use std::collections::BTreeMap;

use std::sync::Arc;

use dashboard::Retrying;
use domain::{
    Advice, Evidence, Folded, FunctionName, History, Incident, Limit, Millis, Remedy, RetryForecast, RetryOutlook, Section, Seen,
    StartOfRelease, StartReport,
};
use jiff::Timestamp;
use store::{Batch, Rejected, Store};

use self::samples::Sample;

/// The moment at which all of this is looked at.
pub const NOW: &str = "2026-11-22T12:10:11Z";

/// That moment.
pub fn now() -> Timestamp {
    NOW.parse().expect("a time")
}

/// Stands in for the estimate: says how much it was given.
pub fn propose(history: &History, limit: &Limit, around: &[Limit]) -> Advice {
    Advice {
        kind: "change_setting".to_owned(),
        setting: Some(limit.setting.clone()),
        place: None,
        from: limit.value_ms.map(|value| value.to_string()),
        to: Some("5 s".to_owned()),
        text: format!("proposed from {} runs, {} cut off, {} limits around", history.runs(), history.cut_runs(), around.len()),
    }
}

/// Stands in for the report of a start: one release, whose section is called what the evidence says.
pub fn startup(evidence: &[Evidence], function: Option<&FunctionName>) -> StartReport {
    let named = |one: &Evidence| one.claim.text("section").map(str::to_owned);
    let section = |name: String| Section {
        name,
        cold: Seen { requests: 1, median_ms: Some(Millis::from_ms(700)) },
        warm: Seen::default(),
        share_of_start: 0.7,
        remedy: Some(Remedy::Strip),
        why: "no request uses it".to_owned(),
    };
    let sections: Vec<_> = evidence.iter().filter_map(named).map(section).collect();
    let seen = Seen { requests: 1, median_ms: Some(Millis::from_ms(1000)) };
    let release = StartOfRelease { release: Some("7".to_owned()), cold: seen, init: seen, sections, ..StartOfRelease::default() };
    let releases = if evidence.is_empty() { Vec::new() } else { vec![release] };
    StartReport { function: function.map(ToString::to_string), releases }
}

/// Stands in for one retry action: runs every other request again.
pub fn retrying() -> Retrying {
    let outlook = |(place, incident)| match place % 2 {
        0 => RetryForecast { incident, outlook: RetryOutlook::Runs, says: "would be sent to AWS Lambda <again>".to_owned() },
        _ => RetryForecast { incident, outlook: RetryOutlook::Refused, says: "its original event is not known".to_owned() },
    };
    Retrying {
        actions: Arc::new(|| vec!["again".to_owned()]),
        foresee: Arc::new(move |_, incidents| {
            let forecasts = incidents.into_iter().enumerate().map(outlook).collect();
            Box::pin(async { Ok(forecasts) })
        }),
    }
}

/// Stores samples with their incidents.
pub async fn play(store: &Store, samples: &[Sample]) {
    if samples.is_empty() {
        return;
    }
    let batches: Vec<_> = samples.iter().map(batch).collect();
    store.append(&batches).await.expect("the database answers");
    let fold = |evidence: &[Evidence], _: Timestamp| Folded { incidents: incidents_of(samples, evidence), recheck_at: None };
    while store.recompute(now(), 100, fold).await.expect("the database answers").groups > 0 {}
}

fn incidents_of(samples: &[Sample], evidence: &[Evidence]) -> Vec<Incident> {
    let is_here = |sample: &&Sample| sample.evidence.first().is_some_and(|first| evidence.iter().any(|item| item.claim == first.claim));
    samples.iter().filter(is_here).map(|sample| sample.incident.clone()).collect()
}

fn batch(sample: &Sample) -> Batch {
    let first = sample.evidence.first().expect("a sample has evidence");
    let mut digest = [0; 32];
    digest[..24].copy_from_slice(sample.incident.id.as_str().as_bytes());
    Batch {
        digest,
        stack: first.stack.clone(),
        source: first.source.clone(),
        format: "auto".to_owned(),
        received_at: first.received_at,
        bytes: 400,
        evidence: sample.evidence.clone(),
        ignored: 2,
        rejected: sample
            .rejected
            .iter()
            .map(|(line, reason, text)| Rejected { line: *line, reason: reason.clone(), text: text.clone() })
            .collect(),
    }
}

/// A check of silences that knows one field.
pub fn check_silence(matchers: &BTreeMap<String, String>, condition: Option<&str>) -> Result<(), String> {
    match (matchers.keys().find(|name| !["problem", "function"].contains(&name.as_str())), condition) {
        (Some(name), _) => Err(format!("unknown field `{name}`")),
        (None, Some("bad")) => Err("expected a CEL condition".to_owned()),
        _ => Ok(()),
    }
}
