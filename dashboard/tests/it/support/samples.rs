//! The made-up requests themselves.

use domain::{
    Advice, Cause, Citation, Claim, Confidence, Diagnosis, Evidence, Fired, Frame, Incident, IncidentId, IncidentState, Key, Kind,
    KnownFrom, Lane, Layer, LimitLine, LimitMark, Mark, MarkKind, Millis, Note, Outcome, ProblemId, Product, Reason, Segment, SegmentKind,
    StackName, ThreadStack, Timeline,
};
use jiff::{SignedDuration, Timestamp};

/// A request with its evidence, and the incident that a fold would make of it.
pub struct Sample {
    pub evidence: Vec<Evidence>,
    pub rejected: Vec<(u64, String, String)>,
    pub incident: Incident,
}

fn seconds(start: Timestamp, seconds: f64) -> Timestamp {
    start + SignedDuration::from_secs_f64(seconds)
}

fn evidence(source: &str, received_at: Timestamp, claim: Claim) -> Evidence {
    Evidence { stack: StackName::default(), source: source.into(), received_at, origin: None, claim }
}

fn cite(evidence: &Evidence) -> Citation {
    Citation {
        file: None,
        line: None,
        at: evidence.claim.at(),
        format: evidence.claim.format.clone(),
        id: evidence.claim.id().to_hex(),
        text: evidence.claim.raw.clone(),
    }
}

fn incident(subject: &Key, outcome: Outcome, summary: &str) -> Incident {
    let stack = StackName::default();
    Incident {
        id: IncidentId::derive(&stack, subject, 1),
        subject: subject.to_string(),
        problem: ProblemId::derive(&[summary]),
        request_id: match subject {
            Key::Request(id) => Some(id.clone()),
            _ => None,
        },
        attempt: 1,
        trace_id: None,
        stack,
        function: None,
        platform: None,
        instance: None,
        pid: None,
        outcome,
        state: IncidentState::Confirmed,
        started_at: None,
        ended_at: None,
        elapsed_ms: None,
        summary: summary.to_owned(),
        diagnosis: Diagnosis { confidence: Confidence::Certain, ..Diagnosis::default() },
        timeline: Timeline::default(),
        original_event: None,
    }
}

fn advice(kind: &str, change: [Option<&str>; 4], text: &str) -> Advice {
    let [setting, place, from, to] = change.map(|word| word.map(str::to_owned));
    Advice { kind: kind.to_owned(), setting, place, from, to, text: text.to_owned() }
}

fn frame(function: &str, file: &str, line: u32) -> Frame {
    Frame { function: function.to_owned(), file: Some(file.to_owned()), line: Some(line) }
}

fn limit(at: Option<Timestamp>, layer: Layer, label: &str, value_s: Option<i64>, mark: LimitMark) -> LimitLine {
    LimitLine { at, layer, label: label.to_owned(), value_ms: value_s.map(|s| Millis::from_ms(s * 1000)), mark }
}

fn segment(from: Timestamp, to: Timestamp, kind: SegmentKind, label: &str) -> Segment {
    Segment { from, to, kind, label: label.to_owned() }
}

fn mark(at: Timestamp, kind: MarkKind, label: &str) -> Mark {
    Mark { at, kind, label: label.to_owned() }
}

fn lane(layer: Layer, label: &str, segments: Vec<Segment>, marks: Vec<Mark>) -> Lane {
    Lane { layer, label: label.to_owned(), segments, marks }
}

/// The request of the sketch: gunicorn's worker timeout fired while a call without a client timeout was open.
pub fn checkout(start: Timestamp, n: u32) -> Sample {
    let id = format!("943c7318-fb19-4876-bcfd-{n:012x}");
    let at = |s| seconds(start, s);
    let claim = |kind, format, raw: &str, s| {
        let mut claim = Claim::new(kind, format, raw);
        claim.request_id = Some(id.as_str().into());
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
    let evidence: Vec<_> = [("watchdog", begun), ("watchdog", fired), ("gunicorn", timeout), ("gunicorn", killed), ("edge", passed)]
        .map(|(source, claim)| evidence(source, received, claim))
        .into();
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
    incident.diagnosis = Diagnosis {
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
    };
    incident.timeline = Timeline {
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
    };
    Sample { evidence, rejected: Vec::new(), incident }
}

/// Lambda's own three seconds, as the platform's four lines tell it.
pub fn lambda_timeout(function: &str, start: Timestamp, n: u32) -> Sample {
    let id = format!("6f747a63-ce41-11e7-8cfe-{n:012x}");
    let end = seconds(start, 3.0);
    let mut report = Claim::new(
        Kind::InvocationReport,
        "lambda_text",
        &format!("REPORT RequestId: {id}\tDuration: 3001.52 ms\tBilled Duration: 3000 ms\tMemory Size: 128 MB\tMax Memory Used: 20 MB"),
    );
    report.elapsed_ms = Some(Millis::from_us(3_001_520));
    let mut notice = Claim::new(Kind::TimeoutNotice, "lambda_text", &format!("{end} {id} Task timed out after 3.00 seconds"));
    notice.outcome = Some(domain::ClaimedOutcome::Timeout);
    for claim in [&mut report, &mut notice] {
        claim.request_id = Some(id.as_str().into());
        claim.observed_at = Some(end);
    }
    let evidence: Vec<_> = [report, notice].map(|claim| evidence("lambda-logs", seconds(end, 40.0), claim)).into();
    let mut incident = incident(&Key::Request(id.as_str().into()), Outcome::Timeout, "AWS Lambda's function timeout (3 s) fired");
    incident.problem = ProblemId::derive(&[function, "platform"]);
    incident.function = Some(function.into());
    incident.platform = Some(Product::AWS_LAMBDA);
    (incident.started_at, incident.ended_at, incident.elapsed_ms) = (Some(start), Some(end), Some(Millis::from_us(3_001_520)));
    incident.diagnosis = Diagnosis {
        layer: Some(Layer::Platform),
        product: Some(Product::AWS_LAMBDA),
        limit: Some(Fired {
            setting: "Timeout".into(),
            value_ms: Some(Millis::from_ms(3000)),
            known_from: KnownFrom::Claimed,
            place: None,
        }),
        confidence: Confidence::Certain,
        advice: vec![advice("send_more", [None; 4], "Nothing says what was in flight. A watchdog inside the function would.")],
        refuted_by: "a REPORT line of the same request with a duration well under 3 s".into(),
        reasons: vec![
            Reason { text: "The platform says so".into(), evidence: vec![cite(&evidence[1])] },
            Reason { text: "3 s is what it was billed for".into(), evidence: vec![cite(&evidence[0])] },
        ],
        evidence: evidence.iter().map(cite).collect(),
        ..Diagnosis::default()
    };
    incident.timeline = Timeline {
        starts_at: Some(start),
        ends_at: Some(end),
        lanes: vec![lane(
            Layer::Platform,
            "AWS Lambda",
            vec![segment(start, end, SegmentKind::Fired, function)],
            vec![mark(end, MarkKind::Fired, "Task timed out after 3.00 seconds")],
        )],
        limits: vec![limit(Some(end), Layer::Platform, "AWS Lambda Timeout", Some(3), LimitMark::Fired)],
    };
    Sample { evidence, rejected: Vec::new(), incident }
}

/// API Gateway gave up at 29 s while the function went on; a log line blames the wrong limit.
pub fn caller_left(start: Timestamp, n: u32) -> Sample {
    let id = format!("c6af9ac6-7b61-11e6-9a41-{n:012x}");
    let mut gave_up = Claim::new(Kind::GatewayTimeout, "apigw_access_log", "{\"status\":\"504\",\"integrationLatency\":29009}");
    gave_up.request_id = Some(id.as_str().into());
    gave_up.observed_at = Some(seconds(start, 29.0));
    gave_up.outcome = Some(domain::ClaimedOutcome::GatewayTimeout);
    let evidence = vec![evidence("edge", seconds(start, 50.0), gave_up)];
    let mut incident = incident(
        &Key::Request(id.as_str().into()),
        Outcome::CallerLeft,
        "API Gateway's integration timeout (29 s) fired; the function went on for 12 s",
    );
    incident.function = Some("report-export".into());
    (incident.started_at, incident.ended_at, incident.elapsed_ms) =
        (Some(start), Some(seconds(start, 29.0)), Some(Millis::from_ms(41_000)));
    incident.diagnosis.layer = Some(Layer::Gateway);
    incident.diagnosis.product = Some("api_gateway".into());
    incident.diagnosis.confidence = Confidence::Likely;
    incident.diagnosis.cause.id = "caller_left".into();
    incident.diagnosis.limit = Some(Fired {
        setting: "TimeoutInMillis".into(),
        value_ms: Some(Millis::from_ms(29_000)),
        known_from: KnownFrom::Default,
        place: None,
    });
    incident.timeline = Timeline {
        starts_at: Some(start),
        ends_at: Some(seconds(start, 41.0)),
        lanes: vec![
            lane(
                Layer::Gateway,
                "API Gateway",
                vec![segment(start, seconds(start, 29.0), SegmentKind::Fired, "integration")],
                vec![mark(seconds(start, 29.0), MarkKind::Fired, "504")],
            ),
            lane(
                Layer::FunctionWatchdog,
                "of-watchdog",
                Vec::new(),
                vec![mark(seconds(start, 29.1), MarkKind::Line, "exec_timeout exceeded")],
            ),
            lane(
                Layer::Application,
                "report-export",
                vec![
                    segment(start, seconds(start, 2.4), SegmentKind::Init, "imports"),
                    segment(seconds(start, 2.4), seconds(start, 41.0), SegmentKind::Work, "render the report"),
                ],
                Vec::new(),
            ),
        ],
        limits: vec![
            limit(Some(seconds(start, 29.0)), Layer::Gateway, "API Gateway TimeoutInMillis", Some(29), LimitMark::Fired),
            limit(Some(seconds(start, 60.0)), Layer::FunctionWatchdog, "of-watchdog exec_timeout", Some(60), LimitMark::Contradicted),
            limit(Some(seconds(start, 900.0)), Layer::Platform, "AWS Lambda Timeout", Some(900), LimitMark::NotReached),
        ],
    };
    Sample { evidence, rejected: Vec::new(), incident }
}

/// A worker died of a timeout; no line says when, which request, or how long the limit is.
pub fn no_times() -> Sample {
    let mut claim = Claim::new(Kind::WorkerTimeout, "gunicorn", "[CRITICAL] WORKER TIMEOUT (pid:322)");
    claim.pid = Some(322);
    let evidence = vec![evidence("app-log", "2026-11-22T11:00:00Z".parse().expect("a time"), claim)];
    let mut incident = incident(&evidence[0].claim.key(), Outcome::Timeout, "gunicorn's worker timeout fired");
    incident.pid = Some(322);
    incident.diagnosis.layer = Some(Layer::AppServer);
    incident.diagnosis.product = Some(Product::GUNICORN);
    incident.diagnosis.confidence = Confidence::Possible;
    incident.diagnosis.limit = Some(Fired { setting: "--timeout".into(), value_ms: None, known_from: KnownFrom::Claimed, place: None });
    incident.timeline.lanes = vec![lane(Layer::AppServer, "gunicorn", Vec::new(), Vec::new())];
    incident.timeline.limits = vec![limit(None, Layer::AppServer, "gunicorn --timeout", None, LimitMark::Fired)];
    Sample {
        evidence,
        rejected: vec![(7, "expected a log line, found `\u{1b}[2J`".into(), "\u{1b}[2J\u{1b}[31m<b>what</b>".into())],
        incident,
    }
}

/// Names and lines that want to be more than text.
pub const EVIL: &str = "<script>alert(1)</script>\u{1b}[31m\u{202e}\"'`&";

/// A request all of whose texts are hostile.
pub fn hostile(start: Timestamp) -> Sample {
    let mut sample = lambda_timeout(EVIL, start, 0xbad);
    let id = format!("../{EVIL}?#");
    for evidence in &mut sample.evidence {
        evidence.source = EVIL.into();
        evidence.claim.request_id = Some(id.as_str().into());
        evidence.claim.raw = format!("{EVIL}{}", "long ".repeat(2000));
        evidence.claim.stacks =
            vec![ThreadStack { name: Some(EVIL.into()), serving: true, blocked: Some(true), frames: vec![frame(EVIL, EVIL, 1)] }];
    }
    let subject = Key::Request(id.as_str().into());
    let incident = &mut sample.incident;
    incident.id = IncidentId::derive(&incident.stack, &subject, 1);
    incident.subject = subject.to_string();
    incident.request_id = Some(id.into());
    incident.summary = format!("{EVIL} fired");
    incident.instance = Some(EVIL.into());
    incident.original_event = Some(serde_json::json!({ EVIL: EVIL }).into());
    incident.timeline.lanes[0].label = EVIL.into();
    incident.timeline.lanes[0].segments[0].label = EVIL.into();
    incident.timeline.limits[0].label = EVIL.into();
    let cites: Vec<_> = sample.evidence.iter().map(cite).collect();
    incident.diagnosis.evidence.clone_from(&cites);
    incident.diagnosis.reasons = vec![Reason { text: EVIL.into(), evidence: cites.clone() }];
    incident.diagnosis.contradicted = vec![Note { text: EVIL.into(), evidence: cites }];
    incident.diagnosis.advice = vec![advice("investigate", [Some(EVIL); 4], EVIL)];
    incident.diagnosis.refuted_by = EVIL.into();
    incident.diagnosis.cause.id = EVIL.into();
    incident.diagnosis.cause.operation = Some(EVIL.into());
    sample.rejected = vec![(1, EVIL.into(), EVIL.into())];
    sample
}

/// A day's worth of all kinds, ending at `now`.
pub fn all(now: Timestamp) -> Vec<Sample> {
    let ago = |minutes: i64| now - SignedDuration::from_mins(minutes);
    let mut samples: Vec<_> = (0..17_u32).map(|n| checkout(ago(6 + i64::from(n * n) * 4), n)).collect();
    samples.extend((0..23_u32).map(|n| lambda_timeout("thumbnail", ago(20 + i64::from(n) * 57), n)));
    samples.extend((0..6_u32).map(|n| lambda_timeout("nightly-report", ago(400 + i64::from(n) * 9), 100 + n)));
    samples.extend((0..9_u32).map(|n| caller_left(ago(80 + i64::from(n * n) * 13), n)));
    for (n, (state, outcome)) in [
        (IncidentState::Suspected, Outcome::Timeout),
        (IncidentState::Survived, Outcome::NearMiss),
        (IncidentState::Lost, Outcome::Timeout),
        (IncidentState::Confirmed, Outcome::OutOfMemory),
    ]
    .into_iter()
    .enumerate()
    {
        let mut sample = lambda_timeout("resize", ago(30 + n as i64 * 100), 200 + n as u32);
        sample.incident.state = state;
        sample.incident.outcome = outcome;
        if outcome == Outcome::OutOfMemory {
            sample.incident.summary = "killed for memory at 128 MB; no limit on time fired".into();
            sample.incident.diagnosis.layer = None;
            sample.incident.diagnosis.limit = None;
            sample.incident.diagnosis.confidence = Confidence::Unknown;
            sample.incident.problem = ProblemId::derive(&["resize", "memory"]);
        }
        samples.push(sample);
    }
    samples.push(no_times());
    samples
}
