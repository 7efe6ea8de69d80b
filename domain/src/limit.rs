//! Bounds: which layer sets them, what their users call them, and how we came to know them.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Millis;

/// The layers a request passes, outermost first. A closed set, used as is in JSON, labels and SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// Whoever sent the request.
    Client,
    /// CloudFront, Varnish.
    Cdn,
    /// API Gateway, OpenFaaS gateway.
    Gateway,
    /// Application Load Balancer.
    LoadBalancer,
    /// Reverse proxies and platform routers: nginx, HAProxy, Apache, Caddy, Heroku, Fly.
    Router,
    /// A queue in front of the function.
    Queue,
    /// Lambda, OpenWhisk, Cloud Run, the orchestrator's grace period.
    Platform,
    /// of-watchdog.
    FunctionWatchdog,
    /// gunicorn, uWSGI, php-fpm.
    AppServer,
    /// The user's code.
    Application,
    /// What the user's code called.
    Downstream,
}

impl Layer {
    /// All layers, outermost first.
    pub const ALL: [Self; 11] = [
        Self::Client,
        Self::Cdn,
        Self::Gateway,
        Self::LoadBalancer,
        Self::Router,
        Self::Queue,
        Self::Platform,
        Self::FunctionWatchdog,
        Self::AppServer,
        Self::Application,
        Self::Downstream,
    ];

    /// The word used in JSON, labels and SQL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Cdn => "cdn",
            Self::Gateway => "gateway",
            Self::LoadBalancer => "load_balancer",
            Self::Router => "router",
            Self::Queue => "queue",
            Self::Platform => "platform",
            Self::FunctionWatchdog => "function_watchdog",
            Self::AppServer => "app_server",
            Self::Application => "application",
            Self::Downstream => "downstream",
        }
    }
}

/// The program or service a limit belongs to: `aws_lambda`, `gunicorn`, `nginx`. An open set, lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Product(Cow<'static, str>);

impl Product {
    /// AWS Lambda.
    pub const AWS_LAMBDA: Self = Self(Cow::Borrowed("aws_lambda"));
    /// gunicorn.
    pub const GUNICORN: Self = Self(Cow::Borrowed("gunicorn"));
    /// nginx.
    pub const NGINX: Self = Self(Cow::Borrowed("nginx"));
    /// HAProxy.
    pub const HAPROXY: Self = Self(Cow::Borrowed("haproxy"));
    /// Apache httpd.
    pub const APACHE: Self = Self(Cow::Borrowed("apache"));
    /// mod_wsgi's daemon processes.
    pub const MOD_WSGI: Self = Self(Cow::Borrowed("mod_wsgi"));
    /// Caddy.
    pub const CADDY: Self = Self(Cow::Borrowed("caddy"));
    /// Varnish.
    pub const VARNISH: Self = Self(Cow::Borrowed("varnish"));
    /// The kernel, which kills when memory is full.
    pub const LINUX: Self = Self(Cow::Borrowed("linux"));

    /// Whether it stands in front of what runs the request: its lines tell of its own connection, not of the function.
    #[must_use]
    pub fn is_proxy(&self) -> bool {
        [Self::NGINX, Self::HAPROXY, Self::APACHE, Self::CADDY, Self::VARNISH].contains(self)
    }

    /// The name as it stands in JSON and labels.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as its makers write it, for sentences; falls back to the lower-case name.
    #[must_use]
    pub fn title(&self) -> &str {
        match self.as_str() {
            "aws_lambda" => "AWS Lambda",
            "api_gateway" => "API Gateway",
            "alb" => "Application Load Balancer",
            "cloudfront" => "CloudFront",
            "cloud_run" => "Cloud Run",
            "cloud_functions" => "Cloud Functions",
            "azure_functions" => "Azure Functions",
            "openwhisk" => "OpenWhisk",
            "knative" => "Knative",
            "vercel" => "Vercel",
            "heroku" => "Heroku",
            "fly" => "Fly",
            "of_watchdog" => "of-watchdog",
            "classic_watchdog" => "classic watchdog",
            "openfaas_gateway" => "OpenFaaS gateway",
            "uwsgi" => "uWSGI",
            "puma" => "Puma",
            "php_fpm" => "php-fpm",
            "haproxy" => "HAProxy",
            "apache" => "Apache",
            "caddy" => "Caddy",
            "varnish" => "Varnish",
            "rack_timeout" => "rack-timeout",
            "celery" => "Celery",
            "sqs" => "SQS",
            "pubsub" => "Pub/Sub",
            "appsync" => "AppSync",
            "lambda_edge" => "Lambda@Edge",
            "nlb" => "Network Load Balancer",
            "step_functions" => "Step Functions",
            "eventbridge" => "EventBridge",
            "firehose" => "Firehose",
            "app_runner" => "App Runner",
            "google_load_balancer" => "Google's load balancer",
            "azure_application_gateway" => "Azure Application Gateway",
            "azure_api_management" => "Azure API Management",
            "netlify" => "Netlify",
            "cloudflare" => "Cloudflare",
            "render" => "Render",
            "digitalocean_functions" => "DigitalOcean Functions",
            "scaleway_functions" => "Scaleway Functions",
            "oracle_functions" => "Oracle Functions",
            "kubernetes" => "Kubernetes",
            "docker" => "Docker",
            "php" => "PHP",
            "linux" => "the kernel",
            other => other,
        }
    }
}

impl From<&'static str> for Product {
    fn from(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }
}
impl From<String> for Product {
    fn from(name: String) -> Self {
        Self(Cow::Owned(name))
    }
}
impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How we came to know a limit's value; later is weaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KnownFrom {
    /// A source named it in a line about this request.
    Claimed,
    /// It stands in configuration we were given.
    Configured,
    /// Worked out from other evidence: a start-up banner, a deadline, repeated kills at the same age.
    Learned,
    /// The product's documented default; nobody said that it applies here.
    Default,
}

impl KnownFrom {
    /// The word used in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Claimed => "claimed",
            Self::Configured => "configured",
            Self::Learned => "learned",
            Self::Default => "default",
        }
    }
}

/// A bound set by one layer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Limit {
    /// The layer that sets it.
    pub layer: Layer,
    /// The program or service it belongs to.
    pub product: Product,
    /// The setting exactly as its users write it: `Timeout`, `--timeout`, `proxy_read_timeout`.
    pub setting: String,
    /// Its value; `None` when only its existence is known.
    pub value_ms: Option<Millis>,
    /// How the value is known.
    pub known_from: KnownFrom,
    /// Where it is set, when configuration told: `Procfile`, `gunicorn.conf.py:3`.
    #[serde(rename = "where", default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
}
