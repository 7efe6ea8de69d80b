//! Silences: begun and ended from pages and by the API, shown where they hold.

use serde_json::json;
use sqlx::PgPool;

use crate::support::samples;
use crate::visit;
use crate::visitor::Visitor;

const PATH: &str = "/api/overrun/v1/silences";

async fn with_problem(pool: &PgPool) -> (Visitor, String) {
    let at = crate::support::now() - jiff::SignedDuration::from_mins(9);
    let visitor = visit(pool, &[samples::lambda_timeout("thumbnail", at, 1)]).await;
    let list = visitor.json("/api/overrun/v1/problems").await;
    let problem = list["problems"][0]["id"].as_str().expect("an ID").to_owned();
    (visitor, problem)
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_problem_is_silenced_from_its_page_only(pool: PgPool) {
    let (visitor, problem) = with_problem(&pool).await;
    let page = format!("/problems/{problem}");
    let form = visitor.page(&page).await.between("<form class=\"silence\" method=\"post\" action=\"", "\"").remove(0);
    let wish = "lasts=4h&comment=known+%3Cscript%3Ealert(1)%3C%2Fscript%3E";
    assert_eq!(visitor.submit(&form, "https://elsewhere.example", wish).await.status, 403);
    let answer = visitor.submit(&form, "http://overrun", wish).await;
    assert_eq!((answer.status, answer.header("location")), (303, Some(page.clone())));
    for place in [page.clone(), "/alerts".to_owned(), visitor.only_incident().await] {
        let shown = visitor.page(&place).await;
        shown.says("<b>Silenced</b> by somebody on the dashboard until");
        shown.says(": known ");
        shown.lacks("<script>alert");
    }
    visitor.page(&page).await.says(">silenced</span>");
    let end = visitor.page("/alerts").await.between("<form method=\"post\" action=\"", "\"").remove(0);
    assert_eq!(visitor.press(&end, "https://elsewhere.example").await.status, 403);
    assert_eq!(visitor.press(&end, "http://overrun").await.header("location"), Some(page.clone()));
    visitor.page(&page).await.lacks("Silenced");
    visitor.page("/alerts").await.lacks("Silences");
    for (wish, status) in [("lasts=soon", 400), ("", 400), ("lasts=900d", 400), ("lasts=resolved", 303)] {
        assert_eq!(visitor.submit(&form, "http://overrun", wish).await.status, status, "{wish}");
    }
    visitor.page(&page).await.says("until its problem is resolved");
    // That it is resolved ends it.
    visitor.press(&format!("{page}/resolve"), "http://overrun").await;
    visitor.page(&page).await.lacks("<b>Silenced</b>");
    assert_eq!(visitor.submit("/problems/0123456789abcdef/silence", "http://overrun", "lasts=1h").await.status, 404);
    assert_eq!(visitor.press("/silences/77/end", "http://overrun").await.status, 404);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn programs_silence_by_fields_and_conditions(pool: PgPool) {
    let (visitor, problem) = with_problem(&pool).await;
    let asked =
        json!({ "matchers": { "function": "thumbnail" }, "condition": "incident.attempt == 1", "lasts": "2h", "created_by": "ada" });
    let added = visitor.post_json(PATH, &asked).await;
    assert_eq!(added.status, 200, "{}", added.body);
    let added: serde_json::Value = serde_json::from_str(&added.body).expect("JSON");
    assert_eq!((&added["holds"], &added["created_by"], &added["matchers"]), (&true.into(), &"ada".into(), &asked["matchers"]));
    let list = visitor.json(PATH).await;
    assert_eq!(list["silences"], json!([added]));
    let one = format!("{PATH}/{}", added["id"]);
    assert_eq!(visitor.json(&one).await, added);
    let ended = visitor.delete(&one).await;
    assert_eq!((ended.status, ended.body.contains("\"holds\":false")), (200, true), "{}", ended.body);
    assert_eq!(visitor.json(PATH).await["silences"], json!([]));
    for (wrong, said) in [
        (json!({ "matchers": { "funktion": "x" }, "lasts": "1h" }), "unknown field `funktion`"),
        (json!({ "condition": "bad", "lasts": "1h" }), "a CEL condition"),
        (json!({ "matchers": { "function": "x" } }), "one of `lasts`"),
        (json!({ "matchers": { "function": "x" }, "until_resolved": true }), "one of `lasts`"),
        (json!({ "matchers": { "function": "x" }, "ends_at": "2020-01-01T00:00:00Z" }), "an end within a year from now"),
        (json!({ "matcher": {} }), "unknown field `matcher`"),
    ] {
        let answer = visitor.post_json(PATH, &wrong).await;
        assert_eq!(answer.status, 400, "{wrong}");
        answer.says(said);
    }
    let until = visitor.post_json(PATH, &json!({ "matchers": { "problem": problem }, "until_resolved": true })).await;
    assert!(until.body.contains("\"ends_at\":null"), "{}", until.body);
    let incident = visitor.json(&format!("/api/overrun/v1{}", visitor.only_incident().await)).await;
    assert_eq!(incident["silences"][0]["holds"], true);
    assert_eq!(visitor.get(&format!("{PATH}/999")).await.status, 404);
    assert_eq!(visitor.get(&format!("{PATH}/x")).await.status, 404);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_incident_says_which_rules_matched_and_why_none_told_of_it(pool: PgPool) {
    let (visitor, _) = with_problem(&pool).await;
    let incident = visitor.only_incident().await;
    visitor.page(&incident).await.says("No alert rule asked for this incident");
    let rows = "insert into rule_matches (id, rule, incident_id, at, muted_by, matched_at)
                select 'a', 'pages', id, at, 'inhibit one <b>page', at from incidents union all select 'b', 'sums', id, at, null, at from incidents";
    sqlx::query(rows).execute(&pool).await.expect("written");
    let page = visitor.page(&incident).await;
    page.says("kept it from being told.");
    page.says("inhibit one &#60;b&#62;page");
    page.says("counts it with others of its group, and tells of them together.");
    page.lacks("No alert rule asked for this incident");
}
