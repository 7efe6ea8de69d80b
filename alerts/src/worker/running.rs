//! The attempts that run now.

use std::collections::HashMap;
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};

/// The attempts that run now, and what they deliver.
#[derive(Default)]
pub(super) struct Running {
    tasks: JoinSet<()>,
    deliveries: HashMap<Id, String>,
}

impl Running {
    pub(super) fn begin(&mut self, delivery_id: String, attempt: impl Future<Output = ()> + Send + 'static) {
        let task = self.tasks.spawn(attempt);
        self.deliveries.insert(task.id(), delivery_id);
    }

    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.tasks.len()).unwrap_or(u32::MAX)
    }

    /// Waits until an attempt ends; for ever if none runs.
    pub(super) async fn one_ended(&mut self) {
        match self.tasks.join_next_with_id().await {
            Some(ended) => self.forget(ended),
            None => std::future::pending().await,
        }
    }

    /// Forgets all that have ended.
    pub(super) fn reap(&mut self) {
        while let Some(ended) = self.tasks.try_join_next_with_id() {
            self.forget(ended);
        }
    }

    fn forget(&mut self, ended: Result<(Id, ()), JoinError>) {
        let id = match ended {
            Ok((id, ())) => id,
            Err(error) => {
                tracing::error!(error = %error, "an attempt ended by a fault of ours; it is made again after its lease");
                error.id()
            }
        };
        self.deliveries.remove(&id);
    }

    /// Lets all of them end for a while, then ends the others; answers whose deliveries are to be put back.
    pub(super) async fn end(mut self, within: Duration) -> Vec<String> {
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(within, all).await.is_ok() {
            return Vec::new();
        }
        self.tasks.abort_all();
        let mut put_back = Vec::new();
        while let Some(ended) = self.tasks.join_next_with_id().await {
            put_back.extend(ended.err().and_then(|error| self.deliveries.remove(&error.id())));
        }
        put_back
    }
}
