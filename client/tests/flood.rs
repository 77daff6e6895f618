//! The worst that faulty lane owners can put into blocks that honest validators vote for: every
//! block of a rollup is still shown, and taken.
#![allow(clippy::unwrap_used)]

mod support;

use chorale_client::LightClient;
use chorale_consensus::ordering::build_frame;
use chorale_consensus::ordering::testing::TestChain;
use chorale_types::batch::charged_bytes;
use chorale_types::codec::decode_exact;
use chorale_types::ids::{Height, Sequence};
use chorale_types::limits::{
    BATCH_TRANSACTIONS_MAX, BLOCK_BYTES_MAX, FRAME_PROOF_BYTES_MAX, ORDERED_LAG_MAX,
};
use chorale_types::rollup::FrameProof;
use support::{A, empty, light};

/// Adds batches like this one to the next block until it may order no more than `kept` bytes of
/// charge beside them.
fn fill(chain: &mut TestChain, batch: &[(u64, &[u8])], kept: usize) {
    let bytes = batch.iter().map(|(_, payload)| payload.len()).sum();
    let room = usize::try_from(BLOCK_BYTES_MAX).unwrap() - kept;
    let batches = room / charged_bytes(batch.len(), bytes);
    (0..batches).for_each(|at| chain.add_batch(u16::try_from(at % 3).unwrap(), batch));
}

/// Makes the block, and checks that a validator would vote for it.
fn add_block(chain: &mut TestChain) {
    let before = chain.state().frontier().clone();
    chain.add_block(20);
    let block = chain.block_at(chain.head().get());
    before.advance(&block.body, BLOCK_BYTES_MAX).unwrap();
    assert!(block.header.ordered_lag() <= ORDERED_LAG_MAX, "it must be empty");
}

/// A client that has taken rollup A's blocks at these heights.
fn client_after(chain: &TestChain, heights: &[u64]) -> LightClient {
    let mut client = LightClient::genesis(&light(chain), A).unwrap();
    for height in heights {
        let frame = build_frame(chain, A, Height::new(*height)).unwrap();
        client.verify_frame(&frame).unwrap();
    }
    client
}

#[test]
fn the_most_copies_that_can_lie_before_a_block_are_shown_and_taken() {
    let mut chain = empty();
    chain.ordered_lag = ORDERED_LAG_MAX - 1;
    chain.add_batch(3, &[(7, b"a")]);
    add_block(&mut chain);
    let copies = vec![(7, b"a".as_slice()); BATCH_TRANSACTIONS_MAX];
    for _ in 1..ORDERED_LAG_MAX {
        fill(&mut chain, &copies, 0);
        add_block(&mut chain);
    }
    fill(&mut chain, &copies, charged_bytes(1, 1));
    chain.add_batch(3, &[(7, b"b")]);
    add_block(&mut chain);
    let flooded = chain.head();

    let frame = build_frame(&chain, A, flooded).unwrap();
    let proof: FrameProof = decode_exact(&frame.proof).unwrap();
    assert_eq!(proof.parts.len() as u64, ORDERED_LAG_MAX);
    assert!(proof.skipped.len() > 1_300_000, "{} copies", proof.skipped.len());
    let used = frame.proof.len();
    assert!(used <= FRAME_PROOF_BYTES_MAX && used > FRAME_PROOF_BYTES_MAX / 5 * 4, "{used} bytes");
    let mut client = client_after(&chain, &[1]);
    let block = client.verify_frame(&frame).unwrap();
    assert_eq!((block.height, block.transactions), (flooded, vec![b"b".to_vec()]));

    chain.add_batch(0, &[(7, b"c"), (7, b"b")]);
    add_block(&mut chain);
    let next = client.verify_frame(&build_frame(&chain, A, chain.head()).unwrap()).unwrap();
    assert_eq!((next.sequence, next.transactions), (Sequence::new(3), vec![b"c".to_vec()]));
}

#[test]
fn the_most_batches_that_have_nothing_of_a_rollup_are_shown_and_taken() {
    let mut chain = empty();
    // Three rollups with the place of A between two of them cost the most for what is charged.
    fill(&mut chain, &[(6, b"x"), (8, b"x"), (9, b"x")], charged_bytes(1, 1));
    chain.add_batch(3, &[(7, b"a")]);
    add_block(&mut chain);
    let frame = build_frame(&chain, A, Height::new(1)).unwrap();
    let proof: FrameProof = decode_exact(&frame.proof).unwrap();
    assert!(proof.parts[0].batches.len() > 10_000);
    let of_one = FRAME_PROOF_BYTES_MAX / usize::try_from(ORDERED_LAG_MAX).unwrap();
    let used = frame.proof.len();
    assert!(used <= of_one && used > of_one / 4 * 3, "{used} of {of_one} bytes for one block");
    let block = client_after(&chain, &[]).verify_frame(&frame).unwrap();
    assert_eq!(block.transactions, [b"a".to_vec()]);
}
