//! Room ahead and retention behind: `evidence` and `links` in partitions by hour of arrival.
//!
//! Every partition costs each look-up by key a few microseconds, and a full one slows writing down. So a partition holds six
//! hours, but where much comes in, one. There is no default partition: it would take rows silently and then stand in the way
//! of the right one.
//!
//! ```text
//! evidence_20261123_06_6h  for values from ('2026-11-23T06:00:00Z') to ('2026-11-23T12:00:00Z')
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use jiff::{Timestamp, tz::TimeZone};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::{Store, StoreError, columns, group, locks};

const TABLES: [&str; 2] = ["evidence", "links"];
const HOUR_SECONDS: i64 = 3600;

/// Hours created ahead by [`Store::create_partitions`]: enough to outlast a restart of whoever calls it.
const HOURS_AHEAD: i64 = 3;

/// Hours in one partition, where little comes in; they begin at 0, 6, 12 and 18 o'clock UTC.
const HOURS_TOGETHER: i64 = 6;

/// Evidence per hour from which each hour gets a partition of its own. Hash indexes are at 72 % of the rate of an empty table
/// once they hold 13 million rows.
const BUSY_ROWS_PER_HOUR: i64 = 2_000_000;

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
}

/// The hours of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Stretch {
    from: Hour,
    /// The first hour that is no longer part of it.
    to: Hour,
}

impl Stretch {
    fn name(self, table: &str) -> String {
        format!("{table}_{}_{}h", self.from.start().to_zoned(TimeZone::UTC).strftime("%Y%m%d_%H"), self.to.0 - self.from.0)
    }

    /// Reads the name of a partition of `evidence`.
    fn from_name(name: &str) -> Option<Self> {
        let (start, hours) = name.strip_prefix("evidence_")?.strip_suffix('h')?.rsplit_once('_')?;
        let civil = jiff::civil::DateTime::strptime("%Y%m%d_%H", start).ok()?;
        let from = Hour::of(civil.to_zoned(TimeZone::UTC).ok()?.timestamp());
        Some(Self { from, to: Hour(from.0 + hours.parse::<i64>().ok()?) })
    }
}

/// Partitions that are known to exist, by their first hour.
#[derive(Clone, Debug, Default)]
struct Stretches(BTreeMap<Hour, Hour>);

impl Stretches {
    fn add(&mut self, stretch: Stretch) {
        self.0.insert(stretch.from, stretch.to);
    }

    /// The one that holds an hour.
    fn holding(&self, hour: Hour) -> Option<Stretch> {
        let (from, to) = self.0.range(..=hour).next_back()?;
        (*to > hour).then_some(Stretch { from: *from, to: *to })
    }

    /// The one to create for an hour that none holds: it fills its part of the day, as far as others leave room.
    fn fitting(&self, hour: Hour, is_busy: bool) -> Stretch {
        if is_busy {
            return Stretch { from: hour, to: Hour(hour.0 + 1) };
        }
        let from = Hour(hour.0.div_euclid(HOURS_TOGETHER) * HOURS_TOGETHER);
        let before = self.0.range(..=hour).next_back().map_or(from, |(_, to)| *to);
        let after = self.0.range(hour..).next().map(|(from, _)| *from);
        let to = Hour(from.0 + HOURS_TOGETHER);
        Stretch { from: from.max(before), to: after.map_or(to, |after| to.min(after)) }
    }
}

/// What this process knows of the partitions.
#[derive(Debug, Default)]
pub(crate) struct Known(Mutex<Stretches>);

impl Known {
    /// Those of `wanted` that are in no known partition.
    fn missing(&self, wanted: &BTreeSet<Hour>) -> Vec<Hour> {
        let known = self.0.lock().expect("no holder of this lock panics");
        wanted.iter().copied().filter(|hour| known.holding(*hour).is_none()).collect()
    }

    fn replace(&self, stretches: Stretches) {
        *self.0.lock().expect("no holder of this lock panics") = stretches;
    }

    /// Forgets all: the next look asks the database.
    pub(crate) fn forget(&self) {
        self.replace(Stretches::default());
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
        self.ensure_partitions(&(0..=HOURS_AHEAD).map(|ahead| Hour(present.0 + ahead)).collect(), now).await?;
        let mut connection = self.pool.acquire().await?;
        if let Some(stretch) = existing(&mut connection).await?.holding(present) {
            for table in TABLES {
                // The name is made of constants and digits.
                let analyze = format!("analyze {}", stretch.name(table));
                sqlx::query(AssertSqlSafe(analyze)).persistent(false).execute(&mut *connection).await?;
            }
        }
        Ok(())
    }

    /// Makes sure that rows of these hours find a place. How much came in in the hour before `as_of` says how large it is.
    pub(crate) async fn ensure_partitions(&self, hours: &BTreeSet<Hour>, as_of: Timestamp) -> Result<(), StoreError> {
        let missing = self.partitions.missing(hours);
        if missing.is_empty() {
            return Ok(());
        }
        let mut transaction = self.pool.begin().await?;
        locks::partitions(&mut transaction).await?;
        let mut stretches = existing(&mut transaction).await?;
        let is_busy = is_busy(&mut transaction, as_of).await?;
        for hour in missing {
            if stretches.holding(hour).is_none() {
                let stretch = stretches.fitting(hour, is_busy);
                for table in TABLES {
                    create(&mut transaction, table, stretch).await?;
                }
                stretches.add(stretch);
            }
        }
        transaction.commit().await?;
        self.partitions.replace(stretches);
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
        let all = existing(&mut connection).await?;
        for (from, to) in all.0.into_iter().filter(|(_, to)| *to <= before) {
            let mut transaction = connection.begin().await?;
            locks::retention(&mut transaction).await?;
            dropped += drop_stretch(&mut transaction, Stretch { from, to }).await?;
            transaction.commit().await?;
        }
        self.partitions.forget();
        // What is left begins somewhere; all that is older went with its evidence.
        let kept = existing(&mut connection).await?.0.first_key_value().map_or(before, |(from, _)| before.min(*from));
        forget_rows(&mut connection, kept.start()).await?;
        Ok(dropped)
    }
}

/// Creates one partition. It is attached, not created in place, because that leaves readers and writers of the others alone.
async fn create(connection: &mut PgConnection, table: &str, stretch: Stretch) -> sqlx::Result<()> {
    let (name, from, to) = (stretch.name(table), stretch.from.start(), stretch.to.start());
    // Names and times are made of constants and digits.
    let statements = format!(
        "create table {name} (like {table} including defaults including comments);
         alter table {table} attach partition {name} for values from ('{from}') to ('{to}');"
    );
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(connection).await?;
    Ok(())
}

/// The partitions that there are. Those of `links` are the same.
async fn existing(connection: &mut PgConnection) -> sqlx::Result<Stretches> {
    let names: Vec<String> = sqlx::query_scalar(
        "select child.relname::text
         from pg_inherits
         join pg_class as child on child.oid = inhrelid
         where inhparent = 'evidence'::regclass",
    )
    .fetch_all(connection)
    .await?;
    let mut stretches = Stretches::default();
    names.iter().filter_map(|name| Stretch::from_name(name)).for_each(|stretch| stretches.add(stretch));
    Ok(stretches)
}

/// Whether so much came in that partitions should be small.
async fn is_busy(connection: &mut PgConnection, as_of: Timestamp) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "select coalesce(sum(evidence), 0) >= $2
         from source_minutes
         where minute >= $1 - interval '1 hour' and minute < $1",
    )
    .bind(columns::time(as_of))
    .bind(BUSY_ROWS_PER_HOUR)
    .fetch_one(connection)
    .await
}

/// Moves what belongs to incidents out of an hour's partitions and drops them. Returns how many there were.
///
/// Recomputation waits meanwhile, so no incident can come to need a row between the move and the drop.
async fn drop_stretch(connection: &mut PgConnection, stretch: Stretch) -> sqlx::Result<u64> {
    let mut dropped = 0;
    for (table, kept) in [("evidence", group::KEPT_EVIDENCE), ("links", group::KEPT_LINKS)] {
        let name = stretch.name(table);
        // Another process may have been first.
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

    /// The partitions of evidence, after checking that those of links are the same.
    async fn partitions(pool: &PgPool) -> Vec<String> {
        let of = async |parent: &str| -> Vec<String> {
            sqlx::query_scalar("select right(inhrelid::regclass::text, 14) from pg_inherits where inhparent = $1::regclass order by 1")
                .bind(parent)
                .fetch_all(pool)
                .await
                .unwrap()
        };
        assert_eq!(of("evidence").await, of("links").await);
        of("evidence").await
    }

    #[test]
    fn a_partition_has_a_name_and_back() {
        let stretch = Stretches::default().fitting(Hour::of(at(0)), false);
        assert_eq!(stretch.name("evidence"), "evidence_20261118_06_6h");
        assert_eq!(Stretch::from_name("evidence_20261118_06_6h"), Some(stretch));
        assert_eq!(Stretch::from_name("evidence_default"), None);
    }

    #[test]
    fn partitions_leave_each_other_room() {
        let hour = |hour: i64| Hour(600 + hour);
        let mut known = Stretches::default();
        known.add(known.fitting(hour(2), true));
        assert_eq!(known.fitting(hour(0), false), Stretch { from: hour(0), to: hour(2) });
        assert_eq!(known.fitting(hour(4), false), Stretch { from: hour(3), to: hour(6) });
        assert_eq!(known.fitting(hour(6), false), Stretch { from: hour(6), to: hour(12) });
        assert_eq!((known.holding(hour(1)), known.holding(hour(2)).is_some(), known.holding(hour(3))), (None, true, None));
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn room_is_made_ahead_and_when_missing(pool: PgPool) {
        let store = Store::from_pool(pool.clone());
        let other = Store::from_pool(pool.clone());
        let (one, two) = tokio::join!(store.create_partitions(at(0)), other.create_partitions(at(0)));
        one.unwrap();
        two.unwrap();
        assert_eq!(partitions(&pool).await, ["20261118_06_6h", "20261118_12_6h"]);
        store.append(&[batch(6000, [line("r1", 0, "much later")])]).await.unwrap();
        assert_eq!(partitions(&pool).await.len(), 3);
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn a_busy_hour_has_a_partition_of_its_own(pool: PgPool) {
        let store = Store::from_pool(pool.clone());
        store.append(&[batch(0, [line("r1", 0, "x")])]).await.unwrap();
        sqlx::query("update source_minutes set evidence = $1").bind(BUSY_ROWS_PER_HOUR).execute(&pool).await.unwrap();
        store.create_partitions(at(30)).await.unwrap();
        assert_eq!(partitions(&pool).await, ["20261118_06_6h", "20261118_12_1h", "20261118_13_1h", "20261118_14_1h"]);
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
