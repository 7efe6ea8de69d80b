//! How far back the overview looks.

use jiff::{SignedDuration, Timestamp};

use crate::App;
use crate::chart::Window;
use crate::query::BadParameter;

/// The windows there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// One hour, minute by minute.
    Hour,
    /// A day, half hour by half hour.
    Day,
    /// A week, three hours by three hours.
    Week,
    /// Everything there is, without a chart: nobody knows how far back it goes.
    All,
}

/// A window to choose.
#[derive(Debug)]
pub struct WindowLink {
    /// `24 h`.
    pub text: &'static str,
    /// Its address.
    pub href: String,
    /// Whether it is shown now.
    pub current: bool,
}

impl Choice {
    const ALL: [Self; 4] = [Self::Hour, Self::Day, Self::Week, Self::All];

    /// The choice of `?window=`.
    ///
    /// # Errors
    ///
    /// When there is no such window.
    pub fn from_word(word: &str) -> Result<Self, BadParameter> {
        let known = || BadParameter::new("window", format!("one of {}", Self::ALL.map(Self::word).join(", ")), word);
        Self::ALL.into_iter().find(|choice| choice.word() == word).ok_or_else(known)
    }

    /// A day, unless all that is known lies further back.
    pub fn for_newest(newest: Option<Timestamp>, now: Timestamp) -> Self {
        let day = Self::Day.window(now);
        if newest.is_some_and(|at| at < day.from) { Self::All } else { Self::Day }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::Day => "24h",
            Self::Week => "7d",
            Self::All => "all",
        }
    }

    /// `in the last 24 hours`.
    pub fn words(self) -> &'static str {
        match self {
            Self::Hour => "in the last hour",
            Self::Day => "in the last 24 hours",
            Self::Week => "in the last 7 days",
            Self::All => "so far",
        }
    }

    /// Whether its beginning means anything.
    pub fn has_chart(self) -> bool {
        self != Self::All
    }

    /// Its beginning and end, for links; all of time needs none.
    pub fn span(self, window: Window) -> Option<(Timestamp, Timestamp)> {
        self.has_chart().then_some((window.from, window.to))
    }

    /// The window that ends with the bucket that `now` is in.
    pub fn window(self, now: Timestamp) -> Window {
        let (step_s, buckets) = match self {
            Self::Hour => (60, 60),
            Self::Day => (1800, 48),
            Self::Week => (10_800, 56),
            Self::All => return Window { from: Timestamp::UNIX_EPOCH, to: later(now, 86_400), buckets: 1 },
        };
        let to = later(now, step_s - now.as_second().rem_euclid(step_s));
        let to = Timestamp::from_second(to.as_second()).unwrap_or(to);
        Window { from: later(to, -step_s * i64::from(buckets)), to, buckets }
    }
}

fn later(at: Timestamp, seconds: i64) -> Timestamp {
    at.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(at)
}

/// Links to all windows.
pub fn links(app: &App, chosen: Choice) -> Vec<WindowLink> {
    let text = |choice| match choice {
        Choice::Hour => "1 hour",
        Choice::Day => "24 hours",
        Choice::Week => "7 days",
        Choice::All => "all",
    };
    let link = |choice: Choice| WindowLink {
        text: text(choice),
        href: app.links.path(&format!("/?window={}", choice.word())),
        current: choice == chosen,
    };
    Choice::ALL.into_iter().map(link).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn a_window_ends_with_the_bucket_of_now() {
        let window = Choice::Day.window(at("2026-11-22T12:10:11.5Z"));
        assert_eq!((window.from, window.to), (at("2026-11-21T12:30:00Z"), at("2026-11-22T12:30:00Z")));
    }

    #[test]
    fn old_traffic_widens_the_window() {
        let now = at("2026-11-22T12:10:00Z");
        assert_eq!(Choice::for_newest(Some(at("2017-11-20T22:23:32Z")), now), Choice::All);
        assert_eq!(Choice::for_newest(Some(at("2026-11-22T02:00:00Z")), now), Choice::Day);
        assert_eq!(Choice::for_newest(None, now), Choice::Day);
    }

    #[test]
    fn an_unknown_window_is_named() {
        let error = Choice::from_word("2h").expect_err("no such window");
        assert_eq!(error.to_string(), "`window`: expected one of 1h, 24h, 7d, all, found `2h`");
    }
}
