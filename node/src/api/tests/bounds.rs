//! Streams and connections are bounded in number, and in how long they may stay stuck.

use super::http::{Events, get, raw, soon};
use super::stream::{open, order_more_than_fits};
use super::world::{ROLLUP, World};
use crate::api::ApiConfig;
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

#[tokio::test]
async fn a_reader_that_takes_nothing_is_cut() {
    let write_stall = Duration::from_millis(200);
    let config = ApiConfig { write_stall, streams_max: 1, ..ApiConfig::default() };
    let world = World::with(config).await;
    let mut stuck = open(&world, "", "").await;
    order_more_than_fits(&world);
    // Its place becomes free although it never closes.
    soon(async {
        loop {
            let path = format!("/v1/rollups/{ROLLUP}/stream");
            match Events::open(world.http, &path, "").await {
                Ok(_) => break,
                Err(refused) => assert_eq!(refused.code(), "overloaded"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    while stuck.next().await.is_some() {}
    assert!(!stuck.ended, "cut, not ended");
}

#[tokio::test]
async fn one_connection_has_one_stream() {
    let world = World::with(ApiConfig { streams_max: 2, ..ApiConfig::default() }).await;
    let request = format!("GET /v1/rollups/{ROLLUP}/stream HTTP/1.1\r\nhost: x\r\n\r\n");
    let mut greedy = TcpStream::connect(world.http).await.unwrap();
    let many = request.repeat(10_000);
    // It need not be read to the end.
    let _ = greedy.try_write(many.as_bytes());
    let mut head = [0; 12];
    soon(greedy.read_exact(&mut head)).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
    open(&world, "", "").await;
}

#[tokio::test]
async fn serves_a_bounded_number_of_streams() {
    let world = World::with(ApiConfig { streams_max: 2, ..ApiConfig::default() }).await;
    let path = format!("/v1/rollups/{ROLLUP}/stream");
    let first = open(&world, "", "").await;
    let _second = open(&world, "", "").await;
    let refused = Events::open(world.http, &path, "").await.expect_err("no third");
    assert_eq!((refused.status, refused.code().as_str()), (503, "overloaded"));
    assert!(refused.header("retry-after").is_some());
    assert_eq!(get(world.http, "/v1/limits").await.json()["streams_max"], 2);
    drop(first);
    soon(async {
        while Events::open(world.http, &path, "").await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn serves_a_bounded_number_of_connections() {
    let world = World::with(ApiConfig { connections_max: 3, ..ApiConfig::default() }).await;
    let idle = [
        TcpStream::connect(world.http).await.unwrap(),
        TcpStream::connect(world.http).await.unwrap(),
        TcpStream::connect(world.http).await.unwrap(),
    ];
    let mut further = TcpStream::connect(world.http).await.unwrap();
    let mut answer = Vec::new();
    soon(further.read_to_end(&mut answer)).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 503 "), "{}", String::from_utf8_lossy(&answer));
    // Also when it asked before it was told.
    let asked = get(world.http, "/livez").await;
    assert_eq!((asked.status, asked.code().as_str()), (503, "overloaded"));
    assert!(asked.header("retry-after").is_some());
    drop(idle);
    soon(async {
        let request = b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        while raw(world.http, request).await.is_none_or(|r| r.status != 200) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}
