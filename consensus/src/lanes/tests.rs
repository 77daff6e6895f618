//! What every test of lanes starts from: a made-up committee, batches of its owners, and one
//! member's lanes that are driven input by input.
//!
//! Signatures are made up too, but bound to signer and content, so that a wrong one is told from a
//! right one. The lanes never look into them: checks are outputs.

mod bad_messages;
mod bounds;
mod certify;
mod fetching;
mod forks;
mod lost;
mod making;
mod net;
mod order;
mod rescues;
mod restart;
mod wants;

use super::Lanes;
use crate::config::Config;
use crate::context::{Context, Names};
use crate::input::{HashedTransaction, Ticket};
use crate::job::{JobId, Verdict};
use crate::output::Output;
use crate::record::{Record, RecordId, StoredBatch};
use chorale_types::batch::{
    Acknowledgement, Availability, Batch, BatchEntry, BatchHeader, BatchId, LaneTip, charged_bytes,
};
use chorale_types::block::{Body, Frontier};
use chorale_types::crypto::bls::BlsPublicKey;
use chorale_types::crypto::ed25519::{PublicKey, Signature};
use chorale_types::crypto::hash::{Digest, Domain, hash_of};
use chorale_types::genesis::Params;
use chorale_types::ids::{Epoch, Height, LaneId, LaneSeq, RollupId, ValidatorIndex};
use chorale_types::limits::BLOCK_BYTES_MAX;
use chorale_types::message::SignedHeader;
use chorale_types::time::{Instant, Now, Timestamp};
use chorale_types::transaction::transaction_id;
use chorale_types::validators::{EpochInfo, Validator, ValidatorSet};
use core::time::Duration;
use std::sync::Arc;

const EQUAL: [u64; 4] = [1, 1, 1, 1];

fn index(at: u16) -> ValidatorIndex {
    ValidatorIndex::new(at)
}

fn seq(at: u64) -> LaneSeq {
    LaneSeq::new(at)
}

/// The configuration of member `me` of a committee with these stakes.
fn config_with(stakes: &[u64], me: u16, params: Params) -> Config {
    let chain = Digest::from_bytes([7; 32]);
    let validators = (0_u8..).zip(stakes).map(|(at, stake)| Validator {
        operator: PublicKey::from_bytes([at; 32]),
        bls: BlsPublicKey::from_bytes([at; 48]),
        network: PublicKey::from_bytes([at; 32]),
        stake: *stake,
    });
    let info = EpochInfo {
        epoch: Epoch::new(1),
        first_height: Height::new(1),
        last_height: Height::MAX,
        validators: validators.collect(),
        seed: chain,
        params,
    };
    Config {
        set: ValidatorSet::new(chain, info, chain),
        me: Some(index(me)),
        votes: true,
        lanes: true,
        genesis_time: Timestamp::from_millis(0),
        genesis_root: chain,
        rollups: vec![RollupId::new(1), RollupId::new(2)],
    }
}

fn config(stakes: &[u64], me: u16) -> Config {
    config_with(stakes, me, Params::default())
}

/// Member `at`'s signature on an acknowledgement.
fn sign(at: ValidatorIndex, statement: &Acknowledgement) -> Signature {
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(hash_of(Domain::Acknowledge, statement).as_bytes());
    bytes[32..34].copy_from_slice(&at.get().to_be_bytes());
    Signature::from_bytes(bytes)
}

fn garbage() -> Signature {
    Signature::from_bytes([0xff; 64])
}

/// An owner that makes batches; a clone forks its lane.
#[derive(Clone)]
struct Owner {
    last: LaneTip,
}

impl Owner {
    fn new(config: &Config, at: u16) -> Self {
        let lane = LaneId { epoch: config.set.epoch(), owner: index(at) };
        let (seq, digest) = (LaneSeq::ZERO, config.set.info_hash());
        Self { last: LaneTip { lane, seq, digest, bytes_through: 0 } }
    }

    /// The next batch, with one transaction.
    fn next(&mut self, payload: &[u8]) -> Arc<Batch> {
        let rollup = RollupId::new(1);
        let entries = vec![BatchEntry { rollup, transactions: [payload].into_iter().collect() }];
        self.next_of(entries)
    }

    fn next_of(&mut self, entries: Vec<BatchEntry>) -> Arc<Batch> {
        let bytes: usize = entries.iter().map(|entry| entry.transactions.bytes()).sum();
        let count: usize = entries.iter().map(|entry| entry.transactions.len()).sum();
        let header = BatchHeader {
            lane: self.last.lane,
            seq: self.last.seq.next(),
            prev: self.last.digest,
            root: Batch::root(&entries),
            bytes_through: self.last.bytes_through + charged_bytes(count, bytes) as u64,
        };
        self.last = header.acknowledgement().tip();
        let owner_signature = sign(header.lane.owner, &header.acknowledgement());
        Arc::new(Batch { header, owner_signature, entries })
    }
}

fn ack(batch: &Batch) -> Acknowledgement {
    batch.header.acknowledgement()
}

fn id(batch: &Batch) -> BatchId {
    batch.header.id()
}

fn tip(batch: &Batch) -> LaneTip {
    ack(batch).tip()
}

fn signed(batch: &Batch) -> SignedHeader {
    SignedHeader { header: batch.header, signature: batch.owner_signature }
}

/// The certificate of a batch by these members.
fn certificate(config: &Config, batch: &Batch, signers: &[u16]) -> Arc<Availability> {
    let mut set = config.set.no_signers();
    for signer in signers {
        set.insert(index(*signer));
    }
    let signatures = set.iter().map(|signer| sign(signer, &ack(batch))).collect();
    Arc::new(Availability { statement: ack(batch), signers: set, signatures })
}

fn transaction(rollup: u64, payload: &[u8]) -> HashedTransaction {
    let rollup = RollupId::new(rollup);
    HashedTransaction { rollup, id: transaction_id(rollup, payload), payload: Arc::from(payload) }
}

/// One member's lanes and the clock they are told.
struct Node {
    lanes: Lanes,
    names: Names,
    now: Now,
    frontier: Frontier,
}

impl Node {
    fn new(config: &Config) -> Self {
        Self::recover(config, Vec::new(), None, Frontier::default()).0
    }

    fn recover(
        config: &Config,
        batches: Vec<StoredBatch>,
        own: Option<BatchHeader>,
        frontier: Frontier,
    ) -> (Self, Vec<Output>) {
        let (mut names, mut out) = (Names::default(), Vec::new());
        let now = Now { monotonic: Instant::from_micros(1_000_000), ..Now::default() };
        let mut ctx = Context::new(now, &mut names, &mut out);
        let lanes = Lanes::recover(config, batches, own, &frontier, &mut ctx);
        (Self { lanes, names, now, frontier }, out)
    }

    fn step(&mut self, input: impl FnOnce(&mut Lanes, &mut Context<'_>)) -> Vec<Output> {
        let mut out = Vec::new();
        let mut ctx = Context::new(self.now, &mut self.names, &mut out);
        input(&mut self.lanes, &mut ctx);
        out
    }

    fn pass(&mut self, millis: u64) {
        self.now.monotonic = self.now.monotonic.after(Duration::from_millis(millis));
    }

    fn batch(&mut self, batch: &Arc<Batch>) -> Vec<Output> {
        let from = batch.header.lane.owner;
        self.step(|lanes, ctx| lanes.on_batch(from, Arc::clone(batch), ctx))
    }

    fn verdict(&mut self, job: u64, good: bool) -> Vec<Output> {
        self.step(|lanes, ctx| {
            assert!(lanes.on_checked(JobId(job), &Verdict::All { good }, ctx));
        })
    }

    fn durable(&mut self, record: u64) {
        assert_eq!(self.step(|lanes, ctx| lanes.on_durable(RecordId(record), ctx)), []);
    }

    /// Takes in a batch whose checks all pass, through job `job`, and gives what comes after.
    fn take(&mut self, batch: &Arc<Batch>, job: u64) -> Vec<Output> {
        assert_eq!(self.batch(batch).len(), 1, "one check");
        self.verdict(job, true)
    }

    fn commit(&mut self, tips: Vec<LaneTip>) -> Vec<Output> {
        let body = Body::new(tips);
        self.frontier = self.frontier.advance(&body, BLOCK_BYTES_MAX).expect("above the frontier");
        let frontier = self.frontier.clone();
        self.step(|lanes, ctx| lanes.on_committed(&body, &frontier, ctx))
    }

    fn certify(&mut self, from: u16, cert: &Arc<Availability>) -> Vec<Output> {
        self.step(|lanes, ctx| lanes.on_availability(index(from), Arc::clone(cert), ctx))
    }

    fn submit(&mut self, ticket: u64, transactions: Vec<HashedTransaction>) -> Vec<Output> {
        self.step(|lanes, ctx| lanes.on_submit(Ticket(ticket), transactions, ctx))
    }
}

/// The record of a batch that is acknowledged.
fn stores(batch: &Arc<Batch>, acknowledge: bool) -> Record {
    Record::Batch { batch: Arc::clone(batch), acknowledge }
}

fn stored(batch: &Arc<Batch>, acknowledged: bool) -> StoredBatch {
    StoredBatch { batch: Arc::clone(batch), acknowledged }
}
