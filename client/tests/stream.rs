//! Following a rollup over HTTP: cut connections, repeats, gaps, lies, silence.
#![allow(clippy::unwrap_used)]

mod support;
mod tiny;

use chorale_client::api::{self, Base64, Complete};
use chorale_client::{
    Client, ClientError, Follow, LightClient, LightError, RollupStream, StreamEvent,
};
use chorale_consensus::ordering::testing::TestChain;
use chorale_types::ids::{Height, Sequence};
use chorale_types::rollup::Frame;
use std::sync::Arc;
use std::time::Duration;
use support::{A, checkpoint, content, expected, frames, heartbeat, heights, history, light};
use tiny::{Answer, Running, Script, Tiny, block, nobody, start};

/// A history with the honest answers to everything asked about rollup A.
struct Store {
    chain: TestChain,
    frames: Vec<Frame>,
    heights: Vec<Height>,
}

impl Store {
    fn new(chain: TestChain) -> Arc<Self> {
        let (frames, heights) = (frames(&chain, A), heights(&chain, A));
        Arc::new(Self { chain, frames, heights })
    }

    fn page(&self, query: &str) -> Answer {
        let asked = query.strip_prefix("sequence=").map(|n| n.parse::<usize>().unwrap());
        let asked = asked.unwrap_or(self.heights.len() + 1);
        let head = self.chain.head();
        let proving = self.heights.get(asked - 1).copied().unwrap_or(head);
        let state = checkpoint(&self.chain, A, proving);
        Answer::json(&api::CheckpointPage {
            rollup: A,
            sequence: Sequence::ZERO,
            height: Height::ZERO,
            checkpoint: Base64(state),
        })
    }

    fn after(&self, sequence: u64) -> Vec<String> {
        self.frames[usize::try_from(sequence).unwrap()..].iter().map(block).collect()
    }

    fn beat(&self) -> String {
        let proof = heartbeat(&self.chain, A, self.chain.head());
        let beat = api::Heartbeat {
            rollup: A,
            next_sequence: Sequence::new(1 + u64::try_from(self.frames.len()).unwrap()),
            height: self.chain.head(),
            complete: Complete::AtHeight(Height::ZERO),
            proof: Base64(proof),
        };
        format!("event: heartbeat\ndata: {}\n\n", serde_json::to_string(&beat).unwrap())
    }
}

/// A node with this store whose streams are as `stream` says.
async fn node<S>(store: &Arc<Store>, stream: S) -> Running
where
    S: Fn(&Store, u64, usize) -> Result<Script, Answer> + Send + Sync + 'static,
{
    let (for_stream, for_get) = (Arc::clone(store), Arc::clone(store));
    start(Tiny {
        stream: Box::new(move |after, before| stream(&for_stream, after, before)),
        get: Box::new(move |path, query| {
            assert!(path.ends_with("/7/checkpoint"), "{path}");
            for_get.page(query)
        }),
        ..Tiny::default()
    })
    .await
}

async fn honest(store: &Arc<Store>) -> Running {
    node(store, |store, after, _| Ok(Script { events: store.after(after), stays_open: true })).await
}

fn follow(store: &Store, urls: &[&str], from: Option<u64>) -> RollupStream {
    let client = Client::new(urls).unwrap();
    let follow = Follow { rollup: A, from: from.map(Sequence::new) };
    RollupStream::new(client, light(&store.chain), follow)
}

/// Reads to the end of the store; returns what went wrong on the way.
async fn read_all(stream: &mut RollupStream, store: &Store, from: usize) -> Vec<ClientError> {
    let expected = expected(&store.chain, A);
    let (mut blocks, mut troubles) = (Vec::new(), Vec::new());
    while blocks.len() + from - 1 < expected.len() {
        match stream.next().await {
            StreamEvent::Block(block) => {
                let place = u64::try_from(from + blocks.len()).unwrap();
                assert_eq!(block.sequence, Sequence::new(place));
                assert_eq!(stream.cursor(), Some(block.sequence));
                blocks.push(content(block));
            }
            StreamEvent::Trouble(trouble) => troubles.push(trouble.error),
            StreamEvent::Complete { .. } | StreamEvent::Lagging { .. } => {}
        }
    }
    assert_eq!(blocks, expected[from - 1..]);
    troubles
}

#[tokio::test]
async fn a_stream_cut_again_and_again_has_no_gap_and_no_repeat() {
    let store = Store::new(history());
    let node = node(&store, |store, after, before| {
        let mut events = store.after(after);
        events.truncate(3);
        if before % 2 == 1 {
            // Cut in the middle of an event.
            let cut = events.last_mut().unwrap();
            cut.truncate(cut.len() / 2);
        }
        Ok(Script { events, stays_open: false })
    })
    .await;
    let mut stream = follow(&store, &[&node.url], Some(1));
    let troubles = read_all(&mut stream, &store, 1).await;
    assert!(troubles.iter().all(|error| matches!(error, ClientError::Silent { .. })));
    let log = node.log.lock().unwrap();
    assert!(log.streams.len() > 5 && log.streams.is_sorted());
    assert_eq!(log.streams[..3], [0, 3, 5], "each goes on after the last whole block");
    assert_eq!(log.gets.len(), 1, "one state to start from is enough");
}

#[tokio::test]
async fn a_dead_a_lying_and_an_unready_node_are_passed_over() {
    let store = Store::new(history());
    let liar = node(&store, |store, after, _| {
        let mut events = store.after(after);
        let mut lie = store.frames[usize::try_from(after).unwrap() + 2].clone();
        lie.transactions[0].push(1);
        events[2] = block(&lie);
        Ok(Script { events, stays_open: true })
    })
    .await;
    let unready = node(&store, |_, _, _| Err(Answer::problem(503, "not_ready"))).await;
    let honest = honest(&store).await;
    let dead = nobody().await;
    let urls = [dead.as_str(), &liar.url, &unready.url, &honest.url];
    let mut stream = follow(&store, &urls, Some(1));
    let troubles = read_all(&mut stream, &store, 1).await;
    assert_eq!(troubles.len(), 3);
    assert!(matches!(troubles[0], ClientError::Unreachable { .. }), "{}", troubles[0]);
    assert!(matches!(
        troubles[1],
        ClientError::Untrue { source: LightError::WrongTransactions { .. }, .. }
    ));
    assert_eq!(troubles[2].code(), Some("not_ready"));
    assert_eq!(honest.log.lock().unwrap().streams, [2], "two blocks came before the lie");
}

#[tokio::test]
async fn a_node_that_skips_a_block_is_left_and_one_that_repeats_is_borne() {
    let store = Store::new(history());
    let skips = node(&store, |store, after, _| {
        let mut events = store.after(after);
        events.remove(4);
        Ok(Script { events, stays_open: true })
    })
    .await;
    let repeats = node(&store, |store, after, _| {
        let mut events = store.after(after - 3);
        events.insert(5, events[4].clone());
        Ok(Script { events, stays_open: true })
    })
    .await;
    let mut stream = follow(&store, &[&skips.url, &repeats.url], Some(1));
    let troubles = read_all(&mut stream, &store, 1).await;
    assert_eq!(troubles.len(), 1, "{troubles:?}");
    assert!(matches!(
        troubles[0],
        ClientError::Untrue { source: LightError::OutOfSequence { .. }, .. }
    ));
}

#[tokio::test]
async fn a_stream_starts_at_any_cursor_and_can_be_put_back() {
    let store = Store::new(history());
    let node = honest(&store).await;
    let all = store.frames.len();
    for from in [1, 2, 7, all] {
        let cursor = u64::try_from(from).unwrap();
        let mut stream = follow(&store, &[&node.url], Some(cursor));
        assert!(read_all(&mut stream, &store, from).await.is_empty());
        stream.resume_from(Sequence::new(cursor));
        assert!(read_all(&mut stream, &store, from + 1).await.is_empty());
        assert!(stream.cursor().is_some());
    }
}

#[tokio::test]
async fn a_stream_without_a_cursor_starts_near_the_head() {
    let store = Store::new(history());
    let node = honest(&store).await;
    let mut stream = follow(&store, &[&node.url], None);
    let StreamEvent::Block(first) = stream.next().await else { panic!("a block") };
    let behind = store.frames.len() - usize::try_from(first.sequence.get()).unwrap();
    assert!(behind <= 4, "{behind} blocks behind the head");
    assert_eq!(node.log.lock().unwrap().gets, ["/v1/rollups/7/checkpoint"]);
}

#[tokio::test]
async fn heartbeats_and_lag_notices_reach_the_reader() {
    let store = Store::new(history());
    let node = node(&store, |store, after, _| {
        let mut events = store.after(after);
        events.insert(
            2,
            "event: lagging\ndata: {\"type\":\"lagging\",\"rollup\":7,\"from_sequence\":3}\n\n"
                .into(),
        );
        events.insert(5, "event: from-the-future\ndata: {}\n\n: a comment\n\n".into());
        events.push(store.beat());
        Ok(Script { events, stays_open: true })
    })
    .await;
    let mut stream = follow(&store, &[&node.url], Some(1));
    let mut lagging = None;
    let complete = loop {
        match stream.next().await {
            StreamEvent::Complete { height } => break height,
            StreamEvent::Lagging { from } => lagging = Some((stream.cursor(), from)),
            StreamEvent::Block(_) => {}
            StreamEvent::Trouble(trouble) => panic!("{}", trouble.error),
        }
    };
    assert_eq!(lagging, Some((Some(Sequence::new(2)), Sequence::new(3))));
    assert!(complete >= *store.heights.last().unwrap());
}

#[tokio::test]
async fn a_heartbeat_before_the_first_block_claims_nothing_and_a_later_one_must_prove() {
    let store = Store::new(history());
    let beat = |at: u64| {
        format!(
            "event: heartbeat\ndata: {{\"type\":\"heartbeat\",\"rollup\":7,\"next_sequence\":1,\
             \"height\":{at},\"complete\":{{\"at_height\":{at}}},\"proof\":\"\"}}\n\n"
        )
    };
    let young = node(&store, move |_, _, _| {
        Ok(Script { events: vec![beat(0), beat(9)], stays_open: true })
    })
    .await;
    let mut stream = follow(&store, &[&young.url], Some(1));
    let StreamEvent::Trouble(trouble) = stream.next().await else { panic!("trouble") };
    let malformed = |error: &LightError| matches!(error, LightError::Malformed(_));
    assert!(matches!(trouble.error, ClientError::Untrue { source, .. } if malformed(&source)));
}

#[tokio::test]
async fn a_heartbeat_over_a_block_kept_back_is_trouble() {
    let store = Store::new(history());
    let keeps_back = node(&store, |store, after, _| {
        let mut events = store.after(after);
        let all = events.len();
        events.truncate(all - 2);
        events.push(store.beat());
        Ok(Script { events, stays_open: true })
    })
    .await;
    let honest = honest(&store).await;
    let mut stream = follow(&store, &[&keeps_back.url, &honest.url], Some(1));
    let troubles = read_all(&mut stream, &store, 1).await;
    assert!(matches!(troubles[0], ClientError::Untrue { source: LightError::Missed { .. }, .. }));
}

#[tokio::test]
async fn a_silent_node_is_left() {
    let store = Store::new(history());
    let silent = node(&store, |store, after, _| {
        let mut events = store.after(after);
        events.truncate(1);
        Ok(Script { events, stays_open: true })
    })
    .await;
    let honest = honest(&store).await;
    let stream = follow(&store, &[&silent.url, &honest.url], Some(1));
    let mut stream = stream.giving_up_after(Duration::from_millis(500));
    let troubles = read_all(&mut stream, &store, 1).await;
    assert!(matches!(troubles[0], ClientError::Silent { .. }), "{}", troubles[0]);
}

#[tokio::test]
async fn a_state_that_holds_the_first_block_wanted_already_is_refused() {
    let store = Store::new(history());
    let chain = light(&store.chain);
    let after = |height: &Height| {
        let state = checkpoint(&store.chain, A, *height);
        LightClient::start(&chain, A, &state).unwrap().sequence()
    };
    let place = store.heights.iter().position(|height| after(height) == Sequence::new(2)).unwrap();
    let query = format!("sequence={}", place + 1);
    let too_far = {
        let store = Arc::clone(&store);
        start(Tiny { get: Box::new(move |_, _| store.page(&query)), ..Tiny::default() }).await
    };
    let honest = honest(&store).await;
    let mut stream = follow(&store, &[&too_far.url, &honest.url], Some(2));
    let troubles = read_all(&mut stream, &store, 2).await;
    assert_eq!(troubles.len(), 1, "{troubles:?}");
    let text = troubles[0].to_string();
    assert!(text.contains("a state after block 2, asked for before 2"), "{text}");
}

#[tokio::test]
async fn without_a_working_endpoint_the_stream_waits_longer_after_each_round() {
    let store = Store::new(history());
    let dead = nobody().await;
    let mut stream = follow(&store, &[&dead], Some(1));
    let started = std::time::Instant::now();
    for _ in 0..4 {
        assert!(matches!(stream.next().await, StreamEvent::Trouble(_)));
    }
    assert!(started.elapsed() >= Duration::from_millis(50 + 100 + 200));
}

#[tokio::test]
async fn answers_that_are_none_are_trouble_and_nothing_more() {
    let store = Store::new(history());
    let bad_stream = |text: &'static str| {
        node(&store, move |_, _, _| Ok(Script { events: vec![text.into()], stays_open: true }))
    };
    let no_json = bad_stream("event: block\ndata: {\"type\":\"block\"}\n\n").await;
    let no_text = bad_stream("event: \u{0}\ndata\n\n").await;
    let no_stream = node(&store, |_, _, _| Err(Answer(200, "text/html", "hi".into()))).await;
    let no_state = start(Tiny {
        get: Box::new(|_, _| Answer(200, "application/json", "{}".into())),
        ..Tiny::default()
    })
    .await;
    let ahead = {
        let store = Arc::clone(&store);
        start(Tiny { get: Box::new(move |_, _| store.page("")), ..Tiny::default() }).await
    };
    let honest = honest(&store).await;
    let urls: Vec<&str> = [&no_state, &ahead, &no_json, &no_stream, &honest, &no_text]
        .iter()
        .map(|node| node.url.as_str())
        .collect();
    let mut stream = follow(&store, &urls, Some(2));
    let troubles = read_all(&mut stream, &store, 2).await;
    assert_eq!(troubles.len(), 4, "{troubles:?}");
    assert!(troubles.iter().all(|error| matches!(error, ClientError::BadAnswer { .. })));
    assert!(troubles[1].to_string().contains("a state after block"), "{}", troubles[1]);
}
