//! Claiming what is due, oldest first within what belongs together.

use jiff::Timestamp;
use sqlx::{PgConnection, Row};

use super::{Delivery, delivery};
use crate::columns::{time, without_nul};
use crate::{Store, StoreError};

/// Which deliveries go one after the other: those of one problem to one action, but for the actions named here.
#[derive(Clone, Copy, Debug, Default)]
pub struct DeliveryOrder<'a> {
    /// Actions to which those of one stack go one after the other.
    pub by_stack: &'a [String],
    /// Actions whose deliveries do not wait for each other.
    pub unordered: &'a [String],
}

/// What a claim takes, for how long, and in which order.
#[derive(Clone, Copy, Debug)]
pub struct Lease<'a> {
    /// What is due by now.
    pub now: Timestamp,
    /// When others may have it.
    pub until: Timestamp,
    /// So many at most.
    pub limit: u32,
    /// What goes after what.
    pub order: DeliveryOrder<'a>,
}

/// How many deliveries that wait for others one claim passes over before it lets the worker do something else. Each is passed
/// over once, so this bounds a turn, not the work.
const PASSED_OVER_MAX: u32 = 2_000;

/// Deliveries looked at together once some that wait are among them.
const LOOKED_AT_MAX: u32 = 250;

/// The first pending delivery of those to the same action with the same `$column` as `this`, `$beyond` some point if need be. Asked
/// for as the first by an index, so that no plan reads them all.
macro_rules! first_of_sql {
    ($column:literal, $beyond:literal) => {
        concat!(
            "(
                 select first.id
                 from deliveries as first
                 where first.state = 'pending' and first.action = this.action and first.",
            $column,
            " = this.",
            $column,
            $beyond,
            "
                 order by first.created_at, first.change_id, first.id
                 limit 1
             )"
        )
    };
}

/// The pending delivery that goes first of those that go one after the other with `this`: itself if it waits for none.
/// `$1`: actions by stack, `$2`: actions without order.
macro_rules! first_sql {
    () => {
        concat!(
            "case when this.action = any ($2) then this.id when this.action = any ($1) then ",
            first_of_sql!("stack", ""),
            " else ",
            first_of_sql!("problem", ""),
            " end"
        )
    };
}

/// The pending delivery that comes next after `this`.
macro_rules! next_sql {
    ($column:literal) => {
        first_of_sql!($column, " and (first.created_at, first.change_id, first.id) > (this.created_at, this.change_id, this.id)")
    };
}

impl Store {
    /// Takes deliveries that are due, that nobody else has and that wait for no other. The attempt counts from now on. Fewer than
    /// there are may come if many wait for others; then [`Store::next_delivery_at`] says now.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn claim_deliveries(&self, lease: Lease<'_>) -> Result<Vec<Delivery>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        take_due(&mut connection, lease).await
    }

    /// When the next attempt is due, leases of others included; `None` if nothing is pending.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn next_delivery_at(&self) -> Result<Option<Timestamp>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        Ok(next_at(&mut connection).await?)
    }

    /// Has all that waits looked at again: what goes after what is for the rules to say, and they may have changed; and a
    /// process that died in the middle of a claim may have made wait what need not.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn look_at_waiting_deliveries(&self) -> Result<(), StoreError> {
        sqlx::query(
            "with this as (
                 select id from deliveries where waits order by created_at, change_id, id for update
             )
             update deliveries set waits = false from this where deliveries.id = this.id",
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

/// Looks at what is due, oldest first, until as many are claimed as may be or all was looked at.
async fn take_due(connection: &mut PgConnection, lease: Lease<'_>) -> Result<Vec<Delivery>, StoreError> {
    let (mut claimed, mut passed_over) = (Vec::new(), 0);
    let mut look_at = lease.limit;
    while look_at > 0 && passed_over < PASSED_OVER_MAX {
        let left = lease.limit - count(claimed.len());
        let (taken, waiting) = take(connection, Lease { limit: left, ..lease }, look_at).await?;
        let is_all = count(taken.len() + waiting.len()) < look_at;
        passed_over += count(waiting.len());
        claimed.extend(taken);
        look_again(connection, lease.order, &waiting).await?;
        look_at = if is_all || count(claimed.len()) >= lease.limit { 0 } else { LOOKED_AT_MAX };
    }
    claimed.sort_by(|a, b| (a.due_at, &a.id).cmp(&(b.due_at, &b.id)));
    Ok(claimed)
}

/// A delivery that was made to wait, and the one that it is behind.
struct Waiting {
    id: String,
    first: String,
}

/// Looks at so many that are due; answers those taken and those that now wait.
async fn take(connection: &mut PgConnection, lease: Lease<'_>, look_at: u32) -> Result<(Vec<Delivery>, Vec<Waiting>), StoreError> {
    let rows = sqlx::query(concat!(
        "with due as (
             select id, action, problem, stack, due_at, created_at, change_id
             from deliveries
             where state = 'pending' and not waits and due_at <= $3 and (leased_until is null or leased_until <= $3)
             order by due_at, id
             limit $5
             for update skip locked
         ), judged as (
             select id, due_at, ",
        first_sql!(),
        " as first
             from due as this
         ), ranked as (
             select id, first, first <> id as is_behind, row_number() over (partition by first <> id order by due_at, id) as place
             from judged
         )
         update deliveries
         set attempts = attempts + case when is_behind then 0 else 1 end,
             leased_until = case when is_behind then null else $4 end,
             waits = is_behind
         from ranked
         where deliveries.id = ranked.id and (is_behind or place <= $6)
         returning deliveries.*, deliveries.incident::text as incident_text, deliveries.context::text as context_text, ranked.first"
    ))
    .bind(lease.order.by_stack)
    .bind(lease.order.unordered)
    .bind(time(lease.now))
    .bind(time(lease.until))
    .bind(i64::from(look_at))
    .bind(i64::from(lease.limit))
    .fetch_all(connection)
    .await?;
    let (mut taken, mut waiting) = (Vec::new(), Vec::new());
    for row in &rows {
        if row.try_get("waits")? {
            waiting.push(Waiting { id: row.try_get("id")?, first: row.try_get("first")? });
        } else {
            taken.push(delivery(row)?);
        }
    }
    Ok((taken, waiting))
}

/// Looks once more whether these have to wait: what they are behind may have ended before anybody could see that they wait, and
/// then nobody else would let them go.
///
/// Whoever ends it holds its row from then until the commit. So once that row was ours for a moment, its end either is seen here, or
/// comes later and sees them.
async fn look_again(connection: &mut PgConnection, order: DeliveryOrder<'_>, waiting: &[Waiting]) -> sqlx::Result<()> {
    if waiting.is_empty() {
        return Ok(());
    }
    sqlx::query("select from deliveries where id = any ($1) order by created_at, change_id, id for share")
        .bind(waiting.iter().map(|one| one.first.as_str()).collect::<Vec<_>>())
        .execute(&mut *connection)
        .await?;
    sqlx::query(concat!(
        "with this as (
             select id, action, problem, stack, created_at, change_id
             from deliveries
             where id = any ($3) and waits
             order by created_at, change_id, id
             for update
         )
         update deliveries set waits = false from this where deliveries.id = this.id and this.id = ",
        first_sql!()
    ))
    .bind(order.by_stack)
    .bind(order.unordered)
    .bind(waiting.iter().map(|one| one.id.as_str()).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// Lets what may have waited for this one be looked at: the next of its problem and of its stack, whichever the rules go by.
///
/// To be called in the transaction in which it ends. Whether they wait is seen once they are locked: somebody may be writing
/// that just now. Rows are locked in the order of deliveries, here and wherever waiting ends, so that no two wait for each other.
pub(super) async fn let_next_go(connection: &mut PgConnection, id: &str) -> sqlx::Result<()> {
    sqlx::query(concat!(
        "with this as (
             select action, problem, stack, created_at, change_id, id from deliveries where id = $1
         ), locked as (
             select id, waits
             from deliveries
             where id in (select ",
        next_sql!("problem"),
        " from this union all select ",
        next_sql!("stack"),
        " from this)
             order by created_at, change_id, id
             for update
         )
         update deliveries set waits = false from locked where deliveries.id = locked.id and locked.waits"
    ))
    .bind(without_nul(id))
    .execute(connection)
    .await?;
    Ok(())
}

/// When the next attempt is due. What is leased stands first among what is due, and is no more than runs at a time.
async fn next_at(connection: &mut PgConnection) -> sqlx::Result<Option<Timestamp>> {
    let next: Option<jiff_sqlx::Timestamp> = sqlx::query_scalar(
        "select least(
             (select due_at
              from deliveries
              where state = 'pending' and not waits and leased_until is null
              order by due_at, id
              limit 1),
             (select leased_until
              from deliveries
              where state = 'pending' and leased_until is not null
              order by leased_until
              limit 1)
         )",
    )
    .fetch_one(connection)
    .await?;
    Ok(next.map(jiff_sqlx::Timestamp::to_jiff))
}

/// How many; never more than were asked for, which is a `u32`.
fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
