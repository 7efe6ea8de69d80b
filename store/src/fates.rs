//! Every item's fate, counted: per source, format and minute, merged once per append; and the latest rejects as such.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::PgConnection;

use crate::columns::{Query, bigint, cut, indexed, time, times};
use crate::evidence::Batch;

/// Rejected items kept per source, latest first.
pub(crate) const REJECTS_PER_SOURCE_MAX: usize = 50;
/// Bytes kept of one rejected item.
const REJECT_TEXT_BYTES_MAX: usize = 2048;

#[derive(Default)]
struct Counts {
    batches: i64,
    evidence: i64,
    ignored: i64,
    rejected: i64,
    body_bytes: i64,
    last_at: Timestamp,
}

/// The part `counted` of a statement that adds [`Fates`] to the counters of their sources. Each database process has rows of its own,
/// so that two writers never wait for each other's commit. `$condition`: ` where …`, on which it writes.
macro_rules! write_sql {
    ($condition:expr) => {
        concat!("counted as (
             insert into source_minutes (
                 source, stack, format, minute, writer, batches, evidence, ignored, rejected, body_bytes, last_at
             )
             select
                 source, stack, format, to_timestamp(minute), pg_backend_pid(), batches, evidence, ignored, rejected, body_bytes, last_at
             from unnest(
                 $12::text[], $13::text[], $14::text[], $15::bigint[], $16::bigint[], $17::bigint[], $18::bigint[], $19::bigint[],
                 $20::bigint[], $21::timestamptz[]
             ) as added (source, stack, format, minute, batches, evidence, ignored, rejected, body_bytes, last_at)",
             $condition,
             "
             on conflict (source, stack, format, minute, writer) do update set
                 batches = source_minutes.batches + excluded.batches,
                 evidence = source_minutes.evidence + excluded.evidence,
                 ignored = source_minutes.ignored + excluded.ignored,
                 rejected = source_minutes.rejected + excluded.rejected,
                 body_bytes = source_minutes.body_bytes + excluded.body_bytes,
                 last_at = greatest(source_minutes.last_at, excluded.last_at)
         )")
    };
}
pub(crate) use write_sql;

/// What batches held.
pub(crate) struct Fates<'a>(BTreeMap<Id<'a>, Counts>);

/// Source, stack, format, minute.
type Id<'a> = (Cow<'a, str>, Cow<'a, str>, Cow<'a, str>, i64);

impl<'a> Fates<'a> {
    pub(crate) fn of(batches: &[&'a Batch]) -> Self {
        let mut by_minute: BTreeMap<_, Counts> = BTreeMap::new();
        for batch in batches {
            let minute = batch.received_at.as_second().div_euclid(60) * 60;
            let counts = by_minute
                .entry((indexed(batch.source.as_str()), indexed(batch.stack.as_str()), indexed(&batch.format), minute))
                .or_default();
            counts.batches += 1;
            counts.evidence += bigint(batch.evidence.len() as u64);
            counts.ignored += bigint(batch.ignored);
            counts.rejected += bigint(batch.rejected.len() as u64);
            counts.body_bytes += bigint(batch.bytes);
            counts.last_at = counts.last_at.max(batch.received_at);
        }
        Self(by_minute)
    }

    /// Binds `$12` to `$21` of [`write_sql`].
    pub(crate) fn bind<'q>(&'q self, query: Query<'q>) -> Query<'q> {
        let column = |pick: fn(&Counts) -> i64| self.0.values().map(pick).collect::<Vec<_>>();
        query
            .bind(self.0.keys().map(|key| key.0.as_ref()).collect::<Vec<_>>())
            .bind(self.0.keys().map(|key| key.1.as_ref()).collect::<Vec<_>>())
            .bind(self.0.keys().map(|key| key.2.as_ref()).collect::<Vec<_>>())
            .bind(self.0.keys().map(|key| key.3).collect::<Vec<_>>())
            .bind(column(|counts| counts.batches))
            .bind(column(|counts| counts.evidence))
            .bind(column(|counts| counts.ignored))
            .bind(column(|counts| counts.rejected))
            .bind(column(|counts| counts.body_bytes))
            .bind(times(self.0.values().map(|counts| counts.last_at)))
    }
}

/// Keeps the latest rejects of each source.
pub(crate) async fn keep_rejects(connection: &mut PgConnection, batches: &[&Batch]) -> sqlx::Result<()> {
    for batch in batches.iter().filter(|batch| !batch.rejected.is_empty()) {
        let latest = &batch.rejected[batch.rejected.len().saturating_sub(REJECTS_PER_SOURCE_MAX)..];
        let (source, stack) = (indexed(batch.source.as_str()), indexed(batch.stack.as_str()));
        sqlx::query(
            "insert into rejects (source, stack, format, at, line, reason, text)
             select $1, $2, $3, $4, line, reason, text
             from unnest($5::bigint[], $6::text[], $7::text[]) as given (line, reason, text)",
        )
        .bind(&source)
        .bind(&stack)
        .bind(indexed(&batch.format))
        .bind(time(batch.received_at))
        .bind(latest.iter().map(|reject| bigint(reject.line)).collect::<Vec<_>>())
        .bind(latest.iter().map(|reject| cut(&reject.reason, REJECT_TEXT_BYTES_MAX).into_owned()).collect::<Vec<_>>())
        .bind(latest.iter().map(|reject| cut(&reject.text, REJECT_TEXT_BYTES_MAX).into_owned()).collect::<Vec<_>>())
        .execute(&mut *connection)
        .await?;
        // Rows that another writer is deleting are left to it.
        sqlx::query(
            "delete from rejects
             where id in (
                 select id from rejects where source = $1 and stack = $2 order by id desc offset $3 for update skip locked
             )",
        )
        .bind(&source)
        .bind(&stack)
        .bind(bigint(REJECTS_PER_SOURCE_MAX as u64))
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}
