//! Named times of the week: Alertmanager's `time_intervals`, in the zone of the people who are on duty.
//!
//! ```toml
//! [[time_interval]]
//! name = "office hours"
//! time_zone = "Europe/Berlin"
//! days = ["monday:friday"]
//! hours = ["09:00-17:30"]
//! ```

use std::collections::BTreeSet;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde::Deserialize;
use toml::Spanned;

use crate::nearest::nearest;
use crate::settings::Fault;

const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// Days looked ahead for the next beginning: a week, and one for a day that a change of the clocks shortens.
const DAYS_AHEAD: i32 = 8;

/// A `[[time_interval]]` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    pub name: Spanned<String>,
    time_zone: Option<Spanned<String>>,
    days: Option<Spanned<Vec<Spanned<String>>>>,
    hours: Option<Spanned<Vec<Spanned<String>>>>,
}

/// Times of the week.
#[derive(Clone, Debug)]
pub(super) struct TimeInterval {
    pub name: String,
    zone: TimeZone,
    /// Monday is 0.
    days: BTreeSet<i8>,
    hours: Vec<Hours>,
}

/// From a time of one day to a time of the same or the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hours {
    from: Time,
    /// `None`: the end of the day.
    to: Option<Time>,
}

impl TimeInterval {
    /// Checks the settings.
    pub(super) fn read(table: Table) -> Result<Self, Fault> {
        let zone = match &table.time_zone {
            None => TimeZone::UTC,
            Some(name) => TimeZone::get(name.get_ref()).map_err(|_| {
                Fault::of(name, format!("expected the name of a time zone such as `Europe/Berlin`, found `{}`", name.get_ref()))
            })?,
        };
        let days = match table.days {
            None => (0..7).collect(),
            Some(days) if days.get_ref().is_empty() => return Err(Fault::of(&days, "expected at least one day, found none")),
            Some(days) => days.into_inner().iter().map(read_days).collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect(),
        };
        let hours = match table.hours {
            None => vec![Hours { from: Time::midnight(), to: None }],
            Some(hours) if hours.get_ref().is_empty() => return Err(Fault::of(&hours, "expected at least one `09:00-17:00`, found none")),
            Some(hours) => hours.into_inner().iter().map(read_hours).collect::<Result<_, _>>()?,
        };
        Ok(Self { name: table.name.into_inner(), zone, days, hours })
    }

    /// Whether a moment is in it.
    pub(super) fn holds_at(&self, now: Timestamp) -> bool {
        let today = now.to_zoned(self.zone.clone()).date();
        let yesterday = today.yesterday().ok();
        yesterday.into_iter().chain([today]).flat_map(|date| self.on(date)).any(|(from, to)| from <= now && now < to)
    }

    /// When it begins next; now, if it holds now.
    pub(super) fn next(&self, now: Timestamp) -> Option<Timestamp> {
        if self.holds_at(now) {
            return Some(now);
        }
        let today = now.to_zoned(self.zone.clone()).date();
        let dates = (0..=DAYS_AHEAD).filter_map(|days| today.checked_add(days.days()).ok());
        dates.flat_map(|date| self.on(date)).map(|(from, _)| from).filter(|from| *from > now).min()
    }

    /// What of it begins on a day.
    fn on(&self, date: Date) -> Vec<(Timestamp, Timestamp)> {
        if !self.days.contains(&date.weekday().to_monday_zero_offset()) {
            return Vec::new();
        }
        // A time that the clocks skip is the one after the gap.
        let at = |date: Date, time: Time| self.zone.to_ambiguous_timestamp(date.to_datetime(time)).compatible().ok();
        let stretch = |hours: &Hours| {
            let to = match hours.to {
                Some(to) if to > hours.from => at(date, to),
                Some(to) => at(date.tomorrow().ok()?, to),
                None => at(date.tomorrow().ok()?, Time::midnight()),
            };
            Some((at(date, hours.from)?, to?))
        };
        self.hours.iter().filter_map(stretch).collect()
    }
}

/// `monday` or `monday:friday`, as numbers.
fn read_days(text: &Spanned<String>) -> Result<Vec<i8>, Fault> {
    let number = |name: &str| {
        let name = name.trim().to_ascii_lowercase();
        (0_i8..).zip(DAYS).find(|(_, day)| *day == name).map(|(number, _)| number).ok_or_else(|| {
            let hint = nearest(&name, DAYS).map(|day| format!(" (did you mean `{day}`?)")).unwrap_or_default();
            Fault::of(text, format!("expected a day such as `monday` or days such as `monday:friday`, found `{}`{hint}", text.get_ref()))
        })
    };
    let Some((from, to)) = text.get_ref().split_once(':') else { return Ok(vec![number(text.get_ref())?]) };
    let (from, to) = (number(from)?, number(to)?);
    // From Friday to Monday goes over the week's end.
    let length = (to - from).rem_euclid(7);
    Ok((0..=length).map(|offset| (from + offset) % 7).collect())
}

/// `09:00-17:30`, or `22:00-06:00` into the next day.
fn read_hours(text: &Spanned<String>) -> Result<Hours, Fault> {
    let fault = || Fault::of(text, format!("expected hours such as `09:00-17:30`, found `{}`", text.get_ref()));
    let time = |text: &str| Time::strptime("%H:%M", text.trim()).map_err(|_| fault());
    let (from, to) = text.get_ref().split_once('-').ok_or_else(fault)?;
    let to = if to.trim() == "24:00" { None } else { Some(time(to)?) };
    let from = time(from)?;
    if to == Some(from) { Err(fault()) } else { Ok(Hours { from, to }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::at;

    fn interval(zone: &str, days: &[&str], hours: &[&str]) -> Result<TimeInterval, String> {
        let spanned = |text: &str| Spanned::new(0..1, text.to_owned());
        let list = |texts: &[&str]| Some(Spanned::new(0..1, texts.iter().map(|text| spanned(text)).collect::<Vec<_>>()));
        let table = Table { name: spanned("n"), time_zone: Some(spanned(zone)), days: list(days), hours: list(hours) };
        TimeInterval::read(table).map_err(|fault| fault.message)
    }

    #[test]
    fn office_hours_are_those_of_the_office() {
        let office = interval("Europe/Berlin", &["monday:friday"], &["09:00-12:00", "13:00-17:30"]).expect("valid");
        for (now, expected, next) in [
            // A Friday in winter: one hour ahead of UTC.
            ("2026-11-27T08:00:00Z", true, "2026-11-27T08:00:00Z"),
            ("2026-11-27T07:59:59Z", false, "2026-11-27T08:00:00Z"),
            ("2026-11-27T11:30:00Z", false, "2026-11-27T12:00:00Z"),
            ("2026-11-27T16:30:00Z", false, "2026-11-30T08:00:00Z"),
            // In summer two.
            ("2026-07-03T07:00:00Z", true, "2026-07-03T07:00:00Z"),
            // The week's end on which the clocks change.
            ("2026-03-28T12:00:00Z", false, "2026-03-30T07:00:00Z"),
        ] {
            assert_eq!((office.holds_at(at(now)), office.next(at(now))), (expected, Some(at(next))), "{now}");
        }
    }

    #[test]
    fn a_night_goes_into_the_next_day_and_a_week_over_its_end() {
        let nights = interval("UTC", &["friday:sunday"], &["22:00-06:00"]).expect("valid");
        assert!(nights.holds_at(at("2026-11-27T23:00:00Z")) && nights.holds_at(at("2026-11-30T05:59:00Z")));
        assert!(!nights.holds_at(at("2026-11-30T06:00:00Z")) && !nights.holds_at(at("2026-11-27T05:00:00Z")));
        let around = interval("UTC", &["sunday:monday"], &["00:00-24:00"]).expect("valid");
        assert!(around.holds_at(at("2026-11-29T23:59:59Z")) && around.holds_at(at("2026-11-30T12:00:00Z")));
        assert_eq!(around.next(at("2026-12-01T00:00:00Z")), Some(at("2026-12-06T00:00:00Z")));
    }

    #[test]
    fn what_is_no_time_is_said() {
        insta::assert_snapshot!(interval("Berlin", &["monday"], &["09:00-10:00"]).unwrap_err(), @"expected the name of a time zone such as `Europe/Berlin`, found `Berlin`");
        insta::assert_snapshot!(interval("UTC", &["mondy"], &["09:00-10:00"]).unwrap_err(), @"expected a day such as `monday` or days such as `monday:friday`, found `mondy` (did you mean `monday`?)");
        insta::assert_snapshot!(interval("UTC", &["monday"], &["9-17"]).unwrap_err(), @"expected hours such as `09:00-17:30`, found `9-17`");
        insta::assert_snapshot!(interval("UTC", &[], &[]).unwrap_err(), @"expected at least one day, found none");
    }
}
