//! The API for programs: the shape of design.md §6, its filters, its paging, its refusals.

use domain::Incident;
use jiff::SignedDuration;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::support::samples;
use crate::visit;

const INCIDENTS: &str = "/api/overrun/v1/incidents";

fn count(page: &Value) -> Option<usize> {
    page["incidents"].as_array().map(Vec::len)
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_incident_has_the_shape_of_explain(pool: PgPool) {
    let sample = samples::lambda_timeout("thumbnail", crate::support::now() - SignedDuration::from_mins(9), 0x3d61_dad3);
    let expected = sample.incident.clone();
    let visitor = visit(&pool, &[sample]).await;
    let page = visitor.json(INCIDENTS).await;
    assert_eq!(page["next"], Value::Null);
    let incident = &page["incidents"][0];
    assert_eq!(serde_json::from_value::<Incident>(incident.clone()).expect("an incident"), expected);
    assert_eq!(incident["diagnosis"]["limit"], json!({ "setting": "Timeout", "value_ms": 3000, "known_from": "claimed" }));
    assert_eq!(incident["instance"], Value::Null);
    assert_eq!(incident["first_seen_at"], crate::support::NOW);
    let one = visitor.json(&format!("{INCIDENTS}/{}", expected.id)).await;
    assert_eq!(&one, incident);
    let evidence = visitor.json(&format!("{INCIDENTS}/{}/evidence", expected.id)).await;
    assert_eq!((evidence["evidence"].as_array().map(Vec::len), &evidence["evidence_left_out"]), (Some(2), &json!(0)));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn incidents_are_filtered_by_every_parameter(pool: PgPool) {
    let visitor = visit(&pool, &samples::all(crate::support::now())).await;
    for (query, expected) in [
        ("", 50),
        ("?limit=200", 60),
        ("?function=checkout", 17),
        ("?layer=gateway&limit=5", 5),
        ("?state=lost", 1),
        ("?outcome=out_of_memory", 1),
        ("?stack=other", 0),
        ("?q=thumbnail", 23),
        ("?q=943c7318-fb19-4876-bcfd-000000000003", 1),
        ("?from=2026-11-22T12:00:00Z&to=1795349400000", 2),
        ("?from=&function=checkout&layer=", 17),
    ] {
        assert_eq!(count(&visitor.json(&format!("{INCIDENTS}{query}")).await), Some(expected), "{query}");
    }
    let problem = visitor.json(&format!("{INCIDENTS}?function=checkout&limit=1")).await["incidents"][0]["problem"].clone();
    let same = visitor.json(&format!("{INCIDENTS}?problem={}", problem.as_str().expect("text"))).await;
    assert_eq!(count(&same), Some(17));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn next_leads_to_the_page_after(pool: PgPool) {
    let visitor = visit(&pool, &samples::all(crate::support::now())).await;
    let mut ids = Vec::new();
    let mut path = format!("{INCIDENTS}?limit=30");
    loop {
        let page = visitor.json(&path).await;
        ids.extend(page["incidents"].as_array().expect("a list").iter().map(|incident| incident["id"].to_string()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("{INCIDENTS}?limit=30&before={next}");
    }
    let all = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!((all, ids.len()), (60, 60));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn bad_parameters_are_named(pool: PgPool) {
    let visitor = visit(&pool, &[]).await;
    for (query, parameter, expected, found) in [
        ("from=yesterday", "from", "a time as RFC 3339 (2026-11-22T12:00:00Z) or in milliseconds since 1970", "yesterday"),
        ("limit=9999", "limit", "a number from 1 to 200", "9999"),
        ("state=open", "state", "one of suspected, confirmed, survived, lost", "open"),
    ] {
        let answer = visitor.get(&format!("{INCIDENTS}?{query}")).await;
        let body: Value = serde_json::from_str(&answer.body).expect("JSON");
        let error = format!("`{parameter}`: expected {expected}, found `{found}`");
        let expected = json!({ "error": error, "parameter": parameter, "expected": expected, "found": found });
        assert_eq!((answer.status, body), (400, expected), "{query}");
    }
    let misspelt = visitor.get(&format!("{INCIDENTS}?functoin=x")).await;
    assert_eq!(misspelt.status, 400);
    misspelt.says("one of from, to, stack, function");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_request_comes_with_incidents_and_evidence(pool: PgPool) {
    let visitor = visit(&pool, &[samples::checkout(crate::support::now() - SignedDuration::from_mins(6), 1)]).await;
    let path = "/api/overrun/v1/requests/943c7318-fb19-4876-bcfd-000000000001";
    let request = visitor.json(path).await;
    assert_eq!(request["stack"], "default");
    assert_eq!(request["attempts"], 1);
    assert_eq!(count(&request), Some(1));
    assert_eq!(request["evidence"].as_array().map(Vec::len), Some(5));
    assert_eq!(visitor.get(&format!("{path}?stack=other")).await.status, 404);
    assert_eq!(visitor.get(&format!("{path}?stak=other")).await.status, 400);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_is_not_there_is_404_and_what_cannot_be_asked_503(pool: PgPool) {
    let visitor = visit(&pool, &[]).await;
    for path in ["incidents/0123456789abcdef01234567", "incidents/x", "incidents/x/evidence", "requests/x", "requests/%00", "nowhere"] {
        let answer = visitor.get(&format!("/api/overrun/v1/{path}")).await;
        let body: Value = serde_json::from_str(&answer.body).expect("JSON");
        assert_eq!((answer.status, body["error"].is_string()), (404, true), "{path}");
    }
    pool.close().await;
    let answer = visitor.get(INCIDENTS).await;
    assert_eq!((answer.status, answer.header("retry-after").as_deref()), (503, Some("5")));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_description_names_paths_that_are_there(pool: PgPool) {
    let visitor = visit(&pool, &[samples::lambda_timeout("f", crate::support::now() - SignedDuration::from_mins(9), 1)]).await;
    let description = visitor.json("/api/overrun/openapi.json").await;
    let id = visitor.json(INCIDENTS).await["incidents"][0]["id"].as_str().expect("an ID").to_owned();
    let paths = description["paths"].as_object().expect("paths");
    assert_eq!(paths.len(), 15);
    let asked = json!({ "matchers": { "function": "f" }, "lasts": "1h" });
    assert_eq!(visitor.post_json("/api/overrun/v1/silences", &asked).await.status, 200);
    let problem = visitor.json("/api/overrun/v1/problems").await["problems"][0]["id"].as_str().expect("an ID").to_owned();
    for (path, _) in paths.iter().filter(|(path, verbs)| verbs["get"].is_object() && !path.ends_with("/stream")) {
        let path = path
            .replace("problems/{id}", &format!("problems/{problem}"))
            .replace("silences/{id}", "silences/1")
            .replace("{id}", &id)
            .replace("{request_id}", "6f747a63-ce41-11e7-8cfe-000000000001");
        visitor.json(&path).await;
    }
    let parameters = description["paths"][INCIDENTS]["get"]["parameters"].as_array().expect("parameters");
    let query: Vec<_> = parameters.iter().filter_map(|parameter| parameter["name"].as_str()).map(|name| format!("{name}=")).collect();
    visitor.json(&format!("{INCIDENTS}?{}", query.join("&"))).await;
}
