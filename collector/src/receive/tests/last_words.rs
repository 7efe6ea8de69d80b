//! What a process says in the moment of its death, over a connection that only its death ends.

use std::time::Duration;

use super::*;

const SPEAKER: &str = "{\"pid\": 8, \"instance\": \"web-1\", \"platform\": \"gunicorn\", \"limit_ms\": 30000}\n";
const DUMP: &str = include_str!("../../../../tests/fixtures/last_words/python.txt");

/// A body that is sent in these pieces and then left open.
fn left_open(pieces: &[&str]) -> Body {
    let pieces: Vec<Result<String, io::Error>> = pieces.iter().map(|piece| Ok((*piece).to_owned())).collect();
    Body::from_stream(futures_util::StreamExt::chain(futures_util::stream::iter(pieces), futures_util::stream::pending()))
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn they_are_stored_while_the_connection_is_still_open(pool: PgPool) {
    let bench = Bench::new(pool);
    let (half, rest) = DUMP.split_at(DUMP.len() / 2);
    let router = bench.http.clone();
    let body = left_open(&[&SPEAKER[..9], &SPEAKER[9..], half, rest]);
    let open = tokio::spawn(router.oneshot(Request::post("/v1/watchdog/last_words").body(body).expect("a request")));
    let evidence = loop {
        let evidence = bench.evidence("order-7").await;
        if !evidence.is_empty() {
            break evidence;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!((evidence.len(), evidence[0].claim.kind), (1, domain::Kind::WatchdogFired));
    assert!(evidence[0].claim.stacks[0].frames.iter().any(|frame| frame.function == "native_wait_gil"));
    assert!(!open.is_finished());
    // The stop of the daemon does not wait for a process that may live for weeks.
    bench.stop.cancel();
    let answered = open.await.expect("no panic").expect("routers do not fail");
    assert_eq!(answered.status(), 200);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn places_and_patience_are_bounded(pool: PgPool) {
    let options = ReceiveOptions { last_words_open_max: 1, last_words_idle_ms_max: 300, ..ReceiveOptions::default() };
    let bench = Bench::with(pool, options);
    let post = |body| bench.post("/v1/watchdog/last_words", &[], body);
    let silent = post(left_open(&[SPEAKER]));
    let second = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        post(left_open(&[SPEAKER])).await
    };
    let (silent, second) = tokio::join!(silent, second);
    assert_eq!((silent.status, second.status), (200, 503));
    assert_eq!(second.header("retry-after"), Some("2"));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn who_does_not_say_who_speaks_is_refused(pool: PgPool) {
    let bench = Bench::new(pool);
    for body in ["who?\n", "{\"pid\": \"x\"}\n"] {
        let answered = bench.post("/v1/watchdog/last_words", &[], body).await;
        assert_eq!(answered.status, 400, "{body}");
    }
    assert_eq!(bench.post("/v1/watchdog/last_words", &[], SPEAKER).await.status, 200);
}
