//! The `[pipeline]` section of the configuration.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Bounds of what lies between receiving and storing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PipelineOptions {
    /// Requests that wait for their commit. Further ones are answered 503.
    pub queue_items_max: usize,
    /// Rows of evidence in one commit. The knee is at 100; above 2,000 a commit only takes longer.
    pub commit_rows_max: usize,
    /// How long the database may take for one commit, in ms; then it is taken to be away, and senders are told to come again.
    pub commit_ms_max: u64,
    /// Commits under way at once, each on a connection of its own. More than two gain nothing on two cores.
    pub committers: usize,
    /// Groups of evidence folded in one transaction.
    pub recompute_groups_max: u32,
    /// How long the database may take for one such transaction, in ms; then it is begun again.
    pub recompute_ms_max: u64,
    /// How often groups are looked for that became due by time or by another process, in ms.
    pub recompute_poll_ms: u64,
}

impl Default for PipelineOptions {
    fn default() -> Self {
        Self {
            queue_items_max: 1024,
            commit_rows_max: 2000,
            commit_ms_max: 10_000,
            committers: 2,
            recompute_groups_max: 32,
            recompute_ms_max: 60_000,
            recompute_poll_ms: 1000,
        }
    }
}

impl PipelineOptions {
    pub(super) fn commit_time_max(&self) -> Duration {
        Duration::from_millis(self.commit_ms_max)
    }

    pub(super) fn recompute_time_max(&self) -> Duration {
        Duration::from_millis(self.recompute_ms_max)
    }

    pub(super) fn recompute_poll(&self) -> Duration {
        Duration::from_millis(self.recompute_poll_ms.max(1))
    }
}
