//! The connection that a stage goes on with: that of its last turn.
//!
//! The pool hands out whichever connection has lain idle longest, so that each of them would come to every stage in turn, and a
//! connection that a stage uses for the first time has every statement to prepare and every table to read up on: 40 ms from an event to
//! its message where it is 8 otherwise. What stays with a stage is one of the pool's connections all the same, and counts as one.

use std::sync::{Mutex, MutexGuard};
use std::time::Instant;

use sqlx::pool::PoolConnection;
use sqlx::{Connection, PgPool, Postgres};
use tokio::time::timeout;

use crate::{ACQUIRE_TIMEOUT, IDLE_UNTESTED};

/// How evidence is stored. Whoever locks our tables, senders are soon told to come again, and no server process is left waiting for each of
/// them. Every table is asked by its keys, by plans that are kept, as in [`DERIVED`].
const EVIDENCE: &str = "set lock_timeout = '5s'; set enable_seqscan = off; set plan_cache_mode = force_generic_plan";

/// How that is written which follows from what is stored already: without waiting for the disk. Every table is asked by its keys: by an
/// index, however small the table was when that was planned (by its own estimates Postgres would read a table that was empty then from
/// end to end until it is analysed, a minute and millions of rows later), and by plans that are kept, since planning takes longer than
/// running them.
///
/// Postgres writes commits in their order, and takes with one that is waited for all before it. So if it dies, what is missing are
/// the last of these transactions, as if they had not been begun: the evidence is there, and that something is due because of it,
/// and it is done again with the same result. What was told meanwhile is told once more under the same identity, as after any
/// crash. What must not rest on what may go missing is behind a commit that is waited for: what happens at most once (a retry, a mail to a
/// person), what bears the number of a change ([`crate::Store::tell_groups`]), and what bears the number of an error (`errors`).
const DERIVED: &str = "set synchronous_commit = off; set enable_seqscan = off; set plan_cache_mode = force_generic_plan";

/// A pool that holds fewer has none to spare: a listener and three stages would keep half of them.
const POOL_MIN: u32 = 8;

/// One for each stage on the way from evidence to a message.
#[derive(Debug)]
pub(crate) struct Stages {
    pub(crate) append: Kept,
    pub(crate) recompute: Kept,
    pub(crate) route: Kept,
}

impl Default for Stages {
    fn default() -> Self {
        Self { append: Kept::set_up_by(EVIDENCE), recompute: Kept::set_up_by(DERIVED), route: Kept::set_up_by(DERIVED) }
    }
}

impl Stages {
    /// Gives all of them back to the pool. Once that is closed, none is kept any more.
    pub(crate) fn give_back(&self) {
        for stage in [&self.append, &self.recompute, &self.route] {
            stage.lock().take();
        }
    }
}

/// The connection of one stage, while no turn of it runs.
#[derive(Debug)]
pub(crate) struct Kept {
    idle: Mutex<Option<Idle>>,
    /// Sets a connection of the pool up for this stage, until it goes back there.
    settings: &'static str,
}

#[derive(Debug)]
struct Idle {
    connection: PoolConnection<Postgres>,
    since: Instant,
}

impl Kept {
    fn set_up_by(settings: &'static str) -> Self {
        Self { idle: Mutex::default(), settings }
    }

    /// The connection of the last turn if it lives, else one of the pool's.
    pub(crate) async fn take(&self, pool: &PgPool) -> sqlx::Result<PoolConnection<Postgres>> {
        let kept = self.lock().take();
        if let Some(Idle { mut connection, since }) = kept
            && (since.elapsed() <= IDLE_UNTESTED || lives(&mut connection).await)
        {
            return Ok(connection);
        }
        let mut connection = pool.acquire().await?;
        sqlx::raw_sql(self.settings).execute(&mut *connection).await?;
        Ok(connection)
    }

    /// Keeps a connection whose turn went well for the next one. What is not brought here goes back to the pool, which tries it first.
    pub(crate) fn keep(&self, pool: &PgPool, connection: PoolConnection<Postgres>) {
        let mut kept = self.lock();
        if pool.options().get_max_connections() >= POOL_MIN && !pool.is_closed() {
            *kept = Some(Idle { connection, since: Instant::now() });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Idle>> {
        self.idle.lock().expect("no holder of this lock panics")
    }
}

async fn lives(connection: &mut PoolConnection<Postgres>) -> bool {
    matches!(timeout(ACQUIRE_TIMEOUT, connection.ping()).await, Ok(Ok(())))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sqlx::postgres::PgPoolOptions;

    use super::*;
    use crate::Store;
    use crate::testing::{batch, connected, line};

    async fn pool_of(connections: u32, like: &PgPool) -> PgPool {
        PgPoolOptions::new().max_connections(connections).connect_with((*like.connect_options()).clone()).await.unwrap()
    }

    async fn process(connection: &mut PoolConnection<Postgres>) -> i32 {
        sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut **connection).await.unwrap()
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn a_stage_goes_on_with_the_connection_of_its_last_turn(pool: PgPool) {
        let (pool, stage) = (pool_of(POOL_MIN, &pool).await, Kept::set_up_by(DERIVED));
        let (mut first, mut other) = (stage.take(&pool).await.unwrap(), stage.take(&pool).await.unwrap());
        let (process_of_first, process_of_other) = (process(&mut first).await, process(&mut other).await);
        assert_ne!(process_of_first, process_of_other);
        stage.keep(&pool, other);
        // The pool would now give whichever came back to it first.
        drop(first);
        let mut again = stage.take(&pool).await.unwrap();
        assert_eq!(process(&mut again).await, process_of_other);
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn one_that_died_while_it_lay_idle_is_replaced(pool: PgPool) {
        let (pool, stage) = (pool_of(POOL_MIN, &pool).await, Kept::set_up_by(DERIVED));
        let mut connection = stage.take(&pool).await.unwrap();
        let died = process(&mut connection).await;
        stage.keep(&pool, connection);
        stage.lock().as_mut().unwrap().since -= 2 * IDLE_UNTESTED;
        sqlx::query("select pg_terminate_backend($1, 30000)").bind(died).execute(&pool).await.unwrap();
        let mut another = stage.take(&pool).await.unwrap();
        assert_ne!(process(&mut another).await, died);
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn a_small_pool_has_none_to_spare(pool: PgPool) {
        let (pool, stage) = (pool_of(POOL_MIN - 1, &pool).await, Kept::set_up_by(DERIVED));
        let connection = stage.take(&pool).await.unwrap();
        stage.keep(&pool, connection);
        assert!(stage.lock().is_none());
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn what_a_connection_was_set_up_for_ends_where_the_pool_gets_it_back(pool: PgPool) {
        let store = connected(&pool, 1).await;
        let setting = async |connection: &mut PoolConnection<Postgres>| -> String {
            sqlx::query_scalar("select current_setting('lock_timeout')").fetch_one(&mut **connection).await.unwrap()
        };
        let mut connection = store.kept.append.take(&store.pool).await.unwrap();
        assert_eq!(setting(&mut connection).await, "5s");
        let appending = process(&mut connection).await;
        drop(connection);
        let mut connection = store.pool.acquire().await.unwrap();
        assert_eq!(process(&mut connection).await, appending);
        assert_eq!(setting(&mut connection).await, "0");
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn what_is_kept_does_not_hold_up_the_end(pool: PgPool) {
        let store = Store::from_pool(pool_of(POOL_MIN, &pool).await);
        store.append(&[batch(0, [line("r1", 0, "one")])]).await.unwrap();
        assert!(store.kept.append.lock().is_some());
        timeout(Duration::from_secs(30), store.close()).await.unwrap();
    }
}
