//! Nodes that lie about the state of ordering: anchors, heartbeats, states to start from, a second
//! chain. Each lie is caught, by its name.
#![allow(clippy::unwrap_used)]

mod support;

use chorale_client::{Chain, LightClient, LightError};
use chorale_consensus::ordering::testing::TestChain;
use chorale_consensus::ordering::{build_checkpoint, build_frame};
use chorale_types::codec::{Encode, decode_exact};
use chorale_types::crypto::SignatureError;
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::{Height, RollupId, Sequence};
use chorale_types::ordered::WindowError;
use chorale_types::rollup::{Anchor, Checkpoint, Frame, Heartbeat};
use chorale_types::time::Timestamp;
use chorale_types::verify::VerifyError;
use support::{
    A, B, checkpoint, client_before, forge, frames, heartbeat, heights, light, refused, short,
};

/// A chain where rollup A's second block is an anchored frame; the client stands before it.
fn anchored() -> (TestChain, LightClient, Frame) {
    let mut chain = support::empty();
    chain.add_batch(0, &[(7, b"a")]);
    chain.add_block(20);
    for n in 0..70_u8 {
        chain.add_batch(1, &[(9, &[n])]);
        chain.add_block(50);
    }
    chain.add_batch(0, &[(7, b"b"), (7, b"a")]);
    chain.add_block(20);
    let client = client_before(&chain, 2);
    let frame = build_frame(&chain, A, chain.head()).unwrap();
    (chain, client, frame)
}

fn caught_in_anchor(change: impl FnOnce(&TestChain, &mut Anchor)) -> LightError {
    let (chain, mut client, truth) = anchored();
    let lie = forge(&truth, |proof| change(&chain, proof.anchor.as_mut().unwrap()));
    refused(&mut client, &lie, &truth)
}

#[test]
fn a_wrong_anchor_is_caught() {
    let wrong = |error| matches!(error, LightError::WrongAnchor { .. });
    assert!(wrong(caught_in_anchor(|_, anchor| anchor.clock += 1)));
    assert!(wrong(caught_in_anchor(|_, anchor| anchor.time = Timestamp::from_millis(1))));
    assert!(wrong(caught_in_anchor(|_, anchor| anchor.height = Height::new(60))));
    assert!(wrong(caught_in_anchor(|_, anchor| anchor.leaf.sequence = Sequence::new(1).next())));
    assert!(wrong(caught_in_anchor(|chain, anchor| {
        anchor.frontier = chain.records()[60].frontier.clone();
    })));
    let error = caught_in_anchor(|_, anchor| anchor.path.index = 0);
    assert!(wrong(error));
}

#[test]
fn the_leaf_of_another_rollup_in_an_anchor_is_caught() {
    let error = caught_in_anchor(|chain, anchor| {
        let state = build_checkpoint(chain, B, chain.head()).unwrap();
        *anchor = state.proven.unwrap().anchor;
    });
    assert_eq!(error, LightError::WrongRollup { got: B, expected: A });
}

#[test]
fn an_anchor_above_a_block_kept_back_is_caught() {
    // The client has not seen block 1, and is shown block 2 as if it were the first.
    let (chain, _, truth) = anchored();
    let mut client = LightClient::genesis(&light(&chain), A).unwrap();
    let mut lie = forge(&truth, |proof| proof.sequence = Sequence::new(1));
    lie.sequence = Sequence::new(1);
    let first = build_frame(&chain, A, Height::new(1)).unwrap();
    let error = refused(&mut client, &lie, &first);
    let (proven, own) = (Sequence::new(1), Sequence::ZERO);
    assert_eq!(error, LightError::Missed { proven, own });
}

#[test]
fn a_proof_without_its_anchor_is_caught() {
    let (_, mut client, truth) = anchored();
    let lie = forge(&truth, |proof| proof.anchor = None);
    let error = refused(&mut client, &lie, &truth);
    assert!(matches!(error, LightError::MissingBlocks { .. }), "{error}");
}

/// Two chains that part at height 2, both certified: what a third of the stake or more could do.
fn parted() -> (TestChain, TestChain) {
    let mut one = support::empty();
    one.add_batch(0, &[(7, b"a")]);
    one.add_block(20);
    let mut two = one.clone();
    for (chain, payload) in [(&mut one, b"b"), (&mut two, b"B")] {
        chain.add_batch(1, &[(7, payload)]);
        (0..4).for_each(|_| drop(chain.add_block(20)));
        chain.add_batch(1, &[(7, b"c")]);
        chain.add_block(20);
    }
    (one, two)
}

#[test]
fn a_second_chain_under_valid_certificates_is_caught() {
    let (one, two) = parted();
    let mut client = client_before(&one, 3);
    let (truth, lie) = (frames(&one, A).remove(2), frames(&two, A).remove(2));
    let error = refused(&mut client, &lie, &truth);
    assert!(matches!(error, LightError::Fork { .. }), "{error}");
    let heartbeat = heartbeat(&two, A, Height::new(6));
    let error = client.verify_heartbeat(&heartbeat).unwrap_err();
    assert_eq!(error, LightError::Diverged { sequence: Sequence::new(2) });
}

#[test]
fn a_second_chain_with_fewer_blocks_is_caught() {
    let mut one = support::empty();
    one.add_batch(0, &[(7, b"a")]);
    one.add_block(20);
    let mut two = one.clone();
    one.add_batch(1, &[(7, b"b")]);
    one.add_block(20);
    one.add_batch(1, &[(7, b"c")]);
    one.add_block(20);
    (0..70).for_each(|_| drop(two.add_block(20)));
    two.add_batch(1, &[(7, b"C")]);
    two.add_block(20);
    let mut client = client_before(&one, 3);
    let truth = frames(&one, A).remove(2);
    let second = build_frame(&two, A, two.head()).unwrap();
    let mut lie = forge(&second, |proof| proof.sequence = Sequence::new(3));
    lie.sequence = Sequence::new(3);
    let error = refused(&mut client, &lie, &truth);
    let (proven, own) = (Sequence::new(1), Sequence::new(2));
    assert_eq!(error, LightError::Missed { proven, own });
}

#[test]
fn a_heartbeat_that_proves_a_block_kept_back_says_so() {
    let chain = short();
    let client = client_before(&chain, 2);
    let error = client.verify_heartbeat(&heartbeat(&chain, A, Height::new(5))).unwrap_err();
    let (proven, own) = (Sequence::new(2), Sequence::new(1));
    assert_eq!(error, LightError::Missed { proven, own });
}

#[test]
fn forged_heartbeats_are_caught() {
    let chain = short();
    let forged = |change: fn(&TestChain, &mut Heartbeat)| {
        // Anew each time: for a client that has proven a block final its certificate is moot.
        let client = client_before(&chain, 3);
        let bytes = heartbeat(&chain, A, Height::new(5));
        let mut beat: Heartbeat = decode_exact(&bytes).unwrap();
        change(&chain, &mut beat);
        client.verify_heartbeat(&beat.to_bytes()).unwrap_err()
    };
    let error = forged(|_, beat| beat.0.anchor.height = Height::new(4));
    assert_eq!(error, LightError::WrongAnchor { height: Height::new(4) });
    let error = forged(|chain, beat| beat.0.certificate = chain.certify(5, &[1, 2]));
    assert!(matches!(error, LightError::BadCertificate(VerifyError::NoQuorum { .. })));
    let error = forged(|_, beat| beat.0.headers.clear());
    assert_eq!(error, LightError::NoHeader);
    let error = forged(|chain, beat| {
        *beat = decode_exact(&heartbeat(chain, B, Height::new(5))).unwrap();
    });
    assert_eq!(error, LightError::WrongRollup { got: B, expected: A });
}

#[test]
fn forged_states_to_start_from_are_caught() {
    let chain = short();
    let start = |change: fn(&mut Checkpoint)| {
        let bytes = checkpoint(&chain, A, Height::new(5));
        let mut state: Checkpoint = decode_exact(&bytes).unwrap();
        change(&mut state);
        LightClient::start(&light(&chain), A, &state.to_bytes()).map(drop)
    };
    assert_eq!(start(|_| {}), Ok(()));
    let window = |result| match result {
        Err(LightError::BadWindow(why)) => why,
        other => panic!("{other:?}"),
    };
    let wrong = |result| matches!(window(result), WindowError::WrongEntries { .. });
    assert!(wrong(start(|state| state.entries[0].ids.truncate(1))), "an id is missing");
    assert!(wrong(start(|state| drop(state.entries.remove(0)))), "the oldest height is missing");
    assert!(wrong(start(|state| drop(state.entries.pop()))), "the newest height is missing");
    assert!(wrong(start(|state| state.entries.clear())));
    assert!(wrong(start(|state| state.entries[1].ids = vec![Digest::ZERO])), "an id is replaced");
    let error = start(|state| state.rollup = B).unwrap_err();
    assert_eq!(error, LightError::WrongRollup { got: B, expected: A });
    let error = start(|state| state.proven = None).unwrap_err();
    assert!(matches!(error, LightError::BadWindow(_)), "genesis remembers nothing");
    let error = start(|state| state.proven.as_mut().unwrap().anchor.clock = 9).unwrap_err();
    assert!(matches!(error, LightError::WrongAnchor { .. }));
}

#[test]
fn refuses_a_genesis_without_proof_of_possession() {
    let chain = short();
    let mut genesis = chain.genesis().clone();
    genesis.validators[1].possession = genesis.validators[0].possession;
    let error = Chain::new(genesis).map(drop).unwrap_err();
    assert!(matches!(error, LightError::Genesis(_)), "{error}");
}

#[test]
fn the_chain_of_another_genesis_proves_nothing() {
    let chain = short();
    let mut genesis = chain.genesis().clone();
    genesis.rollups[0].id = RollupId::new(4);
    let other = Chain::new(genesis).unwrap();
    let mut client = LightClient::genesis(&other, A).unwrap();
    let frame = build_frame(&chain, A, heights(&chain, A)[0]).unwrap();
    let error = client.verify_frame(&frame).unwrap_err();
    let mismatch = VerifyError::Signature(SignatureError::Mismatch);
    assert_eq!(error, LightError::BadCertificate(mismatch));
}
