//! What the overview shows: how much overran, where, and because of what.

use domain::{Layer, Millis};
use jiff::{SignedDuration, Timestamp};
use sqlx::Row;

use crate::columns::{count, time};
use crate::{Store, StoreError, incident_row};

/// Points of a trend.
const TREND_BUCKETS: usize = 24;

/// Requests that overran in one stretch of time, by the layer whose limit fired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerCount {
    /// The beginning of the stretch.
    pub at: Timestamp,
    /// The layer; `None` while unknown.
    pub layer: Option<Layer>,
    /// How many.
    pub count: u64,
}

/// Incidents of one fingerprint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProblemRow {
    /// The fingerprint.
    pub id: String,
    /// The verdict of the latest incident.
    pub summary: String,
    /// The function.
    pub function: Option<String>,
    /// The layer whose limit fired.
    pub layer: Option<Layer>,
    /// Why it fired.
    pub cause: String,
    /// Incidents within the window.
    pub count: u64,
    /// The first of them.
    pub first_at: Timestamp,
    /// The last of them.
    pub last_at: Timestamp,
    /// The ID of the last of them.
    pub latest_incident: String,
    /// Incidents in each of 24 equal parts of the window.
    pub trend: Vec<u64>,
}

/// A function that overran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionRow {
    /// Its name.
    pub function: String,
    /// Its stack.
    pub stack: String,
    /// Incidents within the window.
    pub incidents: u64,
    /// The limit that fired last, if its value is known.
    pub limit_ms: Option<Millis>,
    /// The longest time that a request of it took.
    pub elapsed_ms_max: Option<Millis>,
}

impl Store {
    /// Requests that overran, in equal stretches of `[from, to)`, by layer. What finished after all is not counted, and
    /// stretches without any are left out.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn timeouts_by_layer(&self, from: Timestamp, to: Timestamp, buckets: u32) -> Result<Vec<LayerCount>, StoreError> {
        let rows = sqlx::query(
            "select bucket, layer, count(*) as number
             from (
                 select floor($3 * extract(epoch from at - $1) / extract(epoch from $2 - $1))::bigint as bucket, layer
                 from incidents
                 where at >= $1 and at < $2 and state <> 'survived' and outcome not in ('near_miss', 'ok')
             ) as overran
             group by bucket, layer
             order by bucket, layer",
        )
        .bind(time(from))
        .bind(time(to))
        .bind(i64::from(buckets))
        .fetch_all(&self.pool)
        .await?;
        let width_us = Millis::between(from, to).as_us() / i64::from(buckets.max(1));
        rows.iter()
            .map(|row| {
                let offset = SignedDuration::from_micros(row.try_get::<i64, _>("bucket")?.saturating_mul(width_us));
                Ok(LayerCount {
                    at: from.saturating_add(offset).unwrap_or(from),
                    layer: row.try_get::<Option<&str>, _>("layer")?.map(incident_row::layer).transpose()?,
                    count: count(row.try_get("number")?),
                })
            })
            .collect()
    }

    /// Problems with incidents in `[from, to)` that nobody has resolved, the most frequent first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn problems(&self, from: Timestamp, to: Timestamp, limit: u32) -> Result<Vec<ProblemRow>, StoreError> {
        let rows = sqlx::query(
            "with windowed as materialized (
                 select
                     problem,
                     id,
                     at,
                     floor($4 * extract(epoch from at - $1) / extract(epoch from $2 - $1))::integer as bucket
                 from incidents
                 where at >= $1 and at < $2
                   and not exists (select from problems where problems.id = incidents.problem and problems.state = 'resolved')
             ), problem as (
                 select
                     problem,
                     count(*) as number,
                     min(at) as first_at,
                     max(at) as last_at,
                     (array_agg(id order by at desc, id desc))[1] as latest,
                     array_agg(bucket) as buckets
                 from windowed
                 group by problem
                 order by number desc, last_at desc, problem
                 limit $3
             )
             select problem.*, incidents.summary, incidents.function, incidents.layer, incidents.cause
             from problem
             join incidents on incidents.id = problem.latest
             order by number desc, last_at desc, problem",
        )
        .bind(time(from))
        .bind(time(to))
        .bind(i64::from(limit))
        .bind(i64::try_from(TREND_BUCKETS).expect("a small constant"))
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(ProblemRow {
                    id: row.try_get("problem")?,
                    summary: row.try_get("summary")?,
                    function: row.try_get("function")?,
                    layer: row.try_get::<Option<&str>, _>("layer")?.map(incident_row::layer).transpose()?,
                    cause: row.try_get("cause")?,
                    count: count(row.try_get("number")?),
                    first_at: row.try_get::<jiff_sqlx::Timestamp, _>("first_at")?.to_jiff(),
                    last_at: row.try_get::<jiff_sqlx::Timestamp, _>("last_at")?.to_jiff(),
                    latest_incident: row.try_get("latest")?,
                    trend: trend(&row.try_get::<Vec<i32>, _>("buckets")?),
                })
            })
            .collect()
    }

    /// Functions with incidents in `[from, to)`, those with most first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn functions(&self, from: Timestamp, to: Timestamp, limit: u32) -> Result<Vec<FunctionRow>, StoreError> {
        let rows = sqlx::query(
            "select
                 function,
                 stack,
                 count(*) as number,
                 (array_agg(limit_ms order by at desc, id desc) filter (where limit_ms is not null))[1] as limit_ms,
                 max(elapsed_ms) as elapsed_ms_max
             from incidents
             where at >= $1 and at < $2 and function is not null
             group by function, stack
             order by number desc, function, stack
             limit $3",
        )
        .bind(time(from))
        .bind(time(to))
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(FunctionRow {
                    function: row.try_get("function")?,
                    stack: row.try_get("stack")?,
                    incidents: count(row.try_get("number")?),
                    limit_ms: row.try_get::<Option<f64>, _>("limit_ms")?.map(Millis::from_ms_f64),
                    elapsed_ms_max: row.try_get::<Option<f64>, _>("elapsed_ms_max")?.map(Millis::from_ms_f64),
                })
            })
            .collect()
    }
}

/// How many fell into each part of the window.
fn trend(buckets: &[i32]) -> Vec<u64> {
    let mut trend = vec![0; TREND_BUCKETS];
    for bucket in buckets {
        if let Some(number) = usize::try_from(*bucket).ok().and_then(|bucket| trend.get_mut(bucket)) {
            *number += 1;
        }
    }
    trend
}

#[cfg(test)]
mod tests {
    use domain::{Claim, FunctionName, Incident, IncidentState, Outcome, ProblemId, StackName};
    use sqlx::PgPool;

    use super::*;
    use crate::testing::{at, incident, write};

    /// An incident at `minute`.
    async fn add(store: &Store, subject: &str, minute: i64, change: impl FnOnce(&mut Incident)) {
        let mut incident = Incident { ended_at: Some(at(minute)), ..incident(&StackName::default(), subject, subject) };
        change(&mut incident);
        let mut connection = store.pool.acquire().await.unwrap();
        write(&mut connection, &incident, minute).await;
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn an_empty_store_has_an_empty_overview(pool: PgPool) {
        let store = Store::from_pool(pool);
        assert_eq!(store.timeouts_by_layer(at(0), at(60), 6).await.unwrap(), []);
        assert_eq!(store.problems(at(0), at(60), 10).await.unwrap(), []);
        assert_eq!(store.functions(at(0), at(60), 10).await.unwrap(), []);
        // A window without length holds nothing, and is no error.
        assert_eq!(store.timeouts_by_layer(at(0), at(0), 6).await.unwrap(), []);
        assert_eq!(store.problems(at(0), at(0), 6).await.unwrap(), []);
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn what_overran_is_counted_by_time_and_layer(pool: PgPool) {
        let store = Store::from_pool(pool);
        add(&store, "a", 0, |_| ()).await;
        add(&store, "b", 9, |_| ()).await;
        add(&store, "c", 59, |incident| incident.diagnosis.layer = None).await;
        add(&store, "too late", 60, |_| ()).await;
        add(&store, "survived", 5, |incident| incident.state = IncidentState::Survived).await;
        add(&store, "near", 5, |incident| incident.outcome = Outcome::NearMiss).await;
        let count = |minute, layer, count| LayerCount { at: at(minute), layer, count };
        let expected = [count(0, Some(Layer::Platform), 2), count(50, None, 1)];
        assert_eq!(store.timeouts_by_layer(at(0), at(60), 6).await.unwrap(), expected);
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn a_problem_says_how_often_and_shows_its_latest(pool: PgPool) {
        let store = Store::from_pool(pool);
        add(&store, "older", 0, |_| ()).await;
        add(&store, "latest", 59, |_| ()).await;
        add(&store, "other", 30, |incident| incident.problem = ProblemId::derive(&["other"])).await;
        let problems = store.problems(at(0), at(60), 10).await.unwrap();
        assert_eq!(problems.len(), 2);
        let first = &problems[0];
        assert_eq!((first.count, first.first_at, first.last_at, first.summary.as_str()), (2, at(0), at(59), "latest"));
        assert_eq!((first.trend[0], first.trend[23], first.trend.iter().sum::<u64>(), first.trend.len()), (1, 1, 2, 24));
        assert_eq!(store.incident(&first.latest_incident).await.unwrap().unwrap().incident.summary, "latest");
        assert_eq!(store.problems(at(0), at(60), 1).await.unwrap().len(), 1);
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn a_function_shows_its_latest_limit_and_longest_time(pool: PgPool) {
        let store = Store::from_pool(pool);
        add(&store, "a", 0, |incident| incident.elapsed_ms = Some(Millis::from_us(3_001_520))).await;
        add(&store, "b", 1, |incident| {
            incident.elapsed_ms = None;
            incident.diagnosis.limit.as_mut().unwrap().value_ms = Some(Millis::from_ms(6000));
        })
        .await;
        add(&store, "c", 2, |incident| incident.diagnosis.limit = None).await;
        add(&store, "d", 2, |incident| incident.function = None).await;
        add(&store, "e", 2, |incident| incident.function = Some(FunctionName::from("other\0"))).await;
        let functions = store.functions(at(0), at(60), 10).await.unwrap();
        assert_eq!(functions.len(), 2);
        let checkout = &functions[0];
        assert_eq!((checkout.function.as_str(), checkout.incidents), ("checkout", 3));
        assert_eq!((checkout.limit_ms, checkout.elapsed_ms_max), (Some(Millis::from_ms(6000)), Some(Millis::from_us(3_001_520))));
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn incidents_are_found_by_each_condition(pool: PgPool) {
        use crate::IncidentFilter;
        let store = Store::from_pool(pool);
        let trace = domain::TraceId::parse("6a3f1c209a8fbf0a9c13eafa397c5a3b").unwrap();
        add(&store, "gunicorn worker 100% busy", 1, |incident| incident.trace_id = Some(trace)).await;
        add(&store, "nginx", 2, |incident| {
            incident.stack = StackName::from("shop");
            incident.request_id = Claim::new(domain::Kind::Other, "", "").request_id.or(Some("r1".into()));
            incident.function = Some(FunctionName::from("cart"));
            incident.diagnosis.layer = Some(Layer::Router);
            incident.outcome = Outcome::Crash;
            incident.state = IncidentState::Lost;
            incident.problem = ProblemId::derive(&["other"]);
        })
        .await;
        let found = async |filter: IncidentFilter| -> Vec<String> {
            store.incidents(&filter).await.unwrap().into_iter().map(|stored| stored.incident.summary).collect()
        };
        let all = IncidentFilter::default;
        assert_eq!(found(all()).await, ["nginx", "gunicorn worker 100% busy"]);
        let only_nginx = [
            IncidentFilter { from: Some(at(2)), ..all() },
            IncidentFilter { stack: Some("shop".into()), ..all() },
            IncidentFilter { function: Some("cart".into()), ..all() },
            IncidentFilter { layer: Some(Layer::Router), ..all() },
            IncidentFilter { outcome: Some(Outcome::Crash), ..all() },
            IncidentFilter { state: Some(IncidentState::Lost), ..all() },
            IncidentFilter { problem: Some(ProblemId::derive(&["other"]).as_str().to_owned()), ..all() },
            IncidentFilter { text: Some(" r1 ".to_owned()), ..all() },
            IncidentFilter { text: Some("CART ngi".to_owned()), ..all() },
            IncidentFilter { limit: 1, ..all() },
        ];
        for filter in only_nginx {
            assert_eq!(found(filter.clone()).await, ["nginx"], "{filter:?}");
        }
        let only_gunicorn = [
            IncidentFilter { to: Some(at(2)), ..all() },
            IncidentFilter { text: Some("100% worker".to_owned()), ..all() },
            IncidentFilter { text: Some("6A3F1C209a8fbf0a9c13eafa397c5a3b".to_owned()), ..all() },
            IncidentFilter { before: Some((at(2), "0".to_owned())), ..all() },
        ];
        for filter in only_gunicorn {
            assert_eq!(found(filter.clone()).await, ["gunicorn worker 100% busy"], "{filter:?}");
        }
        for text in ["1_0", "\\", "'", "\0"] {
            assert_eq!(found(IncidentFilter { text: Some(text.to_owned()), ..all() }).await, [""; 0], "{text}");
        }
    }
}
