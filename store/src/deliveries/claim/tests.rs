//! Whose turn it is, whatever else is pending and whoever else claims.

use std::time::Duration;

use domain::Millis;
use sqlx::{Connection, PgPool};

use super::*;
use crate::testing::{at, batch, delivery_to_make, lease_at, number, settle, timeout};
use crate::{AttemptOutcome, Change};

/// Three incidents of one problem, told to one action.
async fn with_three(pool: PgPool) -> Store {
    let store = Store::from_pool(pool);
    for minute in 0..3 {
        store.append(&[batch(minute, [timeout(&format!("r{minute}"), minute)])]).await.unwrap();
        settle(&store, minute).await;
    }
    let new = |change: &Change| vec![delivery_to_make(&format!("d{}", change.id), at(3))];
    store.route_changes(at(3), 10, new, None).await.unwrap();
    store
}

async fn claim(store: &Store, minute: i64, order: DeliveryOrder<'_>) -> Vec<String> {
    let claimed = store.claim_deliveries(Lease { order, ..lease_at(minute, minute + 1) }).await.unwrap();
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
    let behind_first = |id: &str| Waiting { id: id.to_owned(), first: "d1".to_owned() };
    look_again(&mut connection, order, &[behind_first("d2"), behind_first("d3")]).await.unwrap();
    assert_eq!(claim(&store, 3, order).await, ["d2"]);
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn what_is_made_to_wait_while_the_other_ends_is_let_go(pool: PgPool) {
    let store = with_three(pool.clone()).await;
    let order = DeliveryOrder::default();
    sqlx::query("update deliveries set due_at = $1 where id = 'd3'").bind(time(at(9))).execute(&pool).await.unwrap();
    let mut claiming = pool.begin().await.unwrap();
    sqlx::query("update deliveries set waits = true where id = 'd2'").execute(&mut *claiming).await.unwrap();
    assert_eq!(claim(&store, 3, order).await, ["d1"]);
    let delivered = AttemptOutcome::Delivered { detail: "200".to_owned() };
    let blocked = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    tokio::join!(finish(&store, "d1", delivered), async {
        while number(&pool, blocked).await == 0 {}
        claiming.commit().await.unwrap();
    });
    assert_eq!(claim(&store, 3, order).await, ["d2"]);
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn what_comes_while_the_one_before_it_ends_is_let_go(pool: PgPool) {
    let store = with_three(pool.clone()).await;
    let order = DeliveryOrder::default();
    // Not there yet when the end of the first looks for whom to let go.
    sqlx::query("update deliveries set state = 'declined' where id in ('d2', 'd3')").execute(&pool).await.unwrap();
    assert_eq!(claim(&store, 3, order).await, ["d1"]);
    let mut ending = pool.begin().await.unwrap();
    sqlx::query("update deliveries set state = 'delivered', leased_until = null where id = 'd1'").execute(&mut *ending).await.unwrap();
    let_next_go(&mut ending, "d1").await.unwrap();
    sqlx::query("update deliveries set state = 'pending' where id = 'd2'").execute(&pool).await.unwrap();
    let claiming = tokio::spawn({
        let store = store.clone();
        async move { claim(&store, 3, DeliveryOrder::default()).await }
    });
    let blocked = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    while !claiming.is_finished() && number(&pool, blocked).await == 0 {}
    ending.commit().await.unwrap();
    assert_eq!(claiming.await.unwrap(), Vec::<String>::new());
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
    let eight = Lease { limit: 8, ..lease_at(3, 4) };
    let (mut read, mut connection) = (0, pool.acquire().await.unwrap());
    loop {
        let mut transaction = connection.begin().await.unwrap();
        let before = read_so_far(&mut transaction).await;
        let claimed = take_due(&mut transaction, eight).await.unwrap();
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

/// Claims and delivers until nothing is pending.
async fn work(store: Store) {
    while store.pending_deliveries().await.unwrap() > 0 {
        for id in claim(&store, 3, DeliveryOrder::default()).await {
            finish(&store, &id, AttemptOutcome::Delivered { detail: "200".to_owned() }).await;
        }
    }
}

#[sqlx::test(migrator = "crate::MIGRATOR")]
async fn several_that_work_at_once_leave_nothing_waiting(pool: PgPool) {
    let store = with_three(pool.clone()).await;
    with_many(&pool, 200, "problem #").await;
    sqlx::query("update deliveries set incident = (incident::jsonb || jsonb_build_object('problem', (change_id % 7)::text))::json")
        .execute(&pool)
        .await
        .unwrap();
    let workers = [(); 4].map(|()| tokio::spawn(work(store.clone())));
    for worker in workers {
        tokio::time::timeout(Duration::from_secs(30), worker).await.expect("nothing waits for ever").unwrap();
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
