//! Claiming what is due, oldest first within what belongs together.

use jiff::Timestamp;

use super::{Delivery, delivery};
use crate::columns::time;
use crate::{Store, StoreError};

/// Which deliveries go one after the other: those of one problem to one action, but for the actions named here.
#[derive(Clone, Copy, Debug, Default)]
pub struct DeliveryOrder<'a> {
    /// Actions to which those of one stack go one after the other.
    pub by_stack: &'a [String],
    /// Actions whose deliveries do not wait for each other.
    pub unordered: &'a [String],
}

/// The pending deliveries that wait for no other: the oldest of each problem and action, of each stack and action, and all that
/// are not ordered. `$1`: actions by stack, `$2`: actions without order.
macro_rules! heads_sql {
    () => {
        "heads as (
             select id from (
                 select distinct on (action, problem) id
                 from deliveries
                 where state = 'pending' and action <> all ($1) and action <> all ($2)
                 order by action, problem, created_at, change_id, id
             ) as of_problems
             union all
             select id from (
                 select distinct on (action, stack) id
                 from deliveries
                 where state = 'pending' and action = any ($1)
                 order by action, stack, created_at, change_id, id
             ) as of_stacks
             union all
             select id from deliveries where state = 'pending' and action = any ($2)
         )"
    };
}

impl Store {
    /// Takes deliveries that are due, that nobody else has and that wait for no other, until `lease_until`. The attempt counts
    /// from now on.
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
        let rows = sqlx::query(concat!(
            "with ",
            heads_sql!(),
            ", due as (
                 select id
                 from deliveries
                 where id in (select id from heads)
                   and state = 'pending' and due_at <= $3 and (leased_until is null or leased_until <= $3)
                 order by due_at, id
                 limit $5
                 for update skip locked
             )
             update deliveries
             set attempts = attempts + 1, leased_until = $4
             from due
             where deliveries.id = due.id
             returning deliveries.*, deliveries.incident::text as incident_text, deliveries.context::text as context_text"
        ))
        .bind(order.by_stack)
        .bind(order.unordered)
        .bind(time(now))
        .bind(time(lease_until))
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await?;
        let mut claimed = rows.iter().map(delivery).collect::<Result<Vec<_>, _>>()?;
        claimed.sort_by(|a, b| (a.due_at, &a.id).cmp(&(b.due_at, &b.id)));
        Ok(claimed)
    }

    /// When the next attempt is due, leases of others included; `None` if nothing is pending.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn next_delivery_at(&self, order: DeliveryOrder<'_>) -> Result<Option<Timestamp>, StoreError> {
        let next: Option<jiff_sqlx::Timestamp> = sqlx::query_scalar(concat!(
            "with ",
            heads_sql!(),
            " select min(greatest(due_at, leased_until)) from deliveries where id in (select id from heads)"
        ))
        .bind(order.by_stack)
        .bind(order.unordered)
        .fetch_one(&self.pool)
        .await?;
        Ok(next.map(jiff_sqlx::Timestamp::to_jiff))
    }
}

#[cfg(test)]
mod tests {
    use domain::Millis;
    use sqlx::PgPool;

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
        assert_eq!(store.next_delivery_at(order).await.unwrap(), Some(at(4)), "when its lease ends");
        let retry = AttemptOutcome::Retry { detail: "503".to_owned(), due_at: at(9) };
        finish(&store, "d1", retry).await;
        assert_eq!(claim(&store, 5, order).await, Vec::<String>::new(), "nothing overtakes it");
        assert_eq!(store.next_delivery_at(order).await.unwrap(), Some(at(9)));
        assert_eq!(claim(&store, 9, order).await, ["d1"]);
        store.finish_attempt("d1", 2, at(9), Millis::from_ms(1), AttemptOutcome::Refused { detail: "404".to_owned() }).await.unwrap();
        assert_eq!(claim(&store, 9, order).await, ["d2"], "what was given up holds up nobody");
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn an_action_may_want_another_order_or_none(pool: PgPool) {
        let store = with_three(pool).await;
        let pager = ["pager".to_owned()];
        let by_stack = DeliveryOrder { by_stack: &pager, unordered: &[] };
        assert_eq!(claim(&store, 3, by_stack).await, ["d1"]);
        let unordered = DeliveryOrder { by_stack: &[], unordered: &pager };
        assert_eq!(claim(&store, 3, unordered).await, ["d2", "d3"]);
        assert_eq!(store.next_delivery_at(unordered).await.unwrap(), Some(at(4)));
    }
}
