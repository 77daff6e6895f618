//! Each rule at its edge: the last view that is refused, and the first that is allowed.

use super::*;
use crate::agreement::tests::made::{blocks, proposal, qc, tc};
use crate::context::Names;
use crate::testing::set_of;
use chorale_types::message::ProposalClass;
use chorale_types::time::{Instant, Now, Timestamp};
use chorale_types::validators::ValidatorSet;

fn set() -> ValidatorSet {
    set_of(&[1, 1, 1, 1])
}

fn view(view: u64) -> View {
    View::new(view)
}

fn cc(at: u64) -> CommitCert {
    CommitCert::new(qc(&set(), VoteKind::Commit, at, 1)).expect("of commit kind")
}

/// Voted up to view 3, gave up view 4, signed commits up to view 2, proposed in view 5; locked in
/// view 2.
fn record() -> VoteRecord {
    VoteRecord {
        last_voted_view: view(3),
        highest_timeout_view: view(4),
        last_commit_view: view(2),
        last_proposed: Some((view(5), ProposalClass::Justified, set().start().vote.block)),
        high_qc: qc(&set(), VoteKind::Prepare, 2, 1),
        ..VoteRecord::new(set().start().clone())
    }
}

fn fresh() -> Safety {
    Safety::new(VoteRecord::new(set().start().clone()), true)
}

/// Runs one step; returns what it asks the host to do.
fn step(act: impl FnOnce(&mut Context<'_>)) -> Vec<Output> {
    let now = Now { monotonic: Instant::from_micros(1), wall: Timestamp::from_millis(1) };
    let (mut names, mut out) = (Names::default(), Vec::new());
    act(&mut Context::new(now, &mut names, &mut out));
    out
}

/// Asserts that a statement is tied to a record that is asked to be durable before it, and gives
/// that record.
fn durable_first(out: &[Output]) -> (&VoteRecord, &Statement) {
    let [Output::Persist(id, Record::Vote { record, .. }), sent] = out else { panic!("{out:?}") };
    let Output::Send(Recipients::All, statement, Some(after)) = sent else { panic!("{sent:?}") };
    assert_eq!(after, id);
    let tied = match statement {
        Statement::Vote(cleared) => cleared.record(),
        Statement::Timeout(cleared) => cleared.record(),
        Statement::Proposal(cleared) => cleared.record(),
        other => panic!("{other:?}"),
    };
    assert_eq!(tied, *id);
    (record, statement)
}

fn prepare(safety: &mut Safety, at: u64) -> Vec<Output> {
    let block = blocks(&set(), 1).remove(0);
    let (epoch, height) = (set().epoch(), block.header.height);
    let vote = Vote { epoch, view: view(at), height, block: block.hash() };
    step(|ctx| safety.prepare(vote, block, Height::ZERO, ctx))
}

fn commit(safety: &mut Safety, qc: &QuorumCert) -> Vec<Output> {
    step(|ctx| safety.commit(qc, Height::ZERO, ctx))
}

fn time_out(safety: &mut Safety, at: u64) -> Vec<Output> {
    let entry = EntryCert::Qc(set().start().clone());
    step(|ctx| safety.time_out(view(at), entry, None, ctx))
}

#[test]
fn a_higher_certificate_becomes_the_lock_and_an_equal_or_lower_one_does_not() {
    let mut safety = Safety::new(record(), true);
    let first = safety.record().high_qc.clone();
    for at in [0, 1, 2] {
        safety.adopt_qc(&qc(&set(), VoteKind::Commit, at, 9));
        assert_eq!(safety.record().high_qc, first, "view {at}");
    }
    for at in [3, 7] {
        let higher = qc(&set(), VoteKind::Prepare, at, 2);
        safety.adopt_qc(&higher);
        assert_eq!(safety.record().high_qc, higher);
    }
}

#[test]
fn the_highest_timeout_certificate_is_kept_and_the_first_of_a_view() {
    let mut safety = fresh();
    let (three, other) = (tc(&set(), 3, &[(2, None, &[0, 1, 2])]), (3, 1));
    safety.adopt_tc(&three);
    for (at, lock) in [other, (2, 1), (1, 0)] {
        safety.adopt_tc(&tc(&set(), at, &[(lock, None, &[1, 2, 3])]));
        assert_eq!(safety.record().high_tc.as_ref(), Some(&three), "view {at}");
    }
    let four = tc(&set(), 4, &[(2, None, &[0, 1, 2])]);
    safety.adopt_tc(&four);
    assert_eq!(safety.record().high_tc, Some(four));
}

#[test]
fn the_highest_commit_certificate_is_kept_and_the_first_of_a_view() {
    let mut safety = fresh();
    safety.adopt_cc(&cc(3));
    let mut twin = cc(3).as_qc().clone();
    twin.signature = BlsSignature::from_bytes([9; 96]);
    let twin = CommitCert::new(twin).expect("of commit kind");
    for lower in [&twin, &cc(2), &cc(1)] {
        safety.adopt_cc(lower);
        assert_eq!(safety.record().high_cc, Some(cc(3)));
    }
    safety.adopt_cc(&cc(4));
    assert_eq!(safety.record().high_cc, Some(cc(4)));
}

#[test]
fn refuses_to_prepare_in_another_view_and_at_or_below_the_last() {
    let running = Safety { floor: View::ZERO, ..Safety::new(record(), true) };
    for (at, current) in [(6, 7), (7, 6)] {
        let refused = Refused::OtherView { got: view(at), current: view(current) };
        assert_eq!(running.check_prepare(view(at), view(current)), Err(refused));
    }
    let restarted = Safety::new(record(), true);
    for (safety, last) in [(running, 3), (restarted, 5)] {
        for at in [1, last - 1, last] {
            let refused = Refused::AlreadyVoted { last: view(last) };
            assert_eq!(safety.check_prepare(view(at), view(at)), Err(refused));
        }
        for at in [last + 1, last + 9] {
            assert_eq!(safety.check_prepare(view(at), view(at)), Ok(()));
        }
    }
    let follows = Safety::new(record(), false);
    assert_eq!(follows.check_prepare(view(9), view(9)), Err(Refused::NotVoting));
}

#[test]
fn after_a_restart_the_floor_is_the_highest_view_of_any_statement_but_a_commit_vote() {
    let floor = |change: &dyn Fn(&mut VoteRecord)| {
        let mut record = record();
        change(&mut record);
        Safety::new(record, true).floor
    };
    assert_eq!(floor(&|_| {}), view(5), "proposed");
    assert_eq!(floor(&|r| r.last_proposed = None), view(4), "given up");
    assert_eq!(floor(&|r| r.last_voted_view = view(8)), view(8), "voted");
    assert_eq!(floor(&|r| r.last_commit_view = view(8)), view(5));
}

#[test]
fn a_prepare_vote_moves_the_view_and_the_tip_and_waits_for_its_record() {
    let mut safety = fresh();
    let out = prepare(&mut safety, 6);
    let (record, statement) = durable_first(&out);
    assert_eq!(record, safety.record());
    let Statement::Vote(cleared) = statement else { panic!("{statement:?}") };
    let vote = cleared.statement().vote;
    assert_eq!((cleared.statement().kind, vote.view), (VoteKind::Prepare, view(6)));
    assert_eq!((record.last_voted_view, record.last_prepare), (view(6), Some(vote)));
    assert_eq!(record.tip, Some(vote.tip()));
    assert!(
        matches!(&out[0], Output::Persist(_, Record::Vote { blocks, .. }) if blocks.len() == 1)
    );
    prepare(&mut safety, 7);
}

#[test]
#[should_panic(expected = "V2")]
fn a_second_prepare_vote_in_a_view_is_a_bug_and_stops() {
    let mut safety = fresh();
    prepare(&mut safety, 6);
    prepare(&mut safety, 6);
}

#[test]
#[should_panic(expected = "V2")]
fn a_prepare_vote_at_the_floor_is_a_bug_and_stops() {
    prepare(&mut Safety::new(record(), true), 5);
}

#[test]
#[should_panic(expected = "V2")]
fn a_prepare_vote_of_a_replica_that_does_not_vote_is_a_bug_and_stops() {
    prepare(&mut Safety::new(record(), false), 9);
}

#[test]
fn refuses_to_commit_in_a_view_given_up_or_committed_in() {
    let certified = |at| qc(&set(), VoteKind::Prepare, at, 1);
    let safety = Safety::new(record(), true);
    for at in [1, 2, 3, 4] {
        assert!(!safety.may_commit(&certified(at)), "gave up view 4, asked for {at}");
    }
    for at in [5, 9] {
        assert!(safety.may_commit(&certified(at)), "C1 knows no floor");
    }
    let record = VoteRecord { highest_timeout_view: View::ZERO, ..record() };
    for at in [1, 2] {
        assert!(!Safety::new(record.clone(), true).may_commit(&certified(at)), "view {at}");
    }
    for at in [3, 9] {
        assert!(Safety::new(record.clone(), true).may_commit(&certified(at)), "view {at}");
        assert!(!Safety::new(record.clone(), false).may_commit(&certified(at)), "not voting");
    }
}

#[test]
fn a_commit_vote_moves_its_view_and_waits_for_its_record() {
    for lock in [6, 8] {
        let mut safety = fresh();
        let certified = qc(&set(), VoteKind::Prepare, 6, 1);
        safety.adopt_qc(&qc(&set(), VoteKind::Prepare, lock, 1));
        let out = commit(&mut safety, &certified);
        let (record, statement) = durable_first(&out);
        assert_eq!(record, safety.record());
        let Statement::Vote(cleared) = statement else { panic!("{statement:?}") };
        assert_eq!(cleared.statement().kind, VoteKind::Commit);
        assert_eq!(cleared.statement().vote, certified.vote);
        assert_eq!((record.last_commit_view, record.last_commit), (view(6), Some(certified.vote)));
        assert!(!safety.may_commit(&certified), "once");
    }
}

#[test]
#[should_panic(expected = "C1")]
fn a_commit_vote_above_the_lock_is_a_bug_and_stops() {
    let mut safety = fresh();
    safety.adopt_qc(&qc(&set(), VoteKind::Prepare, 5, 1));
    commit(&mut safety, &qc(&set(), VoteKind::Prepare, 6, 1));
}

#[test]
#[should_panic(expected = "C1")]
fn a_commit_vote_in_a_view_given_up_is_a_bug_and_stops() {
    let mut safety = Safety::new(record(), true);
    safety.adopt_qc(&qc(&set(), VoteKind::Prepare, 6, 1));
    commit(&mut safety, &qc(&set(), VoteKind::Prepare, 4, 1));
}

#[test]
fn refuses_to_give_a_view_up_twice_or_below_one_given_up() {
    let safety = Safety::new(record(), true);
    for at in [1, 3, 4] {
        assert!(!safety.may_time_out(view(at)), "view {at}");
    }
    for at in [5, 6, 9] {
        assert!(safety.may_time_out(view(at)), "R2: no floor for view {at}");
        assert!(!Safety::new(record(), false).may_time_out(view(at)), "not voting");
    }
}

#[test]
fn giving_a_view_up_ends_votes_in_it_and_waits_for_its_record() {
    let mut safety = Safety::new(record(), true);
    let out = time_out(&mut safety, 7);
    let (record, statement) = durable_first(&out);
    assert_eq!(record, safety.record());
    let Statement::Timeout(cleared) = statement else { panic!("{statement:?}") };
    let statement = cleared.statement();
    assert_eq!((statement.view, statement.high_qc.view()), (view(7), view(2)));
    assert_eq!((record.highest_timeout_view, record.last_voted_view), (view(7), view(7)));
    assert_eq!(record.last_timeout.as_ref(), Some(statement));
    let refused = Refused::AlreadyVoted { last: view(7) };
    assert_eq!(safety.check_prepare(view(7), view(7)), Err(refused));
    assert_eq!(safety.check_prepare(view(8), view(8)), Ok(()));
    assert!(!safety.may_time_out(view(7)) && safety.may_time_out(view(8)));
    let voted_later = VoteRecord { last_voted_view: view(9), ..safety.record().clone() };
    let mut safety = Safety::new(voted_later, true);
    time_out(&mut safety, 8);
    assert_eq!(safety.record().last_voted_view, view(9), "views only rise");
}

#[test]
#[should_panic(expected = "T1")]
fn a_second_timeout_of_a_view_is_a_bug_and_stops() {
    time_out(&mut Safety::new(record(), true), 4);
}

#[test]
#[should_panic(expected = "would have left the view")]
fn a_timeout_of_the_view_of_the_lock_is_a_bug_and_stops() {
    let mut safety = fresh();
    safety.adopt_qc(&qc(&set(), VoteKind::Prepare, 6, 1));
    time_out(&mut safety, 6);
}

#[test]
fn a_timeout_just_above_the_lock_is_allowed() {
    let mut safety = fresh();
    safety.adopt_qc(&qc(&set(), VoteKind::Prepare, 6, 1));
    assert_eq!(time_out(&mut safety, 7).len(), 2);
}

#[test]
fn refuses_to_propose_in_a_view_proposed_voted_or_given_up() {
    let running = Safety { floor: View::ZERO, ..Safety::new(record(), true) };
    let voted = VoteRecord { last_voted_view: view(6), ..record() };
    let voted = Safety { floor: View::ZERO, ..Safety::new(voted, true) };
    let restarted = Safety { floor: view(7), ..Safety::new(record(), true) };
    for (safety, last) in [(running, 5), (voted, 6), (restarted, 7)] {
        for at in [1, last - 1, last] {
            assert!(!safety.may_propose(view(at)), "view {at} of {last}");
        }
        for at in [last + 1, last + 9] {
            assert!(safety.may_propose(view(at)), "view {at} of {last}");
        }
    }
    assert!(!Safety::new(record(), false).may_propose(view(9)), "not voting");
    assert!(fresh().may_propose(view(1)) && !fresh().may_propose(View::ZERO));
}

#[test]
fn a_proposal_is_remembered_and_waits_for_its_record() {
    let mut safety = fresh();
    let made = proposal(&set(), 6);
    let out = step(|ctx| safety.propose(made.clone(), ctx));
    let (record, statement) = durable_first(&out);
    assert_eq!(record, safety.record());
    let expected = (view(6), ProposalClass::Justified, made.block_hash());
    assert_eq!(record.last_proposed, Some(expected));
    let Statement::Proposal(cleared) = statement else { panic!("{statement:?}") };
    assert_eq!(cleared.clone().into_statement(), made);
    assert!(!safety.may_propose(view(6)) && safety.may_propose(view(7)));
}

#[test]
#[should_panic(expected = "P2")]
fn a_second_proposal_in_a_view_is_a_bug_and_stops() {
    let mut safety = fresh();
    step(|ctx| safety.propose(proposal(&set(), 6), ctx));
    step(|ctx| safety.propose(proposal(&set(), 6), ctx));
}

#[test]
fn a_contradiction_is_made_durable_once_and_ends_everything() {
    let mut safety = fresh();
    assert!(safety.enabled());
    let mut first = false;
    let out = step(|ctx| first = safety.contradict(&cc(3), ctx));
    assert!(first && !safety.enabled());
    let [Output::Persist(_, Record::Vote { record: kept, .. })] = &out[..] else {
        panic!("{out:?}")
    };
    assert_eq!((&**kept, kept.contradiction.clone()), (safety.record(), Some(cc(3))));
    let out = step(|ctx| first = safety.contradict(&cc(4), ctx));
    assert!(!first && out.is_empty());
    assert_eq!(safety.record().contradiction, Some(cc(3)));
    assert!(!Safety::new(safety.record().clone(), true).enabled(), "nor after a restart");
    let mut follows = Safety::new(record(), false);
    let out = step(|ctx| first = follows.contradict(&cc(3), ctx));
    assert!(first && out.is_empty(), "a replica without a key has no record");
}

#[test]
fn after_a_restart_what_was_signed_last_is_sent_again_and_nothing_by_a_follower() {
    let mut safety = fresh();
    prepare(&mut safety, 6);
    let certified = qc(&set(), VoteKind::Prepare, 6, 1);
    safety.adopt_qc(&certified);
    commit(&mut safety, &certified);
    time_out(&mut safety, 7);
    let again = |votes: bool| {
        let restarted = Safety::new(safety.record().clone(), votes);
        step(|ctx| restarted.resend_after_restart(Height::ZERO, ctx))
    };
    let out = again(true);
    let kinds = out.iter().map(|output| match output {
        Output::Send(Recipients::All, Statement::Vote(cleared), None) => {
            (Some(cleared.statement().kind), cleared.statement().vote.view, cleared.record())
        }
        Output::Send(Recipients::All, Statement::Timeout(cleared), None) => {
            (None, cleared.statement().view, cleared.record())
        }
        other => panic!("{other:?}"),
    });
    let expected = [
        (Some(VoteKind::Prepare), view(6), RecordId(0)),
        (Some(VoteKind::Commit), view(6), RecordId(0)),
        (None, view(7), RecordId(0)),
    ];
    assert!(kinds.eq(expected), "{out:?}");
    assert_eq!(again(false), []);
}
