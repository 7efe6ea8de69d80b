//! Which of the five remedies fits a section, with what shows it. Where it cannot be told, none is named.

use std::collections::BTreeMap;

use domain::{Millis, Remedy, Section};

/// Fewer cold starts, or warm requests, show no pattern.
const COLD_MIN: usize = 2;
const WARM_MIN: usize = 3;
/// "Every": all but a few, whose events were lost.
const NEARLY_ALL: f64 = 0.9;
/// "Few".
const FEW: f64 = 0.2;
/// Done again in full: at least this part of what it takes cold.
const AGAIN: f64 = 0.5;
/// A part of the start below which nothing is worth changing.
const WORTH: f64 = 0.2;
/// A part that dominates it.
const DOMINATES: f64 = 0.5;
/// Constant work: the longest takes at most so many times the shortest.
const CONSTANT: f64 = 1.25;

/// Words by which a section says that it makes something ready, and is not the work itself.
const READIES: [&str; 19] = [
    "init",
    "initialise",
    "initialize",
    "setup",
    "import",
    "require",
    "load",
    "connect",
    "open",
    "create",
    "client",
    "pool",
    "driver",
    "session",
    "config",
    "start",
    "boot",
    "migrate",
    "warmup",
];
/// Words by which it says that what takes the time is somebody's library.
const LIBRARY: [&str; 7] = ["import", "require", "driver", "client", "sdk", "orm", "connect"];

/// Adds remedies. `uses` are the names of the sections of each request; `requests` how many were cold and warm.
pub fn add(sections: &mut [Section], in_cold: &BTreeMap<&str, Vec<Option<Millis>>>, uses: &[Vec<&str>], requests: (usize, usize)) {
    for section in sections {
        let durations = in_cold.get(section.name.as_str()).map(Vec::as_slice).unwrap_or_default();
        if let Some((remedy, why)) = remedy(section, durations, uses, requests) {
            section.remedy = Some(remedy);
            section.why = why;
        }
    }
}

fn remedy(section: &Section, durations: &[Option<Millis>], uses: &[Vec<&str>], (cold, warm): (usize, usize)) -> Option<(Remedy, String)> {
    if cold < COLD_MIN || !words(&section.name).any(|word| READIES.contains(&word.as_str())) {
        return None;
    }
    let spent = section.cold.median_ms?;
    let percent = format!("{:.0} % of the start", section.share_of_start * 100.0);
    if warm >= WARM_MIN && share(section.warm.requests, warm) >= NEARLY_ALL {
        let again = section.warm.median_ms?;
        if again.as_ms_f64() >= spent.as_ms_f64() * AGAIN {
            let why = format!(
                "made ready on {} of {warm} warm requests too, for {again} each: once per instance is enough",
                section.warm.requests
            );
            return Some((Remedy::Reuse, why));
        }
    }
    if section.share_of_start < WORTH || share(section.cold.requests, cold) < NEARLY_ALL {
        return None;
    }
    if let Some(used) = used(&section.name, uses).filter(|_| uses.len() >= WARM_MIN + COLD_MIN) {
        let of = uses.len();
        if used == 0 {
            return Some((
                Remedy::Strip,
                format!("takes {spent}, {percent}, and no section of {of} requests uses it; if one does unseen, be lazy"),
            ));
        }
        if share(used as u64, of) <= FEW {
            return Some((Remedy::BeLazy, format!("takes {spent}, {percent}, and only {used} of {of} requests use it")));
        }
    }
    if section.share_of_start >= DOMINATES && words(&section.name).any(|word| LIBRARY.contains(&word.as_str())) {
        return Some((Remedy::Replace, format!("takes {spent}, {percent}: it dominates")));
    }
    let known: Vec<f64> = durations.iter().flatten().map(|took| took.as_ms_f64()).collect();
    let (shortest, longest) = (known.iter().copied().fold(f64::INFINITY, f64::min), known.iter().copied().fold(0.0, f64::max));
    if known.len() > COLD_MIN && longest <= shortest * CONSTANT {
        let why = format!("takes {spent}, {percent}, the same in each of {} starts: do it when the function is built", known.len());
        return Some((Remedy::Precompute, why));
    }
    None
}

#[expect(clippy::cast_precision_loss, reason = "requests of a sample")]
fn share(part: u64, of: usize) -> f64 {
    if of > 0 { part as f64 / of as f64 } else { 0.0 }
}

/// In how many requests another section speaks of what this one makes ready; `None` where it names nothing, or where no
/// request has sections of its own, so that nothing can be told.
fn used(name: &str, uses: &[Vec<&str>]) -> Option<usize> {
    let subjects: Vec<String> = words(name).filter(|word| !READIES.contains(&word.as_str())).collect();
    let others = |of: &&Vec<&str>| of.iter().any(|other| *other != name);
    if subjects.is_empty() || !uses.iter().any(|of| others(&of)) {
        return None;
    }
    let speaks = |other: &str| other != name && words(other).any(|word| subjects.contains(&word));
    Some(uses.iter().filter(|of| of.iter().any(|other| speaks(other))).count())
}

fn words(name: &str) -> impl Iterator<Item = String> + '_ {
    name.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}
