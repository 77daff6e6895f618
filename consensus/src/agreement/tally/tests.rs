//! One slot and one check at a time, without a committee.

use super::*;
use crate::agreement::tests::made::{qc, signers};
use crate::context::Names;
use crate::output::Output;
use crate::testing::set_of;
use chorale_types::time::{Instant, Now, Timestamp};

const KIND: VoteKind = VoteKind::Prepare;
const AGGREGATE: BlsSignature = BlsSignature::from_bytes([4; 96]);

/// Ten units of stake: a quorum is 7.
fn set() -> ValidatorSet {
    set_of(&[3, 3, 3, 1])
}

fn index(at: u16) -> ValidatorIndex {
    ValidatorIndex::new(at)
}

fn share(at: u16) -> BlsSignature {
    BlsSignature::from_bytes([u8::try_from(at).expect("small"); 96])
}

/// A vote in view `view` for the block named by one byte.
fn vote(view: u64, block: u8) -> Vote {
    qc(&set(), KIND, view, block).vote
}

/// A tally with its surroundings.
#[derive(Default)]
struct Scene {
    tally: Tally,
    names: Names,
    out: Vec<Output>,
}

impl Scene {
    fn step<T>(&mut self, act: impl FnOnce(&mut Tally, &mut Context<'_>) -> T) -> T {
        let now = Now { monotonic: Instant::from_micros(1), wall: Timestamp::from_millis(1) };
        self.out.clear();
        act(&mut self.tally, &mut Context::new(now, &mut self.names, &mut self.out))
    }

    /// Hands in a vote; returns whose votes are checked on it.
    fn add(&mut self, from: u16, vote: Vote) -> Option<(JobId, Vec<u16>)> {
        self.add_from(from, vote, false)
    }

    fn add_from(&mut self, from: u16, vote: Vote, in_timeout: bool) -> Option<(JobId, Vec<u16>)> {
        let cast = (KIND, vote, share(from));
        self.step(|tally, ctx| tally.add(&set(), index(from), cast, in_timeout, ctx));
        self.asked(vote)
    }

    /// What was asked to be checked: the votes for one block, each with its own signature.
    fn asked(&self, expected: Vote) -> Option<(JobId, Vec<u16>)> {
        self.out.iter().find_map(|output| match output {
            Output::Verify(job) => {
                let Work::Votes { kind, vote, shares } = &job.work else { panic!("{job:?}") };
                assert_eq!((*kind, *vote), (KIND, expected));
                assert!(shares.iter().all(|(at, signature)| *signature == share(at.get())));
                Some((job.id, shares.iter().map(|(at, _)| at.get()).collect()))
            }
            _ => None,
        })
    }

    fn verdict(&mut self, job: JobId, bad: &[u16]) -> Option<(QuorumCert, bool)> {
        self.verdict_with(job, bad, Some(AGGREGATE))
    }

    fn verdict_with(
        &mut self,
        job: JobId,
        bad: &[u16],
        aggregate: Option<BlsSignature>,
    ) -> Option<(QuorumCert, bool)> {
        let bad: Vec<ValidatorIndex> = bad.iter().copied().map(index).collect();
        self.step(|tally, ctx| {
            tally.on_checked(&set(), (View::new(3), KIND, job), (&bad, aggregate), ctx)
        })
    }

    fn reported(&self) -> Vec<(u16, Fault)> {
        let reports = self.out.iter().filter_map(|output| match output {
            Output::Report(peer, fault) => Some((peer.get(), *fault)),
            _ => None,
        });
        reports.collect()
    }
}

#[test]
fn a_check_is_asked_for_at_a_quorum_of_stake_and_not_before() {
    let mut scene = Scene::default();
    assert_eq!(scene.add(0, vote(3, 1)), None);
    assert_eq!(scene.add(1, vote(3, 1)), None, "stake 6");
    assert_eq!(scene.tally.checking(View::new(3), KIND), None);
    let (job, of) = scene.add(3, vote(3, 1)).expect("stake 7");
    assert_eq!(of, [0, 1, 3]);
    assert_eq!(scene.tally.checking(View::new(3), KIND), Some(job));
    assert_eq!(scene.tally.checking(View::new(3), VoteKind::Commit), None);
    assert_eq!(scene.add(2, vote(3, 1)), None, "one check at a time");
}

#[test]
fn votes_for_another_block_do_not_count() {
    let mut scene = Scene::default();
    for (from, block) in [(0, 1), (1, 2), (3, 1)] {
        assert_eq!(scene.add(from, vote(3, block)), None);
    }
    let (_, of) = scene.add(2, vote(3, 1)).expect("stake 7 for block 1");
    assert_eq!(of, [0, 2, 3]);
}

#[test]
fn a_certificate_holds_exactly_what_was_checked_together() {
    let mut scene = Scene::default();
    for (from, block) in [(0, 1), (1, 1)] {
        scene.add(from, vote(3, block));
    }
    let (job, _) = scene.add(3, vote(3, 1)).expect("a quorum");
    scene.add(2, vote(3, 1));
    let (cert, from_timeouts) = scene.verdict(job, &[]).expect("a quorum is good");
    assert_eq!((cert.kind, cert.vote, from_timeouts), (KIND, vote(3, 1), false));
    assert_eq!((cert.signers, cert.signature), (signers(&set(), &[0, 1, 3]), AGGREGATE));
    assert_eq!(scene.verdict(job, &[]), None, "once");
}

#[test]
fn nothing_more_is_counted_once_a_certificate_is_made() {
    let mut scene = Scene::default();
    scene.add(0, vote(3, 1));
    scene.add(1, vote(3, 1));
    let (job, _) = scene.add(3, vote(3, 1)).expect("a quorum");
    scene.verdict(job, &[]).expect("good");
    assert_eq!(scene.add(2, vote(3, 1)), None);
    assert_eq!(scene.tally.len(), 3);
}

#[test]
fn an_answer_to_another_check_changes_nothing() {
    let mut scene = Scene::default();
    scene.add(0, vote(3, 1));
    scene.add(1, vote(3, 1));
    let (job, _) = scene.add(2, vote(3, 1)).expect("a quorum");
    assert_eq!(scene.verdict(JobId(job.0 + 1), &[0]), None);
    assert_eq!(scene.reported(), []);
    assert_eq!(scene.tally.checking(View::new(3), KIND), Some(job));
    assert!(scene.verdict(job, &[]).is_some());
}

#[test]
fn a_bad_share_shuts_its_sender_out_and_the_quorum_waits_for_another() {
    let mut scene = Scene::default();
    scene.add(0, vote(3, 1));
    scene.add(1, vote(3, 1));
    let (job, _) = scene.add(3, vote(3, 1)).expect("a quorum");
    assert_eq!(scene.verdict(job, &[1]), None);
    assert_eq!(scene.reported(), [(1, Fault::BadSignature)]);
    assert_eq!(scene.add(1, vote(3, 1)), None, "shut out");
    assert_eq!(scene.tally.len(), 2);
    let (job, of) = scene.add(2, vote(3, 1)).expect("another quorum");
    assert_eq!(of, [0, 2, 3]);
    let (cert, _) = scene.verdict(job, &[]).expect("good");
    assert_eq!(cert.signers, signers(&set(), &[0, 2, 3]));
}

#[test]
fn a_quorum_without_its_bad_shares_is_one() {
    let mut scene = Scene::default();
    scene.add(0, vote(3, 1));
    scene.add(1, vote(3, 1));
    let (job, _) = scene.add(2, vote(3, 1)).expect("stake 9");
    scene.add(3, vote(3, 1));
    assert_eq!(scene.verdict(job, &[0]), None, "stake 6 of those checked");
    let (job, of) = scene.asked(vote(3, 1)).expect("with the vote that came meanwhile");
    assert_eq!(of, [1, 2, 3]);
    assert_eq!(scene.verdict_with(job, &[], None), None, "no certificate without an aggregate");
    let (job, _) = scene.asked(vote(3, 1)).expect("asked again");
    let (cert, _) = scene.verdict(job, &[]).expect("stake 7");
    assert_eq!(cert.signers, signers(&set(), &[1, 2, 3]));
}

#[test]
fn a_second_vote_for_another_block_is_reported_and_the_first_stays() {
    let mut scene = Scene::default();
    scene.add(0, vote(3, 1));
    scene.add(0, vote(3, 2));
    assert_eq!(scene.reported(), [(0, Fault::Equivocation)]);
    scene.add(0, vote(3, 1));
    assert_eq!(scene.reported(), [], "the same again is no fault");
    assert_eq!(scene.tally.len(), 1);
    scene.add(1, vote(3, 1));
    let (_, of) = scene.add(3, vote(3, 1)).expect("the first counts");
    assert_eq!(of, [0, 1, 3]);
}

#[test]
fn one_vote_out_of_a_timeout_marks_the_certificate() {
    let mut scene = Scene::default();
    scene.add_from(0, vote(3, 1), true);
    scene.add(1, vote(3, 1));
    let (job, _) = scene.add(3, vote(3, 1)).expect("a quorum");
    let (_, from_timeouts) = scene.verdict(job, &[]).expect("good");
    assert!(from_timeouts);
}

#[test]
fn votes_below_a_view_are_dropped_and_those_of_it_kept() {
    let mut scene = Scene::default();
    for view in [2, 3, 4] {
        scene.add(0, vote(view, 1));
        scene.add(1, vote(view, 1));
    }
    assert_eq!(scene.tally.len(), 6);
    scene.tally.prune_below(View::new(3));
    assert_eq!(scene.tally.len(), 4);
    assert!(scene.add(3, vote(3, 1)).is_some(), "those of view 3 are there");
}
