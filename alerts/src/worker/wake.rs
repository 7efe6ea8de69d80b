//! Being woken when an incident changes.

use std::sync::Arc;
use std::time::Duration;

use store::Store;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// How long to wait before listening again after the connection was lost. The worker polls meanwhile.
const LISTEN_PAUSE: Duration = Duration::from_secs(1);

/// Something that may have happened, any number of times.
pub(super) struct Wake(Arc<Notify>);

impl Wake {
    /// Listens in a task of its own, so that waiting for something else loses no announcement.
    pub(super) fn listen(store: Store, stop: CancellationToken) -> Self {
        let woken = Arc::new(Notify::new());
        let wake = Arc::clone(&woken);
        tokio::spawn(async move {
            stop.run_until_cancelled(async {
                loop {
                    pass_on(&store, &wake).await;
                    tokio::time::sleep(LISTEN_PAUSE).await;
                }
            })
            .await;
        });
        Self(woken)
    }

    /// Waits for the next time.
    pub(super) async fn woken(&self) {
        self.0.notified().await;
    }
}

/// Passes announcements on until the connection is lost.
async fn pass_on(store: &Store, wake: &Notify) {
    let Ok(mut listener) = store.listen().await else { return };
    // What was announced before we listened is found by looking once.
    wake.notify_one();
    while listener.next().await.is_ok() {
        wake.notify_one();
    }
}
