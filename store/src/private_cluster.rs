//! A Postgres of our own, for where there is none: started in the data directory, stopped with the daemon.

use std::path::Path;

/// A Postgres server of our own.
#[derive(Debug)]
pub struct PrivateCluster {
    url: String,
}

/// Why there is no Postgres of our own.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// Placeholder.
    #[error("not available")]
    Unavailable,
}

impl PrivateCluster {
    /// Starts it.
    ///
    /// # Errors
    /// When it cannot be started.
    #[expect(clippy::unused_async, reason = "starting waits")]
    pub async fn start(_data_dir: &Path) -> Result<Self, ClusterError> {
        Err(ClusterError::Unavailable)
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Stops it.
    ///
    /// # Errors
    /// When it does not stop.
    #[expect(clippy::unused_async, reason = "stopping waits")]
    pub async fn stop(self) -> Result<(), ClusterError> {
        Ok(())
    }
}
