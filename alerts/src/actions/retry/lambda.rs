//! AWS Lambda: an asynchronous invocation through AWS's own SDK, with its chain of credentials.
//!
//! `Invoke` with the invocation type `Event` answers 202 and the request ID under which the function runs. The client context
//! reaches functions only in synchronous calls, so the idempotency key is in the payload. The SDK's own retries are off: what
//! may have been taken is not sent again. From AWS's API reference of `Invoke` (read 2026-11-22).

use std::error::Error;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_lambda::error::{DisplayErrorContext, SdkError};
use aws_sdk_lambda::operation::RequestId;
use aws_sdk_lambda::operation::invoke::InvokeError;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::InvocationType;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use store::RetryState;
use tokio::sync::OnceCell;
use toml::Spanned;

use super::super::{ActionError, outgoing};
use super::payload::body;
use super::sent::never_left;
use super::{Order, Sent};
use crate::settings::Fault;
use crate::text::one_line;

/// How long AWS may take to take what a function is told.
const TELL_TIMEOUT: Duration = Duration::from_secs(15);

/// Longest account of an error, in characters.
const ERROR_CHARS_MAX: usize = 400;

/// The keys of `target.aws_lambda`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct Table {
    function: Spanned<String>,
    qualifier: Option<String>,
    region: Option<String>,
    endpoint_url: Option<Spanned<SecretString>>,
    #[serde(default)]
    allow_private: bool,
}

/// A function.
#[derive(Debug)]
pub(in super::super) struct Lambda {
    function: String,
    qualifier: Option<String>,
    region: Option<String>,
    endpoint_url: Option<String>,
    /// Made at first use: that looks for region and credentials.
    connected: OnceCell<Connected>,
}

/// AWS's client, and what it signs with.
#[derive(Debug)]
struct Connected {
    client: Client,
    has_region: bool,
    credentials: Option<SharedCredentialsProvider>,
}

impl Lambda {
    pub(in super::super) fn read(table: Table) -> Result<Self, Fault> {
        let function = table.function.get_ref();
        let is_name = !function.is_empty() && function.len() <= 256 && function.bytes().all(|b| b.is_ascii_graphic());
        if !is_name {
            let found = function.escape_debug();
            return Err(Fault::of(&table.function, format!("expected the name or ARN of a function, found \"{found}\"")));
        }
        let endpoint_url = match &table.endpoint_url {
            Some(url) => {
                outgoing::read_url(url, table.allow_private)?;
                Some(url.get_ref().expose_secret().to_owned())
            }
            None => None,
        };
        Ok(Self { function: function.clone(), qualifier: table.qualifier, region: table.region, endpoint_url, connected: OnceCell::new() })
    }

    pub(in super::super) fn target(&self) -> String {
        match &self.qualifier {
            Some(qualifier) => format!("AWS Lambda {}:{qualifier}", self.function),
            None => format!("AWS Lambda {}", self.function),
        }
    }

    pub(super) async fn send(&self, order: &Order<'_>) -> Sent {
        self.invoke(body(order), order.timeout).await
    }

    /// Tells the function something, for which it makes no difference whether it hears it twice.
    pub(in super::super) async fn tell(&self, body: String) -> Result<String, ActionError> {
        match self.invoke(body, TELL_TIMEOUT).await {
            Sent::Taken(step) if step.state == RetryState::Unknown => {
                Err(ActionError::Retry { action: "aws_lambda", after: None, source: step.detail.into() })
            }
            sent => sent.outcome("aws_lambda"),
        }
    }

    async fn invoke(&self, body: String, timeout: Duration) -> Sent {
        let connected = self.connected.get_or_init(|| self.connect()).await;
        if let Err(wanting) = connected.check().await {
            return Sent::NotTaken { later: true, after: None, source: wanting.into() };
        }
        let timeout = TimeoutConfig::builder().operation_timeout(timeout).build();
        let invoked = connected
            .client
            .invoke()
            .function_name(&self.function)
            .set_qualifier(self.qualifier.clone())
            .invocation_type(InvocationType::Event)
            .payload(Blob::new(body))
            .customize()
            .config_override(aws_sdk_lambda::config::Builder::new().timeout_config(timeout))
            .send()
            .await;
        match invoked {
            Ok(output) => Sent::accepted(output.request_id().map(str::to_owned)),
            Err(error) => judge(&error),
        }
    }

    async fn connect(&self) -> Connected {
        let http = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
        let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http).retry_config(RetryConfig::disabled());
        if let Some(region) = &self.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(url) = &self.endpoint_url {
            loader = loader.endpoint_url(url);
        }
        let config = loader.load().await;
        Connected { client: Client::new(&config), has_region: config.region().is_some(), credentials: config.credentials_provider() }
    }
}

impl Connected {
    /// Whether there is what a request is signed with. Asked first, since a request that fails for want of it cannot be told
    /// from one that was sent.
    async fn check(&self) -> Result<(), String> {
        if !self.has_region {
            return Err("AWS's configuration names no region; `region` in the action does".to_owned());
        }
        let credentials = self.credentials.as_ref().ok_or("AWS's configuration has no credentials")?;
        match credentials.provide_credentials().await {
            Ok(_) => Ok(()),
            Err(error) => Err(one_line(&format!("no credentials for AWS: {}", DisplayErrorContext(&error)), ERROR_CHARS_MAX)),
        }
    }
}

/// What an error says about whether it may have run.
fn judge(error: &SdkError<InvokeError>) -> Sent {
    let text = one_line(&DisplayErrorContext(error).to_string(), ERROR_CHARS_MAX);
    let status = error.raw_response().map(|response| response.status().as_u16());
    let cause: &(dyn Error + 'static) = error;
    match (error, status) {
        (_, Some(429)) => Sent::NotTaken { later: true, after: None, source: text.into() },
        (_, Some(400..=499)) | (SdkError::ConstructionFailure(_), _) => Sent::refused(text),
        (SdkError::DispatchFailure(failure), _) if failure.is_user() || never_left(cause) => {
            Sent::NotTaken { later: true, after: None, source: text.into() }
        }
        _ => Sent::unknown(format!("sent, and not answered well: {text}")),
    }
}
