//! The chain: batches from a load, blocks that order them, what they come to, certificates.

use super::{BLOCK_NS, LOAD_START, Random, Tx, View, WALL_START, World};
use chorale_judge::case::Content;
use chorale_judge::crypto::{hash, merkle, signed, transaction_id};
use chorale_judge::genesis::EPOCH;
use chorale_judge::ordering::State;
use chorale_judge::wire::batch::{BatchHeader, Lane, SignedHeader, Tip};
use chorale_judge::wire::block::{Block, Body, Header};
use chorale_judge::wire::certificate::{Group, Kind, Qc, Tc, TcFields, TimeoutVote, TipVote, Vote};
use chorale_judge::wire::proof::Skipped;
use chorale_judge::wire::signers::Signers;
use chorale_judge::wire::{Id, List, Wire as _};
use std::collections::{BTreeMap, HashMap};

/// One rollup's part of a batch.
#[derive(Clone, Debug)]
pub struct Entry {
    pub rollup: u64,
    pub ids: Vec<Id>,
    pub ids_root: Id,
    pub leaf: Id,
}

/// A batch.
#[derive(Clone, Debug)]
pub struct Batch {
    pub signed: SignedHeader,
    pub entries: Vec<Entry>,
}

/// A final block, and what it came to.
#[derive(Clone, Debug)]
pub struct Made {
    pub block: Block,
    pub hash: Id,
    pub view: u64,
    /// In the order of delivery.
    pub batches: Vec<Batch>,
    pub contents: Vec<Content>,
    pub skipped: BTreeMap<u64, Vec<Skipped>>,
    pub root: Id,
    pub qc: Qc,
    /// Certificates by different members.
    pub certificates: Vec<Qc>,
}

impl Made {
    pub fn vote(&self) -> &Vote {
        &self.qc.vote
    }
}

/// When a height is final, in nanoseconds of the load's clock.
pub fn final_at(height: u64) -> u64 {
    LOAD_START + height * BLOCK_NS
}

/// What grows with the chain.
struct Growth<'a> {
    state: State<'a>,
    lanes: BTreeMap<u16, Tip>,
    delivered: HashMap<(u64, Id), u64>,
    qc: Qc,
    view: u64,
    requests: u64,
    roots: Vec<Id>,
}

/// Builds the blocks of a plan.
pub fn grow(world: &mut World, random: &mut Random) {
    let chain = world.chain.clone();
    let mut growth = Growth {
        state: State::new(&chain),
        lanes: BTreeMap::new(),
        delivered: HashMap::new(),
        qc: chain.start(),
        view: 1,
        requests: 0,
        roots: vec![State::new(&chain).root()],
    };
    for height in 1..=world.plan.heights {
        if growth.view > 1 && random.one_in(5) {
            give_up(world, &mut growth);
        }
        let sent = submit(world, random, &mut growth, height);
        let batches = pack(world, &mut growth, &sent);
        block(world, random, &mut growth, height, batches);
    }
}

/// Everyone gives up the view under way.
fn give_up(world: &mut World, growth: &mut Growth<'_>) {
    let (view, lock) = (growth.view, growth.qc.clone());
    let tip = TipVote { view: lock.vote.view, height: lock.vote.height, block: lock.vote.block };
    let statement = TimeoutVote { epoch: EPOCH, view, lock: tip.view, tip: Some(tip.clone()) };
    let message = signed("chorale/1/timeout", &world.chain.id, &statement.bytes());
    let all: Vec<u16> = (0..world.members()).collect();
    let group =
        Group { lock: tip.view, tip: Some(tip), signers: Signers::of(world.members(), &all) };
    let signature = world.keys.sum(&all, &message);
    let tc = TcFields { epoch: EPOCH, view, groups: List(vec![group]), signature, lock };
    let tc = Box::new(Tc(tc));
    world.views.push(View::GivenUp { view, lock: growth.qc.clone(), tc });
    growth.view += 1;
}

/// What the load sends before a height: at least one transaction.
fn submit(world: &mut World, random: &mut Random, growth: &mut Growth<'_>, height: u64) -> Vec<Tx> {
    let mut sent = Vec::new();
    for _ in 0..=random.below(3) {
        growth.requests += 1;
        let rollup = 1 + random.below(world.plan.rollups);
        let members = u64::from(world.members());
        let node = u16::try_from(random.below(members)).unwrap();
        let copy = (members > 1 && random.one_in(6)).then(|| (node + 1) % world.members());
        let at = final_at(height - 1) + 12_000_000 + random.below(1_000_000);
        for index in 0..=random.below(3) {
            let length = 8 + usize::try_from(random.below(40)).unwrap();
            let payload = random.bytes(length);
            let id = transaction_id(rollup, &payload);
            let request = growth.requests;
            sent.push(Tx { id, rollup, payload, node, copy, at, request, index });
        }
    }
    sent.sort_by_key(|tx| tx.at);
    world.load.extend(sent.iter().cloned());
    sent
}

/// The batches of those who got something, one each.
fn pack(world: &World, growth: &mut Growth<'_>, sent: &[Tx]) -> BTreeMap<u16, Batch> {
    let mut parts: BTreeMap<u16, BTreeMap<u64, Vec<&Tx>>> = BTreeMap::new();
    for tx in sent {
        for node in std::iter::once(tx.node).chain(tx.copy) {
            parts.entry(node).or_default().entry(tx.rollup).or_default().push(tx);
        }
    }
    let batch = |(owner, parts): (u16, BTreeMap<u64, Vec<&Tx>>)| {
        let bytes: usize = parts.values().flatten().map(|tx| tx.payload.len()).sum();
        let entries: Vec<Entry> = parts
            .into_iter()
            .map(|(rollup, txs)| {
                let ids: Vec<Id> = txs.iter().map(|tx| tx.id).collect();
                let ids_root = merkle::root(&ids);
                let count = u32::try_from(ids.len()).unwrap();
                let leaf = hash("chorale/1/batch-entry", &[&(rollup, (count, ids_root)).bytes()]);
                Entry { rollup, ids, ids_root, leaf }
            })
            .collect();
        let leaves: Vec<Id> = entries.iter().map(|entry| entry.leaf).collect();
        let before = growth.lanes.get(&owner);
        let header = BatchHeader {
            lane: Lane { epoch: EPOCH, owner },
            seq: before.map_or(1, |tip| tip.seq + 1),
            prev: before.map_or(world.chain.epoch_info, |tip| tip.digest),
            root: merkle::root(&leaves),
            bytes_through: before.map_or(0, |tip| tip.bytes_through)
                + u64::try_from(bytes).unwrap(),
        };
        let BatchHeader { lane, seq, bytes_through, .. } = header;
        let digest = header.digest();
        growth.lanes.insert(owner, Tip { lane, seq, digest, bytes_through });
        let statement = header.acknowledgement().bytes();
        let message = signed("chorale/1/acknowledge", &world.chain.id, &statement);
        let signature = world.keys.ed(owner, &message);
        (owner, Batch { signed: SignedHeader { header, signature }, entries })
    };
    parts.into_iter().map(batch).collect()
}

fn block(
    world: &mut World,
    random: &mut Random,
    growth: &mut Growth<'_>,
    height: u64,
    batches: BTreeMap<u16, Batch>,
) {
    let tips: Vec<Tip> = batches.keys().map(|owner| growth.lanes[owner].clone()).collect();
    let body = Body { tips: List(tips) };
    let view = growth.view;
    let proposer = world.leaders.of_view(view);
    let ordered_height = height.saturating_sub(3);
    let header = Header {
        chain: world.chain.id,
        version: 1,
        epoch: EPOCH,
        epoch_info: world.chain.epoch_info,
        height,
        original_view: view,
        parent: growth.qc.vote.block,
        body: body.hash(),
        ordered_height,
        ordered_root: growth.roots[usize::try_from(ordered_height).unwrap()],
        reveal: None,
        proposer,
        time: WALL_START + height * BLOCK_NS / 1_000_000 - 5,
    };
    let hash = header.hash();
    let block = Block { header, body };
    let batches = deliver_order(&hash, batches);
    let (contents, skipped) = deliver(growth, height, &batches);
    let tips = &block.body.tips.0;
    growth.state.step(&block.header, tips, &contents).unwrap();
    let root = growth.state.root();
    growth.roots.push(root);
    let vote = Vote { epoch: EPOCH, view, height, block: hash };
    let qc = certify(world, random, Kind::Prepare, &vote);
    let certificates = (0..2).map(|_| certify(world, random, Kind::Commit, &vote)).collect();
    growth.qc = qc.clone();
    growth.view += 1;
    world.views.push(View::Block { made: world.made.len() });
    let made = Made { block, hash, view, batches, contents, skipped, root, qc, certificates };
    world.made.push(made);
}

/// A quorum's certificate.
pub fn certify(world: &World, random: &mut Random, kind: Kind, vote: &Vote) -> Qc {
    let places = world.some_quorum(random);
    certify_by(world, kind, vote, &places)
}

/// A certificate by certain members, quorum or not.
pub fn certify_by(world: &World, kind: Kind, vote: &Vote, places: &[u16]) -> Qc {
    let message = signed(kind.domain(), &world.chain.id, &vote.bytes());
    let signature = world.keys.sum(places, &message);
    let signers = Signers::of(world.members(), places);
    Qc { kind, vote: vote.clone(), signers, signature }
}

fn deliver_order(block: &Id, batches: BTreeMap<u16, Batch>) -> Vec<Batch> {
    let mut batches: Vec<Batch> = batches.into_values().collect();
    let drawn = hash("chorale/1/rotation", &[&block.0]);
    let drawn = u64::read(&drawn.0[..8]).unwrap();
    let count = u64::try_from(batches.len()).unwrap();
    batches.rotate_left(usize::try_from(drawn % count).unwrap());
    batches
}

fn deliver(
    growth: &mut Growth<'_>,
    height: u64,
    batches: &[Batch],
) -> (Vec<Content>, BTreeMap<u64, Vec<Skipped>>) {
    let mut arrived: BTreeMap<u64, Vec<Id>> = BTreeMap::new();
    for entry in batches.iter().flat_map(|batch| &batch.entries) {
        arrived.entry(entry.rollup).or_default().extend(&entry.ids);
    }
    let mut skipped: BTreeMap<u64, Vec<Skipped>> = BTreeMap::new();
    let mut contents = Vec::new();
    for (rollup, all) in arrived {
        let mut ids = Vec::new();
        for (position, id) in (0..).zip(all) {
            match growth.delivered.get(&(rollup, id)) {
                Some(earlier) => {
                    let earlier = *earlier;
                    skipped.entry(rollup).or_default().push(Skipped { position, id, earlier });
                }
                None => {
                    growth.delivered.insert((rollup, id), height);
                    ids.push(id);
                }
            }
        }
        let before = growth.state.sequence(rollup).unwrap();
        let sequence = before + u64::from(!ids.is_empty());
        contents.push(Content { rollup, sequence, ids });
    }
    (contents, skipped)
}
