//! Advisory locks: what must not happen twice at a time across all processes.
//!
//! All of them end with their transaction. Order, so that nobody waits in a circle: retention, then stacks, then partitions.

use sqlx::PgConnection;

/// Our half of the two-part lock numbers; sqlx's migrator uses the one-part kind, which is another space.
pub(crate) const STACKS: i32 = 0x4f56_0001;
pub(crate) const OTHERS: i32 = 0x4f56_0002;
pub(crate) const RETENTION: i32 = 1;
const PARTITIONS: i32 = 2;
const GROUPS: i32 = 3;
const RETRIES: i32 = 4;
const PERSONAL_MAILS: i32 = 5;

/// A query that locks the stacks of a table `taken`. While held, nobody else recomputes incidents of these stacks: whoever comes next sees
/// all that we wrote, and all evidence that we saw, so a stale result never overwrites a fresh one. Retention waits too.
///
/// By number and not by name: two names may share a number, and the order must be one for all. A row is locked once it is joined, and by
/// then the other lock is held. `$3`: [`STACKS`], `$4`: [`OTHERS`], `$5`: [`RETENTION`].
macro_rules! recompute_sql {
    () => {
        "with retention as materialized (
                 select pg_advisory_xact_lock_shared($4, $5)
             )
             select pg_advisory_xact_lock($3, number)
             from retention, (select distinct hashtext(stack) as number from taken order by number) as sorted"
    };
}
pub(crate) use recompute_sql;

/// While held, nobody recomputes and nobody else drops partitions.
pub(crate) async fn retention(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query("select pg_advisory_xact_lock($1, $2)").bind(OTHERS).bind(RETENTION).execute(connection).await?;
    Ok(())
}

/// While held, nobody else creates partitions.
pub(crate) async fn partitions(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query("select pg_advisory_xact_lock($1, $2)").bind(OTHERS).bind(PARTITIONS).execute(connection).await?;
    Ok(())
}

/// While held, nobody else decides whether a group of deliveries is quiet. Taken after changes were claimed, which others
/// skip, so nobody waits in a circle.
pub(crate) async fn groups(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query("select pg_advisory_xact_lock($1, $2)").bind(OTHERS).bind(GROUPS).execute(connection).await?;
    Ok(())
}

/// While held, nobody else decides about a retry, so that caps hold for all processes together. Held alone.
pub(crate) async fn retries(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query("select pg_advisory_xact_lock($1, $2)").bind(OTHERS).bind(RETRIES).execute(connection).await?;
    Ok(())
}

/// While held, nobody else decides whether a person is written to, so that caps hold for all processes together. Held alone.
pub(crate) async fn personal_mails(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query("select pg_advisory_xact_lock($1, $2)").bind(OTHERS).bind(PERSONAL_MAILS).execute(connection).await?;
    Ok(())
}
