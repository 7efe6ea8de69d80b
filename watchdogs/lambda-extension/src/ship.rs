//! The way to the collector: a bounded queue in which what is urgent goes first, and one sender.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use reqwest::{Client, StatusCode};
use tokio::sync::Notify;

use crate::clock::until;
use crate::settings::Settings;

/// Bytes held while the collector is away; beyond them ordinary shipments are dropped, oldest first.
const BYTES_MAX: usize = 4 * 1024 * 1024;
/// How long one try may take.
const TRY_MAX: Duration = Duration::from_secs(5);
/// Waits between tries, the last one for ever after.
const BACKOFF_MS: [u64; 4] = [100, 500, 1000, 3000];
/// Left of the shutdown's time when draining stops: Lambda kills what is late.
const LAST_MOMENT: Duration = Duration::from_millis(100);

/// One body on its way.
#[derive(Clone)]
pub struct Shipment {
    path: String,
    content_type: String,
    pub content_encoding: Option<String>,
    body: Bytes,
    is_urgent: bool,
}

impl Shipment {
    /// What tells of a request that is about to die.
    pub fn urgent(path: &str, content_type: &str, body: Bytes) -> Self {
        Self { path: path.to_owned(), content_type: content_type.to_owned(), content_encoding: None, body, is_urgent: true }
    }

    /// What can wait.
    pub fn ordinary(path: &str, content_type: &str, body: Bytes) -> Self {
        Self { is_urgent: false, ..Self::urgent(path, content_type, body) }
    }
}

/// The sender's handle. Cheap to clone; clones share one queue.
#[derive(Clone)]
pub struct Shipper(Arc<Shared>);

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Shipment>,
    bytes: usize,
    /// One is being sent.
    is_sending: bool,
    has_complained: bool,
}

struct Shared {
    queue: Mutex<Queue>,
    /// Something was put in.
    filled: Notify,
    /// Nothing is left.
    emptied: Notify,
    collector: String,
    token: Option<String>,
    function: Option<String>,
    instance: Option<String>,
    stack: Option<String>,
}

impl Shipper {
    /// Starts the one task that sends.
    pub fn start(settings: &Settings) -> Self {
        let shipper = Self(Arc::new(Shared {
            queue: Mutex::default(),
            filled: Notify::new(),
            emptied: Notify::new(),
            collector: settings.collector.clone().unwrap_or_default(),
            token: settings.token.clone(),
            function: settings.function.clone(),
            instance: settings.log_stream.clone(),
            stack: settings.stack.clone(),
        }));
        tokio::spawn(shipper.clone().run());
        shipper
    }

    /// Puts a shipment on its way; `false` if there is no room for it.
    pub fn send(&self, shipment: Shipment) -> bool {
        let mut queue = self.queue();
        let length = shipment.body.len();
        while queue.bytes + length > BYTES_MAX {
            let Some(at) = queue.waiting.iter().position(|waiting| !waiting.is_urgent) else { break };
            let dropped = queue.waiting.remove(at).map_or(0, |dropped| dropped.body.len());
            queue.bytes -= dropped;
        }
        if queue.bytes + length > BYTES_MAX {
            return false;
        }
        queue.bytes += length;
        // What is urgent goes before what can wait, and behind what is urgent already.
        let at =
            if shipment.is_urgent { queue.waiting.iter().take_while(|waiting| waiting.is_urgent).count() } else { queue.waiting.len() };
        queue.waiting.insert(at, shipment);
        drop(queue);
        self.0.filled.notify_one();
        true
    }

    /// Waits until everything is sent, but not until the very end of the shutdown.
    pub async fn drain(&self, deadline_ms: i64) {
        let time = until(deadline_ms).saturating_sub(LAST_MOMENT);
        let empty = async {
            loop {
                let emptied = self.0.emptied.notified();
                let is_empty = {
                    let queue = self.queue();
                    queue.waiting.is_empty() && !queue.is_sending
                };
                if is_empty {
                    return;
                }
                emptied.await;
            }
        };
        let _ = tokio::time::timeout(time, empty).await;
    }

    fn queue(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.0.queue.lock().expect("no holder of this lock panics")
    }

    async fn run(self) {
        // Reading the system's certificates takes milliseconds, and Lambda waits for us until we ask for the first event.
        self.0.filled.notified().await;
        let client = Client::builder().timeout(TRY_MAX).pool_max_idle_per_host(1).build();
        let client = match client {
            Ok(client) => client,
            Err(error) => return crate::say(&format!("nothing can be sent: {error}")),
        };
        let mut failures = 0_usize;
        loop {
            let Some(shipment) = self.take() else {
                self.0.emptied.notify_waiters();
                self.0.filled.notified().await;
                continue;
            };
            let length = shipment.body.len();
            match self.once(&client, &shipment).await {
                Ok(()) => {
                    failures = 0;
                    self.queue().bytes -= length;
                }
                Err(why) => {
                    self.complain(&why);
                    self.put_back(shipment);
                    let pause = BACKOFF_MS[failures.min(BACKOFF_MS.len() - 1)];
                    failures += 1;
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                }
            }
        }
    }

    fn take(&self) -> Option<Shipment> {
        let mut queue = self.queue();
        let next = queue.waiting.pop_front();
        queue.is_sending = next.is_some();
        next
    }

    fn put_back(&self, shipment: Shipment) {
        let mut queue = self.queue();
        queue.waiting.push_front(shipment);
        queue.is_sending = false;
    }

    /// One try; an error is worth another.
    async fn once(&self, client: &Client, shipment: &Shipment) -> Result<(), String> {
        let shared = &self.0;
        let mut request = client.post(format!("{}{}", shared.collector, shipment.path)).header("content-type", &shipment.content_type);
        let named = [("overrun-function", &shared.function), ("overrun-instance", &shared.instance), ("overrun-stack", &shared.stack)];
        for (name, value) in named.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
            request = request.header(name, value);
        }
        if let Some(encoding) = &shipment.content_encoding {
            request = request.header("content-encoding", encoding);
        }
        if let Some(token) = &shared.token {
            request = request.bearer_auth(token);
        }
        let status = request.body(shipment.body.clone()).send().await.map_err(|error| error.without_url().to_string())?.status();
        let is_for_later = status.is_server_error() || [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS].contains(&status);
        if is_for_later {
            return Err(format!("it answered {status}"));
        }
        if !status.is_success() {
            self.complain(&format!("it refused {} ({status})", shipment.path));
        }
        Ok(())
    }

    /// Says what is wrong, once.
    fn complain(&self, why: &str) {
        if !std::mem::replace(&mut self.queue().has_complained, true) {
            crate::say(&format!("the collector cannot be told: {why}"));
        }
    }
}
