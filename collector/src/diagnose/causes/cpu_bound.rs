//! `cpu_bound`: it computed, and waited for nobody.
//!
//! Looks at: processor time against the time elapsed, between two watchdog events or in one; a limit that counts processor
//! time by itself; a watchdog whose timer came late while the stack stood in the user's code and no call was open.
//! Conclusive where processor time is stated. Looks the same: a function with a small share of a processor, for which little
//! computing takes long; a call in C that leaves no frame, which is why a stack alone is not enough.
//! What to change: the loop or the parsing at that place; on Lambda, memory, with which processor time grows.

use domain::{Confidence, Evidence, Kind, Millis, Outcome};

use super::stack::{self, Sample, Standing};
use super::{Calls, Recognised};
use crate::correlate::{Case, is_watchdog};
use crate::diagnose::advice::plain;
use crate::diagnose::cite;
use crate::diagnose::firing::Firing;

/// Settings whose clock is the processor's.
const PROCESSOR_TIME: [(&str, &str); 2] = [("php", "max_execution_time"), ("cloudflare", "limits.cpu_ms")];
/// The share of the time elapsed from which on it was computing.
const BUSY_MIN: f64 = 0.7;
/// More processors than this hardly work for one request: the figure is then that of the process's whole life.
const BUSY_MAX: f64 = 4.0;
/// A timer of an idle process comes within this.
const LATE_MIN: Millis = Millis::from_ms(100);

/// Recognises the cause.
pub fn recognise(case: &Case<'_>, firing: &Firing, calls: &Calls<'_>) -> Option<Recognised> {
    if !matches!(firing.outcome, Outcome::Timeout | Outcome::CallerLeft | Outcome::NearMiss) {
        return None;
    }
    if let Some(found) = limit_on_processor_time(case, firing) {
        return Some(found);
    }
    if calls.longest().is_some() {
        return None;
    }
    let sample = stack::samples(case).into_iter().next();
    if sample.is_some_and(|sample| !matches!(sample.standing, Standing::OwnCode | Standing::Library)) {
        return None;
    }
    measured(case, sample).or_else(|| late(case, sample?))
}

fn limit_on_processor_time(case: &Case<'_>, firing: &Firing) -> Option<Recognised> {
    let limit = firing.limit.as_ref()?;
    PROCESSOR_TIME.iter().find(|(product, setting)| (limit.product.as_str(), limit.setting.as_str()) == (*product, *setting))?;
    let told = case.own.iter().copied().filter(|one| one.claim.limit.as_ref().is_some_and(|named| named.setting == limit.setting));
    let text = format!("`{}` counts processor time: it computed, and did not wait", limit.setting);
    Some(explained(Recognised::new(Confidence::Certain).because(text, told.take(1).map(cite).collect()), None))
}

/// Processor time as watchdogs state it.
fn measured(case: &Case<'_>, sample: Option<Sample<'_>>) -> Option<Recognised> {
    let told: Vec<(&Evidence, Millis)> = case
        .own
        .iter()
        .copied()
        .filter(|one| is_watchdog(one.claim.kind))
        .filter_map(|one| Some((one, one.claim.millis("cpu_ms")?)))
        .collect();
    let (last, cpu) = *told.last()?;
    let between = told.first().filter(|(first, _)| !std::ptr::eq(*first, last)).and_then(|(first, before)| {
        let wall = Millis::between(first.claim.observed_at?, last.claim.observed_at?);
        Some((cpu.minus(*before), wall, Confidence::Certain, vec![cite(first), cite(last)]))
    });
    let (spent, wall, confidence, evidence) =
        between.or_else(|| Some((cpu, last.claim.elapsed_ms.or_else(|| case.elapsed())?, Confidence::Likely, vec![cite(last)])))?;
    if !(BUSY_MIN..=BUSY_MAX).contains(&share(spent, wall)) {
        return None;
    }
    let text = format!("the process used {spent} of processor time in {wall}, and no call was open for most of it");
    Some(explained(Recognised::new(confidence).because(text, evidence), sample))
}

fn share(spent: Millis, wall: Millis) -> f64 {
    spent.as_ms_f64() / wall.as_ms_f64().max(1.0)
}

/// A watchdog's timer that came late, because its own process had no time for it.
fn late(case: &Case<'_>, sample: Sample<'_>) -> Option<Recognised> {
    let alarm = case.all(Kind::WatchdogFired).last()?;
    let (left, margin) = (alarm.claim.millis("left_ms")?, alarm.claim.millis("margin_ms")?);
    let late = margin.minus(left);
    // Else a call in C held the interpreter, or the process was given no processor.
    let hardly_computed =
        alarm.claim.millis("cpu_ms").zip(alarm.claim.elapsed_ms).is_some_and(|(spent, wall)| share(spent, wall) < BUSY_MIN);
    if hardly_computed || late < LATE_MIN || sample.standing != Standing::OwnCode || !alarm.claim.calls.is_empty() {
        return None;
    }
    let text = format!("the watchdog's timer came {late} late: the process was too busy to run it, and no call was open");
    Some(explained(Recognised::new(Confidence::Likely).because(text, vec![cite(alarm)]), Some(sample)))
}

/// Where it stood, and what to do.
fn explained(mut found: Recognised, sample: Option<Sample<'_>>) -> Recognised {
    if let Some(sample) = sample {
        found = found.because(sample.spoken(), vec![cite(sample.told)]);
    }
    found.hidden_by_more_time = Some("the computing");
    let text = "Look for the loop, parsing or regular expression at that place. Where processor time grows with memory (Lambda), more memory shortens it.";
    found.change(plain("compute_less", text)).says("it was computing, not waiting")
}
