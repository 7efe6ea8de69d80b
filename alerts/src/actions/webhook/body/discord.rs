//! A message of Discord's webhooks: one embed, nobody mentioned.
//!
//! <https://discord.com/developers/docs/resources/webhook#execute-webhook> and the limits of embeds, read 2026-11-27: a title holds
//! 256 characters, a description 4,096, a field's value 1,024, an embed 25 fields and 6,000 characters in all.

use serde_json::{Value, json};

use super::backslashed;
use crate::notification::Notification;
use crate::text::one_line;
use crate::view::View;

const TITLE_CHARS_MAX: usize = 256;
const DESCRIPTION_CHARS_MAX: usize = 2_000;
const VALUE_CHARS_MAX: usize = 250;
/// Red of a limit that fired, green of a request that survived: the dashboard's own.
const FIRED: u32 = 0x00b3_261e;
const SURVIVED: u32 = 0x002f_7d5b;

/// The message.
pub(super) fn message(notification: &Notification) -> Value {
    let view = View::of(notification);
    let sentences = view.advice.iter().chain(&view.reasons).map(|sentence| format!("- {}", escaped(sentence)));
    let description = sentences.fold(String::new(), |text, line| {
        let longer = text.chars().count() + line.chars().count() > DESCRIPTION_CHARS_MAX;
        if longer { text } else { format!("{text}{line}\n") }
    });
    let fields: Vec<Value> = view
        .fields
        .iter()
        .map(|(name, value)| json!({ "name": name, "value": one_line(&escaped(value), VALUE_CHARS_MAX), "inline": true }))
        .collect();
    let color = if notification.is_over() { SURVIVED } else { FIRED };
    json!({
        "embeds": [{
            "title": one_line(&escaped(&view.verdict), TITLE_CHARS_MAX),
            "url": view.link,
            "description": description,
            "color": color,
            "fields": fields,
            "footer": { "text": format!("Overrun, rule “{}”", view.rule) },
            "timestamp": notification.created_at.to_string(),
        }],
        "allowed_mentions": { "parse": [] },
    })
}

fn escaped(text: &str) -> String {
    backslashed(text, "\\*_~`|>#[]()<@")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn the_embed_stays_within_discords_limits_and_mentions_nobody() {
        let mut notification = testing::hostile_notification();
        notification.incident.summary = format!("@everyone {}", "x".repeat(5_000));
        notification.incident.diagnosis.reasons = vec![notification.incident.diagnosis.reasons[0].clone(); 50];
        let message = message(&notification);
        let embed = &message["embeds"][0];
        let length = |value: &Value| value.as_str().expect("text").chars().count();
        assert!(length(&embed["title"]) <= 256 && length(&embed["description"]) <= 4_096);
        let fields = embed["fields"].as_array().expect("a list");
        let total: usize = fields.iter().map(|field| length(&field["name"]) + length(&field["value"])).sum();
        assert!(
            fields.len() <= 25
                && total + length(&embed["title"]) + length(&embed["description"]) + length(&embed["footer"]["text"]) <= 6_000
        );
        assert_eq!(message["allowed_mentions"]["parse"], json!([]));
        assert!(!embed["title"].as_str().expect("text").contains(" @everyone"));
    }
}
