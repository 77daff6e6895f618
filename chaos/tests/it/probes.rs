//! Every probe, as a test of its own name.

use chorale_chaos::probes::PROBES;

macro_rules! tests {
    ($($name:ident)*) => {
        $(#[test] fn $name() { play(stringify!($name)); })*

        #[test]
        fn every_probe_is_a_test() {
            let tests = [$(stringify!($name)),*];
            let probes: Vec<&str> = PROBES.iter().map(|probe| probe.name).collect();
            assert_eq!(tests.as_slice(), probes);
        }
    };
}

fn play(name: &str) {
    let probe = PROBES.iter().find(|probe| probe.name == name);
    (probe.expect("a probe of this name").play)();
}

tests! {
    a_leader_with_two_blocks_gets_at_most_one_certified
    what_everybody_prepared_is_kept_although_its_certificate_is_hidden
    who_gave_a_view_up_does_not_vote_to_commit_in_it
    certificates_of_prepare_votes_make_nothing_final
    prepare_votes_inside_timeouts_complete_the_certificate
    two_timeout_certificates_of_one_view_lead_to_the_same_block
    one_member_that_forgot_its_votes_does_not_fork_the_chain
    two_members_that_forgot_their_votes_fork_it_and_that_is_seen
    a_member_that_starts_again_does_not_vote_again_in_the_view
    two_silent_leaders_cost_two_timeouts_and_lose_nothing
    two_certificates_in_a_row_do_not_beat_a_supported_tip
    a_certificate_inside_a_timeout_certificate_is_adopted_before_the_vote
    a_place_is_acknowledged_once_and_nothing_stands_on_the_wrong_batch
    a_forged_header_of_an_honest_lane_causes_no_fetch
    the_same_report_with_other_unsigned_parts_is_no_contradiction
    support_for_a_tip_is_counted_over_all_groups
    a_member_that_knows_only_a_commit_certificate_is_not_mute
    a_forged_certificate_in_a_proposal_is_not_adopted
    a_forged_entry_certificate_moves_no_view
    a_forged_commit_certificate_is_no_aim
    a_proposal_for_a_view_gone_by_gets_no_vote
    a_member_that_does_not_lead_gets_no_vote
    a_proposal_of_a_member_that_does_not_lead_costs_no_check
    a_certificate_of_another_block_than_the_parent_is_refused
    a_block_below_the_highest_certificate_reported_is_refused
    votes_for_views_far_ahead_are_not_kept
    a_vote_that_comes_twice_hinders_nothing
    a_bad_share_costs_its_sender_alone
    the_view_timer_grows_up_to_five_bases_and_a_commit_brings_it_back
    a_certificate_shown_to_one_member_brings_all_along
    a_lost_timeout_is_sent_again
    an_answer_that_comes_late_is_no_fault
    a_member_that_lags_is_shown_the_way_once_in_a_while
    a_leader_that_starts_again_does_not_propose_again
    a_vote_record_survives_a_power_cut_right_after_it_was_made
    an_acknowledgement_is_known_again_after_a_restart
    what_was_delivered_is_remembered_after_a_restart
    an_id_is_remembered_however_many_come_after_it
    an_outage_does_not_empty_the_window
    every_transaction_of_a_block_is_delivered_or_skipped
    a_key_without_proof_of_possession_is_refused
    a_quorum_is_counted_in_stake
    a_quorum_is_more_than_two_thirds
    signers_of_another_set_are_refused
    a_signer_counts_once_in_a_timeout_certificate
    a_signer_set_has_one_encoding
    a_vote_is_of_one_view_and_chain
    a_timeout_is_of_one_view
    points_outside_the_group_are_no_keys
}
