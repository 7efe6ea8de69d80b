//! A circuit breaker per action: a receiver that does not answer is not asked by every delivery that waits for it.
//!
//! After [`FAILURES_MAX`] failures one after the other nothing is sent for a while, then one delivery tries it; if that fails,
//! the while is twice as long. What waits is postponed, which counts as no attempt. A receiver that answered 410 is not asked
//! again before the rules change, as Standard Webhooks wants it. Each process has breakers of its own: they spare a receiver, and
//! nothing rests on them.

use std::collections::HashMap;
use std::sync::Mutex;

use jiff::{SignedDuration, Timestamp};

/// Failures one after the other that open it.
const FAILURES_MAX: u32 = 5;

/// How long it stays open at first, and at most.
const OPEN_MIN: SignedDuration = SignedDuration::from_secs(10);
const OPEN_MAX: SignedDuration = SignedDuration::from_mins(10);

/// The breakers of all actions by name.
#[derive(Debug, Default)]
pub(crate) struct Breakers(Mutex<HashMap<String, Breaker>>);

/// Whether an attempt may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    /// It may.
    Open,
    /// Not before that moment.
    ClosedUntil(Timestamp),
    /// Not before the rules change.
    Gone,
}

/// How an attempt went, as far as the receiver is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// It answered, be it that it refused this one message.
    Answer,
    /// It did not, or asked to be left alone.
    Failure,
    /// It is gone for good.
    Gone,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Breaker {
    failures: u32,
    until: Option<Timestamp>,
    gone: bool,
}

impl Breakers {
    /// Asks before an attempt. Whoever finds it open after its while is the one who tries it; others wait for that.
    pub(crate) fn ask(&self, action: &str, now: Timestamp) -> Gate {
        let mut breakers = self.0.lock().expect("no holder of this lock panics");
        breakers.get_mut(action).map_or(Gate::Open, |breaker| breaker.ask(now))
    }

    /// Notes how an attempt went.
    pub(crate) fn note(&self, action: &str, heard: Heard, now: Timestamp) {
        let mut breakers = self.0.lock().expect("no holder of this lock panics");
        match heard {
            Heard::Answer => drop(breakers.remove(action)),
            Heard::Failure => breakers.entry(action.to_owned()).or_default().fail(now),
            Heard::Gone => breakers.entry(action.to_owned()).or_default().gone = true,
        }
    }

    /// How many keep deliveries back.
    pub(crate) fn closed(&self, now: Timestamp) -> i64 {
        let breakers = self.0.lock().expect("no holder of this lock panics");
        let closed = breakers.values().filter(|breaker| breaker.gone || breaker.until.is_some_and(|until| until > now));
        i64::try_from(closed.count()).unwrap_or(i64::MAX)
    }
}

impl Breaker {
    fn ask(&mut self, now: Timestamp) -> Gate {
        match self.until {
            _ if self.gone => Gate::Gone,
            Some(until) if now < until => Gate::ClosedUntil(until),
            Some(_) => {
                // One goes ahead; if it is never heard of again, another does after the shortest while.
                self.until = Some(now.saturating_add(OPEN_MIN).unwrap_or(now));
                Gate::Open
            }
            None => Gate::Open,
        }
    }

    fn fail(&mut self, now: Timestamp) {
        self.failures = self.failures.saturating_add(1);
        if let Some(beyond) = self.failures.checked_sub(FAILURES_MAX) {
            let open = OPEN_MIN.saturating_mul(1 << beyond.min(10)).min(OPEN_MAX);
            self.until = Some(now.saturating_add(open).unwrap_or(now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::at;

    #[test]
    fn five_failures_keep_others_back_and_one_tries_it_again() {
        let (breakers, now) = (Breakers::default(), at("2026-11-20T12:00:00Z"));
        for _ in 0..4 {
            breakers.note("hook", Heard::Failure, now);
            assert_eq!(breakers.ask("hook", now), Gate::Open);
        }
        breakers.note("hook", Heard::Failure, now);
        let until = now + OPEN_MIN;
        assert_eq!((breakers.ask("hook", now), breakers.ask("other", now)), (Gate::ClosedUntil(until), Gate::Open));
        assert_eq!(breakers.closed(now), 1);
        assert_eq!(breakers.ask("hook", until), Gate::Open, "one tries it");
        assert_eq!(breakers.ask("hook", until), Gate::ClosedUntil(until + OPEN_MIN), "the others wait");
        breakers.note("hook", Heard::Failure, until);
        assert_eq!(breakers.ask("hook", until), Gate::ClosedUntil(until + OPEN_MIN * 2));
        for _ in 0..100 {
            breakers.note("hook", Heard::Failure, until);
        }
        assert_eq!(breakers.ask("hook", until), Gate::ClosedUntil(until + OPEN_MAX));
        breakers.note("hook", Heard::Answer, until);
        assert_eq!((breakers.ask("hook", until), breakers.closed(until)), (Gate::Open, 0));
    }

    #[test]
    fn what_is_gone_stays_gone() {
        let (breakers, now) = (Breakers::default(), at("2026-11-20T12:00:00Z"));
        breakers.note("hook", Heard::Gone, now);
        assert_eq!(breakers.ask("hook", now + SignedDuration::from_hours(1_000)), Gate::Gone);
    }
}
