//! gunicorn: the arbiter's word about a worker, held against the clock.
//!
//! `WORKER TIMEOUT` is the arbiter's own act: no proxy or platform limit makes it kill a worker. `was sent SIGKILL! Perhaps
//! out of memory?` after it is that same act (SIGABRT had no effect within a second); without it, the kill came from
//! outside, and memory is a guess. A graceful stop that cuts requests off prints nothing at all.

use domain::{Confidence, Evidence, IncidentState, Kind, KnownFrom, Layer, Limit, Millis, Note, Outcome, Product, Reason, RequestId};

use super::Firing;
use crate::correlate::{Blame, Case, Ending, WorkerEnd};
use crate::diagnose::{cite, cite_all};

/// The arbiter looks once a second; seen from -0.07 s to +1.6 s after the limit.
const SLACK: Millis = Millis::from_ms(1000);

/// What gunicorn did.
pub fn fired(case: &Case<'_>) -> Option<Firing> {
    let end = case.worker.as_ref().filter(|end| is_gunicorns(end))?;
    let firing = match end.ending {
        Ending::TimedOut => timed_out(case, end),
        Ending::Killed => killed(end),
        Ending::Exited => exited(end),
        Ending::FailedToStart => failed_to_start(end),
        Ending::ToldToQuit => told_to_quit(end),
        Ending::Dropped | Ending::LeftLate => dropped(case, end)?,
    };
    Some(Firing { at: end.at, layer: Some(Layer::AppServer), product: firing.product.clone().or(Some(Product::GUNICORN)), ..firing })
}

/// Whether it is the end of a worker of gunicorn's: other servers that keep workers have files of their own.
fn is_gunicorns(end: &WorkerEnd<'_>) -> bool {
    end.evidence.first().and_then(|one| one.claim.platform.as_ref()).is_none_or(|platform| *platform == Product::GUNICORN)
}

fn limit(case: &Case<'_>, setting: &str) -> Limit {
    let known = case.stated_limit(&Product::GUNICORN, setting).cloned();
    known.unwrap_or_else(|| Limit {
        layer: Layer::AppServer,
        product: Product::GUNICORN,
        setting: setting.to_owned(),
        value_ms: None,
        known_from: KnownFrom::Claimed,
        place: None,
    })
}

fn timed_out(case: &Case<'_>, end: &WorkerEnd<'_>) -> Firing {
    let limit = limit(case, "--timeout");
    let mut firing = Firing::new(Outcome::Timeout, IncidentState::Confirmed, Confidence::Certain);
    let decisive = end.evidence[0];
    let text = "the arbiter says so: it ended the worker itself, which no proxy's or platform's limit makes it do";
    firing.reasons.push(Reason { text: text.to_owned(), evidence: vec![cite(decisive)] });
    if let Some(value) = limit.value_ms {
        firing.reasons.push(arithmetic(case, end, value));
    }
    // Its last sight of the request, from before the arbiter acted.
    if let Some(seen) = case.all(Kind::WatchdogFired).last().or_else(|| case.all(Kind::WatchdogNearMiss).last()) {
        firing.reasons.push(Reason { text: format!("the watchdog inside saw that {}", stood_in(seen)), evidence: vec![cite(seen)] });
    }
    if case.own.is_empty() && may_have_been_booting(end, &limit) {
        let text =
            "it was ended as soon after its boot as the limit allows: either it never finished starting, or its first request came at once";
        firing.reasons.push(Reason { text: text.to_owned(), evidence: Vec::new() });
    }
    let is_aborted = |one: &Evidence| one.claim.kind == Kind::RequestError && one.claim.attributes.contains_key("aborted");
    // Where its Python code unwound after SIGABRT, it was only slow to leave.
    let had_noticed = end.evidence.iter().any(|one| is_aborted(one));
    for one in &end.evidence[1..] {
        match one.claim.kind {
            Kind::RequestError if is_aborted(one) => {
                let text = stood_in(one);
                // The watchdog may have seen the same.
                match firing.reasons.iter_mut().find(|reason| reason.text.ends_with(&text)) {
                    Some(same) => same.evidence.push(cite(one)),
                    None => firing.reasons.push(Reason { text, evidence: vec![cite(one)] }),
                }
            }
            Kind::WorkerKilled if one.claim.text("guess").is_some() => {
                let text = "no sign of full memory: the arbiter sent this signal itself, because the worker had not ended within a second of SIGABRT";
                firing.contradicted.push(Note { text: text.to_owned(), evidence: vec![cite(one)] });
                let text = if had_noticed {
                    "the worker had to be killed: it took more than a second to leave"
                } else {
                    "the worker had to be killed: it was blocked outside Python"
                };
                firing.reasons.push(Reason { text: text.to_owned(), evidence: vec![cite(one)] });
            }
            Kind::WorkerExit | Kind::ProcessExit | Kind::WorkerKilled | Kind::RequestError => {
                firing.consequences.push(Note { text: "the worker's end".to_owned(), evidence: vec![cite(one)] });
            }
            _ => {}
        }
    }
    firing.reasons.extend(companions(case));
    firing.refuted_by = match (end.worker_class, limit.value_ms) {
        (Some("gthread" | "gevent" | "eventlet"), _) => {
            "a request of this worker that answered normally within the last `--timeout` before the kill"
        }
        _ => "an answer of this worker to another request within the last `--timeout` before the kill",
    }
    .into();
    firing.limit = Some(limit);
    firing
}

/// Which other requests ended with the worker, and which of them was stuck.
fn companions(case: &Case<'_>) -> Option<Reason> {
    const NAMED_MAX: usize = 8;
    let others: Vec<&str> = case.companions.iter().map(|id| id.as_str()).collect();
    let named = others.iter().take(NAMED_MAX).copied().collect::<Vec<_>>().join(", ");
    let more = others.len().saturating_sub(NAMED_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let text = match &case.blame {
        Blame::Alone => return None,
        Blame::Culprit { how } => format!("this request held the worker ({how}); with it ended {named}{more}"),
        Blame::Collateral { of, how } => {
            let of = of.map_or("another", RequestId::as_str);
            format!("it ended with a worker that {of} held ({how}); {} requests were in flight", others.len() + 1)
        }
        Blame::Undecided => format!(
            "{} requests were in flight in this worker and ended with it, and nothing tells which one was stuck; beside this one: {named}{more}",
            others.len() + 1
        ),
    };
    Some(Reason { text, evidence: Vec::new() })
}

/// The elapsed time as far as it is known, held against the limit.
fn arithmetic(case: &Case<'_>, end: &WorkerEnd<'_>, value: Millis) -> Reason {
    let since = |start| end.at.map(|at| Millis::between(start, at));
    let running = case.started_at().and_then(since).map(|elapsed| elapsed.max(case.seen_running().unwrap_or(Millis::ZERO)));
    let text = match (running, end.booted_at.and_then(since)) {
        (Some(elapsed), _) if elapsed.plus(SLACK) >= value => {
            format!("the request had run for {elapsed}, the limit is {value} and is looked at once a second")
        }
        (Some(elapsed), _) => {
            format!("the request had run for {elapsed} only: the worker's heartbeat had stopped before it began, the limit is {value}")
        }
        (None, Some(age)) => format!("the limit is {value}; the worker was {age} old"),
        (None, None) => format!("the limit is {value}; no source says when the request began"),
    };
    Reason { text, evidence: Vec::new() }
}

/// Ended so soon after its boot that a request, if there was one, must have come at once. Which of the two it was, the
/// lines do not say, unless the worker's own tell of a request.
pub fn may_have_been_booting(end: &WorkerEnd<'_>, limit: &Limit) -> bool {
    let (Some(value), Some(booted), Some(at)) = (limit.value_ms, end.booted_at, end.at) else { return false };
    !end.has_served && Millis::between(booted, at) <= value.plus(SLACK)
}

fn stood_in(error: &Evidence) -> String {
    let path = error.claim.text("path").unwrap_or("a request");
    let path = error.claim.text("method").map_or_else(|| path.to_owned(), |method| format!("{method} {path}"));
    let frame = error.claim.stacks.first().and_then(|stack| stack.frames.last());
    match frame {
        Some(frame) => {
            let place = frame.file.as_deref().map_or(String::new(), |file| format!(" ({file}:{})", frame.line.unwrap_or_default()));
            format!("it was serving `{path}` and stood in `{}`{place}", frame.function)
        }
        None => format!("it was serving `{path}`"),
    }
}

/// A signal that gunicorn did not send.
fn killed(end: &WorkerEnd<'_>) -> Firing {
    let decisive = end.evidence[0];
    let signal = decisive.claim.text("signal").unwrap_or("a signal").to_owned();
    let mut firing = Firing::new(Outcome::Crash, IncidentState::Confirmed, Confidence::Likely);
    let text = format!("the worker was ended by {signal}, and the arbiter had not given up on it before: no limit of gunicorn's fired");
    firing.reasons.push(Reason { text, evidence: vec![cite(decisive)] });
    if end.is_server_known {
        begun_too_late(end, &mut firing);
    } else {
        firing.confidence = Confidence::Possible;
        let text =
            "no line of the server itself is known: it may have been stopping, or have given up on the worker before these lines begin";
        firing.reasons.push(Reason { text: text.to_owned(), evidence: Vec::new() });
    }
    if decisive.claim.text("guess").is_some() {
        let text = "gunicorn only guesses at memory; the kernel's log (`dmesg`, `oom_kill`) would tell";
        firing.contradicted.push(Note { text: text.to_owned(), evidence: vec![cite(decisive)] });
    }
    firing.refuted_by = "a WORKER TIMEOUT line for the same process ID just before".into();
    firing
}

/// Takes certainty off where the log begins with the worker's end.
pub(super) fn begun_too_late(end: &WorkerEnd<'_>, firing: &mut Firing) {
    if !end.reaches_back {
        firing.confidence = Confidence::Possible;
        let text = "the server's lines begin just before this: that it had given up on the worker may stand in what is missing";
        firing.reasons.push(Reason { text: text.to_owned(), evidence: Vec::new() });
    }
}

/// The process ended itself with a code that is no success.
fn exited(end: &WorkerEnd<'_>) -> Firing {
    let decisive = end.evidence[0];
    let code = decisive.claim.number("exit_status").unwrap_or_default();
    let mut firing = Firing::new(Outcome::Crash, IncidentState::Confirmed, Confidence::Likely);
    let text =
        format!("the worker ended itself with code {code}: code of the application's called for it, and no limit of gunicorn's fired");
    firing.reasons.push(Reason { text, evidence: vec![cite(decisive)] });
    begun_too_late(end, &mut firing);
    firing.refuted_by = "a WORKER TIMEOUT line for the same process ID just before".into();
    firing
}

/// The application could not be loaded.
fn failed_to_start(end: &WorkerEnd<'_>) -> Firing {
    let decisive = end.evidence[0];
    let mut firing = Firing::new(Outcome::Crash, IncidentState::Confirmed, Confidence::Certain);
    let error = decisive.claim.text("message").map_or(String::new(), |error| format!(" with `{error}`"));
    let text = format!("the worker failed{error} while it loaded the application: it never served a request");
    firing.reasons.push(Reason { text, evidence: cite_all(end.evidence.iter().copied()) });
    firing.refuted_by = "an access line of this process".into();
    firing
}

/// SIGINT and SIGQUIT stop a server at once; from 22.0.0 on the request that this cuts off leaves a traceback.
fn told_to_quit(end: &WorkerEnd<'_>) -> Firing {
    let decisive = end.evidence[0];
    let mut firing = Firing::new(Outcome::DroppedAtShutdown, IncidentState::Confirmed, Confidence::Certain);
    firing.reasons.push(Reason { text: stood_in(decisive), evidence: vec![cite(decisive)] });
    let text = "it was told to stop at once (SIGINT or SIGQUIT), which waits for no request; SIGTERM would";
    firing.reasons.push(Reason { text: text.to_owned(), evidence: vec![cite(decisive)] });
    firing.refuted_by = "an answer of this request".into();
    firing
}

/// Cut off by the end of the grace period.
fn dropped(case: &Case<'_>, end: &WorkerEnd<'_>) -> Option<Firing> {
    let grace = end.stopping_at.zip(end.at).map(|(from, to)| Millis::between(from, to))?;
    let limit = limit(case, "--graceful-timeout");
    let silent = end.ending == Ending::Dropped;
    let confidence = if silent { Confidence::Likely } else { Confidence::Possible };
    let mut firing = Firing::new(Outcome::DroppedAtShutdown, IncidentState::Confirmed, confidence);
    let text = match (silent, limit.value_ms) {
        (true, Some(value)) => {
            format!("the server was told to stop, waited {grace} of a grace period of {value}, and ended while this worker had not left")
        }
        (true, None) => format!("the server was told to stop, waited {grace}, and ended while this worker had not left"),
        (false, _) => format!("the worker left only when the grace period was over ({grace}); what it was serving may have been cut off"),
    };
    firing.reasons.push(Reason { text, evidence: cite_all(end.evidence.iter().copied()) });
    for one in end.evidence.iter().filter(|one| one.claim.text("guess").is_some()) {
        let text = "no sign of full memory: the server was being stopped, and this signal is how its grace period ends";
        firing.contradicted.push(Note { text: text.to_owned(), evidence: vec![cite(one)] });
    }
    firing.refuted_by = "a `Worker exiting` line of this process, or an access line of its last request".into();
    firing.limit = Some(limit);
    Some(firing)
}
