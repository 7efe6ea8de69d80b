//! Why a request is not run again, or not yet, in words for people.

use std::fmt;

use domain::{IncidentState, Outcome};
use jiff::SignedDuration;
use store::RetryState;

use crate::original_event::Lack;

/// A reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// The action is there to be looked at.
    NotEnabled,
    /// The request did not fail, or its caller gave up while it went on.
    DidNotFail(IncidentState, Outcome),
    /// Only a watchdog said so, and nothing has confirmed it since.
    Unconfirmed,
    /// It is the run of one of our own retries.
    IsARetry,
    /// The input is not there, or not all there.
    Event(Lack),
    /// Somebody else repeats it.
    PlatformRetries(&'static str),
    /// Somebody else may repeat it.
    PlatformMayRetry(&'static str),
    /// Somebody else has begun to repeat it.
    PlatformRetried,
    /// This attempt was retried before.
    AlreadyRetried(RetryState),
    /// The request was retried as often as it may be.
    RequestCap(u32),
    /// Nothing says when the first run is over.
    EndNotKnown,
    /// It may still run.
    MayStillRun,
    /// It happened too long ago to be repeated without being asked.
    TooOld(SignedDuration),
    /// It happened so long ago that nobody may know any more whether it was retried.
    Forgotten(SignedDuration),
    /// It is not this request that fails.
    Systemic(u32, SignedDuration),
    /// The latest retries of the problem did not help.
    RetriesFail(u32),
    /// The problem was retried as often as it may be.
    ProblemCap(u32),
    /// The action did as much as it may.
    HourCap(u32),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotEnabled => f.write_str("the action only looks: `enabled = true` lets it run requests again"),
            Self::DidNotFail(IncidentState::Survived, _) => f.write_str("the request finished after all"),
            Self::DidNotFail(_, Outcome::CallerLeft) => f.write_str("the caller gave up, but the function went on and may have finished"),
            Self::DidNotFail(_, outcome) => write!(f, "the request did not fail: {}", outcome.as_str()),
            Self::Unconfirmed => f.write_str("only a watchdog says that it overran"),
            Self::IsARetry => f.write_str("it is itself a retry, and a retry is not retried"),
            Self::Event(lack) => lack.fmt(f),
            Self::PlatformRetries(who) => write!(f, "{who}"),
            Self::PlatformMayRetry(who) => write!(f, "{who}; `platform_retries = \"none\"` in the action says that nobody does"),
            Self::PlatformRetried => f.write_str("its platform has begun another attempt by itself"),
            Self::AlreadyRetried(RetryState::Begun) => f.write_str("its retry is being sent"),
            Self::AlreadyRetried(RetryState::Unknown) => f.write_str("it was retried before, and nobody can tell whether that ran"),
            Self::AlreadyRetried(state) => write!(f, "it was retried before: {}", state.as_str()),
            Self::RequestCap(cap) => write!(f, "the request was retried {} already", times(*cap)),
            Self::EndNotKnown => {
                f.write_str("nothing says when its first run is surely over: `run_max` in the action says how long a run takes at most")
            }
            Self::MayStillRun => f.write_str("its first run may still run"),
            Self::TooOld(age) => write!(f, "it happened more than {age:#} ago; `overrun retry` runs older requests again"),
            Self::Forgotten(age) => {
                write!(f, "it happened more than {} days ago, and whether it was run again since may be forgotten", age.as_hours() / 24)
            }
            Self::Systemic(number, window) => {
                write!(f, "it is not this request alone: the problem had {number} incidents within {window:#}")
            }
            Self::RetriesFail(number) => write!(f, "the latest {number} retries of this problem did not help"),
            Self::ProblemCap(cap) => write!(f, "the problem was retried {} within a day", times(*cap)),
            Self::HourCap(cap) => write!(f, "the action ran {cap} requests again within an hour"),
        }
    }
}

fn times(number: u32) -> String {
    match number {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        n => format!("{n} times"),
    }
}
