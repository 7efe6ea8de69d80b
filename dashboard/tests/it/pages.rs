//! The whole dashboard over HTTP, against a real database: with data, with none, with hostile text.

use jiff::SignedDuration;
use sqlx::PgPool;
use store::{AttemptOutcome, NewDelivery, Store};

use crate::support::samples;
use crate::visitor::Answer;
use crate::{open, visit};

fn minutes_ago(minutes: i64) -> jiff::Timestamp {
    crate::support::now() - SignedDuration::from_mins(minutes)
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_overview_says_what_is_wrong(pool: PgPool) {
    let visitor = visit(&pool, &samples::all(crate::support::now())).await;
    let page = visitor.page("/").await;
    assert_eq!(page.heading(), "7 problems open; most often thumbnail: AWS Lambda's function timeout (3\u{a0}s) fired");
    page.says("59 requests overran in the last 24 hours.");
    page.says("layer-app_server");
    page.says("of the limit");
    page.says("silent");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_empty_overview_says_what_to_send(pool: PgPool) {
    let page = visit(&pool, &[]).await.page("/").await;
    assert_eq!(page.heading(), "Nothing has arrived yet");
    page.says("overrun ship --to http://127.0.0.1:4318");
    page.says("curl http://127.0.0.1:4318/v1/push/auto");
    page.says("overrun demo");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn old_traffic_is_shown_although_the_last_day_is_empty(pool: PgPool) {
    let visitor = visit(&pool, &[samples::lambda_timeout("thumbnail", minutes_ago(60 * 24 * 400), 1)]).await;
    assert_eq!(visitor.page("/").await.heading(), "1 problem known; thumbnail: AWS Lambda's function timeout (3\u{a0}s) fired");
    assert_eq!(visitor.page("/?window=1h").await.heading(), "Nothing overran in the last hour");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_incident_shows_verdict_reasons_and_timeline(pool: PgPool) {
    let sample = samples::checkout(minutes_ago(6), 1);
    let visitor = visit(&pool, &[sample]).await;
    let page = visitor.page(&visitor.only_incident().await).await;
    assert_eq!(
        page.heading(),
        "gunicorn's --timeout (30\u{a0}s) fired; 29.1\u{a0}s went into POST payments.internal/charge, which has no client timeout"
    );
    page.says("--timeout 30 → 45");
    page.says("limit-fired");
    page.says("gunicorn --timeout 30 s, fired");
    page.says("payments.internal idle_timeout (value not known), not reached");
    page.says("http/client.py:286");
    page.says("[redacted]");
    for (link, _) in page.between("href=\"#e-", "\"").iter().zip(0..) {
        page.says(&format!("id=\"e-{link}\""));
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_is_unknown_is_said_as_unknown(pool: PgPool) {
    let visitor = visit(&pool, &[samples::no_times()]).await;
    let page = visitor.page(&visitor.only_incident().await).await;
    page.says("No source gave a time for this request, so there is no axis to draw.");
    page.says("gunicorn --timeout (value not known), fired");
    page.says("request ID not given by any source");
    page.says("duration not known");
    page.lacks("<svg class=\"timeline");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn hostile_text_stays_text_on_every_page(pool: PgPool) {
    let sample = samples::hostile(minutes_ago(5));
    let request = sample.incident.request_id.clone().expect("it has one");
    let visitor = visit(&pool, &[sample]).await;
    let incident = visitor.only_incident().await;
    let asked = visitor.json("/api/overrun/v1/incidents").await;
    assert_eq!(asked["incidents"][0]["request_id"], request.as_str(), "the JSON has it as it was sent");
    let on_incident = visitor.page(&incident).await;
    let request_page = on_incident.between("href=\"/requests/", "\"").first().map(|id| format!("/requests/{id}")).expect("a link");
    for path in ["/", "/incidents", "/sources", &incident, &request_page, "/search?q=nowhere%3Cscript%3Ealert(1)%3C/script%3E%1B"] {
        let page = visitor.page(path).await;
        for bad in ["<script>", "\u{1b}", "\u{202e}", "alert(1)</script>"] {
            page.lacks(bad);
        }
        page.says("&#60;script&#62;alert(1)");
    }
    on_incident.says("⟨ESC⟩[31m⟨U+202E⟩");
    on_incident.says("more characters in the JSON");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn incidents_are_filtered_and_paged(pool: PgPool) {
    let visitor = visit(&pool, &samples::all(crate::support::now())).await;
    assert_eq!(visitor.page("/incidents?function=checkout&state=&layer=").await.heading(), "17 incidents of checkout");
    assert_eq!(visitor.page("/incidents?layer=queue").await.heading(), "No incidents that match");
    let mut seen = Vec::new();
    let mut path = "/incidents?limit=25".to_owned();
    loop {
        let page = visitor.page(&path).await;
        seen.extend(page.between("class=\"verdict\"><a href=\"", "\""));
        match page.between("rel=\"next\" href=\"", "\"").first() {
            Some(next) => path = next.replace("&#38;", "&"),
            None => break,
        }
    }
    let shown = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!((shown, seen.len()), (60, 60), "every incident stands on one page");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn no_incidents_no_sources_no_alerts(pool: PgPool) {
    let visitor = visit(&pool, &[]).await;
    assert_eq!(visitor.page("/incidents").await.heading(), "No incidents so far");
    assert_eq!(visitor.page("/sources").await.heading(), "Nothing has arrived yet");
    assert_eq!(visitor.page("/alerts").await.heading(), "Nobody was told of anything yet");
    assert_eq!(visitor.page("/search").await.heading(), "Search");
    assert_eq!(visitor.page("/search?q=nothing").await.heading(), "Nothing is known of “nothing”");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_search_leads_to_the_only_hit(pool: PgPool) {
    let visitor = visit(&pool, &samples::all(crate::support::now())).await;
    let id = "943c7318-fb19-4876-bcfd-000000000003";
    let answer = visitor.get(&format!("/search?q={id}")).await;
    assert_eq!(answer.status, 303);
    let incident = visitor.page(&answer.header("location").expect("it leads somewhere")).await;
    incident.says(id);
    assert_eq!(visitor.page("/search?q=gunicorn").await.heading(), "18 incidents for “gunicorn”");
    assert_eq!(visitor.get("/search?q=a%00b").await.status, 400);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_request_shows_all_that_was_said_about_it(pool: PgPool) {
    let visitor = visit(&pool, &[samples::checkout(minutes_ago(6), 1)]).await;
    let page = visitor.page("/requests/943c7318-fb19-4876-bcfd-000000000001").await;
    page.says("Perhaps out of memory?");
    page.says("contradicted");
    page.says("/incidents/");
    for unknown in ["/requests/nope", "/requests/a%00b", "/requests/%2e%2e%2f"] {
        let answer = visitor.get(unknown).await;
        assert_eq!((answer.status, answer.heading().as_str()), (404, "Nothing is known of this request"), "{unknown}");
        answer.says("What to check");
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn sources_show_fates_and_rejected_lines(pool: PgPool) {
    let page = visit(&pool, &[samples::checkout(minutes_ago(6), 1), samples::no_times()]).await.page("/sources").await;
    assert_eq!(page.heading(), "1 source silent, 1 heard of in the last hour");
    page.says("expected a log line, found `⟨ESC⟩[2J`");
    page.says("⟨ESC⟩[31m&#60;b&#62;what");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn deliveries_are_shown_with_their_attempts(pool: PgPool) {
    let visitor = visit(&pool, &[samples::checkout(minutes_ago(6), 1)]).await;
    let store = Store::from_pool(pool);
    let now = crate::support::now();
    let delivery = |id: &str| NewDelivery {
        id: id.into(),
        rule: "all".into(),
        action: "oncall".into(),
        due_at: now,
        group: None,
        context: store::DeliveryContext::default(),
    };
    store.route_changes(now, 10, |_: &store::Change| vec![delivery("d1"), delivery("d2")], None).await.expect("routed");
    let lease = store::Lease { now, until: now, limit: 10, order: store::DeliveryOrder::default() };
    let claimed = store.claim_deliveries(lease).await.expect("claimed");
    visitor.page("/alerts").await.says("goes after an older one");
    for claimed in claimed {
        let outcome = AttemptOutcome::Refused { detail: "410 <b>Gone</b>".into() };
        store.finish_attempt(&claimed.id, claimed.attempts, now, domain::Millis::from_ms(41), outcome).await.expect("written");
    }
    let alerts = visitor.page("/alerts").await;
    assert_eq!(alerts.heading(), "Alerts: 1 given up, 1 on the way");
    alerts.says("410 &#60;b&#62;Gone");
    visitor.page(&visitor.only_incident().await).await.says("refused after 41 ms");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn every_answer_carries_the_headers(pool: PgPool) {
    let visitor = visit(&pool, &[]).await;
    for path in ["/", "/nowhere", "/incidents?limit=x", "/static/overrun.css", "/api/overrun/v1/incidents", "/metrics", "/healthz"] {
        let answer = visitor.get(path).await;
        let policy = answer.header("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
        assert_eq!(answer.header("x-content-type-options").as_deref(), Some("nosniff"), "{path}");
        assert_eq!(answer.header("referrer-policy").as_deref(), Some("same-origin"), "{path}");
        assert_eq!(answer.header("cross-origin-opener-policy").as_deref(), Some("same-origin"), "{path}");
    }
    visitor.page("/").await.lacks("style=\"");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn errors_are_pages_in_plain_words(pool: PgPool) {
    let visitor = visit(&pool, &[]).await;
    let check = async |path: &str, status: u16, heading: &str| {
        let answer: Answer = visitor.get(path).await;
        assert_eq!((answer.status, answer.heading().as_str()), (status, heading), "{path}");
    };
    check("/nowhere", 404, "There is no such page").await;
    check("/incidents/0123", 404, "There is no such incident").await;
    check("/incidents/%00", 404, "There is no such incident").await;
    check("/incidents/0123456789abcdef01234567", 404, "There is no such incident").await;
    check("/incidents?state=open", 400, "The parameter `state` could not be understood").await;
    check("/?window=2h", 400, "The parameter `window` could not be understood").await;
    pool.close().await;
    for path in ["/", "/incidents", "/sources", "/alerts", "/requests/x", "/search?q=x", "/incidents/0123456789abcdef01234567"] {
        let answer = visitor.get(path).await;
        assert_eq!((answer.status, answer.heading().as_str()), (503, "The database does not answer"), "{path}");
        assert_eq!(answer.header("retry-after").as_deref(), Some("5"));
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn health_is_told_apart_from_readiness(pool: PgPool) {
    let visitor = visit(&pool, &[]).await;
    let metrics = visitor.get("/metrics").await;
    assert_eq!(metrics.header("content-type").as_deref(), Some("text/plain; version=0.0.4; charset=utf-8"));
    metrics.says("# HELP overrun_test_things_total things");
    assert_eq!((visitor.get("/healthz").await.status, visitor.get("/readyz").await.status), (200, 200));
    pool.close().await;
    let ready = visitor.get("/readyz").await;
    assert_eq!((visitor.get("/healthz").await.status, ready.status), (200, 503));
    ready.says("not ready: the database does not answer");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn all_links_start_with_the_path_of_the_public_url(pool: PgPool) {
    let store = Store::from_pool(pool);
    crate::support::play(&store, &[samples::checkout(minutes_ago(6), 1)]).await;
    let visitor = open(store, "https://example.com/tools/overrun/").await;
    for path in
        ["/tools/overrun/", "/", "/tools/overrun/incidents", "/incidents", "/tools/overrun/static/overrun.css", "/tools/overrun/readyz"]
    {
        assert_eq!(visitor.get(path).await.status, 200, "{path}");
    }
    let page = visitor.page("/").await;
    let outside: Vec<_> =
        page.between("href=\"", "\"").into_iter().filter(|href| !href.starts_with("/tools/overrun/") && !href.starts_with('#')).collect();
    assert_eq!(outside, Vec::<String>::new());
}
