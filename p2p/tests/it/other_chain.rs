use chorale_p2p::Event;

use crate::common::{Node, config, eventually, introduce};

#[tokio::test(flavor = "multi_thread")]
async fn nodes_of_different_chains_never_connect() {
    let ours = Node::start(config(0, 2)).await;
    let mut other = config(1, 2);
    other.chain = "decaf".to_owned();
    let mut nodes = [ours, Node::start(other).await];
    introduce(&nodes);
    for node in &nodes {
        // Each is dialed by the other again and again, and refuses every time.
        let refused = r#"chorale_p2p_faults_total{reason="connection"}"#;
        eventually("three refusals", || node.metric(refused) >= 3).await;
        assert!(node.network.peers()[0].connections == 0);
        assert!(!node.network.metrics_text().contains("connections_established_total{"));
    }
    for node in &mut nodes {
        while let Ok(event) = node.events.try_recv() {
            assert!(!matches!(event, Event::Up { .. } | Event::Message { .. }), "{event:?}");
        }
    }
}
