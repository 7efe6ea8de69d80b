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

    /// Problems with incidents in `[from, to)`, the most frequent first.
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
