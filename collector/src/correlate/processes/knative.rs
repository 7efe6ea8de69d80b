//! Knative: its two layers may both log that one request ran out of time, and neither names it. The request log does, and its
//! time elapsed says which limit was reached.

use domain::{Evidence, Kind, Millis};

use super::super::Case;
use super::{Event, Family, Processes};

/// How far both layers' lines, and a time elapsed and its limit, may be apart.
const SLACK: Millis = Millis::from_ms(1500);

/// Hands notices to the requests whose time reached their limit; what is left is told once for both layers.
pub fn events<'a>(places: &Processes<'a>, requests: &mut [Case<'a>]) -> Vec<Event<'a>> {
    let of_family = places.iter().filter(|((family, _), _)| *family == Family::Knative);
    let mut notices: Vec<&'a Evidence> = of_family.flat_map(|(_, lines)| lines.iter().copied()).collect();
    notices.sort_by_key(|one| (one.claim.observed_at, one.claim.clone()));
    for case in requests {
        let Some(request) = case.own.iter().copied().find(|one| is_answer_504(one)) else { continue };
        let mut owners = Vec::new();
        notices.retain(|notice| {
            let owner = notice.claim.text("timeout_owner");
            let taken = explains(notice, request) && !owners.contains(&owner);
            if taken {
                owners.push(owner);
                case.own.push(notice);
            }
            !taken
        });
    }
    let mut events: Vec<Event<'a>> = Vec::new();
    for notice in notices {
        match events.last_mut().filter(|event| is_same(event.own[0], notice) && event.own.len() == 1) {
            Some(event) => event.own.push(notice),
            None => events.push(Event { own: vec![notice], server: Vec::new() }),
        }
    }
    events
}

fn is_answer_504(one: &Evidence) -> bool {
    one.claim.format == "knative" && one.claim.kind == Kind::Request && one.claim.number("status_code") == Some(504.0)
}

/// Whether that limit ended that request: the time is its own, and where both are stamped, so is the moment.
fn explains(notice: &Evidence, request: &Evidence) -> bool {
    let limit = notice.claim.limit.as_ref().and_then(|limit| limit.value_ms);
    let reached = limit.zip(request.claim.elapsed_ms).is_some_and(|(limit, elapsed)| elapsed >= limit && elapsed <= limit.plus(SLACK));
    reached && is_near(notice, request)
}

/// The same time-out as the other layer saw it.
fn is_same(first: &Evidence, other: &Evidence) -> bool {
    let of = |one: &Evidence, name: &str| one.claim.text(name).map(str::to_owned);
    let same = |name: &str| of(first, name) == of(other, name);
    same("revision") && same("namespace") && !same("timeout_owner") && first.claim.limit == other.claim.limit && is_near(first, other)
}

fn is_near(a: &Evidence, b: &Evidence) -> bool {
    a.claim.observed_at.zip(b.claim.observed_at).is_none_or(|(a, b)| (a.as_millisecond() - b.as_millisecond()).abs() <= SLACK.as_ms())
}
