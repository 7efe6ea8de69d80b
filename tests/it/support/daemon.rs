//! `overrun serve` as people run it: a process, on ports that the system picks.

use std::path::{Path, PathBuf};
use std::process::Command;

use reqwest::RequestBuilder;
use serde_json::Value;
use tempfile::TempDir;

use super::process::peak_memory_mib;
use super::{Answer, Database, Process, client, eventually, overrun, send};

/// A running daemon. Killed when dropped.
pub struct Daemon {
    process: Process,
    client: reqwest::Client,
    pub ingest: String,
    pub grpc: String,
    pub dashboard: String,
}

/// A daemon that is to be started.
pub struct Launch {
    command: Command,
}

impl Launch {
    /// On a database of the test's server.
    pub fn on(database: &Database) -> Self {
        Self::at(&database.url())
    }

    /// On the database at an address.
    pub fn at(url: &str) -> Self {
        Self::bare().with("DATABASE_URL", url)
    }

    /// With a private Postgres in a data directory.
    pub fn in_directory(dir: &Path) -> Self {
        let mut launch = Self::bare();
        launch.command.arg("--data-dir").arg(dir);
        launch
    }

    fn bare() -> Self {
        let launch = Self { command: overrun(&["serve"]) };
        let keys = ["OVERRUN__INGEST__HTTP", "OVERRUN__INGEST__GRPC", "OVERRUN__DASHBOARD__HTTP"];
        keys.into_iter().fold(launch, |launch, key| launch.with(key, "127.0.0.1:0"))
    }

    /// Sets an environment variable.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Names a rules file.
    pub fn rules(mut self, file: &Path) -> Self {
        self.command.arg("--rules").arg(file);
        self
    }

    /// Starts it and waits until it says where it can be reached.
    pub async fn start(self) -> Daemon {
        self.try_start().await.unwrap_or_else(|errors| panic!("the daemon ended instead of starting:\n{errors}"))
    }

    /// The same; what it says if it ends instead.
    pub async fn try_start(mut self) -> Result<Daemon, String> {
        let mut process = Process::spawn("overrun serve", &mut self.command);
        let [dashboard, ingest, grpc] = [address(&mut process).await?, address(&mut process).await?, address(&mut process).await?];
        Ok(Daemon { process, client: client(), ingest, grpc, dashboard })
    }

    /// Starts it where it is expected to refuse; returns what it says.
    pub async fn refused(mut self) -> String {
        let mut process = Process::spawn("overrun serve", &mut self.command);
        let status = process.finished().await;
        assert_eq!(status.code(), Some(2), "{}", process.errors());
        process.errors()
    }
}

async fn address(process: &mut Process) -> Result<String, String> {
    let line = process.line().await.ok_or_else(|| process.errors())?;
    let (_, address) = line.split_once("http://").unwrap_or_else(|| panic!("expected an address, found `{line}`"));
    Ok(format!("http://{address}"))
}

impl Daemon {
    /// Starts one on a database, with nothing else set.
    pub async fn start(database: &Database) -> Self {
        Launch::on(database).start().await
    }

    /// A request to the ingest listener.
    pub fn ingest(&self, path: &str) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.ingest))
    }

    /// Posts to the ingest listener.
    pub async fn post(&self, path: &str, content_type: &str, body: impl Into<reqwest::Body>) -> Answer {
        send(self.ingest(path).header("content-type", content_type).body(body)).await.expect("an answer")
    }

    /// Sends log lines, which are taken.
    pub async fn push(&self, format: &str, text: &str) -> Answer {
        self.post(&format!("/v1/push/{format}"), "text/plain", text.to_owned()).await.expect(202)
    }

    /// Sends a watchdog's event, which is taken.
    pub async fn watchdog(&self, event: &Value) -> Answer {
        self.post("/v1/watchdog", "application/json", event.to_string()).await.expect(202)
    }

    /// Reads a page.
    pub async fn page(&self, path: &str) -> Answer {
        send(self.client.get(format!("{}{path}", self.dashboard))).await.expect("an answer")
    }

    /// Asks the dashboard's listener with another method, as a program does.
    pub async fn ask(&self, method: &str, path: &str) -> Answer {
        let method = method.parse().expect("a method");
        send(self.client.request(method, format!("{}{path}", self.dashboard))).await.expect("an answer")
    }

    /// Asks the API.
    pub async fn api(&self, path: &str) -> Value {
        self.page(&format!("/api/overrun/v1{path}")).await.expect(200).json()
    }

    /// Everything known about a request; `None` while nothing is.
    pub async fn request(&self, id: &str) -> Option<Value> {
        let answer = self.page(&format!("/api/overrun/v1/requests/{id}")).await;
        (answer.status == 200).then(|| answer.json())
    }

    /// A request's only incident, once there is one that is as wanted.
    pub async fn incident(&self, request_id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let what = format!("the incident of request {request_id}");
        eventually(&what, async || {
            let request = self.request(request_id).await?;
            let incidents = request["incidents"].as_array().expect("a list");
            assert!(incidents.len() <= 1, "{incidents:#?}");
            incidents.iter().find(|incident| wanted(incident)).cloned()
        })
        .await
    }

    /// The first incident, newest first, that is as wanted, once there is one.
    pub async fn incident_where(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        eventually(what, async || {
            let list = self.api("/incidents").await;
            list["incidents"].as_array().expect("a list").iter().find(|incident| wanted(incident)).cloned()
        })
        .await
    }

    /// Everything it has logged.
    pub fn log(&self) -> String {
        self.process.errors()
    }

    pub fn peak_memory_mib(&self) -> u64 {
        peak_memory_mib(self.process.id())
    }

    /// Has it read its rules again, until it has logged so.
    pub async fn reload(&self, logged: &str) {
        let before = self.log().matches(logged).count();
        self.process.signal("HUP");
        eventually(logged, async || (self.log().matches(logged).count() > before).then_some(())).await;
    }

    /// The signal that a crash, an orchestrator out of patience or the kernel out of memory sends.
    pub fn kill(mut self) {
        self.process.kill();
    }

    /// Asks it to stop, without waiting.
    pub fn terminate(&self) {
        self.process.signal("TERM");
    }

    /// Waits for an orderly end.
    pub async fn stopped(mut self) {
        let status = self.process.finished().await;
        assert!(status.success(), "{status}");
    }

    /// Stops it in order.
    pub async fn stop(self) {
        self.terminate();
        self.stopped().await;
    }
}

/// A data directory. When it is dropped, a Postgres that still runs in it is ended: a daemon that was killed leaves one.
pub struct DataDir(TempDir);

impl DataDir {
    pub fn create() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    fn cluster(&self) -> PathBuf {
        self.path().join("postgres/data")
    }

    /// Where the Postgres in a data directory can be reached, if it runs: the fifth line of its own file names its socket.
    pub fn url_of(dir: &Path) -> Option<String> {
        let pid_file = std::fs::read_to_string(dir.join("postgres/data/postmaster.pid")).ok()?;
        let socket = pid_file.lines().nth(4)?.trim().to_owned();
        Some(format!("postgres://overrun@{}/overrun", socket.replace('/', "%2F")))
    }

    /// The process ID of the Postgres that runs in it.
    pub fn postgres(&self) -> Option<u32> {
        let pid: u32 = std::fs::read_to_string(self.cluster().join("postmaster.pid")).ok()?.lines().next()?.trim().parse().ok()?;
        Path::new("/proc").join(pid.to_string()).exists().then_some(pid)
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        if let Some(pid) = self.postgres() {
            // Its immediate shutdown; ends its children too.
            let _ = Command::new("sh").args(["-c", &format!("kill -QUIT {pid}")]).status();
            while Path::new("/proc").join(pid.to_string()).exists() {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
        }
    }
}
