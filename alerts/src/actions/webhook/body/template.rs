//! The user's own body: a template of minijinja, in the syntax of Jinja, over the incident.

use minijinja::AutoEscape;
use toml::Spanned;

use super::super::super::BoxError;
use super::Name;
use crate::incident_data;
use crate::notification::Notification;
use crate::own_template::{self, OwnTemplate};
use crate::settings::{Fault, Surroundings};

/// Longest body that a template may make.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// A template that was read and can be filled in.
pub(crate) struct Own {
    template: OwnTemplate,
    content_type: String,
}

impl Own {
    /// Reads the template and the media type.
    pub(super) fn read(
        body: &Spanned<Name>,
        file: Option<Spanned<String>>,
        content_type: Option<Spanned<String>>,
        around: &Surroundings<'_>,
    ) -> Result<Self, Fault> {
        let file = file.ok_or_else(|| Fault::of(body, "expected `template_file` beside it: a file with the body's template"))?;
        let text = around.text_of(&file)?;
        let content_type = match content_type {
            None => "application/json; charset=utf-8".to_owned(),
            Some(found) if !found.get_ref().contains('/') || !found.get_ref().bytes().all(|b| (b' '..=b'~').contains(&b)) => {
                return Err(Fault::of(&found, format!("expected a media type such as `text/plain`, found `{}`", found.get_ref())));
            }
            Some(found) => found.into_inner(),
        };
        // In a JSON body every value is printed as JSON; other bodies are the template's own affair, save HTML.
        let escape = match content_type.split(';').next().unwrap_or_default().trim() {
            "text/html" => AutoEscape::Html,
            kind if kind.ends_with("json") => AutoEscape::Json,
            _ => AutoEscape::None,
        };
        let template = OwnTemplate::read(text, escape)
            .map_err(|why| Fault::of(&file, format!("expected a template, found in `{}`: {why}", file.get_ref())))?;
        Ok(Self { template, content_type })
    }

    pub(super) fn content_type(&self) -> &str {
        &self.content_type
    }

    /// Fills it in.
    pub(super) fn render(&self, notification: &Notification) -> Result<String, BoxError> {
        self.template.fill(own_template::context(notification, incident_data::data(notification)), BODY_BYTES_MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::testing;

    fn own(text: &'static str, content_type: Option<&str>) -> Result<Own, Fault> {
        let around = Surroundings { folder: Path::new(""), read_file: &|_| Ok(text.to_owned()) };
        let spanned = |text: &str| Spanned::new(0..1, text.to_owned());
        Own::read(&Spanned::new(0..1, Name::Template), Some(spanned("body.j2")), content_type.map(spanned), &around)
    }

    #[test]
    fn values_in_json_are_json_whatever_they_hold() {
        let own = own(
            r#"{"title": {{ verdict }}, "layer": {{ incident.diagnosis.layer }}, "none": {{ incident.nothing.here | default(none) }}}"#,
            None,
        );
        let body = own.expect("valid").render(&testing::hostile_notification()).expect("filled in");
        let json: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!((&json["layer"], &json["none"]), (&"app_server".into(), &serde_json::Value::Null));
        assert!(json["title"].as_str().expect("text").starts_with("function"));
    }

    #[test]
    fn a_template_can_be_neither_endless_nor_broken() {
        let endless =
            own("{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}", Some("text/plain")).expect("valid");
        endless.render(&testing::notification()).expect_err("too many steps");
        let broken = own("{% for %}", None).map(|_| ()).expect_err("no template");
        assert!(broken.message.starts_with("expected a template, found in `body.j2`"), "{}", broken.message);
        own("x", Some("nonsense")).map(|_| ()).expect_err("no media type");
    }
}
