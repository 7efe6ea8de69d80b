//! When a group of incidents is told of: Alertmanager's `group_wait`, `group_interval` and `repeat_interval`, where what fires
//! is an incident and no state.
//!
//! <https://prometheus.io/docs/alerting/latest/configuration/#route>, read 2026-11-27. The first incident of a group is told after
//! `group_wait`. Those that follow are counted. With a `group_interval` a message says at most so often how many they were;
//! without, the group stays silent until `repeat_interval` is over and another incident comes. A group that has been silent
//! for `repeat_interval` begins anew.
//!
//! Alertmanager looks at a group every `group_interval` from its first message on, so that what comes after a pause waits for
//! the next look (seen with 0.25). Here the interval is the shortest time between two messages, and what comes later is told at once.

use jiff::{SignedDuration, Timestamp};
use store::AlertGroup;

/// A rule's three times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Timing {
    /// How long the first message waits for more; zero: not at all.
    pub wait: SignedDuration,
    /// The shortest time between messages that tell how many more there were; `None`: there are no such messages.
    pub interval: Option<SignedDuration>,
    /// How long a group is silent before it is told of as if for the first time.
    pub repeat: SignedDuration,
}

/// One more incident of a group.
#[derive(Clone, Copy, Debug)]
pub(super) struct One {
    /// The change that tells of it.
    pub change: i64,
    /// When the rules look at it.
    pub now: Timestamp,
    /// When its rule may speak: now, or when its hours begin.
    pub free_at: Timestamp,
    /// Told at once, however lately the group was told of: its problem is back after it was resolved.
    pub is_urgent: bool,
    /// The incident was counted before, and its state says more now.
    pub is_known: bool,
}

/// What a message tells beside its incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct More {
    /// Incidents.
    pub count: u64,
    /// Since when.
    pub since: Option<Timestamp>,
}

impl Timing {
    /// Takes one more incident in; answers whether it is told now, and what of those before it.
    pub(super) fn take(&self, group: &mut AlertGroup, one: One) -> Option<More> {
        let quiet_since = group.told_at.filter(|told| one.now < later(*told, self.repeat));
        if quiet_since.is_some() && one.is_known && !one.is_urgent {
            return None;
        }
        group.latest_change = one.change;
        group.more += 1;
        group.since = Some(group.since.or(group.told_at).unwrap_or(one.now));
        let allowed_at = match (quiet_since, self.interval) {
            _ if one.is_urgent => Some(one.now),
            (None, _) => Some(group.due_at.unwrap_or_else(|| later(one.now, self.wait))),
            (Some(told), Some(interval)) => Some(later(told, interval)),
            (Some(_), None) => None,
        };
        let allowed_at = allowed_at.map(|at| at.max(one.free_at));
        group.due_at = allowed_at.filter(|at| *at > one.now);
        (allowed_at.is_some() && group.due_at.is_none()).then(|| Self::more(group))
    }

    /// What a message tells now beside the group's latest incident.
    pub(super) fn more(group: &AlertGroup) -> More {
        // The first message shows one of them; a later one counts all since the one before.
        let count = if group.told_at.is_some() { group.more } else { group.more.saturating_sub(1) };
        More { count, since: group.since.filter(|_| count > 0) }
    }

    /// Notes that a message was decided on.
    pub(super) fn told(group: &mut AlertGroup, delivery: &str, now: Timestamp) {
        (group.told_at, group.told_by) = (Some(now), Some(delivery.to_owned()));
        (group.more, group.since, group.due_at) = (0, None, None);
    }
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays incidents at these seconds against a group; says each message as `second: more`.
    fn told(wait: i64, interval: Option<i64>, repeat: i64, incidents: &[i64]) -> Vec<(i64, u64)> {
        let seconds = SignedDuration::from_secs;
        let timing = Timing { wait: seconds(wait), interval: interval.map(seconds), repeat: seconds(repeat) };
        let mut group = AlertGroup::untold("k", "r", "a");
        let mut messages = Vec::new();
        for (number, second) in incidents.iter().enumerate() {
            due(&mut group, Some(*second), &mut messages);
            let now = at(*second);
            let one = One { change: i64::try_from(number).expect("few"), now, free_at: now, is_urgent: false, is_known: false };
            if let Some(more) = timing.take(&mut group, one) {
                messages.push((*second, more.count));
                Timing::told(&mut group, "d", now);
            }
        }
        due(&mut group, None, &mut messages);
        messages
    }

    /// What the worker does when a group's time has come.
    fn due(group: &mut AlertGroup, until: Option<i64>, messages: &mut Vec<(i64, u64)>) {
        if let Some(due) = group.due_at.filter(|due| until.is_none_or(|until| *due <= at(until))) {
            messages.push((due.as_second(), Timing::more(group).count));
            Timing::told(group, "d", due);
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("near 1970")
    }

    #[test]
    fn the_first_is_told_at_once_and_the_others_when_their_time_has_come() {
        for (wait, interval, repeat, incidents, expected) in [
            (0, None, 100, [0].as_slice(), [(0, 0)].as_slice()),
            (0, None, 100, &[0, 1, 2, 99], &[(0, 0)]),
            (0, None, 100, &[0, 1, 2, 100, 101], &[(0, 0), (100, 3)]),
            (0, Some(10), 100, &[0, 1, 2], &[(0, 0), (10, 2)]),
            // Alertmanager would tell the last at 12.
            (0, Some(4), 100, &[0, 1, 10], &[(0, 0), (4, 1), (10, 1)]),
            (0, Some(10), 100, &[0, 1, 9, 10, 12, 13, 40], &[(0, 0), (10, 2), (20, 3), (40, 1)]),
            (0, Some(10), 100, &[0, 200, 201], &[(0, 0), (200, 1), (210, 1)]),
            (5, None, 100, &[0, 1, 4], &[(5, 2)]),
            (5, Some(10), 100, &[0, 6, 7], &[(5, 0), (15, 2)]),
            (5, None, 100, &[0, 50, 105, 107], &[(5, 0), (110, 3)]),
        ] {
            assert_eq!(told(wait, interval, repeat, incidents), expected, "{wait} {interval:?} {repeat} {incidents:?}");
        }
    }

    #[test]
    fn no_incident_is_told_twice_and_none_is_lost_whatever_the_times() {
        // A walk through all short histories: every second something happens or not.
        for pattern in 0_u32..1 << 10 {
            let incidents: Vec<i64> = (0..10).filter(|second| pattern & (1 << second) != 0).collect();
            for (wait, interval, repeat) in [(0, Some(1), 5), (2, Some(3), 8), (3, Some(3), 3), (1, Some(4), 6)] {
                let messages = told(wait, interval, repeat, &incidents);
                // The first shows one and counts the others; those after it count all.
                let first = usize::from(!messages.is_empty()) as u64;
                let counted: u64 = messages.iter().map(|(_, more)| more).sum();
                assert_eq!(counted + first, incidents.len() as u64, "{incidents:?} {messages:?}");
                let apart = messages.windows(2).all(|pair| pair[1].0 - pair[0].0 >= interval.expect("given"));
                assert!(apart, "{incidents:?} {messages:?}");
            }
        }
    }

    #[test]
    fn what_is_back_is_told_at_once_and_what_may_not_be_told_yet_waits() {
        let timing = Timing { wait: SignedDuration::ZERO, interval: None, repeat: SignedDuration::from_hours(4) };
        let mut group = AlertGroup::untold("k", "r", "a");
        let one = One { change: 1, now: at(0), free_at: at(0), is_urgent: false, is_known: false };
        assert_eq!(timing.take(&mut group, One { free_at: at(60), ..one }), None);
        assert_eq!((group.due_at, group.more), (Some(at(60)), 1));
        Timing::told(&mut group, "d", at(60));
        assert_eq!(timing.take(&mut group, One { now: at(61), ..one }), None);
        assert_eq!(timing.take(&mut group, One { now: at(62), is_known: true, ..one }), None);
        assert_eq!(group.more, 1, "what is known counts once");
        let back = timing.take(&mut group, One { now: at(63), is_urgent: true, ..one });
        assert_eq!(back, Some(More { count: 2, since: Some(at(60)) }));
    }
}
