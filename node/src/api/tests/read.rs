//! Everything that is only read, and the operator's port.

use super::http::{get, send};
use super::world::{ROLLUP, World};
use crate::api::ApiConfig;
use chorale_client::Client;
use chorale_types::ids::{Height, RollupId, Sequence};
use chorale_types::limits::{POOL_BYTES_MAX, POOL_TRANSACTIONS_MAX};
use chorale_types::transaction::transaction_id;
use serde_json::{Value, json};

#[tokio::test]
async fn reads_ranges_of_blocks() {
    let world = World::start().await;
    for n in 0..20_u8 {
        world.order(&[(ROLLUP, &[n, 1])]);
    }
    let read =
        async |query: &str| get(world.http, &format!("/v1/rollups/{ROLLUP}/blocks{query}")).await;
    let sequences = |answer: &Value| -> Vec<u64> {
        let blocks = answer["blocks"].as_array().unwrap();
        blocks.iter().map(|block| block["sequence"].as_u64().unwrap()).collect()
    };
    for (query, first, last) in
        [("", 1, 16), ("?from=5", 5, 20), ("?from=3&limit=2", 3, 4), ("?limit=64&from=20", 20, 20)]
    {
        let answer = read(query).await.json();
        assert_eq!(sequences(&answer), (first..=last).collect::<Vec<_>>(), "{query}");
        assert_eq!((&answer["next"], &answer["head"]), (&json!(last + 1), &json!(20)), "{query}");
    }
    let empty = read("?from=21").await.json();
    assert_eq!(empty, json!({"blocks": [], "next": 21, "head": 20}));
    for (query, status, code) in [
        ("?from=22", 404, "future_sequence"),
        ("?from=0", 400, "bad_parameter"),
        ("?limit=0", 400, "bad_parameter"),
        ("?limit=65", 400, "bad_parameter"),
        ("?limit=18446744073709551615", 400, "bad_parameter"),
        ("?limit=-1", 400, "bad_parameter"),
        ("?to=5", 400, "unknown_parameter"),
        ("/21", 404, "future_sequence"),
        ("/0", 404, "unknown_sequence"),
        ("/18446744073709551615", 404, "future_sequence"),
        ("/-1", 400, "bad_parameter"),
        ("/1?proof=none", 400, "unknown_parameter"),
    ] {
        let refused = read(query).await;
        assert_eq!((refused.status, refused.code().as_str()), (status, code), "{query}");
    }
}

#[tokio::test]
async fn reads_states_to_verify_from() {
    let world = World::start().await;
    for n in 0..5_u8 {
        world.order(&[(ROLLUP, &[n, 1])]);
    }
    let path = format!("/v1/rollups/{ROLLUP}/checkpoint");
    for (query, most) in [("?sequence=1", 0), ("?sequence=3", 2), ("?sequence=6", 5), ("", 5)] {
        let answer = get(world.http, &format!("{path}{query}")).await.json();
        assert_eq!(answer["rollup"], ROLLUP);
        assert!(answer["sequence"].as_u64().unwrap() <= most, "{query}: {answer}");
        assert!(!answer["checkpoint"].as_str().unwrap().is_empty());
    }
    for (query, status, code) in [
        ("?sequence=0", 400, "bad_parameter"),
        ("?sequence=7", 404, "future_sequence"),
        ("?sequence=x", 400, "bad_parameter"),
        ("?height=1", 400, "unknown_parameter"),
    ] {
        let refused = get(world.http, &format!("{path}{query}")).await;
        assert_eq!((refused.status, refused.code().as_str()), (status, code), "{query}");
    }
}

#[tokio::test]
async fn reads_the_chain() {
    let world = World::start().await;
    world.order(&[(ROLLUP, b"one")]);
    let block = get(world.http, "/v1/blocks/1").await.json();
    assert_eq!(block["height"], 1);
    assert_eq!(block["header"]["height"], 1);
    assert_eq!(block["header"]["chain"], json!(world.chain_id()));
    assert_eq!(block["hash"], json!(world.block_hash(1)));
    assert_eq!(block["tips"][0]["seq"], 1);
    for (height, status, code) in [
        ("0", 404, "not_found"),
        ("2", 404, "not_found"),
        ("18446744073709551615", 404, "not_found"),
        ("x", 400, "bad_parameter"),
        ("1?verbose", 400, "unknown_parameter"),
    ] {
        let refused = get(world.http, &format!("/v1/blocks/{height}")).await;
        assert_eq!((refused.status, refused.code().as_str()), (status, code), "{height}");
    }
    let genesis = get(world.http, "/v1/genesis").await;
    let read: chorale_types::genesis::Genesis = serde_json::from_slice(&genesis.body).unwrap();
    assert_eq!(read.chain_id().to_string(), world.chain_id());
    let validators = get(world.http, "/v1/validators").await.json();
    assert_eq!(validators["validators"].as_array().unwrap().len(), read.validators.len());
    assert_eq!(validators["validators"][1]["index"], 1);
    assert_eq!(validators["validators"][1]["name"], json!(read.validators[1].name));
    assert_eq!(validators["validators"][1]["bls"], json!(read.validators[1].bls));
    assert_eq!((&validators["total_stake"], &validators["quorum_stake"]), (&json!(4), &json!(3)));
}

#[tokio::test]
async fn the_client_reads_every_document() {
    let world = World::start().await;
    world.order(&[(ROLLUP, b"one")]);
    let client = Client::new([format!("http://{}", world.http)]).unwrap();
    let (rollup, first) = (RollupId::new(ROLLUP), Sequence::new(1));
    assert_eq!(client.status().await.unwrap().chain, world.chain_id());
    assert_eq!(client.limits().await.unwrap().submit_transactions_max, 1_024);
    assert_eq!(client.validators().await.unwrap().quorum_stake, 3);
    assert_eq!(client.genesis().await.unwrap().chain_id().to_string(), world.chain_id());
    let block = client.chain_block(Height::new(1)).await.unwrap();
    assert_eq!(block.hash.to_string(), world.block_hash(1));
    let page = client.blocks(rollup, first, 1).await.unwrap();
    assert_eq!((page.blocks[0].transactions[0].0.as_slice(), page.head), (&b"one"[..], first));
    let state = client.checkpoint(rollup, Some(first)).await.unwrap();
    assert_eq!(state.sequence, Sequence::ZERO);
    let known = client.transaction(rollup, &transaction_id(rollup, b"one")).await.unwrap();
    assert_eq!(known.place.unwrap().sequence, first);
    let unknown = client.transaction(rollup, &transaction_id(rollup, b"two")).await;
    assert_eq!(unknown.unwrap_err().code(), Some("unknown_transaction"));
}

#[tokio::test]
async fn tells_how_the_node_is() {
    let world = World::start().await;
    let status = get(world.http, "/v1/status").await.json();
    for field in [
        "version",
        "chain",
        "chain_name",
        "name",
        "validator",
        "height",
        "view",
        "epoch",
        "leader",
        "ordered_height",
        "syncing",
        "voting",
        "voting_reason",
        "owns_lane",
        "lane_reason",
        "why_no_blocks",
        "last_commit_ms_ago",
        "peers",
    ] {
        assert!(status.get(field).is_some(), "{field} in {status}");
    }
    assert_eq!(get(world.http, "/livez").await.text(), "ok");
    let ready = get(world.http, "/readyz?verbose").await;
    assert!(ready.status == 200 || ready.status == 503);
    assert!(ready.text().contains("\nordered_height "), "{}", ready.text());
    let limits = get(world.http, "/v1/limits").await.json();
    let expected = json!({
        "transaction_bytes_max": 131_072, "submit_transactions_max": 1_024,
        "submit_body_bytes_max": 1_057_792, "blocks_limit_max": 64,
        "connections_max": limits["connections_max"],
        "connections_per_address": limits["connections_per_address"],
        "streams_max": limits["streams_max"],
        "streams_per_address": limits["streams_per_address"],
        "queue_transactions_per_rollup": 20_000,
        "queue_bytes_per_rollup": 16_777_216, "wait_timeout_ms_max": 60_000,
        "heartbeat_ms": 5_000,
    });
    assert_eq!(limits, expected);
}

#[tokio::test]
async fn publishes_the_queue_that_one_of_many_rollups_has() {
    for (rollups, transactions, bytes) in
        [(1, 20_000, 16 << 20), (16, 20_000, 16 << 20), (17, 18_823, (256 << 20) / 17)]
    {
        let ids: Vec<u64> = (1..=rollups).collect();
        let world = World::with_rollups(ApiConfig::default(), &ids).await;
        let limits = get(world.http, "/v1/limits").await.json();
        assert_eq!(limits["queue_transactions_per_rollup"], transactions, "{rollups} rollups");
        assert_eq!(limits["queue_bytes_per_rollup"], bytes, "{rollups} rollups");
        let all = |one: &str| limits[one].as_u64().unwrap() * rollups;
        assert!(all("queue_transactions_per_rollup") <= POOL_TRANSACTIONS_MAX as u64);
        assert!(all("queue_bytes_per_rollup") <= POOL_BYTES_MAX as u64);
    }
}

#[tokio::test]
async fn metrics_are_one_document() {
    let world = World::start().await;
    let metrics = get(world.http, "/metrics").await;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!((metrics.status, metrics.header("content-type")), (200, Some(kind)));
    let text = metrics.text();
    assert!(text.ends_with("# EOF\n"), "{text}");
    assert_eq!(text.matches("# EOF").count(), 1);
    let mut named: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    assert!(!named.is_empty());
    let count = named.len();
    named.sort_unstable();
    named.dedup();
    assert_eq!(named.len(), count, "no name twice");
}

#[tokio::test]
async fn other_paths_and_methods_are_problems_too() {
    let world = World::start().await;
    for path in ["/", "/v1", "/v1/", "/v1/rollups", "/v1/status/", "/admin/status", "/%ff"] {
        let refused = get(world.http, path).await;
        assert_eq!((refused.status, refused.code().as_str()), (404, "not_found"), "{path}");
    }
    for path in ["/v1/status", "/livez", "/metrics", "/v1/rollups/7/stream"] {
        for method in ["POST", "PUT", "DELETE", "BREW"] {
            let refused = send(world.http, method, path, "", b"").await;
            let got = (refused.status, refused.code());
            assert_eq!(got, (405, "method_not_allowed".into()), "{method} {path}");
            assert_eq!(refused.header("allow"), Some("GET,HEAD"), "{path}");
        }
    }
    for path in ["/v1/status", "/v1/limits", "/v1/genesis", "/livez", "/readyz", "/metrics"] {
        let refused = get(world.http, &format!("{path}?x=1")).await;
        assert_eq!((refused.status, refused.code().as_str()), (400, "unknown_parameter"), "{path}");
    }
}

#[tokio::test]
async fn the_operator_is_on_this_machine_and_no_web_page() {
    let mut world = World::start().await;
    let status = get(world.admin, "/admin/status").await;
    assert_eq!(status.json()["chain"], json!(world.chain_id()));
    let page = send(world.admin, "POST", "/admin/shutdown", "origin: http://x\r\n", b"").await;
    assert_eq!((page.status, page.code().as_str()), (403, "forbidden"));
    let wrong = get(world.admin, "/v1/status").await;
    assert_eq!((wrong.status, wrong.code().as_str()), (404, "not_found"));
    let wrong = get(world.admin, "/admin/shutdown").await;
    assert_eq!((wrong.status, wrong.code().as_str()), (405, "method_not_allowed"));
    assert!(!world.is_stopping());
    let stopped = send(world.admin, "POST", "/admin/shutdown", "", b"").await;
    assert_eq!(stopped.json(), json!({"stopping": true}));
    assert!(world.is_stopping());
    world.has_stopped_serving().await;
}
