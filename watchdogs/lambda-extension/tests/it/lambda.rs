//! Stand-ins: Lambda as an extension sees it, and a collector.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};

/// How long anything may take that is going to happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// Lambda's side of one environment.
pub struct Lambda {
    process: Child,
    stderr: File,
    events: mpsc::Sender<Value>,
    /// One for each time that the extension asked for the next event.
    asked: mpsc::Receiver<()>,
    port: u16,
    client: reqwest::Client,
}

#[derive(Clone)]
struct Api {
    events: Arc<tokio::sync::Mutex<mpsc::Receiver<Value>>>,
    asked: mpsc::Sender<()>,
}

impl Lambda {
    /// Starts the extension with these variables beside Lambda's own, and waits until it has asked for its first event.
    pub async fn start(variables: &[(&str, &str)]) -> (Self, Collector) {
        // Several tests share this process.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let collector = Collector::start().await;
        let ((events, next), (ask, asked)) = (mpsc::channel(16), mpsc::channel(64));
        let api = Api { events: Arc::new(tokio::sync::Mutex::new(next)), asked: ask };
        let router = Router::new()
            .route("/2020-01-01/extension/register", post(register))
            .route("/2020-01-01/extension/event/next", get(next_event))
            .route("/2022-07-01/telemetry", put(async || StatusCode::OK))
            .with_state(api);
        let address = serve(router).await;
        let port = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port").local_addr().expect("bound").port();
        let stderr = tempfile::tempfile().expect("a temporary file");
        let mut command = Command::new(env!("CARGO_BIN_EXE_overrun-extension"));
        command
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", &address)
            .env("AWS_LAMBDA_FUNCTION_NAME", "checkout")
            .env("OVERRUN_COLLECTOR", format!("http://{}", collector.address))
            .env("OVERRUN_TOKEN", "t0ken")
            .env("OVERRUN_EXTENSION_PORT", port.to_string())
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stderr(stderr.try_clone().expect("a second handle"));
        let process = command.spawn().expect("the extension can be started");
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client");
        let mut lambda = Self { process, stderr, events, asked, port, client };
        lambda.has_asked().await;
        (lambda, collector)
    }

    async fn has_asked(&mut self) {
        tokio::time::timeout(PATIENCE, self.asked.recv()).await.expect("it asks for the next event").expect("it goes on");
    }

    /// Begins an invocation, and waits until the extension has asked for the next event: it holds nobody up. Returns the deadline.
    pub async fn invoke(&mut self, request_id: &str, budget: Duration) -> i64 {
        let deadline = now_ms() + i64::try_from(budget.as_millis()).expect("short");
        let event = json!({
            "eventType": "INVOKE", "requestId": request_id, "deadlineMs": deadline, "invokedFunctionArn": "arn:aws:lambda:eu-west-1:1:function:checkout",
            "tracing": { "type": "X-Amzn-Trace-Id", "value": "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=1;Sampled=1" },
        });
        self.events.send(event).await.expect("it waits for events");
        self.has_asked().await;
        deadline
    }

    /// Kills everything at the deadline, as Lambda does.
    pub async fn kill_at(&mut self, deadline_ms: i64) {
        let left = u64::try_from(deadline_ms - now_ms()).unwrap_or(0);
        tokio::time::sleep(Duration::from_millis(left)).await;
        self.process.kill().expect("it runs");
        self.process.wait().expect("it ended");
    }

    /// Posts a batch of the Telemetry API.
    pub async fn telemetry(&self, batch: &Value) {
        assert_eq!(self.post("/telemetry", batch).await, 200);
    }

    /// Posts a watchdog event, as an SDK inside the function does.
    pub async fn sdk_event(&self, event: &Value) -> u16 {
        self.post("/v1/watchdog", event).await
    }

    /// A connection to the extension, as an SDK keeps one.
    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).await.expect("it listens")
    }

    async fn post(&self, path: &str, body: &Value) -> u16 {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let request = self.client.post(url).header("content-type", "application/json").body(body.to_string());
        request.send().await.expect("it listens").status().as_u16()
    }

    /// Ends the environment in order; returns what the extension said.
    pub async fn shutdown(&mut self) -> String {
        let event = json!({ "eventType": "SHUTDOWN", "shutdownReason": "spindown", "deadlineMs": now_ms() + 2000 });
        self.events.send(event).await.expect("it waits for events");
        let process = &mut self.process;
        let status = tokio::task::block_in_place(|| process.wait()).expect("it ends");
        assert!(status.success(), "{status}");
        let mut said = String::new();
        self.stderr.rewind().expect("a file");
        self.stderr.read_to_string(&mut said).expect("text");
        said
    }

    /// Its resident memory.
    pub fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line of that name");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }
}

impl Drop for Lambda {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn register(headers: HeaderMap) -> Response {
    let name = headers.get("lambda-extension-name").expect("a name");
    assert_eq!(name, "overrun-extension", "Lambda refuses a name that is not the file's");
    ([("lambda-extension-identifier", "3d9a")], "{}").into_response()
}

async fn next_event(State(api): State<Api>, headers: HeaderMap) -> Response {
    assert_eq!(headers.get("lambda-extension-identifier").expect("an identifier"), "3d9a");
    let _ = api.asked.send(()).await;
    match api.events.lock().await.recv().await {
        Some(event) => event.to_string().into_response(),
        None => std::future::pending().await,
    }
}

/// What came to the collector.
#[derive(Clone)]
pub struct Collector {
    received: Arc<Mutex<Vec<(String, HeaderMap, Value)>>>,
    came: Arc<Notify>,
    /// The beginning of the paths at which it does not answer.
    hangs: Arc<Mutex<Option<&'static str>>>,
    goes_on: Arc<Notify>,
    address: String,
}

impl Collector {
    async fn start() -> Self {
        let (received, came, goes_on) = (Arc::default(), Arc::default(), Arc::default());
        let mut collector = Self { received, came, hangs: Arc::default(), goes_on, address: String::new() };
        collector.address = serve(Router::new().fallback(take).with_state(collector.clone())).await;
        collector
    }

    /// At which paths it does not answer, by their beginning.
    pub fn hangs(&self, at: Option<&'static str>) {
        *self.hangs.lock().expect("not poisoned") = at;
        self.goes_on.notify_waiters();
    }

    fn hangs_at(&self, path: &str) -> bool {
        self.hangs.lock().expect("not poisoned").is_some_and(|at| path.starts_with(at))
    }

    /// How many requests came.
    pub fn count(&self) -> usize {
        self.received.lock().expect("not poisoned").len()
    }

    /// The bodies that came to a path.
    pub fn bodies(&self, path: &str) -> Vec<Value> {
        let received = self.received.lock().expect("not poisoned");
        received.iter().filter(|(to, _, _)| to == path).map(|(_, _, body)| body.clone()).collect()
    }

    /// A header of the first request.
    pub fn header(&self, name: &str) -> String {
        let received = self.received.lock().expect("not poisoned");
        received[0].1.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    }

    /// Waits for a watchdog event.
    pub async fn wait_for(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        self.wait_at("/v1/watchdog", wanted).await
    }

    /// Waits for a body that comes to a path.
    pub async fn wait_at(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let find = async {
            loop {
                let came = self.came.notified();
                if let Some(found) = self.bodies(path).into_iter().find(|event| wanted(event)) {
                    return found;
                }
                came.await;
            }
        };
        tokio::time::timeout(PATIENCE, find).await.expect("the event comes")
    }
}

async fn take(State(collector): State<Collector>, uri: Uri, headers: HeaderMap, body: Bytes) -> StatusCode {
    loop {
        let goes_on = collector.goes_on.notified();
        if !collector.hangs_at(uri.path()) {
            break;
        }
        goes_on.await;
    }
    let body = serde_json::from_slice(&body).unwrap_or_else(|_| String::from_utf8_lossy(&body).into());
    collector.received.lock().expect("not poisoned").push((uri.path().to_owned(), headers, body));
    collector.came.notify_waiters();
    StatusCode::ACCEPTED
}

async fn serve(router: Router) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

#[expect(clippy::disallowed_methods, reason = "Lambda has a clock of its own")]
pub fn now_ms() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis()).expect("a time")
}
