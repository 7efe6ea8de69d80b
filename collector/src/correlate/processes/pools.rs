//! Pools of processes that were full while somebody waited: php-fpm says so once, and of no request.

use domain::{Claim, Evidence, Kind, Millis};

use super::super::{Case, is_proxys};
use super::{Family, Processes};

/// What whole seconds in one of two lines may hide.
const STAMP: Millis = Millis::from_ms(1000);

/// Whether it says that every process of a pool is busy.
pub fn is_full(claim: &Claim) -> bool {
    claim.kind == Kind::Other && claim.attributes.contains_key("max_children")
}

/// To the cases in which a proxy waited for php-fpm: what that said of its pools meanwhile.
pub fn stand_beside<'a>(processes: &Processes<'a>, cases: &mut [Case<'a>]) {
    let full = processes.iter().filter(|((family, _), _)| *family == Family::PhpFpm).flat_map(|(_, lines)| lines);
    let full: Vec<&'a Evidence> = full.copied().filter(|one| is_full(&one.claim)).collect();
    if full.is_empty() {
        return;
    }
    for case in cases.iter_mut().filter(|case| case.own.iter().any(|one| waited_for_fpm(&one.claim))) {
        let Some((began, ended)) = case.started_at().zip(case.ended_at()) else { continue };
        let meanwhile = |one: &&&'a Evidence| {
            one.claim.observed_at.is_some_and(|at| {
                Millis::between(began, at).plus(STAMP) >= Millis::ZERO && Millis::between(at, ended).plus(STAMP) >= Millis::ZERO
            })
        };
        case.server.extend(full.iter().filter(meanwhile).copied());
    }
}

fn waited_for_fpm(claim: &Claim) -> bool {
    is_proxys(claim) && claim.limit.as_ref().is_some_and(|limit| limit.setting.starts_with("fastcgi_"))
}
