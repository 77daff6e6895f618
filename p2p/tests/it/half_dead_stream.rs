use futures::{AsyncReadExt, StreamExt};

use crate::common::{Node, SHORT_VIEW_TIMEOUT, config, index, keypair, member, patiently};
use crate::outsider::{News, Outsider, stream_protocol};

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_dropped_is_opened_again_on_the_same_connection() {
    let mut node = Node::start(config(0, 2)).await;
    let mut fickle = Outsider::start(&keypair(1), None, vec![]);
    let mut incoming = fickle.streams.accept(stream_protocol()).unwrap();
    let members = [member(0, vec![]), member(1, vec![fickle.address().await])];
    node.network.update_validators(&members).unwrap();
    fickle.expect(News::Connected).await;
    for _ in 0..4 {
        let (_, mut stream) = patiently("a stream", incoming.next()).await.unwrap();
        node.until_up(&[1]).await;
        // The heartbeat shows that the stream works; then it is dropped.
        patiently("a heartbeat", stream.read_exact(&mut [0; 13])).await.unwrap();
        drop(stream);
        node.until_down(1).await;
    }
    assert!(fickle.news.try_recv().is_err(), "one connection from first to last");
    let status = node.network.peers().into_iter().find(|p| p.index == index(1)).unwrap();
    assert!(status.connections > 0 && status.reconnects >= 3, "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_never_answered_is_given_up_with_its_connection() {
    let mut config = config(0, 2);
    config.view_timeout = SHORT_VIEW_TIMEOUT;
    let mut node = Node::start(config).await;
    let mut mute = Outsider::start(&keypair(1), None, vec![]);
    let mut incoming = mute.streams.accept(stream_protocol()).unwrap();
    let members = [member(0, vec![]), member(1, vec![mute.address().await])];
    node.network.update_validators(&members).unwrap();
    let (_, _stream) = patiently("a stream", incoming.next()).await.unwrap();
    node.until_up(&[1]).await;
    // It takes bytes but sends no report.
    node.until_down(1).await;
    mute.expect(News::Closed).await;
    assert!(node.metric(r#"chorale_p2p_faults_total{reason="dead"}"#) >= 1);
    let _ = patiently("it is tried again", incoming.next()).await.unwrap();
}
