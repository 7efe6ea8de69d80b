//! A platform's own retries carry the same request ID: each attempt is a case of its own.

use std::collections::BTreeMap;

use domain::{Claim, Evidence, Key, Kind, RequestId, StackName};
use jiff::Timestamp;

use super::set::in_order;
use super::{Case, Knowledge};

/// Splits the evidence of one request ID into attempts, in the order in which they began.
pub fn split<'a>(
    stack: &'a StackName,
    id: &'a RequestId,
    evidence: &[&'a Evidence],
    knowledge: &'a Knowledge,
    as_of: Timestamp,
) -> Vec<Case<'a>> {
    // The platform's own lines mark where an attempt begins and ends, environment by environment.
    let mut platform: BTreeMap<_, Vec<&'a Evidence>> = BTreeMap::new();
    let mut others = Vec::new();
    for one in evidence.iter().copied() {
        if is_boundary(&one.claim) { platform.entry(&one.claim.instance).or_default().push(one) } else { others.push(one) }
    }
    let mut attempts: Vec<Vec<&'a Evidence>> = Vec::new();
    for lines in platform.values_mut() {
        in_order(lines);
        attempts.extend(cut(lines));
    }
    merge_unplaced(&mut attempts);
    attempts.sort_by_key(|lines| (first_moment(lines), lines[0].origin.clone(), lines[0].claim.clone()));
    if attempts.is_empty() {
        attempts.push(Vec::new());
    }
    let begun: Vec<Timestamp> = attempts.iter().map(|lines| first_moment(lines)).collect();
    for one in others {
        attempts[home(one, &begun)].push(one);
    }
    attempts
        .into_iter()
        .zip(1..)
        .map(|(mut own, attempt)| {
            in_order(&mut own);
            Case { attempt, ..Case::new(stack, Key::Request(id.clone()), own, knowledge, as_of) }
        })
        .collect()
}

fn is_boundary(claim: &Claim) -> bool {
    let by_kind = matches!(
        claim.kind,
        Kind::Accepted | Kind::InvocationStart | Kind::InvocationEnd | Kind::InvocationReport | Kind::TimeoutNotice | Kind::Fault
    );
    by_kind || is_whole(claim)
}

/// Cloud Run's account of a request, which goes by its trace: another one in the same trace is another request.
fn is_whole(claim: &Claim) -> bool {
    claim.kind == Kind::Request && claim.platform.as_ref().is_some_and(|product| matches!(product.as_str(), "cloud_run" | "gcf_gen2"))
}

/// Cuts the lines of one environment, in order: a second START, END or REPORT begins the next attempt, and so does a notice of time run
/// out that leaves room for all the time it names after the one before (of a log, often nothing but the notices is kept).
fn cut<'a>(lines: &[&'a Evidence]) -> Vec<Vec<&'a Evidence>> {
    let mut attempts: Vec<Vec<&'a Evidence>> = Vec::new();
    for one in lines.iter().copied() {
        let kind = one.claim.kind;
        let once =
            matches!(kind, Kind::Accepted | Kind::InvocationStart | Kind::InvocationEnd | Kind::InvocationReport) || is_whole(&one.claim);
        let begins = attempts.last().is_none_or(|current| {
            let seen = |wanted| current.iter().any(|earlier| earlier.claim.kind == wanted);
            once && seen(kind)
                || matches!(kind, Kind::Accepted | Kind::InvocationStart) && (seen(Kind::InvocationEnd) || seen(Kind::InvocationReport))
                || kind == Kind::TimeoutNotice && current.iter().any(|earlier| ended_before(earlier, one))
        });
        if begins {
            attempts.push(Vec::new());
        }
        attempts.last_mut().expect("one was begun").push(one);
    }
    attempts
}

/// Whether all of what a notice tells of came after another notice.
fn ended_before(earlier: &Evidence, one: &Evidence) -> bool {
    let begun = one.claim.observed_at.zip(one.claim.elapsed_ms).map(|(at, elapsed)| elapsed.before(at));
    earlier.claim.kind == Kind::TimeoutNotice && earlier.claim.observed_at.zip(begun).is_some_and(|(ended, begun)| ended <= begun)
}

/// Lines that do not say where they were written (an invoke's error payload) are no attempt of their own beside lines that do.
fn merge_unplaced(attempts: &mut Vec<Vec<&Evidence>>) {
    if attempts.len() < 2 {
        return;
    }
    let (unplaced, placed): (Vec<_>, Vec<_>) = attempts.drain(..).partition(|lines| lines[0].claim.instance.is_none());
    *attempts = placed;
    if attempts.is_empty() {
        *attempts = unplaced;
        return;
    }
    let begun: Vec<Timestamp> = attempts.iter().map(|lines| first_moment(lines)).collect();
    for one in unplaced.into_iter().flatten() {
        attempts[home(one, &begun)].push(one);
    }
}

fn first_moment(lines: &[&Evidence]) -> Timestamp {
    let begun = |one: &&Evidence| if is_whole(&one.claim) { one.claim.started_at } else { None };
    lines.iter().filter_map(|one| begun(one).or(one.claim.at())).min().unwrap_or(Timestamp::MAX)
}

/// The attempt that a claim belongs to, of those that began at these moments: the last one that had begun by then; the first
/// where no time tells.
fn home(one: &Evidence, begun: &[Timestamp]) -> usize {
    // Clocks of one environment agree to the millisecond; those of callers and collectors to about a second.
    const SLACK_MS: i64 = 1000;
    let Some(at) = one.claim.started_at.or(one.claim.observed_at) else { return 0 };
    begun.iter().rposition(|begun| begun.as_millisecond() <= at.as_millisecond() + SLACK_MS).unwrap_or(0)
}
