//! What tells of an instance's end and names no request: it belongs to the requests that the end cut off, else it stands for itself.
//!
//! Cloud Run says in a line of the instance's that its memory ran out, and in the request's own only that the connection broke;
//! Heroku says `R15` of the dyno and `H13` of the request; on Fly the kernel says it, and the machine's supervisor once more.

use domain::{ClaimedOutcome, Evidence, Instance, Kind};
use jiff::Timestamp;

use super::Case;
use super::set::in_order;

/// Between the end of an instance and what is said of the requests that it cut off: both are stamped in the same second or two.
const APART_MS_MAX: i64 = 5_000;
/// What is said of one end is said within a minute; a later line tells of another.
const ONE_END_MS_MAX: i64 = 60_000;

/// One end of an instance that no known request was cut off by.
pub struct Orphan<'a> {
    /// Where.
    pub instance: Instance,
    /// Which of the ends of that instance, from 1.
    pub number: u32,
    /// All that is said of it.
    pub lines: Vec<&'a Evidence>,
}

/// Hands what is said of each end to the requests that it cut off, and gives back what fits none.
pub fn join<'a>(instances: Vec<(Instance, Vec<&'a Evidence>)>, cases: &mut [Case<'a>]) -> Vec<Orphan<'a>> {
    let mut orphans = Vec::new();
    for (instance, lines) in instances {
        let mut number = 0;
        for lines in ends(lines) {
            let cut_off: Vec<usize> = (0..cases.len()).filter(|index| was_cut_off(&cases[*index], &instance, &lines)).collect();
            if cut_off.is_empty() {
                number += 1;
                orphans.push(Orphan { instance: instance.clone(), number, lines });
                continue;
            }
            for index in cut_off {
                cases[index].own.extend(&lines);
                in_order(&mut cases[index].own);
            }
        }
    }
    orphans
}

/// Splits what is said of an instance where more than a minute passed between lines that tell of a failure.
fn ends<'a>(mut lines: Vec<&'a Evidence>) -> Vec<Vec<&'a Evidence>> {
    in_order(&mut lines);
    let mut ends: Vec<Vec<&'a Evidence>> = Vec::new();
    let mut last: Option<Timestamp> = None;
    for one in lines {
        let at = one.claim.at().filter(|_| one.claim.is_anomalous());
        let is_later = last.zip(at).is_some_and(|(last, at)| at.as_millisecond() - last.as_millisecond() > ONE_END_MS_MAX);
        last = at.or(last);
        match ends.last_mut().filter(|_| !is_later) {
            Some(end) => end.push(one),
            None => ends.push(vec![one]),
        }
    }
    ends.retain(|end| end.iter().any(|one| one.claim.is_anomalous()));
    ends
}

/// Whether a request's own line says that its connection broke when the instance came to its end.
fn was_cut_off(case: &Case<'_>, instance: &Instance, end: &[&Evidence]) -> bool {
    let deaths = || end.iter().filter(|one| matches!(one.claim.outcome, Some(ClaimedOutcome::OutOfMemory | ClaimedOutcome::Crash)));
    case.own.iter().any(|one| {
        let broke = one.claim.kind == Kind::Request && one.claim.outcome == Some(ClaimedOutcome::Crash);
        let near = |death: &&Evidence| {
            let apart = one.claim.at().zip(death.claim.at()).map(|(a, b)| a.as_millisecond() - b.as_millisecond());
            apart.is_some_and(|apart| apart.abs() <= APART_MS_MAX)
        };
        broke && one.claim.instance.as_ref() == Some(instance) && deaths().any(near)
    })
}
