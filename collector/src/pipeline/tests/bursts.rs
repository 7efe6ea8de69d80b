//! Failures on one path, one after the other: the daemon says of each what `overrun explain` says of it, however many lie around it
//! and in whatever order and batches their lines come.

use domain::{Evidence, Millis, StackName};
use jiff::Timestamp;
use sqlx::PgPool;
use store::Store;

use super::equivalence::{evidence, folded, stored, take};

/// Failures in one run.
const FAILURES: u32 = 12;

/// nginx 1.22's two lines of a request that it gave up on after five seconds, of which the second names it, and gunicorn's behind it
/// (layout as in `tests/it/layers.rs`).
fn failure(stack: &StackName, number: u32, begin: Timestamp, client: &str) -> [Vec<Evidence>; 2] {
    let id = format!("{number:032x}");
    let (end, done) = (Millis::from_ms(5003).after(begin), Millis::from_ms(7000).after(begin));
    let error = format!(
        "{} [error] 5116#5116: *{number} upstream timed out (110: Connection timed out) while reading response header from upstream, \
         client: {client}, server: , request: \"GET /pay HTTP/1.1\", upstream: \"http://127.0.0.1:8796/pay\", host: \"shop\"\n",
        end.strftime("%Y/%m/%d %H:%M:%S")
    );
    let stamp = |at: Timestamp| at.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string();
    let access =
        format!("{client} - - [{}] \"GET /pay HTTP/1.1\" 504 167 \"-\" \"curl/7.88.1\" rt=5.003 urt=5.003 us=504 rid={id}\n", stamp(end));
    let served = format!("127.0.0.1 - - [{}] \"GET /pay HTTP/1.1\" 200 5 \"-\" \"-\" 7000000 rid={id} pid=<7>\n", stamp(done));
    let named = [evidence(stack, "lb-1", access.as_bytes()), evidence(stack, "web-1", served.as_bytes())].concat();
    [evidence(stack, "lb-1", error.as_bytes()), named]
}

/// Lines of a run, some of which were lost on the way; `gap_ms` apart, on average.
fn lines(stack: &StackName, random: &mut fastrand::Rng, gap_ms: i64, clients: u8) -> Vec<Evidence> {
    let mut at: Timestamp = "2026-11-28T01:00:00.123Z".parse().expect("a time");
    let mut all = Vec::new();
    for number in 0..FAILURES {
        at = Millis::from_ms(random.i64(0..=2 * gap_ms)).after(at);
        let client = format!("10.0.0.{}", random.u8(0..clients));
        for part in failure(stack, number, at, &client) {
            if random.u8(0..10) < 8 {
                all.extend(part);
            }
        }
    }
    all
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn each_failure_of_a_burst_is_told_as_explain_tells_it(pool: PgPool) {
    let store = Store::from_pool(pool);
    for (seed, gap_ms) in [50, 400, 1000, 1500].into_iter().enumerate() {
        for clients in [1, 3] {
            let stack = StackName::from(format!("every {gap_ms} ms from {clients} clients"));
            let mut random = fastrand::Rng::with_seed(seed as u64);
            let mut all = lines(&stack, &mut random, gap_ms, clients);
            let expected = folded(&all);
            assert!(expected.len() > 6, "{stack}");
            random.shuffle(&mut all);
            let mut rest = &all[..];
            while !rest.is_empty() {
                let (batch, later) = rest.split_at(random.usize(1..=rest.len().min(6)));
                take(&store, batch).await;
                rest = later;
            }
            assert_eq!(stored(&store, &stack).await, expected, "{stack}");
        }
    }
}
