//! A chain made by hand, with real keys and signatures, for tests of ordering, of frames and of
//! the client that checks them.

use super::{ChainReader, OrderState, OrderedBlock};
use chorale_types::batch::{Batch, BatchEntry, BatchHeader, BatchId, charged_bytes};
use chorale_types::block::{Block, Body, Header, VERSION};
use chorale_types::certificate::{CommitCert, QuorumCert};
use chorale_types::crypto::bls::Bls;
use chorale_types::crypto::ed25519::SecretKey;
use chorale_types::crypto::hash::Digest;
use chorale_types::crypto::pure::{Pure, Secret};
use chorale_types::genesis::{
    Genesis, GenesisRollup, GenesisValidator, Params, Policy, possession_binding,
};
use chorale_types::ids::{Height, LaneId, LaneSeq, RollupId, ValidatorIndex, View};
use chorale_types::ordered::OrderedRecord;
use chorale_types::time::Timestamp;
use chorale_types::transaction::Transactions;
use chorale_types::validators::ValidatorSet;
use chorale_types::vote::{Vote, VoteKind};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

const CHAIN_NAME: &str = "test";
const VALIDATORS: u16 = 4;

fn seed(kind: u8, index: u16) -> [u8; 32] {
    let mut seed = [kind; 32];
    seed[..2].copy_from_slice(&index.to_be_bytes());
    seed
}

fn secret(index: u16) -> Secret {
    Pure::secret_from_seed(&seed(1, index))
}

fn network(index: u16) -> SecretKey {
    SecretKey::from_seed(seed(2, index))
}

fn validator(index: u16) -> GenesisValidator {
    let operator = SecretKey::from_seed(seed(3, index)).public();
    let binding = possession_binding(CHAIN_NAME, &operator);
    GenesisValidator {
        name: format!("validator-{index}"),
        operator,
        bls: Pure::public(&secret(index)),
        possession: Pure::prove(&secret(index), &binding),
        network: network(index).public(),
        stake: 1,
    }
}

/// A genesis of four equal validators whose keys are known, with these rollups.
#[must_use]
pub fn genesis(rollups: &[u64], params: Params) -> Genesis {
    let rollup =
        |id: &u64| GenesisRollup { id: RollupId::new(*id), policy: Policy::Open, deposit: 0 };
    Genesis {
        chain_name: CHAIN_NAME.into(),
        time: Timestamp::from_millis(1_000_000),
        seed: Digest::ZERO,
        params,
        validators: (0..VALIDATORS).map(validator).collect(),
        rollups: rollups.iter().map(rollup).collect(),
    }
}

/// A chain of final blocks, with everything a node would store of it.
#[derive(Clone, Debug)]
pub struct TestChain {
    genesis: Genesis,
    set: ValidatorSet,
    lanes: BTreeMap<LaneId, BatchHeader>,
    batches: BTreeMap<BatchId, Arc<Batch>>,
    blocks: Vec<Arc<Block>>,
    records: Vec<Arc<OrderedRecord>>,
    state: OrderState,
    /// Every how many heights a block has a certificate of its own.
    pub certificate_every: u64,
    /// How many blocks the ordered height of new blocks lies behind the highest possible one.
    pub ordered_lag: u64,
}

impl TestChain {
    /// A chain without blocks.
    #[must_use]
    pub fn new(rollups: &[u64], params: Params) -> Self {
        let genesis = genesis(rollups, params);
        let set = genesis.first_set();
        let records = vec![Arc::new(OrderState::genesis_record(&genesis))];
        let state = OrderState::genesis(&genesis);
        Self {
            genesis,
            set,
            lanes: BTreeMap::new(),
            batches: BTreeMap::new(),
            blocks: Vec::new(),
            records,
            state,
            certificate_every: 1,
            ordered_lag: 1,
        }
    }

    /// The document it starts from.
    #[must_use]
    pub const fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// Its validators.
    #[must_use]
    pub const fn set(&self) -> &ValidatorSet {
        &self.set
    }

    /// The state after its last block.
    #[must_use]
    pub const fn state(&self) -> &OrderState {
        &self.state
    }

    /// The records of all heights from genesis on.
    #[must_use]
    pub fn records(&self) -> &[Arc<OrderedRecord>] {
        &self.records
    }

    /// Its last height.
    #[must_use]
    pub const fn head(&self) -> Height {
        self.state.height()
    }

    /// The block at a height.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn block_at(&self, height: u64) -> &Arc<Block> {
        let index = usize::try_from(height).expect("small").checked_sub(1).expect("above genesis");
        &self.blocks[index]
    }

    /// Appends a batch to a validator's lane: transactions with their rollup, in order. It is
    /// ordered by the next block.
    ///
    /// # Panics
    /// When it breaks the form of a batch.
    pub fn add_batch(&mut self, owner: u16, transactions: &[(u64, &[u8])]) {
        let lane = LaneId { epoch: self.set.epoch(), owner: ValidatorIndex::new(owner) };
        let mut parts: BTreeMap<RollupId, Transactions> = BTreeMap::new();
        for (rollup, payload) in transactions {
            parts.entry(RollupId::new(*rollup)).or_default().push(payload);
        }
        let entries: Vec<BatchEntry> = parts
            .into_iter()
            .map(|(rollup, transactions)| BatchEntry { rollup, transactions })
            .collect();
        let bytes: usize = entries.iter().map(|entry| entry.transactions.bytes()).sum();
        let charge = charged_bytes(transactions.len(), bytes);
        let last = self.lanes.get(&lane);
        let header = BatchHeader {
            lane,
            seq: last.map_or(LaneSeq::new(1), |last| last.seq.next()),
            prev: last.map_or(self.set.info_hash(), BatchHeader::digest),
            root: Batch::root(&entries),
            bytes_through: last.map_or(0, |last| last.bytes_through)
                + u64::try_from(charge).expect("small"),
        };
        let statement = header.acknowledgement().signing_bytes(self.set.chain());
        let owner_signature = network(owner).sign(&statement);
        let batch = Batch { header, owner_signature, entries };
        batch.validate().expect("a well-formed batch");
        self.lanes.insert(lane, header);
        self.batches.insert(header.id(), Arc::new(batch));
    }

    /// Makes the block that orders every batch not ordered yet, `step_ms` after the one before.
    pub fn add_block(&mut self, step_ms: u64) -> OrderedBlock {
        let block = self.next_block(step_ms);
        let hash = block.hash();
        let batches = self.newly_ordered(&hash, &block);
        let ordered = self.state.order(hash, &block, &batches);
        self.blocks.push(Arc::new(block));
        self.records.push(Arc::new(ordered.record.clone()));
        ordered
    }

    fn next_block(&self, step_ms: u64) -> Block {
        let frontier = self.state.frontier();
        let fresh = self.lanes.values().filter(|last| last.seq > frontier.seq(last.lane));
        let body = Body::new(fresh.map(|last| last.acknowledgement().tip()).collect());
        let parent = self.blocks.last().map(|block| &block.header);
        let height = self.head().next();
        let ordered_height = height.saturating_sub(1).saturating_sub(self.ordered_lag);
        let ordered = &self.records[usize::try_from(ordered_height.get()).expect("small")];
        let header = Header {
            chain: *self.set.chain(),
            version: VERSION,
            epoch: self.set.epoch(),
            epoch_info_hash: self.set.info_hash(),
            height,
            orig_view: View::new(height.get()),
            parent: parent.map_or(*self.set.chain(), Header::hash),
            body_root: body.root(),
            ordered_height,
            ordered_root: ordered.root,
            reveal: None,
            proposer: ValidatorIndex::new(0),
            time: parent.map_or(self.genesis.time, |parent| parent.time).saturating_add(step_ms),
        };
        Block { header, body }
    }

    /// The batches that a block newly orders on this state, in the order of delivery.
    ///
    /// # Panics
    /// When the chain does not hold one of them.
    #[must_use]
    pub fn newly_ordered(&self, hash: &Digest, block: &Block) -> Vec<Arc<Batch>> {
        let mut all = Vec::new();
        for run in super::delivery_order(hash, &block.body, self.state.frontier()) {
            let mut lane = Vec::new();
            let mut id = run.tip.id();
            for _ in 0..run.count() {
                let batch = Arc::clone(&self.batches[&id]);
                id.digest = batch.header.prev;
                id.seq = id.seq.saturating_sub(1);
                lane.push(batch);
            }
            all.extend(lane.into_iter().rev());
        }
        all
    }

    /// A certificate of commit votes of some members for the block at a height.
    ///
    /// # Panics
    /// When there is no such block, or nobody signs.
    #[must_use]
    pub fn certify(&self, height: u64, signers: &[u16]) -> CommitCert {
        let header = &self.block_at(height).header;
        let vote = Vote {
            epoch: header.epoch,
            view: View::new(height),
            height: header.height,
            block: header.hash(),
        };
        sign_commit(&self.set, vote, signers)
    }
}

/// A certificate of commit votes of some of the known validators for anything at all.
///
/// # Panics
/// When nobody signs.
#[must_use]
pub fn sign_commit(set: &ValidatorSet, vote: Vote, signers: &[u16]) -> CommitCert {
    let message = vote.signing_bytes(VoteKind::Commit, set.chain());
    let mut members = set.no_signers();
    let mut shares = Vec::new();
    for signer in signers {
        members.insert(ValidatorIndex::new(*signer));
        shares.push(Pure::sign(&secret(*signer), &message));
    }
    let signature = Pure::aggregate(&shares).expect("somebody signs");
    let cert = QuorumCert { kind: VoteKind::Commit, vote, signers: members, signature };
    CommitCert::new(cert).expect("commit votes")
}

impl ChainReader for TestChain {
    type Error = Infallible;

    fn block(&self, height: Height) -> Result<Option<Arc<Block>>, Infallible> {
        let index = usize::try_from(height.get()).ok().and_then(|height| height.checked_sub(1));
        Ok(index.and_then(|index| self.blocks.get(index).cloned()))
    }

    fn batch(&self, id: &BatchId) -> Result<Option<Arc<Batch>>, Infallible> {
        Ok(self.batches.get(id).cloned())
    }

    fn record(&self, height: Height) -> Result<Option<Arc<OrderedRecord>>, Infallible> {
        let index = usize::try_from(height.get()).ok();
        Ok(index.and_then(|index| self.records.get(index).cloned()))
    }

    fn certificate(&self, height: Height) -> Result<Option<(Height, Arc<CommitCert>)>, Infallible> {
        let at = height.get().next_multiple_of(self.certificate_every.max(1));
        let known = at >= 1 && at <= self.head().get();
        Ok(known.then(|| (Height::new(at), Arc::new(self.certify(at, &[0, 1, 2])))))
    }
}
