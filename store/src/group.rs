//! Which evidence belongs together: the closure of one key over links, bounded, the same for every reader of the same rows.
//!
//! The keys are found by [`Walk`]. Evidence of requests and traces then belongs to the group as it is. Evidence of a worker or instance counts if it happened near an anomaly of the group, or is of a kind that holds for
//! longer than its moment (a start-up banner, an init report).

mod request;

use std::collections::BTreeSet;

use domain::{Claim, Evidence, Key, Kind, Origin, SourceName, StackName};
use jiff::Timestamp;
use sqlx::postgres::PgRow;
use sqlx::{Connection, PgConnection, Row};

use crate::columns::{self, key_text, times};
use crate::known::KnownIncidents;
use crate::walk::Walk;
use crate::watched::{AFTER, BEFORE};
use crate::{Store, StoreError};

/// Pieces of evidence in one group at most.
const EVIDENCE_MAX: usize = 20_000;

/// Tables are asked by their keys, as where groups are folded.
const BEGIN: &str = "begin; set local enable_seqscan = off; set local plan_cache_mode = force_generic_plan";

/// Kinds that say nothing beyond their own moment; the same names as in `momentary_sql`.
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

/// [`is_wide`] of the stored form of a key.
pub(crate) fn is_wide_text(key: &str) -> bool {
    key.starts_with("worker/") || key.starts_with("instance/")
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
    /// The incidents about its only key, and those that were found from it; `None` if it has several.
    pub(crate) incidents: Option<KnownIncidents>,
}

impl Store {
    /// The evidence that belongs together with `root`, by time; the same that [`Store::recompute`] folds.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn load_group(&self, stack: &StackName, root: &Key) -> Result<Vec<Evidence>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        let mut transaction = connection.begin_with(BEGIN).await?;
        let stack = columns::indexed(stack.as_str());
        Ok(load(&mut transaction, &stack, &key_text(root)).await?.evidence)
    }
}

/// Loads the group of one key; both in their stored form.
pub(crate) async fn load(connection: &mut PgConnection, stack: &str, root: &str) -> Result<Group, StoreError> {
    let mut walk = Walk::from(root);
    if root.starts_with("request/") {
        let stored = request::read(connection, stack, root).await?;
        if stored.leads_to.is_empty() {
            return Ok(Group::of(walk, stored.evidence, Some(stored.incidents)));
        }
        walk = Walk::beyond(root, stored.leads_to);
    }
    walk.go(connection, stack).await?;
    let mut evidence = read_narrow(connection, stack, &walk).await?;
    if walk.keys.iter().any(|key| is_wide_text(key)) {
        let windows = Windows::around(&walk.anomalies, &evidence);
        evidence.extend(read_wide(connection, stack, &walk, &windows).await?);
    }
    Ok(Group::of(walk, evidence, None))
}

impl Group {
    /// Of the keys that a walk found, and evidence in the order in which it is kept where there is too much.
    fn of(walk: Walk, mut evidence: Vec<Evidence>, incidents: Option<KnownIncidents>) -> Self {
        let is_truncated = walk.is_truncated || evidence.len() > EVIDENCE_MAX;
        evidence.truncate(EVIDENCE_MAX);
        evidence.sort_by(|a, b| (moment(a), &a.claim, a.received_at).cmp(&(moment(b), &b.claim, b.received_at)));
        Self { keys: walk.keys, evidence, is_truncated, incidents }
    }
}

/// The moment to place evidence at.
pub(crate) fn moment(evidence: &Evidence) -> Timestamp {
    evidence.claim.at().unwrap_or(evidence.received_at)
}

/// Evidence under the narrow keys of a walk, and proxies' accounts of the requests beside; one more than the limit if there is more.
/// Anomalies come first.
async fn read_narrow(connection: &mut PgConnection, stack: &str, walk: &Walk) -> Result<Vec<Evidence>, StoreError> {
    let rows = sqlx::query(
        "select stack, source, received_at, origin::text as origin, claim::text as claim
         from evidence_v1
         where stack = $1 and key = any($2) and (kind = 'gateway_request' or key <> all($3))
         order by anomalous desc, coalesce(observed_at, received_at), claim::text
         limit $4",
    )
    .bind(stack)
    .bind(walk.keys.iter().chain(&walk.beside).map(String::as_str).filter(|key| !is_wide_text(key)).collect::<Vec<_>>())
    .bind(walk.beside.iter().map(String::as_str).collect::<Vec<_>>())
    .bind(as_bigint(EVIDENCE_MAX + 1))
    .fetch_all(connection)
    .await?;
    rows.iter().filter_map(|row| evidence(row).transpose()).collect()
}

/// Evidence under the wide keys of a walk that belongs to the group; one more than the limit if there is more. Anomalies
/// come first, then what lasts, then what happened nearest to the last window.
async fn read_wide(connection: &mut PgConnection, stack: &str, walk: &Walk, windows: &Windows) -> Result<Vec<Evidence>, StoreError> {
    let rows = sqlx::query(concat!(
        "select stack, source, received_at, origin::text as origin, claim::text as claim
         from evidence_v1
         where stack = $1
           and key = any($2)
           and (
               anomalous
               or kind not in ",
        momentary_sql!(),
        "
               or exists (
                   select from unnest($3::timestamptz[], $4::timestamptz[]) as near (begins, ends)
                   where coalesce(observed_at, received_at) between near.begins and near.ends
               )
           )
         order by
             anomalous desc,
             kind in ",
        momentary_sql!(),
        ",
             abs(extract(epoch from coalesce(observed_at, received_at) - $5)),
             claim::text
         limit $6"
    ))
    .bind(stack)
    .bind(walk.keys.iter().map(String::as_str).filter(|key| is_wide_text(key)).collect::<Vec<_>>())
    .bind(times(windows.begin.iter().copied()))
    .bind(times(windows.end.iter().copied()))
    .bind(columns::maybe_time(windows.end.last().copied()))
    .bind(as_bigint(EVIDENCE_MAX + 1))
    .fetch_all(connection)
    .await?;
    rows.iter().filter_map(|row| evidence(row).transpose()).collect()
}

/// The stretches of time that belong to anomalies, overlapping ones joined.
#[derive(Debug, Default, PartialEq, Eq)]
struct Windows {
    begin: Vec<Timestamp>,
    end: Vec<Timestamp>,
}

impl Windows {
    /// Around the anomalies of a group. Where there is none, around all its evidence; where there is nothing, all of time.
    fn around(anomalies_of_wide: &BTreeSet<Timestamp>, narrow: &[Evidence]) -> Self {
        let anomalous = narrow.iter().filter(|evidence| evidence.claim.is_anomalous()).map(moment);
        let anomalies: BTreeSet<_> = anomalous.chain(anomalies_of_wide.iter().copied()).collect();
        let whole = || {
            let windows = Self::of(&narrow.iter().map(moment).collect());
            let begin = windows.begin.first().copied().unwrap_or(Timestamp::MIN);
            Self { begin: vec![begin], end: vec![windows.end.last().copied().unwrap_or(Timestamp::MAX)] }
        };
        if anomalies.is_empty() { whole() } else { Self::of(&anomalies) }
    }

    fn of(moments: &BTreeSet<Timestamp>) -> Self {
        let mut windows = Self::default();
        for at in moments {
            let begin = at.saturating_sub(BEFORE).unwrap_or(*at);
            let end = at.saturating_add(AFTER).unwrap_or(*at);
            match windows.end.last_mut() {
                Some(last) if *last >= begin => *last = end,
                _ => {
                    windows.begin.push(begin);
                    windows.end.push(end);
                }
            }
        }
        windows
    }
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

pub(crate) fn as_bigint(limit: usize) -> i64 {
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
        let windows = Windows::around(&[at(100), at(110), at(200)].into(), &[]);
        assert_eq!(windows, Windows { begin: vec![at(85), at(185)], end: vec![at(111), at(201)] });
        assert_eq!(Windows::around(&BTreeSet::new(), &[]), Windows { begin: vec![Timestamp::MIN], end: vec![Timestamp::MAX] });
    }
}
