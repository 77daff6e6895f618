//! Submitting over HTTP: overload, dead nodes, partial answers, nodes that answer nonsense.
#![allow(clippy::unwrap_used)]

mod tiny;

use chorale_client::api::{Place, Refusal, SubmitAnswer, SubmitResult, Taken};
use chorale_client::{Client, ClientError, Outcome, SubmitOptions};
use chorale_types::ids::{Height, RollupId, Sequence};
use chorale_types::level::Level;
use std::time::Duration;
use tiny::{Answer, Running, Tiny, id, nobody, start};

const R: RollupId = RollupId::new(7);

fn options(wait: Level, patience_ms: u64) -> SubmitOptions {
    SubmitOptions { wait, patience: Duration::from_millis(patience_ms) }
}

fn taken(payload: &[u8], level: Level, wanted: Level) -> SubmitResult {
    let place = Place { sequence: Sequence::new(2), height: Height::new(3), index: 0 };
    SubmitResult::Taken(Taken {
        id: id(R, payload),
        level,
        already_known: false,
        timed_out: level < wanted,
        place: (level == Level::Final).then_some(place),
    })
}

fn refused(payload: &[u8], code: &str) -> SubmitResult {
    let error = Refusal { code: code.into(), detail: code.into() };
    SubmitResult::Refused { id: id(R, payload), error }
}

fn answer(transactions: Vec<SubmitResult>) -> Answer {
    Answer::json(&SubmitAnswer { transactions })
}

/// A node that answers submit calls like this.
async fn node(submit: impl Fn(&[Vec<u8>], usize) -> Answer + Send + Sync + 'static) -> Running {
    start(Tiny { submit: Box::new(submit), ..Tiny::default() }).await
}

async fn takes_all() -> Running {
    node(|payloads, _| {
        let level = Level::Available;
        answer(payloads.iter().map(|payload| taken(payload, level, level)).collect())
    })
    .await
}

fn calls(node: &Running) -> Vec<Vec<Vec<u8>>> {
    node.log.lock().unwrap().submits.iter().map(|(_, payloads)| payloads.clone()).collect()
}

#[tokio::test]
async fn overload_and_dead_nodes_are_passed_over_with_the_same_bytes() {
    let full = node(|_, _| Answer::problem(429, "queue_full")).await;
    let unready = node(|_, _| Answer::problem(503, "not_ready")).await;
    let takes = takes_all().await;
    let dead = nobody().await;
    let client = Client::new([&dead, &full.url, &unready.url, &takes.url]).unwrap();
    let outcome = client.submit(R, b"tx", SubmitOptions::default()).await;
    let (already_known, place) = (false, None);
    let id = id(R, b"tx");
    let level = Level::Available;
    assert_eq!(outcome, Outcome::Submitted { id, level, already_known, place });
    for node in [&full, &unready, &takes] {
        assert_eq!(calls(node), [[b"tx".to_vec()]]);
    }
    // The one that answered is asked first next time.
    client.submit(R, b"more", SubmitOptions::default()).await;
    assert_eq!((calls(&full).len(), calls(&takes).len()), (1, 2));
}

#[tokio::test]
async fn a_node_that_recovers_is_asked_again() {
    let node = node(|payloads, before| match before {
        0 | 1 => Answer::problem(429, "queue_full"),
        _ => answer(vec![taken(&payloads[0], Level::Available, Level::Available)]),
    })
    .await;
    let client = Client::new([&node.url]).unwrap();
    let outcome = client.submit(R, b"tx", SubmitOptions::default()).await;
    assert_eq!(outcome.level(), Some(Level::Available));
    assert_eq!(calls(&node).len(), 3);
}

#[tokio::test]
async fn a_refusal_of_the_transaction_itself_is_final() {
    for (status, code) in [
        (400, "empty_transaction"),
        (413, "transaction_too_large"),
        (404, "unknown_rollup"),
        (501, "not_yet"),
    ] {
        let refuses = node(move |_, _| Answer::problem(status, code)).await;
        let never = takes_all().await;
        let client = Client::new([&refuses.url, &never.url]).unwrap();
        let outcome = client.submit(R, b"tx", SubmitOptions::default()).await;
        assert!(matches!(&outcome, Outcome::Refused { code: got, .. } if got == code));
        assert_eq!((calls(&refuses).len(), calls(&never).len()), (1, 0));
    }
}

#[tokio::test]
async fn nobody_answering_by_the_deadline_is_unknown() {
    let full = node(|_, _| Answer::problem(503, "not_ready")).await;
    let dead = nobody().await;
    let client = Client::new([&full.url, &dead]).unwrap();
    let outcome = client.submit(R, b"tx", options(Level::Available, 400)).await;
    let Outcome::Unknown { id: named, why } = outcome else { panic!("{outcome:?}") };
    assert_eq!(named, id(R, b"tx"));
    assert!(!why.is_empty());
    assert!(calls(&full).len() > 1, "it was tried more than once");
}

#[tokio::test]
async fn only_what_was_not_taken_is_sent_again() {
    let node = node(|payloads, before| {
        answer(
            payloads
                .iter()
                .map(|payload| match (payload.as_slice(), before) {
                    (b"b", 0) => refused(payload, "queue_full"),
                    (b"c", _) => refused(payload, "transaction_too_large"),
                    _ => taken(payload, Level::Available, Level::Available),
                })
                .collect(),
        )
    })
    .await;
    let client = Client::new([&node.url]).unwrap();
    let outcomes = client.submit_many(R, &[b"a", b"b", b"c"], SubmitOptions::default()).await;
    let levels: Vec<_> = outcomes.iter().map(Outcome::level).collect();
    assert_eq!(levels, [Some(Level::Available), Some(Level::Available), None]);
    assert!(
        matches!(&outcomes[2], Outcome::Refused { code, .. } if code == "transaction_too_large")
    );
    let expected = [vec![b"a".to_vec(), b"b".to_vec(), b"c".to_vec()], vec![b"b".to_vec()]];
    assert_eq!(calls(&node), expected);
    let ids: Vec<_> = outcomes.iter().map(|outcome| *outcome.id()).collect();
    assert_eq!(ids, [id(R, b"a"), id(R, b"b"), id(R, b"c")]);
}

#[tokio::test]
async fn a_level_not_reached_is_asked_for_again_and_the_best_is_told() {
    let rises = node(|payloads, before| {
        let level = if before == 0 { Level::Available } else { Level::Final };
        answer(vec![taken(&payloads[0], level, Level::Final)])
    })
    .await;
    let client = Client::new([&rises.url]).unwrap();
    let outcome = client.submit(R, b"tx", options(Level::Final, 10_000)).await;
    assert!(matches!(outcome, Outcome::Submitted { level: Level::Final, place: Some(_), .. }));

    let falls = node(|payloads, before| match before {
        0 => answer(vec![taken(&payloads[0], Level::Available, Level::Final)]),
        1 => answer(vec![taken(&payloads[0], Level::Accepted, Level::Final)]),
        _ => Answer::problem(404, "unknown_rollup"),
    })
    .await;
    let client = Client::new([&falls.url]).unwrap();
    let outcome = client.submit(R, b"tx", options(Level::Final, 10_000)).await;
    assert_eq!(outcome.level(), Some(Level::Available));
    assert!(falls.log.lock().unwrap().submits[0].0.contains("wait=final"));
}

#[tokio::test]
async fn an_answer_about_something_else_is_not_believed() {
    let other_id = node(|_, _| answer(vec![taken(b"other", Level::Final, Level::Final)])).await;
    let too_many = node(|payloads, _| {
        let one = || taken(&payloads[0], Level::Final, Level::Final);
        answer(vec![one(), one()])
    })
    .await;
    let nonsense = node(|_, _| Answer(200, "text/html", "<html>".into())).await;
    let proxy = node(|_, _| Answer(502, "text/html", "<html>".into())).await;
    let takes = takes_all().await;
    let nodes = [&other_id, &too_many, &nonsense, &proxy, &takes];
    let client = Client::new(nodes.map(|node| &node.url)).unwrap();
    let outcome = client.submit(R, b"tx", SubmitOptions::default()).await;
    assert_eq!(outcome.level(), Some(Level::Available));
    assert!(nodes.iter().all(|node| calls(node).len() == 1));
}

#[tokio::test]
async fn a_load_is_cut_into_calls_that_a_node_takes() {
    let node = takes_all().await;
    let client = Client::new([&node.url]).unwrap();
    let payloads: Vec<Vec<u8>> = (0..2_500_u32).map(|n| n.to_be_bytes().repeat(64)).collect();
    let outcomes = client.submit_many(R, &payloads, SubmitOptions::default()).await;
    assert!(outcomes.iter().all(|outcome| outcome.level() == Some(Level::Available)));
    let calls = calls(&node);
    assert_eq!(calls.iter().map(Vec::len).collect::<Vec<_>>(), [1_024, 1_024, 452]);
    assert_eq!(calls.concat(), payloads, "in order, each once");
}

#[tokio::test]
async fn waiting_for_finality_bears_ignorance_and_ends() {
    let tx = id(R, b"tx");
    let status = |level: &str, place: &str| {
        let text = format!("{{\"id\":\"{tx}\",\"level\":\"{level}\"{place}}}");
        Answer(200, "application/json", text)
    };
    let place = ",\"sequence\":4,\"height\":9,\"index\":1";
    let answers = std::sync::Mutex::new(vec![
        status("final", place),
        status("available", ""),
        Answer::problem(503, "not_ready"),
        Answer::problem(404, "unknown_transaction"),
    ]);
    let node = start(Tiny {
        get: Box::new(move |path, _| {
            assert_eq!(path, format!("/v1/rollups/7/transactions/{tx}"));
            let unknown = Answer::problem(404, "unknown_transaction");
            answers.lock().unwrap().pop().unwrap_or(unknown)
        }),
        ..Tiny::default()
    })
    .await;
    let client = Client::new([&node.url]).unwrap();
    let found = client.wait_final(R, &tx, Duration::from_secs(30)).await.unwrap();
    let expected = Place { sequence: Sequence::new(4), height: Height::new(9), index: 1 };
    assert_eq!(found, expected);
    let error = client.wait_final(R, &tx, Duration::from_millis(200)).await.unwrap_err();
    assert!(matches!(error, ClientError::Deadline { .. }), "{error}");
}

#[tokio::test]
async fn no_patience_is_too_long_to_be_counted() {
    let tx = id(R, b"tx");
    let known = "\"level\":\"final\",\"sequence\":4,\"height\":9,\"index\":1";
    let node = start(Tiny {
        get: Box::new(move |_, _| {
            Answer(200, "application/json", format!("{{\"id\":\"{tx}\",{known}}}"))
        }),
        submit: Box::new(|payloads, _| {
            let taken = payloads.iter().map(|one| taken(one, Level::Final, Level::Final)).collect();
            Answer::json(&SubmitAnswer { transactions: taken })
        }),
        ..Tiny::default()
    })
    .await;
    let client = Client::new([&node.url]).unwrap();
    let found = client.wait_final(R, &tx, Duration::MAX).await.unwrap();
    assert_eq!(found.sequence, Sequence::new(4));
    let options = SubmitOptions { wait: Level::Final, patience: Duration::MAX };
    let outcome = client.submit(R, b"tx", options).await;
    assert_eq!(outcome.level(), Some(Level::Final));
}

#[tokio::test]
async fn queries_go_to_the_next_node_and_refusals_keep_their_code() {
    let unready =
        start(Tiny { get: Box::new(|_, _| Answer::problem(503, "not_ready")), ..Tiny::default() })
            .await;
    let limits = start(Tiny {
        get: Box::new(|path, query| match path {
            "/v1/limits" => Answer(
                200,
                "application/json",
                r#"{"transaction_bytes_max":131072,"submit_transactions_max":1024,
                "submit_body_bytes_max":1,"blocks_limit_max":64,
                "connections_max":8,"connections_per_address":4,
                "streams_max":2,"streams_per_address":1,
                "queue_transactions_per_rollup":3,"queue_bytes_per_rollup":4,
                "wait_timeout_ms_max":60000,"heartbeat_ms":5000}"#
                    .into(),
            ),
            _ => Answer::problem(400, if query.is_empty() { "none" } else { "bad_parameter" }),
        }),
        ..Tiny::default()
    })
    .await;
    let dead = nobody().await;
    let client = Client::new([&dead, &unready.url, &limits.url]).unwrap();
    assert_eq!(client.limits().await.unwrap().heartbeat_ms, 5_000);
    let error = client.blocks(R, Sequence::new(3), 99).await.unwrap_err();
    assert_eq!(error.code(), Some("bad_parameter"));
    assert_eq!(
        limits.log.lock().unwrap().gets,
        ["/v1/limits", "/v1/rollups/7/blocks?from=3&limit=99"]
    );
    let error = Client::new([&dead]).unwrap().status().await.unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error}");
}

#[test]
fn refuses_endpoints_that_are_no_http_urls() {
    let none: [&str; 0] = [];
    assert!(matches!(Client::new(none), Err(ClientError::NoEndpoint)));
    for text in ["", "localhost", "https://x.example", "ftp://x", "http://"] {
        let error = Client::new(["http://127.0.0.1:1", text]).unwrap_err();
        assert!(matches!(error, ClientError::BadEndpoint { .. }), "{text}: {error}");
    }
}
