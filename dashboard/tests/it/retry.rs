//! Running requests of a problem again: the page, the button, the API.

use serde_json::Value;
use sqlx::PgPool;
use store::{BY_HAND, Store};

use crate::support::samples;
use crate::visit;
use crate::visitor::Visitor;

fn minutes_ago(minutes: i64) -> jiff::Timestamp {
    crate::support::now() - jiff::SignedDuration::from_mins(minutes)
}

async fn of_problem(visitor: &Visitor) -> String {
    let json = visitor.json("/api/overrun/v1/problems").await;
    format!("/problems/{}/retry", json["problems"][0]["id"].as_str().expect("one problem"))
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_would_be_done_is_shown_and_asked_for(pool: PgPool) {
    let visitor =
        visit(&pool, &[samples::lambda_timeout("thumbnail", minutes_ago(9), 1), samples::lambda_timeout("thumbnail", minutes_ago(8), 2)])
            .await;
    let path = of_problem(&visitor).await;
    let page = visitor.page(&path).await;
    assert_eq!(page.heading(), "1 request would be run again, 1 request would be left");
    page.says("would be sent to AWS Lambda &#60;again&#62;");
    page.says("its original event is not known");
    page.says("Run 1 request again");
    let json = visitor.json(&format!("/api/overrun/v1{path}")).await;
    assert_eq!((&json["action"], &json["asked"], &json["forecasts"][0]["outlook"]), (&"again".into(), &0.into(), &"runs".into()));

    // Another site's page cannot ask, and neither can a form without its fields.
    let form = "action=again&since=2026-11-22T00:00:00Z";
    assert_eq!(visitor.submit(&path, "https://elsewhere.example", form).await.status, 403);
    assert_eq!(visitor.press(&format!("/api/overrun/v1{path}"), "https://elsewhere.example").await.status, 403);
    assert_eq!(visitor.press(&path, "http://overrun").await.status, 400);
    assert_eq!(visitor.submit(&path, "http://overrun", "action=none&since=").await.status, 400);
    let store = Store::from_pool(pool);
    assert!(store.deliveries(10).await.expect("read").is_empty());
    let answer = visitor.submit(&path, "http://overrun", form).await;
    assert_eq!((answer.status, answer.header("location")), (303, path.strip_suffix("/retry").map(str::to_owned)));
    let asked = store.deliveries(10).await.expect("read");
    assert_eq!((asked.len(), asked[0].rule.as_str(), asked[0].action.as_str()), (1, BY_HAND, "again"));
    visitor.page(path.strip_suffix("/retry").expect("it ends so")).await.says("by hand");
    let again: Value = serde_json::from_str(&visitor.press(&format!("/api/overrun/v1{path}"), "http://overrun").await.body).expect("JSON");
    assert_eq!(again["asked"], 0, "it is on its way already");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn where_there_is_nothing_nothing_is_asked_for(pool: PgPool) {
    let visitor = visit(&pool, &[samples::lambda_timeout("thumbnail", minutes_ago(9), 1)]).await;
    let path = of_problem(&visitor).await;
    let page = visitor.page(&format!("{path}?since=2026-11-22T12:09:00Z")).await;
    assert_eq!(page.heading(), "No request to run again");
    page.lacks("<form method=\"post\"");
    assert_eq!(visitor.get("/problems/0123456789abcdef/retry").await.status, 404);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn hostile_text_stays_text(pool: PgPool) {
    let visitor = visit(&pool, &[samples::hostile(minutes_ago(5))]).await;
    let page = visitor.page(&of_problem(&visitor).await).await;
    page.lacks("<script>alert");
    page.lacks("\u{202e}");
    page.lacks("\u{1b}");
}
