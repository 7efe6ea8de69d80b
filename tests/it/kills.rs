//! `kill -9` of the daemon and of Postgres, again and again, while incidents flow to a receiver that fails a third of the time.
//!
//! `OVERRUN_TEST_KILLS=100` kills a hundred times while 2,000 incidents flow; by default it is few of both, so that it takes
//! seconds. The schedule of attempts is not waited for: the test moves what is to come into the present.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};
use tokio::time::{Instant, sleep};

use crate::support::{Daemon, DataDir, Launch, client, closed_port, eventually, report, request_id};

/// Incidents per kill.
const INCIDENTS_PER_KILL: u32 = 20;

/// How long everything may take to arrive once nothing is killed any more.
const DRAIN_MAX: Duration = Duration::from_mins(8);

/// What came, and what was taken.
#[derive(Default)]
struct Hook {
    count: u32,
    /// Under which identities each request was told of.
    told: BTreeMap<String, BTreeSet<String>>,
    taken: BTreeSet<String>,
}

type Shared = Arc<Mutex<Hook>>;

/// Takes two of three.
async fn take(State(hook): State<Shared>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let event: Value = serde_json::from_slice(&body).expect("a CloudEvent");
    let request = event["data"]["request_id"].as_str().expect("a request ID").to_owned();
    let id = headers["webhook-id"].to_str().expect("text").to_owned();
    let mut hook = hook.lock().expect("no holder panics");
    hook.count += 1;
    hook.told.entry(request.clone()).or_default().insert(id);
    if hook.count.is_multiple_of(3) {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    hook.taken.insert(request);
    StatusCode::NO_CONTENT
}

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// What is started again and again.
struct Site {
    dir: DataDir,
    ingest: u16,
    rules: tempfile::NamedTempFile,
}

impl Site {
    async fn open() -> (Self, Shared) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let hook = Shared::default();
        let router = Router::new().fallback(take).with_state(Arc::clone(&hook));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let rules = tempfile::NamedTempFile::new().expect("a file");
        let text = format!(
            "[[rule]]\nname = 'all'\nactions = ['hook']\n[[action]]\nname = 'hook'\nkind = 'webhook'\nallow_private = true\n\
             url = 'http://127.0.0.1:{port}/'\nsecret = 'whsec_b3ZlcnJ1bi1zdG9yeS1zZWNyZXQtMzItYnl0ZXMhIQ=='\n"
        );
        std::fs::write(rules.path(), text).expect("written");
        (Self { dir: DataDir::create(), ingest: closed_port(), rules }, hook)
    }

    /// Starts it as whatever supervises it would: until it is up. While the last process of a killed Postgres is still there,
    /// another refuses to start.
    async fn start(&self) -> Daemon {
        eventually("the daemon is up", async || self.launch().try_start().await.ok()).await
    }

    fn launch(&self) -> Launch {
        Launch::in_directory(self.dir.path())
            .rules(self.rules.path())
            .with("OVERRUN__INGEST__HTTP", &format!("127.0.0.1:{}", self.ingest))
            .with("OVERRUN__ALERTS__ATTEMPT_TIMEOUT_MS", "1000")
            .with("OVERRUN__ALERTS__LEASE_MS", "1500")
            .with("OVERRUN__ALERTS__POLL_INTERVAL_MS", "50")
    }

    /// Sends each until it is acknowledged.
    fn send(&self, count: u32) -> tokio::task::JoinHandle<()> {
        let url = format!("http://127.0.0.1:{}/v1/push/lambda_text", self.ingest);
        tokio::spawn(async move {
            let client = client();
            for number in 0..count {
                loop {
                    let sent = client.post(&url).header("content-type", "text/plain").body(report(&request_id(number))).send().await;
                    if sent.is_ok_and(|answer| answer.status() == StatusCode::ACCEPTED) {
                        break;
                    }
                    sleep(Duration::from_millis(10)).await;
                }
                sleep(Duration::from_millis(15)).await;
            }
        })
    }

    /// Moves what is to come into the present, whenever the database is there.
    fn hurry(&self) -> tokio::task::JoinHandle<()> {
        let dir = self.dir.path().to_owned();
        tokio::spawn(async move {
            loop {
                sleep(Duration::from_millis(100)).await;
                let Some(url) = DataDir::url_of(&dir) else { continue };
                let Ok(options) = PgConnectOptions::from_str(&url) else { continue };
                let Ok(mut connection) = PgConnection::connect_with(&options).await else { continue };
                let hurry = "update deliveries set due_at = now() where state = 'pending' and due_at > now()";
                let _ = sqlx::query(hurry).execute(&mut connection).await;
                let _ = connection.close().await;
            }
        })
    }

    /// Ends Postgres as a power cut would; its children notice.
    async fn kill_postgres(&self) {
        let postmaster = self.dir.postgres().expect("a private Postgres");
        let _ = std::process::Command::new("sh").args(["-c", &format!("kill -KILL {postmaster}")]).status();
        eventually("Postgres has ended", async || has_ended(postmaster).then_some(())).await;
    }
}

/// Whether a process runs no more; nobody may have asked yet how it ended.
fn has_ended(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return true };
    // pid (name) state …; the name may hold anything.
    stat.rsplit_once(')').is_none_or(|(_, rest)| rest.trim().starts_with('Z'))
}

#[tokio::test]
async fn nothing_is_lost_or_told_under_two_identities_whatever_is_killed() {
    let kills: u32 = std::env::var("OVERRUN_TEST_KILLS").ok().map_or(6, |text| text.parse().expect("a number"));
    let count = kills * INCIDENTS_PER_KILL;
    let (site, hook) = Site::open().await;
    let mut daemon = site.start().await;
    let (sender, hurry, mut dice) = (site.send(count), site.hurry(), Dice(7));
    for _ in 0..kills {
        sleep(Duration::from_millis(30 + dice.below(400))).await;
        if dice.below(3) == 0 {
            site.kill_postgres().await;
            sleep(Duration::from_millis(dice.below(100))).await;
        }
        daemon.kill();
        daemon = site.start().await;
    }
    let deadline = Instant::now() + DRAIN_MAX;
    while hook.lock().expect("no holder panics").taken.len() < count as usize {
        assert!(Instant::now() < deadline, "{} of {count} arrived", hook.lock().expect("no holder panics").taken.len());
        sleep(Duration::from_millis(50)).await;
    }
    sender.await.expect("all was acknowledged");
    hurry.abort();
    daemon.stop().await;
    let hook = hook.lock().expect("no holder panics");
    let several: Vec<_> = hook.told.iter().filter(|(_, ids)| ids.len() != 1).collect();
    assert!(several.is_empty(), "told under more than one identity: {several:?}");
    println!("{kills} kills, {count} incidents, {} requests of which a third were answered 503", hook.count);
}
