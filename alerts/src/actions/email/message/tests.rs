//! Subject, text, HTML and headers, of a friendly incident and of a hostile one.

use super::*;
use crate::testing;

fn view(notification: &Notification) -> View {
    View::of(notification)
}

fn mail(notification: &Notification) -> String {
    let from = "Overrun <overrun@example.com>".parse().expect("valid");
    let to = ["oncall@example.com".parse().expect("valid")];
    String::from_utf8(render(notification, &from, &to).expect("renders")).expect("lettre writes ASCII")
}

#[test]
fn the_subject_is_the_verdict() {
    let view = view(&testing::notification());
    insta::assert_snapshot!(Subject { view: &view }.render().expect("renders"), @"checkout: gunicorn's worker timeout (30 s) fired");
}

#[test]
fn the_text_says_the_verdict_first() {
    let view = view(&testing::notification());
    insta::assert_snapshot!(Text { view: &view, picture: None }.render().expect("renders"), @r##"
    checkout: gunicorn's worker timeout (30 s) fired

    In flight: POST payments.internal, 29.1 s
    Request: 6f747a63-ce41-11e7-8cfe-3d61dad3d219
    Function: checkout
    Stack: default
    Instance: web.1
    Limit: gunicorn --timeout = 30 s (learned), set in Procfile
    Began: 2026-11-20 22:23:02.990 UTC
    Ended: 2026-11-20 22:23:32.998 UTC
    Elapsed: 30 s
    State: confirmed, timeout
    Confidence: certain

    https://overrun.example.com/incidents/b02c40f02eba723529ab640f

    Why we say so
    - gunicorn says that it gave up on worker 322.

    What to change
    - Give the call to payments.internal a timeout well under 30 s. (timeout: 10 s)

    Evidence
    2026-11-20 22:23:32.998 UTC gunicorn
        [2026-11-20 22:23:32 +0000] [306] [CRITICAL] WORKER TIMEOUT (pid:322)

    Overrun sent this because of the rule "checkout overran".
    "##);
}

#[test]
fn what_is_not_known_is_left_out() {
    let mut notification = testing::notification();
    notification.incident = testing::bare_incident();
    notification.link = "http://127.0.0.1:4319/incidents/x".to_owned();
    let view = view(&notification);
    insta::assert_snapshot!(Text { view: &view, picture: None }.render().expect("renders"), @r##"
    Something overran

    Stack: default
    State: suspected, timeout
    Confidence: unknown

    http://127.0.0.1:4319/incidents/x

    Overrun sent this because of the rule "checkout overran".
    "##);
}

#[test]
fn the_page_is_whole_and_loads_nothing() {
    let view = view(&testing::notification());
    let html = Html { view: &view, picture: None, picture_id: "" }.render().expect("renders");
    insta::assert_snapshot!(html, @r##"
    <!doctype html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="color-scheme" content="light dark">
    <title>checkout: gunicorn&#39;s worker timeout (30 s) fired</title>
    </head>
    <body style="font-family: system-ui, sans-serif; line-height: 1.4; max-width: 44em">
    <h1 style="font-size: 1.25em">checkout: gunicorn&#39;s worker timeout (30 s) fired</h1>
    <table style="border-collapse: collapse">
    <tr><th scope="row" style="text-align: left; padding-right: 1em; vertical-align: top">In flight</th><td>POST payments.internal, 29.1 s</td></tr>
    <tr><th scope="row" style="text-align: left; padding-right: 1em; vertical-align: top">Request</th><td>6f747a63-ce41-11e7-8cfe-3d61dad3d219</td></tr>
    <tr><th scope="row" style="text-align: left; padding-right: 1em; vertical-align: top">Function</th><td>checkout</td></tr>
    <tr><th scope="row" style="text-align: left; padding-right: 1em; vertical-align: top">Stack</th><td>default</td></tr>
    <tr><th scope="row" style="text-align: left; padding-right: 1em; vertical-align: top">Instance</th><td>web.1</td></tr>
    <tr><th scope="row" style="text-align: left; padding-right: 1em; vertical-align: top">Limit</th><td>gunicorn --timeout = 30 s (learned), set in Procfile</td></tr>
    <tr><th scope="row" style="text-align: left; padding-right: 1em; vertical-align: top">Began</th><td>2026-11-20 22:23:02.990 UTC</td></tr>
    <tr><th scope="row" style="text-align: left; padding-right: 1em; vertical-align: top">Ended</th><td>2026-11-20 22:23:32.998 UTC</td></tr>
    <tr><th scope="row" style="text-align: left; padding-right: 1em; vertical-align: top">Elapsed</th><td>30 s</td></tr>
    <tr><th scope="row" style="text-align: left; padding-right: 1em; vertical-align: top">State</th><td>confirmed, timeout</td></tr>
    <tr><th scope="row" style="text-align: left; padding-right: 1em; vertical-align: top">Confidence</th><td>certain</td></tr>
    </table>
    <p><a href="https://overrun.example.com/incidents/b02c40f02eba723529ab640f">Open the incident</a></p>
    <h2 style="font-size: 1em">Why we say so</h2>
    <ul>
    <li>gunicorn says that it gave up on worker 322.</li>
    </ul>
    <h2 style="font-size: 1em">What to change</h2>
    <ul>
    <li>Give the call to payments.internal a timeout well under 30 s. (timeout: 10 s)</li>
    </ul>
    <h2 style="font-size: 1em">Evidence</h2>
    <p style="margin-bottom: 0">2026-11-20 22:23:32.998 UTC gunicorn</p>
    <pre style="margin-top: 0; white-space: pre-wrap">[2026-11-20 22:23:32 +0000] [306] [CRITICAL] WORKER TIMEOUT (pid:322)</pre>
    <p style="border-top: 1px solid">Overrun sent this because of the rule “checkout overran”.</p>
    </body>
    </html>
    "##);
    for word in ["src=", "<script", "<img", "url("] {
        assert!(!html.contains(word), "{word}");
    }
}

#[test]
fn the_timeline_comes_along_as_a_picture_and_in_words() {
    let mut notification = testing::notification();
    notification.incident.timeline = testing::timeline();
    // Long lines as one; what Base64 ends with is no sign of a longer line.
    let mail = mail(&notification).replace('\r', "").replace("=\n--", "\n--").replace("=\n", "");
    assert!(mail.contains("\n\niVBORw0KGgo"), "the beginning of every PNG, in Base64");
    // What a mail says without a picture is told elsewhere.
    let words = mail.split_once("\nTimeline\n").expect("in the text").1.split_once("\n\n").expect("more").0;
    insta::assert_snapshot!(words, @r##"
    - +0 s nginx: POST /checkout, waiting, 30.3 s
    - +200 ms gunicorn: worker 322, ended by a limit, 29.8 s
    - +900 ms payments.internal: POST /charge, never answered, 29.1 s
    - +28 s gunicorn: stack sample: charge() in payments.py:41
    - +30 s gunicorn: limit fired: WORKER TIMEOUT (pid:322)
    - +30 s limit gunicorn --timeout 30 s, fired
    - +60 s limit nginx proxy_read_timeout 60 s, not reached
    "##);
    let is_shown = |line: &&str| ["--", "Content-", " boundary", "<p><img"].iter().any(|beginning| line.starts_with(beginning));
    insta::assert_snapshot!(mail.lines().filter(is_shown).collect::<Vec<_>>().join("\n"), @r##"
    Content-Type: multipart/alternative;
     boundary="overrun-0123456789abcdef0123456789abcdef"
    --overrun-0123456789abcdef0123456789abcdef
    Content-Type: text/plain; charset=utf-8
    Content-Transfer-Encoding: quoted-printable
    --overrun-0123456789abcdef0123456789abcdef
    Content-Type: multipart/related;
     boundary="overrun-picture-0123456789abcdef0123456789abcdef"
    --overrun-picture-0123456789abcdef0123456789abcdef
    Content-Type: text/html; charset=utf-8
    Content-Transfer-Encoding: quoted-printable
    <p><img src=3D"cid:timeline.0123456789abcdef0123456789abcdef@example.com" width=3D"360" height=3D"183" alt=3D"Timeline of the request: +0 s nginx: POST /checkout, waiting, 30.3 s; +200 ms gunicorn: worker 322, ended by a limit, 29.8 s; +900 ms payments.internal: POST /charge, never answered, 29.1 s; +28 s gunicorn: stack sample: charge() in payments.py:41; +30 s gunicorn: limit fired: WORKER TIMEOUT (pid:322); +30 s limit gunicorn --timeout 30 s, fired; +60 s limit nginx proxy_read_timeout 60 s, not reached." style=3D"max-width: 100%; height: auto"><br><small>0 s is 22:23:02.990 UTC; amber: waiting; striped: never answered; red: ended by a limit; ring: stack sample; dot: log line.</small></p>
    --overrun-picture-0123456789abcdef0123456789abcdef
    Content-ID: <timeline.0123456789abcdef0123456789abcdef@example.com>
    Content-Disposition: inline; filename="timeline.png"
    Content-Type: image/png
    Content-Transfer-Encoding: base64
    --overrun-picture-0123456789abcdef0123456789abcdef--
    --overrun-0123456789abcdef0123456789abcdef--
    "##);
    assert_eq!(self::mail(&notification), self::mail(&notification), "the same for every attempt");
}

#[test]
fn mails_about_one_problem_are_one_thread() {
    let references = |notification: &Notification| {
        let mail = mail(notification);
        mail.lines().find_map(|line| line.strip_prefix("References: ").map(str::to_owned)).expect("it is in a thread")
    };
    let mut notification = testing::notification();
    let first = references(&notification);
    notification.delivery_id = "ffffffffffffffffffffffffffffffff".to_owned();
    notification.context.event = Some(store::ProblemEvent::Resolved);
    assert_eq!(references(&notification), first);
    notification.incident.problem = domain::ProblemId::derive(&["another"]);
    assert_ne!(references(&notification), first);
}

#[test]
fn headers_are_complete_and_the_same_for_every_attempt() {
    let mut notification = testing::notification();
    let first = mail(&notification);
    notification.attempted_at = testing::at("2026-11-21T03:00:00Z");
    assert_eq!(first, mail(&notification));
    let headers = first.split("\r\n\r\n").next().expect("headers");
    insta::assert_snapshot!(headers.replace('\r', ""), @r##"
    From: Overrun <overrun@example.com>
    Message-ID: <0123456789abcdef0123456789abcdef@example.com>
    References: <problem.4f0ebb53b023cc7a@example.com>
    Date: Fri, 20 Nov 2026 22:23:33 +0000
    Subject: checkout: gunicorn's worker timeout (30 s) fired
    Auto-Submitted: auto-generated
    List-Id: default <default.overrun.example.com>
    To: oncall@example.com
    MIME-Version: 1.0
    Content-Type: multipart/alternative;
     boundary="overrun-0123456789abcdef0123456789abcdef"
    "##);
}

#[test]
fn hostile_text_makes_no_header_no_tag_and_no_command() {
    let notification = testing::hostile_notification();
    let mail = mail(&notification);
    insta::assert_snapshot!(testing::header_names(&mail), @"From Message-ID References Date Subject Auto-Submitted List-Id To MIME-Version Content-Type");
    let view = view(&notification);
    let html = Html { view: &view, picture: None, picture_id: "" }.render().expect("renders");
    assert!(!html.contains("<script") && html.contains("&#60;script&#62;"), "{html}");
    let text = Text { view: &view, picture: None }.render().expect("renders");
    for body in [html, text] {
        assert!(!body.contains(|c: char| (c.is_control() && c != '\n') || c == '\u{202e}'), "{body:?}");
    }
}

#[test]
fn a_stack_becomes_a_label_of_a_list() {
    assert_eq!(list_id("Shop EU/1", "example.com"), "shop-eu-1 <shop-eu-1.overrun.example.com>");
    assert_eq!(list_id("日本", "example.com"), "stack <stack.overrun.example.com>");
}
