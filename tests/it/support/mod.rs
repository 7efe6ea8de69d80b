//! What the stories share: a daemon, its database, the programs around it.

mod certificates;
mod daemon;
mod database;
mod http;
mod lambda;
mod peer;
mod process;
mod proxy;
mod receivers;
mod text;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep};

pub use certificates::Certificates;
pub use daemon::{Daemon, DataDir, Launch};
pub use database::Database;
pub use http::{Answer, client, post_chunked, send};
pub use lambda::Lambda;
pub use peer::Peer;
pub use process::{Finished, Process, overrun, peak_memory_mib, run};
pub use proxy::Proxy;
pub use receivers::Receivers;
pub use text::{fired, report, request_id};

/// How long anything may take that is going to happen. Never waited for when all is well.
pub const PATIENCE: Duration = Duration::from_secs(40);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Looks again and again until there is something to see.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain: {what}");
        sleep(LOOK_EVERY).await;
    }
}

/// A file of the checkout.
pub fn checkout(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A recorded input.
pub fn fixture(path: &str) -> String {
    let path = checkout("tests/fixtures").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("`{}`: {error}", path.display()))
}

/// A port on which nobody listens. Below those that the system gives away by itself, so that it stays free for who is to
/// listen later.
pub fn closed_port() -> u16 {
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 10_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Tests may be processes of their own, which then begin at different places.
    let start = u16::try_from(std::process::id() % u32::from(COUNT)).expect("below the count");
    loop {
        let port = FIRST + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
