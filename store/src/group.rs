//! Which evidence belongs together: the closure of one key over links, bounded, the same for every reader of the same rows.
//!
//! - A request leads to its traces, its worker, its instance.
//! - A trace leads to the requests linked to it, at most [`REQUESTS_PER_TRACE_MAX`].
//! - A worker or instance leads to what is linked to it near each of its own anomalies, the nearest first.
//!
//! Evidence of a worker or instance counts if it happened near an anomaly of the group, or is of a kind that holds for
//! longer than its moment (a start-up banner, an init report).

use std::collections::{BTreeMap, BTreeSet};

use domain::{Claim, Evidence, Key, Kind, Origin, SourceName, StackName};
use jiff::{SignedDuration, Timestamp};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use crate::columns::{self, key_text, times};
use crate::watched::{AFTER, BEFORE};
use crate::{Store, StoreError};

/// Keys in one group at most.
const KEYS_MAX: usize = 256;
/// Pieces of evidence in one group at most.
const EVIDENCE_MAX: usize = 20_000;
/// Requests that one trace leads to at most.
const REQUESTS_PER_TRACE_MAX: usize = 64;

/// What the stored form of keys of workers and instances begins with.
const WIDE: [&str; 2] = ["worker/", "instance/"];

/// Kinds that say nothing beyond their own moment; the same names as in [`MOMENTARY_SQL`].
const MOMENTARY: [Kind; 11] = [
    Kind::AppLog,
    Kind::ExtensionLog,
    Kind::Request,
    Kind::GatewayRequest,
    Kind::GatewayDetail,
    Kind::Span,
    Kind::Metric,
    Kind::Other,
    Kind::Unparsed,
    Kind::UnparsedDuration,
    Kind::UnknownPlatformEvent,
];

/// [`MOMENTARY`] as SQL.
macro_rules! momentary_sql {
    () => {
        "('app_log', 'extension_log', 'request', 'gateway_request', 'gateway_detail', 'span', 'metric', 'other', 'unparsed', \
         'unparsed_duration', 'unknown_platform_event')"
    };
}

/// Which rows of a partition `part` of `evidence` belong to incidents; the same rule as when loading.
pub(crate) const KEPT_EVIDENCE: &str = concat!(
    "exists (
         select from watched as kept
         join incidents on incidents.stack = kept.stack and incidents.root = kept.root
         where kept.stack = part.stack
           and kept.key = part.key
           and (
               (part.key not like 'worker/%' and part.key not like 'instance/%')
               or part.kind not in ",
    momentary_sql!(),
    " or coalesce(part.observed_at, part.received_at) between kept.at_min - interval '15 minutes' and kept.at_max + interval '1 minute'
           )
     )"
);

/// Which rows of a partition `part` of `links` belong to incidents.
pub(crate) const KEPT_LINKS: &str = "exists (
         select from watched as kept
         join incidents on incidents.stack = kept.stack and incidents.root = kept.root
         where kept.stack = part.stack and kept.key = part.from_key
     )
     and exists (
         select from watched as kept
         join incidents on incidents.stack = kept.stack and incidents.root = kept.root
         where kept.stack = part.stack and kept.key = part.to_key
     )";

/// Whether a key stands for something that outlives a request.
pub(crate) fn is_wide(key: &Key) -> bool {
    matches!(key, Key::Worker { .. } | Key::Instance(_))
}

/// Whether evidence of this kind says nothing beyond its own moment.
pub(crate) fn is_momentary(kind: Kind) -> bool {
    MOMENTARY.contains(&kind)
}

/// What one key leads to.
pub(crate) struct Group {
    /// Its keys, in their stored form.
    pub(crate) keys: BTreeSet<String>,
    /// Its evidence, by time.
    pub(crate) evidence: Vec<Evidence>,
    /// Something was left out because of a limit.
    pub(crate) is_truncated: bool,
}

impl Store {
    /// The evidence that belongs together with `root`, by time; the same that [`Store::recompute`] folds.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn load_group(&self, stack: &StackName, root: &Key) -> Result<Vec<Evidence>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        let stack = columns::indexed(stack.as_str());
        Ok(load(&mut connection, &stack, &key_text(root)).await?.evidence)
    }
}

/// Loads the group of one key; both in their stored form.
pub(crate) async fn load(connection: &mut PgConnection, stack: &str, root: &str) -> Result<Group, StoreError> {
    let mut walk = Walk::from(root);
    while !walk.frontier.is_empty() {
        walk.step(connection, stack).await?;
    }
    let mut evidence = read(connection, stack, root, &walk).await?;
    let is_truncated = walk.is_truncated || evidence.len() > EVIDENCE_MAX;
    evidence.truncate(EVIDENCE_MAX);
    evidence.sort_by(|a, b| (moment(a), &a.claim, a.received_at).cmp(&(moment(b), &b.claim, b.received_at)));
    Ok(Group { keys: walk.keys, evidence, is_truncated })
}

/// The moment to place evidence at.
pub(crate) fn moment(evidence: &Evidence) -> Timestamp {
    evidence.claim.at().unwrap_or(evidence.received_at)
}

/// One generation: the anomalies of the youngest keys, and the keys that these lead to, each with its rank.
///
/// Ranks: 0 what a request leads to, 1 what a trace leads to, 2 what a worker or instance leads to, nearest first.
const STEP: &str = "
    with anomaly as materialized (
        select distinct key, coalesce(observed_at, received_at) as at
        from evidence_v1
        where stack = $1 and key = any($2) and anomalous
    )
    (
        select distinct null::text as via, null::text as key, at, null::integer as rank, null::bigint as distance_us
        from anomaly
    )
    union all
    (
        select distinct null, to_key, null::timestamptz, 0, 0
        from links_v1
        where stack = $1 and from_key = any($3)
        order by to_key
        limit $6
    )
    union all
    (
        select via, key, null, 1, 0
        from (
            select to_key as via, from_key as key, row_number() over (partition by to_key order by from_key) as number
            from links_v1
            where stack = $1 and to_key = any($4) and from_key like 'request/%'
            group by to_key, from_key
        ) as numbered
        where number <= $7 + 1
    )
    union all
    (
        select null, links.from_key, null, 2, nearest.distance_us
        from anomaly
        join links_v1 as links on links.to_key = anomaly.key
        cross join lateral (
            select (1000000 * abs(extract(epoch from links.at - anomaly.at)))::bigint as distance_us
        ) as nearest
        where links.stack = $1
          and anomaly.key = any($5)
          and links.at between anomaly.at - $8 * interval '1 microsecond' and anomaly.at + $9 * interval '1 microsecond'
        order by nearest.distance_us, links.from_key
        limit $6
    )";

/// The closure while it grows.
struct Walk {
    keys: BTreeSet<String>,
    frontier: Vec<String>,
    anomalies: BTreeSet<Timestamp>,
    is_truncated: bool,
}

impl Walk {
    fn from(root: &str) -> Self {
        Self { keys: BTreeSet::from([root.to_owned()]), frontier: vec![root.to_owned()], anomalies: BTreeSet::new(), is_truncated: false }
    }

    /// Follows the links of the youngest keys. One statement.
    async fn step(&mut self, connection: &mut PgConnection, stack: &str) -> Result<(), StoreError> {
        let of = |prefixes: &[&str]| -> Vec<&str> {
            self.frontier.iter().map(String::as_str).filter(|key| prefixes.iter().any(|prefix| key.starts_with(prefix))).collect()
        };
        let rows = sqlx::query(STEP)
            .bind(stack)
            .bind(&self.frontier)
            .bind(of(&["request/"]))
            .bind(of(&["trace/"]))
            .bind(of(&WIDE))
            .bind(as_bigint(KEYS_MAX + 1))
            .bind(as_bigint(REQUESTS_PER_TRACE_MAX))
            .bind(microseconds(BEFORE))
            .bind(microseconds(AFTER))
            .fetch_all(connection)
            .await?;
        let mut found = BTreeSet::new();
        let mut per_trace: BTreeMap<String, usize> = BTreeMap::new();
        for row in &rows {
            if let Some(at) = row.try_get::<Option<jiff_sqlx::Timestamp>, _>("at")? {
                self.anomalies.insert(at.to_jiff());
                continue;
            }
            if let Some(via) = row.try_get::<Option<String>, _>("via")? {
                let number = per_trace.entry(via).or_default();
                *number += 1;
                if *number > REQUESTS_PER_TRACE_MAX {
                    self.is_truncated = true;
                    continue;
                }
            }
            found.insert((row.try_get::<i32, _>("rank")?, row.try_get::<i64, _>("distance_us")?, row.try_get::<String, _>("key")?));
        }
        self.take(found);
        Ok(())
    }

    /// Takes in the keys found, in the order of their ranks, while there is room.
    fn take(&mut self, found: BTreeSet<(i32, i64, String)>) {
        self.frontier.clear();
        for (_, _, key) in found {
            if self.keys.contains(&key) {
                continue;
            }
            if self.keys.len() == KEYS_MAX {
                self.is_truncated = true;
                return;
            }
            self.keys.insert(key.clone());
            self.frontier.push(key);
        }
    }

    /// The stretches of time that belong to the anomalies, overlapping ones joined: their beginnings and ends.
    fn windows(&self) -> (Vec<Timestamp>, Vec<Timestamp>) {
        let (mut from, mut to): (Vec<Timestamp>, Vec<Timestamp>) = (Vec::new(), Vec::new());
        for at in &self.anomalies {
            let begins = at.saturating_sub(BEFORE).unwrap_or(*at);
            let ends = at.saturating_add(AFTER).unwrap_or(*at);
            match to.last_mut() {
                Some(last) if *last >= begins => *last = ends,
                _ => {
                    from.push(begins);
                    to.push(ends);
                }
            }
        }
        (from, to)
    }
}

/// The evidence under the keys of a walk; one more than the limit if there is more.
///
/// Where there is too much, anomalies come first, then what happened nearest to the last of them.
async fn read(connection: &mut PgConnection, stack: &str, root: &str, walk: &Walk) -> Result<Vec<Evidence>, StoreError> {
    let (wide, narrow): (Vec<&str>, Vec<&str>) =
        walk.keys.iter().map(String::as_str).partition(|key| WIDE.iter().any(|prefix| key.starts_with(prefix)));
    let (mut from, mut to) = walk.windows();
    if from.is_empty() && !wide.is_empty() {
        (from, to) = window_of(connection, stack, root).await?;
    }
    let rows = sqlx::query(concat!(
        "select stack, source, received_at, origin::text as origin, claim::text as claim
         from evidence_v1
         where stack = $1
           and key = any($2 || $3)
           and (
               key = any($2)
               or anomalous
               or kind not in ",
        momentary_sql!(),
        "
               or exists (
                   select from unnest($4::timestamptz[], $5::timestamptz[]) as near (begins, ends)
                   where coalesce(observed_at, received_at) between near.begins and near.ends
               )
           )
         order by
             anomalous desc,
             abs(extract(epoch from coalesce(observed_at, received_at) - $6)),
             claim::text
         limit $7"
    ))
    .bind(stack)
    .bind(&narrow)
    .bind(&wide)
    .bind(times(from))
    .bind(times(to))
    .bind(columns::maybe_time(walk.anomalies.last().copied()))
    .bind(as_bigint(EVIDENCE_MAX + 1))
    .fetch_all(connection)
    .await?;
    rows.iter().filter_map(|row| evidence(row).transpose()).collect()
}

/// The stretch of time around all evidence of a key: what stands in for anomalies where there are none.
async fn window_of(connection: &mut PgConnection, stack: &str, key: &str) -> Result<(Vec<Timestamp>, Vec<Timestamp>), StoreError> {
    let row = sqlx::query(
        "select min(coalesce(observed_at, received_at)) as first_at, max(coalesce(observed_at, received_at)) as last_at
         from evidence_v1
         where stack = $1 and key = $2",
    )
    .bind(stack)
    .bind(key)
    .fetch_one(connection)
    .await?;
    let moment = |column| Ok::<_, StoreError>(row.try_get::<Option<jiff_sqlx::Timestamp>, _>(column)?.map(jiff_sqlx::Timestamp::to_jiff));
    let walk = Walk { anomalies: moment("first_at")?.into_iter().chain(moment("last_at")?).collect(), ..Walk::from(key) };
    let (from, to) = walk.windows();
    Ok((from.into_iter().take(1).collect(), to.into_iter().next_back().into_iter().collect()))
}

/// Reads one row. What a newer version wrote and we cannot read is left out: it must not hold up all other groups.
fn evidence(row: &PgRow) -> Result<Option<Evidence>, StoreError> {
    let claim: Claim = match columns::from_json("evidence", row.try_get("claim")?) {
        Ok(claim) => claim,
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "evidence was left out that this version cannot read");
            return Ok(None);
        }
    };
    let origin: Option<Origin> = row.try_get::<Option<&str>, _>("origin")?.map(|json| columns::from_json("evidence", json)).transpose()?;
    Ok(Some(Evidence {
        stack: StackName::from(row.try_get::<String, _>("stack")?),
        source: SourceName::from(row.try_get::<String, _>("source")?),
        received_at: row.try_get::<jiff_sqlx::Timestamp, _>("received_at")?.to_jiff(),
        origin,
        claim,
    }))
}

fn microseconds(duration: SignedDuration) -> i64 {
    i64::try_from(duration.as_micros()).expect("minutes fit")
}

fn as_bigint(limit: usize) -> i64 {
    i64::try_from(limit).expect("limits are small constants")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sql_and_code_mean_the_same_kinds() {
        let names: Vec<_> = MOMENTARY.iter().map(|kind| columns::json(kind).replace('"', "'")).collect();
        assert_eq!(format!("({})", names.join(", ")), momentary_sql!());
    }

    #[test]
    fn neighbouring_anomalies_share_a_window() {
        let at = |minute: i64| Timestamp::from_second(minute * 60).unwrap();
        let walk = Walk { anomalies: [at(100), at(110), at(200)].into(), ..Walk::from("worker/1/") };
        assert_eq!(walk.windows(), (vec![at(85), at(185)], vec![at(111), at(201)]));
    }
}
