//! Honest nodes: whatever they say verifies, from wherever a client starts.
#![allow(clippy::unwrap_used)]

mod support;

use chorale_client::{LightClient, LightError};
use chorale_consensus::ordering::testing::TestChain;
use chorale_consensus::ordering::{build_checkpoint, build_frame};
use chorale_types::codec::{Encode, decode_exact};
use chorale_types::ids::{Height, RollupId, Sequence};
use chorale_types::limits::FRAME_LINK_HEADERS_MAX;
use chorale_types::rollup::{Frame, FrameProof};
use proptest::prelude::*;
use support::{A, B, checkpoint, content, expected, frames, heartbeat, heights, history, light};

#[test]
fn a_client_started_at_every_cursor_gets_every_block_from_there_on() {
    let history = history();
    let chain = light(&history);
    for rollup in [A, B] {
        let (heights, frames) = (heights(&history, rollup), frames(&history, rollup));
        let expected = expected(&history, rollup);
        assert!(frames.len() > 15);
        for cursor in 0..=frames.len() {
            let proving = heights.get(cursor).copied().unwrap_or(history.head());
            let state = checkpoint(&history, rollup, proving);
            let mut client = LightClient::start(&chain, rollup, &state).unwrap();
            let start = usize::try_from(client.sequence().get()).unwrap();
            assert!(start <= cursor, "the state lies before the block asked for");
            assert!(cursor - start <= 4, "and not far");
            let got: Vec<_> = frames[start..]
                .iter()
                .map(|frame| content(client.verify_frame(frame).unwrap()))
                .collect();
            assert_eq!(got, expected[start..]);
        }
    }
}

#[test]
fn the_history_has_what_it_is_meant_to_have() {
    let history = history();
    let proofs: Vec<FrameProof> =
        frames(&history, A).iter().map(|frame| decode_exact(&frame.proof).unwrap()).collect();
    assert!(proofs.iter().any(|proof| proof.anchor.is_some()), "a gap longer than a frame");
    assert!(proofs.iter().any(|proof| proof.parts.len() > 2), "empty blocks between");
    assert!(proofs.iter().any(|proof| proof.skipped.len() > 1), "copies");
    assert!(proofs.iter().any(|proof| !proof.link.is_empty()), "shared certificates");
    let last = &proofs[proofs.len() - 1];
    assert!(last.parts.iter().any(|part| part.header.time.as_millis() > 6 * 3_600_000));
    let skipped: Vec<u64> = last.skipped.iter().map(|skipped| skipped.earlier.get()).collect();
    assert!(skipped.len() >= 2, "copies after hours without a block: {skipped:?}");
}

#[test]
fn the_same_bytes_in_two_rollups_reach_both() {
    let history = history();
    let find = |rollup| {
        frames(&history, rollup).iter().any(|frame| frame.transactions == [b"last".to_vec()])
    };
    assert!(find(A) && find(B));
    let chain = light(&history);
    for rollup in [A, B] {
        let mut client = LightClient::genesis(&chain, rollup).unwrap();
        let (blocks, error) = client.verify_frames(&frames(&history, rollup));
        assert_eq!(error, None);
        assert_eq!(blocks.last().unwrap().transactions, [b"last".to_vec()]);
    }
}

#[test]
fn one_certificate_proves_every_block_below_it() {
    let mut history = support::empty();
    for n in 0..30_u8 {
        history.add_batch(0, &[(7, &[n])]);
        history.add_block(20);
    }
    let frames = frames(&history, A);
    let chain = light(&history);
    let mut together = LightClient::genesis(&chain, A).unwrap();
    assert_eq!(together.verify_frames(&frames).0.len(), 30);
    assert_eq!(chain.certificates_verified(), 1);

    let chain = light(&history);
    let mut alone = LightClient::genesis(&chain, A).unwrap();
    frames.iter().for_each(|frame| drop(alone.verify_frame(frame).unwrap()));
    assert_eq!(chain.certificates_verified(), 30);
    let mut second = LightClient::genesis(&chain, A).unwrap();
    frames.iter().for_each(|frame| drop(second.verify_frame(frame).unwrap()));
    assert_eq!(chain.certificates_verified(), 30, "a second follower verifies none again");
}

/// Rollup blocks at the first three heights, and their nearest certificate `link` blocks above the
/// last of them, as after a time without commits: nothing else is in between.
fn long_link(link: u64) -> TestChain {
    let mut history = support::empty();
    for n in 0..3_u8 {
        history.add_batch(0, &[(7, &[n])]);
        history.add_block(20);
    }
    (0..link).for_each(|_| drop(history.add_block(500)));
    history.certificate_every = history.head().get();
    history
}

#[test]
fn a_block_hundreds_below_its_certificate_is_proven() {
    for link in [600, u64::try_from(FRAME_LINK_HEADERS_MAX).unwrap() - 2] {
        let history = long_link(link);
        let frames = frames(&history, A);
        let lengths: Vec<usize> = frames
            .iter()
            .map(|frame| decode_exact::<FrameProof>(&frame.proof).unwrap().link.len())
            .collect();
        let link = usize::try_from(link).unwrap();
        assert_eq!(lengths, [link + 2, link + 1, link]);
        let chain = light(&history);
        let mut client = LightClient::genesis(&chain, A).unwrap();
        for frame in &frames {
            client.verify_frame(frame).unwrap();
        }
        assert_eq!(client.sequence(), Sequence::new(3));
        assert_eq!(chain.certificates_verified(), 1, "the first frame proves the others");
        // So are the states that start and heartbeats that end in between.
        let proving = Height::new(5);
        let beat = heartbeat(&history, A, proving);
        assert_eq!(client.verify_heartbeat(&beat).unwrap(), Height::new(3));
        let state = checkpoint(&history, A, Height::new(3));
        let mut later = LightClient::start(&light(&history), A, &state).unwrap();
        let start = usize::try_from(later.sequence().get()).unwrap();
        frames[start..].iter().for_each(|frame| drop(later.verify_frame(frame).unwrap()));
        assert_eq!(later.sequence(), Sequence::new(3));
    }
}

#[test]
fn a_long_link_with_a_lie_in_it_is_refused() {
    let history = long_link(600);
    let frame = build_frame(&history, A, Height::new(1)).unwrap();
    let refused = |change: &dyn Fn(&mut FrameProof)| {
        let lie = support::forge(&frame, change);
        let mut client = LightClient::genesis(&light(&history), A).unwrap();
        client.verify_frame(&lie).unwrap_err()
    };
    let error = refused(&|proof| {
        proof.link.remove(300);
    });
    assert!(matches!(error, LightError::BrokenChain { .. }), "{error}");
    let error = refused(&|proof| proof.link[300].time = proof.link[299].time);
    assert!(matches!(error, LightError::BrokenChain { .. }), "{error}");
    let error = refused(&|proof| {
        proof.link.pop();
    });
    assert!(matches!(error, LightError::OtherCertificate { .. }), "{error}");
    let error = refused(&|proof| {
        let last = proof.link[601].clone();
        proof.link.resize(FRAME_LINK_HEADERS_MAX + 1, last);
    });
    assert!(matches!(error, LightError::Malformed(_)), "{error}");
}

#[test]
fn a_frame_is_the_same_for_all_whatever_certificate_proves_it() {
    let history = history();
    let mut other = history.clone();
    other.certificate_every = 1;
    for (one, two) in frames(&history, A).iter().zip(frames(&other, A)) {
        let same = |frame: &Frame| {
            let proof: FrameProof = decode_exact(&frame.proof).unwrap();
            (frame.transactions.clone(), proof.parts, proof.anchor, proof.skipped)
        };
        assert_eq!(same(one), same(&two));
        let mut client =
            LightClient::start(&light(&history), A, &checkpoint(&history, A, two.height)).unwrap();
        while client.sequence().next() < two.sequence {
            let next = heights(&history, A)[usize::try_from(client.sequence().get()).unwrap()];
            client.verify_frame(&build_frame(&history, A, next).unwrap()).unwrap();
        }
        assert_eq!(client.clone().verify_frame(one).unwrap(), client.verify_frame(&two).unwrap());
    }
}

#[test]
fn heartbeats_prove_how_far_nothing_was_left_out() {
    let history = history();
    let chain = light(&history);
    let mut client = LightClient::genesis(&chain, A).unwrap();
    assert_eq!(client.verify_frames(&frames(&history, A)).1, None);
    let own = client.height();
    let mut proven = Vec::new();
    for height in 1..=history.head().get() {
        let heartbeat = heartbeat(&history, A, Height::new(height));
        proven.push(client.verify_heartbeat(&heartbeat).unwrap());
    }
    assert!(proven.is_sorted() && proven.iter().all(|height| *height >= own));

    let mut longer = history;
    (0..20).for_each(|_| drop(longer.add_block(500)));
    while !longer.head().get().is_multiple_of(3) {
        longer.add_block(500);
    }
    let heartbeat = heartbeat(&longer, A, longer.head());
    assert!(client.verify_heartbeat(&heartbeat).unwrap() > own);
}

#[test]
fn a_state_of_a_young_chain_is_that_of_genesis() {
    let mut young = support::empty();
    let chain = light(&young);
    let client = LightClient::start(&chain, A, &checkpoint(&young, A, Height::ZERO)).unwrap();
    assert_eq!(client.sequence(), Sequence::ZERO);
    young.add_batch(0, &[(7, b"first")]);
    young.add_block(20);
    let state = checkpoint(&young, A, Height::new(1));
    let mut proven = LightClient::start(&chain, A, &state).unwrap();
    assert_eq!(proven.sequence(), Sequence::ZERO);
    assert_eq!(proven.verify_frame(&frames(&young, A)[0]).unwrap().transactions, [b"first"]);
    let unknown = LightClient::genesis(&chain, RollupId::new(8)).unwrap_err();
    assert_eq!(unknown, LightError::UnknownRollup { rollup: RollupId::new(8) });
}

/// One block of a random history: its time step, and its batches as (lane, transactions).
type Step = (u64, Vec<(u16, Vec<(u64, u8)>)>);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let transaction = (prop::sample::select(vec![5_u64, 7, 9]), 0u8..10);
    let batch = (0u16..4, prop::collection::vec(transaction, 1..5));
    let batches = prop::collection::vec(batch, 0..4);
    prop::collection::vec((prop::sample::select(vec![20_u64, 400, 90_000]), batches), 1..24)
}

fn random(steps: &[Step], every: u64, lag: u64) -> TestChain {
    let mut chain = support::empty();
    (chain.certificate_every, chain.ordered_lag) = (every, lag);
    for (step, batches) in steps {
        for (owner, transactions) in batches {
            let payloads: Vec<(u64, [u8; 1])> =
                transactions.iter().map(|(r, n)| (*r, [*n])).collect();
            let transactions: Vec<(u64, &[u8])> =
                payloads.iter().map(|(r, payload)| (*r, payload.as_slice())).collect();
            chain.add_batch(*owner, &transactions);
        }
        chain.add_block(*step);
    }
    while !chain.head().get().is_multiple_of(every) {
        chain.add_block(20);
    }
    chain
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_history_verifies_from_anywhere(
        steps in steps(), every in 1u64..5, lag in 0u64..4, from in 0usize..30,
    ) {
        let history = random(&steps, every, lag);
        let chain = light(&history);
        for rollup in [A, B] {
            let (frames, expected) = (frames(&history, rollup), expected(&history, rollup));
            let mut whole = LightClient::genesis(&chain, rollup).unwrap();
            let (blocks, error) = whole.verify_frames(&frames);
            prop_assert_eq!(error, None);
            prop_assert_eq!(blocks.into_iter().map(content).collect::<Vec<_>>(), expected.clone());

            let proving = Height::new(u64::try_from(from).unwrap().min(history.head().get()));
            let state = build_checkpoint(&history, rollup, proving).unwrap().to_bytes();
            let mut late = LightClient::start(&chain, rollup, &state).unwrap();
            let start = usize::try_from(late.sequence().get()).unwrap();
            let (blocks, error) = late.verify_frames(&frames[start..]);
            prop_assert_eq!(error, None);
            let got: Vec<_> = blocks.into_iter().map(content).collect();
            prop_assert_eq!(&got, &expected[start..]);
        }
    }
}
