//! SIGTERM under load: what was acknowledged is stored, what was not is refused, and the process ends in order.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::{Daemon, Database, eventually, report, request_id, send};

const SENDERS: u32 = 8;
/// Acknowledgements to wait for before the stop: enough that all senders are at it.
const WARM_UP: usize = 60;

/// Sends requests one after the other until the daemon takes no more; returns the IDs of those acknowledged.
async fn sender(daemon: &Daemon, number: u32, acknowledged: &AtomicUsize) -> Vec<String> {
    let mut taken = Vec::new();
    for count in 0.. {
        let id = request_id(0x8000_0000 + number * 0x10_0000 + count);
        let request = daemon.ingest("/v1/push/lambda_text").header("content-type", "text/plain").body(report(&id));
        match send(request).await {
            Ok(answer) if answer.status == 202 => {
                taken.push(id);
                acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            Ok(answer) => {
                assert_eq!((answer.status, answer.header("retry-after")), (503, "2"), "{}", answer.body);
                break;
            }
            // Nobody listens any more.
            Err(_) => break,
        }
    }
    taken
}

#[tokio::test]
async fn everything_acknowledged_is_stored_when_it_has_stopped() {
    let database = Database::create().await;
    let daemon = Daemon::start(&database).await;
    let acknowledged = AtomicUsize::new(0);
    let senders = futures_util::future::join_all((0..SENDERS).map(|number| sender(&daemon, number, &acknowledged)));
    let stop = async {
        eventually("load", async || (acknowledged.load(Ordering::Relaxed) > WARM_UP).then_some(())).await;
        daemon.terminate();
    };
    let (taken, ()) = tokio::join!(senders, stop);
    daemon.stopped().await;

    let pool = database.pool().await;
    let stored = "select distinct claim ->> 'request_id' from evidence where kind = 'invocation_report'";
    let stored: BTreeSet<String> = sqlx::query_scalar::<_, String>(stored).fetch_all(&pool).await.expect("rows").into_iter().collect();
    let taken: Vec<String> = taken.into_iter().flatten().collect();
    let lost: Vec<&String> = taken.iter().filter(|id| !stored.contains(*id)).collect();
    assert!(taken.len() > WARM_UP && lost.is_empty(), "lost {} of {}: {lost:?}", lost.len(), taken.len());
    // The stop waits for the fold as well; a later start has nothing to catch up with.
    let incidents: i64 = sqlx::query_scalar("select count(*) from incidents").fetch_one(&pool).await.expect("a count");
    assert_eq!(usize::try_from(incidents).expect("a count"), stored.len());
}

#[tokio::test]
async fn an_idle_daemon_stops_at_once_although_clients_hold_connections() {
    let database = Database::create().await;
    let daemon = Daemon::start(&database).await;
    // The client keeps its connections to both listeners open.
    daemon.push("lambda_text", &report(&request_id(81))).await;
    daemon.page("/").await.expect(200);
    let began = std::time::Instant::now();
    daemon.stop().await;
    let took = began.elapsed();
    assert!(took < std::time::Duration::from_secs(5), "{took:?}");
}
