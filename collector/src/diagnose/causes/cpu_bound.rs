//! `cpu_bound`: it computed, and waited for nobody.
//!
//! Looks at: processor time against the time elapsed and the share of a processor that the function was given; a limit that
//! counts processor time by itself; where that time is not stated, a watchdog whose timer came late while the stack stood in the
//! user's code and no call was open. Conclusive where processor time is stated. Looks the same: a function whose small share of a
//! processor is not known, for which little computing takes long; a call in C that leaves no frame, which is why a stack alone is
//! not enough.
//! What to change: the loop or the parsing at that place; on Lambda, memory, with which processor time grows.

use domain::{Confidence, Kind, Millis, Outcome};

use super::processor::Used;
use super::stack::{self, Sample, Standing};
use super::{Calls, Recognised};
use crate::correlate::Case;
use crate::diagnose::advice::plain;
use crate::diagnose::cite;
use crate::diagnose::firing::Firing;

/// Settings whose clock is the processor's.
const PROCESSOR_TIME: [(&str, &str); 2] = [("php", "max_execution_time"), ("cloudflare", "limits.cpu_ms")];
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
    match Used::of(case) {
        Some(used) => measured(used, sample),
        None => late(case, sample?),
    }
}

fn limit_on_processor_time(case: &Case<'_>, firing: &Firing) -> Option<Recognised> {
    let limit = firing.limit.as_ref()?;
    PROCESSOR_TIME.iter().find(|(product, setting)| (limit.product.as_str(), limit.setting.as_str()) == (*product, *setting))?;
    let told = case.own.iter().copied().filter(|one| one.claim.limit.as_ref().is_some_and(|named| named.setting == limit.setting));
    let text = format!("`{}` counts processor time: it computed, and did not wait", limit.setting);
    Some(explained(Recognised::new(Confidence::Certain).because(text, told.take(1).map(cite).collect()), None))
}

/// Processor time as watchdogs state it.
fn measured(used: Used, sample: Option<Sample<'_>>) -> Option<Recognised> {
    let confidence = used.computed()?;
    let text = format!("the process used {}, and no call was open for most of it", used.spoken());
    Some(explained(Recognised::new(confidence).because(text, used.evidence), sample))
}

/// A watchdog's timer that came late, because its own process had no time for it.
fn late(case: &Case<'_>, sample: Sample<'_>) -> Option<Recognised> {
    let alarm = case.all(Kind::WatchdogFired).last()?;
    let (left, margin) = (alarm.claim.millis("left_ms")?, alarm.claim.millis("margin_ms")?);
    let late = margin.minus(left);
    if late < LATE_MIN || sample.standing != Standing::OwnCode || !alarm.claim.calls.is_empty() {
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
