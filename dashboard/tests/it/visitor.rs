//! A reader: asks over HTTP and looks at what comes back.

use axum::Router;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Visits one dashboard.
pub struct Visitor {
    address: std::net::SocketAddr,
}

/// What came back.
pub struct Answer {
    pub status: u16,
    pub body: String,
    path: String,
    headers: Vec<(String, String)>,
}

impl Visitor {
    /// Serves `router` on a free port.
    pub async fn of(router: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address }
    }

    /// Asks for `path`.
    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "", "").await
    }

    /// Presses a button that leads to `path`, on a page of `origin`.
    pub async fn press(&self, path: &str, origin: &str) -> Answer {
        self.submit(path, origin, "").await
    }

    /// Sends a form to `path`, from a page of `origin`.
    pub async fn submit(&self, path: &str, origin: &str, form: &str) -> Answer {
        self.send("POST", path, &format!("origin: {origin}\r\ncontent-type: application/x-www-form-urlencoded\r\n"), form).await
    }

    /// Sends JSON as a program does.
    pub async fn post_json(&self, path: &str, body: &serde_json::Value) -> Answer {
        self.send("POST", path, "content-type: application/json\r\n", &body.to_string()).await
    }

    /// Deletes as a program does.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, "", "").await
    }

    /// Begins to listen to a stream.
    pub async fn subscribe(&self, path: &str, headers: &str) -> Stream {
        let mut stream = TcpStream::connect(self.address).await.expect("it listens");
        let request = format!("GET {path} HTTP/1.1\r\nhost: overrun\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.expect("sent");
        Stream { stream, read: String::new() }
    }

    async fn send(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.expect("it listens");
        let length = body.len();
        let request =
            format!("{method} {path} HTTP/1.1\r\nhost: overrun\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.expect("received");
        let text = String::from_utf8(bytes).expect("pages are UTF-8");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|word| word.parse().ok()).expect("a status");
        let header = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
        Answer { status, body: body.to_owned(), path: path.to_owned(), headers: lines.filter_map(header).collect() }
    }

    /// Asks for a page that must be there.
    pub async fn page(&self, path: &str) -> Answer {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer
    }

    /// Asks for JSON that must be there.
    pub async fn json(&self, path: &str) -> serde_json::Value {
        let answer = self.page(path).await;
        assert_eq!(answer.header("content-type").as_deref(), Some("application/json"));
        serde_json::from_str(&answer.body).expect("it is JSON")
    }

    /// The address of the page of the only incident there is.
    pub async fn only_incident(&self) -> String {
        let list = self.json("/api/overrun/v1/incidents").await;
        assert_eq!(list["incidents"].as_array().map(Vec::len), Some(1));
        format!("/incidents/{}", list["incidents"][0]["id"].as_str().expect("an ID"))
    }
}

/// Server-sent events as they come. Their chunks are left in: each event comes in one.
pub struct Stream {
    stream: TcpStream,
    read: String,
}

impl Stream {
    /// Everything up to the end of the event in which `text` stands for the `count`-th time since the last call.
    pub async fn until(&mut self, count: usize, text: &str) -> String {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let place = self.read.match_indices(text).nth(count - 1).map(|(place, _)| place);
            if let Some(end) = place.and_then(|place| Some(place + self.read[place..].find("\n\n")? + 2)) {
                let rest = self.read.split_off(end);
                return std::mem::replace(&mut self.read, rest);
            }
            let length = self.stream.read(&mut buffer).await.expect("received");
            assert!(length > 0, "it ended: {}", self.read);
            self.read.push_str(std::str::from_utf8(&buffer[..length]).expect("events are UTF-8"));
        }
    }
}

impl Answer {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<String> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    /// The text of the first-level heading.
    pub fn heading(&self) -> String {
        let inner = self.between("<h1>", "</h1>").first().cloned().unwrap_or_default();
        let mut text = String::new();
        for piece in inner.split('<') {
            text.push_str(piece.split_once('>').map_or(piece, |(_, rest)| rest));
        }
        text.replace("&#39;", "'").replace("&#34;", "\"").replace("&#38;", "&")
    }

    /// Asserts that the page holds `text`.
    pub fn says(&self, text: &str) {
        assert!(self.body.contains(text), "{} does not say {text:?}:\n{}", self.path, self.body);
    }

    /// Asserts that the page does not hold `text`.
    pub fn lacks(&self, text: &str) {
        assert!(!self.body.contains(text), "{} says {text:?}", self.path);
    }

    /// Everything that stands between `before` and `after`.
    pub fn between(&self, before: &str, after: &str) -> Vec<String> {
        self.body.split(before).skip(1).filter_map(|rest| rest.split_once(after)).map(|(found, _)| found.to_owned()).collect()
    }
}
