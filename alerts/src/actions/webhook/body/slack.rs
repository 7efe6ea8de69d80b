//! A message of Slack's incoming webhooks, with blocks and a text for notifications.
//!
//! <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks> and the reference of Block Kit, read 2026-11-27:
//! a header holds 150 characters, a section's text 3,000, a section ten fields of 2,000. `&`, `<` and `>` are Slack's control
//! characters.

use serde_json::{Value, json};

use crate::notification::Notification;
use crate::text::one_line;
use crate::view::View;

const HEADER_CHARS_MAX: usize = 150;
const SECTION_CHARS_MAX: usize = 2_900;
const FIELDS_MAX: usize = 10;

/// The message.
pub(super) fn message(notification: &Notification) -> Value {
    let view = View::of(notification);
    let mut blocks = vec![json!({ "type": "header", "text": { "type": "plain_text", "text": one_line(&view.verdict, HEADER_CHARS_MAX) } })];
    if view.verdict.chars().count() > HEADER_CHARS_MAX {
        blocks.push(section(&escaped(&view.verdict)));
    }
    let fields: Vec<Value> =
        view.fields.iter().take(FIELDS_MAX).map(|(name, value)| mrkdwn(&format!("*{name}*\n{}", escaped(value)))).collect();
    if !fields.is_empty() {
        blocks.push(json!({ "type": "section", "fields": fields }));
    }
    for (title, sentences) in [("What to change", &view.advice), ("Why we say so", &view.reasons)] {
        if !sentences.is_empty() {
            let lines: Vec<String> = sentences.iter().map(|sentence| format!("• {}", escaped(sentence))).collect();
            blocks.push(section(&format!("*{title}*\n{}", lines.join("\n"))));
        }
    }
    let button = json!({ "type": "button", "text": { "type": "plain_text", "text": "Open the incident" }, "url": view.link });
    blocks.push(json!({ "type": "actions", "elements": [button] }));
    blocks.push(json!({ "type": "context", "elements": [mrkdwn(&format!("Overrun, rule “{}”", escaped(&view.rule)))] }));
    json!({ "text": escaped(&view.verdict), "blocks": blocks })
}

fn section(text: &str) -> Value {
    let cut: String = text.chars().take(SECTION_CHARS_MAX).collect();
    json!({ "type": "section", "text": mrkdwn(&cut) })
}

fn mrkdwn(text: &str) -> Value {
    json!({ "type": "mrkdwn", "text": text })
}

/// Text without links, mentions and formatting of its own.
fn escaped(text: &str) -> String {
    let plain = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    // A zero-width space keeps `*bold*`, `_italic_`, `~struck~` and `` `code` `` from being formatted.
    plain.chars().fold(String::new(), |mut out, c| {
        out.push(c);
        if matches!(c, '*' | '_' | '~' | '`') {
            out.push('\u{200b}');
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn the_verdict_is_the_header_and_the_notification() {
        let message = message(&testing::notification());
        assert_eq!(message["text"], "checkout: gunicorn's worker timeout (30 s) fired");
        assert_eq!(message["blocks"][0]["text"]["text"], "checkout: gunicorn's worker timeout (30 s) fired");
        assert!(message.to_string().contains("Give the call to payments.internal a timeout well under 30 s."));
        assert!(message.to_string().contains(&testing::notification().link));
    }

    #[test]
    fn hostile_text_neither_mentions_nor_links() {
        let mut notification = testing::hostile_notification();
        notification.incident.summary = format!("<!channel> <https://evil.example|click> {}", "x".repeat(5_000));
        let message = message(&notification);
        assert_eq!(message["blocks"][0]["text"]["type"], "plain_text", "only plain text may hold what would be a mention");
        let formatted = message["blocks"].as_array().expect("blocks").iter().skip(1).chain([&message["text"]]);
        for text in formatted.map(Value::to_string) {
            assert!(!text.contains("<!") && !text.contains("<http") && !text.contains("<script"), "{text}");
        }
        for block in message["blocks"].as_array().expect("blocks") {
            let text = block["text"]["text"].as_str().unwrap_or_default();
            assert!(text.chars().count() <= 3_000);
        }
    }
}
