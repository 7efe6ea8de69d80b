use axum::extract::ConnectInfo;
use serde_json::json;

use super::*;

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn lines_are_stored_and_counted_by_fate(pool: PgPool) {
    let bench = Bench::new(pool);
    let body = format!("{}an application's own words\nbroken \0 line\n{}", report(&id(1)), report(&id(2)));
    for (path, body) in [("/v1/push/auto", body.clone().into_bytes()), ("/v1/push/lambda_text?source=cw", gzip(body.as_bytes()))] {
        let encoding = if path.contains('?') { GZIP } else { ("accept", "*/*") };
        let answer = bench.post(path, &[TEXT, encoding], body).await;
        let reason = "expected text, found a NUL byte in it";
        assert_eq!(
            (answer.status, answer.json()),
            (202, json!({"accepted": 4, "ignored": 1, "rejected": [{"line": 4, "reason": reason}], "rejected_more": 0})),
            "{path}"
        );
    }
    let sources: Vec<_> = bench.evidence(&id(2)).await.into_iter().map(|evidence| evidence.source.to_string()).collect();
    assert_eq!(sources.iter().filter(|source| *source == "cw").count(), 2, "{sources:?}");
    assert_eq!(bench.items("auto", "rejected"), 1);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn who_sends_is_said_by_parameters_or_headers(pool: PgPool) {
    let bench = Bench::new(pool);
    bench
        .post("/v1/push/auto?stack=shop&function=checkout", &[("overrun-instance", "web-1"), ("overrun-stack", "other")], report(&id(1)))
        .await;
    let evidence = bench.evidence(&id(1)).await.remove(0);
    assert_eq!((evidence.stack.as_str(), evidence.source.as_str()), ("shop", "push"));
    assert_eq!(evidence.claim.instance.map(|i| i.to_string()).as_deref(), Some("web-1"));
    assert_eq!(evidence.claim.function.map(|f| f.to_string()).as_deref(), Some("checkout"));
    let refused = bench.post(&format!("/v1/push/auto?stack={}", "x".repeat(2000)), &[], "").await;
    assert_eq!((refused.status, refused.json()), (400, json!({"error": "expected `stack` of at most 1024 bytes, found 2000"})));
    assert_eq!(bench.post("/v1/push/auto?stack=a%00b", &[], "").await.status, 400);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn secrets_in_lines_are_not_stored(pool: PgPool) {
    let bench = Bench::new(pool);
    let request = |id: &str| {
        format!(
            "127.0.0.1 - - [22/Nov/2026:12:00:13 +0000] \"GET /pay?order=7&token=s3cret HTTP/1.1\" 200 5 \"-\" \"-\" 6980000 rid={id} pid=<7>\n"
        )
    };
    bench.post("/v1/push/gunicorn", &[TEXT], format!("{}{{\"password\":\"s3cret\"\n\0", request(&id(1)))).await;
    let claim = bench.evidence(&id(1)).await.remove(0).claim;
    assert_eq!(claim.text("path"), Some("/pay?order=7&token=[redacted]"));
    assert!(claim.raw.contains("token=[redacted] HTTP/1.1") && claim.raw.ends_with("pid=<7>"), "{}", claim.raw);
    let stored: i64 = sqlx::query_scalar("select count(*) from evidence_v1 where claim::text like '%s3cret%'")
        .fetch_one(bench.store.pool())
        .await
        .expect("a count");
    assert_eq!(stored, 0);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn equal_process_ids_of_two_machines_stay_apart(pool: PgPool) {
    let bench = Bench::new(pool);
    let lines = format!("[2023-12-28 11:04:25 +0000] [306] [CRITICAL] WORKER TIMEOUT (pid:322)\n{}", report(&id(1)));
    for peer in ["10.0.0.1:5000", "[::ffff:10.0.0.2]:5000"] {
        let mut request = Request::post("/v1/push/auto").body(Body::from(lines.clone())).expect("a request");
        request.extensions_mut().insert(ConnectInfo(peer.parse::<SocketAddr>().expect("an address")));
        assert_eq!(bench.send(request).await.status, 202);
    }
    let keys: Vec<String> = sqlx::query_scalar("select key from evidence_v1 where kind = 'worker_timeout' order by key")
        .fetch_all(bench.store.pool())
        .await
        .expect("keys");
    assert_eq!(keys, ["worker/322/10.0.0.1", "worker/322/10.0.0.2"]);
    let named = bench.evidence(&id(1)).await;
    assert!(named.iter().all(|evidence| evidence.claim.instance.is_none()), "what has a name of its own needs no address: {named:?}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_large_body_becomes_several_batches_and_a_repeated_one_none(pool: PgPool) {
    let bench = Bench::new(pool);
    let body: String = (0..3000).map(|n| report(&id(n))).collect();
    for _ in 0..2 {
        let answer = bench.post("/v1/push/lambda_text", &[TEXT], body.clone()).await;
        assert_eq!((answer.status, answer.json()["accepted"].clone()), (202, json!(6000)));
    }
    let rows: i64 = sqlx::query_scalar("select count(*) from evidence_v1").fetch_one(bench.store.pool()).await.expect("a count");
    assert_eq!((rows, bench.receiver.pipeline.metrics().batches_repeated.get()), (6000, 3));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_long_line_costs_itself_only(pool: PgPool) {
    let bench = Bench::new(pool);
    let body = format!("{}{}\n{}", report(&id(1)), "x".repeat(1 << 20), report(&id(2)));
    let answer = bench.post("/v1/push/auto", &[TEXT], body).await.json();
    assert_eq!((&answer["accepted"], &answer["rejected"][0]["line"]), (&json!(4), &json!(3)));
    assert!(answer["rejected"][0]["reason"].as_str().expect("a reason").starts_with("expected a line of at most 262144 bytes"), "{answer}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn firehose_gets_the_answer_that_it_demands(pool: PgPool) {
    let bench = Bench::new(pool);
    let id = ("x-amz-firehose-request-id", "0b6a7c1d-2e3f-4051-8263-748596a7b8c9");
    let delivery = include_bytes!("../../../../tests/fixtures/firehose/delivery.json").to_vec();
    for _ in 0..2 {
        let answer = bench.post("/v1/push/firehose", &[("content-type", "application/json"), id], delivery.clone()).await;
        assert_eq!((answer.status, answer.json()["requestId"].clone()), (200, json!(id.1)));
        assert!(answer.json()["timestamp"].is_i64());
    }
    let evidence = bench.evidence("0f1d8d1e-6a41-4a8e-8a7e-2f4a6f1f7c11").await;
    let own = evidence.iter().filter(|one| one.claim.request_id.is_some()).count();
    assert_eq!(own, 4, "the same delivery twice is one: {evidence:#?}");
    let refused = bench.post("/v1/push/firehose", &[id], "{}").await;
    assert_eq!((refused.status, refused.json()["requestId"].clone()), (400, json!(id.1)));
    assert!(refused.json()["errorMessage"].as_str().is_some_and(|reason| reason.contains("expected a Firehose delivery")));
}
