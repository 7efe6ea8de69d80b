//! Writes what the rules decide.

use jiff::Timestamp;
use sqlx::PgConnection;

use super::{AlertGroup, Inhibition, NewDelivery, NewMatch, Plan};
use crate::columns::{self, indexed, maybe_time, time, times, without_nul};

/// Writes all of it.
pub(super) async fn plan(connection: &mut PgConnection, plan: &Plan, now: Timestamp) -> sqlx::Result<()> {
    deliveries(connection, &plan.deliveries, now).await?;
    matches(connection, &plan.matches, now).await?;
    groups(connection, &plan.groups.values().collect::<Vec<_>>(), now).await?;
    inhibitions(connection, &plan.inhibitions.values().collect::<Vec<_>>()).await?;
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

async fn deliveries(connection: &mut PgConnection, given: &[(i64, NewDelivery)], now: Timestamp) -> sqlx::Result<()> {
    if given.is_empty() {
        return Ok(());
    }
    let texts = |text: fn(&NewDelivery) -> &str| given.iter().map(|(_, new)| without_nul(text(new)).into_owned()).collect::<Vec<_>>();
    sqlx::query(
        "insert into deliveries (
             id, change_id, incident_id, rule, action, incident, state, attempts, due_at, created_at, group_key, context
         )
         select
             given.id, changes.id, changes.incident_id, given.rule, given.action, changes.incident, 'pending', 0, given.due_at, $8,
             given.group_key, given.context::json
         from unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::text[])
             as given (id, change_id, rule, action, due_at, group_key, context)
         join incident_changes as changes on changes.id = given.change_id
         on conflict (id) do nothing",
    )
    .bind(given.iter().map(|(_, new)| indexed(&new.id).into_owned()).collect::<Vec<_>>())
    .bind(given.iter().map(|(change, _)| *change).collect::<Vec<_>>())
    .bind(texts(|new| &new.rule))
    .bind(texts(|new| &new.action))
    .bind(times(given.iter().map(|(_, new)| new.due_at)))
    .bind(given.iter().map(|(_, new)| new.group.as_deref().map(|group| indexed(group).into_owned())).collect::<Vec<_>>())
    .bind(given.iter().map(|(_, new)| columns::json(&new.context)).collect::<Vec<_>>())
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
