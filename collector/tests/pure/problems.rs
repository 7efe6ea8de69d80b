//! One cause is one problem, whatever differs from request to request and from deploy to deploy.

use std::collections::{BTreeMap, BTreeSet};

use collector::fold;
use domain::Incident;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::json;

use crate::support::{LATER, at, evidence};

/// What differs from one incident to the next.
#[derive(Clone, Debug)]
struct Varying {
    request_id: String,
    uuid: String,
    hash: String,
    number: u32,
    host: u16,
    address: [u8; 4],
    port: u16,
    line: u32,
    depth: usize,
    release: u32,
    second: u32,
}

fn varying() -> impl Strategy<Value = Varying> {
    let uuid = || "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}";
    let ids = (uuid(), uuid(), "[0-9a-f]{12}", any::<u32>());
    let places = (0_u16..9999, any::<[u8; 4]>(), 32_768_u16..=u16::MAX);
    (ids, places, (1_u32..5000, 0_usize..40, 1_u32..900, 0_u32..60)).prop_map(
        |((request_id, uuid, hash, number), (host, address, port), (line, depth, release, second))| Varying {
            request_id,
            uuid,
            hash,
            number,
            host,
            address,
            port,
            line,
            depth,
            release,
            second,
        },
    )
}

/// Calls in which a request hung: each a problem of its own.
const CALLS: usize = 15;
/// Other ways to run out of time.
const WAYS: usize = 20;

/// The call that hangs in the `way`th problem.
fn call(way: usize, v: &Varying) -> (String, String) {
    let Varying { uuid, hash, number, host, port, release, .. } = v;
    let address = v.address.map(|b| b.to_string()).join(".");
    let (operation, target) = match way {
        0 => ("POST".to_owned(), format!("https://payments-{host}.internal/charges/{uuid}?attempt={number}")),
        1 => ("POST".to_owned(), format!("https://payments-{host}.internal/refunds/{uuid}")),
        2 => ("GET".to_owned(), format!("https://payments-{host}.internal/charges/{uuid}")),
        3 => ("GET".to_owned(), format!("shard{host}.db.internal:{port}")),
        4 => ("GET".to_owned(), format!("http://{address}:{port}/users/{number}/orders/{hash}")),
        5 => ("GET".to_owned(), format!("http://{address}:{port}/users/{number}/invoices/{hash}")),
        6 => ("connect".to_owned(), format!("{address}:5432")),
        7 => ("connect".to_owned(), format!("{address}:6379")),
        8 => (format!("SELECT * FROM orders WHERE id = {number} AND state = '{hash}'"), "orders".to_owned()),
        9 => (format!("SELECT * FROM users WHERE id IN ({})", vec!["7"; 1 + v.depth].join(", ")), "users".to_owned()),
        10 => ("Payments/Charge".to_owned(), format!("cache-{host}.internal")),
        11 => ("PUT".to_owned(), format!("s3://exports/{release}/{uuid}.json")),
        12 => ("PUT".to_owned(), format!("s3://imports/{release}/{uuid}.json")),
        13 => (format!("charge (/srv/releases/{release}/payments.py:{})", v.line), "worker".to_owned()),
        _ => ("read".to_owned(), format!("/tmp/{hash}/lock")),
    };
    (operation, target)
}

/// What sources say about one incident of the `way`th problem.
fn told(way: usize, v: &Varying) -> String {
    let time = |ms: u32| format!("2026-11-27T09:{:02}:{:02}.{:03}Z", 10 + v.line % 40, v.second, ms % 1000);
    let stream = format!("2026/11/27/[{}]{}", v.release, v.hash.repeat(2));
    let line = |text: String| {
        json!({"timestamp": time(900), "logGroup": "/aws/lambda/checkout", "logStream": stream, "message": text}).to_string()
    };
    let frames: Vec<_> = (0..v.depth)
        .map(|depth| json!({"function": format!("f{depth}"), "file": format!("/srv/{}/app.py", v.release), "line": v.line}))
        .collect();
    let fired = |function: &str, in_flight: serde_json::Value| {
        json!({
            "kind": "fired", "request_id": v.request_id, "function": function, "platform": "aws_lambda", "limit_ms": 10_000 + v.number % 9,
            "version": v.release.to_string(), "release": v.hash, "instance": stream, "pid": v.line,
            "observed_at": time(800), "elapsed_ms": 9500, "left_ms": 500,
            "stacks": [{"serving": true, "frames": frames}], "in_flight": in_flight,
        })
        .to_string()
    };
    let id = &v.request_id;
    let notice = line(format!("{} {id} Task timed out after 10.01 seconds\n", time(900)));
    if way < CALLS {
        let (operation, target) = call(way, v);
        let started_at = format!("2026-11-27T09:{:02}:{:02}.000Z", 9 + v.line % 40, v.second);
        let call = json!([{"operation": operation, "target": target, "started_at": started_at, "client_timeout_ms": null}]);
        return format!("{}\n{notice}\n", fired("checkout", call));
    }
    match way {
        15 => format!("{}\n{notice}\n", fired("checkout", json!([]))),
        16 => line(format!(
            "REPORT RequestId: {id}\tDuration: {}.00 ms\tBilled Duration: 1 ms\tMemory Size: 128 MB\tMax Memory Used: 128 MB\tStatus: error\tError Type: Runtime.OutOfMemory\n",
            v.number % 9000
        )),
        17 => line(format!("{} {id} Task timed out after 10.01 seconds\n", time(900))).replace("checkout", "cart"),
        18 => line(format!("RequestId: {id} Error: Runtime exited with error: exit status 1\nRuntime.ExitError\n")),
        _ => format!(
            "{}\n",
            json!({"requestId": id, "ip": v.address.map(|b| b.to_string()).join("."), "requestTimeEpoch": 1_795_348_800_000_u64, "httpMethod": "POST",
                "resourcePath": "/charges/{id}", "status": "504", "integrationLatency": "29000", "responseLatency": "29004"})
        ),
    }
}

fn incidents(way: usize, v: &Varying) -> Vec<Incident> {
    fold(&evidence(&told(way, v)), at(LATER)).incidents
}

#[test]
fn a_thousand_incidents_of_twenty_causes_are_twenty_problems() {
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::default()));
    let mut problems: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    let mut count = 0;
    for number in 0..1000 {
        let way = number % WAYS;
        let v = varying().new_tree(&mut runner).expect("a value").current();
        let incidents = incidents(way, &v);
        assert_eq!(incidents.len(), 1, "way {way}: {}", told(way, &v));
        count += incidents.len();
        problems.entry(incidents[0].problem.as_str().to_owned()).or_default().insert(way);
    }
    assert!(problems.values().all(|ways| ways.len() == 1), "problems taken for one: {problems:?}");
    assert_eq!((count, problems.len()), (1000, WAYS), "problems split: {problems:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What cannot be foreseen either way: two incidents of one way agree, of two ways do not.
    #[test]
    fn a_problem_is_its_way(one in varying(), other in varying(), way in 0..WAYS, another in 0..WAYS) {
        let problem = |way, v| incidents(way, v)[0].problem.clone();
        prop_assert_eq!(problem(way, &one), problem(way, &other));
        prop_assert_eq!(problem(way, &one) == problem(another, &other), way == another);
    }
}
