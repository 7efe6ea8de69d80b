//! AWS Lambda: what the platform's own lines say of an invocation, held against the clock.
//!
//! Timeout: `Status: timeout` or `Task timed out after N seconds`; both are one timeout. Out of memory has no single
//! signal. `Runtime.Unknown` on an init that ran as long as the invocation is the function timeout in disguise.

use domain::{ClaimedOutcome, Confidence, Evidence, IncidentState, Kind, KnownFrom, Layer, Limit, Millis, Note, Outcome, Product, Reason};

use super::Firing;
use crate::correlate::Case;
use crate::diagnose::{cite, cite_all};

/// What Lambda did.
pub fn fired(case: &Case<'_>) -> Option<Firing> {
    let own: Vec<&Evidence> = case.own.iter().copied().filter(|one| is_platforms(one)).collect();
    disguised(case, &own).or_else(|| timed_out(case, &own)).or_else(|| died(case, &own)).or_else(|| ran_into_limit(case, &own))
}

/// The platform's own words; an application's `Uncaught Exception` tells of a crash as well.
fn is_platforms(one: &Evidence) -> bool {
    let platform = one.claim.platform.as_ref();
    platform == Some(&Product::AWS_LAMBDA) && !crate::correlate::is_watchdog(one.claim.kind) && one.claim.kind != Kind::Span
}

fn claims<'a>(own: &[&'a Evidence], outcome: ClaimedOutcome) -> Vec<&'a Evidence> {
    own.iter().copied().filter(|one| one.claim.outcome == Some(outcome)).collect()
}

fn timed_out(case: &Case<'_>, own: &[&Evidence]) -> Option<Firing> {
    let told = claims(own, ClaimedOutcome::Timeout);
    if told.is_empty() {
        return init_only(case, own);
    }
    let invoke_init = own.iter().copied().find(|one| one.claim.kind == Kind::InitReport && one.claim.text("phase") == Some("invoke"));
    let never_reached_handler = invoke_init.is_some_and(|init| took_all(init, case.elapsed()));
    let outcome = if never_reached_handler { Outcome::InitTimeout } else { Outcome::Timeout };
    let limit = limit(case, &told);
    let words = cite_all(told.iter().copied());
    // The report often is among those that say so, and is not looked at twice.
    let cited =
        |report: &Evidence| told.iter().position(|one| std::ptr::eq(*one, report)).map_or_else(|| cite(report), |at| words[at].clone());
    let mut firing = Firing {
        at: case.ended_at().or_else(|| case.deadline()),
        product: Some(product(&told)),
        ..Firing::new(outcome, IncidentState::Confirmed, Confidence::Certain)
    };
    firing.reasons.push(Reason {
        text: format!("{} says so", firing.product.as_ref().map_or("AWS Lambda", Product::title)),
        evidence: words.clone(),
    });
    if case.request_id().is_none() && firing.product == Some(Product::AWS_LAMBDA) {
        firing.confidence = Confidence::Possible;
        let text = "these are the words of an error answer, without an ID: any program can print them";
        firing.reasons.push(Reason { text: text.to_owned(), evidence: words.clone() });
    }
    firing.refuted_by = "a REPORT line of this request without `Status: timeout` and with a duration below the limit".into();
    match (limit.value_ms, elapsed_by_report(own)) {
        (Some(value), Some((report, elapsed))) if elapsed.plus(SLACK) < value => {
            // Somebody prints the platform's words; the platform's own clock disagrees.
            firing.confidence = Confidence::Possible;
            let text = format!("the report says {elapsed}, so a limit of {value} had not elapsed");
            firing.contradicted.push(Note { text, evidence: words.clone() });
            firing.reasons.push(Reason { text: format!("but REPORT gives a duration of {elapsed}"), evidence: vec![cited(report)] });
        }
        (Some(value), Some((report, elapsed))) => {
            let text = format!("{elapsed} had elapsed of a limit of {value}");
            firing.reasons.push(Reason { text, evidence: vec![cited(report)] });
        }
        _ => {}
    }
    if let Some(init) = invoke_init.filter(|_| never_reached_handler) {
        let text = "initialisation was run again inside the invocation and took all of its time; `Runtime.Unknown` here is that timeout";
        firing.reasons.push(Reason { text: text.to_owned(), evidence: vec![cite(init)] });
    }
    firing.limit = Some(limit);
    Some(firing)
}

/// An init that was run again inside the invocation and that the function timeout ended: all lines about it say `Runtime.Unknown`, and no
/// line that time ran out. The clock tells: it took the whole invocation, and that a known limit, or whole seconds as limits are.
fn disguised(case: &Case<'_>, own: &[&Evidence]) -> Option<Firing> {
    const UNKNOWN: &str = "Runtime.Unknown";
    let is_unknown = |one: &&Evidence| one.claim.text("error_type") == Some(UNKNOWN);
    let names_another = |one: &&Evidence| one.claim.text("error_type").is_some_and(|error| error != UNKNOWN);
    let init = own.iter().copied().find(|one| one.claim.kind == Kind::InitReport && one.claim.text("phase") == Some("invoke"));
    let init = init.filter(is_unknown)?;
    let (report, elapsed) = elapsed_by_report(own)?;
    let told = [ClaimedOutcome::Timeout, ClaimedOutcome::OutOfMemory].iter().any(|outcome| !claims(own, *outcome).is_empty());
    if told || own.iter().any(names_another) || report.claim.is_good_report() || !took_all(init, Some(elapsed)) {
        return None;
    }
    let known = case.stated_limit(&Product::AWS_LAMBDA, "Timeout").filter(|limit| limit.value_ms.is_some());
    let whole = [Some(elapsed), report.claim.millis("billed_duration_ms").filter(|billed| *billed < elapsed)];
    let whole = whole.into_iter().flatten().find(|value| *value == value.floor_seconds() && *value > Millis::ZERO);
    let (limit, confidence) = match (known, whole) {
        (Some(known), _) => (known.value_ms.is_some_and(|value| elapsed.plus(SLACK) >= value).then(|| known.clone())?, Confidence::Certain),
        (None, whole) => (Limit { value_ms: Some(whole?), known_from: KnownFrom::Learned, ..timeout() }, Confidence::Likely),
    };
    let mut firing = Firing::new(Outcome::InitTimeout, IncidentState::Confirmed, confidence);
    firing.at = case.ended_at().or_else(|| case.deadline());
    firing.product = Some(Product::AWS_LAMBDA);
    let text = format!(
        "initialisation was run again inside the invocation and took all of its {elapsed}; `{UNKNOWN}` here is the function timeout"
    );
    firing.reasons.push(Reason { text, evidence: cite_all([init, report]) });
    firing.limit = Some(limit);
    firing.refuted_by = "a longer `Timeout` of the function than this invocation took".into();
    Some(firing)
}

/// A REPORT without a status is no success: the old style says the timeout in a line of its own, which may be lost. Two
/// things give it away. Billing rounds up, so a bill of whole seconds below the duration is that of an invocation cut at its
/// limit; and a duration that reaches a limit known otherwise has nowhere else to come from.
fn ran_into_limit(case: &Case<'_>, own: &[&Evidence]) -> Option<Firing> {
    let (report, elapsed) = elapsed_by_report(own)?;
    if case.first(Kind::WatchdogClosed).is_some() || report.claim.outcome.is_some() {
        return None;
    }
    let billed = report
        .claim
        .millis("billed_duration_ms")
        .filter(|billed| *billed < elapsed && *billed == billed.floor_seconds() && *billed > Millis::ZERO);
    let known = case.stated_limit(&Product::AWS_LAMBDA, "Timeout").filter(|limit| limit.value_ms.is_some_and(|value| elapsed >= value));
    let (text, limit) = match (billed, known) {
        (_, Some(limit)) => {
            (format!("REPORT gives {elapsed}, which is all of the limit, and nothing says that it answered"), limit.clone())
        }
        (Some(billed), None) => {
            let text = format!(
                "REPORT bills {} ms, less than the duration: only an invocation that was cut at its limit is billed so",
                billed.as_ms()
            );
            (text, Limit { value_ms: Some(billed), known_from: KnownFrom::Learned, ..timeout() })
        }
        (None, None) => return None,
    };
    let mut firing = Firing::new(Outcome::Timeout, IncidentState::Confirmed, Confidence::Likely);
    firing.at = case.ended_at().or_else(|| case.deadline());
    firing.product = Some(Product::AWS_LAMBDA);
    firing.limit = Some(limit);
    firing.reasons.push(Reason { text, evidence: vec![cite(report)] });
    firing.refuted_by = "an answer of this request".into();
    Some(firing)
}

/// The function timeout, its value not known.
fn timeout() -> Limit {
    Limit {
        layer: Layer::Platform,
        product: Product::AWS_LAMBDA,
        setting: "Timeout".to_owned(),
        value_ms: None,
        known_from: KnownFrom::Claimed,
        place: None,
    }
}

/// The clock of one machine against itself: Lambda's figures agree to a few milliseconds.
const SLACK: Millis = Millis::from_ms(500);

/// Whether an init used up the invocation.
fn took_all(init: &Evidence, elapsed: Option<Millis>) -> bool {
    init.claim.elapsed_ms.zip(elapsed).is_some_and(|(init, all)| init.plus(SLACK) >= all)
}

fn product(told: &[&Evidence]) -> Product {
    told.iter().find_map(|one| one.claim.limit.as_ref()).map_or(Product::AWS_LAMBDA, |limit| limit.product.clone())
}

fn elapsed_by_report<'a>(own: &[&'a Evidence]) -> Option<(&'a Evidence, Millis)> {
    own.iter().copied().filter(|one| one.claim.kind == Kind::InvocationReport).find_map(|one| Some((one, one.claim.elapsed_ms?)))
}

/// The limit, by the best source: configuration or watchdog, else the platform's whole seconds.
fn limit(case: &Case<'_>, told: &[&Evidence]) -> Limit {
    let claimed =
        told.iter().filter_map(|one| one.claim.limit.as_ref()).filter(|limit| limit.value_ms.is_some()).min_by_key(|limit| limit.value_ms);
    let fallback = || told.iter().find_map(|one| one.claim.limit.clone());
    let stated = claimed.cloned().or_else(fallback).unwrap_or_else(timeout);
    let better = case.stated_limit(&stated.product, &stated.setting).filter(|better| {
        let apart = |value: Millis| better.value_ms.map_or(Millis::ZERO, |known| known.minus(value)).as_ms().abs();
        stated.value_ms.is_none_or(|value| apart(value) < 1000)
    });
    better.cloned().unwrap_or(stated)
}

/// An init that failed although no invocation is known to have died of it.
fn init_only(case: &Case<'_>, own: &[&Evidence]) -> Option<Firing> {
    let timeouts =
        own.iter().copied().filter(|one| matches!(one.claim.outcome, Some(ClaimedOutcome::InitTimeout | ClaimedOutcome::RestoreTimeout)));
    let told: Vec<_> = timeouts.collect();
    let decisive = told.first()?;
    // The invocation that it was for went on after a second init, and ended well.
    if own.iter().any(|one| one.claim.is_good_report()) {
        return None;
    }
    let mut firing = Firing::new(Outcome::InitTimeout, IncidentState::Confirmed, Confidence::Certain);
    firing.at = decisive.claim.observed_at.or_else(|| case.ended_at());
    firing.product = Some(Product::AWS_LAMBDA);
    firing.limit.clone_from(&decisive.claim.limit);
    firing.reasons.push(Reason { text: "AWS Lambda says that initialisation ran into its limit".to_owned(), evidence: cite_all(told) });
    firing.refuted_by = "a REPORT of the invocation that it was started for, without an error".into();
    Some(firing)
}

/// What tells of the environment: it may have failed before, or beside, an invocation that ended well.
fn is_of_environment(kind: Kind) -> bool {
    use Kind::{AppLog, Extension, InitReport, InitRuntimeDone, RestoreReport, RestoreRuntimeDone};
    matches!(kind, InitRuntimeDone | InitReport | RestoreRuntimeDone | RestoreReport | Extension | AppLog)
}

/// Memory in use below this share of what is granted does not fit a kill for want of memory.
const MEMORY_FULL: f64 = 0.9;

/// The report that speaks against a full memory.
fn had_memory_left<'a>(own: &[&'a Evidence]) -> Option<(&'a Evidence, f64, f64)> {
    own.iter().copied().filter(|one| one.claim.kind == Kind::InvocationReport).find_map(|one| {
        let (used, size) = one.claim.number("max_memory_used_mb").zip(one.claim.number("memory_size_mb"))?;
        (used < size * MEMORY_FULL).then_some((one, used, size))
    })
}

/// Killed for memory, or dead for another reason: no limit on time fired.
fn died(case: &Case<'_>, own: &[&Evidence]) -> Option<Firing> {
    use ClaimedOutcome::{Crash, ExtensionCrash, InitCrash, OutOfMemory};
    let told: Vec<&Evidence> =
        own.iter().copied().filter(|one| matches!(one.claim.outcome, Some(OutOfMemory | Crash | InitCrash | ExtensionCrash))).collect();
    let oom: Vec<&Evidence> = told.iter().copied().filter(|one| one.claim.outcome == Some(OutOfMemory)).collect();
    let (outcome, decisive) = if oom.is_empty() { (Outcome::Crash, told) } else { (Outcome::OutOfMemory, oom) };
    // An init that failed before an invocation that ended well has harmed nobody that we know of.
    let report_well = own.iter().any(|one| one.claim.is_good_report());
    let only_init = decisive.iter().all(|one| is_of_environment(one.claim.kind));
    if decisive.is_empty() || report_well && only_init {
        return None;
    }
    let inferred = decisive.iter().all(|one| one.claim.outcome_confidence == Some(Confidence::Likely));
    let confidence = if inferred { Confidence::Likely } else { Confidence::Certain };
    let mut firing = Firing { at: case.ended_at(), ..Firing::new(outcome, IncidentState::Confirmed, confidence) };
    firing.layer = Some(Layer::Platform);
    firing.product = Some(Product::AWS_LAMBDA);
    let text = match outcome {
        Outcome::OutOfMemory if inferred => "the runtime was ended by SIGKILL, which on Lambda is how a full memory ends",
        Outcome::OutOfMemory => "AWS Lambda says that memory ran out",
        _ => "AWS Lambda says that the process ended before it answered",
    };
    firing.reasons.push(Reason { text: text.to_owned(), evidence: cite_all(decisive) });
    if outcome == Outcome::OutOfMemory
        && let Some(report) = own.iter().copied().find(|one| one.claim.attributes.contains_key("memory_at_limit"))
    {
        firing.reasons.push(Reason { text: "memory used stands at the size granted".to_owned(), evidence: vec![cite(report)] });
    }
    if outcome == Outcome::OutOfMemory
        && inferred
        && let Some((report, used, size)) = had_memory_left(own)
    {
        firing.confidence = Confidence::Possible;
        let text = format!("the report says that no more than {used} of {size} MB were in use");
        firing.contradicted.push(Note { text, evidence: vec![cite(report)] });
    }
    firing.refuted_by = "a REPORT line of this request without an error".into();
    Some(firing)
}
