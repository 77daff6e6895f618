//! An honest key never contradicts what it signed, across crashes and restarts: a tap on everything
//! that left.
//!
//! For each key and view at most one prepare vote, one commit vote, one timeout and one proposal
//! of each class; no prepare vote at or below a view given up that the timeout does not report;
//! no commit vote at or below a view given up with a lower lock; for each place of a lane at most
//! one acknowledgement. All of this in whatever order they left, for several threads may sign.
//! The same statement twice is fine.

use super::Check;
use chorale_types::batch::Acknowledgement;
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::{LaneId, LaneSeq, View};
use chorale_types::message::{Message, ProposalClass, RescueMessage};
use chorale_types::vote::{Timeout, TimeoutVote, Vote, VoteKind};
use std::collections::BTreeMap;

/// What one key signed.
#[derive(Debug, Default)]
struct Signed {
    prepares: BTreeMap<View, Vote>,
    commits: BTreeMap<View, Vote>,
    timeouts: BTreeMap<View, TimeoutVote>,
    proposals: BTreeMap<(View, ProposalClass), Digest>,
    acknowledged: BTreeMap<(LaneId, LaneSeq), Acknowledgement>,
}

/// What every key signed.
#[derive(Debug, Default)]
pub struct DurableVotes {
    keys: BTreeMap<usize, Signed>,
}

impl DurableVotes {
    /// A message of an honest node's own leaves it.
    ///
    /// # Errors
    /// When it contradicts one that left before.
    pub fn on_left(&mut self, node: usize, message: &Message) -> Check {
        let signed = self.keys.entry(node).or_default();
        match message {
            Message::Vote(vote) => match vote.kind {
                VoteKind::Prepare => signed.prepare(vote.vote),
                VoteKind::Commit => signed.commit(vote.vote),
            },
            Message::Timeout(timeout) => signed.time_out(timeout),
            Message::Proposal(proposal) => {
                let block = proposal.block_hash();
                let class = proposal.kind.class();
                let place = (proposal.view, class);
                once(&mut signed.proposals, place, block, || {
                    format!("two {class:?} proposals in view {}", proposal.view)
                })
            }
            Message::Ack(ack) => signed.acknowledge(ack.statement),
            Message::Rescue(RescueMessage { header, .. }) => {
                signed.acknowledge(header.acknowledgement())
            }
            Message::Batch(batch) if batch.header.lane.owner.as_usize() == node => {
                signed.acknowledge(batch.header.acknowledgement())
            }
            Message::Batch(_)
            | Message::Entry(_)
            | Message::Commit(_)
            | Message::Availability(_)
            | Message::LaneStatus(_) => Ok(()),
        }
    }
}

fn once<K: Ord, V: PartialEq>(
    all: &mut BTreeMap<K, V>,
    place: K,
    value: V,
    what: impl FnOnce() -> String,
) -> Check {
    match all.get(&place) {
        Some(before) if *before != value => Err(what()),
        Some(_) => Ok(()),
        None => {
            all.insert(place, value);
            Ok(())
        }
    }
}

impl Signed {
    fn prepare(&mut self, vote: Vote) -> Check {
        for (view, timeout) in self.timeouts.range(vote.view..) {
            if timeout.tip.is_none_or(|tip| tip.view < vote.view) {
                return Err(hidden_vote(vote.view, *view));
            }
        }
        once(&mut self.prepares, vote.view, vote, || {
            format!("two prepare votes in view {}", vote.view)
        })
    }

    fn commit(&mut self, vote: Vote) -> Check {
        let above = self.timeouts.range(vote.view..);
        for (view, timeout) in above {
            if timeout.high_qc_view < vote.view {
                return Err(contradiction(vote.view, *view, timeout.high_qc_view));
            }
        }
        once(&mut self.commits, vote.view, vote, || {
            format!("two commit votes in view {}", vote.view)
        })
    }

    fn time_out(&mut self, timeout: &Timeout) -> Check {
        let vote = timeout.vote();
        let last = self.commits.range(..=vote.view).next_back().map(|(view, _)| *view);
        if let Some(commit) = last.filter(|commit| *commit > vote.high_qc_view) {
            return Err(contradiction(commit, vote.view, vote.high_qc_view));
        }
        let last = self.prepares.range(..=vote.view).next_back().map(|(view, _)| *view);
        if let Some(prepare) = last.filter(|last| vote.tip.is_none_or(|tip| tip.view < *last)) {
            return Err(hidden_vote(prepare, vote.view));
        }
        once(&mut self.timeouts, vote.view, vote, || {
            format!("two different timeouts of view {}", vote.view)
        })
    }

    fn acknowledge(&mut self, statement: Acknowledgement) -> Check {
        once(&mut self.acknowledged, (statement.lane, statement.seq), statement, || {
            format!("two acknowledgements for {} of lane {}", statement.seq, statement.lane)
        })
    }
}

fn hidden_vote(prepare: View, given_up: View) -> String {
    format!("prepare vote in view {prepare} that the timeout of view {given_up} does not report")
}

fn contradiction(commit: View, given_up: View, lock: View) -> String {
    format!("commit vote of view {commit} and timeout of view {given_up} with lock {lock}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use chorale_types::certificate::{EntryCert, QuorumCert};
    use chorale_types::crypto::bls::BlsSignature;
    use chorale_types::ids::{Epoch, Height};
    use chorale_types::message::VoteMessage;
    use chorale_types::vote::Tip;
    use std::sync::Arc;

    fn block(n: u8) -> Digest {
        Digest::from_bytes([n; 32])
    }

    fn vote(kind: VoteKind, view: u64, name: u8) -> Message {
        let vote = Vote {
            epoch: Epoch::new(1),
            view: View::new(view),
            height: Height::new(1),
            block: block(name),
        };
        let signature = BlsSignature::from_bytes([0; 96]);
        Message::Vote(VoteMessage { kind, vote, signature, ordered_height: Height::ZERO })
    }

    fn timeout(view: u64, lock: u64) -> Message {
        timeout_of(view, lock, view)
    }

    fn timeout_of(view: u64, lock: u64, voted: u64) -> Message {
        let mut high_qc = QuorumCert::start(Epoch::new(1), Height::ZERO, block(0));
        high_qc.vote.view = View::new(lock);
        let entry = EntryCert::Qc(high_qc.clone());
        let signature = BlsSignature::from_bytes([0; 96]);
        let view = View::new(view);
        let tip = Some(Tip { view: View::new(voted), height: Height::new(1), block: block(1) });
        let prepare = None;
        Message::Timeout(Arc::new(Timeout { view, high_qc, tip, entry, prepare, signature }))
    }

    fn check(messages: &[Message]) -> Vec<bool> {
        let mut votes = DurableVotes::default();
        messages.iter().map(|message| votes.on_left(0, message).is_ok()).collect()
    }

    #[test]
    fn one_vote_of_each_kind_in_a_view_and_repeats_are_fine() {
        use VoteKind::{Commit, Prepare};
        for kind in [Prepare, Commit] {
            let votes = [vote(kind, 1, 1), vote(kind, 1, 1), vote(kind, 2, 2), vote(kind, 1, 2)];
            assert_eq!(check(&votes), [true, true, true, false]);
        }
        assert_eq!(check(&[vote(Prepare, 1, 1), vote(Commit, 1, 1)]), [true, true]);
    }

    #[test]
    fn a_timeout_reports_the_prepare_votes_below_it_in_either_order() {
        let prepare = |view| vote(VoteKind::Prepare, view, 1);
        assert_eq!(check(&[prepare(2), timeout_of(3, 0, 2), prepare(2)]), [true, true, true]);
        assert_eq!(check(&[timeout_of(3, 0, 2), prepare(2), prepare(4)]), [true, true, true]);
        assert_eq!(check(&[timeout_of(3, 0, 2), prepare(3)]), [true, false]);
        assert_eq!(check(&[prepare(3), timeout_of(3, 0, 2)]), [true, false]);
    }

    #[test]
    fn no_commit_vote_beside_a_timeout_with_a_lower_lock_in_either_order() {
        let commit = |view| vote(VoteKind::Commit, view, 1);
        assert_eq!(check(&[timeout(3, 1), commit(1)]), [true, true]);
        assert_eq!(check(&[timeout(3, 1), commit(2)]), [true, false]);
        assert_eq!(check(&[timeout(3, 1), commit(3)]), [true, false]);
        assert_eq!(check(&[timeout(3, 1), commit(4)]), [true, true]);
        assert_eq!(check(&[commit(2), timeout(3, 1)]), [true, false]);
        assert_eq!(check(&[commit(2), timeout(3, 2)]), [true, true]);
        assert_eq!(check(&[commit(4), timeout(3, 1)]), [true, true]);
    }

    #[test]
    fn two_timeouts_of_one_view_must_say_the_same() {
        assert_eq!(check(&[timeout(3, 1), timeout(3, 1), timeout(3, 2)]), [true, true, false]);
    }
}
