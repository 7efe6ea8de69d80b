//! Writing new deliveries. What can be sent at once is claimed in the same moment, which is one commit less on its way.

use sqlx::{PgConnection, Row};

use super::{Delivery, DeliveryOrder, Lease, delivery};
use crate::columns::{self, count, indexed, maybe_time, time, times, without_nul};
use crate::{NewDelivery, StoreError};

/// What was written.
#[derive(Default)]
pub(crate) struct Written {
    /// How many changes were taken.
    pub taken: u64,
    /// Deliveries that were claimed: attempts to be made now.
    pub claimed: Vec<Delivery>,
}

/// Takes changes that nobody has taken, and writes deliveries, each because of one of them. Where none is to be taken, deliveries are
/// because of changes that were. Claims those that are due and wait for no other; the rest is left for
/// [`crate::Store::claim_deliveries`]. One that exists already is left alone.
pub(crate) async fn write(
    connection: &mut PgConnection,
    taking: &[i64],
    given: &[(i64, NewDelivery)],
    now: jiff::Timestamp,
    lease: Option<Lease<'_>>,
) -> Result<Written, StoreError> {
    if taking.is_empty() && given.is_empty() {
        return Ok(Written::default());
    }
    let texts = |text: fn(&NewDelivery) -> &str| given.iter().map(|(_, new)| without_nul(text(new)).into_owned()).collect::<Vec<_>>();
    let order = lease.map_or_else(DeliveryOrder::default, |lease| lease.order);
    let rows = sqlx::query(
        "with taken as (
             update incident_changes set routed_at = $10 where id = any ($13) and routed_at is null returning id
         ), given as (
             select
                 given.*,
                 changes.incident_id,
                 changes.incident,
                 changes.incident ->> 'problem' as problem,
                 changes.incident ->> 'stack' as stack
             from unnest($3::text[], $4::bigint[], $5::text[], $6::text[], $7::timestamptz[], $8::text[], $9::text[])
                 as given (id, change_id, rule, action, due_at, group_key, context)
             join incident_changes as changes on changes.id = given.change_id
             where $14 or changes.id in (select id from taken)
         ), foremost as (
             select id
             from (
                 select
                     id,
                     due_at,
                     case
                         when action = any ($2) then false
                         when action = any ($1) then exists (
                             select from deliveries as other
                             where other.state = 'pending' and other.action = this.action and other.stack = this.stack
                         )
                         else exists (
                             select from deliveries as other
                             where other.state = 'pending' and other.action = this.action and other.problem = this.problem
                         )
                     end as is_behind,
                     row_number() over (
                         partition by action, case when action = any ($2) then id when action = any ($1) then stack else problem end
                         order by change_id, id
                     ) as place
                 from given as this
             ) as judged
             where place = 1 and due_at <= $10 and not is_behind
             order by due_at, id
             limit $12
         ), written as (
             insert into deliveries (
                 id, change_id, incident_id, rule, action, incident, state, attempts, due_at, created_at, group_key, context, leased_until
             )
             select
                 given.id, change_id, incident_id, rule, action, incident, 'pending', case when foremost.id is null then 0 else 1 end,
                 due_at, $10, group_key, context::json, case when foremost.id is null then null else $11 end
             from given
             left join foremost on foremost.id = given.id
             on conflict (id) do nothing
             returning *
         )
         select claimed.*, claimed.incident::text as incident_text, claimed.context::text as context_text, taken.count as taken
         from (select count(*) from taken) as taken
         left join written as claimed on claimed.leased_until is not null",
    )
    .bind(order.by_stack)
    .bind(order.unordered)
    .bind(given.iter().map(|(_, new)| indexed(&new.id).into_owned()).collect::<Vec<_>>())
    .bind(given.iter().map(|(change, _)| *change).collect::<Vec<_>>())
    .bind(texts(|new| &new.rule))
    .bind(texts(|new| &new.action))
    .bind(times(given.iter().map(|(_, new)| new.due_at)))
    .bind(given.iter().map(|(_, new)| new.group.as_deref().map(|group| indexed(group).into_owned())).collect::<Vec<_>>())
    .bind(given.iter().map(|(_, new)| columns::json(&new.context)).collect::<Vec<_>>())
    .bind(time(now))
    .bind(maybe_time(lease.map(|lease| lease.until)))
    .bind(lease.map_or(0, |lease| i64::from(lease.limit)))
    .bind(taking)
    .bind(taking.is_empty())
    .fetch_all(connection)
    .await?;
    let mut written = Written::default();
    for row in &rows {
        written.taken = count(row.try_get("taken")?);
        if row.try_get::<Option<&str>, _>("id")?.is_some() {
            written.claimed.push(delivery(row)?);
        }
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use sqlx::PgPool;

    use super::*;
    use crate::testing::{at, batch, delivery_to_make, lease_at, settle, timeout};
    use crate::{AttemptOutcome, Change, Store};

    /// Routes an incident of the one problem that all of them have, in that minute; answers what was claimed with it.
    async fn route(store: &Store, minute: i64, limit: u32) -> Vec<(String, u32)> {
        store.append(&[batch(minute, [timeout(&format!("r{minute}"), minute)])]).await.unwrap();
        settle(store, minute).await;
        let new = |change: &Change| ["a", "b"].map(|name| delivery_to_make(&format!("{name}{}", change.id), at(minute))).to_vec();
        let unordered = ["pager".to_owned()];
        let order = DeliveryOrder { by_stack: &[], unordered: if minute < 5 { &[] } else { &unordered } };
        let routed = store.route_changes(at(minute), 10, new, Some(Lease { limit, order, ..lease_at(minute, minute + 1) })).await.unwrap();
        routed.claimed.into_iter().map(|delivery| (delivery.id, delivery.attempts)).collect()
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn what_can_be_sent_at_once_is_claimed_as_it_is_written(pool: PgPool) {
        let store = Store::from_pool(pool);
        assert_eq!(route(&store, 0, 10).await, [("a1".to_owned(), 1)], "the other goes after it");
        assert_eq!(store.claim_deliveries(lease_at(0, 1)).await.unwrap(), []);
        assert_eq!(store.next_delivery_at().await.unwrap(), Some(at(1)), "when its lease ends");
        assert_eq!(route(&store, 0, 10).await, [], "something goes before it");
        let delivered = AttemptOutcome::Delivered { detail: "200".to_owned() };
        store.finish_attempt("a1", 1, at(0), domain::Millis::from_ms(1), delivered).await.unwrap();
        assert_eq!(store.claim_deliveries(lease_at(0, 1)).await.unwrap()[0].id, "b1");
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn no_more_is_claimed_than_there_is_room_for(pool: PgPool) {
        let store = Store::from_pool(pool);
        assert_eq!(route(&store, 1, 0).await, []);
        assert_eq!(route(&store, 6, 1).await, [("a2".to_owned(), 1)], "where there is no order, nothing goes before it");
        assert_eq!(store.pending_deliveries().await.unwrap(), 4);
    }

    #[sqlx::test(migrator = "crate::MIGRATOR")]
    async fn what_is_due_later_is_not_claimed(pool: PgPool) {
        let store = Store::from_pool(pool);
        store.append(&[batch(0, [timeout("r", 0)])]).await.unwrap();
        settle(&store, 0).await;
        let later = |_: &Change| vec![delivery_to_make("d", at(1))];
        assert_eq!(store.route_changes(at(0), 10, later, Some(lease_at(0, 9))).await.unwrap().claimed, []);
        assert_eq!(store.next_delivery_at().await.unwrap(), Some(at(1)));
    }
}
