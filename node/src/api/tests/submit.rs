//! Transactions in: an answer for each, at the level asked for, once whatever is sent again.

use super::http::{Reply, get, send, soon};
use super::world::{ROLLUP, World, hex, id};
use crate::api::ApiConfig;
use chorale_consensus::output::{Admission, Refusal};
use chorale_types::ids::RollupId;
use serde_json::json;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

const OCTETS: &str = "content-type: application/octet-stream\r\n";
const JSON: &str = "content-type: application/json; charset=utf-8\r\n";

async fn submit(world: &World, query: &str, payload: &[u8]) -> Reply {
    let path = format!("/v1/rollups/{ROLLUP}/transactions{query}");
    send(world.http, "POST", &path, OCTETS, payload).await
}

async fn submit_list(world: &World, query: &str, payloads: &[&[u8]]) -> Reply {
    let path = format!("/v1/rollups/{ROLLUP}/transactions{query}");
    let list: Vec<_> = payloads.iter().map(|payload| hex(payload)).collect();
    let body = json!({ "transactions": list }).to_string();
    send(world.http, "POST", &path, JSON, body.as_bytes()).await
}

#[tokio::test]
async fn answers_when_the_level_is_reached() {
    let world = World::start().await;
    let accepted = submit(&world, "?wait=accepted", b"one").await;
    assert_eq!(accepted.status, 200);
    let expected = json!({"transactions": [
        {"id": id(b"one"), "level": "accepted", "already_known": false, "timed_out": false},
    ]});
    assert_eq!(accepted.json(), expected);

    let (answer, ()) = tokio::join!(submit(&world, "", b"two"), async {
        world.handed_in_reaches(2).await;
        world.make_available();
    });
    assert_eq!(answer.json()["transactions"][0]["level"], "available");

    let (answer, ()) = tokio::join!(submit(&world, "?wait=final", b"three"), async {
        world.handed_in_reaches(3).await;
        world.order_pending();
    });
    let expected = json!({"transactions": [{
        "id": id(b"three"), "level": "final", "already_known": false, "timed_out": false,
        "sequence": 1, "height": 1, "index": 2,
    }]});
    assert_eq!(answer.json(), expected);
}

#[tokio::test]
async fn answers_each_transaction_in_order() {
    let world = World::start().await;
    let too_large = vec![1; chorale_types::limits::TRANSACTION_BYTES_MAX + 1];
    let all: [&[u8]; 4] = [b"one", b"", b"two", &too_large];
    let answer = submit_list(&world, "?wait=accepted", &all).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let answers = answer.json()["transactions"].clone();
    let ids: Vec<_> = all.iter().map(|payload| json!(id(payload))).collect();
    let answered: Vec<_> =
        answers.as_array().unwrap().iter().map(|answer| answer["id"].clone()).collect();
    assert_eq!(answered, ids);
    assert_eq!(answers[0]["level"], "accepted");
    assert_eq!(answers[1]["error"]["code"], "empty_transaction");
    assert_eq!(answers[2]["level"], "accepted");
    assert_eq!(answers[3]["error"]["code"], "transaction_too_large");
    assert_eq!(world.handed_in(), 2, "what no node takes is not handed in");
}

#[tokio::test]
async fn takes_as_much_as_it_publishes() {
    let world = World::start().await;
    let largest = vec![1; chorale_types::limits::TRANSACTION_BYTES_MAX];
    assert_eq!(submit(&world, "?wait=accepted", &largest).await.status, 200);
    assert_eq!(submit_list(&world, "?wait=accepted", &[&largest]).await.status, 200);
    let payloads: Vec<Vec<u8>> = (0..1_024_u32)
        .map(|n| n.to_be_bytes().iter().copied().cycle().take(512).collect())
        .collect();
    let payloads: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
    let answer = submit_list(&world, "?wait=accepted", &payloads).await;
    assert_eq!(answer.json()["transactions"].as_array().unwrap().len(), 1_024);
}

#[tokio::test]
async fn knows_what_was_sent_before() {
    let world = World::start().await;
    submit(&world, "?wait=accepted", b"one").await;
    let waiting = submit(&world, "?wait=accepted", b"one").await.json();
    assert_eq!(waiting["transactions"][0]["already_known"], true);
    assert_eq!(waiting["transactions"][0]["level"], "accepted");
    world.make_available();
    let available = submit(&world, "?wait=accepted", b"one").await.json();
    assert_eq!(available["transactions"][0]["already_known"], true);
    assert_eq!(available["transactions"][0]["level"], "available");
    world.order_pending();
    let handed_in = world.handed_in();
    for _ in 0..20 {
        let ordered = submit(&world, "?wait=final", b"one").await.json();
        let expected = json!({"transactions": [{
            "id": id(b"one"), "level": "final", "already_known": true, "timed_out": false,
            "sequence": 1, "height": 1, "index": 0,
        }]});
        assert_eq!(ordered, expected);
    }
    assert_eq!(world.handed_in(), handed_in, "what is ordered is not handed in again");
}

#[tokio::test]
async fn says_when_the_level_was_not_reached_in_time() {
    let world = World::start().await;
    let late = submit(&world, "?wait=final&timeout_ms=1", b"one").await;
    let expected = json!({"transactions": [
        {"id": id(b"one"), "level": "accepted", "already_known": false, "timed_out": true},
    ]});
    assert_eq!((late.status, late.json()), (200, expected));
    world.make_available();
    let late = submit(&world, "?wait=final&timeout_ms=0", b"one").await.json();
    assert_eq!(late["transactions"][0]["level"], "available");
    assert_eq!(late["transactions"][0]["timed_out"], true);
}

#[tokio::test]
async fn answers_what_it_knows_when_the_node_stops() {
    let world = World::start().await;
    let (answer, ()) =
        tokio::join!(submit(&world, "?wait=final&timeout_ms=60000", b"one"), async {
            world.handed_in_reaches(1).await;
            world.stop();
        });
    assert_eq!(answer.json()["transactions"][0]["timed_out"], true);
}

#[tokio::test]
async fn over_capacity_is_a_problem_that_says_when_to_come_back() {
    let world = World::start().await;
    let rollup = RollupId::new(ROLLUP);
    for (refusal, status, code) in
        [(Refusal::QueueFull { rollup }, 429, "queue_full"), (Refusal::NoLane, 503, "no_lane")]
    {
        world.answer_with(Admission::Refused(refusal));
        let refused = submit_list(&world, "", &[b"one", b"two"]).await;
        assert_eq!((refused.status, refused.code().as_str()), (status, code));
        assert!(refused.header("retry-after").unwrap().parse::<u32>().unwrap() > 0);
        let mixed = submit_list(&world, "", &[b"one", b""]).await;
        assert_eq!(mixed.status, 200, "different refusals are told one by one");
        assert_eq!(mixed.json()["transactions"][0]["error"]["code"], code);
        assert_eq!(mixed.json()["transactions"][1]["error"]["code"], "empty_transaction");
    }
}

#[tokio::test]
async fn serves_a_bounded_number_of_submit_calls() {
    let world = World::with(ApiConfig { submits_max: 1, ..ApiConfig::default() }).await;
    let waits = submit(&world, "?wait=final&timeout_ms=60000", b"one");
    let (first, second) = tokio::join!(waits, async {
        world.handed_in_reaches(1).await;
        let second = submit(&world, "", b"two").await;
        world.order_pending();
        second
    });
    assert_eq!((second.status, second.code().as_str()), (503, "overloaded"));
    assert!(second.header("retry-after").is_some());
    assert_eq!(first.json()["transactions"][0]["level"], "final");
    let third = submit(&world, "?wait=accepted", b"three").await;
    assert_eq!(third.status, 200, "its turn came back");
}

#[tokio::test]
async fn a_caller_that_hangs_up_frees_its_place() {
    let world = World::with(ApiConfig { submits_max: 1, ..ApiConfig::default() }).await;
    let mut caller = TcpStream::connect(world.http).await.unwrap();
    let request = format!(
        "POST /v1/rollups/{ROLLUP}/transactions?wait=final&timeout_ms=60000 HTTP/1.1\r\n\
         host: x\r\n{OCTETS}content-length: 3\r\n\r\none"
    );
    caller.write_all(request.as_bytes()).await.unwrap();
    world.handed_in_reaches(1).await;
    drop(caller);
    soon(async {
        while submit(&world, "?wait=accepted", b"two").await.status != 200 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn holds_a_bounded_number_of_bytes() {
    let world = World::with(ApiConfig { body_bytes_max: 1_000, ..ApiConfig::default() }).await;
    let refused = submit(&world, "?wait=accepted", &[1; 1_001]).await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "overloaded"));
    for _ in 0..3 {
        assert_eq!(submit(&world, "?wait=accepted", &[1; 1_000]).await.status, 200);
    }
}

#[tokio::test]
async fn tells_how_far_a_transaction_is() {
    let world = World::start().await;
    let path = format!("/v1/rollups/{ROLLUP}/transactions/{}", id(b"one"));
    let unknown = get(world.http, &path).await;
    assert_eq!((unknown.status, unknown.code().as_str()), (404, "unknown_transaction"));
    submit(&world, "?wait=accepted", b"one").await;
    let known = get(world.http, &path).await.json();
    assert_eq!(known, json!({"id": id(b"one"), "level": "accepted"}));
    world.order_pending();
    let known = get(world.http, &path).await.json();
    let expected =
        json!({"id": id(b"one"), "level": "final", "sequence": 1, "height": 1, "index": 0});
    assert_eq!(known, expected);
    for bad in ["0x", "0x12", &id(b"one")[2..], &format!("{}00", id(b"one")), "..%2f"] {
        let path = format!("/v1/rollups/{ROLLUP}/transactions/{bad}");
        let refused = get(world.http, &path).await;
        assert_eq!((refused.status, refused.code().as_str()), (400, "bad_parameter"), "{bad}");
    }
}
