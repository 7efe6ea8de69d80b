//! The way to the collector: a bounded queue in which what is urgent goes first, and two senders, one of them for that alone: it does not
//! wait for an ordinary body that the collector takes its time with.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock};
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
    /// What is urgent stands before what can wait.
    waiting: VecDeque<Shipment>,
    bytes: usize,
    /// How many are being sent.
    sending: usize,
    has_complained: bool,
}

impl Queue {
    /// How many are urgent.
    fn urgent(&self) -> usize {
        self.waiting.iter().take_while(|waiting| waiting.is_urgent).count()
    }
}

/// What a sender takes.
#[derive(Clone, Copy, PartialEq)]
enum Takes {
    All,
    Urgent,
}

struct Shared {
    queue: Mutex<Queue>,
    client: OnceLock<Client>,
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
    /// Starts the tasks that send.
    pub fn start(settings: &Settings) -> Self {
        let shipper = Self(Arc::new(Shared {
            queue: Mutex::default(),
            client: OnceLock::new(),
            filled: Notify::new(),
            emptied: Notify::new(),
            collector: settings.collector.clone().unwrap_or_default(),
            token: settings.token.clone(),
            function: settings.function.clone(),
            instance: settings.log_stream.clone(),
            stack: settings.stack.clone(),
        }));
        for takes in [Takes::All, Takes::Urgent] {
            tokio::spawn(shipper.clone().run(takes));
        }
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
        let at = if shipment.is_urgent { queue.urgent() } else { queue.waiting.len() };
        queue.waiting.insert(at, shipment);
        drop(queue);
        self.0.filled.notify_waiters();
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
                    queue.waiting.is_empty() && queue.sending == 0
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

    async fn run(self, takes: Takes) {
        let mut failures = 0_usize;
        loop {
            let filled = self.0.filled.notified();
            let Some(shipment) = self.take(takes) else {
                self.0.emptied.notify_waiters();
                filled.await;
                continue;
            };
            let sent = self.once(&shipment).await;
            match self.settle(shipment, sent) {
                Ok(()) => failures = 0,
                Err(why) => {
                    self.complain(&why);
                    let pause = BACKOFF_MS[failures.min(BACKOFF_MS.len() - 1)];
                    failures += 1;
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                }
            }
        }
    }

    /// What was sent is done with; what was not stands where it stood.
    fn settle(&self, shipment: Shipment, sent: Result<(), String>) -> Result<(), String> {
        let mut queue = self.queue();
        queue.sending -= 1;
        if sent.is_ok() {
            queue.bytes -= shipment.body.len();
        } else {
            let at = if shipment.is_urgent { 0 } else { queue.urgent() };
            queue.waiting.insert(at, shipment);
        }
        sent
    }

    fn take(&self, takes: Takes) -> Option<Shipment> {
        let mut queue = self.queue();
        let next = queue.waiting.pop_front_if(|next| next.is_urgent || takes == Takes::All);
        queue.sending += usize::from(next.is_some());
        next
    }

    /// Made for the first shipment: reading the system's certificates takes milliseconds, and Lambda waits for us until we ask for the
    /// first event.
    fn client(&self) -> Result<&Client, String> {
        if let Some(client) = self.0.client.get() {
            return Ok(client);
        }
        let made = Client::builder().timeout(TRY_MAX).pool_max_idle_per_host(2).build().map_err(|error| error.to_string())?;
        Ok(self.0.client.get_or_init(|| made))
    }

    /// One try; an error is worth another.
    async fn once(&self, shipment: &Shipment) -> Result<(), String> {
        let shared = &self.0;
        let mut request =
            self.client()?.post(format!("{}{}", shared.collector, shipment.path)).header("content-type", &shipment.content_type);
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
