//! Postgres: the only SQL of Overrun.
//!
//! ```text
//! receive → parse → Evidence → correlate → diagnose → Incident → store ─┬→ alert
//!                                                                       └→ show
//! ```
//!
//! Two parts write here and one reads; they meet in these tables and nowhere else. One file per noun:
//!
//! - [`evidence`](Store::append): the hot path, append only. A healthy request never becomes a row of its own.
//! - [`recompute`](Store::recompute): evidence of one group → incidents and their changes, in one transaction.
//! - `group`: which evidence belongs together; `watched`: which late evidence matters.
//! - `function_minutes`: how long requests take, counted as their evidence is stored.
//! - `problems`: incidents of one fingerprint, written with them.
//! - `incidents`, `requests`, `overview`, `sources`: what pages ask.
//! - `changes`, `routing`, `silences`, `deliveries`: what alerts do; `retries`: requests that were run again;
//!   `personal_mails`: who was written to about a request.
//! - `errors`: those of a stack in order, without gaps.
//! - `wakes`: the next stage, woken at once where it runs in the same process; `kept`: the connection that each stage goes on with.
//! - `partitions`: room ahead, retention behind; `retention`: what was told, forgotten in time.
//! - [`PrivateCluster`]: a Postgres of our own where there is none.
//!
//! To add a query: a method on [`Store`] in the file of its noun, lower-case SQL, and a `#[sqlx::test]` beside it. To add
//! a table: a new file in `migrations/`, with a comment on every column.

mod changes;
mod columns;
mod copy;
mod deliveries;
mod error;
mod errors;
mod evidence;
mod fates;
mod function_minutes;
mod group;
mod homes;
mod incident_row;
mod incidents;
mod kept;
mod known;
mod locks;
mod nesting;
mod overview;
mod partitions;
mod personal_mails;
mod private_cluster;
mod problems;
mod raw_copy;
mod recompute;
mod requests;
mod retention;
mod retries;
mod routing;
mod silences;
mod sources;
mod superseded;
#[cfg(test)]
mod testing;
mod wakes;
mod walk;
mod watched;

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection, PgPool};

pub use changes::{Change, ChangeKind, Listener, ProblemEvent};
pub use deliveries::{AttemptOutcome, AttemptRow, Delivery, DeliveryOrder, DeliveryState, Lease, ParkedFilter};
pub use error::{StoreError, in_time};
pub use errors::StackError;
pub use evidence::{Appended, Batch, Rejected};
pub use function_minutes::FunctionMinute;
pub use incidents::{IncidentFilter, StoredIncident};
pub use overview::{FunctionRow, LayerCount, ProblemRow};
pub use personal_mails::{Booking, PersonalMail};
pub use private_cluster::{ClusterError, PrivateCluster};
pub use problems::{Problem, ProblemFilter, ProblemState, ReleaseRow};
pub use raw_copy::RawRows;
pub use recompute::Round;
pub use requests::RequestRecord;
pub use retries::{ACTION_SPAN, HISTORY_MAX, NewRetry, PROBLEM_SPAN, Retry, RetryCase, RetryHistory, RetryScope, RetryState, RetryStep};
pub use retries::{ASKED_MAX, BY_HAND};
pub use routing::{
    AlertGroup, DeliveryContext, Inhibition, Known, MatchRow, Moments, NewDelivery, NewMatch, Plan, Routed, Router, Volume, Wanted,
    WantedRate, WantedWindow,
};
pub use silences::{NewSilence, SILENCES_MAX, Silence};
pub use sources::{RejectRow, SourceRow};

/// How long a connection that was used may take to say that it lives; else it is dropped and makes room for another.
const RETURN_TIMEOUT: Duration = Duration::from_secs(5);

/// The schema, embedded; for `#[sqlx::test(migrator = "store::MIGRATOR")]`.
pub static MIGRATOR: Migrator = sqlx::migrate!("../migrations");

/// How long a caller waits for a free connection before it is told to try later.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection may lie idle and be used again without being tried first.
const IDLE_UNTESTED: Duration = Duration::from_secs(1);

/// After so long without a statement Postgres ends a transaction: whoever began it was cut off without a word, and what it has locked
/// would hold up everybody else until the network notices. Between two statements of ours lies a fold at most.
const ABANDONED_AFTER: &str = "10s";

/// Everything Overrun keeps. Cheap to clone; clones share their connections.
#[derive(Clone, Debug)]
pub struct Store {
    pool: PgPool,
    partitions: Arc<partitions::Known>,
    wakes: Arc<wakes::Wakes>,
    kept: Arc<kept::Stages>,
}

/// Where the database is, and how much of it we take.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// `postgres://user:password@host:port/database`, also with a socket directory as `?host=/run/postgresql`.
    pub url: SecretString,
    /// Connections held at most; a listener takes one for itself.
    pub connections_max: u32,
}

impl Store {
    /// Connects.
    ///
    /// # Errors
    /// When the URL cannot be read or no connection comes about.
    pub async fn connect(options: &StoreOptions) -> Result<Self, StoreError> {
        // Our queries are short: compiling one, or starting processes for it, takes longer than running it.
        let settings = [("jit", "off"), ("max_parallel_workers_per_gather", "0"), ("idle_in_transaction_session_timeout", ABANDONED_AFTER)];
        let connection = PgConnectOptions::from_str(options.url.expose_secret())?.application_name("overrun").options(settings);
        // A pool tries until its time is up and then only says that; the first connection says what is wrong.
        PgConnection::connect_with(&connection).await?.close().await?;
        let pool = PgPoolOptions::new()
            .max_connections(options.connections_max)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            // A connection that was in use just now need not be asked whether it lives.
            .test_before_acquire(false)
            .before_acquire(|connection, met| {
                Box::pin(async move {
                    if met.idle_for > IDLE_UNTESTED {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            // What it was set up for ends here. Whether it lives the pool would ask as well, but wait for ever, and its room for connections is
            // used up by those who wait.
            .after_release(|connection, _| {
                Box::pin(async {
                    let reset = tokio::time::timeout(RETURN_TIMEOUT, sqlx::raw_sql("reset all").execute(connection)).await;
                    reset.unwrap_or(Err(sqlx::Error::PoolTimedOut)).map(|_| true)
                })
            })
            .connect_with(connection)
            .await?;
        Ok(Self::from_pool(pool))
    }

    /// A store over connections that exist already.
    #[must_use]
    pub fn from_pool(pool: PgPool) -> Self {
        Self { pool, partitions: Arc::default(), wakes: Arc::default(), kept: Arc::default() }
    }

    /// The connections.
    #[must_use]
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Gives all connections back and closes them; whoever still uses one is waited for.
    pub async fn close(&self) {
        let closed = self.pool.close();
        self.kept.give_back();
        closed.await;
    }

    /// Brings the schema up to date. Several processes may do so at once.
    ///
    /// # Errors
    /// When a migration fails, or the schema is newer than this program.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        Ok(MIGRATOR.run(&self.pool).await?)
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("select 1").execute(&self.pool).await?;
        Ok(())
    }
}
