//! Waking the next stage at once where it runs in the same process. What other processes have to hear goes through the database: what
//! is due is found by looking there, what changed is announced by `notify`.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

use tokio::sync::{Notify, watch};

/// Who waits for what, in this process.
#[derive(Debug)]
pub(crate) struct Wakes {
    /// Groups became due.
    pub(crate) due: Notify,
    /// Incidents changed.
    pub(crate) changes: watch::Sender<()>,
    /// Stands in announcements of changes that are told here by [`Wakes::changes`]: nobody here has to hear of them twice.
    pub(crate) signature: String,
}

impl Default for Wakes {
    fn default() -> Self {
        // Keyed by random numbers, so another one in every process.
        let random = RandomState::new().build_hasher().finish();
        Self { due: Notify::new(), changes: watch::Sender::default(), signature: format!("{random:016x}") }
    }
}
