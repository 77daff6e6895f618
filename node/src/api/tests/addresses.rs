//! One address cannot take what is there for all.

use super::http::{Events, connect, get, raw_from, soon};
use super::stream::open;
use super::world::{ROLLUP, World};
use crate::api::ApiConfig;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use tokio::io::AsyncReadExt as _;

/// Two callers of different addresses, both of this machine.
const GREEDY: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));

const LIVE: &[u8] = b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

/// Bounds for one address that also hold for this machine's own.
fn counted() -> ApiConfig {
    ApiConfig {
        connections_per_address: 3,
        streams_per_address: 2,
        counts_loopback: true,
        ..ApiConfig::default()
    }
}

async fn is_live(from: IpAddr, world: &World) -> bool {
    raw_from(from, world.http, LIVE).await.is_some_and(|reply| reply.status == 200)
}

#[tokio::test]
async fn serves_a_bounded_number_of_connections_of_one_address() {
    let world = World::with(counted()).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(connect(GREEDY, world.http).await);
    }
    let mut further = connect(GREEDY, world.http).await;
    let mut answer = Vec::new();
    soon(further.read_to_end(&mut answer)).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 429 ") && answer.contains("address_limit"), "{answer}");
    let asked = raw_from(GREEDY, world.http, LIVE).await.expect("it is told");
    assert_eq!((asked.status, asked.code().as_str()), (429, "address_limit"));
    assert!(asked.header("retry-after").is_some());
    assert!(is_live(OTHER, &world).await, "others are not meant");
    held.pop();
    soon(async {
        while !is_live(GREEDY, &world).await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn serves_a_bounded_number_of_streams_of_one_address() {
    let world = World::with(counted()).await;
    let path = format!("/v1/rollups/{ROLLUP}/stream");
    let of = async |from| Events::open_on(connect(from, world.http).await, &path, "").await;
    let first = of(GREEDY).await.expect("a stream");
    let _second = of(GREEDY).await.expect("a stream");
    let refused = of(GREEDY).await.expect_err("no third");
    assert_eq!((refused.status, refused.code().as_str()), (429, "address_limit"));
    assert!(refused.header("retry-after").is_some());
    let _other = of(OTHER).await.expect("others are not meant");
    drop(first);
    soon(async {
        while of(GREEDY).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_refused_stream_takes_no_share_of_its_address() {
    let world = World::with(counted()).await;
    for query in ["?from=99", "?from=0", "?x=1"] {
        for _ in 0..3 {
            let path = format!("/v1/rollups/{ROLLUP}/stream{query}");
            let opened = Events::open(world.http, &path, "").await;
            assert_eq!(opened.expect_err("refused").status, 400, "{query}");
        }
    }
    soon(async {
        // Of the connections above, the last may not be gone yet.
        while !is_live(IpAddr::V4(Ipv4Addr::LOCALHOST), &world).await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    let _first = open(&world, "", "").await;
    let _second = open(&world, "", "").await;
}

#[tokio::test]
async fn callers_on_this_machine_have_no_bound_of_their_own() {
    let config = ApiConfig { counts_loopback: false, ..counted() };
    let world = World::with(config).await;
    let mut held = Vec::new();
    for _ in 0..20 {
        held.push(open(&world, "", "").await);
    }
    assert_eq!(get(world.http, "/livez").await.status, 200);
}

#[tokio::test]
async fn publishes_what_one_address_gets() {
    let world = World::with(counted()).await;
    let limits = get(world.http, "/v1/limits").await.json();
    let bounds = ApiConfig::default();
    assert_eq!(
        (&limits["connections_per_address"], &limits["streams_per_address"]),
        (&3.into(), &2.into())
    );
    assert_eq!(limits["connections_max"], bounds.connections_max);
    assert_eq!(limits["streams_max"], bounds.streams_max);
}
