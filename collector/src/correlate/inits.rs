//! Lines about an environment's start name no request: they belong to the invocation for which it was started.

use domain::{Evidence, Instance, Key, Kind};
use jiff::Timestamp;

use super::Case;
use super::set::{Set, place};

/// How long after its start line an environment's first request may begin; provisioned ones wait longer, and then nobody waited.
const NEXT_REQUEST_MS_MAX: i64 = 15 * 60 * 1000;

/// Hands each line about a start to its case. What fits none is given back by environment, where it tells of a failure.
pub fn join<'a>(set: &Set<'a>, cases: &mut [Case<'a>]) -> Vec<(Instance, Vec<&'a Evidence>)> {
    let mut orphans = Vec::new();
    for (instance, lines) in &set.instances {
        let mut left = Vec::new();
        for one in lines.iter().copied() {
            match home(one, instance, cases) {
                Some(case) => cases[case].own.push(one),
                None => left.push(one),
            }
        }
        if left.iter().any(|one| one.claim.is_anomalous()) {
            orphans.push((Instance::from(*instance), left));
        }
    }
    for case in cases {
        super::set::in_order(&mut case.own);
    }
    orphans
}

/// The invocation during which, or before which, the line was written.
fn home(one: &Evidence, instance: &str, cases: &[Case<'_>]) -> Option<usize> {
    let starts = cases.iter().enumerate().filter_map(|(index, case)| {
        let start =
            case.first(Kind::InvocationStart).filter(|start| matches!(case.subject, Key::Request(_)) && place(start) == Some(instance))?;
        Some((index, start))
    });
    match one.claim.at() {
        Some(at) => {
            let timed = starts.filter_map(|(index, start)| Some((index, start.claim.observed_at?))).collect::<Vec<_>>();
            let during = |(index, start): &&(usize, Timestamp)| *start <= at && cases[*index].ended_at().is_some_and(|end| at <= end);
            let during = timed.iter().filter(during).max_by_key(|(_, start)| *start);
            let next = || {
                let soon = |start: &Timestamp| (0..NEXT_REQUEST_MS_MAX).contains(&(start.as_millisecond() - at.as_millisecond()));
                timed.iter().filter(|(_, start)| soon(start)).min_by_key(|(_, start)| *start)
            };
            during.or_else(next).map(|(index, _)| *index)
        }
        // No times: the next START in the same file, or the last one before for a line that follows it.
        None => {
            let line = one.origin.as_ref()?.line;
            let placed: Vec<_> = starts.filter_map(|(index, start)| Some((index, start.origin.as_ref()?.line))).collect();
            let next = placed.iter().filter(|(_, start)| *start > line).min_by_key(|(_, start)| *start);
            next.or_else(|| placed.iter().max_by_key(|(_, start)| *start)).map(|(index, _)| *index)
        }
    }
}
