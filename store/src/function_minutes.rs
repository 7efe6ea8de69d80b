//! How long requests take: counted per function, release, format and minute, merged once per append.
//!
//! The merging is done in the transaction that stores the evidence, so that a repeated batch is counted once and nothing is
//! counted that is not durable. That is why a histogram is a row of counts that SQL adds up (`add_counts`) and not the opaque
//! bytes of a library; it also lets people's own tools read it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use domain::{Evidence, FunctionName, Histogram, History, Kind, Millis, StackName};
use jiff::{SignedDuration, Timestamp};
use sqlx::Row;
use sqlx::postgres::PgRow;

use crate::columns::{Query, count, indexed, key_text, storable, time};
use crate::evidence::Batch;
use crate::{Store, StoreError, group};

/// Rows per minute are kept for so long; then the hour is enough.
const MINUTES_KEPT: SignedDuration = SignedDuration::from_hours(48);

/// Runs of one function, release, format and minute.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FunctionMinute {
    /// The release or version; `None` when no source gave one.
    pub release: Option<String>,
    /// The format that told of them.
    pub format: String,
    /// The beginning of the minute, or of the hour.
    pub minute: Timestamp,
    /// How long they took.
    pub runs: Histogram,
    /// How long those of them that were cold starts initialised.
    pub inits: Histogram,
    /// The key of a cold one.
    pub sample_cold: Option<String>,
    /// The key of another.
    pub sample_warm: Option<String>,
}

type Id<'a> = (Cow<'a, str>, Cow<'a, str>, i64, Cow<'a, str>, &'a str);

#[derive(Default)]
struct Counts {
    runs: Histogram,
    inits: Histogram,
    sample_cold: Option<String>,
    sample_warm: Option<String>,
}

/// The part `runs_added` of a statement that adds [`Runs`] to those counted already. Each database process has rows of its own.
/// `$condition`: ` where …`, on which it writes.
macro_rules! write_sql {
    ($condition:expr) => {
        concat!(
            "runs_added as (
             insert into function_minutes (stack, function, minute, release, format, writer, runs, inits, sample_cold, sample_warm)
             select
                 stack, function, to_timestamp(minute), release, format, pg_backend_pid(), runs::integer[], inits::integer[], cold, warm
             from unnest(
                 $22::text[], $23::text[], $24::bigint[], $25::text[], $26::text[], $27::text[], $28::text[], $29::text[], $30::text[]
             ) as added (stack, function, minute, release, format, runs, inits, cold, warm)",
            $condition,
            "
             on conflict (stack, function, minute, release, format, writer) do update set
                 runs = add_counts(function_minutes.runs, excluded.runs),
                 inits = add_counts(function_minutes.inits, excluded.inits),
                 sample_cold = coalesce(function_minutes.sample_cold, excluded.sample_cold),
                 sample_warm = coalesce(function_minutes.sample_warm, excluded.sample_warm)
         )"
        )
    };
}
pub(crate) use write_sql;

/// The finished runs of some batches.
pub(crate) struct Runs<'a>(BTreeMap<Id<'a>, Counts>);

impl<'a> Runs<'a> {
    pub(crate) fn of(batches: &[&'a Batch]) -> Self {
        let mut by_minute = BTreeMap::new();
        for evidence in batches.iter().flat_map(|batch| &batch.evidence) {
            add(&mut by_minute, evidence);
        }
        Self(by_minute)
    }

    /// Binds `$22` to `$30` of [`write_sql`].
    pub(crate) fn bind<'q>(&'q self, query: Query<'q>) -> Query<'q> {
        let text = |pick: fn(&Counts) -> &Histogram| self.0.values().map(|counts| array(pick(counts))).collect::<Vec<_>>();
        query
            .bind(self.0.keys().map(|id| id.0.as_ref()).collect::<Vec<_>>())
            .bind(self.0.keys().map(|id| id.1.as_ref()).collect::<Vec<_>>())
            .bind(self.0.keys().map(|id| id.2).collect::<Vec<_>>())
            .bind(self.0.keys().map(|id| id.3.as_ref()).collect::<Vec<_>>())
            .bind(self.0.keys().map(|id| id.4).collect::<Vec<_>>())
            .bind(text(|counts| &counts.runs))
            .bind(text(|counts| &counts.inits))
            .bind(self.0.values().map(|counts| counts.sample_cold.as_deref()).collect::<Vec<_>>())
            .bind(self.0.values().map(|counts| counts.sample_warm.as_deref()).collect::<Vec<_>>())
    }
}

fn add<'a>(by_minute: &mut BTreeMap<Id<'a>, Counts>, evidence: &'a Evidence) {
    let claim = &evidence.claim;
    let run = claim.finished_run();
    // A function that only prints its sections leaves samples, too.
    let function = run.map(|run| run.function).or_else(|| claim.function.as_ref().filter(|_| claim.kind == Kind::WatchdogTracepoint));
    let Some(function) = function else { return };
    let at = claim.at().unwrap_or(evidence.received_at);
    let minute = storable(at).as_second().div_euclid(60) * 60;
    let release = indexed(run.and_then(|run| run.release).unwrap_or_default());
    let id = (indexed(evidence.stack.as_str()), indexed(function.as_str()), minute, release, claim.format.as_str());
    let counts = by_minute.entry(id).or_default();
    let init = run.and_then(|run| run.init);
    if let Some(run) = run {
        counts.runs.add(run.took);
    }
    if let Some(init) = init {
        counts.inits.add(init);
    }
    let sample = if init.is_some() { &mut counts.sample_cold } else { &mut counts.sample_warm };
    if sample.is_none() {
        *sample = Some(key_text(&claim.key()));
    }
}

/// `{0,0,7}`
fn array(histogram: &Histogram) -> String {
    let counts: Vec<_> = histogram.counts().iter().map(ToString::to_string).collect();
    format!("{{{}}}", counts.join(","))
}

impl Store {
    /// How long requests of a function took in `[from, to)`, by release, format and minute, the latest first. Older ones
    /// stand together by the hour.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn function_minutes(
        &self,
        stack: &StackName,
        function: &FunctionName,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<FunctionMinute>, StoreError> {
        let rows = sqlx::query(
            "select release, format, minute, runs, inits, sample_cold, sample_warm
             from function_minutes
             where stack = $1 and function = $2 and minute >= $3 and minute < $4
             order by minute desc, release, format, writer",
        )
        .bind(indexed(stack.as_str()))
        .bind(indexed(function.as_str()))
        .bind(time(from))
        .bind(time(to))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(minute).collect()
    }

    /// The history of a function in `[from, to)`: finished runs as the format tells that knows of most, and those that
    /// incidents say were cut off.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn history(&self, stack: &StackName, function: &FunctionName, from: Timestamp, to: Timestamp) -> Result<History, StoreError> {
        let cut = sqlx::query(
            // To the nearest 10 ms: what one limit cut off should stand together.
            "select round(coalesce(elapsed_ms, limit_ms) / 10) * 10 as after_ms, count(*) as number
             from incidents
             where stack = $1
               and function = $2
               and at >= $3
               and at < $4
               and outcome = 'timeout'
               and state in ('confirmed', 'lost')
               and coalesce(elapsed_ms, limit_ms) is not null
             group by after_ms
             order by after_ms",
        )
        .bind(indexed(stack.as_str()))
        .bind(function.as_str())
        .bind(time(from))
        .bind(time(to))
        .fetch_all(&self.pool)
        .await?;
        let cut = cut.iter().map(|row| Ok((Millis::from_ms_f64(row.try_get("after_ms")?), count(row.try_get("number")?))));
        let cut = cut.collect::<Result<Vec<_>, StoreError>>()?;
        let mut by_format: BTreeMap<String, Histogram> = BTreeMap::new();
        for minute in self.function_minutes(stack, function, from, to).await? {
            by_format.entry(minute.format).or_default().merge(&minute.runs);
        }
        let finished = by_format.into_values().max_by_key(Histogram::total).unwrap_or_default();
        Ok(History { finished, cut })
    }

    /// The evidence of some requests of a function in `[from, to)`, from which its start can be told: of the latest of each
    /// minute at most `requests_max` that were cold and as many others.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn start_evidence(
        &self,
        stack: &StackName,
        function: &FunctionName,
        from: Timestamp,
        to: Timestamp,
        requests_max: u32,
    ) -> Result<Vec<Evidence>, StoreError> {
        let minutes = self.function_minutes(stack, function, from, to).await?;
        let some = |pick: fn(&FunctionMinute) -> Option<&String>| minutes.iter().filter_map(pick).take(requests_max as usize);
        let keys: BTreeSet<&String> =
            some(|minute| minute.sample_cold.as_ref()).chain(some(|minute| minute.sample_warm.as_ref())).collect();
        let mut connection = self.pool.acquire().await?;
        let stack = indexed(stack.as_str());
        let mut evidence = Vec::new();
        for key in keys {
            evidence.extend(group::load(&mut connection, &stack, key).await?.evidence);
        }
        Ok(evidence)
    }

    /// Puts minutes that are no longer needed one by one together by the hour, and forgets what is older than `oldest`.
    /// Several processes may do so at once.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn compact_function_minutes(&self, now: Timestamp, oldest: Timestamp) -> Result<(), StoreError> {
        sqlx::query("delete from function_minutes where minute < $1").bind(time(oldest)).execute(&self.pool).await?;
        let before = now.saturating_sub(MINUTES_KEPT).unwrap_or(now);
        sqlx::query(
            // Rows that another process holds are its own. Writer 0 is no process: it stands for hours.
            "with gone as (
                 delete from function_minutes
                 where ctid = any (array(
                     select ctid
                     from function_minutes
                     where minute < date_trunc('hour', $1::timestamptz, 'UTC') and writer <> 0
                     order by minute
                     limit 20000
                     for update skip locked
                 ))
                 returning *
             )
             insert into function_minutes (stack, function, minute, release, format, writer, runs, inits, sample_cold, sample_warm)
             select
                 stack,
                 function,
                 date_trunc('hour', minute, 'UTC') as hour,
                 release,
                 format,
                 0,
                 sum_counts(runs),
                 sum_counts(inits),
                 max(sample_cold),
                 max(sample_warm)
             from gone
             group by stack, function, hour, release, format
             on conflict (stack, function, minute, release, format, writer) do update set
                 runs = add_counts(function_minutes.runs, excluded.runs),
                 inits = add_counts(function_minutes.inits, excluded.inits)",
        )
        .bind(time(before))
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

fn minute(row: &PgRow) -> Result<FunctionMinute, StoreError> {
    let histogram =
        |column| Ok::<_, sqlx::Error>(Histogram::from_counts(row.try_get::<Vec<i32>, _>(column)?.into_iter().map(|n| count(n.into()))));
    Ok(FunctionMinute {
        release: Some(row.try_get::<String, _>("release")?).filter(|release| !release.is_empty()),
        format: row.try_get("format")?,
        minute: row.try_get::<jiff_sqlx::Timestamp, _>("minute")?.to_jiff(),
        runs: histogram("runs")?,
        inits: histogram("inits")?,
        sample_cold: row.try_get("sample_cold")?,
        sample_warm: row.try_get("sample_warm")?,
    })
}

#[cfg(test)]
mod tests {
    use domain::{Claim, ClaimedOutcome, RequestId};
    use sqlx::PgPool;

    use super::*;
    use crate::testing::{at, batch, number};

    /// A request of `checkout` that took `ms` and ended at `minute`.
    fn report(id: &str, minute: i64, ms: i64) -> Claim {
        let mut claim = Claim::new(Kind::InvocationReport, "lambda_text", "REPORT …");
        claim.request_id = Some(RequestId::from(id));
        claim.function = Some(FunctionName::from("checkout"));
        claim.observed_at = Some(at(minute));
        claim.elapsed_ms = Some(Millis::from_ms(ms));
        claim
    }

    async fn minutes(store: &Store) -> Vec<FunctionMinute> {
        store.function_minutes(&StackName::default(), &FunctionName::from("checkout"), at(-100_000), at(100_000)).await.unwrap()
    }

    fn of(all: &[i64]) -> Histogram {
        let mut histogram = Histogram::default();
        for ms in all {
            histogram.add(Millis::from_ms(*ms));
        }
        histogram
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn runs_are_counted_once_per_minute_and_release(pool: PgPool) {
        let store = Store::from_pool(pool);
        assert_eq!(minutes(&store).await, []);
        let cut = Claim { outcome: Some(ClaimedOutcome::Timeout), ..report("r5", 0, 3000) };
        let cold = report("r3", 0, 900).with("init_duration_ms", 400.0);
        let one = batch(1, [report("r1", 0, 10), report("r2", 0, 200), cold, report("r4", 1, 5).with("version", "7"), cut]);
        store.append(&[one.clone(), one]).await.unwrap();
        store.append(&[batch(2, [report("r6", 0, 10)])]).await.unwrap();
        let found = minutes(&store).await;
        // Each writer has rows of its own: they are added up by who reads.
        let minute = |minute: i64| Timestamp::from_second(at(minute).as_second() / 60 * 60).unwrap();
        let first: Vec<_> = found.iter().filter(|row| row.minute == minute(0)).collect();
        let mut runs = Histogram::default();
        for row in &first {
            runs.merge(&row.runs);
        }
        assert_eq!(runs, of(&[10, 10, 200, 900]));
        let cold = first.iter().find(|row| row.sample_cold.is_some()).unwrap();
        assert_eq!((cold.sample_cold.as_deref(), cold.inits.clone()), (Some("request/r3"), of(&[400])));
        assert_eq!((found[0].release.as_deref(), found[0].runs.clone()), (Some("7"), of(&[5])));
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn samples_lead_to_evidence(pool: PgPool) {
        let store = Store::from_pool(pool);
        let cold = report("r1", 0, 900).with("init_duration_ms", 400.0);
        let line = crate::testing::line("r1", 0, "a line of the cold one");
        let section = Claim {
            function: Some(FunctionName::from("printer")),
            kind: Kind::WatchdogTracepoint,
            ..crate::testing::line("r3", 0, "topen x")
        };
        store.append(&[batch(1, [cold, line, report("r2", 0, 5), report("r4", 0, 5), section])]).await.unwrap();
        let evidence = async |function: &str| {
            let found = store.start_evidence(&StackName::default(), &FunctionName::from(function), at(-10), at(10), 5).await.unwrap();
            found.iter().map(|one| one.claim.request_id.as_ref().unwrap().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(evidence("checkout").await, ["r1", "r1", "r2"]);
        assert_eq!(evidence("printer").await, ["r3"]);
        assert_eq!(evidence("nobody").await, [""; 0]);
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn old_minutes_stand_together_by_the_hour(pool: PgPool) {
        let store = Store::from_pool(pool.clone());
        for minute in 0..70 {
            store.append(&[batch(minute, [report(&format!("r{minute}"), minute, minute * 10)])]).await.unwrap();
        }
        let total = async || minutes(&store).await.iter().map(|row| row.runs.total()).sum::<u64>();
        store.compact_function_minutes(at(70), at(-60)).await.unwrap();
        assert_eq!(number(&pool, "select count(*) from function_minutes where writer = 0").await, 0);
        let later = at(70 + 48 * 60);
        store.compact_function_minutes(later, at(-60)).await.unwrap();
        store.compact_function_minutes(later, at(-60)).await.unwrap();
        assert_eq!(total().await, 70);
        assert!(number(&pool, "select count(*) from function_minutes").await < 70);
        store.compact_function_minutes(later, later).await.unwrap();
        assert_eq!(total().await, 0);
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn a_history_has_those_that_were_cut_off_and_counts_no_request_twice(pool: PgPool) {
        let store = Store::from_pool(pool);
        let span = Claim { kind: Kind::Span, format: "otlp_traces".to_owned(), ..report("r1", 0, 11) }.with("span_kind", "server");
        let timeout = crate::testing::timeout("r9", 0);
        store.append(&[batch(1, [report("r1", 0, 10), report("r2", 0, 200), span, timeout])]).await.unwrap();
        let fold = |evidence: &[Evidence], _: Timestamp| domain::Folded {
            incidents: evidence
                .iter()
                .filter(|one| one.claim.is_anomalous())
                .map(|_| domain::Incident {
                    ended_at: Some(at(0)),
                    ..crate::testing::incident(&StackName::default(), "request/r9", "cut off")
                })
                .collect(),
            recheck_at: None,
        };
        while store.recompute(at(2), 10, fold).await.unwrap().groups > 0 {}
        let history = store.history(&StackName::default(), &FunctionName::from("checkout"), at(-10), at(10)).await.unwrap();
        assert_eq!(history, History { finished: of(&[10, 200]), cut: vec![(Millis::from_ms(3000), 1)] });
    }
}
