//! What can go wrong with the database, sorted by what a caller does about it: try later, or tell a person.
//!
//! SQLSTATE classes: <https://www.postgresql.org/docs/current/errcodes-appendix.html>, read 2026-11-23.

use std::time::Duration;

use sqlx::error::DatabaseError;

/// A query that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database, or the way to it.
    #[error("the database did not do what was asked")]
    Database(#[from] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("the schema could not be brought up to date")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// No word came from the database in the time that there was for it: it hangs, or the way to it is cut.
    #[error("expected the database to answer within {} ms, found no answer", limit.as_millis())]
    Silent {
        /// The time there was.
        limit: Duration,
    },
    /// A stored document cannot be read by this version of the program.
    #[error("expected `{table}` to hold JSON of this version, found something else")]
    Unreadable {
        /// The table it stands in.
        table: &'static str,
        /// What the reader said.
        #[source]
        source: serde_json::Error,
    },
    /// A stored word is none of those this version knows.
    #[error("expected a known `{column}`, found `{found}`")]
    UnknownWord {
        /// The column it stands in.
        column: &'static str,
        /// The word.
        found: String,
    },
}

impl StoreError {
    /// Whether the same call may well succeed later: the connection was lost, the server starts or stops, is full, or
    /// had to break a tie between transactions.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        let cause = match self {
            Self::Database(cause) | Self::Migrate(sqlx::migrate::MigrateError::Execute(cause)) => cause,
            Self::Silent { .. } => return true,
            _ => return false,
        };
        match cause {
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
                true
            }
            sqlx::Error::Database(error) => is_passing(error.as_ref()),
            _ => false,
        }
    }
}

/// Waits for the database, but not for ever: a machine that vanishes closes no connection, and nobody is told.
///
/// # Errors
/// Those of `work`, and [`StoreError::Silent`] when the time is up. What became of `work` is not known then.
pub async fn in_time<T>(limit: Duration, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    tokio::time::timeout(limit, work).await.unwrap_or(Err(StoreError::Silent { limit }))
}

/// Whether the server's answer is about its present state and not about the query.
fn is_passing(error: &dyn DatabaseError) -> bool {
    let Some(code) = error.code() else { return false };
    // 08 connection, 28 login (passwords change), 53 resources, 57 stopping or cancelled, 58 its disk, 40 ties broken, 3D000
    // no such database and 55000 one that lets nobody in (both while it is restored), 55P03 lock not granted in time,
    // 25006 a standby that may be promoted.
    ["08", "28", "53", "57", "58", "40"].iter().any(|class| code.starts_with(class))
        || matches!(code.as_ref(), "3D000" | "55000" | "55P03" | "25006")
}

/// Whether a row found no partition: another process dropped what we remember as created.
pub(crate) fn is_missing_partition(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else { return false };
    error.code().as_deref() == Some("23514") && error.constraint().is_none()
}

#[cfg(test)]
mod tests {
    use sqlx::Connection;

    use super::*;

    #[test]
    fn a_lost_connection_is_tried_again_and_a_bad_query_is_not() {
        assert!(StoreError::from(sqlx::Error::PoolTimedOut).is_unavailable());
        assert!(StoreError::from(sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into())).is_unavailable());
        assert!(!StoreError::from(sqlx::Error::RowNotFound).is_unavailable());
    }

    #[sqlx::test(migrations = false)]
    async fn what_the_server_says_decides(pool: sqlx::PgPool) {
        let said = async |sql| StoreError::from(sqlx::query(sql).execute(&pool).await.unwrap_err());
        assert!(!said("select 1/0").await.is_unavailable());
        assert!(said("do $$ begin raise exception 'stopping' using errcode = '57P01'; end $$").await.is_unavailable());
        assert!(said("do $$ begin raise exception 'tie' using errcode = '40P01'; end $$").await.is_unavailable());
    }

    #[sqlx::test(migrations = false)]
    async fn a_database_that_lets_nobody_in_for_now_is_away(pool: sqlx::PgPool) {
        let options = (*pool.connect_options()).clone();
        let refused = async |options| StoreError::from(sqlx::PgConnection::connect_with(&options).await.unwrap_err());
        assert!(refused(options.clone().database("being_restored")).await.is_unavailable());
        let database: String = sqlx::query_scalar("select current_database()::text").fetch_one(&pool).await.unwrap();
        let mut admin = sqlx::PgConnection::connect_with(&options.clone().database("postgres")).await.unwrap();
        let close = format!("alter database \"{database}\" with allow_connections false");
        sqlx::query(sqlx::AssertSqlSafe(close)).execute(&mut admin).await.unwrap();
        assert!(refused(options).await.is_unavailable());
    }
}
