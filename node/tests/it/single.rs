//! A set of one, in this process: a working sequencer on the same code.

use crate::support::{Place, ROLLUP, options, order, payloads, stream, transaction};
use chorale_consensus::output::{Admission, Refusal};
use chorale_node::home::Home;
use chorale_node::node::Node;
use chorale_types::ids::{Height, RollupId};
use std::fs;

#[tokio::test(flavor = "multi_thread")]
async fn orders_stops_and_goes_on_from_disk() {
    let place = Place::new();
    let home: Home = place.network(&["one"], &[]).remove(0);
    let mut expected: Vec<Vec<u8>> = Vec::new();
    let mut height = Height::ZERO;
    for run in 0..3 {
        let node = Node::start(options(&home)).await.unwrap();
        assert!(home.run().exists());
        let handles = node.handles().clone();
        let status = handles.status.status();
        assert!(status.voting && status.owns_lane, "{status:?}");
        assert!(status.height >= height, "nothing final is forgotten");
        let ids = order(&handles, &payloads(run)).await;
        expected.extend(payloads(run).into_iter().map(String::into_bytes));
        assert_eq!(stream(&handles), expected, "run {run}");
        let progress = handles.submissions.progress(ROLLUP, ids[7]).unwrap();
        let place = progress.place.unwrap();
        let block = handles.ledger.read_block(place.height).unwrap().unwrap();
        assert_eq!(block.block.header.height, place.height);
        height = handles.status.status().height;
        node.stop().await.unwrap();
        assert!(!home.run().exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_submitted_twice_is_ordered_once() {
    let place = Place::new();
    let home = place.network(&["one"], &[]).remove(0);
    let node = Node::start(options(&home)).await.unwrap();
    let handles = node.handles().clone();
    let once = order(&handles, &payloads(0)).await;
    let twice = order(&handles, &payloads(0)).await;
    assert_eq!(once, twice);
    order(&handles, &payloads(1)).await;
    let all: Vec<Vec<u8>> =
        [payloads(0), payloads(1)].concat().into_iter().map(String::into_bytes).collect();
    assert_eq!(stream(&handles), all);
    node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_node_takes_is_refused_by_name() {
    let place = Place::new();
    let home = place.network(&["one"], &[]).remove(0);
    let node = Node::start(options(&home)).await.unwrap();
    let unknown = RollupId::new(77);
    let refused = node
        .handles()
        .submissions
        .submit(vec![
            transaction(unknown, b"x"),
            transaction(ROLLUP, b""),
            transaction(ROLLUP, b"y"),
        ])
        .await
        .unwrap();
    let expected = [
        Admission::Refused(Refusal::UnknownRollup { rollup: unknown }),
        Admission::Refused(Refusal::Empty),
        Admission::Accepted,
    ];
    assert_eq!(refused, expected);
    node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_vote_record_makes_an_observer_that_says_so() {
    let place = Place::new();
    let home = place.network(&["one"], &[]).remove(0);
    let node = Node::start(options(&home)).await.unwrap();
    order(node.handles(), &payloads(0)).await;
    node.stop().await.unwrap();
    fs::remove_file(home.safety().join("vote_record")).unwrap();

    let node = Node::start(options(&home)).await.unwrap();
    let status = node.handles().status.status();
    assert!(!status.voting && !status.owns_lane);
    let reason = status.voting_reason.unwrap();
    assert!(reason.contains("vote record is missing"), "{reason}");
    assert_eq!(stream(node.handles()).len(), 50, "it still serves");
    let refused = node.handles().submissions.submit(vec![transaction(ROLLUP, b"x")]).await;
    assert_eq!(refused, Ok(vec![Admission::Refused(Refusal::NoLane)]));
    node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_vote_record_makes_an_observer_that_says_so() {
    let place = Place::new();
    let home = place.network(&["one"], &[]).remove(0);
    Node::start(options(&home)).await.unwrap().stop().await.unwrap();
    let file = home.safety().join("vote_record");
    let bytes = fs::read(&file).unwrap().len();
    for damage in [vec![], vec![0; bytes], vec![0xff; bytes]] {
        fs::write(&file, damage).unwrap();
        let node = Node::start(options(&home)).await.unwrap();
        let status = node.handles().status.status();
        assert!(!status.voting && !status.owns_lane);
        let reason = status.voting_reason.unwrap();
        assert!(reason.contains("vote record is damaged"), "{reason}");
        node.stop().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_data_lost_with_a_used_key_makes_an_observer() {
    let place = Place::new();
    let home = place.network(&["one"], &[]).remove(0);
    Node::start(options(&home)).await.unwrap().stop().await.unwrap();
    fs::remove_dir_all(home.data()).unwrap();
    let node = Node::start(options(&home)).await.unwrap();
    let status = node.handles().status.status();
    assert!(!status.voting);
    assert!(status.voting_reason.unwrap().contains("has signed before"));
    node.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_start_of_one_home_is_refused() {
    let place = Place::new();
    let home = place.network(&["one"], &[]).remove(0);
    let node = Node::start(options(&home)).await.unwrap();
    let why = Node::start(options(&home)).await.err().expect("it runs already");
    assert!(why.to_string().contains("another process runs this node"), "{why:#}");
    order(node.handles(), &payloads(0)).await;
    node.stop().await.unwrap();
    Node::start(options(&home)).await.unwrap().stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metrics_page_names_every_metric_once() {
    let place = Place::new();
    let home = place.network(&["one"], &[]).remove(0);
    let node = Node::start(options(&home)).await.unwrap();
    order(node.handles(), &payloads(0)).await;
    let text = node.handles().metrics.text();
    assert!(text.ends_with("# EOF\n"));
    assert_eq!(text.matches("# EOF").count(), 1);
    let mut names: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .filter_map(|line| line.split(' ').next())
        .collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all, "no name of the wire's is one of ours");
    assert!(names.contains(&"chorale_consensus_view"));
    assert!(names.iter().any(|name| name.starts_with("chorale_p2p_")));
    node.stop().await.unwrap();
}
