#![allow(clippy::unwrap_used)]

use super::{ChainReader, FrameError, build_checkpoint, build_frame, build_heartbeat};
use crate::ordering::testing::TestChain;
use chorale_types::batch::{Batch, BatchId, charged_bytes};
use chorale_types::block::Block;
use chorale_types::certificate::CommitCert;
use chorale_types::codec::{Decode, Encode, decode_exact};
use chorale_types::crypto::hash::{Domain, hash};
use chorale_types::genesis::Params;
use chorale_types::ids::{Height, RollupId, Sequence};
use chorale_types::limits::{
    BATCH_TRANSACTIONS_MAX, BLOCK_BYTES_MAX, FRAME_LINK_HEADERS_MAX, FRAME_PROOF_BYTES_MAX,
    FRAME_SPELLED_BYTES_MAX,
};
use chorale_types::ordered::OrderedRecord;
use chorale_types::rollup::{Checkpoint, FrameProof, Heartbeat};
use proptest::prelude::*;
use std::convert::Infallible;
use std::sync::Arc;

const A: RollupId = RollupId::new(7);
const B: RollupId = RollupId::new(9);

fn chain() -> TestChain {
    TestChain::new(&[7, 9], Params::default())
}

/// A chain with a block of A at height 1 and the next one `gap` heights above.
fn with_gap(gap: u64) -> TestChain {
    let mut chain = chain();
    chain.add_batch(0, &[(7, b"a")]);
    (0..gap).for_each(|_| drop(chain.add_block(20)));
    chain.add_batch(0, &[(7, b"b")]);
    chain.add_block(20);
    chain
}

fn proof(chain: &TestChain, height: Height) -> FrameProof {
    decode_exact(&build_frame(chain, A, height).unwrap().proof).unwrap()
}

#[test]
fn a_frame_spells_out_as_many_blocks_as_are_allowed_and_then_starts_from_a_state() {
    let chain = with_gap(64);
    let plain = proof(&chain, chain.head());
    assert_eq!((plain.parts.len(), plain.anchor), (64, None));
    let chain = with_gap(65);
    let anchored = proof(&chain, chain.head());
    let anchor = anchored.anchor.unwrap();
    assert_eq!(anchor.height, chain.block_at(66).header.ordered_height);
    assert_eq!(anchored.parts.len(), 2);
    assert!(anchor.is_named_by(&chain.block_at(66).header));
}

#[test]
fn the_same_store_gives_the_same_bytes() {
    let mut chain = with_gap(3);
    chain.add_batch(1, &[(9, b"x")]);
    chain.add_block(20);
    let twice = [chain.clone(), chain];
    let [one, two] = twice.map(|chain| {
        (
            build_frame(&chain, A, Height::new(4)).unwrap(),
            build_checkpoint(&chain, A, Height::new(5)).unwrap().to_bytes(),
            build_heartbeat(&chain, B, Height::new(5)).unwrap().to_bytes(),
        )
    });
    assert_eq!(one, two);
}

#[test]
fn a_checkpoint_lies_before_the_block_that_it_is_asked_for() {
    let chain = with_gap(5);
    let checkpoint = build_checkpoint(&chain, A, chain.head()).unwrap();
    assert_eq!(decode_exact(&checkpoint.to_bytes()).as_ref(), Ok(&checkpoint));
    let anchor = checkpoint.proven.unwrap().anchor;
    assert_eq!((anchor.leaf.sequence, anchor.leaf.height), (Sequence::new(1), Height::new(1)));
    assert_eq!(checkpoint.entries.len(), 1);
    let genesis = build_checkpoint(&chain, A, Height::ZERO).unwrap();
    assert_eq!(genesis, Checkpoint { rollup: A, proven: None, entries: Vec::new() });
}

#[test]
fn what_is_not_there_is_named() {
    let mut chain = with_gap(2);
    chain.add_batch(1, &[(7, b"a")]);
    chain.add_block(20);
    let unknown = RollupId::new(8);
    let none = |height| FrameError::NoBlock { rollup: A, height: Height::new(height) };
    assert_eq!(build_frame(&chain, A, Height::new(2)).unwrap_err(), none(2));
    assert_eq!(build_frame(&chain, A, Height::new(4)).unwrap_err(), none(4), "copies only");
    let error = FrameError::UnknownRollup { rollup: unknown };
    assert_eq!(build_frame(&chain, unknown, Height::new(1)).unwrap_err(), error);
    assert_eq!(build_checkpoint(&chain, unknown, Height::new(1)).unwrap_err(), error);
    assert_eq!(build_heartbeat(&chain, unknown, Height::new(1)).unwrap_err(), error);
    let missing = FrameError::Missing { what: "ordering record", height: Height::new(9) };
    assert_eq!(build_frame(&chain, A, Height::new(9)).unwrap_err(), missing);
    let missing = FrameError::Missing { what: "block", height: Height::new(9) };
    assert_eq!(build_heartbeat(&chain, A, Height::new(9)).unwrap_err(), missing);
}

/// A store that lost one kind of thing.
struct Lossy<'a>(&'a TestChain, &'static str);

impl Lossy<'_> {
    fn keep<T>(&self, what: &str, found: Result<Option<T>, Infallible>) -> Option<T> {
        found.unwrap().filter(|_| what != self.1)
    }
}

impl ChainReader for Lossy<'_> {
    type Error = Infallible;

    fn block(&self, height: Height) -> Result<Option<Arc<Block>>, Infallible> {
        Ok(self.keep("block", self.0.block(height)))
    }

    fn batch(&self, id: &BatchId) -> Result<Option<Arc<Batch>>, Infallible> {
        Ok(self.keep("batch", self.0.batch(id)))
    }

    fn record(&self, height: Height) -> Result<Option<Arc<OrderedRecord>>, Infallible> {
        Ok(self.keep("ordering record", self.0.record(height)))
    }

    fn certificate(&self, height: Height) -> Result<Option<(Height, Arc<CommitCert>)>, Infallible> {
        Ok(self.keep("certificate", self.0.certificate(height)))
    }
}

#[test]
fn a_store_that_lost_something_gets_an_answer_that_says_what() {
    let chain = with_gap(2);
    for lost in ["block", "batch", "ordering record", "certificate"] {
        let error = build_frame(&Lossy(&chain, lost), A, chain.head()).unwrap_err();
        assert_eq!(error, FrameError::Missing { what: lost, height: chain.head() });
    }
}

/// A store on its way to the block with the certificate.
struct Below<'a>(&'a TestChain, Height);

impl ChainReader for Below<'_> {
    type Error = Infallible;

    fn block(&self, height: Height) -> Result<Option<Arc<Block>>, Infallible> {
        Ok(self.0.block(height)?.filter(|_| height <= self.1))
    }

    fn batch(&self, id: &BatchId) -> Result<Option<Arc<Batch>>, Infallible> {
        self.0.batch(id)
    }

    fn record(&self, height: Height) -> Result<Option<Arc<OrderedRecord>>, Infallible> {
        self.0.record(height)
    }

    fn certificate(&self, height: Height) -> Result<Option<(Height, Arc<CommitCert>)>, Infallible> {
        self.0.certificate(height)
    }
}

#[test]
fn a_block_whose_certificate_is_not_reached_yet_is_refused_as_that() {
    let mut chain = with_gap(1);
    (0..10).for_each(|_| drop(chain.add_block(20)));
    chain.certificate_every = 12;
    let (height, certified) = (Height::new(2), Height::new(12));
    for head in [2, 5, 11] {
        let error = build_frame(&Below(&chain, Height::new(head)), A, height).unwrap_err();
        assert_eq!(error, FrameError::NotLinked { height, certified });
    }
    assert!(build_frame(&Below(&chain, certified), A, height).is_ok());
}

#[test]
fn refuses_a_block_that_no_certificate_is_near() {
    let mut chain = with_gap(1);
    let above = u64::try_from(FRAME_LINK_HEADERS_MAX).unwrap();
    (0..above + 2).for_each(|_| drop(chain.add_block(20)));
    chain.certificate_every = above + 2;
    let longest = build_frame(&chain, A, Height::new(2)).unwrap();
    assert!(longest.proof.len() < FRAME_PROOF_BYTES_MAX / 2, "room is left for what is proven");
    let longest: FrameProof = decode_exact(&longest.proof).unwrap();
    assert_eq!(longest.link.len(), FRAME_LINK_HEADERS_MAX);
    chain.certificate_every = above + 3;
    let (height, certified) = (Height::new(2), Height::new(above + 3));
    let error = build_frame(&chain, A, height).unwrap_err();
    assert_eq!(error, FrameError::TooFarBelow { height, certified });
}

/// As many copies of one transaction as a block may order.
fn add_copies(chain: &mut TestChain) {
    let copies = vec![(7_u64, b"a".as_slice()); BATCH_TRANSACTIONS_MAX];
    let charge = charged_bytes(copies.len(), copies.len());
    let batches = usize::try_from(BLOCK_BYTES_MAX).unwrap() / charge;
    (0..batches).for_each(|_| chain.add_batch(2, &copies));
}

#[test]
fn a_flood_of_copies_between_two_blocks_is_left_behind_by_a_state_above_it() {
    let mut chain = with_gap(1);
    let mut copies = 0;
    while copies * 44 <= FRAME_SPELLED_BYTES_MAX {
        add_copies(&mut chain);
        let ordered = chain.add_block(20);
        copies += ordered.rollups.iter().map(|rollup| rollup.skipped.len()).sum::<usize>();
    }
    (0..3).for_each(|_| drop(chain.add_block(20)));
    chain.add_batch(0, &[(7, b"c")]);
    chain.add_block(20);
    let proof = proof(&chain, chain.head());
    assert!(proof.anchor.is_some() && proof.skipped.is_empty());
}

/// A block over the byte cap. No honest member votes for one.
#[test]
fn more_copies_than_a_block_may_order_have_no_proof_that_a_client_takes() {
    let mut chain = with_gap(1);
    (0..20).for_each(|_| add_copies(&mut chain));
    chain.add_batch(0, &[(7, b"c")]);
    chain.add_block(20);
    let error = build_frame(&chain, A, chain.head()).unwrap_err();
    assert!(matches!(error, FrameError::TooLarge { .. }), "{error}");
}

/// A chain with a little of everything.
fn sample() -> TestChain {
    let mut chain = with_gap(3);
    chain.add_batch(1, &[(7, b"a"), (9, b"x"), (7, b"c")]);
    chain.add_batch(3, &[(9, b"y")]);
    chain.add_block(20);
    chain.add_block(20);
    chain.certificate_every = 2;
    chain
}

/// Stored records and proofs must be read by later versions: whoever changes these bytes gives
/// the format another version.
#[test]
fn the_formats_stay_as_they_are() {
    let chain = sample();
    let sum = |bytes: &[u8]| hash(Domain::Checksum, &[bytes]).to_string();
    let frame = build_frame(&chain, A, Height::new(5)).unwrap();
    let record = chain.records()[5].to_bytes();
    let checkpoint = build_checkpoint(&chain, A, Height::new(6)).unwrap().to_bytes();
    let heartbeat = build_heartbeat(&chain, B, Height::new(6)).unwrap().to_bytes();
    let root = chain.records()[6].root.to_string();
    let bytes = [record, frame.proof, checkpoint, heartbeat];
    let [record, frame, checkpoint, heartbeat] = bytes.map(|bytes| sum(&bytes));
    assert_eq!(
        [root, record, frame, checkpoint, heartbeat],
        [
            "0x5d8b2d554ae9354b460ff7578de0785891554c66f180300015e26cd7d1fcb641",
            "0xdea6b1280d8b1e8035a7fd34905a921e6c7ed3915f523240e03605326bbd8815",
            "0x785b5b7f8d42eb4dd04054e9e75baf57f22511ceae059216c0f2ffbd4b9739c2",
            "0x5bac32417e3c982753b82378142d1712fa26bff15b45a7200841394c56ea8a1d",
            "0x9629ff1a4aa1624c5194bb143f6108516a2582713c5955b429adc2668ddd4d3f",
        ]
    );
}

proptest! {
    #[test]
    fn there_is_one_encoding_of_everything(at in any::<prop::sample::Index>(), bit in 0u8..8) {
        thread_local! {
            static BYTES: [Vec<u8>; 4] = {
                let chain = sample();
                [
                    build_frame(&chain, A, Height::new(5)).unwrap().proof,
                    build_checkpoint(&chain, A, Height::new(6)).unwrap().to_bytes(),
                    build_heartbeat(&chain, A, Height::new(6)).unwrap().to_bytes(),
                    chain.records()[5].to_bytes(),
                ]
            };
        }
        fn again<T: Encode + Decode>(bytes: &[u8]) -> Option<Vec<u8>> {
            decode_exact::<T>(bytes).ok().map(|value| value.to_bytes())
        }
        BYTES.with(|all| {
            for (kind, bytes) in all.iter().enumerate() {
                let mut changed = bytes.clone();
                let at = at.index(changed.len());
                changed[at] ^= 1 << bit;
                let decoded = match kind {
                    0 => again::<FrameProof>(&changed),
                    1 => again::<Checkpoint>(&changed),
                    2 => again::<Heartbeat>(&changed),
                    _ => again::<OrderedRecord>(&changed),
                };
                prop_assert!(decoded.is_none_or(|decoded| decoded == changed));
            }
            Ok(())
        })?;
    }
}
