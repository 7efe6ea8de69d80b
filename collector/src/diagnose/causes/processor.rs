//! Processor time as watchdogs state it: whether what took so long computed or waited.
//!
//! What one core can do is not what a function is given: AWS Lambda gives one core with 1,769 MB and a share of it with less
//! (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html>, read 2026-11-27), so a loop in a function of 128 MB
//! uses 7 % of the time that passes.

use domain::{Citation, Confidence, Evidence, Millis, Product};

use crate::correlate::{Case, is_watchdog};
use crate::diagnose::cite;

/// The share of what it was given from which on it computed.
const BUSY_MIN: f64 = 0.7;
/// More processors than this hardly work for one request: the figure is then that of the process's whole life.
const BUSY_MAX: f64 = 4.0;
/// The share of the time up to which it waited, even where little was given: what a runtime and its watchdog use by themselves.
const IDLE_MAX: f64 = 0.02;
/// The memory with which Lambda gives one core.
const CORE_MB: f64 = 1769.0;

/// Processor time that was used while some time passed.
pub struct Used {
    spent: Millis,
    wall: Millis,
    /// The share of a core that the function was given, where it is known to be less than one.
    given: Option<f64>,
    /// How sure it is that the time was this request's.
    confidence: Confidence,
    /// Who says so.
    pub evidence: Vec<Citation>,
}

impl Used {
    /// What watchdogs say of this request: between two events of one sender, else in one since the request began.
    pub fn of(case: &Case<'_>) -> Option<Self> {
        let told = || {
            let events = case.own.iter().copied().filter(|one| is_watchdog(one.claim.kind));
            events.filter_map(|one| Some((one, one.claim.millis("cpu_ms")?)))
        };
        let (last, cpu): (&Evidence, Millis) = told().next_back()?;
        let given = given(case);
        // The process itself and an extension beside it count differently.
        let first = told().find(|(one, _)| one.claim.pid == last.claim.pid).filter(|(one, _)| !std::ptr::eq(*one, last));
        let between = first.and_then(|(first, before)| {
            let wall = Millis::between(first.claim.observed_at?, last.claim.observed_at?);
            Some(Self { spent: cpu.minus(before), wall, given, confidence: Confidence::Certain, evidence: vec![cite(first), cite(last)] })
        });
        between.or_else(|| {
            let wall = last.claim.elapsed_ms.or_else(|| case.elapsed())?;
            Some(Self { spent: cpu, wall, given, confidence: Confidence::Likely, evidence: vec![cite(last)] })
        })
    }

    /// How sure it is that it computed for most of the time.
    pub fn computed(&self) -> Option<Confidence> {
        let is_busy = (BUSY_MIN * self.given.unwrap_or(1.0)..=BUSY_MAX).contains(&self.share());
        // An emulator prints the memory and limits nothing by it.
        is_busy.then(|| if self.share() < BUSY_MIN { Confidence::Likely } else { self.confidence })
    }

    /// Whether it waited for most of the time.
    pub fn waited(&self) -> bool {
        self.share() <= IDLE_MAX
    }

    fn share(&self) -> f64 {
        self.spent.as_ms_f64() / self.wall.as_ms_f64().max(1.0)
    }

    /// `2.29 s of processor time in 2.48 s`; where that is little, of how much.
    pub fn spoken(&self) -> String {
        let given = self
            .given
            .filter(|_| self.share() < BUSY_MIN)
            .map_or_else(String::new, |share| format!(", of {:.0} % of a core that its memory gives it", share * 100.0));
        format!("{} of processor time in {}{given}", self.spent, self.wall)
    }
}

/// On Lambda processor time grows with memory.
fn given(case: &Case<'_>) -> Option<f64> {
    case.any(|claim| claim.platform.as_ref().filter(|platform| **platform == Product::AWS_LAMBDA).cloned())?;
    let memory_mb = case.any(|claim| claim.number("memory_size_mb"))?;
    Some(memory_mb / CORE_MB).filter(|share| *share < 1.0)
}
