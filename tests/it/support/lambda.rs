//! A function in AWS Lambda, as moto stands in for it.

use serde_json::json;

use super::{Launch, Peer};

/// A function, and what is needed to call it.
pub struct Lambda {
    function: Peer,
    url: String,
    name: String,
    key: String,
    secret: String,
}

impl Lambda {
    pub async fn with(name: &str) -> Self {
        let mut function = Peer::python("aws_lambda.py", &json!({ "function": name }));
        let stand_in = function.next().await;
        let said = |key: &str| stand_in[key].as_str().expect("text").to_owned();
        Self { function, url: said("url"), name: name.to_owned(), key: said("key"), secret: said("secret") }
    }

    /// The `target` of an action that calls it.
    pub fn target(&self) -> String {
        format!("{{ aws_lambda = {{ function = '{}', endpoint_url = '{}', allow_private = true }} }}", self.name, self.url)
    }

    /// Gives a daemon the credentials, where AWS's SDK looks for them.
    pub fn sign_in(&self, launch: Launch) -> Launch {
        launch
            .with("AWS_ACCESS_KEY_ID", &self.key)
            .with("AWS_SECRET_ACCESS_KEY", &self.secret)
            .with("AWS_REGION", "eu-west-1")
            .with("AWS_EC2_METADATA_DISABLED", "true")
    }

    /// The next invocation: `status`, `type` and `payload`.
    pub async fn next(&mut self) -> serde_json::Value {
        self.function.next().await
    }
}
