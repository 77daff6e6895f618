//! The stream contract: every block of the rollup once, in order, the same bytes for everyone,
//! from any cursor, through restarts and slowness.

use super::http::{Event, Events, get, soon};
use super::world::{ROLLUP, World};
use crate::api::ApiConfig;
use chorale_client::{Chain, Client, Follow, RollupStream, StreamEvent};
use chorale_types::ids::{RollupId, Sequence};
use serde_json::json;
use std::time::Duration;

/// Opens a stream of [`ROLLUP`].
pub(super) async fn open(world: &World, query: &str, headers: &str) -> Events {
    let path = format!("/v1/rollups/{ROLLUP}/stream{query}");
    Events::open(world.http, &path, headers).await.unwrap_or_else(|reply| panic!("{reply:?}"))
}

/// The cursors of the next `count` blocks.
async fn cursors(events: &mut Events, count: usize) -> Vec<u64> {
    let mut found = Vec::new();
    while found.len() < count {
        let event = events.next_but_heartbeats().await.expect("the stream goes on");
        assert_eq!(event.kind, "block");
        found.push(event.id.expect("a block has a cursor"));
    }
    found
}

fn order_blocks(world: &World, count: u8) {
    for n in 0..count {
        world.order(&[(ROLLUP, format!("{}-{n}", world.height()).as_bytes())]);
    }
}

/// Orders more bytes than any connection holds, nobody reading; the last sequence.
pub(super) fn order_more_than_fits(world: &World) -> u64 {
    for n in 0..40_u8 {
        let payloads: Vec<Vec<u8>> =
            (0..4).map(|m| [vec![n, m], vec![7; 126_000]].concat()).collect();
        let all: Vec<_> = payloads.iter().map(|payload| (ROLLUP, payload.as_slice())).collect();
        world.order(&all);
    }
    world.height()
}

#[tokio::test]
async fn everyone_gets_the_same_blocks_from_any_cursor() {
    let world = World::start().await;
    order_blocks(&world, 3);
    let mut from_start = open(&world, "?from=1", "").await;
    let mut resumed = open(&world, "?from=1", "last-event-id: 2\r\n").await;
    let mut live = open(&world, "", "").await;
    world.order(&[(8, b"of another rollup")]);
    order_blocks(&world, 2);
    let mut all = Vec::new();
    for sequence in 1..=5 {
        let event = from_start.next_but_heartbeats().await.unwrap();
        assert_eq!((event.kind.as_str(), event.id), ("block", Some(sequence)));
        assert_eq!(event.data["sequence"], sequence);
        let path = format!("/v1/rollups/{ROLLUP}/blocks/{sequence}");
        assert_eq!(get(world.http, &path).await.json(), event.data, "read and stream agree");
        all.push(event);
    }
    for event in &all[2..] {
        assert_eq!(resumed.next_but_heartbeats().await.as_ref(), Some(event));
    }
    for event in &all[3..] {
        assert_eq!(live.next_but_heartbeats().await.as_ref(), Some(event));
    }
}

#[tokio::test]
async fn a_restart_leaves_no_gap_and_no_repeat() {
    let mut world = World::start().await;
    order_blocks(&world, 3);
    let mut events = open(&world, "?from=1", "").await;
    let mut seen = cursors(&mut events, 2).await;
    world.restart().await;
    while let Some(event) = events.next_but_heartbeats().await {
        seen.extend(event.id);
    }
    assert!(events.ended, "a node that stops ends its streams properly");
    order_blocks(&world, 4);
    let last = format!("last-event-id: {}\r\n", seen.last().unwrap());
    let mut resumed = open(&world, "?from=1", &last).await;
    order_blocks(&world, 2);
    let missing = 9 - seen.len();
    seen.extend(cursors(&mut resumed, missing).await);
    assert_eq!(seen, (1..=9).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_quiet_stream_says_that_there_is_nothing() {
    let heartbeat = Duration::from_millis(20);
    let world = World::with(ApiConfig { heartbeat, ..ApiConfig::default() }).await;
    order_blocks(&world, 2);
    for _ in 0..3 {
        world.order(&[(8, world.height().to_string().as_bytes())]);
    }
    let mut events = open(&world, "", "").await;
    let beat = events.next().await.unwrap();
    assert_eq!((beat.kind.as_str(), beat.id), ("heartbeat", None));
    assert_eq!(beat.data["type"], "heartbeat");
    assert_eq!(beat.data["rollup"], ROLLUP);
    assert_eq!(beat.data["next_sequence"], 3);
    assert_eq!(beat.data["height"], 5);
    let complete = beat.data["complete"]["at_height"].as_u64().unwrap();
    assert!((1..=5).contains(&complete), "{complete}");
    assert!(!beat.data["proof"].as_str().unwrap().is_empty());
    order_blocks(&world, 1);
    let next = events.next_but_heartbeats().await.unwrap();
    assert_eq!(next.id, Some(3));
    let after = events.next().await.unwrap();
    assert_eq!((after.kind.as_str(), &after.data["next_sequence"]), ("heartbeat", &json!(4)));
}

#[tokio::test]
async fn a_chain_without_blocks_keeps_its_streams_open() {
    let heartbeat = Duration::from_millis(20);
    let world = World::with(ApiConfig { heartbeat, ..ApiConfig::default() }).await;
    let client = Client::new([format!("http://{}", world.http)]).unwrap();
    let chain = Chain::new(client.genesis().await.unwrap()).unwrap();
    let follow = Follow { rollup: RollupId::new(ROLLUP), from: None };
    let mut stream = RollupStream::new(client, chain, follow);
    let (first, ()) = tokio::join!(soon(stream.next()), async {
        let mut events = open(&world, "", "").await;
        for _ in 0..3 {
            assert_eq!(events.next().await.unwrap().kind, "comment");
        }
        order_blocks(&world, 1);
    });
    assert!(matches!(first, StreamEvent::Block(_)), "{first:?}");
}

#[tokio::test]
async fn a_slow_reader_is_told_and_loses_nothing() {
    let world = World::with(ApiConfig { lagging_blocks: 8, ..ApiConfig::default() }).await;
    let mut events = open(&world, "", "").await;
    order_blocks(&world, 1);
    assert_eq!(cursors(&mut events, 1).await, [1]);
    let last = order_more_than_fits(&world);
    let mut seen = vec![1];
    let mut notices = Vec::new();
    while seen.last() != Some(&last) {
        let Event { kind, id, data } = events.next_but_heartbeats().await.expect("goes on");
        match kind.as_str() {
            "block" => seen.extend(id),
            "lagging" => {
                assert_eq!(id, None, "no cursor of its own");
                let next = seen.last().unwrap() + 1;
                let expected = json!({"type": "lagging", "rollup": ROLLUP, "from_sequence": next});
                assert_eq!(data, expected);
                notices.push(next);
            }
            other => panic!("{other}"),
        }
    }
    assert_eq!(seen, (1..=last).collect::<Vec<_>>());
    assert_eq!(notices.len(), 1, "told once");
}

#[tokio::test]
async fn a_client_that_trusts_nobody_reads_on_through_a_restart() {
    let mut world = World::start().await;
    order_blocks(&world, 3);
    let client = Client::new([format!("http://{}", world.http)]).unwrap();
    let chain = Chain::new(client.genesis().await.unwrap()).unwrap();
    let follow = Follow { rollup: RollupId::new(ROLLUP), from: Some(Sequence::new(1)) };
    let mut stream = RollupStream::new(client, chain, follow);
    let mut seen = Vec::new();
    for total in [2, 5] {
        while seen.len() < total {
            if let StreamEvent::Block(block) = soon(stream.next()).await {
                seen.push((block.sequence.get(), block.transactions));
            }
        }
        world.restart().await;
        order_blocks(&world, 2);
    }
    let expected = [(1, 0, 0), (2, 1, 1), (3, 2, 2), (4, 3, 0), (5, 4, 1)];
    let expected = expected
        .map(|(sequence, height, n)| (sequence, vec![format!("{height}-{n}").into_bytes()]));
    assert_eq!(seen, expected, "each verified, in order, once");
}
