//! What came in from whom, and what of it could not be read.

use jiff::Timestamp;
use sqlx::Row;

use crate::columns::{count, time};
use crate::{Store, StoreError};

/// What one source sent in one format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceRow {
    /// Who sent it.
    pub source: String,
    /// Its stack.
    pub stack: String,
    /// What it was sent as.
    pub format: String,
    /// The latest arrival, also before the window.
    pub last_at: Timestamp,
    /// Items kept as evidence within the window.
    pub evidence: u64,
    /// Well-formed items within the window that say nothing about a request.
    pub ignored: u64,
    /// Items within the window that could not be read.
    pub rejected: u64,
}

/// An item that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectRow {
    /// Who sent it.
    pub source: String,
    /// What it was read as.
    pub format: String,
    /// When it arrived.
    pub at: Timestamp,
    /// Its line in the body, from 1.
    pub line: u64,
    /// What was expected there, and what was found.
    pub reason: String,
    /// The item.
    pub text: String,
}

impl Store {
    /// What each source sent in `[from, to)`, to the minute. Sources that fell silent before are there too, with zeros.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn sources(&self, from: Timestamp, to: Timestamp) -> Result<Vec<SourceRow>, StoreError> {
        // Walks from source to source along the primary key: minutes are many, sources few.
        let rows = sqlx::query(
            "with recursive known as (
                 (select source, stack, format from source_minutes order by source, stack, format limit 1)
                 union all
                 select next.*
                 from known
                 cross join lateral (
                     select source, stack, format
                     from source_minutes as after
                     where (after.source, after.stack, after.format) > (known.source, known.stack, known.format)
                     order by source, stack, format
                     limit 1
                 ) as next
             )
             select known.source, known.stack, known.format, latest.last_at, counted.*
             from known
             cross join lateral (
                 select max(minutes.last_at) as last_at
                 from source_minutes as minutes
                 where (minutes.source, minutes.stack, minutes.format) = (known.source, known.stack, known.format)
                   and minute = (
                       select max(minute)
                       from source_minutes as all_minutes
                       where (all_minutes.source, all_minutes.stack, all_minutes.format) = (known.source, known.stack, known.format)
                   )
             ) as latest
             cross join lateral (
                 select
                     coalesce(sum(evidence), 0)::bigint as evidence,
                     coalesce(sum(ignored), 0)::bigint as ignored,
                     coalesce(sum(rejected), 0)::bigint as rejected
                 from source_minutes as minutes
                 where (minutes.source, minutes.stack, minutes.format) = (known.source, known.stack, known.format)
                   and minute >= date_trunc('minute', $1)
                   and minute < $2
             ) as counted
             order by source, stack, format",
        )
        .bind(time(from))
        .bind(time(to))
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(SourceRow {
                    source: row.try_get("source")?,
                    stack: row.try_get("stack")?,
                    format: row.try_get("format")?,
                    last_at: row.try_get::<jiff_sqlx::Timestamp, _>("last_at")?.to_jiff(),
                    evidence: count(row.try_get("evidence")?),
                    ignored: count(row.try_get("ignored")?),
                    rejected: count(row.try_get("rejected")?),
                })
            })
            .collect()
    }

    /// The latest items that could not be read, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn rejects(&self, limit: u32) -> Result<Vec<RejectRow>, StoreError> {
        let rows = sqlx::query("select source, format, at, line, reason, text from rejects order by id desc limit $1")
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?;
        rows.iter()
            .map(|row| {
                Ok(RejectRow {
                    source: row.try_get("source")?,
                    format: row.try_get("format")?,
                    at: row.try_get::<jiff_sqlx::Timestamp, _>("at")?.to_jiff(),
                    line: count(row.try_get("line")?),
                    reason: row.try_get("reason")?,
                    text: row.try_get("text")?,
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use sqlx::PgPool;

    use super::*;
    use crate::testing::{at, batch, line};

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn a_silent_source_is_shown_with_zeros(pool: PgPool) {
        let store = Store::from_pool(pool);
        assert_eq!(store.sources(at(0), at(60)).await.unwrap(), []);
        assert_eq!(store.rejects(10).await.unwrap(), []);
        store.append(&[batch(0, [line("r1", 0, "a")])]).await.unwrap();
        let mut talking = batch(90, [line("r1", 0, "b"), line("r2", 0, "c")]);
        talking.source = domain::SourceName::from("talking");
        talking.ignored = 3;
        store.append(&[talking]).await.unwrap();
        let said: Vec<_> = store.sources(at(60), at(120)).await.unwrap();
        let said: Vec<_> = said.iter().map(|row| (row.source.as_str(), row.last_at, row.evidence, row.ignored)).collect();
        assert_eq!(said, [("talking", at(90), 2, 3), ("tests", at(0), 0, 0)]);
    }
}
