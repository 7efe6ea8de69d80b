//! HTTP as a client speaks it.

use std::sync::Once;
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Client, RequestBuilder};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("expected JSON, found {error}: {}", self.body))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("a header in ASCII"))
    }

    /// The same, if its status is this one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }
}

/// A client with patience.
pub fn client() -> Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| rustls::crypto::ring::default_provider().install_default().expect("the first"));
    Client::builder().timeout(Duration::from_mins(1)).build().expect("a client")
}

/// Sends a request and reads its answer.
pub async fn send(request: RequestBuilder) -> reqwest::Result<Answer> {
    let response = request.send().await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Ok(Answer { status, headers, body: String::from_utf8_lossy(&response.bytes().await?).into_owned() })
}

/// Posts a body in chunks of unknown total length, as streaming clients do, and reads the answer, which may come before the
/// body is through.
pub async fn post_chunked(url: &str, headers: &[(&str, &str)], chunk: &[u8], count: usize) -> Answer {
    let rest = url.strip_prefix("http://").expect("plain HTTP");
    let (host, path) = rest.split_once('/').expect("a path");
    let (mut reader, mut writer) = TcpStream::connect(host).await.expect("a listener").into_split();
    let fields: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head =
        format!("POST /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ntransfer-encoding: chunked\r\n{}\r\n", fields.concat());
    let framed = [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat();
    let writing = tokio::spawn(async move {
        // The other side may have answered and hung up before the end; its answer counts.
        let _ = writer.write_all(head.as_bytes()).await;
        for _ in 0..count {
            if writer.write_all(&framed).await.is_err() {
                return writer;
            }
        }
        let _ = writer.write_all(b"0\r\n\r\n").await;
        // Kept open: a sender who closes its side is taken for one who has gone away.
        writer
    });
    let mut answer = Vec::new();
    // A reset after the answer is the other side's way of saying that it will not read on.
    let _ = reader.read_to_end(&mut answer).await;
    writing.abort();
    read(&answer)
}

/// Reads an answer whose end is that of its connection.
fn read(bytes: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("expected an answer, found {text:?}"));
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).expect("a status line");
    let fields = lines.filter_map(|line| line.split_once(':'));
    let headers = fields.map(|(name, value)| (name.parse().expect("a name"), value.trim().parse().expect("a value"))).collect();
    Answer { status, headers, body: body.to_owned() }
}
