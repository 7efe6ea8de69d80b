//! Who is written to and who is not, and what stands in such a mail.

use std::io;
use std::path::Path;
use std::time::Duration;

use domain::Value;
use serde_json::json;

use super::*;
use crate::rules::Rules;
use crate::testing;
use crate::testing::mail_server::{self, MailServer};

const TEXT: &str =
    "Hello {{ event.user.name | default('there') }},\n\nyour order {{ event.order }} was not placed: {{ incident.elapsed_ms }} ms.\n";
const HTML: &str = "<p>Hello {{ event.user.name }}</p>";
const ACTION: &str = "[[action]]\nname = 'sorry'\nkind = 'email'\n[action.recipient_from_event]\npointer = '/user/email'\ndomains = ['example.org', 'Shop.Example.org']\n\
     subject = 'Order {{ event.order }}'\ntext_file = 'sorry.txt'\n";

fn file(path: &Path) -> io::Result<String> {
    match path.to_str() {
        Some("sorry.txt") => Ok(TEXT.to_owned()),
        Some("sorry.html") => Ok(HTML.to_owned()),
        Some("odd.txt") => Ok("{{ event.order | frobnicate }}".to_owned()),
        _ => Err(io::ErrorKind::NotFound.into()),
    }
}

fn parse(action: &str, port: u16) -> Result<Rules, crate::rules::RulesError> {
    Rules::parse_with(&format!("{action}{}", mail_server::smtp(port)), "rules.toml", &file)
}

fn personal(more: &str) -> Personal {
    let table = format!("{}{more}", ACTION.split_once("_from_event]\n").expect("a table").1);
    let table: Table = toml::from_str(&table).expect("a table");
    let around = Surroundings { folder: Path::new(""), read_file: &file };
    Personal::read(&table, &around).expect("valid")
}

fn asked_by(email: &str) -> Notification {
    let mut notification = testing::notification();
    notification.incident.original_event = Some(Value::from(json!({ "user": { "email": email, "name": "Ada" }, "order": 7 })));
    notification
}

fn recipient(event: &Json) -> String {
    personal("").recipient(event).map_or_else(|why| why, |address| address.to_string())
}

#[test]
fn an_address_stands_at_the_pointer_or_nobody_is_written_to() {
    assert_eq!(recipient(&json!({ "user": { "email": "ada@shop.example.org" } })), "ada@shop.example.org");
    insta::assert_snapshot!(recipient(&json!({ "user": {} })), @"its original event has nothing at `/user/email`");
    insta::assert_snapshot!(recipient(&json!({ "user": { "email": ["ada@example.org"] } })), @"its original event has something other than a text at `/user/email`");
    insta::assert_snapshot!(recipient(&json!({ "user": { "email": "[redacted]" } })), @"its original event was redacted at `/user/email`");
    insta::assert_snapshot!(recipient(&json!({ "user": { "email": "ada@example.org, eve@evil.example" } })), @"its original event has no plain mail address at `/user/email`");
    insta::assert_snapshot!(recipient(&json!({ "user": { "email": "eve@evil.example" } })), @"its original event has an address at `/user/email` that is not of the domains allowed");
}

fn mail(personal: &Personal, notification: &Notification) -> String {
    let event = serde_json::to_value(&notification.incident.original_event).expect("JSON");
    let (from, to) = ("Shop <help@example.com>".parse().expect("valid"), "ada@example.org".parse().expect("valid"));
    let bytes = personal.texts.render(notification, &event, &from, &to).expect("renders");
    String::from_utf8(bytes).expect("lettre writes ASCII").replace('\r', "")
}

#[test]
fn the_mail_says_what_the_template_says_and_nothing_else() {
    insta::assert_snapshot!(mail(&personal(""), &asked_by("ada@example.org")), @r##"
    From: Shop <help@example.com>
    To: ada@example.org
    Message-ID: <0123456789abcdef0123456789abcdef@example.com>
    Date: Fri, 20 Nov 2026 22:23:33 +0000
    Subject: Order 7
    Auto-Submitted: auto-generated
    MIME-Version: 1.0
    Content-Type: text/plain; charset=utf-8
    Content-Transfer-Encoding: 7bit

    Hello Ada,

    your order 7 was not placed: 30008 ms.
    "##);
    let with_html = mail(&personal("html_file = 'sorry.html'"), &asked_by("ada@example.org"));
    insta::assert_snapshot!(with_html.split_once("\nMIME-Version: 1.0\n").expect("the same before it").1, @r##"
    Content-Type: multipart/alternative;
     boundary="part-0123456789abcdef0123456789abcdef"

    --part-0123456789abcdef0123456789abcdef
    Content-Type: text/plain; charset=utf-8
    Content-Transfer-Encoding: 7bit

    Hello Ada,

    your order 7 was not placed: 30008 ms.
    --part-0123456789abcdef0123456789abcdef
    Content-Type: text/html; charset=utf-8
    Content-Transfer-Encoding: 7bit

    <p>Hello Ada</p>
    --part-0123456789abcdef0123456789abcdef--
    "##);
}

#[test]
fn hostile_text_makes_no_header_no_tag_and_no_paragraph() {
    let mut notification = testing::hostile_notification();
    let hostile = "7\r\nBcc: victim@example.com\r\n\r\nYour account is locked: <a href=\"https://evil.example\">unlock</a>\u{202e}\u{0}";
    let event = json!({ "user": { "name": hostile.repeat(1_000), hostile: 1 }, "order": hostile });
    notification.incident.original_event = Some(Value::from(event));
    let mail = mail(&personal("html_file = 'sorry.html'"), &notification);
    let body = mail.split_once("\n\n").expect("headers").1;
    insta::assert_snapshot!(testing::header_names(&mail), @"From To Message-ID Date Subject Auto-Submitted MIME-Version Content-Type");
    let (text, html) = body.split_once("Content-Type: text/html").expect("both");
    assert!(!html.contains("<a") && html.contains("&lt;a"), "{html}");
    assert!(!text.contains("\nYour account") && mail.len() < 4_000, "{mail}");
}

/// One attempt at a mail to whom the event names, as `rules test` makes it.
async fn fire(more: &str) -> (MailServer, Result<String, ActionError>) {
    testing::install_tls();
    let server = MailServer::start(|_| "250 ok").await;
    let rules = parse(&format!("{ACTION}{more}"), server.port).expect("valid");
    let connections = crate::actions::Connections::new(&rules, Duration::from_secs(1)).expect("connections");
    let result = rules.action("sorry").expect("defined").tell(&asked_by("ada@example.org"), &connections).await;
    (server, result)
}

#[tokio::test]
async fn a_sample_never_goes_to_the_person() {
    let (server, result) = fire("test_to = 'ops@example.com'\n").await;
    assert_eq!(result.expect("accepted"), "accepted for 1");
    let mails = server.mails();
    assert_eq!((mails.len(), mails[0].to.join(" ").as_str()), (1, "ops@example.com"));
    assert!(mails[0].text.contains("Subject: [Test] Order") && !mails[0].text.contains("ada@"), "{}", mails[0].text);
    let (server, result) = fire("").await;
    insta::assert_snapshot!(result.expect_err("nobody").detail(), @"`email` was refused: expected `test_to` in the action's `recipient_from_event`: a sample is no request of a person, so somebody else has to get it");
    assert_eq!(server.mails().len(), 0);
}

#[test]
fn what_is_wrong_is_named_with_line_and_key() {
    let refused = |action: &str| parse(action, 25).expect_err("refused").to_string();
    let with = |from: &str, to: &str| refused(&ACTION.replace(from, to));
    insta::assert_snapshot!(with("'/user/email'", "'user.email'"), @"rules.toml:5: `pointer`: expected a JSON pointer such as `/user/email`, found `user.email`");
    insta::assert_snapshot!(with("pointer = '/user/email'\n", ""), @"rules.toml:4: expected `pointer`, which is missing");
    insta::assert_snapshot!(with("domains = ['example.org', 'Shop.Example.org']\n", ""), @"rules.toml:4: expected `domains`, which is missing");
    insta::assert_snapshot!(with("'example.org', 'Shop.Example.org'", ""), @"rules.toml:6: `domains`: expected 1 to 200 domains, found 0");
    insta::assert_snapshot!(with("'example.org'", "'*.example.org'"), @"rules.toml:6: `domains`: expected a domain such as `example.org`, with other letters than a to z written as `xn--…`, found `*.example.org`");
    insta::assert_snapshot!(with("'example.org'", "'bücher.example'"), @"rules.toml:6: `domains`: expected a domain such as `example.org`, with other letters than a to z written as `xn--…`, found `bücher.example`");
    insta::assert_snapshot!(with("'Order {{ event.order }}'", "'Order {{ event.order'"), @"rules.toml:7: `subject`: expected a template, found: syntax error: unexpected end of input, expected end of variable block (in template:1)");
    insta::assert_snapshot!(with("'Order {{ event.order }}'", "' '"), @"rules.toml:7: `subject`: expected a subject, found none");
    insta::assert_snapshot!(with("sorry.txt", "none.txt"), @"rules.toml:8: `text_file`: expected a readable file, found `none.txt`: entity not found");
    insta::assert_snapshot!(with("sorry.txt", "odd.txt"), @"rules.toml:8: `text_file`: expected a template, found in `odd.txt`: unknown filter: filter frobnicate is unknown (in template:1)");
    insta::assert_snapshot!(with("subject", "per_hour_max = 0\nsubject"), @"rules.toml:7: `per_hour_max`: expected 1 to 10000, found 0");
    insta::assert_snapshot!(with("subject", "per_recipient_max = 101\nsubject"), @"rules.toml:7: `per_recipient_max`: expected 1 to 100, found 101");
    insta::assert_snapshot!(with("subject", "test_to = 'ops'\nsubject"), @"rules.toml:7: `test_to`: expected a mail address, found `ops`");
    insta::assert_snapshot!(with("[action.recip", "to = ['ops@example.com']\n[action.recip"), @"rules.toml:4: `to`: expected either `to` or `recipient_from_event`, found both: a person gets a mail of their own");
    let neither = "[[action]]\nname = 'sorry'\nkind = 'email'\n";
    insta::assert_snapshot!(refused(neither), @"rules.toml:3: `kind`: expected `to` or `recipient_from_event`, found neither");
    let rule = |lines: &str| refused(&format!("[[rule]]\nname = 'r'\nactions = ['sorry']\n{lines}\n{ACTION}"));
    insta::assert_snapshot!(rule("group_by = ['problem']"), @"rules.toml:3: `actions`: expected no `group_by` beside `sorry`, which writes to the person whose request it was: that tells each of their own request, not one for many");
    insta::assert_snapshot!(rule("on = ['incident', 'resolved']"), @"rules.toml:3: `actions`: expected no `on` beside `sorry`, which writes to the person whose request it was: that tells each of their own request, not one for many");
    insta::assert_snapshot!(rule("threshold = { count = 5, window = '10m' }"), @"rules.toml:3: `actions`: expected no `threshold` beside `sorry`, which writes to the person whose request it was: that tells each of their own request, not one for many");
}

#[test]
fn a_summary_says_whom_it_writes_to() {
    let domains = "'a.example', 'b.example', 'c.example', 'd.example'";
    let rules = parse(&ACTION.replace("'example.org', 'Shop.Example.org'", domains), 25).expect("valid");
    insta::assert_snapshot!(rules.action("sorry").expect("defined").target(), @"the person named at `/user/email` of the request, if at a.example, b.example, c.example and 1 more through 127.0.0.1:25 (no TLS)");
}
