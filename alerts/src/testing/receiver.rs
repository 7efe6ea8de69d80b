//! An HTTP receiver that answers as told and remembers what it got.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;

/// One request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Received {
    /// A header as text.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

type Answer = Arc<dyn Fn() -> Response + Send + Sync>;

/// The receiver. It lives as long as the test's runtime.
#[derive(Clone)]
pub(crate) struct Receiver {
    answer: Arc<Mutex<Option<Answer>>>,
    received: Arc<Mutex<Vec<Received>>>,
    /// Where it listens.
    pub port: u16,
}

impl Receiver {
    /// Begins to listen, and answers 204 until told otherwise.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let receiver = Self { answer: Arc::default(), received: Arc::default(), port };
        receiver.answers(|| StatusCode::NO_CONTENT.into_response());
        let router = Router::new().fallback(take).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        receiver
    }

    /// What to answer from now on.
    pub(crate) fn answers(&self, answer: impl Fn() -> Response + Send + Sync + 'static) {
        *self.answer.lock().expect("not poisoned") = Some(Arc::new(answer));
    }

    /// Takes requests and never answers them, from now on.
    pub(crate) fn hangs(&self) {
        *self.answer.lock().expect("not poisoned") = None;
    }

    /// What came so far.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().expect("not poisoned").clone()
    }

    /// An `[[action]]` table that sends here.
    pub(crate) fn action(&self, name: &str) -> String {
        format!(
            "[[action]]\nname = '{name}'\nkind = 'webhook'\nallow_private = true\nurl = 'http://127.0.0.1:{}/secret-path'\nsecret = '{SECRET}'\n",
            self.port
        )
    }
}

/// The key of [`Receiver::action`].
pub(crate) const SECRET: &str = "whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0";

async fn take(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> Response {
    receiver.received.lock().expect("not poisoned").push(Received { headers, body });
    let answer = receiver.answer.lock().expect("not poisoned").clone();
    match answer {
        Some(answer) => answer(),
        None => std::future::pending().await,
    }
}
