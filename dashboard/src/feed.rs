//! Wakes those who wait for errors: one connection listens for all of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use store::Store;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;

/// Subscribers at once.
pub const SUBSCRIBERS_MAX: usize = 100;

/// How long to wait before listening again after the connection was lost.
const LISTEN_PAUSE: Duration = Duration::from_secs(1);

/// Where they wait. Cheap to clone.
#[derive(Clone)]
pub struct Feed {
    store: Store,
    news: watch::Sender<u64>,
    listens: Arc<AtomicBool>,
    room: Arc<Semaphore>,
    stop: CancellationToken,
}

/// What one of them waits for.
pub struct News {
    news: watch::Receiver<u64>,
    stop: CancellationToken,
}

impl Feed {
    /// A feed that ends with `stop`. Nothing listens before somebody waits.
    pub fn new(store: Store, stop: CancellationToken) -> Self {
        let room = Arc::new(Semaphore::new(SUBSCRIBERS_MAX));
        Self { store, news: watch::Sender::default(), listens: Arc::default(), room, stop }
    }

    /// Room for one more, if there is some.
    pub fn room(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.room).try_acquire_owned().ok()
    }

    /// What is announced from now on.
    pub fn news(&self) -> News {
        if !self.listens.swap(true, Ordering::Relaxed) {
            let feed = self.clone();
            tokio::spawn(async move { feed.stop.clone().run_until_cancelled(feed.listen()).await });
        }
        News { news: self.news.subscribe(), stop: self.stop.clone() }
    }

    async fn listen(&self) {
        loop {
            if let Ok(mut listener) = self.store.listen().await {
                self.tell();
                while listener.next().await.is_ok() {
                    self.tell();
                }
            }
            tokio::time::sleep(LISTEN_PAUSE).await;
        }
    }

    fn tell(&self) {
        self.news.send_modify(|count| *count = count.wrapping_add(1));
    }
}

impl News {
    /// Waits until something may be new, or for so long; `None` when the daemon stops.
    pub async fn wait(&mut self, most: Duration) -> Option<()> {
        tokio::select! {
            () = self.stop.cancelled() => None,
            _ = self.news.changed() => Some(()),
            () = tokio::time::sleep(most) => Some(()),
        }
    }
}
