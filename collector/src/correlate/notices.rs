//! A platform's notices without an ID belong to the invocation whose timeout was told in the same seconds.
//!
//! Azure's host says one timeout in three to five lines; the exception's message and the host's shutdown name no invocation.
//! They join one that timed out just then, of that function if they name one. With none or several they stay by themselves.

use domain::{ClaimedOutcome, Evidence, Kind};

use super::Case;

/// From the notice with an ID to the host's restart took 2 s in the host's own tests.
const APART_MS_MAX: i64 = 10_000;

/// Whether it is such a notice.
pub fn is_notice(one: &Evidence) -> bool {
    let claim = &one.claim;
    let is_host = claim.platform.as_ref().is_some_and(|platform| platform.as_str() == "azure_functions");
    is_host && claim.request_id.is_none() && matches!(claim.kind, Kind::TimeoutNotice | Kind::PlatformRestart)
}

/// Hands each notice to the invocation it tells of, and gives back those that fit none.
pub fn join<'a>(notices: &[&'a Evidence], cases: &mut [Case<'a>]) -> Vec<&'a Evidence> {
    let mut left = Vec::new();
    let mut joined = Vec::new();
    for one in notices.iter().copied() {
        let mut fitting = (0..cases.len()).filter(|index| fits(one, &cases[*index]));
        match (fitting.next(), fitting.next()) {
            (Some(index), None) => joined.push((index, one)),
            _ => left.push(one),
        }
    }
    for (index, one) in joined {
        cases[index].own.push(one);
        super::set::in_order(&mut cases[index].own);
    }
    left
}

fn fits(notice: &Evidence, case: &Case<'_>) -> bool {
    case.own.iter().any(|one| {
        let (theirs, ours) = (&one.claim, &notice.claim);
        let same_function = ours.function.is_none() || ours.function == theirs.function;
        let near = match (ours.at(), theirs.at()) {
            (Some(a), Some(b)) => (a.as_millisecond() - b.as_millisecond()).abs() <= APART_MS_MAX,
            _ => true,
        };
        theirs.outcome == Some(ClaimedOutcome::Timeout)
            && theirs.platform == ours.platform
            && theirs.request_id.is_some()
            && same_function
            && near
    })
}
