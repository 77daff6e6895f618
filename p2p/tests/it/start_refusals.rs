use std::time::Duration;

use chorale_p2p::{Config, Member, SetError, StartError, start};

use crate::common::{Node, config, index, member};

async fn refusal(change: impl FnOnce(&mut Config)) -> StartError {
    let mut config = config(0, 2);
    change(&mut config);
    match start(config).await {
        Ok(_) => panic!("it started"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn a_configuration_that_cannot_work_is_refused_with_the_reason() {
    let error = refusal(|c| c.chain = "a/b".to_owned()).await;
    assert!(matches!(error, StartError::Chain { chain } if chain == "a/b"));
    let error = refusal(|c| c.view_timeout = Duration::ZERO).await;
    assert!(matches!(error, StartError::ViewTimeout { millis: 0 }));
    let error = refusal(|c| c.follower_slots = u32::MAX).await;
    assert!(matches!(error, StartError::FollowerSlots { .. }));
    let error = refusal(|c| c.me = Some(index(1))).await;
    assert!(matches!(error, StartError::Identity { .. }), "own key at another index: {error}");
    let other = Member { index: index(0), ..member(1, vec![]) };
    let error = refusal(|c| c.validators = vec![other]).await;
    assert!(matches!(error, StartError::Identity { .. }), "another key at own index: {error}");
    let error = refusal(|c| c.validators.push(member(1, vec![]))).await;
    assert!(matches!(error, StartError::Set(SetError::DuplicateIndex { .. })));
}

#[tokio::test]
async fn an_address_in_use_or_not_tcp_is_refused() {
    let first = Node::start(config(0, 2)).await;
    let taken = first.address();
    let error = refusal(|c| c.listen = vec![taken.clone()]).await;
    assert!(matches!(&error, StartError::Listen { address, .. } if *address == taken), "{error}");
    let error = refusal(|c| c.listen = vec!["/ip4/127.0.0.1/udp/0".parse().unwrap()]).await;
    assert!(matches!(error, StartError::Listen { .. }), "{error}");
}

#[tokio::test]
async fn one_validator_alone_starts_and_may_speak_to_nobody() {
    let node = Node::start(config(0, 1)).await;
    assert!(node.network.peers().is_empty());
    let nothing = bytes::Bytes::from_static(b"to nobody");
    node.network.broadcast(chorale_p2p::Class::Vote, nothing).unwrap();
    node.network.shutdown().await;
}
