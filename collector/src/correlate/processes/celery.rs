//! Celery: processes of the pool that died, and tasks that a stop cut off. The lines of neither name a task; which tasks had been
//! received in that log and have no end does.

use domain::{ClaimedOutcome, Evidence, Kind, Millis};
use jiff::Timestamp;

use super::super::Case;
use super::super::set::place;
use super::Event;

/// How long after a process died Celery says that it lost it: billiard's `lost_worker_timeout` is 10 s, and it looks each second.
const LOST_AFTER: Millis = Millis::from_ms(15_000);
/// How long a process may live on after the worker ended it.
const ENDED_AFTER: Millis = Millis::from_ms(10_000);

/// What the lines of one log tell of; what one task alone can be meant by is added to that task's case.
pub fn events<'a>(at: Option<&str>, lines: &[&'a Evidence], requests: &mut [Case<'a>]) -> Vec<Event<'a>> {
    let mut tasks: Vec<&mut Case<'a>> =
        requests.iter_mut().filter(|case| case.own.iter().any(|one| is_celerys(one) && place(one) == at)).collect();
    cut_off(lines, &mut tasks);
    let was_stopped = tasks.iter().any(|case| !case.server.is_empty());
    let is_followed = !tasks.is_empty();
    let mut exits: Vec<&Evidence> =
        of_kind(lines, Kind::ProcessExit).filter(|one| one.claim.outcome == Some(ClaimedOutcome::Crash)).collect();
    for ended in tasks.iter().flat_map(|case| &case.own).filter(|one| is_workers_act(one)) {
        take(&mut exits, |exit| is_within(ended, exit, ENDED_AFTER));
    }
    let mut dead: Vec<Vec<&'a Evidence>> = Vec::new();
    for fault in of_kind(lines, Kind::Fault) {
        let exit = take(&mut exits, |exit| is_within(exit, fault, LOST_AFTER));
        dead.push(std::iter::once(fault).chain(exit).collect());
    }
    dead.extend(exits.into_iter().map(|exit| vec![exit]));
    let mut events = Vec::new();
    for own in dead {
        // The process died when its exit says so, and not when somebody noticed.
        let died_at = own.last().and_then(|one| one.claim.observed_at);
        let mut open = tasks.iter_mut().filter(|case| is_open(case) && case.server.is_empty() && began(case, died_at));
        match (open.next(), open.next()) {
            (Some(task), None) => task.own.extend(own),
            // It ran nothing, or it ended with the worker.
            (None, _) if was_stopped || is_followed && own[0].claim.kind == Kind::ProcessExit => {}
            _ => events.push(Event { own, server: Vec::new() }),
        }
    }
    events
}

fn of_kind<'a>(lines: &[&'a Evidence], kind: Kind) -> impl Iterator<Item = &'a Evidence> {
    lines.iter().copied().filter(move |one| one.claim.kind == kind)
}

fn is_celerys(one: &Evidence) -> bool {
    one.claim.format == "celery"
}

/// To the tasks that were still running when the worker was stopped at once: the line that says so.
fn cut_off<'a>(lines: &[&'a Evidence], tasks: &mut [&mut Case<'a>]) {
    for stop in of_kind(lines, Kind::ServerStopping) {
        let before = |one: &Evidence| match (one.claim.observed_at, stop.claim.observed_at) {
            (Some(at), Some(stopped_at)) => at <= stopped_at,
            // `Cold shutdown` has no time: what counts is where it stands.
            _ => one.origin.is_some() && one.origin < stop.origin,
        };
        for task in tasks.iter_mut().filter(|case| is_open(case) && case.own.iter().all(|one| before(one))) {
            task.server.push(stop);
        }
    }
}

/// Whether no line tells of the task's end.
fn is_open(case: &Case<'_>) -> bool {
    let goes_on = |one: &&Evidence| matches!(one.claim.kind, Kind::Accepted | Kind::InvocationStart);
    case.own.iter().filter(|one| is_celerys(one)).all(goes_on)
}

fn began(case: &Case<'_>, by: Option<Timestamp>) -> bool {
    case.own.first().is_some_and(|one| one.claim.observed_at <= by)
}

/// Whether the worker itself then ends the process: at a hard limit, or because the task was revoked.
fn is_workers_act(one: &Evidence) -> bool {
    let is_hard = one.claim.limit.as_ref().is_some_and(|limit| limit.setting == "--time-limit");
    is_celerys(one) && (is_hard || one.claim.attributes.contains_key("revoked_with"))
}

/// Takes the first that fits out of those that are left.
fn take<'a>(exits: &mut Vec<&'a Evidence>, fits: impl Fn(&Evidence) -> bool) -> Option<&'a Evidence> {
    exits.iter().position(|exit| fits(exit)).map(|at| exits.remove(at))
}

/// Whether one line came at most so long before another. Lines of one moment come in any order.
fn is_within(earlier: &Evidence, later: &Evidence, most: Millis) -> bool {
    const STAMP: Millis = Millis::from_ms(1000);
    earlier.claim.observed_at.zip(later.claim.observed_at).is_some_and(|(from, to)| {
        let between = Millis::between(from, to);
        between.plus(STAMP) >= Millis::ZERO && between <= most
    })
}
