use std::collections::BTreeMap;

use bytes::Bytes;
use chorale_p2p::{Event, FetchError, RequestId, ResponseToken, limits};

use crate::common::{Node, cluster, config, index, keypair, member};
use crate::outsider::Outsider;

impl Node {
    async fn asked(&mut self) -> (Option<u16>, ResponseToken, Bytes) {
        self.until(|event| match event {
            Event::Request { from, token, bytes } => Some((from.map(|f| f.get()), token, bytes)),
            _ => None,
        })
        .await
    }

    async fn answered(&mut self) -> (u16, RequestId, Result<Bytes, FetchError>) {
        self.until(|event| match event {
            Event::Response { from, request, result } => Some((from.get(), request, result)),
            _ => None,
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_gets_its_own_answer() {
    let mut nodes = cluster(2).await;
    let mut asked = BTreeMap::new();
    for number in 0..u8::try_from(limits::REQUESTS_PER_PEER_MAX).unwrap() {
        let request = nodes[0].network.request(index(1), Bytes::from(vec![number])).unwrap();
        asked.insert(request, number);
    }
    for _ in 0..asked.len() {
        let (from, token, bytes) = nodes[1].asked().await;
        assert_eq!(from, Some(0));
        nodes[1].network.respond(token, Bytes::from(vec![bytes[0], 100])).unwrap();
    }
    while !asked.is_empty() {
        let (from, request, result) = nodes[0].answered().await;
        let number = asked.remove(&request).expect("asked once, answered once");
        assert_eq!((from, result), (1, Ok(Bytes::from(vec![number, 100]))));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_request_and_response_pass_and_larger_ones_are_refused() {
    let mut nodes = cluster(2).await;
    let request = Bytes::from(vec![1; limits::REQUEST_BYTES_MAX]);
    nodes[0].network.request(index(1), request.clone()).unwrap();
    let (_, token, bytes) = nodes[1].asked().await;
    assert_eq!(bytes, request);
    let response = Bytes::from(vec![2; limits::RESPONSE_BYTES_MAX]);
    nodes[1].network.respond(token, response.clone()).unwrap();
    assert_eq!(nodes[0].answered().await.2, Ok(response));

    let (bytes, bytes_max) = (limits::REQUEST_BYTES_MAX + 1, limits::REQUEST_BYTES_MAX);
    let refusal = nodes[0].network.request(index(1), Bytes::from(vec![0; bytes]));
    assert_eq!(refusal, Err(FetchError::TooLong { bytes, bytes_max }));
    nodes[0].network.request(index(1), Bytes::from_static(b"?")).unwrap();
    let (_, token, _) = nodes[1].asked().await;
    let (bytes, bytes_max) = (limits::RESPONSE_BYTES_MAX + 1, limits::RESPONSE_BYTES_MAX);
    let refusal = nodes[1].network.respond(token, Bytes::from(vec![0; bytes]));
    assert_eq!(refusal, Err(FetchError::TooLong { bytes, bytes_max }));
    assert_eq!(nodes[0].answered().await.2, Err(FetchError::Closed), "the token is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_over_long_or_malformed_response_of_a_traitor_is_refused() {
    let over = u32::try_from(limits::RESPONSE_BYTES_MAX + 1).unwrap().to_be_bytes();
    let too_long = FetchError::TooLong {
        bytes: limits::RESPONSE_BYTES_MAX + 1,
        bytes_max: limits::RESPONSE_BYTES_MAX,
    };
    let cases = [
        ([&[0][..], &over[..]].concat(), too_long),
        (vec![9], FetchError::Malformed),
        (vec![0, 0, 0, 0, 9, 1], FetchError::Closed),
        (vec![], FetchError::Closed),
        (vec![1], FetchError::Busy),
    ];
    for (answer, expected) in cases {
        let mut node = Node::start(config(0, 2)).await;
        let mut traitor = Outsider::start(&keypair(1), None, answer);
        let members = [member(0, vec![]), member(1, vec![traitor.address().await])];
        node.network.update_validators(&members).unwrap();
        let network = node.network.clone();
        crate::common::eventually("connected", || network.peers()[0].connections > 0).await;
        network.request(index(1), Bytes::from_static(b"?")).unwrap();
        assert_eq!(node.answered().await.2, Err(expected));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_cannot_be_answered_fail_with_the_reason() {
    let mut nodes = cluster(2).await;
    for to in [index(0), index(9)] {
        let refusal = nodes[0].network.request(to, Bytes::from_static(b"?"));
        assert_eq!(refusal, Err(FetchError::Unknown { to }));
    }
    // Not answered in time.
    nodes[0].network.request(index(1), Bytes::from_static(b"?")).unwrap();
    let (_, token, _) = nodes[1].asked().await;
    assert_eq!(nodes[0].answered().await.2, Err(FetchError::Timeout));
    // Too late: refused by nobody, heard by nobody.
    nodes[1].network.respond(token, Bytes::from_static(b"late")).unwrap();
    // Not answered at all.
    nodes[0].network.request(index(1), Bytes::from_static(b"?")).unwrap();
    drop(nodes[1].asked().await);
    assert_eq!(nodes[0].answered().await.2, Err(FetchError::Closed));
    // The peer is gone.
    nodes.pop().unwrap().network.shutdown().await;
    nodes[0].until_down(1).await;
    let network = nodes[0].network.clone();
    crate::common::eventually("disconnected", || network.peers()[0].connections == 0).await;
    network.request(index(1), Bytes::from_static(b"?")).unwrap();
    assert_eq!(nodes[0].answered().await.2, Err(FetchError::NotConnected));
}

#[tokio::test(flavor = "multi_thread")]
async fn unanswered_requests_are_bounded_and_free_their_place_when_taken() {
    let mut nodes = cluster(2).await;
    let ask = |node: &Node| node.network.request(index(1), Bytes::from_static(b"?"));
    for _ in 0..limits::REQUESTS_PER_PEER_MAX {
        ask(&nodes[0]).unwrap();
    }
    assert_eq!(ask(&nodes[0]), Err(FetchError::Busy));
    let (_, token, _) = nodes[1].asked().await;
    nodes[1].network.respond(token, Bytes::new()).unwrap();
    assert_eq!(nodes[0].answered().await.2, Ok(Bytes::new()));
    ask(&nodes[0]).unwrap();
    assert_eq!(ask(&nodes[0]), Err(FetchError::Busy));
}
