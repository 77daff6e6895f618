//! A history to check, and the honest answers of a node that stored it.
#![allow(dead_code, clippy::unwrap_used, unreachable_pub)]

use chorale_client::{Chain, LightClient, LightError, RollupBlock};
use chorale_consensus::ordering::testing::TestChain;
use chorale_consensus::ordering::{ChainReader, build_checkpoint, build_frame, build_heartbeat};
use chorale_types::codec::{Encode, decode_exact};
use chorale_types::genesis::Params;
use chorale_types::ids::{Height, RollupId, Sequence};
use chorale_types::rollup::{Frame, FrameProof};
use std::collections::BTreeMap;
use std::sync::Arc;

pub const A: RollupId = RollupId::new(7);
pub const B: RollupId = RollupId::new(9);

/// A short window, so that tests leave it behind.
pub fn params() -> Params {
    Params { dedup_ms: 3_000, dedup_heights: 10, ..Params::default() }
}

pub fn empty() -> TestChain {
    TestChain::new(&[5, 7, 9], params())
}

/// Thirty-odd rollup blocks: copies in the same batch, in other lanes, in later blocks, after the
/// window; a rollup that is idle for longer than a frame spells out; several lanes and batches at
/// a height; heights with nothing, and with nothing but copies.
pub fn history() -> TestChain {
    let mut chain = empty();
    chain.certificate_every = 3;
    let step = 120;
    for n in 0..12_u8 {
        chain.add_batch(u16::from(n % 4), &[(7, &[n]), (9, &[n]), (7, &[n, 1])]);
        if n % 2 == 0 {
            chain.add_batch(u16::from((n + 1) % 4), &[(7, &[n]), (5, b"five")]);
            chain.add_batch(u16::from((n + 1) % 4), &[(9, &[n, 2]), (9, &[n, 2])]);
        }
        chain.add_block(step);
        if n % 3 == 0 {
            chain.add_block(step);
            chain.add_batch(3, &[(7, &[n])]);
            chain.add_block(step);
        }
    }
    for n in 0..80_u8 {
        chain.add_batch(0, &[(9, &[n, 3])]);
        chain.add_block(step);
    }
    for n in 0..6_u8 {
        chain.add_batch(1, &[(7, &[n]), (7, &[n, 9])]);
        chain.add_block(step);
    }
    chain.add_batch(2, &[(7, &[0]), (7, &[5, 9]), (9, &[79, 3])]);
    chain.add_block(6 * 3_600_000);
    chain.add_batch(2, &[(7, b"last"), (9, b"last")]);
    chain.add_block(step);
    while !chain.head().get().is_multiple_of(3) {
        chain.add_block(step);
    }
    chain
}

/// The heights of a rollup's blocks, in order.
pub fn heights(chain: &TestChain, rollup: RollupId) -> Vec<Height> {
    let delivered = |height: &Height| {
        let record = chain.record(*height).unwrap().unwrap();
        record.content(rollup).is_some_and(|content| !content.delivered.is_empty())
    };
    (1..=chain.head().get()).map(Height::new).filter(delivered).collect()
}

pub fn frames(chain: &TestChain, rollup: RollupId) -> Vec<Frame> {
    let heights = heights(chain, rollup);
    heights.iter().map(|height| build_frame(chain, rollup, *height).unwrap()).collect()
}

pub fn checkpoint(chain: &TestChain, rollup: RollupId, proving: Height) -> Vec<u8> {
    build_checkpoint(chain, rollup, proving).unwrap().to_bytes()
}

pub fn heartbeat(chain: &TestChain, rollup: RollupId, proving: Height) -> Vec<u8> {
    build_heartbeat(chain, rollup, proving).unwrap().to_bytes()
}

/// What a rollup should get at each height, worked out from the batches alone by remembering every
/// delivery for ever.
pub fn expected(chain: &TestChain, rollup: RollupId) -> Vec<(Height, Vec<Vec<u8>>)> {
    let rule = params();
    let mut last: BTreeMap<Vec<u8>, (u64, u64)> = BTreeMap::new();
    let (mut clock, mut time) = (0, chain.genesis().time);
    let mut blocks = Vec::new();
    for height in 1..=chain.head().get() {
        let record = chain.record(Height::new(height)).unwrap().unwrap();
        clock += record.time.since(time).min(1_000);
        time = record.time;
        let mut payloads = Vec::new();
        for batch in &record.batches {
            let batch = chain.batch(&batch.header.id()).unwrap().unwrap();
            for payload in batch.entry(rollup).iter().flat_map(|entry| entry.transactions.iter()) {
                let known = last.get(payload).is_some_and(|(h, c)| {
                    height - h < rule.dedup_heights || clock - c < rule.dedup_ms
                });
                if !known {
                    last.insert(payload.to_vec(), (height, clock));
                    payloads.push(payload.to_vec());
                }
            }
        }
        if !payloads.is_empty() {
            blocks.push((Height::new(height), payloads));
        }
    }
    blocks
}

pub fn light(chain: &TestChain) -> Arc<Chain> {
    Chain::new(chain.genesis().clone()).unwrap()
}

/// A client of rollup A that has verified the frames below `sequence`, on a chain of which it has
/// proven nothing else.
pub fn client_before(chain: &TestChain, sequence: u64) -> LightClient {
    let mut client = LightClient::genesis(&light(chain), A).unwrap();
    for height in heights(chain, A).iter().take(usize::try_from(sequence).unwrap() - 1) {
        client.verify_frame(&build_frame(chain, A, *height).unwrap()).unwrap();
    }
    assert_eq!(client.sequence().next(), Sequence::new(sequence));
    client
}

pub fn content(block: RollupBlock) -> (Height, Vec<Vec<u8>>) {
    (block.height, block.transactions)
}

/// The frame with its proof changed.
pub fn forge(frame: &Frame, change: impl FnOnce(&mut FrameProof)) -> Frame {
    let mut proof: FrameProof = decode_exact(&frame.proof).unwrap();
    change(&mut proof);
    Frame { proof: proof.to_bytes(), ..frame.clone() }
}

/// Three blocks of rollup A at heights 1, 2 and 4; the third with two copies, in a batch of its
/// own, of what came before, beside three new ones, and with two batches that hold nothing of A.
pub fn short() -> TestChain {
    let mut chain = empty();
    chain.add_batch(0, &[(7, b"a"), (7, b"b"), (9, b"x")]);
    chain.add_block(20);
    chain.add_batch(1, &[(7, b"c")]);
    chain.add_block(20);
    chain.add_batch(1, &[(9, b"y")]);
    chain.add_block(20);
    chain.add_batch(0, &[(7, b"d"), (7, b"e")]);
    chain.add_batch(0, &[(7, b"a"), (7, b"c")]);
    chain.add_batch(0, &[(5, b"five"), (9, b"z")]);
    chain.add_batch(0, &[(7, b"f")]);
    chain.add_batch(0, &[(9, b"w")]);
    chain.add_block(20);
    chain.add_block(20);
    chain
}

/// Checks that the lie is refused, and the truth still taken afterwards. Returns the refusal.
pub fn refused(client: &mut LightClient, lie: &Frame, truth: &Frame) -> LightError {
    let before = (client.sequence(), client.height());
    let error = client.verify_frame(lie).unwrap_err();
    assert_eq!((client.sequence(), client.height()), before);
    client.clone().verify_frame(truth).unwrap();
    error
}
