//! Room ahead and retention behind: `evidence` and `links` in partitions of one hour of arrival.
//!
//! There is no default partition: it would take rows silently and then stand in the way of the right one.
//!
//! ```text
//! evidence_20261123_03  for values from ('2026-11-23T03:00:00Z') to ('2026-11-23T04:00:00Z')
//! ```

use std::collections::BTreeSet;
use std::sync::Mutex;

use jiff::{Timestamp, tz::TimeZone};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

use crate::{Store, StoreError, columns, group, locks};

const TABLES: [&str; 2] = ["evidence", "links"];
const HOUR_SECONDS: i64 = 3600;

/// Hours created ahead by [`Store::create_partitions`]: enough to outlast a restart of whoever calls it.
const HOURS_AHEAD: i64 = 3;

/// Whole hours since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Hour(i64);

impl Hour {
    /// The hour in which `at` lies, as far back as the database reaches.
    pub(crate) fn of(at: Timestamp) -> Self {
        Self(columns::storable(at).as_second().div_euclid(HOUR_SECONDS))
    }

    /// Its beginning.
    pub(crate) fn start(self) -> Timestamp {
        Timestamp::from_second(self.0 * HOUR_SECONDS)
            .expect("hours are made of storable timestamps, the earliest of which is not the earliest there is")
    }

    fn suffix(self) -> String {
        self.start().to_zoned(TimeZone::UTC).strftime("%Y%m%d_%H").to_string()
    }

    fn from_suffix(suffix: &str) -> Option<Self> {
        let civil = jiff::civil::DateTime::strptime("%Y%m%d_%H", suffix).ok()?;
        Some(Self::of(civil.to_zoned(TimeZone::UTC).ok()?.timestamp()))
    }
}

/// Hours for which partitions are known to exist.
#[derive(Debug, Default)]
pub(crate) struct Known(Mutex<BTreeSet<Hour>>);

impl Known {
    /// Those of `wanted` that are not known.
    fn missing(&self, wanted: &BTreeSet<Hour>) -> Vec<Hour> {
        let known = self.0.lock().expect("no holder of this lock panics");
        wanted.difference(&known).copied().collect()
    }

    fn add(&self, hours: &[Hour]) {
        self.0.lock().expect("no holder of this lock panics").extend(hours);
    }

    /// Forgets all: the next look asks the database.
    pub(crate) fn forget(&self) {
        self.0.lock().expect("no holder of this lock panics").clear();
    }
}

impl Store {
    /// Creates the partitions of `now` and of the hours to come, and tells the planner about the one in use.
    /// Call it every few minutes; [`Store::append`] creates what it misses, but then a sender waits for it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn create_partitions(&self, now: Timestamp) -> Result<(), StoreError> {
        let present = Hour::of(now);
        self.ensure_partitions(&(0..=HOURS_AHEAD).map(|ahead| Hour(present.0 + ahead)).collect()).await?;
        for table in TABLES {
            // The name is made of constants and digits.
            sqlx::query(AssertSqlSafe(format!("analyze {table}_{}", present.suffix()))).execute(&self.pool).await?;
        }
        Ok(())
    }

    /// Makes sure that rows of these hours find a place.
    pub(crate) async fn ensure_partitions(&self, hours: &BTreeSet<Hour>) -> Result<(), StoreError> {
        let missing = self.partitions.missing(hours);
        if missing.is_empty() {
            return Ok(());
        }
        let mut transaction = self.pool.begin().await?;
        locks::partitions(&mut transaction).await?;
        for hour in &missing {
            for table in TABLES {
                create(&mut transaction, table, *hour).await?;
            }
        }
        transaction.commit().await?;
        self.partitions.add(&missing);
        Ok(())
    }

    /// Forgets evidence, links, batches and counters received before `ts`, as far as whole partitions allow. Evidence of
    /// incidents is kept with its incident. Returns how many partitions were dropped.
    ///
    /// # Errors
    /// When the database does not answer; what was dropped until then stays dropped.
    pub async fn drop_partitions_before(&self, ts: Timestamp) -> Result<u64, StoreError> {
        let mut connection = self.pool.acquire().await?;
        let before = Hour::of(ts);
        let mut dropped = 0;
        for hour in existing(&mut connection).await?.into_iter().filter(|hour| *hour < before) {
            let mut transaction = connection.begin().await?;
            locks::retention(&mut transaction).await?;
            dropped += drop_hour(&mut transaction, hour).await?;
            transaction.commit().await?;
        }
        self.partitions.forget();
        forget_rows(&mut connection, before.start()).await?;
        Ok(dropped)
    }
}

/// Creates one partition. It is attached, not created in place, because that leaves readers and writers of the others alone.
async fn create(connection: &mut PgConnection, table: &str, hour: Hour) -> sqlx::Result<()> {
    let name = format!("{table}_{}", hour.suffix());
    let exists: bool = sqlx::query_scalar("select to_regclass($1) is not null").bind(&name).fetch_one(&mut *connection).await?;
    if exists {
        return Ok(());
    }
    let (from, to) = (hour.start(), Hour(hour.0 + 1).start());
    // Names and times are made of constants and digits.
    let statements = format!(
        "create table {name} (like {table} including defaults including comments);
         alter table {table} attach partition {name} for values from ('{from}') to ('{to}');"
    );
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(connection).await?;
    Ok(())
}

/// The hours for which there are partitions, earliest first.
async fn existing(connection: &mut PgConnection) -> sqlx::Result<BTreeSet<Hour>> {
    let rows = sqlx::query(
        "select child.relname::text as name
         from pg_inherits
         join pg_class as child on child.oid = inhrelid
         where inhparent in ('evidence'::regclass, 'links'::regclass)",
    )
    .fetch_all(connection)
    .await?;
    let mut hours = BTreeSet::new();
    for row in rows {
        let name: String = row.try_get("name")?;
        hours.extend(name.split_once('_').and_then(|(_, suffix)| Hour::from_suffix(suffix)));
    }
    Ok(hours)
}

/// Moves what belongs to incidents out of an hour's partitions and drops them. Returns how many there were.
///
/// Recomputation waits meanwhile, so no incident can come to need a row between the move and the drop.
async fn drop_hour(connection: &mut PgConnection, hour: Hour) -> sqlx::Result<u64> {
    let mut dropped = 0;
    for (table, kept) in [("evidence", group::KEPT_EVIDENCE), ("links", group::KEPT_LINKS)] {
        let name = format!("{table}_{}", hour.suffix());
        let exists: bool = sqlx::query_scalar("select to_regclass($1) is not null").bind(&name).fetch_one(&mut *connection).await?;
        if !exists {
            continue;
        }
        // Names are made of constants and digits.
        let keep = format!("insert into incident_{table} select part.* from {name} as part where {kept}");
        sqlx::query(AssertSqlSafe(keep)).persistent(false).execute(&mut *connection).await?;
        sqlx::query(AssertSqlSafe(format!("drop table {name}"))).persistent(false).execute(&mut *connection).await?;
        dropped += 1;
    }
    Ok(dropped)
}

/// Forgets the rows that go with dropped evidence.
async fn forget_rows(connection: &mut PgConnection, before: Timestamp) -> sqlx::Result<()> {
    for statement in [
        "delete from batches where received_at < $1",
        "delete from source_minutes where minute < $1",
        "delete from rejects where at < $1",
        "delete from watched
         where seen_at < $1
           and not exists (select from incidents where incidents.stack = watched.stack and incidents.root = watched.root)",
    ] {
        sqlx::query(statement).bind(columns::time(before)).execute(&mut *connection).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use domain::{Claim, Instance, Key, Kind, RequestId, StackName};
    use sqlx::PgPool;

    use super::*;
    use crate::testing::{at, batch, changes, line, number, settle, timeout};

    const PARTITIONS: &str = "select count(*) from pg_inherits where inhparent in ('evidence'::regclass, 'links'::regclass)";

    #[test]
    fn an_hour_has_a_name_and_back() {
        let hour = Hour::of(at(0));
        assert_eq!(hour.suffix(), "20261118_11");
        assert_eq!(Hour::from_suffix(&hour.suffix()), Some(hour));
        assert_eq!(Hour::from_suffix("default"), None);
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn room_is_made_ahead_and_when_missing(pool: PgPool) {
        let store = Store::from_pool(pool.clone());
        let other = Store::from_pool(pool.clone());
        let (one, two) = tokio::join!(store.create_partitions(at(0)), other.create_partitions(at(0)));
        one.unwrap();
        two.unwrap();
        assert_eq!(number(&pool, PARTITIONS).await, 2 * (HOURS_AHEAD + 1));
        store.append(&[batch(6000, [line("r1", 0, "much later")])]).await.unwrap();
        assert_eq!(number(&pool, PARTITIONS).await, 2 * (HOURS_AHEAD + 2));
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn a_partition_that_another_process_dropped_is_created_again(pool: PgPool) {
        let store = Store::from_pool(pool.clone());
        store.append(&[batch(0, [line("r1", 0, "one")])]).await.unwrap();
        assert_eq!(Store::from_pool(pool.clone()).drop_partitions_before(at(600)).await.unwrap(), 2);
        let two = batch(0, [line("r1", 0, "two")]);
        assert_eq!(store.append(&[two]).await.unwrap().evidence, 1);
        assert_eq!(number(&pool, "select count(*) from evidence").await, 1);
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn evidence_of_incidents_outlives_its_partition(pool: PgPool) {
        let store = Store::from_pool(pool.clone());
        let on_host = |claim| Claim { instance: Some(Instance::from("host")), ..claim };
        let of_host = |kind, minute| on_host(Claim { request_id: None, kind, ..line("", minute, "of the host") });
        let claims = [
            on_host(line("r1", 0, "start")),
            timeout("r1", 1),
            line("healthy", 1, "nobody asks for it"),
            on_host(line("beside", 1, "nobody asks for it")),
            of_host(Kind::AppLog, 1),
            of_host(Kind::AppLog, 50),
            of_host(Kind::InitReport, 50),
        ];
        store.append(&[batch(0, claims)]).await.unwrap();
        settle(&store, 1).await;
        let root = Key::Request(RequestId::from("r1"));
        let before = store.load_group(&StackName::default(), &root).await.unwrap();
        assert_eq!(before.len(), 4);
        store.append(&[batch(600, [line("r9", 600, "stays")])]).await.unwrap();

        assert_eq!(store.drop_partitions_before(at(600)).await.unwrap(), 2);
        assert_eq!(store.load_group(&StackName::default(), &root).await.unwrap(), before);
        assert_eq!(number(&pool, "select count(*) from incident_evidence").await, 4);
        assert_eq!(number(&pool, "select count(*) from evidence").await, 1);
        assert_eq!(number(&pool, "select count(*) from batches").await, 1);

        // The incident is still watched, and still the same from what was kept.
        changes(&store).await;
        store.append(&[batch(600, [line("r1", 1, "very late")])]).await.unwrap();
        assert_eq!(settle(&store, 600).await, 1);
        assert_eq!(changes(&store).await, ["updated request/r1: 5 claims"]);
        assert_eq!(store.drop_partitions_before(at(600)).await.unwrap(), 0);
    }
}
