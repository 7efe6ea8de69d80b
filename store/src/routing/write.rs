//! Writes what the rules decide.

use jiff::Timestamp;
use sqlx::PgConnection;

use super::{AlertGroup, Inhibition, NewMatch, Plan};
use crate::columns::{indexed, maybe_time, time, times, without_nul};
use crate::deliveries::{self, Written};
use crate::{Lease, StoreError};

/// Takes changes, and writes all of a plan.
pub(super) async fn plan(
    connection: &mut PgConnection,
    taking: &[i64],
    plan: &Plan,
    now: Timestamp,
    lease: Option<Lease<'_>>,
) -> Result<Written, StoreError> {
    let written = deliveries::write(connection, taking, &plan.deliveries, now, lease).await?;
    matches(connection, &plan.matches, now).await?;
    groups(connection, &plan.groups.values().collect::<Vec<_>>(), now).await?;
    inhibitions(connection, &plan.inhibitions.values().collect::<Vec<_>>()).await?;
    silenced(connection, plan, now).await?;
    Ok(written)
}

async fn silenced(connection: &mut PgConnection, plan: &Plan, now: Timestamp) -> sqlx::Result<()> {
    if plan.silenced.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into silenced (incident_id, silence_id, at)
         select incident_id, silence_id, $3 from unnest($1::text[], $2::bigint[]) as given (incident_id, silence_id)
         on conflict do nothing",
    )
    .bind(plan.silenced.iter().map(|(incident, _)| incident.as_str()).collect::<Vec<_>>())
    .bind(plan.silenced.iter().map(|(_, silence)| *silence).collect::<Vec<_>>())
    .bind(time(now))
    .execute(connection)
    .await?;
    Ok(())
}

async fn matches(connection: &mut PgConnection, given: &[NewMatch], now: Timestamp) -> sqlx::Result<()> {
    if given.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into rule_matches (id, group_key, incident_id, at, muted_by, matched_at, rule)
         select id, group_key, incident_id, at, muted_by, $6, rule
         from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::text[], $7::text[])
             as given (id, group_key, incident_id, at, muted_by, rule)
         on conflict (id) do nothing",
    )
    .bind(given.iter().map(|one| indexed(&one.id).into_owned()).collect::<Vec<_>>())
    .bind(given.iter().map(|one| one.group.as_deref().map(|group| indexed(group).into_owned())).collect::<Vec<_>>())
    .bind(given.iter().map(|one| without_nul(&one.incident_id).into_owned()).collect::<Vec<_>>())
    .bind(times(given.iter().map(|one| one.at)))
    .bind(given.iter().map(|one| one.muted_by.as_deref().map(|by| without_nul(by).into_owned())).collect::<Vec<_>>())
    .bind(time(now))
    .bind(given.iter().map(|one| without_nul(&one.rule).into_owned()).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

async fn groups(connection: &mut PgConnection, given: &[&AlertGroup], now: Timestamp) -> sqlx::Result<()> {
    if given.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into alert_groups (key, rule, action, told_at, told_by, more, since, due_at, latest_change, changed_at)
         select key, rule, action, told_at, told_by, more, since, due_at, latest_change, $10
         from unnest(
             $1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::bigint[], $7::timestamptz[], $8::timestamptz[],
             $9::bigint[]
         ) as given (key, rule, action, told_at, told_by, more, since, due_at, latest_change)
         on conflict (key) do update set
             told_at = excluded.told_at,
             told_by = excluded.told_by,
             more = excluded.more,
             since = excluded.since,
             due_at = excluded.due_at,
             latest_change = excluded.latest_change,
             changed_at = excluded.changed_at",
    )
    .bind(given.iter().map(|group| group.key.as_str()).collect::<Vec<_>>())
    .bind(given.iter().map(|group| without_nul(&group.rule).into_owned()).collect::<Vec<_>>())
    .bind(given.iter().map(|group| without_nul(&group.action).into_owned()).collect::<Vec<_>>())
    .bind(given.iter().map(|group| maybe_time(group.told_at)).collect::<Vec<_>>())
    .bind(given.iter().map(|group| group.told_by.as_deref()).collect::<Vec<_>>())
    .bind(given.iter().map(|group| i64::try_from(group.more).unwrap_or(i64::MAX)).collect::<Vec<_>>())
    .bind(given.iter().map(|group| maybe_time(group.since)).collect::<Vec<_>>())
    .bind(given.iter().map(|group| maybe_time(group.due_at)).collect::<Vec<_>>())
    .bind(given.iter().map(|group| group.latest_change).collect::<Vec<_>>())
    .bind(time(now))
    .execute(connection)
    .await?;
    Ok(())
}

async fn inhibitions(connection: &mut PgConnection, given: &[&Inhibition]) -> sqlx::Result<()> {
    if given.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into inhibitions (key, name, problem, incident_id, until)
         select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[])
         on conflict (key) do update set
             name = excluded.name,
             problem = excluded.problem,
             incident_id = excluded.incident_id,
             until = excluded.until",
    )
    .bind(given.iter().map(|one| one.key.as_str()).collect::<Vec<_>>())
    .bind(given.iter().map(|one| without_nul(&one.name).into_owned()).collect::<Vec<_>>())
    .bind(given.iter().map(|one| without_nul(&one.problem).into_owned()).collect::<Vec<_>>())
    .bind(given.iter().map(|one| without_nul(&one.incident_id).into_owned()).collect::<Vec<_>>())
    .bind(times(given.iter().map(|one| one.until)))
    .execute(connection)
    .await?;
    Ok(())
}
