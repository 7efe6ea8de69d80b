//! What would become of a retry, told before it is asked for.

use crate::Incident;

/// One incident of those that somebody thinks of running again.
#[derive(Clone, Debug, PartialEq)]
pub struct RetryForecast {
    /// The incident.
    pub incident: Incident,
    /// Whether it would be run again now.
    pub runs: bool,
    /// What would be done, or why not.
    pub says: String,
}
