//! Lambda's side: the Extensions API, and the subscription to the Telemetry API.

use reqwest::{Client, StatusCode};
use serde::Deserialize;
use serde_json::json;

/// The name that Lambda knows us by: that of the file in `/opt/extensions`.
const NAME: &str = "overrun-extension";
const NAME_HEADER: &str = "Lambda-Extension-Name";
const ID_HEADER: &str = "Lambda-Extension-Identifier";

/// Lambda did not answer as documented.
#[derive(Debug)]
pub struct Failed(String);

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<reqwest::Error> for Failed {
    fn from(error: reqwest::Error) -> Self {
        Self(format!("Lambda's extensions API did not answer: {error}"))
    }
}

/// An invocation that begins.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Invocation {
    pub request_id: String,
    /// When it will be killed, in milliseconds since 1970.
    pub deadline_ms: i64,
    #[serde(default)]
    pub tracing: Option<Tracing>,
}

/// Its trace header, if X-Ray gave it one.
#[derive(Clone, Debug, Deserialize)]
pub struct Tracing {
    #[serde(default)]
    pub value: Option<String>,
}

/// What comes next.
#[derive(Debug, Deserialize)]
#[serde(tag = "eventType")]
pub enum Next {
    #[serde(rename = "INVOKE")]
    Invoke(Invocation),
    #[serde(rename = "SHUTDOWN")]
    Shutdown {
        #[serde(rename = "deadlineMs")]
        deadline_ms: i64,
    },
}

/// A registered extension.
pub struct Platform {
    client: Client,
    api: String,
    id: String,
}

impl Platform {
    /// Registers for invocations and the shutdown.
    pub async fn register(api: &str) -> Result<Self, Failed> {
        // No timeout: the next event may be hours away. The other side is this machine and speaks no TLS, so that the time to
        // read the system's certificates is saved.
        let client = Client::builder().no_proxy().pool_max_idle_per_host(1).tls_certs_only([]).build()?;
        let url = format!("http://{api}/2020-01-01/extension/register");
        let request = client.post(url).header(NAME_HEADER, NAME).header("content-type", "application/json");
        let response = request.body(json!({ "events": ["INVOKE", "SHUTDOWN"] }).to_string()).send().await?;
        let id = response.headers().get(ID_HEADER).and_then(|id| id.to_str().ok()).map(str::to_owned);
        match (response.status(), id) {
            (status, Some(id)) if status.is_success() => Ok(Self { client, api: api.to_owned(), id }),
            (status, _) => Err(Failed(format!("Lambda refused to register this extension ({status})"))),
        }
    }

    /// Asks for the platform's and the function's events, at this port.
    pub async fn subscribe(&self, port: u16) -> Result<(), Failed> {
        let subscription = json!({
            "schemaVersion": "2022-12-13",
            "types": ["platform", "function"],
            // The least that is allowed: the end of an invocation should be known soon.
            "buffering": { "maxItems": 1000, "maxBytes": 262_144, "timeoutMs": 25 },
            "destination": { "protocol": "HTTP", "URI": format!("http://sandbox.localdomain:{port}/telemetry") },
        });
        let url = format!("http://{}/2022-07-01/telemetry", self.api);
        let request = self.client.put(url).header(ID_HEADER, &self.id).header("content-type", "application/json");
        let status = request.body(subscription.to_string()).send().await?.status();
        // 202: an emulator without telemetry.
        if status == StatusCode::OK { Ok(()) } else { Err(Failed(format!("the Telemetry API answered {status}"))) }
    }

    /// Waits for the next event. Asking says that we are done with the last one.
    pub async fn next(&self) -> Result<Next, Failed> {
        let url = format!("http://{}/2020-01-01/extension/event/next", self.api);
        let response = self.client.get(url).header(ID_HEADER, &self.id).send().await?;
        let status = response.status();
        let body = response.bytes().await?;
        if !status.is_success() {
            return Err(Failed(format!("Lambda's extensions API answered {status} when asked for the next event")));
        }
        serde_json::from_slice(&body).map_err(|error| Failed(format!("expected an event of Lambda's extensions API: {error}")))
    }
}
