use super::*;
use crate::sim::cluster::Cluster;
use crate::sim::verify::SimVerifier;
use chorale_consensus::job::{Check, Verdict, Work};
use chorale_types::batch::{Batch, BatchEntry, BatchHeader};
use chorale_types::crypto::hash::Digest;
use chorale_types::genesis::Params;
use chorale_types::ids::{Epoch, Height, LaneId, LaneSeq, RollupId, ValidatorIndex, View};
use chorale_types::message::{SignedHeader, VoteMessage};
use chorale_types::transaction::Transactions;
use chorale_types::vote::{Vote, VoteKind};
use std::collections::BTreeSet;
use std::sync::Arc;

const ME: ValidatorIndex = ValidatorIndex::new(3);

fn cluster() -> Cluster {
    Cluster::new(&[1; 4], &[RollupId::new(1)], Params::default(), [1; 32])
}

fn adversary(behaviour: Behaviour) -> Adversary {
    Adversary::new(behaviour, cluster().signer(ME), &cluster().set, 7)
}

fn batch(seq: u64) -> Message {
    let transactions = [&b"one"[..], b"two"].into_iter().collect::<Transactions>();
    let entries = vec![BatchEntry { rollup: RollupId::new(1), transactions }];
    let header = BatchHeader {
        lane: LaneId { epoch: Epoch::new(1), owner: ME },
        seq: LaneSeq::new(seq),
        prev: Digest::ZERO,
        root: Batch::root(&entries),
        bytes_through: 6,
    };
    let owner_signature = cluster().signer(ME).batch(&header);
    Message::Batch(Arc::new(Batch { header, owner_signature, entries }))
}

fn prepare() -> Message {
    let vote = Vote {
        epoch: Epoch::new(1),
        view: View::new(2),
        height: Height::new(1),
        block: Digest::from_bytes([5; 32]),
    };
    let kind = VoteKind::Prepare;
    let signature = cluster().signer(ME).vote(kind, &vote);
    Message::Vote(VoteMessage { kind, vote, ordered_height: Height::ZERO, signature })
}

#[test]
fn a_member_without_faults_changes_nothing() {
    let mut adversary = adversary(Behaviour::default());
    let out = adversary.leave(Recipients::All, prepare());
    assert_eq!(out, (0..3).map(|peer| (peer, 0, prepare())).collect::<Vec<_>>());
    let out = adversary.leave(Recipients::One(ValidatorIndex::new(1)), prepare());
    assert_eq!(out, [(1, 0, prepare())]);
    assert_eq!(adversary.tampered, 0);
}

#[test]
fn a_lane_owner_shows_two_well_formed_batches_for_one_place() {
    let mut adversary = adversary(Behaviour { lane: true, ..Behaviour::default() });
    let verifier = SimVerifier::new(cluster().set);
    let mut doubled = 0;
    for seq in 1..20 {
        let mut digests = BTreeSet::new();
        for (_, _, message) in adversary.leave(Recipients::All, batch(seq)) {
            let Message::Batch(batch) = message else { panic!("batches stay batches") };
            assert_eq!(batch.validate(), Ok(()));
            let signed = SignedHeader { header: batch.header, signature: batch.owner_signature };
            let work = Work::All(vec![Check::Header(signed)]);
            assert_eq!(verifier.answer(&work), Verdict::All { good: true });
            digests.insert(batch.header.digest());
        }
        doubled += usize::from(digests.len() == 2);
    }
    assert!(doubled > 3, "{doubled} places of 19 were filled twice");
}

#[test]
fn an_early_committer_signs_commit_votes_nobody_certified() {
    let mut adversary = adversary(Behaviour { commits: true, ..Behaviour::default() });
    let out = adversary.leave(Recipients::All, prepare());
    let commits = out.iter().filter(
        |(_, _, message)| matches!(message, Message::Vote(vote) if vote.kind == VoteKind::Commit),
    );
    assert_eq!(commits.count(), 3);
    assert_eq!(adversary.tampered, 6);
}

#[test]
fn a_garbler_spoils_signatures_and_a_staller_holds_messages_back() {
    let mut garbler = adversary(Behaviour { garble: MILLION, ..Behaviour::default() });
    for (_, _, message) in garbler.leave(Recipients::All, prepare()) {
        assert_ne!(message, prepare());
    }
    let mut staller = adversary(Behaviour { stall: MILLION, ..Behaviour::default() });
    let left: Vec<_> = (0..50).flat_map(|_| staller.leave(Recipients::All, prepare())).collect();
    assert!(left.len() < 150, "some are gone");
    assert!(left.iter().any(|(_, delay, _)| *delay > 0), "some are late");
}
