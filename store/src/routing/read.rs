//! Reads what the rules have to know.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::{AlertGroup, Inhibition, Known, Moments, Wanted, WantedRate, WantedWindow, number};
use crate::columns::{indexed, time, times};
use crate::{Change, StoreError, changes, silences};

/// Reads all of it; asks for nothing that is not wanted.
pub(super) async fn known(connection: &mut PgConnection, wanted: &Wanted, now: Timestamp) -> Result<Known, StoreError> {
    let mut known = Known::default();
    if !wanted.matches.is_empty() {
        let found: Vec<String> =
            sqlx::query_scalar("select id from rule_matches where id = any($1)").bind(&wanted.matches).fetch_all(&mut *connection).await?;
        known.matches = found.into_iter().collect();
    }
    if wanted.silences {
        known.silences = silences::active(connection, now).await?;
    }
    if !wanted.groups.is_empty() {
        known.groups = groups(connection, &wanted.groups).await?;
    }
    if !wanted.windows.is_empty() {
        known.windows = windows(connection, &wanted.windows).await?;
    }
    if !wanted.rates.is_empty() {
        known.rates = rates(connection, &wanted.rates).await?;
    }
    if !wanted.inhibitions.is_empty() {
        known.inhibitions = inhibitions(connection, &wanted.inhibitions).await?;
    }
    Ok(known)
}

async fn groups(connection: &mut PgConnection, keys: &[String]) -> Result<HashMap<String, AlertGroup>, StoreError> {
    let rows = sqlx::query(
        "select alert_groups.*, coalesce(deliveries.state = 'parked', false) as is_parked
         from alert_groups
         left join deliveries on deliveries.id = alert_groups.told_by
         where key = any($1)",
    )
    .bind(keys)
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| group(row).map(|group| (group.key.clone(), group))).collect()
}

/// Groups of which a message is due, those that wait longest first, each with its latest change.
pub(super) async fn due_groups(connection: &mut PgConnection, now: Timestamp, limit: u32) -> Result<Vec<(AlertGroup, Change)>, StoreError> {
    let rows = sqlx::query(
        "select
             alert_groups.*,
             false as is_parked,
             incident_changes.id,
             incident_changes.at,
             incident_changes.kind,
             incident_changes.previous_state,
             incident_changes.problem_event,
             incident_changes.incident::text as incident
         from alert_groups
         join incident_changes on incident_changes.id = alert_groups.latest_change
         where due_at <= $1
         order by due_at, key
         limit $2",
    )
    .bind(time(now))
    .bind(i64::from(limit))
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| Ok((group(row)?, changes::change(row)?))).collect()
}

fn group(row: &PgRow) -> Result<AlertGroup, StoreError> {
    let maybe = |column| Ok::<_, sqlx::Error>(row.try_get::<Option<jiff_sqlx::Timestamp>, _>(column)?.map(jiff_sqlx::Timestamp::to_jiff));
    // What was given up told nobody.
    let told_at = if row.try_get("is_parked")? { None } else { maybe("told_at")? };
    Ok(AlertGroup {
        key: row.try_get("key")?,
        rule: row.try_get("rule")?,
        action: row.try_get("action")?,
        told_at,
        told_by: row.try_get("told_by")?,
        more: number(row, "more")?,
        since: maybe("since")?,
        due_at: maybe("due_at")?,
        latest_change: row.try_get("latest_change")?,
    })
}

async fn windows(connection: &mut PgConnection, wanted: &[WantedWindow]) -> Result<HashMap<String, Moments>, StoreError> {
    let rows = sqlx::query(
        "select distinct wanted.group_key, found.at, found.incident_id
         from unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::timestamptz[], $5::bigint[])
             as wanted (group_key, at, from_at, to_at, most)
         cross join lateral (
             (
                 select matches.at, matches.incident_id
                 from rule_matches as matches
                 where matches.group_key = wanted.group_key and muted_by is null
                   and matches.at between wanted.from_at and wanted.at
                 order by matches.at desc
                 limit wanted.most
             )
             union all
             (
                 select matches.at, matches.incident_id
                 from rule_matches as matches
                 where matches.group_key = wanted.group_key and muted_by is null
                   and matches.at > wanted.at and matches.at <= wanted.to_at
                 order by matches.at
                 limit wanted.most
             )
         ) as found",
    )
    .bind(wanted.iter().map(|window| indexed(&window.group).into_owned()).collect::<Vec<_>>())
    .bind(times(wanted.iter().map(|window| window.at)))
    .bind(times(wanted.iter().map(|window| before(window.at, window.within))))
    .bind(times(wanted.iter().map(|window| window.at.saturating_add(window.within).unwrap_or(Timestamp::MAX))))
    .bind(wanted.iter().map(|window| i64::from(window.most)).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    let mut found: HashMap<String, Moments> = HashMap::new();
    for row in &rows {
        let at = row.try_get::<jiff_sqlx::Timestamp, _>("at")?.to_jiff();
        found.entry(row.try_get("group_key")?).or_default().insert((at, row.try_get("incident_id")?));
    }
    Ok(found)
}

async fn rates(connection: &mut PgConnection, wanted: &[WantedRate]) -> Result<HashMap<String, (u64, u64)>, StoreError> {
    let rows = sqlx::query(
        "select
             wanted.group_key,
             count(distinct incident_id) filter (where matches.at > wanted.recent_from) as recent,
             count(distinct incident_id) filter (where matches.at <= wanted.recent_from) as earlier
         from unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::timestamptz[])
             as wanted (group_key, at, recent_from, earlier_from)
         join rule_matches as matches
           on matches.group_key = wanted.group_key and muted_by is null and matches.at > wanted.earlier_from and matches.at <= wanted.at
         group by wanted.group_key",
    )
    .bind(wanted.iter().map(|rate| indexed(&rate.group).into_owned()).collect::<Vec<_>>())
    .bind(times(wanted.iter().map(|rate| rate.at)))
    .bind(times(wanted.iter().map(|rate| before(rate.at, rate.window))))
    .bind(times(
        wanted
            .iter()
            .map(|rate| before(rate.at, rate.window.saturating_mul(1 + i32::try_from(rate.windows_before).unwrap_or(i32::MAX - 1)))),
    ))
    .fetch_all(connection)
    .await?;
    rows.iter().map(|row| Ok((row.try_get("group_key")?, (number(row, "recent")?, number(row, "earlier")?)))).collect()
}

fn before(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_sub(by).unwrap_or(Timestamp::MIN)
}

async fn inhibitions(connection: &mut PgConnection, keys: &[String]) -> Result<HashMap<String, Inhibition>, StoreError> {
    let rows = sqlx::query("select * from inhibitions where key = any($1)").bind(keys).fetch_all(connection).await?;
    let inhibition = |row: &PgRow| {
        let inhibition = Inhibition {
            key: row.try_get("key")?,
            name: row.try_get("name")?,
            problem: row.try_get("problem")?,
            incident_id: row.try_get("incident_id")?,
            until: row.try_get::<jiff_sqlx::Timestamp, _>("until")?.to_jiff(),
        };
        Ok((inhibition.key.clone(), inhibition))
    };
    rows.iter().map(inhibition).collect()
}
