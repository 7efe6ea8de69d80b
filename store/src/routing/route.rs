//! Routing changes: they are looked at without a lock, and taken with what is written because of them. Where several processes look at
//! the same ones, the first takes them.

use jiff::Timestamp;
use sqlx::{Connection, PgConnection, Row};

use super::{Known, Lease, Routed, Router, Wanted, read, write};
use crate::{Change, StoreError, changes, columns, deliveries, locks};

/// See [`crate::Store::route_changes`].
pub(super) async fn run<R: Router>(
    connection: &mut PgConnection,
    now: Timestamp,
    limit: u32,
    router: &R,
    lease: Option<Lease<'_>>,
) -> Result<Routed, StoreError> {
    loop {
        let unseen = look(connection, now, limit).await?;
        if unseen.changes.is_empty() {
            return Ok(Routed::default());
        }
        let done = decide(connection, &unseen, now, router, lease).await?;
        // Otherwise somebody else was quicker, and there may be others.
        if done.changes > 0 {
            return Ok(Routed { more_may_wait: unseen.changes.len() as u64 >= u64::from(limit), ..done });
        }
    }
}

/// Changes that no rule has seen, in order, and what need not be asked for beside them.
struct Unseen {
    changes: Vec<Change>,
    /// Whether any silence holds.
    are_silences: bool,
    /// Whether any rule has matched one of their incidents before.
    are_matches: bool,
}

async fn look(connection: &mut PgConnection, now: Timestamp, limit: u32) -> Result<Unseen, StoreError> {
    let rows = sqlx::query(
        "select
             id,
             at,
             kind,
             previous_state,
             problem_event,
             incident::text as incident,
             exists (select from silences where ends_at is null or ends_at > $2) as are_silences,
             exists (select from rule_matches where rule_matches.incident_id = changes.incident_id) as are_matches
         from incident_changes as changes
         where routed_at is null
         order by id
         limit $1",
    )
    .bind(i64::from(limit))
    .bind(columns::time(now))
    .fetch_all(connection)
    .await?;
    let mut unseen = Unseen { changes: Vec::with_capacity(rows.len()), are_silences: false, are_matches: false };
    for row in &rows {
        unseen.changes.push(changes::change(row)?);
        unseen.are_silences |= row.try_get::<bool, _>("are_silences")?;
        unseen.are_matches |= row.try_get::<bool, _>("are_matches")?;
    }
    Ok(unseen)
}

/// Has the rules decide, and writes that. Of changes that somebody else has taken meanwhile, nothing is written.
async fn decide<R: Router>(
    connection: &mut PgConnection,
    unseen: &Unseen,
    now: Timestamp,
    router: &R,
    lease: Option<Lease<'_>>,
) -> Result<Routed, StoreError> {
    let (mut wanted, matched) = router.look(&unseen.changes);
    wanted.silences &= unseen.are_silences;
    if !wanted.needs_lock() && !unseen.are_matches {
        wanted.matches.clear();
    }
    let taking: Vec<i64> = unseen.changes.iter().map(|change| change.id).collect();
    let decided = if wanted == Wanted::default() { Ok(router.plan(&unseen.changes, matched, Known::default())) } else { Err(matched) };
    if let Ok(plan) = &decided
        && plan.is_of_deliveries()
    {
        let written = deliveries::write(connection, &taking, &plan.deliveries, now, lease).await?;
        return Ok(Routed { changes: written.taken, claimed: written.claimed, more_may_wait: false });
    }
    let mut transaction = connection.begin().await?;
    let plan = match decided {
        Ok(plan) => plan,
        Err(matched) => {
            if wanted.needs_lock() {
                // Whoever held it until now may have written more.
                locks::groups(&mut transaction).await?;
            }
            router.plan(&unseen.changes, matched, read::known(&mut transaction, &wanted, now).await?)
        }
    };
    let written = write::plan(&mut transaction, &taking, &plan, now, lease).await?;
    if written.taken < taking.len() as u64 {
        // What was decided holds for all of them together.
        transaction.rollback().await?;
        return Ok(Routed::default());
    }
    transaction.commit().await?;
    Ok(Routed { changes: written.taken, claimed: written.claimed, more_may_wait: false })
}
