//! Small tries of one rule each: a committee driven by hand, or a piece of the code by itself. A
//! probe panics when a rule does not hold; the tests play all of them, and so does the museum,
//! which plants bugs and asks which probe notices.
//!
//! The fixed schedules (`s01` and on) are the ways in which protocols of this family were broken,
//! played move by move. Members 0, 1, 2 are real replicas and member 3 is played by the probe,
//! unless it says otherwise; a quorum is three, and two contain one who keeps to the rules. The
//! numbers are those of the list the schedules come from. Not here yet: the two that need
//! optimistic proposals (9 and 13) and the two at the end of an epoch (7 and 16), which come with
//! what they test.
#![allow(clippy::unwrap_used, reason = "a probe that cannot be played fails, by panic")]

mod certificates;
mod durable;
mod forged;
mod genesis;
mod lanes;
mod liveness;
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
mod windows;

use crate::sim::schedule::Committee;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The three real members.
const REAL: [usize; 3] = [0, 1, 2];
/// The member that the probe plays.
const FAULTY: usize = 3;

/// One try.
#[derive(Clone, Copy, Debug)]
pub struct Probe {
    /// What it shows, as a sentence.
    pub name: &'static str,
    /// Plays it.
    ///
    /// # Panics
    /// When what it shows does not hold.
    pub play: fn(),
}

macro_rules! probes {
    ($($module:ident::$name:ident),* $(,)?) => {
        /// All of them, cheap ones and fixed schedules first.
        pub const PROBES: &[Probe] =
            &[$(Probe { name: stringify!($name), play: $module::$name }),*];
    };
}

probes![
    s01_split_prepare::a_leader_with_two_blocks_gets_at_most_one_certified,
    s02_hidden_certificate::what_everybody_prepared_is_kept_although_its_certificate_is_hidden,
    s03_late_certificate::who_gave_a_view_up_does_not_vote_to_commit_in_it,
    s04_gap::certificates_of_prepare_votes_make_nothing_final,
    s05_backup_certificate::prepare_votes_inside_timeouts_complete_the_certificate,
    s06_two_reports::two_timeout_certificates_of_one_view_lead_to_the_same_block,
    s08_restart_twins::one_member_that_forgot_its_votes_does_not_fork_the_chain,
    s08_restart_twins::two_members_that_forgot_their_votes_fork_it_and_that_is_seen,
    s08_restart_twins::a_member_that_starts_again_does_not_vote_again_in_the_view,
    s10_two_silent_leaders::two_silent_leaders_cost_two_timeouts_and_lose_nothing,
    s11_tip_against_two_chain::two_certificates_in_a_row_do_not_beat_a_supported_tip,
    s12_old_certificate::a_certificate_inside_a_timeout_certificate_is_adopted_before_the_vote,
    s14_twin_lane_owner::a_place_is_acknowledged_once_and_nothing_stands_on_the_wrong_batch,
    s14_twin_lane_owner::a_forged_header_of_an_honest_lane_causes_no_fetch,
    s15_unsigned_parts::the_same_report_with_other_unsigned_parts_is_no_contradiction,
    s17_support_over_groups::support_for_a_tip_is_counted_over_all_groups,
    s18_entry_by_commit::a_member_that_knows_only_a_commit_certificate_is_not_mute,
    forged::a_forged_certificate_in_a_proposal_is_not_adopted,
    forged::a_forged_entry_certificate_moves_no_view,
    forged::a_forged_commit_certificate_is_no_aim,
    forged::a_proposal_for_a_view_gone_by_gets_no_vote,
    forged::a_member_that_does_not_lead_gets_no_vote,
    forged::a_proposal_of_a_member_that_does_not_lead_costs_no_check,
    forged::a_certificate_of_another_block_than_the_parent_is_refused,
    forged::a_block_below_the_highest_certificate_reported_is_refused,
    forged::votes_for_views_far_ahead_are_not_kept,
    liveness::a_vote_that_comes_twice_hinders_nothing,
    liveness::a_bad_share_costs_its_sender_alone,
    liveness::the_view_timer_grows_up_to_five_bases_and_a_commit_brings_it_back,
    liveness::a_certificate_shown_to_one_member_brings_all_along,
    liveness::a_lost_timeout_is_sent_again,
    liveness::an_answer_that_comes_late_is_no_fault,
    liveness::a_member_that_lags_is_shown_the_way_once_in_a_while,
    durable::a_leader_that_starts_again_does_not_propose_again,
    durable::a_vote_record_survives_a_power_cut_right_after_it_was_made,
    lanes::an_acknowledgement_is_known_again_after_a_restart,
    windows::what_was_delivered_is_remembered_after_a_restart,
    windows::an_id_is_remembered_however_many_come_after_it,
    windows::an_outage_does_not_empty_the_window,
    windows::every_transaction_of_a_block_is_delivered_or_skipped,
    genesis::a_key_without_proof_of_possession_is_refused,
    certificates::a_quorum_is_counted_in_stake,
    certificates::a_quorum_is_more_than_two_thirds,
    certificates::signers_of_another_set_are_refused,
    certificates::a_signer_counts_once_in_a_timeout_certificate,
    certificates::a_signer_set_has_one_encoding,
    certificates::a_vote_is_of_one_view_and_chain,
    certificates::a_timeout_is_of_one_view,
    certificates::points_outside_the_group_are_no_keys,
];

impl Probe {
    /// Plays it, and takes a panic for what it is.
    ///
    /// # Errors
    /// With what did not hold.
    pub fn try_it(&self) -> Result<(), String> {
        catch_unwind(AssertUnwindSafe(self.play)).map_err(|panic| text_of(&*panic))
    }
}

/// What a panic said.
#[must_use]
pub(crate) fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no text").to_owned()
}

/// Four members, the first views led by `leaders`; the probe plays the last.
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
