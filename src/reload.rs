//! The rules file, read again on SIGHUP and when it changes. A bad file is said, and the rules in force stay.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How often the file's time of change is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The rules in force.
pub struct Rules {
    file: Option<PathBuf>,
    current: Arc<alerts::Rules>,
}

impl Rules {
    /// Reads the file; without one there are no rules, and nothing is sent.
    pub fn load(file: Option<&Path>) -> anyhow::Result<Self> {
        let current = file.map(alerts::Rules::load).transpose()?.unwrap_or_default();
        Ok(Self { file: file.map(Path::to_owned), current: Arc::new(current) })
    }

    /// Follows the file until `stop`.
    pub fn watch(self, stop: CancellationToken) -> anyhow::Result<watch::Receiver<Arc<alerts::Rules>>> {
        let (sender, receiver) = watch::channel(self.current);
        let Some(file) = self.file else { return Ok(receiver) };
        let mut hangup = signal(SignalKind::hangup()).context("no handler for SIGHUP")?;
        let mut seen = changed_at(&file);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    _ = hangup.recv() => {}
                    () = tokio::time::sleep(LOOK_EVERY) => {
                        if changed_at(&file) == seen {
                            continue;
                        }
                    }
                }
                seen = changed_at(&file);
                match alerts::Rules::load(&file) {
                    Ok(rules) => {
                        tracing::info!("the rules were read again");
                        sender.send_replace(Arc::new(rules));
                    }
                    Err(error) => tracing::error!(error = %error, "the rules file is bad; the rules in force stay"),
                }
            }
        });
        Ok(receiver)
    }
}

fn changed_at(file: &Path) -> Option<SystemTime> {
    std::fs::metadata(file).and_then(|metadata| metadata.modified()).ok()
}
