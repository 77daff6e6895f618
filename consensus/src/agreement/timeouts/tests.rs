//! One view's timeouts and their checks, without a committee.

use super::*;
use crate::agreement::tests::made::{qc, signers, tip};
use crate::context::Names;
use crate::output::Output;
use crate::testing::set_of;
use chorale_types::certificate::EntryCert;
use chorale_types::time::{Instant, Now, Timestamp};
use chorale_types::vote::VoteKind;

const VIEW: View = View::new(6);
const AGGREGATE: BlsSignature = BlsSignature::from_bytes([4; 96]);

/// Ten units of stake: a quorum is 7, stake A is 4.
fn set() -> ValidatorSet {
    set_of(&[3, 3, 3, 1])
}

fn index(at: u16) -> ValidatorIndex {
    ValidatorIndex::new(at)
}

/// "I give up `view`", with a lock of view `lock`.
fn of_view(view: u64, lock: u64, tip: Option<Tip>) -> Arc<Timeout> {
    let high_qc = qc(&set(), VoteKind::Prepare, lock, 1);
    let (entry, signature) = (EntryCert::Qc(high_qc.clone()), BlsSignature::from_bytes([1; 96]));
    Arc::new(Timeout { view: View::new(view), high_qc, tip, entry, prepare: None, signature })
}

fn timeout(lock: u64, tip: Option<Tip>) -> Arc<Timeout> {
    of_view(VIEW.get(), lock, tip)
}

#[derive(Default)]
struct Scene {
    timeouts: Timeouts,
    names: Names,
    out: Vec<Output>,
}

impl Scene {
    fn step<T>(&mut self, act: impl FnOnce(&mut Timeouts, &mut Context<'_>) -> T) -> T {
        let now = Now { monotonic: Instant::from_micros(1), wall: Timestamp::from_millis(1) };
        self.out.clear();
        act(&mut self.timeouts, &mut Context::new(now, &mut self.names, &mut self.out))
    }

    /// Hands in a timeout; returns whose timeouts are checked on it.
    fn add(&mut self, from: u16, timeout: Arc<Timeout>) -> Option<(JobId, Vec<u16>)> {
        self.step(|timeouts, ctx| timeouts.add(&set(), index(from), timeout, ctx));
        self.asked()
    }

    fn asked(&self) -> Option<(JobId, Vec<u16>)> {
        self.out.iter().find_map(|output| match output {
            Output::Verify(job) => {
                let Work::Timeouts { shares } = &job.work else { panic!("{job:?}") };
                Some((job.id, shares.iter().map(|(at, _, _)| at.get()).collect()))
            }
            _ => None,
        })
    }

    fn verdict(&mut self, job: JobId, bad: &[u16]) -> Option<Progress> {
        let bad: Vec<ValidatorIndex> = bad.iter().copied().map(index).collect();
        let answer = (&bad[..], Some(AGGREGATE));
        self.step(|timeouts, ctx| timeouts.on_checked(&set(), (VIEW, job), answer, ctx))
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
fn a_check_is_asked_for_at_stake_a_and_again_at_a_quorum() {
    let mut scene = Scene::default();
    assert_eq!(scene.add(0, timeout(3, None)), None, "stake 3");
    assert_eq!(scene.timeouts.stake(&set(), VIEW), 3);
    let (job, of) = scene.add(3, timeout(3, None)).expect("stake 4");
    assert_eq!((of, scene.timeouts.checking(VIEW)), (vec![0, 3], Some(job)));
    assert_eq!(scene.verdict(job, &[]), Some(Progress::OneHonest));
    assert_eq!((scene.asked(), scene.timeouts.checking(VIEW)), (None, None), "no more for now");
    let (job, of) = scene.add(1, timeout(3, None)).expect("stake 7");
    assert_eq!(of, [0, 1, 3], "everything again, together");
    assert!(matches!(scene.verdict(job, &[]), Some(Progress::Quorum(_))));
}

#[test]
fn between_stake_a_and_a_quorum_nothing_is_checked_twice() {
    // Stakes of one: A is 3 of 7, a quorum 5.
    let set = set_of(&[1; 7]);
    let mut scene = Scene::default();
    let add = |scene: &mut Scene, from: u16| {
        scene.step(|timeouts, ctx| timeouts.add(&set, index(from), timeout(3, None), ctx));
        scene.asked()
    };
    assert_eq!((add(&mut scene, 0), add(&mut scene, 1)), (None, None));
    let (job, _) = add(&mut scene, 2).expect("stake A");
    let answer = (&[][..], Some(AGGREGATE));
    let progress = scene.step(|t, ctx| t.on_checked(&set, (VIEW, job), answer, ctx));
    assert_eq!(progress, Some(Progress::OneHonest));
    assert_eq!(add(&mut scene, 3), None, "stake 4: neither");
    let (_, of) = add(&mut scene, 4).expect("a quorum");
    assert_eq!(of, [0, 1, 2, 3, 4]);
}

#[test]
fn while_a_check_runs_none_is_asked_for_and_after_it_the_rest_is() {
    let mut scene = Scene::default();
    scene.add(0, timeout(3, None));
    let (job, of) = scene.add(1, timeout(3, None)).expect("stake 6");
    assert_eq!(of, [0, 1]);
    assert_eq!(scene.add(2, timeout(3, None)), None, "one check at a time");
    assert_eq!(scene.verdict(job, &[]), Some(Progress::OneHonest));
    let (job, of) = scene.asked().expect("a quorum came meanwhile");
    assert_eq!(of, [0, 1, 2]);
    assert!(matches!(scene.verdict(job, &[]), Some(Progress::Quorum(_))));
    assert_eq!(scene.verdict(job, &[]), None, "once");
    assert_eq!(scene.add(3, timeout(3, None)), None, "nothing more is needed");
    assert_eq!(scene.timeouts.len(), 3);
}

#[test]
fn a_bad_share_shuts_its_sender_out_and_does_not_count() {
    let mut scene = Scene::default();
    scene.add(0, timeout(3, None));
    let (job, _) = scene.add(3, timeout(3, None)).expect("stake 4");
    assert_eq!(scene.verdict(job, &[0]), None, "stake 1 is good");
    assert_eq!(scene.reported(), [(0, Fault::BadSignature)]);
    assert_eq!(scene.timeouts.taken(index(0), &timeout(3, None)), Some(true));
    assert_eq!(scene.add(0, timeout(3, None)), None, "shut out");
    assert_eq!((scene.timeouts.len(), scene.timeouts.stake(&set(), VIEW)), (1, 1));
    let (job, of) = scene.add(1, timeout(3, None)).expect("stake 4 again");
    assert_eq!(of, [1, 3]);
    assert_eq!(scene.verdict(job, &[]), Some(Progress::OneHonest));
}

#[test]
fn a_quorum_of_which_one_is_bad_is_stake_a_and_no_certificate() {
    let mut scene = Scene::default();
    scene.add(0, timeout(3, None));
    let (job, _) = scene.add(3, timeout(3, None)).expect("stake 4");
    scene.verdict(job, &[]);
    let (job, _) = scene.add(1, timeout(3, None)).expect("stake 7");
    assert_eq!(scene.verdict(job, &[1]), Some(Progress::OneHonest), "stake 4 stays good");
    assert_eq!(scene.reported(), [(1, Fault::BadSignature)]);
    let (job, of) = scene.add(2, timeout(3, None)).expect("stake 7 again");
    assert_eq!(of, [0, 2, 3]);
    assert!(matches!(scene.verdict(job, &[]), Some(Progress::Quorum(_))));
}

#[test]
fn an_answer_to_another_check_changes_nothing() {
    let mut scene = Scene::default();
    scene.add(0, timeout(3, None));
    let (job, _) = scene.add(1, timeout(3, None)).expect("stake 6");
    assert_eq!(scene.verdict(JobId(job.0 + 1), &[0]), None);
    assert_eq!((scene.reported(), scene.timeouts.checking(VIEW)), (vec![], Some(job)));
    assert_eq!(scene.timeouts.checking(View::new(7)), None);
}

#[test]
fn a_second_timeout_that_signs_something_else_is_reported_and_the_first_stays() {
    let mut scene = Scene::default();
    let (first, other) = (timeout(3, None), timeout(4, None));
    assert_eq!(scene.timeouts.taken(index(0), &first), None);
    scene.add(0, Arc::clone(&first));
    assert_eq!(scene.timeouts.taken(index(0), &first), Some(true));
    assert_eq!(scene.timeouts.taken(index(0), &other), Some(false));
    assert_eq!(scene.timeouts.taken(index(1), &first), None);
    scene.add(0, Arc::clone(&first));
    assert_eq!(scene.reported(), [], "the same again is no fault");
    scene.add(0, other);
    assert_eq!(scene.reported(), [(0, Fault::Equivocation)]);
    let (job, _) = scene.add(1, timeout(2, None)).expect("stake 6");
    scene.add(3, timeout(2, None));
    scene.verdict(job, &[]);
    let (job, _) = scene.asked().expect("stake 7");
    let Some(Progress::Quorum(cert)) = scene.verdict(job, &[]) else { panic!("a quorum") };
    assert_eq!(cert.high_qc.view(), View::new(3), "the first");
}

#[test]
fn a_certificate_groups_the_reports_and_carries_the_highest_lock() {
    let mut scene = Scene::default();
    let marked = |lock: u64, tip, mark: u8| {
        let mut timeout = Timeout::clone(&timeout(lock, tip));
        timeout.high_qc.signature = BlsSignature::from_bytes([mark; 96]);
        Arc::new(timeout)
    };
    scene.add(0, marked(3, Some(tip(5, 8)), 10));
    let (job, _) = scene.add(1, marked(4, None, 11)).expect("stake 6");
    scene.add(2, marked(4, None, 12));
    scene.add(3, marked(2, Some(tip(5, 8)), 13));
    scene.verdict(job, &[]);
    let (job, of) = scene.asked().expect("all");
    assert_eq!(of, [0, 1, 2, 3]);
    let Some(Progress::Quorum(cert)) = scene.verdict(job, &[]) else { panic!("a quorum") };
    assert_eq!((cert.epoch, cert.view, cert.signature), (set().epoch(), VIEW, AGGREGATE));
    let groups = cert.groups.iter().map(|g| (g.high_qc_view.get(), g.tip, g.signers));
    let expected = [
        (2, Some(tip(5, 8)), signers(&set(), &[3])),
        (3, Some(tip(5, 8)), signers(&set(), &[0])),
        (4, None, signers(&set(), &[1, 2])),
    ];
    assert!(groups.eq(expected), "{:?}", cert.groups);
    assert_eq!(cert.high_qc.view(), View::new(4));
    let first = BlsSignature::from_bytes([11; 96]);
    assert_eq!(cert.high_qc.signature, first, "of equals the one of the lowest index, always");
}

#[test]
fn timeouts_below_a_view_are_dropped_and_those_of_it_kept() {
    let mut scene = Scene::default();
    for view in [5, 6, 7] {
        scene.add(0, of_view(view, 3, None));
    }
    scene.timeouts.prune_below(VIEW);
    assert_eq!(scene.timeouts.len(), 2);
    let stakes = [5, 6, 7].map(|view| scene.timeouts.stake(&set(), View::new(view)));
    assert_eq!(stakes, [0, 3, 3]);
}
