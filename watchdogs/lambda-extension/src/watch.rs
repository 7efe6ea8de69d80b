//! The clock of the invocation that runs: says once when a share of its time is gone, once before it is killed, and that it
//! ended if something was said before.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::clock::{now_ms, rfc3339, until};
use crate::platform::Invocation;
use crate::processes::{self, Used};
use crate::settings::Settings;
use crate::ship::{Shipment, Shipper};

/// After a thaw a timer may come due before the next invocation was heard of; it waits this long to be cancelled.
const SECOND_THOUGHT: Duration = Duration::from_millis(20);

/// Watches one invocation at a time. Cheap to clone; clones watch the same.
#[derive(Clone)]
pub struct Watch(Arc<Shared>);

struct Shared {
    settings: Arc<Settings>,
    shipper: Shipper,
    current: Mutex<Option<Current>>,
}

/// The invocation that runs.
struct Current {
    invocation: Invocation,
    began_ms: i64,
    used: Option<Used>,
    has_spoken: bool,
    timer: tokio::task::JoinHandle<()>,
}

impl Watch {
    pub fn new(settings: Arc<Settings>, shipper: Shipper) -> Self {
        Self(Arc::new(Shared { settings, shipper, current: Mutex::default() }))
    }

    /// An invocation begins, and so the one before it has ended.
    pub fn began(&self, invocation: Invocation) {
        self.ended();
        let began_ms = now_ms();
        let timer = tokio::spawn(self.clone().time(invocation.request_id.clone(), began_ms, invocation.deadline_ms));
        *self.current() = Some(Current { invocation, began_ms, used: processes::used(), has_spoken: false, timer });
    }

    /// The platform says that the runtime is done with this request.
    pub fn done(&self, request_id: &str, status: &str) {
        let is_current = self.current().as_ref().is_some_and(|current| current.invocation.request_id == request_id);
        if is_current {
            let outcome = if status == "success" { "ok" } else { "error" };
            // A request that the platform killed is told by the platform's own report, and is not closed by its code.
            self.end((status != "timeout").then_some(outcome));
        }
    }

    /// Whatever ran has ended; how is not known.
    pub fn ended(&self) {
        self.end(None);
    }

    fn end(&self, outcome: Option<&str>) {
        let Some(ended) = self.current().take() else { return };
        ended.timer.abort();
        if let Some(outcome) = outcome.filter(|_| ended.has_spoken) {
            let mut event = self.event("closed", &ended);
            event.insert("outcome".to_owned(), json!(outcome));
            self.send(event);
        }
    }

    fn current(&self) -> std::sync::MutexGuard<'_, Option<Current>> {
        self.0.current.lock().expect("no holder of this lock panics")
    }

    /// Speaks twice at most: when a share of the budget is gone, and at the margin before the deadline.
    async fn time(self, request_id: String, began_ms: i64, deadline_ms: i64) {
        let settings = &self.0.settings;
        let margin_ms = i64::try_from(settings.margin.as_millis()).unwrap_or(i64::MAX);
        let budget_ms = deadline_ms.saturating_sub(began_ms);
        if budget_ms < margin_ms.saturating_mul(2) {
            return;
        }
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a budget is at most some minutes")]
        let near_ms = began_ms + (budget_ms as f64 * settings.near_miss_share) as i64;
        let fire_ms = deadline_ms - margin_ms;
        if near_ms < fire_ms {
            tokio::time::sleep(until(near_ms)).await;
            self.speak("near_miss", &request_id, deadline_ms).await;
        }
        tokio::time::sleep(until(fire_ms)).await;
        self.speak("fired", &request_id, deadline_ms).await;
    }

    async fn speak(&self, kind: &str, request_id: &str, deadline_ms: i64) {
        tokio::time::sleep(SECOND_THOUGHT).await;
        // Past the deadline a timer has outlived its request: the environment was frozen in between.
        if now_ms() >= deadline_ms {
            return;
        }
        let event = match self.current().as_mut().filter(|current| current.invocation.request_id == request_id) {
            Some(current) => {
                current.has_spoken = true;
                self.event(kind, current)
            }
            None => return,
        };
        self.send(event);
    }

    fn event(&self, kind: &str, current: &Current) -> Map<String, Value> {
        let settings = &self.0.settings;
        let (now, deadline) = (now_ms(), current.invocation.deadline_ms);
        let mut event = Map::new();
        let mut say = |name: &str, value: Value| {
            if !value.is_null() {
                event.insert(name.to_owned(), value);
            }
        };
        say("kind", json!(kind));
        say("request_id", json!(current.invocation.request_id));
        say("platform", json!("aws_lambda"));
        say("function", json!(settings.function));
        say("version", json!(settings.version));
        say("instance", json!(settings.log_stream));
        say("stack", json!(settings.stack));
        say("trace_id", json!(trace_id(&current.invocation)));
        say("observed_at", json!(rfc3339(now)));
        say("deadline_at", json!(rfc3339(deadline)));
        say("budget_at_entry_ms", json!(deadline - current.began_ms));
        say("margin_ms", json!(i64::try_from(settings.margin.as_millis()).unwrap_or(i64::MAX)));
        say("elapsed_ms", json!(now - current.began_ms));
        say("left_ms", json!(deadline - now));
        if let (Some(before), Some(used)) = (&current.used, processes::used()) {
            say("cpu_ms", json!(used.cpu_ms_since(before)));
            say("memory_bytes", json!(used.memory_bytes));
        }
        event
    }

    fn send(&self, event: Map<String, Value>) {
        self.0.shipper.send(Shipment::urgent("/v1/watchdog", "application/json", Value::Object(event).to_string().into()));
    }
}

/// `Root=1-5759e988-bd862e3fe1be46a994272793;Parent=…` → the root.
fn trace_id(invocation: &Invocation) -> Option<&str> {
    let header = invocation.tracing.as_ref()?.value.as_deref()?;
    header.split(';').find_map(|part| part.trim().strip_prefix("Root="))
}
