//! What would become of a retry, told before it is asked for.

use crate::Incident;

/// Whether a request would be run again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryOutlook {
    /// At once.
    Runs,
    /// Later, if nothing speaks against it then.
    Waits,
    /// No.
    Refused,
}

impl RetryOutlook {
    /// The word used in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Runs => "runs",
            Self::Waits => "waits",
            Self::Refused => "refused",
        }
    }
}

/// One incident of those that somebody thinks of running again.
#[derive(Clone, Debug, PartialEq)]
pub struct RetryForecast {
    /// The incident.
    pub incident: Incident,
    /// Whether it would be run again.
    pub outlook: RetryOutlook,
    /// What would be done, or why not.
    pub says: String,
}
