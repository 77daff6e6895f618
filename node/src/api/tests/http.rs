//! An HTTP client that sends exactly the bytes it is told to, well formed or not.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

/// A test that hangs fails instead; nothing is measured by this.
const HANG: Duration = Duration::from_secs(60);

/// Fails the test when `work` does not end.
pub(super) async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(HANG, work).await.expect("an answer within a minute")
}

/// A whole answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    head: String,
    pub(super) body: Vec<u8>,
}

impl Reply {
    fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (head, _) = text.split_once("\r\n\r\n").expect("a head");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect(head);
        let raw = bytes[head.len() + 4..].to_vec();
        let reply = Self { status, head: head.to_owned(), body: raw };
        match reply.header("transfer-encoding") {
            Some("chunked") => Self { body: unchunk(&reply.body), ..reply },
            _ => reply,
        }
    }

    /// The value of a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, v)| v)
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("text")
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e} in {}", self.text()))
    }

    /// The code of a problem document, whose form is checked.
    pub(super) fn code(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        assert!(self.body.len() < 1_024, "a refusal is short: {}", self.text());
        let problem = self.json();
        assert_eq!(problem["type"], "about:blank");
        assert_eq!(problem["status"], self.status);
        assert!(!problem["title"].as_str().unwrap().is_empty());
        assert!(!problem["detail"].as_str().unwrap().is_empty());
        problem["code"].as_str().unwrap().to_owned()
    }
}

fn unchunk(mut raw: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = raw.windows(2).position(|two| two == b"\r\n").expect("a chunk size");
        let size = std::str::from_utf8(&raw[..end]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return body;
        }
        body.extend_from_slice(&raw[end + 2..end + 2 + size]);
        raw = &raw[end + 2 + size + 2..];
    }
}

/// The address that callers have if they do not choose.
pub(super) const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A connection from this address of this machine.
pub(super) async fn connect(from: IpAddr, server: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(from, 0)).unwrap();
    socket.connect(server).await.unwrap()
}

/// Sends these bytes and reads until the server closes. `None` when it closes without an answer.
pub(super) async fn raw(server: SocketAddr, bytes: &[u8]) -> Option<Reply> {
    raw_from(HERE, server, bytes).await
}

/// As [`raw`], from this address of this machine.
pub(super) async fn raw_from(from: IpAddr, server: SocketAddr, bytes: &[u8]) -> Option<Reply> {
    soon(async {
        let mut socket = connect(from, server).await;
        // The server may answer and close before it has read everything.
        let _ = socket.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer).await;
        (!answer.is_empty()).then(|| Reply::parse(&answer))
    })
    .await
}

/// Sends a request with these headers, each ended by CR LF.
pub(super) async fn send(
    server: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
    body: &[u8],
) -> Reply {
    let mut request = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         content-length: {}\r\n{headers}\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    raw(server, &request).await.expect("an answer")
}

pub(super) async fn get(server: SocketAddr, path: &str) -> Reply {
    send(server, "GET", path, "", b"").await
}

/// One server-sent event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) kind: String,
    pub(super) id: Option<u64>,
    pub(super) data: serde_json::Value,
}

/// An open stream.
#[derive(Debug)]
pub(super) struct Events {
    socket: TcpStream,
    /// Of the response, not yet taken apart: chunk sizes and chunks.
    raw: Vec<u8>,
    /// Of the body, not yet a whole event.
    text: Vec<u8>,
    /// Whether the server ended the body properly.
    pub(super) ended: bool,
}

impl Events {
    /// Opens a stream; the answer when it is refused.
    pub(super) async fn open(server: SocketAddr, path: &str, headers: &str) -> Result<Self, Reply> {
        Self::open_on(connect(HERE, server).await, path, headers).await
    }

    /// As [`Self::open`], on this connection.
    pub(super) async fn open_on(
        mut socket: TcpStream,
        path: &str,
        headers: &str,
    ) -> Result<Self, Reply> {
        soon(async {
            let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n");
            socket.write_all(request.as_bytes()).await.unwrap();
            let mut raw = Vec::new();
            let end = loop {
                if let Some(at) = raw.windows(4).position(|four| four == b"\r\n\r\n") {
                    break at + 4;
                }
                assert!(socket.read_buf(&mut raw).await.unwrap() > 0, "closed without an answer");
            };
            if raw.starts_with(b"HTTP/1.1 200") {
                let head = String::from_utf8(raw[..end].to_vec()).unwrap().to_lowercase();
                assert!(head.contains("content-type: text/event-stream"), "{head}");
                raw.drain(..end);
                return Ok(Self { socket, raw, text: Vec::new(), ended: false });
            }
            while Self::missing(&raw, end) {
                assert!(socket.read_buf(&mut raw).await.unwrap() > 0, "closed in an answer");
            }
            Err(Reply::parse(&raw))
        })
        .await
    }

    /// Says that nothing more will be sent.
    pub(super) async fn stop_sending(&mut self) {
        self.socket.shutdown().await.unwrap();
    }

    fn missing(raw: &[u8], end: usize) -> bool {
        let length = Reply::parse(&raw[..end]).header("content-length").unwrap().parse::<usize>();
        raw.len() < end + length.unwrap()
    }

    /// The next event; `None` when the connection ends.
    pub(super) async fn next(&mut self) -> Option<Event> {
        soon(async {
            loop {
                if let Some(end) = self.text.windows(2).position(|two| two == b"\n\n") {
                    let event: Vec<u8> = self.text.drain(..end + 2).collect();
                    return Some(parse_event(std::str::from_utf8(&event).unwrap()));
                }
                if self.take_chunk() {
                    continue;
                }
                if self.ended || !matches!(self.socket.read_buf(&mut self.raw).await, Ok(1..)) {
                    return None;
                }
            }
        })
        .await
    }

    /// The next event that is not a heartbeat.
    pub(super) async fn next_but_heartbeats(&mut self) -> Option<Event> {
        loop {
            match self.next().await {
                Some(event) if event.kind == "heartbeat" => {}
                event => return event,
            }
        }
    }

    fn take_chunk(&mut self) -> bool {
        let Some(end) = self.raw.windows(2).position(|two| two == b"\r\n") else { return false };
        let size = std::str::from_utf8(&self.raw[..end]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        if self.raw.len() < end + 2 + size + 2 {
            return false;
        }
        self.ended = size == 0;
        self.text.extend_from_slice(&self.raw[end + 2..end + 2 + size]);
        self.raw.drain(..end + 2 + size + 2);
        true
    }
}

fn parse_event(text: &str) -> Event {
    if text.starts_with(':') {
        let kind = "comment".to_owned();
        return Event { kind, id: None, data: serde_json::Value::Null };
    }
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
    Event {
        kind: field("event: ").unwrap().to_owned(),
        id: field("id: ").map(|id| id.parse().unwrap()),
        data: serde_json::from_str(field("data: ").unwrap()).unwrap(),
    }
}
