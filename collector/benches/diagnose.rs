//! What one request with fifty pieces of evidence costs: correlation and diagnosis together, from claims to the incident.
//!
//! Each figure is the median of several rounds, in microseconds per request.

use std::time::Instant;

use collector::fold;
use collector::parse::{Context, Fate, Format};
use domain::{Evidence, SourceName, StackName};
use jiff::Timestamp;

const ROUNDS: usize = 9;
const REPEATS: u32 = 2000;
const ID: &str = "11111111-2222-4333-8444-555555555555";
/// Noon on 2026-11-22.
const NOON_MS: u64 = 1_795_348_800_000;
/// What the figure should stay under.
const TARGET_US: f64 = 50.0;

fn main() {
    let as_of = Timestamp::from_second(1_800_000_000).expect("a moment");
    for (name, text) in [("spans", with_spans()), ("sections", with_sections())] {
        let evidence = read(&text);
        assert_eq!((evidence.len(), fold(&evidence, as_of).incidents.len()), (50, 1), "{name}");
        let mut rounds: Vec<f64> = (0..ROUNDS)
            .map(|_| {
                let begun = Instant::now();
                for _ in 0..REPEATS {
                    std::hint::black_box(fold(std::hint::black_box(&evidence), as_of));
                }
                begun.elapsed().as_secs_f64() * 1e6 / f64::from(REPEATS)
            })
            .collect();
        rounds.sort_by(f64::total_cmp);
        println!("diagnose, 50 pieces of evidence ({name}): {:.1} us per request (target {TARGET_US:.0})", rounds[ROUNDS / 2]);
    }
}

fn read(text: &str) -> Vec<Evidence> {
    let parsed = Format::Auto.parse(text.as_bytes(), &Context::default());
    let claims = parsed.items.into_iter().filter_map(|item| match item.fate {
        Fate::Evidence(claim) => Some(*claim),
        Fate::Ignored(_) | Fate::Passed(_) | Fate::Rejected(_) => None,
    });
    claims
        .map(|claim| Evidence {
            stack: StackName::default(),
            source: SourceName::from("bench"),
            received_at: Timestamp::from_second(1_800_000_000).expect("a moment"),
            origin: None,
            claim,
        })
        .collect()
}

fn invocation() -> String {
    let line = |ms: u64, text: &str| format!("{{\"timestamp\":{},\"logStream\":\"s\",\"message\":\"{text}\"}}\n", NOON_MS + ms);
    let report = format!(
        "REPORT RequestId: {ID}\\tDuration: 3000.00 ms\\tBilled Duration: 3000 ms\\tMemory Size: 128 MB\\tMax Memory Used: 90 MB\\tStatus: timeout"
    );
    [line(0, &format!("START RequestId: {ID} Version: 7")), line(3000, &format!("END RequestId: {ID}")), line(3000, &report)].concat()
}

/// The invocation, its watchdog's alarm, its own span and the spans of what it called.
fn with_spans() -> String {
    let alarm = format!(
        "{{\"kind\":\"fired\",\"request_id\":\"{ID}\",\"observed_at\":\"2026-11-22T12:00:02.5Z\",\"elapsed_ms\":2500,\"left_ms\":500,\"in_flight\":[{{\"operation\":\"POST\",\"target\":\"payments.internal\",\"started_at\":\"2026-11-22T12:00:01.1Z\",\"client_timeout_ms\":null}}]}}\n"
    );
    let span = |id: u64, parent: &str, kind: u8, from: u64, to: u64, attributes: &str| {
        let nanos = |ms: u64| (NOON_MS + ms) * 1_000_000;
        format!(
            "{{\"resourceSpans\":[{{\"resource\":{{\"attributes\":[{{\"key\":\"service.name\",\"value\":{{\"stringValue\":\"checkout\"}}}}]}},\"scopeSpans\":[{{\"spans\":[{{\"traceId\":\"5b8efff798038103d269b633813fc60c\",\"spanId\":\"{id:016x}\",\"parentSpanId\":\"{parent}\",\"name\":\"call\",\"kind\":{kind},\"startTimeUnixNano\":\"{}\",\"endTimeUnixNano\":\"{}\",\"attributes\":[{attributes}]}}]}}]}}]}}\n",
            nanos(from),
            nanos(to)
        )
    };
    let text = |key: &str, value: &str| format!("{{\"key\":\"{key}\",\"value\":{{\"stringValue\":\"{value}\"}}}}");
    let own = span(1, "", 2, 1, 3000, &text("faas.invocation_id", ID));
    let calls: String = (0..45_u64)
        .map(|n| {
            let attributes = [text("http.request.method", "GET"), text("server.address", &format!("stock-{}.internal", n % 5))].join(",");
            span(n + 2, "0000000000000001", 3, 10 + n * 20, 25 + n * 20, &attributes)
        })
        .collect();
    invocation() + &alarm + &own + &calls
}

/// The invocation and the sections that its watchdog told of.
fn with_sections() -> String {
    let section = |n: u64| {
        format!(
            "{{\"kind\":\"tracepoint\",\"request_id\":\"{ID}\",\"observed_at\":\"2026-11-22T12:00:01.{n:03}Z\",\"left_ms\":1500,\"section\":\"load\",\"phase\":\"opened\"}}\n"
        )
    };
    invocation() + &(0..47).map(section).collect::<String>()
}
