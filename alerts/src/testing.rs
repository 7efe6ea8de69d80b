//! Incidents for tests, and the other side: a receiver and a mail server.

pub(crate) mod mail_server;
pub(crate) mod receiver;

use domain::{
    Advice, Cause, Citation, Claim, Confidence, Diagnosis, Evidence, Fired, Incident, IncidentState, Key, Kind, KnownFrom, Lane, Layer,
    LimitLine, LimitMark, ManualClock, Mark, MarkKind, Millis, ProblemId, Product, Reason, Segment, SegmentKind, Timeline,
};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use store::Store;

use crate::actions::{Desk, Tools};
use crate::notification::Notification;
use crate::rules::Rules;

/// Installs what `src/main.rs` installs. Several tests may share a process.
pub(crate) fn install_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A moment.
pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().expect("test times are valid")
}

/// An incident of which nothing is known but that it may have happened.
pub(crate) fn bare_incident() -> Incident {
    let subject = Key::Worker { instance: None, pid: 9 };
    Incident { summary: "Something overran".to_owned(), ..Incident::suspected(domain::StackName::default(), &subject, 1) }
}

/// An incident of which everything is known.
pub(crate) fn incident() -> Incident {
    let subject = Key::Request("6f747a63-ce41-11e7-8cfe-3d61dad3d219".into());
    let line = Citation {
        file: None,
        line: None,
        at: Some(at("2026-11-20T22:23:32.998Z")),
        format: "gunicorn".to_owned(),
        id: "00aa11bb22cc33dd".to_owned(),
        text: "[2026-11-20 22:23:32 +0000] [306] [CRITICAL] WORKER TIMEOUT (pid:322)".to_owned(),
    };
    Incident {
        problem: ProblemId::derive(&["checkout", "app_server"]),
        request_id: Some("6f747a63-ce41-11e7-8cfe-3d61dad3d219".into()),
        trace_id: domain::TraceId::parse("6a3f1c209a8fbf0a9c13eafa397c5a3b"),
        function: Some("checkout".into()),
        platform: Some(Product::GUNICORN),
        instance: Some("web.1".into()),
        pid: Some(322),
        state: IncidentState::Confirmed,
        started_at: Some(at("2026-11-20T22:23:02.990Z")),
        ended_at: Some(at("2026-11-20T22:23:32.998Z")),
        elapsed_ms: Some(Millis::from_ms(30_008)),
        summary: "gunicorn's worker timeout (30 s) fired".to_owned(),
        diagnosis: Diagnosis {
            layer: Some(Layer::AppServer),
            product: Some(Product::GUNICORN),
            limit: Some(Fired {
                setting: "--timeout".to_owned(),
                value_ms: Some(Millis::from_ms(30_000)),
                known_from: KnownFrom::Learned,
                place: Some("Procfile".to_owned()),
            }),
            cause: Cause {
                id: "no_client_timeout".to_owned(),
                operation: Some("POST payments.internal".to_owned()),
                waited_ms: Some(Millis::from_ms(29_100)),
                confidence: Confidence::Certain,
            },
            confidence: Confidence::Certain,
            contradicted: Vec::new(),
            consequences: Vec::new(),
            advice: vec![Advice {
                kind: "set_client_timeout".to_owned(),
                setting: Some("timeout".to_owned()),
                place: None,
                from: None,
                to: Some("10 s".to_owned()),
                text: "Give the call to payments.internal a timeout well under 30 s.".to_owned(),
            }],
            refuted_by: "a span of that call that ended earlier".to_owned(),
            reasons: vec![Reason { text: "gunicorn says that it gave up on worker 322.".to_owned(), evidence: vec![line.clone()] }],
            evidence: vec![line],
        },
        ..Incident::suspected(domain::StackName::default(), &subject, 1)
    }
}

/// What happened in a request: gunicorn's 30 s fired, nginx's 60 s did not, and the call never came back.
pub(crate) fn timeline() -> Timeline {
    let after = |seconds: f64| Millis::from_ms_f64(seconds * 1_000.0).after(at("2026-11-20T22:23:02.990Z"));
    let lane = |layer, label: &str, segment: (f64, f64, SegmentKind, &str), marks| {
        let (from, to, kind, words) = segment;
        Lane {
            layer,
            label: label.to_owned(),
            segments: vec![Segment { from: after(from), to: after(to), kind, label: words.to_owned() }],
            marks,
        }
    };
    let mark = |seconds, kind, label: &str| Mark { at: after(seconds), kind, label: label.to_owned() };
    let limit = |seconds: u32, layer, label: &str, mark| LimitLine {
        at: Some(after(f64::from(seconds))),
        layer,
        label: label.to_owned(),
        value_ms: Some(Millis::from_ms(i64::from(seconds) * 1_000)),
        mark,
    };
    let (router, server, callee) = (Layer::Router, Layer::AppServer, Layer::Downstream);
    let killed = vec![mark(28.0, MarkKind::Stack, "charge() in payments.py:41"), mark(30.0, MarkKind::Fired, "WORKER TIMEOUT (pid:322)")];
    Timeline {
        starts_at: Some(after(0.0)),
        ends_at: Some(after(30.3)),
        lanes: vec![
            lane(router, "nginx", (0.0, 30.3, SegmentKind::Wait, "POST /checkout"), vec![mark(30.3, MarkKind::Line, "502")]),
            lane(server, "gunicorn", (0.2, 30.0, SegmentKind::Fired, "worker 322"), killed),
            lane(callee, "payments.internal", (0.9, 30.0, SegmentKind::Unanswered, "POST /charge"), vec![]),
        ],
        limits: vec![
            limit(60, router, "nginx proxy_read_timeout", LimitMark::NotReached),
            limit(30, server, "gunicorn --timeout", LimitMark::Fired),
        ],
        clocks: Vec::new(),
    }
}

/// What a watchdog said about the request of an incident.
pub(crate) fn evidence(incident: &Incident, change: impl FnOnce(Claim) -> Claim) -> Evidence {
    let mut claim = Claim::new(Kind::WatchdogFired, "watchdog", "{}");
    claim.request_id = incident.request_id.clone();
    let (stack, source) = (incident.stack.clone(), "test".into());
    Evidence { stack, source, received_at: at("2026-11-20T22:23:33Z"), origin: None, claim: change(claim) }
}

/// The names of a mail's headers, in order: what none of its text may add to.
pub(crate) fn header_names(mail: &str) -> String {
    let headers = mail.lines().take_while(|line| !line.is_empty()).filter(|line| !line.starts_with(' '));
    headers.filter_map(|line| line.split(':').next()).collect::<Vec<_>>().join(" ")
}

/// Connections for actions that ask no database.
pub(crate) fn tools(rules: &Rules, http_timeout: Duration) -> Tools {
    let pool = sqlx::PgPool::connect_lazy("postgres://nobody@127.0.0.1:1/none").expect("a URL");
    let desk = Desk { store: Store::from_pool(pool), clock: Arc::new(ManualClock::new(at("2026-11-20T22:24:00Z"))) };
    Tools::new(rules, http_timeout, desk).expect("tools")
}

/// The same on its way.
pub(crate) fn notification() -> Notification {
    let incident = incident();
    Notification {
        delivery_id: "0123456789abcdef0123456789abcdef".to_owned(),
        rule: "checkout overran".to_owned(),
        action: "oncall".to_owned(),
        link: Notification::link_to("https://overrun.example.com/", &incident),
        incident,
        context: store::DeliveryContext::default(),
        created_at: at("2026-11-20T22:23:33.100Z"),
        attempted_at: at("2026-11-20T22:23:33.150Z"),
    }
}

/// The same with text that wants to be taken for something else in every field that comes from outside.
pub(crate) fn hostile_notification() -> Notification {
    let hostile =
        |place: &str| format!("{place}\r\nBcc: victim@example.com\r\n\r\n<script>alert(\"{place}\")</script>\u{1b}]0;x\u{7}\u{0}\u{202e}");
    let mut notification = notification();
    notification.rule = hostile("rule");
    let incident = &mut notification.incident;
    incident.request_id = Some(hostile("request").into());
    incident.stack = hostile("stack").into();
    incident.function = Some(hostile("function").into());
    incident.platform = Some(Product::from(hostile("platform")));
    incident.instance = Some(hostile("instance").into());
    incident.summary = hostile("summary");
    let diagnosis = &mut incident.diagnosis;
    diagnosis.product = Some(Product::from(hostile("product")));
    diagnosis.cause.operation = Some(hostile("operation"));
    diagnosis.refuted_by = hostile("refuted");
    let limit = diagnosis.limit.as_mut().expect("the sample has one");
    limit.setting = hostile("setting");
    limit.place = Some(hostile("place"));
    diagnosis.advice[0].text = hostile("advice");
    diagnosis.advice[0].to = Some(hostile("to"));
    diagnosis.reasons[0].text = hostile("reason");
    for citation in diagnosis.evidence.iter_mut().chain(&mut diagnosis.reasons[0].evidence) {
        citation.text = hostile("line");
        citation.format = hostile("format");
        citation.file = Some(hostile("file"));
    }
    notification
}
