//! Ordering: each transaction of a block once, and none twice.

use crate::sim::cluster::Cluster;
use crate::sim::schedule::cluster_of;
use chorale_consensus::ordering::OrderState;
use chorale_types::batch::{Batch, BatchEntry, BatchHeader, LaneTip, charged_bytes};
use chorale_types::block::{Block, Body, Header, VERSION};
use chorale_types::crypto::ed25519::Signature;
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::{Epoch, Height, LaneId, LaneSeq, RollupId, ValidatorIndex, View};
use chorale_types::ordered::{Moment, Window, WindowRule};
use chorale_types::time::Timestamp;
use chorale_types::transaction::{TransactionId, Transactions};
use std::sync::Arc;

const RULE: WindowRule = WindowRule { dedup_ms: 60_000, dedup_heights: 3_000 };

fn at(height: u64) -> Moment {
    Moment { height: Height::new(height), clock: height * 10 }
}

fn id(n: u8) -> TransactionId {
    Digest::from_bytes([n; 32])
}

fn filled(heights: u8) -> Window {
    let mut window = Window::new(RULE);
    (1..=heights).for_each(|n| window.remember(at(u64::from(n)), vec![id(n)]));
    window
}

pub(super) fn what_was_delivered_is_remembered_after_a_restart() {
    let window = filled(3);
    let entries = window.entries().map(|entry| (**entry).clone());
    let again = Window::resume(RULE, &window.commitment(), entries).unwrap();
    assert_eq!(again.earlier(at(4), &[id(2)]), [Some(Height::new(2))]);
}

pub(super) fn an_id_is_remembered_however_many_come_after_it() {
    assert_eq!(filled(200).earlier(at(201), &[id(1)]), [Some(Height::new(1))]);
}

pub(super) fn an_outage_does_not_empty_the_window() {
    let before = Moment { height: Height::new(5_000), clock: 1_000_000 };
    let (stopped, hours_later) = (Timestamp::from_millis(0), Timestamp::from_millis(10_000_000));
    let mut window = Window::new(WindowRule { dedup_heights: 1, ..RULE });
    window.remember(before, vec![id(1)]);
    let after = before.step(stopped, hours_later);
    assert_eq!(window.earlier(after, &[id(1)]), [Some(before.height)]);
}

fn lane() -> LaneId {
    LaneId { epoch: Epoch::new(1), owner: ValidatorIndex::new(0) }
}

fn batch(seq: u64, prev: Digest, payloads: &[&[u8]]) -> Arc<Batch> {
    let transactions = payloads.iter().copied().collect::<Transactions>();
    let entries = vec![BatchEntry { rollup: RollupId::new(1), transactions }];
    let header = BatchHeader {
        lane: lane(),
        seq: LaneSeq::new(seq),
        prev,
        root: Batch::root(&entries),
        bytes_through: seq * charged_bytes(payloads.len(), 3 * payloads.len()) as u64,
    };
    Arc::new(Batch { header, owner_signature: Signature::from_bytes([0; 64]), entries })
}

fn block(cluster: &Cluster, top: &Batch) -> Block {
    let header = top.header;
    let (lane, seq, digest) = (header.lane, header.seq, header.digest());
    let body = Body::new(vec![LaneTip { lane, seq, digest, bytes_through: header.bytes_through }]);
    let header = Header {
        chain: *cluster.set.chain(),
        version: VERSION,
        epoch: cluster.set.epoch(),
        epoch_info_hash: cluster.set.info_hash(),
        height: Height::new(1),
        orig_view: View::new(1),
        parent: *cluster.set.chain(),
        body_root: body.root(),
        ordered_height: Height::ZERO,
        ordered_root: Digest::ZERO,
        reveal: None,
        proposer: ValidatorIndex::new(0),
        time: Timestamp::from_millis(cluster.genesis.time.as_millis() + 1),
    };
    Block { header, body }
}

pub(super) fn every_transaction_of_a_block_is_delivered_or_skipped() {
    let cluster = cluster_of(4, 0);
    let first = batch(1, cluster.set.info_hash(), &[b"one", b"two"]);
    let second = batch(2, first.header.digest(), &[b"six", b"two"]);
    let block = block(&cluster, &second);
    let ordered =
        OrderState::genesis(&cluster.genesis).order(block.hash(), &block, &[first, second]);
    let rollup = &ordered.rollups[0];
    assert_eq!((rollup.delivered.len(), rollup.skipped.len()), (3, 1), "one of four came twice");
}
