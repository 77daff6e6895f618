//! What a test makes: certificates from what was really signed and from what the members it plays
//! sign, blocks, and proposals.

use super::{Committee, index};
use crate::byzantine::craft::{Share, timeout_cert_of, timeout_vote};
use crate::sim::cluster::WALL_START_MS;
use crate::sim::crypto::Cheap;
use chorale_consensus::ordering::OrderState;
use chorale_types::block::{Block, Body, Header, VERSION};
use chorale_types::certificate::{EntryCert, QuorumCert, TimeoutCert};
use chorale_types::crypto::bls::{Bls, BlsSignature};
use chorale_types::crypto::ed25519::Signature;
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::{Height, View};
use chorale_types::message::{Message, Proposal, ProposalKind, VoteMessage};
use chorale_types::time::Timestamp;
use chorale_types::validators::ValidatorSet;
use chorale_types::vote::{Timeout, TimeoutVote, Tip, Vote, VoteKind};
use std::sync::Arc;

impl Committee {
    /// The set.
    #[must_use]
    pub const fn set(&self) -> &ValidatorSet {
        &self.cluster.set
    }

    /// The certificate that the epoch starts from.
    #[must_use]
    pub const fn start_cert(&self) -> &QuorumCert {
        self.cluster.set.start()
    }

    /// The signing half of a member that the test plays.
    ///
    /// # Panics
    /// When the member is real: its keys are its own.
    #[must_use]
    pub fn signer(&self, member: usize) -> crate::sim::cluster::Signer {
        assert!(self.nodes[member].is_none(), "member {member} is real");
        self.cluster.signer(index(member))
    }

    /// An empty block of a view, on a block that is certified. `variant` makes it one of several.
    #[must_use]
    pub fn block(&self, parent: &Vote, view: u64, variant: u64) -> Arc<Block> {
        let body = Body::default();
        // Above the time of every block made so far, and of the parents made here.
        let millis = WALL_START_MS + self.now / 1_000 + 10 * parent.height.get() + variant + 1;
        let header = Header {
            chain: *self.set().chain(),
            version: VERSION,
            epoch: self.set().epoch(),
            epoch_info_hash: self.set().info_hash(),
            height: parent.height.next(),
            orig_view: View::new(view),
            parent: parent.block,
            body_root: body.root(),
            ordered_height: Height::ZERO,
            ordered_root: OrderState::genesis(&self.cluster.genesis).root(),
            reveal: None,
            proposer: index(self.leader(view)),
            time: Timestamp::from_millis(millis),
        };
        Arc::new(Block { header, body })
    }

    /// The vote for a block in a view.
    #[must_use]
    pub fn vote(&self, view: u64, block: &Block) -> Vote {
        Vote {
            epoch: self.set().epoch(),
            view: View::new(view),
            height: block.header.height,
            block: block.hash(),
        }
    }

    /// A proposal by the leader of a view, whom the test plays.
    #[must_use]
    pub fn make_proposal(
        &self,
        view: u64,
        kind: ProposalKind,
        block: Option<Arc<Block>>,
    ) -> Message {
        let mut proposal = self.unsigned_proposal(view, kind, block);
        proposal.signature = self.signer(self.leader(view)).proposal(&proposal.vote());
        Message::Proposal(Arc::new(proposal))
    }

    pub(super) fn unsigned_proposal(
        &self,
        view: u64,
        kind: ProposalKind,
        block: Option<Arc<Block>>,
    ) -> Proposal {
        Proposal {
            epoch: self.set().epoch(),
            view: View::new(view),
            kind,
            block,
            ordered_cert: None,
            signature: Signature::from_bytes([0; 64]),
        }
    }

    /// A vote of a member that the test plays.
    #[must_use]
    pub fn make_vote(&self, member: usize, kind: VoteKind, vote: Vote) -> Message {
        let signature = self.signer(member).vote(kind, &vote);
        Message::Vote(VoteMessage { kind, vote, signature, ordered_height: Height::ZERO })
    }

    /// The certificate of some votes. Real members must have cast theirs.
    ///
    /// # Panics
    /// When a real member did not vote so.
    #[must_use]
    pub fn qc(&self, kind: VoteKind, vote: Vote, voters: &[usize]) -> QuorumCert {
        let share = |member: &usize| {
            if self.nodes[*member].is_none() {
                return self.signer(*member).vote(kind, &vote);
            }
            let cast = self.said(*member).find_map(|message| match message {
                Message::Vote(cast) if cast.kind == kind && cast.vote == vote => {
                    Some(cast.signature)
                }
                _ => None,
            });
            cast.unwrap_or_else(|| panic!("member {member} did not vote in {}", vote.view))
        };
        let shares: Vec<BlsSignature> = voters.iter().map(share).collect();
        let mut signers = self.set().no_signers();
        voters.iter().for_each(|member| {
            signers.insert(index(*member));
        });
        let signature = Cheap::aggregate(&shares).expect("somebody votes");
        QuorumCert { kind, vote, signers, signature }
    }

    /// The timeout certificate of a view from the timeouts that real members sent, and from what
    /// members that the test plays report: member, certificate, tip.
    ///
    /// # Panics
    /// When a real member did not give the view up, or they are no quorum.
    #[must_use]
    pub fn tc(
        &self,
        view: u64,
        real: &[usize],
        played: &[(usize, &QuorumCert, Option<Tip>)],
    ) -> TimeoutCert {
        let honest = real.iter().map(|member| {
            let timeout = self.timeout(*member, view).expect("the member gave the view up");
            (index(*member), timeout.vote(), timeout.signature, timeout.high_qc.clone())
        });
        let lies = played.iter().map(|(member, qc, tip)| {
            timeout_vote(View::new(view), qc, *tip, &self.signer(*member))
        });
        let shares: Vec<Share> = honest.chain(lies).collect();
        timeout_cert_of(self.set(), &shares).expect("a quorum of timeouts")
    }

    /// A timeout of a member that the test plays.
    #[must_use]
    pub fn make_timeout(
        &self,
        member: usize,
        view: u64,
        (high_qc, tip): (&QuorumCert, Option<Tip>),
        entry: &EntryCert,
    ) -> Message {
        let vote = TimeoutVote {
            epoch: self.set().epoch(),
            view: View::new(view),
            high_qc_view: high_qc.view(),
            tip,
        };
        Message::Timeout(Arc::new(Timeout {
            view: View::new(view),
            high_qc: high_qc.clone(),
            tip,
            entry: entry.clone(),
            prepare: None,
            signature: self.signer(member).timeout(&vote),
        }))
    }

    /// A certificate as it is passed on.
    #[must_use]
    pub fn entry(&self, qc: &QuorumCert) -> Message {
        Message::Entry(Arc::new(EntryCert::Qc(qc.clone())))
    }

    /// A certificate as it is passed on.
    #[must_use]
    pub fn entry_by_timeout(&self, tc: &TimeoutCert) -> Message {
        Message::Entry(Arc::new(EntryCert::Tc(tc.clone())))
    }

    /// The tip of a vote for a block in a view.
    #[must_use]
    pub fn tip(&self, view: u64, block: &Block) -> Tip {
        self.vote(view, block).tip()
    }

    /// The hash of the block that a real member proposed first in a view.
    ///
    /// # Panics
    /// When it did not.
    #[must_use]
    pub fn proposed(&self, member: usize, view: u64) -> Digest {
        self.proposal(member, view).expect("the member proposed").block_hash()
    }
}
