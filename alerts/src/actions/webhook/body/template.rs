//! The user's own body: a template of minijinja, in the syntax of Jinja, over the incident.

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, context};
use toml::Spanned;

use super::super::super::BoxError;
use super::{Name, cloudevents};
use crate::notification::Notification;
use crate::settings::{Fault, Surroundings};

/// The name under which the template is kept.
const TEMPLATE: &str = "template_file";

/// How many steps a template may take: a loop over all that an incident holds takes some thousands.
const STEPS_MAX: u64 = 200_000;

/// Longest body that a template may make.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// A template that was read and can be filled in.
pub(crate) struct Own {
    environment: Environment<'static>,
    content_type: String,
}

impl Own {
    /// Reads the template, and tries it on nothing more than its syntax.
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
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Chainable);
        environment.set_fuel(Some(STEPS_MAX));
        // In a JSON body every value is printed as JSON; other bodies are the template's own affair, save HTML.
        let escape = match content_type.split(';').next().unwrap_or_default().trim() {
            "text/html" => AutoEscape::Html,
            kind if kind.ends_with("json") => AutoEscape::Json,
            _ => AutoEscape::None,
        };
        environment.set_auto_escape_callback(move |_| escape.clone());
        environment
            .add_template_owned(TEMPLATE, text)
            .map_err(|error| Fault::of(&file, format!("expected a template, found in `{}`: {error:#}", file.get_ref())))?;
        Ok(Self { environment, content_type })
    }

    pub(super) fn content_type(&self) -> &str {
        &self.content_type
    }

    /// Fills it in.
    pub(super) fn render(&self, notification: &Notification) -> Result<String, BoxError> {
        let template = self.environment.get_template(TEMPLATE).expect("was added when it was read");
        let incident = Value::from(Serde(cloudevents::data(notification)));
        let body = template.render(context! {
            verdict => notification.verdict(),
            incident,
            link => notification.link.as_str(),
            rule => notification.rule.as_str(),
            delivery_id => notification.delivery_id.as_str(),
            created_at => notification.created_at.to_string(),
            severity => notification.context.severity.as_deref().unwrap_or_default(),
            more => notification.context.more,
        })?;
        if body.len() > BODY_BYTES_MAX {
            return Err(format!("expected a body of at most {BODY_BYTES_MAX} bytes, found {}", body.len()).into());
        }
        Ok(body)
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
