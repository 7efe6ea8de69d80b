//! The errors of a stack: incidents that were confirmed or lost, once each and in order, for whoever wants to hear of all.
//!
//! They are written with the incident ([`incident_row::write`](crate::incident_row::write)). Numbers come from one row per stack that
//! stays locked until the commit, so they become visible in order and without gaps. Incidents of one stack are recomputed under a lock
//! anyway: nobody waits longer for it.
//!
//! Incidents are committed without waiting for the disk, so a number may be seen that a crash of Postgres takes back, and then gives to another
//! error. Whoever asks for what came after that number would never hear of it. So no number leaves here before it is on disk.

use domain::Incident;
use jiff::Timestamp;
use sqlx::Row;

use crate::columns::{self, indexed, time, without_nul};
use crate::{Store, StoreError};

/// One error of a stack.
#[derive(Clone, Debug, PartialEq)]
pub struct StackError {
    /// Counted from 1 per stack, without gaps.
    pub sequence: i64,
    /// When the stack came to know of it.
    pub at: Timestamp,
    /// The incident as it was then.
    pub incident: Incident,
}

impl Store {
    /// Errors of a stack after the one with that number, in order.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn errors_after(&self, stack: &str, after: i64, limit: u32) -> Result<Vec<StackError>, StoreError> {
        let rows = sqlx::query(
            "select errors.sequence, errors.at, incident_changes.incident::text as incident
             from errors
             join incident_changes on incident_changes.id = errors.change_id
             where errors.stack = $1 and errors.sequence > $2
             order by errors.sequence
             limit $3",
        )
        .bind(indexed(stack))
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        let read = |row: &sqlx::postgres::PgRow| {
            Ok(StackError {
                sequence: row.try_get("sequence")?,
                at: row.try_get::<jiff_sqlx::Timestamp, _>("at")?.to_jiff(),
                incident: columns::from_json("incident_changes", row.try_get("incident")?)?,
            })
        };
        if !rows.is_empty() {
            self.sync().await?;
        }
        rows.iter().map(read).collect()
    }

    /// The numbers of the oldest error of a stack that is still kept, and of the latest there was; `None` if there was none.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn error_span(&self, stack: &str) -> Result<Option<(i64, i64)>, StoreError> {
        let row = sqlx::query(
            "select coalesce((select min(sequence) from errors where stack = $1), last + 1) as first, last
             from error_sequences
             where stack = $1",
        )
        .bind(indexed(stack))
        .fetch_optional(&self.pool)
        .await?;
        if row.is_some() {
            self.sync().await?;
        }
        row.map(|row| Ok((row.try_get("first")?, row.try_get("last")?))).transpose()
    }

    /// The number of an incident among the errors of its stack.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn error_sequence(&self, incident_id: &str) -> Result<Option<i64>, StoreError> {
        let query = sqlx::query_scalar("select sequence from errors where incident_id = $1").bind(without_nul(incident_id));
        let sequence = query.fetch_optional(&self.pool).await?;
        if sequence.is_some() {
            self.sync().await?;
        }
        Ok(sequence)
    }

    /// Waits until all that was committed so far is on disk: with a commit that is waited for, of nothing but a note in the log.
    async fn sync(&self) -> sqlx::Result<()> {
        sqlx::query("select pg_logical_emit_message(true, 'overrun', '')").execute(&self.pool).await?;
        Ok(())
    }

    /// Forgets errors from before that moment; the incidents stay. Returns how many.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn drop_errors_before(&self, oldest: Timestamp) -> Result<u64, StoreError> {
        let done = sqlx::query("delete from errors where at < $1").bind(time(oldest)).execute(&self.pool).await?;
        Ok(done.rows_affected())
    }
}

#[cfg(test)]
mod tests {
    use sqlx::PgPool;

    use super::*;
    use crate::testing::{at, batch, connected, line, settle, timeout, write};

    async fn sequences(store: &Store, after: i64) -> Vec<i64> {
        store.errors_after("default", after, 100).await.unwrap().into_iter().map(|error| error.sequence).collect()
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn errors_are_numbered_once_each_and_without_gaps(pool: PgPool) {
        let store = Store::from_pool(pool);
        assert_eq!(store.error_span("default").await.unwrap(), None);
        for minute in 0..4 {
            store.append(&[batch(minute, [timeout(&format!("r{minute}"), minute)])]).await.unwrap();
            settle(&store, minute).await;
            // More is known of it: it is the same error.
            store.append(&[batch(minute + 10, [line(&format!("r{minute}"), minute, "late")])]).await.unwrap();
            settle(&store, minute + 10).await;
        }
        assert_eq!((sequences(&store, 0).await, sequences(&store, 2).await), (vec![1, 2, 3, 4], vec![3, 4]));
        assert_eq!(store.error_span("default").await.unwrap(), Some((1, 4)));
        let first = store.errors_after("default", 0, 1).await.unwrap().remove(0);
        assert_eq!(store.error_sequence(first.incident.id.as_str()).await.unwrap(), Some(1));
        assert_eq!((first.at, sequences(&store, 4).await), (at(0), vec![]));
        assert_eq!(store.drop_errors_before(at(2)).await.unwrap(), 2);
        assert_eq!((store.error_span("default").await.unwrap(), sequences(&store, 0).await), (Some((3, 4)), vec![3, 4]));
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn no_number_is_told_before_it_is_on_disk(pool: PgPool) {
        let store = connected(&pool, 2).await;
        store.append(&[batch(0, [timeout("r0", 0)])]).await.unwrap();
        settle(&store, 0).await;
        let id = store.errors_after("default", 0, 1).await.unwrap().remove(0).incident.id;
        for told in 0..3 {
            sqlx::raw_sql("begin; set local synchronous_commit = off; update error_sequences set last = last; commit")
                .execute(&pool)
                .await
                .unwrap();
            let committed: String = sqlx::query_scalar("select pg_current_wal_insert_lsn()::text").fetch_one(&pool).await.unwrap();
            match told {
                0 => assert_eq!(store.errors_after("default", 0, 1).await.unwrap().len(), 1),
                1 => assert!(store.error_span("default").await.unwrap().is_some()),
                _ => assert!(store.error_sequence(id.as_str()).await.unwrap().is_some()),
            }
            let on_disk: bool =
                sqlx::query_scalar("select pg_current_wal_flush_lsn() >= $1::pg_lsn").bind(committed).fetch_one(&pool).await.unwrap();
            assert!(on_disk);
        }
    }

    /// A number that is not committed holds up those after it, and none of them is seen before it.
    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn no_number_is_seen_before_those_below_it(pool: PgPool) {
        let store = Store::from_pool(pool.clone());
        store.append(&[batch(0, [timeout("r0", 0)])]).await.unwrap();
        settle(&store, 0).await;
        let error = store.errors_after("default", 0, 1).await.unwrap().remove(0);
        let other = |id: &str| Incident { id: domain::IncidentId::from(id.to_owned()), ..error.incident.clone() };
        let mut slow = pool.begin().await.unwrap();
        write(&mut slow, &other("slow"), 1).await;
        let fast = tokio::spawn({
            let (pool, incident) = (pool.clone(), other("fast"));
            async move {
                let mut fast = pool.begin().await.unwrap();
                write(&mut fast, &incident, 2).await;
                fast.commit().await.unwrap();
            }
        });
        let waits = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
        while sqlx::query_scalar::<_, i64>(waits).fetch_one(&pool).await.unwrap() == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(sequences(&store, 0).await, [1]);
        slow.commit().await.unwrap();
        fast.await.unwrap();
        assert_eq!(sequences(&store, 0).await, [1, 2, 3]);
    }
}
