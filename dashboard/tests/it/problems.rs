//! Problems over HTTP: with data, with none, with hostile text; and the word that one is resolved.

use jiff::SignedDuration;
use sqlx::PgPool;

use crate::support::samples;
use crate::visit;
use crate::visitor::Visitor;

const PROBLEMS: &str = "/api/overrun/v1/problems";

fn minutes_ago(minutes: i64) -> jiff::Timestamp {
    crate::support::now() - SignedDuration::from_mins(minutes)
}

/// The address of the page of the only problem there is.
async fn only_problem(visitor: &Visitor) -> String {
    let list = visitor.json(PROBLEMS).await;
    assert_eq!(list["problems"].as_array().map(Vec::len), Some(1), "{list}");
    format!("/problems/{}", list["problems"][0]["id"].as_str().expect("an ID"))
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_list_shows_what_is_open_and_links_to_what_it_counts(pool: PgPool) {
    let visitor = visit(&pool, &samples::all(crate::support::now())).await;
    let page = visitor.page("/problems").await;
    assert_eq!(page.heading(), "7 problems open");
    page.says("17 incidents");
    let counted: Vec<_> = page.between("<p class=\"problem-count\"><a href=\"", "\"");
    assert_eq!(counted.len(), 7);
    assert_eq!(visitor.page(&counted[0].replace("&#38;", "&")).await.status, 200);
    let overview = visitor.page("/").await;
    overview.says("href=\"/problems/");
    assert_eq!(visitor.page("/problems?state=resolved").await.heading(), "No problem is resolved");
    assert_eq!(visitor.page("/problems?function=nowhere").await.heading(), "No problem of nowhere is open");
    assert_eq!(visitor.get("/problems?state=shut").await.status, 400);
    let first = visitor.page("/problems?limit=5").await;
    let older = first.between("rel=\"next\" href=\"", "\"").remove(0).replace("&#38;", "&");
    assert_eq!(visitor.page(&older).await.heading(), "2 problems open");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_empty_list_says_what_to_send(pool: PgPool) {
    let visitor = visit(&pool, &[]).await;
    let page = visitor.page("/problems").await;
    assert_eq!(page.heading(), "No problem is open");
    page.says("overrun ship --to http://127.0.0.1:4318");
    assert_eq!(visitor.json(PROBLEMS).await, serde_json::json!({ "problems": [], "next": null }));
    for path in ["/problems/0123456789abcdef", "/problems/x", "/problems/%00"] {
        assert_eq!(visitor.get(path).await.status, 404, "{path}");
        assert_eq!(visitor.get(&format!("/api/overrun/v1{path}")).await.status, 404, "{path}");
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_problem_shows_verdict_advice_and_telling_incidents(pool: PgPool) {
    let mut told: Vec<_> = (0..3_u32).map(|n| samples::checkout(minutes_ago(6 + i64::from(n) * 60), n)).collect();
    told[0].incident.release = Some("1.4.3".to_owned());
    let visitor = visit(&pool, &told).await;
    let page = visitor.page(&only_problem(&visitor).await).await;
    assert_eq!(
        page.heading(),
        "gunicorn's --timeout (30\u{a0}s) fired; 29.1\u{a0}s went into POST payments.internal/charge, which has no client timeout"
    );
    page.says("3 incidents");
    page.says("--timeout 30 → 45");
    page.says("with a stack");
    page.says("1.4.3");
    page.says("release=1.4.3");
    page.says("not named");
    page.says("No alert rule sent any of its incidents anywhere.");
    let list = page.between("<a class=\"plain\" href=\"", "\"").remove(0);
    assert_eq!(visitor.page(&list).await.heading(), "3 incidents that match");
    let json = visitor.json(&format!("/api/overrun/v1{}", only_problem(&visitor).await)).await;
    assert_eq!((&json["incidents"], &json["state"], &json["cause"]), (&3.into(), &"open".into(), &"no_client_timeout".into()));
    assert_eq!(json["releases"].as_array().map(Vec::len), Some(2));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_problem_is_resolved_from_its_page_only(pool: PgPool) {
    let visitor = visit(&pool, &[samples::lambda_timeout("thumbnail", minutes_ago(9), 1)]).await;
    let problem = only_problem(&visitor).await;
    let button = visitor.page(&problem).await.between("<form method=\"post\" action=\"", "\"").remove(0);
    assert_eq!(visitor.press(&button, "https://elsewhere.example").await.status, 403);
    assert_eq!(visitor.press(&format!("/api/overrun/v1{button}"), "https://elsewhere.example").await.status, 403);
    let answer = visitor.press(&button, "http://overrun").await;
    assert_eq!((answer.status, answer.header("location")), (303, Some(problem.clone())));
    let page = visitor.page(&problem).await;
    page.says("It was not seen since it was resolved");
    page.says("somebody on the dashboard");
    assert_eq!(visitor.page("/problems").await.heading(), "No problem is open");
    assert_eq!(visitor.page("/").await.heading(), "No problem is open");
    let again = visitor.press(&format!("/api/overrun/v1{problem}/reopen"), "http://overrun").await;
    assert_eq!(again.status, 200);
    assert_eq!(visitor.page("/problems").await.heading(), "1 problem open");
    assert_eq!(visitor.press("/problems/0123456789abcdef/resolve", "http://overrun").await.status, 404);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn hostile_text_stays_text(pool: PgPool) {
    let mut sample = samples::hostile(minutes_ago(5));
    sample.incident.release = Some("<script>alert(1)</script>\u{202e}".to_owned());
    let visitor = visit(&pool, &[sample]).await;
    for path in ["/problems".to_owned(), only_problem(&visitor).await] {
        let page = visitor.page(&path).await;
        page.lacks("<script>alert");
        page.lacks("\u{202e}");
        page.lacks("\u{1b}");
    }
}
