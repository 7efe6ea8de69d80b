//! The server process: made, started, found, stopped.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use super::binaries::Binaries;
use super::place::{Place, at};
use super::{ClusterError, NAME, connect_options};

/// The port in the socket's name; nothing listens on the network.
pub(super) const PORT: u16 = 5432;

/// Recovery after a crash replays up to `max_wal_size`.
const START_TIMEOUT: Duration = Duration::from_mins(5);
/// How long a server may take to end once it has said that it stopped.
const END_TIMEOUT: Duration = Duration::from_secs(5);
const STOP_TIMEOUT_SECONDS: u32 = 60;
const POLL: Duration = Duration::from_millis(20);

/// How long processes of a server that was killed may take to notice it and leave. Most do at once; one that computes does when
/// it is done.
pub(super) const LEAVING_TIMEOUT: Duration = Duration::from_mins(1);
const START_AGAIN: Duration = Duration::from_millis(250);

/// Bytes of a program's output that go into an error.
const SAID_BYTES_MAX: usize = 2000;

/// Given on the command line and not in the data directory, so that they follow the program's version.
const SETTINGS: [(&str, &str); 15] = [
    ("listen_addresses", ""),
    ("unix_socket_permissions", "0700"),
    ("max_connections", "50"),
    // A look-up by key takes a lock on every hourly partition and its index.
    ("max_locks_per_transaction", "512"),
    ("shared_buffers", "64MB"),
    ("max_wal_size", "1GB"),
    ("synchronous_commit", "on"),
    ("jit", "off"),
    ("log_checkpoints", "off"),
    // One file per weekday, each overwritten after a week.
    ("logging_collector", "on"),
    ("log_filename", "postgres-%a.log"),
    ("log_rotation_age", "1d"),
    ("log_rotation_size", "0"),
    ("log_truncate_on_rotation", "on"),
    ("timezone", "UTC"),
];

/// A server that runs.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) place: Place,
    binaries: Binaries,
    /// The process, unless it was taken over from another daemon.
    child: Option<Child>,
}

impl Server {
    /// Takes over the server that runs, or starts one. Processes of one that was killed may take `leaving` to leave.
    pub(super) async fn start(place: Place, binaries: Binaries, leaving: Duration) -> Result<Self, ClusterError> {
        place.open_socket_dir()?;
        let mut server = Self { place, binaries, child: None };
        if server.place.major().is_none() {
            server.init().await?;
        }
        let began = Instant::now();
        let mut starts = 0;
        loop {
            if !server.is_running().await? {
                if starts > 0 {
                    server.wait_for_leaving(starts, began.elapsed() > leaving).await?;
                }
                starts += 1;
                server.spawn()?;
            }
            match server.connect("postgres").await {
                Ok(connection) => {
                    server.create_database(connection).await?;
                    return Ok(server);
                }
                Err(source) if began.elapsed() > START_TIMEOUT => {
                    return Err(ClusterError::Silent { data: server.place.data(), source });
                }
                Err(_) => sleep(POLL).await,
            }
        }
    }

    /// After a start that failed: waits a little if that was because of processes of a server that was killed.
    async fn wait_for_leaving(&self, starts: u32, is_too_long: bool) -> Result<(), ClusterError> {
        let (data, said) = (self.place.data(), self.said());
        if !said.contains("still in use") {
            return Err(ClusterError::Program { program: "postgres", said });
        }
        if is_too_long {
            return Err(ClusterError::Leaving { data, said });
        }
        if starts == 1 {
            tracing::warn!(data = %data.display(), "the private Postgres was killed; waiting for its other processes to end");
        }
        sleep(START_AGAIN).await;
        Ok(())
    }

    /// Stops the server and waits until it has.
    pub(super) async fn stop(&mut self) -> Result<(), ClusterError> {
        let output = self.pg_ctl(&["stop", "-m", "fast", "-w", "-t", &STOP_TIMEOUT_SECONDS.to_string()]).output().await;
        let output = output.map_err(at(&self.binaries.program("pg_ctl")))?;
        // `pg_ctl` waits for the server's pid file to go, which the server removes shortly before it ends.
        let deadline = Instant::now() + END_TIMEOUT;
        while self.is_running().await? {
            if Instant::now() > deadline {
                return Err(ClusterError::Program { program: "pg_ctl stop", said: end_of(&output.stderr) });
            }
            sleep(POLL).await;
        }
        if let Some(mut child) = self.child.take() {
            // Its end was seen already; this only clears it away.
            child.wait().await.map_err(at(&self.place.data()))?;
        }
        if self.place.socket_dir != self.place.home {
            // Empty by now; if not, it is of no harm and used again.
            drop(fs::remove_dir(&self.place.socket_dir));
        }
        Ok(())
    }

    /// Asks the server to stop and does not wait.
    pub(super) fn ask_to_stop(&self) {
        // Nobody is left to be told if it fails; the server then stays and the next daemon takes it over.
        drop(self.pg_ctl(&["stop", "-m", "fast", "-W"]).stdout(Stdio::null()).stderr(Stdio::null()).as_std_mut().spawn());
    }

    /// Makes a new cluster, whole or not at all.
    async fn init(&self) -> Result<(), ClusterError> {
        let unfinished = self.place.home.join("data.unfinished");
        match fs::remove_dir_all(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(at(&unfinished)(error)),
            _ => {}
        }
        let program = self.binaries.program("initdb");
        let output = self
            .command(&program)
            .args(["--auth=trust", "--encoding=UTF8", "--no-locale", "--username", NAME, "--pgdata"])
            .arg(&unfinished)
            .output()
            .await
            .map_err(at(&program))?;
        if !output.status.success() {
            return Err(ClusterError::Program { program: "initdb", said: end_of(&output.stderr) });
        }
        fs::rename(&unfinished, self.place.data()).map_err(at(&self.place.data()))
    }

    fn spawn(&mut self) -> Result<(), ClusterError> {
        let path = self.place.home.join("start.log");
        let log = File::create(&path).and_then(|log| Ok((log.try_clone()?, log))).map_err(at(&path))?;
        let program = self.binaries.program("postgres");
        let mut command = self.command(&program);
        command.arg("-D").arg(self.place.data()).arg("-k").arg(&self.place.socket_dir);
        for (name, value) in SETTINGS {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        command.stdout(Stdio::from(log.0)).stderr(Stdio::from(log.1));
        // A group of its own: Ctrl-C in our terminal is for us; we stop the server after we have drained.
        self.child = Some(command.process_group(0).spawn().map_err(at(&program))?);
        Ok(())
    }

    /// Whether there is a server process for this data, ours or one that another daemon left.
    async fn is_running(&mut self) -> Result<bool, ClusterError> {
        if let Some(child) = &mut self.child {
            return Ok(child.try_wait().map_err(at(&self.place.data()))?.is_none());
        }
        let Some(pid) = postmaster_pid(&self.place.data()) else { return Ok(false) };
        if !may_be_postgres(pid) {
            // The number belongs to somebody else by now, and Postgres would refuse to start because of it.
            let path = self.place.data().join("postmaster.pid");
            fs::remove_file(&path).map_err(at(&path))?;
            return Ok(false);
        }
        let program = self.binaries.program("pg_ctl");
        let status = self.pg_ctl(&["status"]).stdout(Stdio::null()).stderr(Stdio::null()).status().await.map_err(at(&program))?;
        Ok(status.success())
    }

    async fn connect(&self, database: &str) -> sqlx::Result<PgConnection> {
        PgConnection::connect_with(&connect_options(&self.place.socket_dir, database)).await
    }

    async fn create_database(&self, mut connection: PgConnection) -> Result<(), ClusterError> {
        let silent = |source| ClusterError::Silent { data: self.place.data(), source };
        let exists: bool = sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
            .bind(NAME)
            .fetch_one(&mut connection)
            .await
            .map_err(silent)?;
        if !exists {
            // A constant.
            sqlx::query(AssertSqlSafe(format!("create database {NAME}"))).execute(&mut connection).await.map_err(silent)?;
        }
        connection.close().await.map_err(silent)
    }

    fn pg_ctl(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(&self.binaries.program("pg_ctl"));
        command.args(arguments).arg("-D").arg(self.place.data());
        command
    }

    /// A program of Postgres, run as the cluster's user, with nothing of our environment that could lead it astray.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir("/").env_clear().env("LC_ALL", "C").env("PATH", path_of(&self.binaries.directory)).stdin(Stdio::null());
        if let Some(owner) = self.place.run_as {
            // With this, the standard library also drops all supplementary groups.
            command.uid(owner.uid).gid(owner.gid);
        }
        command
    }

    /// What the server wrote before its log was open.
    fn said(&self) -> String {
        end_of(&fs::read(self.place.home.join("start.log")).unwrap_or_default())
    }
}

/// The process ID that a server left in its data directory.
pub(super) fn postmaster_pid(data: &Path) -> Option<u32> {
    fs::read_to_string(data.join("postmaster.pid")).ok()?.lines().next()?.trim().parse().ok()
}

/// Whether a process may be a Postgres: it is not if the system says that it is something else, or dead, or unknown.
fn may_be_postgres(pid: u32) -> bool {
    if !Path::new("/proc/self/status").exists() {
        return true;
    }
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.starts_with("Name:\tpostgres\n") && !status.contains("\nState:\tZ")
}

/// The system's programs, and those of the installation.
fn path_of(directory: &Path) -> impl AsRef<OsStr> {
    format!("{}:/usr/bin:/bin", directory.display())
}

/// The end of a program's output.
fn end_of(output: &[u8]) -> String {
    String::from_utf8_lossy(&output[output.len().saturating_sub(SAID_BYTES_MAX)..]).trim().to_owned()
}
