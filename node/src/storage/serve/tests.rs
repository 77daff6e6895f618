use super::*;
use crate::testing::{
    batch_ids, batches, chain, committed, committed_range, store_batches, store_blocks, stores,
};
use chorale_types::batch::LaneTip;
use chorale_types::block::{Block, Body, CommittedBlock, Header};
use chorale_types::certificate::CommitCert;
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::{Epoch, LaneId, ValidatorIndex};
use chorale_types::limits::BLOCK_TIPS_MAX;

fn chain_answer(archive: &Archive, from: u64) -> (Vec<u64>, Option<u64>) {
    match archive.answer(&Request::Chain { from: Height::new(from) }).unwrap() {
        Response::Chain { blocks, cert } => (
            blocks.iter().map(|block| block.header.height.get()).collect(),
            cert.map(|cert| cert.vote().height.get()),
        ),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_chain_answer_ends_where_there_is_a_certificate() {
    let (mut chain, (_, stores)) = (chain(0), stores());
    let most = u64::try_from(SYNC_BLOCKS_MAX).unwrap();
    let last = most + 40 - (most + 40) % 5;
    (0..last).for_each(|_| drop(chain.add_block(100)));
    chain.certificate_every = 5;
    store_blocks(&stores, &committed_range(&chain, 1..last + 1));
    let archive = Archive::new(stores.blocks, stores.batches);
    let end = most - most % 5;
    assert_eq!(chain_answer(&archive, 1), ((1..=end).collect(), Some(end)));
    let rest = (end + 1..=last).collect();
    assert_eq!(chain_answer(&archive, end + 1), (rest, Some(last)));
    assert_eq!(chain_answer(&archive, last - 2).0, [last - 2, last - 1, last]);
    for empty in [0, last + 1, u64::MAX] {
        assert_eq!(chain_answer(&archive, empty), (vec![], None));
    }
}

#[test]
fn where_no_certificate_is_in_reach_the_cover_is_the_answer() {
    let (mut chain, (_, stores)) = (chain(0), stores());
    let most = u64::try_from(SYNC_BLOCKS_MAX).unwrap();
    let last = most + 40;
    (0..last).for_each(|_| drop(chain.add_block(100)));
    chain.certificate_every = last;
    store_blocks(&stores, &committed_range(&chain, 1..last + 1));
    let archive = Archive::new(stores.blocks, stores.batches);
    for covered in [1, 2, last - most] {
        assert_eq!(chain_answer(&archive, covered), (vec![], Some(last)), "from {covered}");
    }
    let first = last - most + 1;
    assert_eq!(chain_answer(&archive, first), ((first..=last).collect(), Some(last)));
}

#[test]
fn ancestors_are_answered_from_the_hash_down() {
    let (mut chain, (_, stores)) = (chain(0), stores());
    let most = u64::try_from(SYNC_BLOCKS_MAX).unwrap();
    (0..most + 20).for_each(|_| drop(chain.add_block(100)));
    store_blocks(&stores, &committed_range(&chain, 1..most + 21));
    let archive = Archive::new(stores.blocks, stores.batches);
    let heights = |tip: Digest, above: u64| {
        let request = Request::Ancestors { tip, above: Height::new(above) };
        match archive.answer(&request).unwrap() {
            Response::Ancestors { blocks } => {
                blocks.iter().map(|block| block.header.height.get()).collect::<Vec<_>>()
            }
            other => panic!("{other:?}"),
        }
    };
    let tip = chain.block_at(most + 10).hash();
    assert_eq!(heights(tip, 0), (11..=most + 10).rev().collect::<Vec<_>>(), "as many as fit");
    assert_eq!(heights(tip, most), (most + 1..=most + 10).rev().collect::<Vec<_>>());
    assert!(heights(tip, most + 10).is_empty());
    assert_eq!(heights(chain.block_at(2).hash(), 0), [2, 1], "down to the first");
    assert!(heights(Digest::ZERO, 0).is_empty());
}

/// Blocks with as many lane tips as there may be, and one certificate, of the last.
fn large_blocks(count: u64) -> Vec<CommittedBlock> {
    let header = chain(1).block_at(1).header.clone();
    let (mut parent, mut blocks) = (header.parent, Vec::new());
    for height in 1..=count {
        let tip = |n: usize| LaneTip {
            lane: LaneId {
                epoch: Epoch::new(u64::try_from(n % 2).unwrap()),
                owner: ValidatorIndex::new(u16::try_from(n / 2).unwrap()),
            },
            seq: LaneSeq::new(height),
            digest: Digest::from_bytes([7; 32]),
            bytes_through: height,
        };
        let body = Body::new((0..BLOCK_TIPS_MAX).map(tip).collect());
        let height = Height::new(height);
        let header = Header { height, parent, body_root: body.root(), ..header.clone() };
        parent = header.hash();
        blocks.push(Arc::new(Block { header, body }));
    }
    let mut cert = chain(1).certify(1, &[0, 1, 2]).as_qc().clone();
    (cert.vote.height, cert.vote.block) = (Height::new(count), parent);
    let cert = Arc::new(CommitCert::new(cert).unwrap());
    let committed = |block: Arc<Block>| {
        let (hash, cert) = (block.hash(), Arc::clone(&cert));
        CommittedBlock { block, hash, cert }
    };
    blocks.into_iter().map(committed).collect()
}

#[test]
fn an_answer_stops_before_the_bound_on_bytes() {
    let (_, stores) = stores();
    let blocks = large_blocks(200);
    let each = blocks[0].block.to_bytes().len();
    assert!(each * blocks.len() > SYNC_BYTES_MAX);
    store_blocks(&stores, &blocks);
    let archive = Archive::new(stores.blocks, stores.batches);
    assert_eq!(chain_answer(&archive, 1), (vec![], Some(200)), "not in reach for one answer");
    let near = 200 - u64::try_from(SYNC_BYTES_MAX / each).unwrap() + 2;
    assert_eq!(chain_answer(&archive, near), ((near..=200).collect(), Some(200)));
    let request = Request::Ancestors { tip: blocks[199].hash, above: Height::ZERO };
    let Response::Ancestors { blocks } = archive.answer(&request).unwrap() else {
        panic!("another answer")
    };
    let bytes: usize = blocks.iter().map(|block| block.to_bytes().len()).sum();
    assert!((SYNC_BYTES_MAX - each..=SYNC_BYTES_MAX).contains(&bytes), "{bytes}");
}

#[test]
fn a_block_is_answered_by_hash() {
    let (chain, (_, stores)) = (chain(1), stores());
    let block = committed(&chain, 1);
    store_blocks(&stores, std::slice::from_ref(&block));
    let archive = Archive::new(stores.blocks, stores.batches);
    let answer = archive.answer(&Request::Block { hash: block.hash }).unwrap();
    assert_eq!(answer, Response::Block { block: Some(block.block) });
    let unknown = archive.answer(&Request::Block { hash: Digest::ZERO }).unwrap();
    assert_eq!(unknown, Response::Block { block: None });
}

#[test]
fn headers_walk_down_a_lane_to_the_sequence_asked_for() {
    let (chain, (_, stores)) = (chain(6), stores());
    (2..7).for_each(|height| store_batches(&stores, &batches(&chain, height), true));
    let tip = batch_ids(&chain, 6).into_iter().find(|id| id.lane.owner.get() == 1).unwrap();
    let archive = Archive::new(stores.blocks, stores.batches);
    let seqs = |above| match archive.answer(&Request::Headers { tip, above }).unwrap() {
        Response::Headers { headers } => {
            headers.iter().map(|signed| signed.header.seq.get()).collect::<Vec<_>>()
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(seqs(LaneSeq::new(3)), [6, 5, 4]);
    assert_eq!(seqs(LaneSeq::ZERO), [6, 5, 4, 3, 2], "what is not held ends the answer");
    assert!(seqs(LaneSeq::new(6)).is_empty());
    assert!(seqs(LaneSeq::MAX).is_empty());
}

#[test]
fn batches_are_answered_as_far_as_they_are_held_and_fit() {
    let (_, stores) = stores();
    let mut chain = chain(0);
    let payload = vec![1; 120_000];
    let mut ids = Vec::new();
    for _ in 0..12 {
        chain.add_batch(0, &[(1, &payload), (1, &payload), (1, &payload), (1, &payload)]);
        chain.add_block(100);
        store_batches(&stores, &batches(&chain, chain.head().get()), true);
        ids.extend(batch_ids(&chain, chain.head().get()));
    }
    ids[1].digest = Digest::ZERO;
    let archive = Archive::new(stores.blocks, stores.batches);
    let Response::Batches { batches } = archive.answer(&Request::Batches { ids }).unwrap() else {
        panic!("another answer");
    };
    let seqs: Vec<u64> = batches.iter().map(|batch| batch.header.seq.get()).collect();
    assert_eq!(seqs, [1, 3, 4, 5, 6, 7, 8, 9], "eight batches of 480 kB fit 4 MiB");
}

#[test]
fn questions_that_make_no_sense_get_an_empty_answer() {
    let (chain, (_, stores)) = (chain(3), stores());
    (1..4).for_each(|height| store_batches(&stores, &batches(&chain, height), true));
    store_blocks(&stores, &committed_range(&chain, 1..4));
    let tip = batch_ids(&chain, 3)[0];
    let archive = Archive::new(stores.blocks, stores.batches);
    let stranger = chorale_types::ids::LaneId {
        epoch: chorale_types::ids::Epoch::MAX,
        owner: chorale_types::ids::ValidatorIndex::MAX,
    };
    let headers = [
        (tip, LaneSeq::MAX, "a reversed range"),
        (tip, tip.seq, "a range of nothing"),
        (BatchId { seq: LaneSeq::ZERO, ..tip }, LaneSeq::ZERO, "from nothing"),
        (BatchId { seq: LaneSeq::MAX, ..tip }, LaneSeq::ZERO, "from beyond the tip"),
        (BatchId { digest: Digest::ZERO, ..tip }, LaneSeq::ZERO, "of another history"),
        (BatchId { lane: stranger, ..tip }, LaneSeq::ZERO, "of no lane"),
    ];
    for (tip, above, what) in headers {
        let answer = archive.answer(&Request::Headers { tip, above }).unwrap();
        assert_eq!(answer, Response::Headers { headers: vec![] }, "headers: {what}");
    }
    let odd = headers[2..].iter().map(|(id, _, _)| *id);
    for ids in [vec![], odd.collect(), vec![BatchId { digest: Digest::ZERO, ..tip }; 10_000]] {
        let answer = archive.answer(&Request::Batches { ids }).unwrap();
        assert_eq!(answer, Response::Batches { batches: vec![] });
    }
    let twice = Request::Batches { ids: vec![tip; 10_000] };
    let Response::Batches { batches } = archive.answer(&twice).unwrap() else {
        panic!("another answer");
    };
    assert_eq!(batches.len(), SYNC_BATCHES_MAX, "no more than one question may ask for");
    for from in [0, 4, u64::MAX - 1, u64::MAX] {
        assert_eq!(chain_answer(&archive, from), (vec![], None), "blocks from {from}");
    }
}
