//! The errors node: the stream, where it continues, and what was given up.

use serde_json::{Value, json};
use sqlx::PgPool;
use store::Store;

use crate::support::{self, samples};
use crate::visit;

const STREAM: &str = "/api/overrun/v1/errors/stream";

fn minutes_ago(minutes: i64) -> jiff::Timestamp {
    support::now() - jiff::SignedDuration::from_mins(minutes)
}

/// The CloudEvents of a piece of the stream.
fn events(text: &str) -> Vec<Value> {
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {data}"))).collect()
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_subscriber_gets_what_it_missed_and_then_what_comes(pool: PgPool) {
    let visitor = visit(&pool, &[samples::lambda_timeout("a", minutes_ago(9), 1), samples::lambda_timeout("b", minutes_ago(8), 2)]).await;
    let mut all = visitor.subscribe(&format!("{STREAM}?after=0"), "").await;
    let text = all.until(2, "event: overrun.error").await;
    assert!(text.contains("content-type: text/event-stream") && text.contains("x-accel-buffering: no"), "{text}");
    assert!(text.contains("cache-control: no-store") && text.contains("retry: 2000"), "{text}");
    let both = events(&text);
    assert_eq!([&both[0]["sequence"], &both[1]["sequence"]], [&domain::sequence_text(1), &domain::sequence_text(2)]);
    assert_eq!((&both[0]["type"], &both[0]["data"]["message"]), (&"dev.overrun.error.v1".into(), &"Function timed out".into()));

    // One comes back that had seen the first; one is new and hears of what is to come.
    let mut back = visitor.subscribe(STREAM, "last-event-id: 1\r\n").await;
    assert_eq!(events(&back.until(1, "event: overrun.error").await)[0]["sequence"], domain::sequence_text(2));
    let mut new = visitor.subscribe(STREAM, "").await;
    new.until(1, "retry: 2000").await;
    support::play(&Store::from_pool(pool.clone()), &[samples::lambda_timeout("c", minutes_ago(7), 3)]).await;
    for subscriber in [&mut all, &mut back, &mut new] {
        let event = events(&subscriber.until(1, "event: overrun.error").await).remove(0);
        assert_eq!((&event["sequence"], &event["subject"]), (&domain::sequence_text(3).into(), &"c".into()));
    }
    let list = visitor.json("/api/overrun/v1/errors?after=1").await;
    assert_eq!((list["errors"].as_array().map(Vec::len), &list["last"]), (Some(2), &3.into()));
    assert_eq!(visitor.json("/api/overrun/v1/errors?stack=other").await, json!({ "errors": [], "last": 0 }));
    assert_eq!(visitor.get("/api/overrun/v1/errors?after=x").await.status, 400);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_is_no_longer_kept_is_said(pool: PgPool) {
    let visitor = visit(&pool, &[samples::lambda_timeout("a", minutes_ago(9), 1), samples::lambda_timeout("b", minutes_ago(8), 2)]).await;
    sqlx::query("delete from errors where sequence = 1").execute(&pool).await.expect("deleted");
    let text = visitor.subscribe(&format!("{STREAM}?after=0"), "").await.until(1, "event: overrun.error").await;
    let gap = &events(&text)[0];
    assert_eq!(*gap, json!({ "after": 0, "kept_from": 2, "last": 2 }));
    assert!(text.contains("event: overrun.gap"));
    let mut beyond = visitor.subscribe(&format!("{STREAM}?after=77"), "").await;
    assert_eq!(events(&beyond.until(1, "event: overrun.gap").await)[0]["last"], 2);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_was_given_up_is_sent_again_from_our_own_page_only(pool: PgPool) {
    let visitor = visit(&pool, &[samples::lambda_timeout("a", minutes_ago(9), 1)]).await;
    let store = Store::from_pool(pool.clone());
    store.ask_for_retries("hook", &[samples::lambda_timeout("a", minutes_ago(9), 1).incident], support::now()).await.expect("asked");
    sqlx::query("update deliveries set state = 'parked', last_error = '<b>410</b> Gone'").execute(&pool).await.expect("parked");
    let page = visitor.page("/alerts").await;
    page.says("1 delivery was given up");
    page.says("&#60;b&#62;410&#60;/b&#62; Gone");
    let listed = visitor.json("/api/overrun/v1/deliveries?state=parked").await;
    let id = listed["deliveries"][0]["id"].as_str().expect("one").to_owned();
    let form = format!("id={id}");
    assert_eq!(visitor.submit("/alerts/replay", "https://elsewhere.example", &form).await.status, 403);
    assert_eq!(visitor.press("/api/overrun/v1/deliveries/replay", "https://elsewhere.example").await.status, 403);
    assert_eq!(store.parked_count().await.expect("counted"), 1);
    assert_eq!(visitor.submit("/alerts/replay", "http://overrun", &form).await.status, 303);
    assert_eq!(store.parked_count().await.expect("counted"), 0);
    visitor.page("/alerts").await.lacks("Send again");
}
