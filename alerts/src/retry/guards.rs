//! The guards that a retry action sets for itself, with bounds that it cannot leave.

use jiff::SignedDuration;
use serde::Deserialize;
use store::HISTORY_MAX;
use toml::Spanned;

use crate::settings::{self, Fault};

/// What a retry must not go beyond.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Guards {
    /// Whether anything is sent at all.
    pub enabled: bool,
    /// How long after its deadline a run is taken for over: clocks differ, and kills take their time.
    pub grace: SignedDuration,
    /// The longest that a run can take, if somebody says so.
    pub run_max: Option<SignedDuration>,
    /// Somebody says that nobody else repeats these requests.
    pub nobody_else: bool,
    /// Retries of one request.
    pub per_request_max: u32,
    /// Retries of one problem within a day.
    pub per_problem_max: u32,
    /// Retries by this action within an hour.
    pub per_hour_max: u32,
    /// Older requests are only run again when somebody asks.
    pub age_max: SignedDuration,
    /// So many incidents of one problem …
    pub systemic_incidents: u32,
    /// … within this time are no accident of one request.
    pub systemic_window: SignedDuration,
    /// So many retries of a problem that fail one after the other stop it for [`FAILED_PAUSE`].
    pub failed_max: u32,
}

/// How long a problem whose retries fail is left alone.
pub(super) const FAILED_PAUSE: SignedDuration = SignedDuration::from_hours(1);

/// Older requests are run again by nobody: whether they were before is forgotten some time later (`database.deliveries_days`).
pub(super) const REMEMBERED: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The longest time that any of them can be set to.
const SPAN_MAX: SignedDuration = SignedDuration::from_hours(7 * 24);

impl Default for Guards {
    fn default() -> Self {
        Self {
            enabled: false,
            grace: SignedDuration::from_secs(10),
            run_max: None,
            nobody_else: false,
            per_request_max: 1,
            per_problem_max: 10,
            per_hour_max: 60,
            age_max: SignedDuration::from_hours(1),
            systemic_incidents: 10,
            systemic_window: SignedDuration::from_mins(10),
            failed_max: 3,
        }
    }
}

/// Who else repeats requests, as a user says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PlatformRetries {
    /// It is told from the platform and the event.
    Auto,
    /// Nobody does.
    None,
}

/// The keys of `guards` in an `[[action]]` table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Keys {
    grace: Option<Spanned<String>>,
    run_max: Option<Spanned<String>>,
    platform_retries: Option<PlatformRetries>,
    per_request_max: Option<Spanned<u32>>,
    per_problem_max: Option<Spanned<u32>>,
    per_hour_max: Option<Spanned<u32>>,
    age_max: Option<Spanned<String>>,
    systemic_incidents: Option<Spanned<u32>>,
    systemic_window: Option<Spanned<String>>,
    failed_max: Option<Spanned<u32>>,
}

impl Keys {
    /// Checks them; what is not there has its default.
    pub(crate) fn read(self) -> Result<Guards, Fault> {
        let by_default = Guards::default();
        Ok(Guards {
            enabled: by_default.enabled,
            grace: span(self.grace)?.unwrap_or(by_default.grace),
            run_max: span(self.run_max)?,
            nobody_else: self.platform_retries == Some(PlatformRetries::None),
            per_request_max: number(self.per_request_max, 10, by_default.per_request_max)?,
            per_problem_max: number(self.per_problem_max, HISTORY_MAX, by_default.per_problem_max)?,
            per_hour_max: number(self.per_hour_max, HISTORY_MAX, by_default.per_hour_max)?,
            age_max: span(self.age_max)?.unwrap_or(by_default.age_max),
            systemic_incidents: number(self.systemic_incidents, HISTORY_MAX, by_default.systemic_incidents)?,
            systemic_window: span(self.systemic_window)?.unwrap_or(by_default.systemic_window),
            failed_max: number(self.failed_max, 100, by_default.failed_max)?,
        })
    }
}

fn span(text: Option<Spanned<String>>) -> Result<Option<SignedDuration>, Fault> {
    let Some(text) = text else { return Ok(None) };
    match settings::duration(&text)? {
        span if span.is_positive() && span <= SPAN_MAX => Ok(Some(span)),
        _ => Err(Fault::of(&text, format!("expected more than 0 s and at most {SPAN_MAX:#}, found \"{}\"", text.get_ref()))),
    }
}

fn number(found: Option<Spanned<u32>>, max: u32, by_default: u32) -> Result<u32, Fault> {
    match found {
        None => Ok(by_default),
        Some(found) if (1..=max).contains(found.get_ref()) => Ok(found.into_inner()),
        Some(found) => Err(Fault::of(&found, format!("expected 1 to {max}, found {}", found.get_ref()))),
    }
}
