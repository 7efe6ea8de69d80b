//! `event_loop_blocked`: one piece of code kept the event loop from running anything else.
//!
//! Looks at: how late the loop ran its timers, a thread that its watchdog found blocked, and the class of a gunicorn worker
//! whose heartbeat runs in the loop: cooperative waits never stop that, so only a blocked loop is timed out. Conclusive
//! where the lag covers most of the time. Looks the same: a paused process (freeze and thaw), whose timers are late as well.
//! What to change: the blocking call (an awaiting client, a thread, a worker thread), at the place of the stack.

use domain::{Confidence, Evidence, Kind, Millis, Outcome};

use super::Recognised;
use super::calls::{Calls, SHARE_MIN};
use super::processor::Used;
use super::stack::{self, Sample, Standing};
use crate::correlate::{Case, Ending};
use crate::diagnose::advice::plain;
use crate::diagnose::cite;
use crate::diagnose::firing::Firing;

/// gunicorn's worker classes whose heartbeat is a task of the event loop.
const LOOP_CLASSES: [&str; 5] = ["uvicorn", "gevent", "eventlet", "tornado", "aiohttp"];

/// Parts of the files in which event loops live.
const LOOPS: [&str; 6] = ["asyncio/", "uvloop", "gevent/", "eventlet/", "tornado/", "node:internal/"];

/// Recognises the cause.
pub fn recognise(case: &Case<'_>, firing: &Firing, _: &Calls<'_>) -> Option<Recognised> {
    if !matches!(firing.outcome, Outcome::Timeout | Outcome::CallerLeft | Outcome::NearMiss) {
        return None;
    }
    let sample = stack::samples(case).into_iter().next();
    let found = lagging(case).or_else(|| found_blocked(sample?)).or_else(|| heartbeat(case))?;
    let found = match sample.filter(|sample| sample.standing != Standing::Library) {
        Some(sample) => found.because(sample.spoken(), vec![cite(sample.told)]),
        None => found,
    };
    let text = "Find what blocks the loop at that place: use a client that awaits, hand long work to a thread or worker process, split long computing.";
    let found = Recognised { hidden_by_more_time: Some("what blocks the loop"), ..found };
    Some(found.change(plain("unblock_loop", text)).says("the event loop was blocked"))
}

/// A loop that was late by most of the time elapsed.
fn lagging(case: &Case<'_>) -> Option<Recognised> {
    let told = case.own.iter().copied().filter(|one| matches!(one.claim.kind, Kind::WatchdogFired | Kind::WatchdogNearMiss));
    let lag = |one: &Evidence| Some((one.claim.millis("loop_lag_ms")?, one.claim.elapsed_ms.or_else(|| case.elapsed())?));
    let (one, (late, elapsed)) = told.filter_map(|one| Some((one, lag(one)?))).max_by_key(|(_, (late, _))| *late)?;
    if late <= Millis::ZERO || late.as_ms_f64() < elapsed.as_ms_f64() * SHARE_MIN {
        return None;
    }
    let text = format!("the event loop was {late} late, of {elapsed} elapsed");
    let found = Recognised { waited_ms: Some(late), ..Recognised::new(Confidence::Certain) }.because(text, vec![cite(one)]);
    Some(match Used::of(case) {
        Some(used) => found.because(meanwhile(&used), used.evidence),
        None => found,
    })
}

/// What the code that blocked it did.
fn meanwhile(used: &Used) -> String {
    let spoken = used.spoken();
    if used.computed().is_some() {
        format!("the process computed meanwhile: it used {spoken}")
    } else if used.waited() {
        format!("the process used {spoken}, so it stood in a call that blocks")
    } else {
        format!("the process used {spoken}")
    }
}

/// The watchdog looked at the thread and found it blocked. A thread that waits for the network blocks a loop only if it runs one.
fn found_blocked(sample: Sample<'_>) -> Option<Recognised> {
    let at_network = matches!(sample.standing, Standing::Network | Standing::Connecting | Standing::Resolving);
    let runs_loop =
        || sample.stack.frames.iter().filter_map(|frame| frame.file.as_deref()).any(|file| LOOPS.iter().any(|part| file.contains(part)));
    let blocked = sample.stack.blocked == Some(true) && (!at_network || runs_loop());
    blocked.then(|| Recognised::new(Confidence::Likely).because("the watchdog found the loop blocked", vec![cite(sample.told)]))
}

/// A worker that was given up on although nothing but a blocked loop can stop its heartbeat.
fn heartbeat(case: &Case<'_>) -> Option<Recognised> {
    let end = case.worker.as_ref().filter(|end| end.ending == Ending::TimedOut)?;
    let class = end.worker_class?;
    LOOP_CLASSES.iter().find(|known| class.contains(*known))?;
    let text = format!("this worker's heartbeat (`{class}`) is a task of its event loop: waiting never stops it, only a blocked loop does");
    let evidence = end.evidence.first().map(|one| cite(one)).into_iter().collect();
    Some(Recognised::new(Confidence::Likely).because(text, evidence))
}
