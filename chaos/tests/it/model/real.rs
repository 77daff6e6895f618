//! Three real replicas that are told what happens in a walk of the model, one message at a time.
//! Signatures are not made: every check is answered with "good", since the model, too, knows only
//! good ones. Blocks are handed out when they are asked for.

use chorale_chaos::model::honest::{Entry, Proposal};
use chorale_chaos::model::timeout::{Report, TimeoutCert as Reports, Tip as ModelTip};
use chorale_chaos::model::world::{Event, Said, World};
use chorale_chaos::sim::cluster::{Cluster, WALL_START_MS};
use chorale_consensus::agreement::leaders::Leaders;
use chorale_consensus::input::Timer;
use chorale_consensus::job::{Verdict, Work};
use chorale_consensus::ordering::OrderState;
use chorale_consensus::output::Statement;
use chorale_consensus::record::Recovered;
use chorale_consensus::{Config, Input, Output, Replica};
use chorale_types::block::{Block, Body, Header, VERSION};
use chorale_types::certificate::{EntryCert, QuorumCert, TimeoutCert, TimeoutGroup};
use chorale_types::crypto::bls::BlsSignature;
use chorale_types::crypto::ed25519::Signature;
use chorale_types::crypto::hash::Digest;
use chorale_types::genesis::Params;
use chorale_types::ids::{Height, RollupId, ValidatorIndex, View};
use chorale_types::message::{
    Message, Proposal as RealProposal, ProposalKind, Received, Request, Response,
};
use chorale_types::time::{Instant, Now, Timestamp};
use chorale_types::vote::{Tip, Vote, VoteKind};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Far above the time of every block.
const CLOCK_AHEAD_MS: u64 = 1_000_000;

pub(super) struct Real {
    cluster: Cluster,
    leaders: Leaders,
    replicas: Vec<Replica>,
    /// When each replica's views end.
    timers: Vec<BTreeMap<View, Instant>>,
    clocks: Vec<Instant>,
    /// The blocks of the walk, by their names.
    blocks: BTreeMap<u8, Arc<Block>>,
    root: Digest,
}

impl Real {
    pub(super) fn start() -> Self {
        let rollups = [RollupId::new(1)];
        let cluster = Cluster::new(&[1; 4], &rollups, Params::default(), [5; 32]);
        let root = OrderState::genesis(&cluster.genesis).root();
        let mut real = Self {
            leaders: Leaders::new(&cluster.set),
            replicas: Vec::new(),
            timers: vec![BTreeMap::new(); 3],
            clocks: vec![Instant::from_micros(1); 3],
            blocks: BTreeMap::new(),
            root,
            cluster,
        };
        for me in 0..3 {
            let config = Config {
                set: real.cluster.set.clone(),
                me: Some(ValidatorIndex::new(me)),
                votes: true,
                lanes: true,
                genesis_time: real.cluster.genesis.time,
                genesis_root: root,
                rollups: rollups.to_vec(),
            };
            let now = real.now(usize::from(me));
            let (replica, outputs) = Replica::recover(&config, Recovered::default(), now);
            real.replicas.push(replica);
            let said = real.perform(usize::from(me), outputs);
            assert_eq!(said, Said::default());
        }
        real
    }

    /// The view and the lock of a replica.
    pub(super) fn view_and_lock(&self, of: usize) -> (u8, u8) {
        let status = self.replicas[of].status();
        let small = |view: View| u8::try_from(view.get()).unwrap();
        (small(status.view), small(status.high_qc_view))
    }

    /// Tells replica `to` what happens; what it says.
    pub(super) fn step(&mut self, world: &World, to: usize, event: &Event) -> Said {
        let from = ValidatorIndex::new(3);
        let (from, message) = match event {
            Event::Timer => return self.end_view(to),
            Event::Certificate(view) => (from, entry(EntryCert::Qc(self.qc(world, *view)))),
            Event::Timeouts(tc) => (from, entry(EntryCert::Tc(self.tc(world, tc)))),
            Event::Proposal(proposal) => {
                let leader = self.leaders.leader(View::new(u64::from(proposal.view)));
                (leader, self.proposal(world, proposal))
            }
        };
        self.tell(to, Input::Message(Received { from, message }))
    }

    fn end_view(&mut self, to: usize) -> Said {
        let view = self.replicas[to].status().view;
        let at = self.timers[to][&view];
        self.clocks[to] = self.clocks[to].max(at);
        self.tell(to, Input::Timer(Timer::View(self.cluster.set.epoch(), view)))
    }

    fn now(&self, of: usize) -> Now {
        let wall = Timestamp::from_millis(WALL_START_MS + CLOCK_AHEAD_MS);
        Now { monotonic: self.clocks[of], wall }
    }

    fn tell(&mut self, to: usize, input: Input) -> Said {
        let now = self.now(to);
        let outputs = self.replicas[to].step(now, input);
        self.perform(to, outputs)
    }

    fn perform(&mut self, me: usize, outputs: Vec<Output>) -> Said {
        let mut said = Said::default();
        for output in outputs {
            let more = match output {
                Output::Persist(id, _) => self.tell(me, Input::Durable(id)),
                Output::Verify(job) => {
                    assert!(matches!(job.work, Work::All(_)), "nothing else is told");
                    self.tell(me, Input::Checked(job.id, Verdict::All { good: true }))
                }
                Output::Ask(from, id, Request::Block { hash }) => {
                    let block = self.blocks.values().find(|block| block.hash() == hash).cloned();
                    let response = Some(Response::Block { block });
                    self.tell(me, Input::Response { from, id, response })
                }
                Output::Arm(Timer::View(_, view), at) => {
                    self.timers[me].insert(view, at);
                    continue;
                }
                Output::Send(_, statement, _) => self.note(&statement),
                _ => continue,
            };
            join(&mut said, more);
        }
        said
    }

    /// A vote or a timeout. A proposal of its own is not heard: in the walk another leads.
    fn note(&self, statement: &Statement) -> Said {
        let mut said = Said::default();
        let small = |view: View| u8::try_from(view.get()).unwrap();
        match statement {
            Statement::Vote(cleared) => {
                let vote = cleared.statement();
                match vote.kind {
                    VoteKind::Prepare => said.prepared = Some(self.name(&vote.vote.block)),
                    VoteKind::Commit => said.commits.push(small(vote.vote.view)),
                }
            }
            Statement::Timeout(cleared) => {
                let timeout = cleared.statement();
                let tip = timeout.tip.map_or(ModelTip::NONE, |tip| ModelTip {
                    view: small(tip.view),
                    block: self.name(&tip.block),
                });
                let report = Report { lock: small(timeout.high_qc.view()), tip };
                said.gave_up = Some((small(timeout.view), report));
            }
            _ => {}
        }
        said
    }

    fn name(&self, hash: &Digest) -> u8 {
        let named = self.blocks.iter().find(|(_, block)| block.hash() == *hash);
        *named.expect("a block of the walk").0
    }

    fn vote(&mut self, world: &World, name: u8, view: u8) -> Vote {
        let (height, block) = match name {
            0 => (Height::ZERO, self.cluster.set.start().vote.block),
            _ => {
                let block = self.block(world, name);
                (block.header.height, block.hash())
            }
        };
        let epoch = self.cluster.set.epoch();
        Vote { epoch, view: View::new(u64::from(view)), height, block }
    }

    /// The block of a name: empty, on its parent, another for another name.
    fn block(&mut self, world: &World, name: u8) -> Arc<Block> {
        if let Some(block) = self.blocks.get(&name) {
            return Arc::clone(block);
        }
        let at = usize::from(name);
        let parent = self.vote(world, world.parents[at], 0);
        let view = View::new(u64::from(world.made_in[at]));
        let body = Body::default();
        let set = &self.cluster.set;
        // Names rise along a chain, and so do times.
        let millis = WALL_START_MS + 1 + u64::from(name);
        let header = Header {
            chain: *set.chain(),
            version: VERSION,
            epoch: set.epoch(),
            epoch_info_hash: set.info_hash(),
            height: parent.height.next(),
            orig_view: view,
            parent: parent.block,
            body_root: body.root(),
            ordered_height: Height::ZERO,
            ordered_root: self.root,
            reveal: None,
            proposer: self.leaders.leader(view),
            time: Timestamp::from_millis(millis),
        };
        let block = Arc::new(Block { header, body });
        self.blocks.insert(name, Arc::clone(&block));
        block
    }

    fn qc(&mut self, world: &World, view: u8) -> QuorumCert {
        if view == 0 {
            return self.cluster.set.start().clone();
        }
        let vote = self.vote(world, world.certified(view).expect("it exists"), view);
        let mut signers = self.cluster.set.no_signers();
        for index in 0..4 {
            signers.insert(ValidatorIndex::new(index));
        }
        QuorumCert { kind: VoteKind::Prepare, vote, signers, signature: unsigned() }
    }

    /// Who said what does not matter: all stakes are the same.
    fn tc(&mut self, world: &World, of: &Reports) -> TimeoutCert {
        let mut groups: BTreeMap<(View, Option<Tip>), TimeoutGroup> = BTreeMap::new();
        for (index, Report { lock, tip }) in (0..).zip(of.reports()) {
            let voted = (tip.view > 0).then(|| self.vote(world, tip.block, tip.view).tip());
            let high_qc_view = View::new(u64::from(*lock));
            let signers = self.cluster.set.no_signers();
            let group = TimeoutGroup { high_qc_view, tip: voted, signers };
            let group = groups.entry((high_qc_view, voted)).or_insert(group);
            group.signers.insert(ValidatorIndex::new(index));
        }
        TimeoutCert {
            epoch: self.cluster.set.epoch(),
            view: View::new(u64::from(of.view)),
            groups: groups.into_values().collect(),
            signature: unsigned(),
            high_qc: self.qc(world, of.highest),
        }
    }

    fn proposal(&mut self, world: &World, of: &Proposal) -> Message {
        let block = self.block(world, of.block);
        let kind = match (&of.entry, of.parent) {
            (Entry::Certified, Some(0)) => ProposalKind::EpochStart { start: self.qc(world, 0) },
            (Entry::Certified, Some(view)) => ProposalKind::Normal { qc: self.qc(world, view) },
            (Entry::Certified, None) => unreachable!("a walk makes no such proposal"),
            (Entry::GivenUp(tc), Some(view)) => {
                let parent_qc = self.qc(world, view);
                ProposalKind::Fallback { tc: self.tc(world, tc), parent_qc }
            }
            (Entry::GivenUp(tc), None) => {
                let by = EntryCert::Tc(self.tc(world, tc));
                ProposalKind::Repropose { by, block: block.hash() }
            }
        };
        let again = matches!(kind, ProposalKind::Repropose { .. });
        Message::Proposal(Arc::new(RealProposal {
            epoch: self.cluster.set.epoch(),
            view: View::new(u64::from(of.view)),
            kind,
            block: (!again).then_some(block),
            ordered_cert: None,
            signature: Signature::from_bytes([0; 64]),
        }))
    }
}

fn unsigned() -> BlsSignature {
    BlsSignature::from_bytes([0; 96])
}

fn entry(cert: EntryCert) -> Message {
    Message::Entry(Arc::new(cert))
}

fn join(said: &mut Said, more: Said) {
    said.prepared = said.prepared.or(more.prepared);
    said.gave_up = said.gave_up.or(more.gave_up);
    for view in more.commits {
        if !said.commits.contains(&view) {
            said.commits.push(view);
        }
    }
}
