//! Lines about an environment's start name no request: they belong to the invocation for which it was started.

use std::collections::BTreeMap;

use domain::{Evidence, Instance, Key, Kind, Origin};
use jiff::Timestamp;

use super::Case;
use super::set::{Set, place};

/// How long after its start line an environment's first request may begin; provisioned ones wait longer, and then nobody waited.
const NEXT_REQUEST_MS_MAX: i64 = 15 * 60 * 1000;
/// No invocation runs longer.
const INVOCATION_MS_MAX: i64 = 16 * 60 * 1000;

/// Where invocations began in one environment's log, as indices into the cases, in order.
#[derive(Default)]
struct Starts {
    by_time: Vec<(Timestamp, usize)>,
    by_line: Vec<(u64, usize)>,
}

/// Hands each line about a start to its case. What fits none is given back by environment, where it tells of a failure.
pub fn join<'a>(set: &Set<'a>, cases: &mut [Case<'a>]) -> Vec<(Instance, Vec<&'a Evidence>)> {
    let starts = starts(cases);
    let none = Starts::default();
    let mut orphans = Vec::new();
    let mut joined = Vec::new();
    for (instance, lines) in &set.instances {
        let starts = starts.get(instance).unwrap_or(&none);
        let mut left = Vec::new();
        for one in lines.iter().copied() {
            // Beside the platform's own lines, which carry IDs, its words without one are an application's.
            let is_nobodys = one.claim.kind == Kind::TimeoutNotice;
            match starts.home(one, cases).filter(|_| !is_nobodys) {
                Some(case) => joined.push((case, one)),
                None if is_nobodys && starts.any() => {}
                None => left.push(one),
            }
        }
        if left.iter().any(|one| one.claim.is_anomalous()) {
            orphans.push((Instance::from(*instance), left));
        }
    }
    for (case, one) in joined {
        cases[case].own.push(one);
    }
    for case in cases {
        super::set::in_order(&mut case.own);
    }
    orphans
}

fn starts<'a>(cases: &[Case<'a>]) -> BTreeMap<&'a str, Starts> {
    let mut starts: BTreeMap<&'a str, Starts> = BTreeMap::new();
    for (index, case) in cases.iter().enumerate().filter(|(_, case)| matches!(case.subject, Key::Request(_))) {
        let Some(start) = case.first(Kind::InvocationStart) else { continue };
        let Some(place) = place(start) else { continue };
        let own = starts.entry(place).or_default();
        own.by_time.extend(start.claim.observed_at.map(|at| (at, index)));
        own.by_line.extend(start.origin.as_ref().map(|origin| (origin.line, index)));
    }
    for own in starts.values_mut() {
        own.by_time.sort_unstable();
        own.by_line.sort_unstable();
    }
    starts
}

impl Starts {
    fn any(&self) -> bool {
        !self.by_time.is_empty() || !self.by_line.is_empty()
    }

    /// The invocation during which, or before which, the line was written.
    fn home(&self, one: &Evidence, cases: &[Case<'_>]) -> Option<usize> {
        let Some(at) = one.claim.at() else {
            // No times: the invocation whose lines it stands among, else the next START in the same file, or the last one before.
            let origin = one.origin.as_ref()?;
            let next = self.by_line.partition_point(|(start, _)| *start <= origin.line);
            let before = next.checked_sub(1).map(|last| self.by_line[last].1).filter(|case| stands_among(origin, &cases[*case]));
            return before.or_else(|| self.by_line.get(next).or_else(|| self.by_line.last()).map(|(_, case)| *case));
        };
        let next = self.by_time.partition_point(|(start, _)| *start <= at);
        let before = self.by_time[..next].iter().rev().take_while(|(start, _)| apart(at, *start) <= INVOCATION_MS_MAX);
        let during = before.map(|(_, case)| *case).find(|case| cases[*case].ended_at().is_some_and(|end| at <= end));
        during.or_else(|| {
            // A start of the same moment comes next as well: lines of one millisecond arrive in any order.
            let next = self.by_time.partition_point(|(start, _)| *start < at);
            self.by_time.get(next).filter(|(start, _)| apart(*start, at) < NEXT_REQUEST_MS_MAX).map(|(_, case)| *case)
        })
    }
}

/// Whether lines of an invocation follow in the same file.
fn stands_among(line: &Origin, case: &Case<'_>) -> bool {
    let later = |one: &Evidence| one.origin.as_ref().is_some_and(|other| other.file == line.file && other.line > line.line);
    case.own.iter().any(|one| one.claim.request_id.is_some() && later(one))
}

/// Milliseconds from `b` to `a`.
fn apart(a: Timestamp, b: Timestamp) -> i64 {
    a.as_millisecond() - b.as_millisecond()
}
