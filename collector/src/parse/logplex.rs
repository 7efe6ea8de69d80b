//! Heroku's HTTPS log drains: syslog messages in octet counting, without structured data.
//!
//! ```text
//! 97 <134>1 2026-02-11T10:00:42+00:00 host heroku worker.1 - Error R15 (Memory quota vastly exceeded)⏎
//! ```
//!
//! Heroku's "Log Drains" and logplex's own description of HTTP drains, read in November 2026. The length counts bytes, the line
//! end included; a message may have several lines. The header `Logplex-Msg-Count` says how many there are; a body that holds
//! another number is read all the same, and the difference is rejected as one item. `docs/formats/logplex.md`.

use super::envelope::Envelope;
use super::events::Detail;
use super::syslog::{self, Dialect, Facts, Message};
use super::{Context, Fate, Item, Parsed, Reject, marks};

/// The format's name.
pub const FORMAT: &str = "logplex";

/// Whole bodies only.
pub(super) const MARKS: marks::Declared = &[];

/// Reads a body.
#[must_use]
pub(super) fn parse(input: &[u8], read_as: (&Context, Detail)) -> Parsed {
    let dialect = Dialect { read: |text| Message::parse_logplex(text).map(Some), writer: |message| [message.proc_id, None, None], open };
    let mut parsed = syslog::read_frames(input, &dialect, read_as);
    let (context, _) = read_as;
    let promised: Option<u64> = context.headers.get("logplex-msg-count").and_then(|count| count.trim().parse().ok());
    if let Some(promised) = promised.filter(|promised| *promised != parsed.lines) {
        let reason = format!("expected {promised} messages as `Logplex-Msg-Count` says, found {}", parsed.lines);
        parsed.items.push(Item { line: parsed.lines.max(1), fate: Fate::Rejected(Reject::new(reason, "")) });
    }
    parsed
}

fn open(message: &Message<'_>) -> (Envelope, String, Facts) {
    let words = [("app", message.app), ("proc", message.proc_id)];
    let mut facts: Facts = words.into_iter().filter_map(|(name, word)| Some((name, word?.into()))).collect();
    facts.extend(message.proc_id.filter(|process| process.contains('.')).map(|dyno| ("dyno", dyno.into())));
    // Whatever the host is called, what has a process behind a drain is a dyno.
    let place = Message { host: Some("host"), app: Some("app"), ..*message };
    (syslog::envelope(&place, FORMAT), message.text.to_owned(), facts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{Format, facts};

    fn frames(messages: &[&str]) -> String {
        messages.iter().map(|message| format!("{} {message}", message.len())).collect::<Vec<_>>().concat()
    }

    fn read(body: &str, count: &str) -> Vec<serde_json::Value> {
        let headers = [("logplex-msg-count".to_owned(), count.to_owned())].into_iter().collect();
        Format::Logplex.parse(body.as_bytes(), &Context { headers, ..Context::default() }).items.iter().map(facts::of).collect()
    }

    const ROUTER: &str = "<158>1 2026-11-02T09:14:37.458556+00:00 host heroku router - at=error code=H12 desc=\"Request timeout\" method=GET path=\"/slow\" host=shop.example.com request_id=01359b23-773e-4a85-ace6-ab95ae022013 fwd=\"203.0.113.9\" dyno=web.1 connect=0ms service=30001ms status=503 bytes=0 protocol=https\n";

    #[test]
    fn the_routers_and_the_dyno_managers_messages_are_herokus() {
        let body = frames(&[ROUTER, "<134>1 2026-11-02T09:14:42+00:00 host heroku worker.1 - Error R15 (Memory quota vastly exceeded)\n"]);
        let items = read(&body, "2");
        assert_eq!((&items[0]["code"], &items[0]["app"], &items[0]["proc"]), (&"H12".into(), &"heroku".into(), &"router".into()));
        assert_eq!((&items[0]["instance"], &items[0]["outcome"]), (&"web.1".into(), &"timeout".into()));
        assert_eq!((&items[1]["instance"], &items[1]["outcome"]), (&"worker.1".into(), &"out_of_memory".into()));
        assert_eq!(items[1]["observed_at"], "2026-11-02T09:14:42Z");
    }

    #[test]
    fn lengths_are_bytes_and_messages_have_several_lines() {
        let traceback = "<190>1 2026-11-02T09:14:42+00:00 host app web.1 - señal ✓\n  at café\n";
        let items = read(&frames(&[traceback, ROUTER]), "2");
        assert_eq!((items.len(), &items[0]["message"]), (2, &"señal ✓\n  at café".into()));
    }

    #[test]
    fn a_servers_block_in_several_messages_is_put_together_for_each_dyno() {
        let lines = [
            "[2026-11-02 09:14:25 +0000] [4] [ERROR] Error handling request /slow",
            "Traceback (most recent call last):",
            "  File \"/app/shop.py\", line 12, in slow",
            "SystemExit: 1",
        ];
        let messages: Vec<String> = lines
            .iter()
            .flat_map(|line| ["web.1", "web.2"].map(|dyno| format!("<190>1 2026-11-02T09:14:25.1+00:00 host app {dyno} - {line}\n")))
            .collect();
        let items = read(&frames(&messages.iter().map(String::as_str).collect::<Vec<_>>()), "8");
        let told: Vec<_> = items.iter().map(|item| (item["kind"].as_str(), item["instance"].as_str())).collect();
        assert_eq!(told, [(Some("request_error"), Some("web.1")), (Some("request_error"), Some("web.2"))]);
    }

    #[test]
    fn another_number_of_messages_than_promised_is_counted_and_costs_none() {
        let items = read(&frames(&[ROUTER]), "2");
        assert_eq!((items.len(), &items[0]["code"], &items[1]["fate"]), (2, &"H12".into(), &"rejected".into()));
        assert!(items[1]["reason"].as_str().is_some_and(|reason| reason.contains("expected 2")));
        assert_eq!(read("", "0").len(), 0);
    }

    #[test]
    fn lost_messages_are_told() {
        let items = read(
            &frames(&[
                "<172>1 2026-11-02T09:14:42+00:00 host heroku logplex - Error L10 (output buffer overflow): 500 messages dropped since 2026-11-02T09:13:46+00:00.\n",
            ]),
            "1",
        );
        assert_eq!(
            (&items[0]["kind"], &items[0]["dropped_records"], &items[0]["code"]),
            (&"logs_dropped".into(), &500.into(), &"L10".into())
        );
    }
}
