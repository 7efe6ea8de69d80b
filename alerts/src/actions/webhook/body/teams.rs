//! An adaptive card in the message that a workflow of Microsoft Teams takes ("Post to a channel when a webhook request is received").
//!
//! <https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using>, read 2026-11-27: a message
//! holds 28 kB. Text blocks know Markdown, so its characters are escaped.

use serde_json::{Value, json};

use super::backslashed;
use crate::notification::Notification;
use crate::view::View;

/// Sentences of each list: all in all a card stays far below 28 kB.
const SENTENCES_MAX: usize = 5;

/// The message.
pub(super) fn card(notification: &Notification) -> Value {
    let view = View::of(notification);
    let facts: Vec<Value> = view.fields.iter().map(|(name, value)| json!({ "title": name, "value": escaped(value) })).collect();
    let mut body = vec![
        json!({ "type": "TextBlock", "size": "Large", "weight": "Bolder", "wrap": true, "text": escaped(&view.verdict) }),
        json!({ "type": "FactSet", "facts": facts }),
    ];
    for (title, sentences) in [("What to change", &view.advice), ("Why we say so", &view.reasons)] {
        if !sentences.is_empty() {
            let lines: Vec<String> = sentences.iter().take(SENTENCES_MAX).map(|sentence| format!("- {}", escaped(sentence))).collect();
            body.push(json!({ "type": "TextBlock", "weight": "Bolder", "wrap": true, "text": title }));
            body.push(json!({ "type": "TextBlock", "wrap": true, "text": lines.join("\n") }));
        }
    }
    body.push(json!({ "type": "TextBlock", "isSubtle": true, "wrap": true, "text": format!("Overrun, rule “{}”", escaped(&view.rule)) }));
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "msteams": { "width": "Full" },
                "body": body,
                "actions": [{ "type": "Action.OpenUrl", "title": "Open the incident", "url": view.link }],
            },
        }],
    })
}

fn escaped(text: &str) -> String {
    backslashed(text, "\\*_~`[]()#>|")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn the_card_says_the_verdict_first_and_stays_small() {
        let card = card(&testing::notification());
        let content = &card["attachments"][0]["content"];
        assert_eq!(content["body"][0]["text"], "checkout: gunicorn's worker timeout \\(30 s\\) fired");
        assert_eq!(content["actions"][0]["url"], testing::notification().link);
        let mut huge = testing::hostile_notification();
        huge.incident.diagnosis.reasons[0].text = "x".repeat(50_000);
        huge.incident.diagnosis.reasons = vec![huge.incident.diagnosis.reasons[0].clone(); 50];
        assert!(super::card(&huge).to_string().len() < 28_000);
    }
}
