//! The user's own text: a template of minijinja, in the syntax of Jinja, over the incident.

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, ErrorKind, UndefinedBehavior, Value, context};
use serde_json::Value as Json;

use crate::notification::Notification;

/// The name under which the template is kept.
const NAME: &str = "template";

/// How many steps a template may take: a loop over all that an incident holds takes some thousands.
const STEPS_MAX: u64 = 200_000;

/// A template that was read and can be filled in. What is not known is printed as nothing.
pub(crate) struct OwnTemplate {
    environment: Environment<'static>,
}

impl std::fmt::Debug for OwnTemplate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OwnTemplate")
    }
}

impl OwnTemplate {
    /// Reads the template: its syntax, and whether what it calls exists.
    ///
    /// # Errors
    /// What is wrong with it, and in which line.
    pub(crate) fn read(text: String, escape: AutoEscape) -> Result<Self, String> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Chainable);
        environment.set_fuel(Some(STEPS_MAX));
        environment.set_auto_escape_callback(move |_| escape.clone());
        environment.add_template_owned(NAME, text).map_err(|error| format!("{error:#}"))?;
        let found = Self { environment };
        // What depends on what is filled in, such as a sum of two numbers, may well fail on nothing.
        let is_sure = |kind| matches!(kind, ErrorKind::UnknownFilter | ErrorKind::UnknownTest | ErrorKind::UnknownFunction);
        match found.rendered(context! {}) {
            Err(error) if is_sure(error.kind()) => Err(format!("{error:#}")),
            _ => Ok(found),
        }
    }

    /// Fills it in.
    ///
    /// # Errors
    /// When it takes too many steps or makes more than `bytes_max`, and when what it does cannot be done with these values.
    pub(crate) fn fill(&self, values: Value, bytes_max: usize) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
        let text = self.rendered(values)?;
        if text.len() > bytes_max {
            return Err(format!("expected at most {bytes_max} bytes from the template, found {}", text.len()).into());
        }
        Ok(text)
    }

    fn rendered(&self, values: Value) -> Result<String, minijinja::Error> {
        self.environment.get_template(NAME)?.render(values)
    }
}

/// What every template is given; `incident` is as in [`crate::incident_data`].
pub(crate) fn context(notification: &Notification, incident: Json) -> Value {
    context! {
        verdict => notification.verdict(),
        incident => Value::from(Serde(incident)),
        link => notification.link.as_str(),
        rule => notification.rule.as_str(),
        delivery_id => notification.delivery_id.as_str(),
        created_at => notification.created_at.to_string(),
        severity => notification.context.severity.as_deref().unwrap_or_default(),
        more => notification.context.more,
    }
}
