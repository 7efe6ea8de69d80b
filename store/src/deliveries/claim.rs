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

/// How many deliveries that wait for others one claim passes over before it lets the worker do something else. Each is passed
/// over once, so this bounds a turn, not the work.
const PASSED_OVER_MAX: u32 = 2_000;

/// Deliveries looked at together once some that wait are among them.
const LOOKED_AT_MAX: u32 = 250;

/// Whether another pending delivery has to go before `this`: the first of its problem or stack is not it. Asked for as the first
/// by an index, so that no plan reads them all. `$1`: actions by stack, `$2`: actions without order.
macro_rules! is_behind_sql {
    () => {
        "case
             when this.action = any ($2) then false
             when this.action = any ($1) then this.id <> (
                 select first.id
                 from deliveries as first
                 where first.state = 'pending' and first.action = this.action and first.stack = this.stack
                 order by first.created_at, first.change_id, first.id
                 limit 1
             )
             else this.id <> (
                 select first.id
                 from deliveries as first
                 where first.state = 'pending' and first.action = this.action and first.problem = this.problem
                 order by first.created_at, first.change_id, first.id
                 limit 1
             )
         end"
    };
}

impl Store {
    /// Takes deliveries that are due, that nobody else has and that wait for no other, until `lease_until`. The attempt counts
    /// from now on. Fewer than there are may come if many wait for others; then [`Store::next_delivery_at`] says now.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn claim_deliveries(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
        order: DeliveryOrder<'_>,
    ) -> Result<Vec<Delivery>, StoreError> {
        let mut connection = self.pool.acquire().await?;
        claim(&mut connection, Turn { now, lease_until, order }, limit).await
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

/// What one claim goes by.
#[derive(Clone, Copy)]
struct Turn<'a> {
    now: Timestamp,
    lease_until: Timestamp,
    order: DeliveryOrder<'a>,
}

/// Looks at what is due, oldest first, until `limit` are claimed or all was looked at.
async fn claim(connection: &mut PgConnection, turn: Turn<'_>, limit: u32) -> Result<Vec<Delivery>, StoreError> {
    let (mut claimed, mut passed_over) = (Vec::new(), 0);
    let mut look_at = limit;
    while look_at > 0 && passed_over < PASSED_OVER_MAX {
        let left = limit - count(claimed.len());
        let (taken, waiting) = take(connection, turn, look_at, left).await?;
        let is_all = count(taken.len() + waiting.len()) < look_at;
        passed_over += count(waiting.len());
        claimed.extend(taken);
        look_again(connection, turn.order, &waiting).await?;
        look_at = if is_all || count(claimed.len()) >= limit { 0 } else { LOOKED_AT_MAX };
    }
    claimed.sort_by(|a, b| (a.due_at, &a.id).cmp(&(b.due_at, &b.id)));
    Ok(claimed)
}

/// Looks at so many that are due; answers those taken, `limit` at most, and the IDs of those that now wait.
async fn take(connection: &mut PgConnection, turn: Turn<'_>, look_at: u32, limit: u32) -> Result<(Vec<Delivery>, Vec<String>), StoreError> {
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
        is_behind_sql!(),
        " as is_behind
             from due as this
         ), ranked as (
             select id, is_behind, row_number() over (partition by is_behind order by due_at, id) as place
             from judged
         )
         update deliveries
         set attempts = attempts + case when is_behind then 0 else 1 end,
             leased_until = case when is_behind then null else $4 end,
             waits = is_behind
         from ranked
         where deliveries.id = ranked.id and (is_behind or place <= $6)
         returning deliveries.*, deliveries.incident::text as incident_text, deliveries.context::text as context_text"
    ))
    .bind(turn.order.by_stack)
    .bind(turn.order.unordered)
    .bind(time(turn.now))
    .bind(time(turn.lease_until))
    .bind(i64::from(look_at))
    .bind(i64::from(limit))
    .fetch_all(connection)
    .await?;
    let (mut taken, mut waiting) = (Vec::new(), Vec::new());
    for row in &rows {
        if row.try_get("waits")? {
            waiting.push(row.try_get("id")?);
        } else {
            taken.push(delivery(row)?);
        }
    }
    Ok((taken, waiting))
}

/// Looks once more whether these have to wait: what they were behind may have ended after the statement that made them wait
/// had begun, and then nobody else would let them go.
async fn look_again(connection: &mut PgConnection, order: DeliveryOrder<'_>, ids: &[String]) -> sqlx::Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    sqlx::query(concat!(
        "with this as (
             select id, action, problem, stack, created_at, change_id
             from deliveries
             where id = any ($3) and waits
             order by created_at, change_id, id
             for update
         )
         update deliveries set waits = false from this where deliveries.id = this.id and not ",
        is_behind_sql!()
    ))
    .bind(order.by_stack)
    .bind(order.unordered)
    .bind(ids)
    .execute(connection)
    .await?;
    Ok(())
}

/// Lets what may have waited for this one be looked at: the next of its problem and of its stack, whichever the rules go by.
///
/// To be called in the transaction in which it ends. Whether they wait is not asked: somebody may be writing that just now,
/// and then this waits for that. Rows are locked in the order of deliveries, here and wherever waiting ends, so that no two
/// wait for each other.
pub(super) async fn let_next_go(connection: &mut PgConnection, id: &str) -> sqlx::Result<()> {
    sqlx::query(
        "with ended as (
             select action, problem, stack, created_at, change_id, id from deliveries where id = $1
         ), next as (
             select of_problem.id
             from ended, lateral (
                 select id
                 from deliveries as other
                 where other.state = 'pending' and other.action = ended.action and other.problem = ended.problem
                   and (other.created_at, other.change_id, other.id) > (ended.created_at, ended.change_id, ended.id)
                 order by other.created_at, other.change_id, other.id
                 limit 1
             ) as of_problem
             union
             select of_stack.id
             from ended, lateral (
                 select id
                 from deliveries as other
                 where other.state = 'pending' and other.action = ended.action and other.stack = ended.stack
                   and (other.created_at, other.change_id, other.id) > (ended.created_at, ended.change_id, ended.id)
                 order by other.created_at, other.change_id, other.id
                 limit 1
             ) as of_stack
         ), locked as (
             select id from deliveries where id in (select id from next) order by created_at, change_id, id for update
         )
         update deliveries set waits = false from locked where deliveries.id = locked.id",
    )
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
mod tests {
    use domain::Millis;
    use sqlx::{Connection, PgPool};

    use super::*;
    use crate::testing::{at, batch, delivery_to_make, settle, timeout};
    use crate::{AttemptOutcome, Change};

    /// Three incidents of one problem, told to one action.
    async fn with_three(pool: PgPool) -> Store {
        let store = Store::from_pool(pool);
        for minute in 0..3 {
            store.append(&[batch(minute, [timeout(&format!("r{minute}"), minute)])]).await.unwrap();
            settle(&store, minute).await;
        }
        let new = |change: &Change| vec![delivery_to_make(&format!("d{}", change.id), at(3))];
        store.route_changes(at(3), 10, new).await.unwrap();
        store
    }

    async fn claim(store: &Store, minute: i64, order: DeliveryOrder<'_>) -> Vec<String> {
        let claimed = store.claim_deliveries(at(minute), at(minute + 1), 10, order).await.unwrap();
        claimed.into_iter().map(|delivery| delivery.id).collect()
    }

    async fn finish(store: &Store, id: &str, outcome: AttemptOutcome) {
        store.finish_attempt(id, 1, at(3), Millis::from_ms(1), outcome).await.unwrap();
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn those_of_one_problem_go_one_after_the_other(pool: PgPool) {
        let store = with_three(pool).await;
        let order = DeliveryOrder::default();
        assert_eq!(claim(&store, 3, order).await, ["d1"]);
        assert_eq!(claim(&store, 3, order).await, Vec::<String>::new());
        assert_eq!(store.next_delivery_at().await.unwrap(), Some(at(4)), "when its lease ends");
        let retry = AttemptOutcome::Retry { detail: "503".to_owned(), due_at: at(9) };
        finish(&store, "d1", retry).await;
        assert_eq!(claim(&store, 5, order).await, Vec::<String>::new(), "nothing overtakes it");
        assert_eq!(store.next_delivery_at().await.unwrap(), Some(at(9)));
        assert_eq!(claim(&store, 9, order).await, ["d1"]);
        store.finish_attempt("d1", 2, at(9), Millis::from_ms(1), AttemptOutcome::Refused { detail: "404".to_owned() }).await.unwrap();
        assert_eq!(claim(&store, 9, order).await, ["d2"], "what was given up holds up nobody");
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn an_action_may_want_another_order_or_none_from_now_on(pool: PgPool) {
        let store = with_three(pool.clone()).await;
        let other = "update deliveries set incident = (incident::jsonb || '{\"problem\": \"other\"}')::json where id = 'd2'";
        sqlx::query(other).execute(&pool).await.unwrap();
        let pager = ["pager".to_owned()];
        let by_stack = DeliveryOrder { by_stack: &pager, unordered: &[] };
        assert_eq!(claim(&store, 3, by_stack).await, ["d1"]);
        finish(&store, "d1", AttemptOutcome::Delivered { detail: "200".to_owned() }).await;
        assert_eq!(claim(&store, 3, by_stack).await, ["d2"]);
        let unordered = DeliveryOrder { by_stack: &[], unordered: &pager };
        store.look_at_waiting_deliveries().await.unwrap();
        assert_eq!(claim(&store, 3, unordered).await, ["d3"]);
        assert_eq!(store.next_delivery_at().await.unwrap(), Some(at(4)));
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn what_ended_while_another_was_made_to_wait_for_it_holds_up_nobody(pool: PgPool) {
        let store = with_three(pool.clone()).await;
        let order = DeliveryOrder::default();
        assert_eq!(claim(&store, 3, order).await, ["d1"]);
        finish(&store, "d1", AttemptOutcome::Delivered { detail: "200".to_owned() }).await;
        // As a claim leaves it that had begun before.
        sqlx::query("update deliveries set waits = true where id in ('d2', 'd3')").execute(&pool).await.unwrap();
        let mut connection = pool.acquire().await.unwrap();
        look_again(&mut connection, order, &["d2".to_owned(), "d3".to_owned()]).await.unwrap();
        assert_eq!(claim(&store, 3, order).await, ["d2"]);
    }

    /// So many pending deliveries and no others, of one problem or each of its own.
    async fn with_many(pool: &PgPool, many: i32, problem: &str) {
        for statement in [
            "delete from deliveries where id <> (select min(id) from deliveries)",
            "update deliveries set id = 'like this', state = 'pending', waits = false",
        ] {
            sqlx::query(statement).execute(pool).await.unwrap();
        }
        sqlx::query(
            "insert into deliveries (id, change_id, incident_id, rule, action, incident, state, attempts, due_at, created_at)
             select 'n' || number, number, incident_id, rule, action,
                    (incident::jsonb || jsonb_build_object('problem', replace($2, '#', number::text)))::json,
                    'pending', 0, due_at, created_at
             from deliveries, generate_series(1, $1) as number",
        )
        .bind(many)
        .bind(problem)
        .execute(pool)
        .await
        .unwrap();
        sqlx::query("delete from deliveries where id = 'like this'").execute(pool).await.unwrap();
        sqlx::query("vacuum analyze deliveries").execute(pool).await.unwrap();
    }

    /// Rows of `deliveries` that this connection has had read; goes back to zero now and then between transactions.
    async fn read_so_far(connection: &mut PgConnection) -> i64 {
        let read = "select seq_tup_read + idx_tup_fetch from pg_stat_xact_user_tables where relname = 'deliveries'";
        sqlx::query_scalar(read).fetch_one(connection).await.unwrap()
    }

    /// Rows that are read while all of them are claimed, eight at a time, and delivered.
    async fn read_in_all(pool: &PgPool) -> i64 {
        let turn = Turn { now: at(3), lease_until: at(4), order: DeliveryOrder::default() };
        let (mut read, mut connection) = (0, pool.acquire().await.unwrap());
        loop {
            let mut transaction = connection.begin().await.unwrap();
            let before = read_so_far(&mut transaction).await;
            let claimed = super::claim(&mut transaction, turn, 8).await.unwrap();
            next_at(&mut transaction).await.unwrap();
            for delivery in &claimed {
                let done = "update deliveries set state = 'delivered', leased_until = null where id = $1";
                sqlx::query(done).bind(&delivery.id).execute(&mut *transaction).await.unwrap();
                let_next_go(&mut transaction, &delivery.id).await.unwrap();
            }
            read += read_so_far(&mut transaction).await - before;
            transaction.commit().await.unwrap();
            if claimed.is_empty() {
                return read;
            }
        }
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn the_work_grows_with_what_is_delivered_and_not_with_its_square(pool: PgPool) {
        with_three(pool.clone()).await;
        for problem in ["problem #", "one problem"] {
            let mut read = Vec::new();
            for many in [100, 400] {
                with_many(&pool, many, problem).await;
                read.push(read_in_all(&pool).await);
            }
            assert!(read[1] < 8 * read[0], "four times as many deliveries of {problem}: {read:?} rows read");
        }
    }
}
