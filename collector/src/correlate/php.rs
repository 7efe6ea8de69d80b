//! PHP's own limit on a script: php-fpm's line names the process, its proxy's lines the request.
//!
//! They belong together where, at that moment, exactly one request ended with a 500 or with PHP's words in its proxy's error log, and
//! no other process said the same: `max_execution_time` counts processor time, so the request took at least as long.

use std::collections::BTreeMap;

use domain::{Claim, Evidence, Kind, Millis, RequestId};

use super::is_proxys;
use super::processes::{Family, Processes};

/// What whole seconds in one of two lines may hide.
const STAMP: Millis = Millis::from_ms(1000);

/// Whether a claim says that PHP's own limit ended a script.
#[must_use]
pub fn is_limit(claim: &Claim) -> bool {
    claim.limit.as_ref().is_some_and(|limit| limit.product.as_str() == "php")
}

/// Gives php-fpm's lines about that limit to the requests that they are of. What is not clear stays with its process; what every
/// request at that moment has already from its proxy is not said again.
pub fn join<'a>(processes: &mut Processes<'a>, requests: &mut BTreeMap<&'a RequestId, Vec<&'a Evidence>>, alone: &mut [Vec<&'a Evidence>]) {
    let told = processes.iter().filter(|((family, _), _)| *family == Family::PhpFpm).flat_map(|(_, lines)| lines.iter().copied());
    let told: Vec<&'a Evidence> = told.filter(|one| one.claim.kind == Kind::TimeoutNotice).collect();
    if told.is_empty() {
        return;
    }
    let mut groups: Vec<&mut Vec<&'a Evidence>> = requests.values_mut().chain(alone.iter_mut()).collect();
    groups.retain(|own| told.iter().any(|one| fits(one, own)));
    let fitting: Vec<Vec<usize>> = told.iter().map(|one| telling(one, &groups)).collect();
    let mut taken: Vec<&'a Evidence> = Vec::new();
    for (one, candidates) in told.iter().zip(&fitting) {
        let is_only = |candidate: &usize| fitting.iter().filter(|others| others.contains(candidate)).count() == 1;
        match candidates[..] {
            [only] if is_only(&only) => groups[only].push(one),
            [_, _, ..] if candidates.iter().all(|candidate| groups[*candidate].iter().any(|own| says(own))) => {}
            _ => continue,
        }
        taken.push(one);
    }
    for lines in processes.values_mut() {
        lines.retain(|one| !taken.iter().any(|other| std::ptr::eq(*other, *one)));
    }
}

/// The groups that a line fits; where some have PHP's words themselves, those.
fn telling(one: &Evidence, groups: &[&mut Vec<&Evidence>]) -> Vec<usize> {
    let fitting: Vec<usize> = (0..groups.len()).filter(|index| fits(one, groups[*index])).collect();
    let say: Vec<usize> = fitting.iter().copied().filter(|index| groups[*index].iter().any(|own| says(own))).collect();
    if say.is_empty() { fitting } else { say }
}

fn says(own: &Evidence) -> bool {
    is_proxys(&own.claim) && is_limit(&own.claim)
}

/// Whether a proxy's lines can be about the script that the line tells of.
fn fits(one: &Evidence, own: &[&Evidence]) -> bool {
    let limit = one.claim.limit.as_ref().and_then(|limit| limit.value_ms);
    own.iter().filter(|own| is_proxys(&own.claim)).any(|own| {
        let failed = own.claim.number("status") == Some(500.0) || says(own) && own.claim.text("message") == one.claim.text("message");
        let long_enough = own.claim.elapsed_ms.zip(limit).is_none_or(|(elapsed, limit)| elapsed.plus(STAMP) >= limit);
        let near = own.claim.observed_at.zip(one.claim.observed_at).is_some_and(|(a, b)| {
            let apart = Millis::between(a, b);
            apart <= STAMP && apart.plus(STAMP) >= Millis::ZERO
        });
        failed && long_enough && near
    })
}
