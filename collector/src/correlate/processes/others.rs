//! uvicorn, and lines of rack-timeout, PHP and Puma that name no request.

use std::collections::BTreeSet;

use domain::{Evidence, Kind};

use super::super::Case;
use super::super::set::place;
use super::{Event, Family, Processes};

/// What these tell of.
pub fn events<'a>(places: &Processes<'a>, requests: &[Case<'a>]) -> Vec<Event<'a>> {
    let mut events = Vec::new();
    // Beside rack-timeout's own line, which names the request, the error is the same event told again.
    let told = requests.iter().flat_map(|case| case.own.iter().copied());
    let told_at: BTreeSet<_> =
        told.filter(|one| one.claim.format == "rack_timeout" && one.claim.kind == Kind::TimeoutNotice).map(place).collect();
    for ((family, at), lines) in places {
        let alone = |kind: Kind| {
            lines.iter().copied().filter(move |one| one.claim.kind == kind).map(|one| Event { own: vec![one], server: Vec::new() })
        };
        match family {
            Family::Uvicorn => events.extend(uvicorn(lines)),
            Family::RackTimeout if !told_at.contains(at) => {
                events.extend(alone(Kind::RequestError).chain(alone(Kind::TimeoutNotice)));
            }
            Family::PhpFpm | Family::Puma => events.extend(alone(Kind::TimeoutNotice)),
            Family::RackTimeout | Family::Watchdog | Family::Gateway | Family::Knative | Family::Celery => {}
        }
    }
    events
}

/// Each end of a grace period, with the stacks of what it cut off.
fn uvicorn<'a>(lines: &[&'a Evidence]) -> Vec<Event<'a>> {
    let mut events: Vec<Event<'a>> = Vec::new();
    let mut server: Vec<&'a Evidence> = Vec::new();
    for one in lines.iter().copied() {
        match one.claim.kind {
            Kind::TimeoutNotice => events.push(Event { own: vec![one], server: server.clone() }),
            Kind::RequestError if one.claim.attributes.contains_key("told_to_quit") => {
                if let Some(event) = events.last_mut() {
                    event.own.push(one);
                }
            }
            kind if kind.is_of_server() => server.push(one),
            _ => {}
        }
    }
    events
}
