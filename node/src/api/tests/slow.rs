//! Callers that are slow, stuck or half gone: each costs its place at most, and for a bounded
//! time.

use super::http::{Events, get, raw, send, soon};
use super::stream::{open, order_more_than_fits};
use super::world::{ROLLUP, World, id};
use crate::api::ApiConfig;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const OCTETS: &str = "content-type: application/octet-stream\r\n";
/// Shorter than any drip below takes in all; nothing is measured by it.
const SHORT: Duration = Duration::from_millis(200);

/// Sends `start`, then `drop` again and again, until the server closes; what it said.
async fn drip(world: &World, start: &str, drop: &str) -> String {
    soon(async {
        let socket = TcpStream::connect(world.http).await.unwrap();
        let (mut answers, mut requests) = socket.into_split();
        let _ = requests.write_all(start.as_bytes()).await;
        let drips = async {
            while requests.write_all(drop.as_bytes()).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            std::future::pending::<()>().await;
        };
        let mut answer = Vec::new();
        tokio::select! {
            // A reset ends it as well as an end.
            _ = answers.read_to_end(&mut answer) => {}
            () = drips => {}
        }
        String::from_utf8(answer).unwrap()
    })
    .await
}

fn post(more: &str) -> String {
    let path = format!("/v1/rollups/{ROLLUP}/transactions?wait=accepted");
    format!("POST {path} HTTP/1.1\r\nhost: x\r\n{OCTETS}{more}\r\n\r\n")
}

#[tokio::test]
async fn a_head_that_drips_in_is_given_up() {
    let world = World::with(ApiConfig { head_timeout: SHORT, ..ApiConfig::default() }).await;
    for start in ["", "GET /livez HTTP/1.1\r\n", "GET /livez HTTP/1.1\r\nhost: x\r\nx: "] {
        let answer = drip(&world, start, "y").await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    let headers = drip(&world, "GET /livez HTTP/1.1\r\n", "x: y\r\n").await;
    assert!(headers.is_empty() || headers.starts_with("HTTP/1.1 4"), "{headers}");
}

#[tokio::test]
async fn a_connection_that_asks_nothing_more_is_closed() {
    let world = World::with(ApiConfig { head_timeout: SHORT, ..ApiConfig::default() }).await;
    let request = "GET /livez HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut idle = TcpStream::connect(world.http).await.unwrap();
    idle.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    soon(idle.read_to_end(&mut answer)).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200 ") && answer.ends_with(b"ok"));
}

#[tokio::test]
async fn a_body_that_drips_in_is_given_up() {
    let world = World::with(ApiConfig { body_timeout: SHORT, ..ApiConfig::default() }).await;
    for (framing, drop) in [
        ("content-length: 131072", "y"),
        ("transfer-encoding: chunked", "1\r\ny\r\n"),
        ("transfer-encoding: chunked", "0"),
        ("transfer-encoding: chunked", "1;a=b"),
        ("expect: 100-continue\r\ncontent-length: 131072", "y"),
    ] {
        let answer = drip(&world, &post(framing), drop).await;
        let answer = answer.strip_prefix("HTTP/1.1 100 Continue\r\n\r\n").unwrap_or(&answer);
        let known = answer.contains("body_timeout") || answer.contains("bad_body");
        assert!(answer.starts_with("HTTP/1.1 4") && known, "{framing}: {answer}");
    }
    assert_eq!(world.handed_in(), 0);
    assert_eq!(get(world.http, "/livez").await.status, 200);
}

#[tokio::test]
async fn a_caller_that_waits_for_leave_and_goes_silent_is_given_up() {
    let world = World::with(ApiConfig { body_timeout: SHORT, ..ApiConfig::default() }).await;
    let request = post("expect: 100-continue\r\ncontent-length: 5");
    let mut caller = TcpStream::connect(world.http).await.unwrap();
    caller.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    soon(caller.read_to_end(&mut answer)).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    assert!(
        answer.contains("\r\n\r\nHTTP/1.1 408 ") && answer.contains("body_timeout"),
        "{answer}"
    );
    assert_eq!(world.handed_in(), 0);
}

#[tokio::test]
async fn answers_that_nobody_reads_are_cut() {
    let config = ApiConfig { write_stall: SHORT, connections_max: 1, ..ApiConfig::default() };
    let world = World::with(config).await;
    order_more_than_fits(&world);
    let mut stuck = TcpStream::connect(world.http).await.unwrap();
    let ask = format!("GET /v1/rollups/{ROLLUP}/blocks?limit=64 HTTP/1.1\r\nhost: x\r\n\r\n");
    stuck.write_all(ask.repeat(64).as_bytes()).await.unwrap();
    // Its place becomes free although it never closes.
    soon(async {
        let request = b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        while raw(world.http, request).await.is_none_or(|reply| reply.status != 200) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    drop(stuck);
}

#[tokio::test]
async fn a_reader_of_one_byte_at_a_time_holds_nobody_up() {
    let world = World::start().await;
    let last = order_more_than_fits(&world);
    let path = format!("/v1/rollups/{ROLLUP}/stream?from=1");
    let mut slow = TcpStream::connect(world.http).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
    slow.write_all(request.as_bytes()).await.unwrap();
    let mut taken = Vec::new();
    let mut fast = open(&world, "?from=1", "").await;
    for sequence in 1..=last {
        assert_eq!(fast.next_but_heartbeats().await.unwrap().id, Some(sequence));
        taken.push(soon(slow.read_u8()).await.unwrap());
    }
    world.order(&[(ROLLUP, b"one more")]);
    assert_eq!(fast.next_but_heartbeats().await.unwrap().id, Some(last + 1));
    while taken.len() < 2_000 {
        taken.push(soon(slow.read_u8()).await.unwrap());
    }
    let text = String::from_utf8(taken).unwrap();
    assert!(text.starts_with("HTTP/1.1 200 ") && text.contains("event: block\nid: 1\n"), "{text}");
}

#[tokio::test]
async fn who_stops_sending_has_hung_up() {
    let config = ApiConfig { streams_max: 1, submits_max: 1, ..ApiConfig::default() };
    let world = World::with(config).await;
    let mut half = open(&world, "", "").await;
    half.stop_sending().await;
    while half.next().await.is_some() {}
    soon(async {
        let path = format!("/v1/rollups/{ROLLUP}/stream");
        while Events::open(world.http, &path, "").await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;

    let path = format!("/v1/rollups/{ROLLUP}/transactions?wait=final&timeout_ms=60000");
    let request =
        format!("POST {path} HTTP/1.1\r\nhost: x\r\n{OCTETS}content-length: 3\r\n\r\none");
    let mut half = TcpStream::connect(world.http).await.unwrap();
    half.write_all(request.as_bytes()).await.unwrap();
    world.handed_in_reaches(1).await;
    half.shutdown().await.unwrap();
    let mut answer = Vec::new();
    soon(half.read_to_end(&mut answer)).await.unwrap();
    let again = format!("/v1/rollups/{ROLLUP}/transactions?wait=accepted");
    soon(async {
        while send(world.http, "POST", &again, OCTETS, b"two").await.status != 200 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    // What it handed in was taken all the same, and sending it again finds it.
    let known = send(world.http, "POST", &again, OCTETS, b"one").await.json();
    assert_eq!(
        (&known["transactions"][0]["id"], &known["transactions"][0]["already_known"]),
        (&id(b"one").into(), &true.into())
    );
}

#[tokio::test]
async fn streams_opened_and_dropped_at_once_leave_nothing() {
    let config = ApiConfig { streams_max: 4, connections_max: 400, ..ApiConfig::default() };
    let world = World::with(config).await;
    world.order(&[(ROLLUP, b"one")]);
    let path = format!("/v1/rollups/{ROLLUP}/stream?from=1");
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
    for _ in 0..300 {
        let mut socket = TcpStream::connect(world.http).await.unwrap();
        let _ = socket.write_all(request.as_bytes()).await;
    }
    let mut open = Vec::new();
    soon(async {
        while open.len() < 4 {
            match Events::open(world.http, &path, "").await {
                Ok(events) => open.push(events),
                Err(refused) => assert_eq!(refused.code(), "overloaded"),
            }
        }
    })
    .await;
    for events in &mut open {
        assert_eq!(events.next_but_heartbeats().await.unwrap().id, Some(1));
    }
}
