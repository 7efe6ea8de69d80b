//! gunicorn's worker timeout, with all that a page can show.

use domain::{
    Cause, Claim, Confidence, Diagnosis, Evidence, Fired, Key, Kind, KnownFrom, Layer, LimitMark, MarkKind, Millis, Note, Outcome, Product,
    Reason, SegmentKind, ThreadStack, Timeline,
};
use jiff::Timestamp;

use super::{Sample, advice, cite, evidence, frame, incident, lane, limit, mark, seconds, segment};

/// The request of the sketch: gunicorn's worker timeout fired while a call without a client timeout was open.
pub fn checkout(start: Timestamp, n: u32) -> Sample {
    let id = format!("943c7318-fb19-4876-bcfd-{n:012x}");
    let at = |s| seconds(start, s);
    let evidence = said(start, &id);
    let subject = Key::Request(id.as_str().into());
    let summary = "gunicorn's `--timeout` (30 s) fired; 29.1 s went into `POST payments.internal/charge`, which has no client timeout";
    let mut incident = incident(&subject, Outcome::Timeout, summary);
    incident.function = Some("checkout".into());
    incident.platform = Some(Product::GUNICORN);
    incident.pid = Some(8901);
    incident.instance = Some("web.1".into());
    incident.trace_id = domain::TraceId::parse("1-6a3f1c20-9a8fbf0a9c13eafa397c5a3b");
    (incident.started_at, incident.ended_at, incident.elapsed_ms) = (Some(start), Some(at(30.2)), Some(Millis::from_ms(30_200)));
    incident.original_event = Some(serde_json::json!({ "path": "/checkout", "body": { "cart": 41, "card": "[redacted]" } }).into());
    incident.diagnosis = diagnosis(&evidence);
    incident.timeline = timeline(start);
    Sample { evidence, rejected: Vec::new(), incident }
}

/// What five sources said about it.
fn said(start: Timestamp, id: &str) -> Vec<Evidence> {
    let at = |s| seconds(start, s);
    let claim = |kind, format, raw: &str, s| {
        let mut claim = Claim::new(kind, format, raw);
        claim.request_id = Some(id.into());
        claim.observed_at = Some(at(s));
        claim
    };
    let begun = claim(Kind::WatchdogArmed, "watchdog", "{\"kind\":\"armed\",\"left_ms\":15000}", 15.0);
    let mut fired =
        claim(Kind::WatchdogFired, "watchdog", "recv · http/client.py:286 ← request · payments.py:88 ← checkout · app.py:41", 29.5);
    fired.elapsed_ms = Some(Millis::from_ms(29_500));
    fired.stacks = vec![
        ThreadStack { name: Some("heartbeat".into()), frames: vec![frame("wait", "threading.py", 320)], ..ThreadStack::default() },
        ThreadStack {
            name: Some("MainThread".into()),
            serving: true,
            blocked: None,
            frames: vec![frame("checkout", "app.py", 41), frame("request", "payments.py", 88), frame("recv", "http/client.py", 286)],
        },
    ];
    let fired = fired.with("left_ms", 500.0);
    let mut timeout =
        claim(Kind::WorkerTimeout, "gunicorn", "[2026-11-22 12:04:32 +0000] [8899] [CRITICAL] WORKER TIMEOUT (pid:8901)", 30.0);
    timeout.pid = Some(8901);
    let killed = claim(
        Kind::WorkerKilled,
        "gunicorn",
        "[2026-11-22 12:04:33 +0000] [8899] [ERROR] Worker (pid:8901) was sent SIGKILL! Perhaps out of memory?",
        31.0,
    );
    let passed = claim(Kind::Request, "nginx", &format!("POST /checkout HTTP/1.1\" 502 157 rid={id} rt=30.214"), 30.2);
    let received = at(31.5);
    [("watchdog", begun), ("watchdog", fired), ("gunicorn", timeout), ("gunicorn", killed), ("edge", passed)]
        .map(|(source, claim)| evidence(source, received, claim))
        .into()
}

fn diagnosis(evidence: &[Evidence]) -> Diagnosis {
    Diagnosis {
        layer: Some(Layer::AppServer),
        product: Some(Product::GUNICORN),
        limit: Some(Fired {
            setting: "--timeout".into(),
            value_ms: Some(Millis::from_ms(30_000)),
            known_from: KnownFrom::Configured,
            place: Some("Procfile".into()),
        }),
        cause: Cause {
            id: "no_client_timeout".into(),
            operation: Some("POST payments.internal/charge".into()),
            waited_ms: Some(Millis::from_ms(29_100)),
            confidence: Confidence::Certain,
        },
        confidence: Confidence::Certain,
        contradicted: vec![Note {
            text: "gunicorn asks `Perhaps out of memory?` of a worker that it killed itself one second before".into(),
            evidence: vec![cite(&evidence[3])],
        }],
        consequences: vec![Note { text: "nginx answered 502; its own 60 s had not elapsed".into(), evidence: vec![cite(&evidence[4])] }],
        advice: vec![
            advice(
                "set_client_timeout",
                [Some("timeout"), Some("payments.py:88"), None, Some("10")],
                "None is set: the call waits for ever. Ten seconds leave room for one retry within the worker's limit.",
            ),
            advice(
                "change_setting",
                [Some("--timeout"), Some("Procfile"), Some("30"), Some("45")],
                "Raising it alone hides the problem: `payments.internal` was the slow part. nginx's 60 s stays outside it.",
            ),
        ],
        refuted_by: "a line of the kernel that killed pid 8901 for memory before 12:04:32".into(),
        reasons: vec![
            Reason { text: "The arbiter says so".into(), evidence: vec![cite(&evidence[2])] },
            Reason { text: "30.2 s elapsed; gunicorn looks once a second".into(), evidence: Vec::new() },
            Reason { text: "The serving thread stood in `recv` at 29.5 s".into(), evidence: vec![cite(&evidence[1])] },
        ],
        evidence: evidence.iter().map(cite).collect(),
    }
}

fn timeline(start: Timestamp) -> Timeline {
    let at = |s| seconds(start, s);
    Timeline {
        clocks: Vec::new(),
        starts_at: Some(start),
        ends_at: Some(at(31.0)),
        lanes: vec![
            lane(
                Layer::Router,
                "nginx",
                vec![segment(start, at(30.2), SegmentKind::Wait, "")],
                vec![mark(at(30.2), MarkKind::Line, "502")],
            ),
            lane(
                Layer::AppServer,
                "gunicorn",
                vec![segment(at(0.1), at(30.0), SegmentKind::Fired, "worker 8901")],
                vec![mark(at(30.0), MarkKind::Fired, "WORKER TIMEOUT (pid:8901)"), mark(at(31.0), MarkKind::Line, "SIGKILL")],
            ),
            lane(
                Layer::Application,
                "checkout",
                vec![
                    segment(at(0.2), at(1.1), SegmentKind::Work, "load cart"),
                    segment(at(1.1), at(30.0), SegmentKind::Wait, "waits for payments"),
                ],
                vec![mark(at(15.0), MarkKind::Line, "half the budget is gone"), mark(at(29.5), MarkKind::Stack, "stack: payments.py:88")],
            ),
            lane(
                Layer::Downstream,
                "payments.internal",
                vec![segment(at(1.1), at(30.0), SegmentKind::Unanswered, "POST /charge · 29.1 s")],
                Vec::new(),
            ),
        ],
        limits: vec![
            limit(Some(at(30.0)), Layer::AppServer, "gunicorn --timeout", Some(30), LimitMark::Fired),
            limit(Some(at(60.0)), Layer::Router, "nginx proxy_read_timeout", Some(60), LimitMark::NotReached),
            limit(None, Layer::Downstream, "payments.internal idle_timeout", None, LimitMark::NotReached),
        ],
    }
}
