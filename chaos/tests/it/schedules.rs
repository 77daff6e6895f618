//! Fixed schedules: the ways in which protocols of this family were broken, played move by move.
//!
//! Members 0, 1, 2 are real replicas and member 3 is played by the test, unless a schedule says
//! otherwise; a quorum is three, and two contain one who keeps to the rules. The numbers are those
//! of the list the schedules come from. Not here yet: the two that need optimistic proposals (9
//! and 13) and the two at the end of an epoch (7 and 16), which come with what they test.

mod s01_split_prepare;
mod s02_hidden_certificate;
mod s03_late_certificate;
mod s04_gap;
mod s05_backup_certificate;
mod s06_two_reports;
mod s08_restart_twins;
mod s10_two_silent_leaders;
mod s11_tip_against_two_chain;
mod s12_old_certificate;
mod s14_twin_lane_owner;
mod s15_unsigned_parts;
mod s17_support_over_groups;
mod s18_entry_by_commit;

use chorale_chaos::sim::schedule::Committee;

/// The three real members.
const REAL: [usize; 3] = [0, 1, 2];
/// The member that the test plays.
const FAULTY: usize = 3;

/// Four members, the first views led by `leaders`; the test plays the last.
fn committee(leaders: &[usize]) -> Committee {
    Committee::new(4, leaders, &[FAULTY])
}

/// Lets the next leader propose, or the view pass, until the real members have made something new
/// final; at most eight views.
fn go_on(committee: &mut Committee) {
    let before = committee.finals(0).len();
    for _ in 0..8 {
        committee.flow(&REAL);
        committee.refuse_asks();
        committee.flow(&REAL);
        if REAL.iter().all(|member| committee.finals(*member).len() > before) {
            return;
        }
        let status = committee.status(0);
        let leader = status.leader.as_usize();
        let stuck = leader == FAULTY || committee.status(leader).view != status.view;
        if !stuck {
            committee.propose(leader);
            committee.flow(&REAL);
        }
        if committee.status(0).view == status.view {
            for member in REAL {
                committee.give_up(member);
            }
        }
    }
}

/// Nobody forked, and everybody has the same final blocks, at least so many.
fn assert_one_chain(committee: &Committee, least: usize) {
    assert!(!committee.is_forked(), "two blocks are final at one height");
    let finals = committee.finals(0);
    assert!(finals.len() >= least, "{} blocks are final, {least} expected", finals.len());
    for member in REAL {
        assert_eq!(committee.finals(member), finals, "member {member} follows");
    }
}
