//! What no caller should send: a typed, bounded answer each time, no panic, and nothing handed to
//! the replica.

use super::http::{Events, get, raw, send};
use super::world::{ROLLUP, World};
use crate::api::{ApiConfig, SUBMIT_BODY_BYTES_MAX};
use chorale_types::limits::{SUBMIT_TRANSACTIONS_MAX, TRANSACTION_BYTES_MAX};
use std::time::Duration;

const OCTETS: &str = "content-type: application/octet-stream\r\n";
const JSON: &str = "content-type: application/json\r\n";
const SUBMIT: &str = "/v1/rollups/7/transactions";

/// The server is well and the replica was left alone.
async fn assert_untouched(world: &World) {
    assert_eq!(get(world.http, "/livez").await.status, 200);
    assert_eq!(world.handed_in(), 0, "nothing reaches the replica");
}

#[tokio::test]
async fn refuses_bodies_that_are_no_transactions() {
    let world = World::start().await;
    let too_large = vec![7; TRANSACTION_BYTES_MAX + 1];
    let spaces = vec![b' '; SUBMIT_BODY_BYTES_MAX + 1];
    let many = format!("{{\"transactions\":[{}\"0x01\"]}}", "\"0x01\",".repeat(100_000));
    let one_over = "\"0x01\",".repeat(SUBMIT_TRANSACTIONS_MAX);
    let one_over = format!("{{\"transactions\":[{one_over}\"0x01\"]}}");
    let deep = [b"{\"transactions\":".to_vec(), vec![b'['; 100_000]].concat();
    let twice = br#"{"transactions":["0x01"],"transactions":["0x02"]}"#;
    let cases: [(&str, &[u8], u16, &str); 22] = [
        (OCTETS, b"", 400, "empty_transaction"),
        (OCTETS, &too_large, 413, "transaction_too_large"),
        (JSON, b"", 400, "bad_json"),
        (JSON, b"null", 400, "bad_json"),
        (JSON, b"{}", 400, "bad_json"),
        (JSON, br#"{"transactions":[]}"#, 400, "bad_json"),
        (JSON, br#"{"transactions":[1e400]}"#, 400, "bad_json"),
        (JSON, br#"{"transactions":[NaN]}"#, 400, "bad_json"),
        (JSON, br#"{"transactions":["0xabc"]}"#, 400, "bad_json"),
        (JSON, br#"{"transactions":["abcd"]}"#, 400, "bad_json"),
        (JSON, br#"{"transactions":["0x01"],"id":-1}"#, 400, "bad_json"),
        (JSON, twice, 400, "bad_json"),
        (JSON, b"{\"transactions\":[\"0x01\xff\xfe\"]}", 400, "bad_json"),
        (JSON, br#"{"transactions":["0x01"]} trailing"#, 400, "bad_json"),
        (JSON, &deep, 400, "bad_json"),
        (JSON, br#"{"transactions":["0x"]}"#, 400, "empty_transaction"),
        (JSON, one_over.as_bytes(), 400, "too_many_transactions"),
        (JSON, many.as_bytes(), 400, "too_many_transactions"),
        (JSON, &spaces, 413, "body_too_large"),
        ("", b"\x01", 415, "bad_content_type"),
        ("content-type: text/plain\r\n", b"\x01", 415, "bad_content_type"),
        (
            "content-type: application/json\r\ncontent-encoding: gzip\r\n",
            b"\x1f\x8b\x08\x00",
            415,
            "bad_content_type",
        ),
    ];
    for (headers, body, status, code) in cases {
        let reply = send(world.http, "POST", SUBMIT, headers, body).await;
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        assert_eq!((reply.status, reply.code().as_str()), (status, code), "{headers}{shown}");
    }
    assert_untouched(&world).await;
}

#[tokio::test]
async fn refuses_paths_and_parameters_that_mean_nothing() {
    let world = World::start().await;
    let submit = |query: &str| format!("{SUBMIT}{query}");
    let cases = [
        (submit("?wait=sure"), 400, "bad_parameter"),
        (submit("?wait="), 400, "bad_parameter"),
        (submit("?wait=certified"), 501, "not_yet"),
        (submit("?timeout_ms=60001"), 400, "bad_parameter"),
        (submit("?timeout_ms=-1"), 400, "bad_parameter"),
        (submit("?timeout_ms=1.5"), 400, "bad_parameter"),
        (submit("?timeout_ms=1e3"), 400, "bad_parameter"),
        (submit("?timeout_ms=99999999999999999999999"), 400, "bad_parameter"),
        (submit("?timeout=5"), 400, "unknown_parameter"),
        (submit("?wait=final&wait=final"), 400, "unknown_parameter"),
        (submit("?WAIT=final"), 400, "unknown_parameter"),
        ("/v1/rollups/9/transactions".into(), 404, "unknown_rollup"),
        ("/v1/rollups/07/transactions".into(), 400, "bad_parameter"),
        ("/v1/rollups/+7/transactions".into(), 400, "bad_parameter"),
        ("/v1/rollups/-7/transactions".into(), 400, "bad_parameter"),
        ("/v1/rollups/7.0/transactions".into(), 400, "bad_parameter"),
        ("/v1/rollups/1e400/transactions".into(), 400, "bad_parameter"),
        ("/v1/rollups/NaN/transactions".into(), 400, "bad_parameter"),
        ("/v1/rollups/18446744073709551616/transactions".into(), 400, "bad_parameter"),
        ("/v1/rollups/..%2f..%2fetc/transactions".into(), 400, "bad_parameter"),
        ("/v1/rollups/%00/transactions".into(), 400, "bad_parameter"),
        ("/v1/rollups/%ff/transactions".into(), 400, "bad_parameter"),
        ("/v1/rollups//transactions".into(), 400, "bad_parameter"),
        ("/v1/rollups/../7/transactions".into(), 404, "not_found"),
        ("/v1/status".into(), 405, "method_not_allowed"),
        ("/v2/rollups/7/transactions".into(), 404, "not_found"),
    ];
    for (path, status, code) in cases {
        let reply = send(world.http, "POST", &path, OCTETS, b"\x01").await;
        assert_eq!((reply.status, reply.code().as_str()), (status, code), "{path}");
    }
    assert_untouched(&world).await;
}

#[tokio::test]
async fn refuses_bodies_that_do_not_arrive() {
    let body_timeout = Duration::from_millis(200);
    let world = World::with(ApiConfig { body_timeout, ..ApiConfig::default() }).await;
    let head = |framing: &str| {
        format!("POST {SUBMIT} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{JSON}{framing}\r\n\r\n")
    };
    let announced = raw(world.http, head("content-length: 1000").as_bytes()).await.unwrap();
    assert_eq!((announced.status, announced.code().as_str()), (408, "body_timeout"));
    let unended = format!("{}5\r\nhello\r\n", head("transfer-encoding: chunked"));
    let unended = raw(world.http, unended.as_bytes()).await;
    assert_eq!(unended.map(|reply| reply.code()).as_deref(), Some("body_timeout"));
    let long = raw(world.http, head("content-length: 99999999999").as_bytes()).await.unwrap();
    assert_eq!((long.status, long.code().as_str()), (413, "body_too_large"));
    let lie = format!("{}zz\r\n", head("transfer-encoding: chunked"));
    let lie = raw(world.http, lie.as_bytes()).await.unwrap();
    assert_eq!((lie.status, lie.code().as_str()), (400, "bad_body"));
    assert_untouched(&world).await;
}

#[tokio::test]
async fn stops_reading_chunks_at_the_bound() {
    let world = World::start().await;
    let mut request =
        format!("POST {SUBMIT} HTTP/1.1\r\nhost: x\r\n{OCTETS}transfer-encoding: chunked\r\n\r\n")
            .into_bytes();
    for _ in 0..=TRANSACTION_BYTES_MAX / 1_024 {
        request.extend_from_slice(b"400\r\n");
        request.extend_from_slice(&[7; 1_024]);
        request.extend_from_slice(b"\r\n");
    }
    // It never ends the body, and is answered all the same.
    let reply = raw(world.http, &request).await.unwrap();
    assert_eq!((reply.status, reply.code().as_str()), (413, "transaction_too_large"));
    assert_untouched(&world).await;
}

#[tokio::test]
async fn closes_connections_that_are_no_http() {
    let head_timeout = Duration::from_millis(200);
    let world = World::with(ApiConfig { head_timeout, ..ApiConfig::default() }).await;
    let endless = format!("GET /livez HTTP/1.1\r\nhost: x\r\nx: {}", "y".repeat(200_000));
    let headers = format!("GET /livez HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(1_000));
    let long_path = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "y".repeat(100_000));
    let cases: [&[u8]; 8] = [
        b"",
        b"GET /livez HTT",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x00\x00\x00\x00\x00\x00\x00\x00",
        endless.as_bytes(),
        headers.as_bytes(),
        long_path.as_bytes(),
    ];
    for bytes in cases {
        // Closed in time, without an answer or with a refusal.
        if let Some(reply) = raw(world.http, bytes).await {
            assert!((400..=505).contains(&reply.status), "{reply:?}");
        }
    }
    assert_untouched(&world).await;
}

#[tokio::test]
async fn refuses_cursors_that_cannot_be() {
    let world = World::start().await;
    world.order(&[(ROLLUP, b"one")]);
    world.order(&[(ROLLUP, b"two")]);
    let last = |id: &str| format!("last-event-id: {id}\r\n");
    let cases = [
        ("?from=-1", String::new(), 400, "bad_parameter"),
        ("?from=0", String::new(), 400, "bad_parameter"),
        ("?from=abc", String::new(), 400, "bad_parameter"),
        ("?from=1.5", String::new(), 400, "bad_parameter"),
        ("?from=%31", String::new(), 400, "bad_parameter"),
        ("?from=", String::new(), 400, "bad_parameter"),
        ("?from=99999999999999999999", String::new(), 400, "bad_parameter"),
        ("?from=4", String::new(), 400, "cursor_in_future"),
        ("?from=18446744073709551615", String::new(), 400, "cursor_in_future"),
        ("?cursor=1", String::new(), 400, "unknown_parameter"),
        ("", last("3"), 400, "cursor_in_future"),
        ("", last("18446744073709551615"), 400, "cursor_in_future"),
        ("", last("-1"), 400, "bad_parameter"),
        ("", last("0x2"), 400, "bad_parameter"),
        ("", last("1, 2"), 400, "bad_parameter"),
        ("", last(""), 400, "bad_parameter"),
        ("", format!("{}{}", last("1"), last("2")), 400, "bad_parameter"),
        ("?from=1", last("\u{fc}"), 400, "bad_parameter"),
    ];
    for (query, headers, status, code) in cases {
        let path = format!("/v1/rollups/{ROLLUP}/stream{query}");
        let refused = Events::open(world.http, &path, &headers).await.err();
        let refused = refused.unwrap_or_else(|| panic!("{query} {headers} is taken"));
        assert_eq!((refused.status, refused.code().as_str()), (status, code), "{query} {headers}");
    }
    for path in ["/v1/rollups/9/stream", "/v1/rollups/9/stream?from=1"] {
        let refused = Events::open(world.http, path, "").await.err().unwrap();
        assert_eq!((refused.status, refused.code().as_str()), (404, "unknown_rollup"));
    }
    assert_untouched(&world).await;
}
