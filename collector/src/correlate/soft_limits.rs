//! A soft limit that a task outlived, and the hard one that then ended it: two limits, two acts, two cases.

use domain::{Evidence, Key, Kind};

use super::Case;

/// Takes a soft limit's notice out of the case that a later limit ended, as a case of its own.
pub fn split(cases: &mut Vec<Case<'_>>) {
    let mut split_off = Vec::new();
    for case in cases.iter_mut() {
        let notices = |one: &&Evidence| one.claim.format == "celery" && one.claim.kind == Kind::TimeoutNotice;
        let is_soft = |one: &Evidence| one.claim.limit.as_ref().is_some_and(|limit| limit.setting == "--soft-time-limit");
        let Some(soft) = case.own.iter().copied().filter(notices).find(|one| is_soft(one)) else { continue };
        if case.own.iter().copied().filter(notices).all(is_soft) {
            continue;
        }
        case.own.retain(|one| !std::ptr::eq(*one, soft));
        let subject = Key::Loose(soft.claim.id());
        split_off.push(Case { subject, own: vec![soft], ..case.clone() });
    }
    cases.extend(split_off);
}
