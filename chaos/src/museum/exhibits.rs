//! The bugs: what each does wrong, where it comes from, and what is to notice it.
//!
//! Names never change once given. Those with a number after M are of the list that was drawn up
//! before the code; those with T are rules of the protocol taken away one at a time. R is a bug
//! that was found in somebody's implementation, of the list in [`super::history`].

use super::Killer::{self, Probe, Sim, Twins};
use chorale_types::museum::Bug;

/// One bug.
#[derive(Clone, Copy, Debug)]
pub struct Exhibit {
    /// Which.
    pub bug: Bug,
    /// Its name.
    pub name: &'static str,
    /// What it does wrong.
    pub wrong: &'static str,
    /// Where it comes from, or the rule it takes away.
    pub source: &'static str,
    /// What must notice it, each by itself.
    pub killers: &'static [Killer],
}

impl Exhibit {
    /// The same bug, to be noticed by these.
    #[must_use]
    pub const fn only(self, killers: &'static [Killer]) -> Self {
        Self { killers, ..self }
    }
}

const fn one(
    (bug, name): (Bug, &'static str),
    wrong: &'static str,
    source: &'static str,
    killers: &'static [Killer],
) -> Exhibit {
    Exhibit { bug, name, wrong, source, killers }
}

/// All of them.
pub const EXHIBITS: &[Exhibit] = &[
    one(
        (Bug::QuorumOneShort, "M1-quorum-one-short"),
        "a quorum is one unit of stake too small",
        "A4, C2",
        &[Probe("a_quorum_is_more_than_two_thirds"), Twins, Sim],
    ),
    one(
        (Bug::HeadsNotStake, "M2-heads-not-stake"),
        "members are counted, not their stake",
        "A4",
        &[Probe("a_quorum_is_counted_in_stake")],
    ),
    one(
        (Bug::VotesNotSigners, "M3-votes-not-signers"),
        "one signer in two groups of a timeout certificate counts twice",
        "T4; R8, R11",
        &[Probe("a_signer_counts_once_in_a_timeout_certificate")],
    ),
    one(
        (Bug::BitmapPadding, "M4-bitmap-padding"),
        "bits past the last member are taken: one set, many encodings",
        "R11",
        &[Probe("a_signer_set_has_one_encoding")],
    ),
    one(
        (Bug::BitmapTooLong, "M5-bitmap-too-long"),
        "a bitmap for a set of another size is taken",
        "R19, R20",
        &[Probe("signers_of_another_set_are_refused")],
    ),
    one(
        (Bug::VoteViewUnbound, "M6-vote-view-unbound"),
        "votes do not sign their view",
        "R1",
        &[Probe("a_vote_is_of_one_view_and_chain")],
    ),
    one(
        (Bug::ChainUnbound, "M7-chain-unbound"),
        "nothing signed names its chain",
        "domain of signatures",
        &[Probe("a_vote_is_of_one_view_and_chain")],
    ),
    one(
        (Bug::PointsUnchecked, "M8-points-unchecked"),
        "keys outside the group of prime order are taken",
        "small subgroups",
        &[Probe("points_outside_the_group_are_no_keys")],
    ),
    one(
        (Bug::NoPossession, "M9-no-possession"),
        "keys need no proof of possession",
        "rogue keys",
        &[Probe("a_key_without_proof_of_possession_is_refused")],
    ),
    one(
        (Bug::LockNeverUpdated, "M10-lock-never-updated"),
        "no certificate is ever adopted",
        "A1",
        &[
            Probe("a_certificate_inside_a_timeout_certificate_is_adopted_before_the_vote"),
            Twins,
            Sim,
        ],
    ),
    one(
        (Bug::LockOnProposal, "M11-lock-on-proposal"),
        "the certificate in a proposal is adopted before it is checked",
        "A4; R7",
        &[Probe("a_forged_certificate_in_a_proposal_is_not_adopted"), Sim],
    ),
    one(
        (Bug::VotesTwice, "M12-votes-twice"),
        "what was voted or given up does not bind the next vote",
        "V2; R13",
        &[Probe("a_member_that_starts_again_does_not_vote_again_in_the_view"), Twins, Sim],
    ),
    one(
        (Bug::VotesInPastViews, "M13-votes-in-past-views"),
        "proposals of views gone by get a vote",
        "V1",
        &[Probe("a_proposal_for_a_view_gone_by_gets_no_vote")],
    ),
    one(
        (Bug::VoteRecordUnwritten, "M14-vote-record-unwritten"),
        "the vote record is kept in memory alone",
        "R1 of the protocol; R15",
        &[Probe("a_member_that_starts_again_does_not_vote_again_in_the_view"), Sim],
    ),
    one(
        (Bug::SentBeforeDurable, "M15-sent-before-durable"),
        "statements leave before their record is durable",
        "R1 of the protocol; R12, R15",
        &[Sim],
    ),
    one(
        (Bug::FolderNotSynced, "M16-folder-not-synced"),
        "the name of the vote record is never made durable",
        "R12",
        &[Probe("a_vote_record_survives_a_power_cut_right_after_it_was_made"), Sim],
    ),
    one(
        (Bug::TwoChainCommit, "M17-two-chain-commit"),
        "two certificates in a row make a block final",
        "C2",
        &[Probe("two_certificates_in_a_row_do_not_beat_a_supported_tip"), Sim],
    ),
    one(
        (Bug::CommitOfPrepares, "M18-commit-of-prepares"),
        "a certificate of prepare votes counts as one of commit votes",
        "C2",
        &[Probe("certificates_of_prepare_votes_make_nothing_final"), Sim],
    ),
    one(
        (Bug::AnyoneProposes, "M19-anyone-proposes"),
        "who leads a view is not looked at",
        "V1; R5",
        &[Probe("a_member_that_does_not_lead_gets_no_vote")],
    ),
    one(
        (Bug::ParentMismatch, "M20-parent-mismatch"),
        "a proposal may carry the certificate of another block than its parent",
        "V3",
        &[Probe("a_certificate_of_another_block_than_the_parent_is_refused")],
    ),
    one(
        (Bug::HighQcIgnored, "M21-high-qc-ignored"),
        "after a timeout a block may stand below the highest certificate reported",
        "V3(b)",
        &[Probe("a_block_below_the_highest_certificate_reported_is_refused")],
    ),
    one(
        (Bug::TimeoutViewUnbound, "M22-timeout-view-unbound"),
        "timeouts do not sign their view",
        "T1; R16",
        &[Probe("a_timeout_is_of_one_view")],
    ),
    one(
        (Bug::DuplicateVetoes, "M25-duplicate-vetoes"),
        "a vote that comes twice ends the tally of its view",
        "R2",
        &[Probe("a_vote_that_comes_twice_hinders_nothing")],
    ),
    one(
        (Bug::BadShareVetoes, "M26-bad-share-vetoes"),
        "one bad share spoils the check of all, and stays",
        "A4; R3, R9",
        &[Probe("a_bad_share_costs_its_sender_alone")],
    ),
    one(
        (Bug::NoFetch, "M27-no-fetch"),
        "blocks that are named and not held are not asked for",
        "S1; R4",
        &[
            Probe("a_certificate_inside_a_timeout_certificate_is_adopted_before_the_vote"),
            Twins,
            Sim,
        ],
    ),
    one(
        (Bug::BackoffNeverResets, "M28-backoff-never-resets"),
        "a commit does not bring the view timer back",
        "T5",
        &[Probe("the_view_timer_grows_up_to_five_bases_and_a_commit_brings_it_back"), Sim],
    ),
    one(
        (Bug::BackoffUncapped, "M29-backoff-uncapped"),
        "the view timer grows without a bound",
        "T5",
        &[Probe("the_view_timer_grows_up_to_five_bases_and_a_commit_brings_it_back")],
    ),
    one(
        (Bug::EntryUnchecked, "M30-entry-unchecked"),
        "a certificate that was passed on moves the view before it is checked",
        "N1, A4; R7",
        &[Probe("a_forged_entry_certificate_moves_no_view")],
    ),
    one(
        (Bug::AimsAtClaims, "M31-aims-at-claims"),
        "a height is chased that one member claims",
        "S2; R17, R23",
        &[Probe("a_forged_commit_certificate_is_no_aim")],
    ),
    one(
        (Bug::LateAnswerPunished, "M33-late-answer-punished"),
        "an answer that is not needed any more counts as a fault",
        "S1; R22",
        &[Probe("an_answer_that_comes_late_is_no_fault")],
    ),
    one(
        (Bug::ProposesAgain, "M34-proposes-again"),
        "a leader that starts again proposes another block in the same view",
        "P2; R14",
        &[Probe("a_leader_that_starts_again_does_not_propose_again"), Twins, Sim],
    ),
    one(
        (Bug::AvailableTooSoon, "M35-available-too-soon"),
        "users hear of a batch that it is available when only its owner has it",
        "L2.3",
        &[Sim],
    ),
    one(
        (Bug::WindowForgotten, "M38-window-forgotten"),
        "after a restart what was delivered is delivered again",
        "O2",
        &[Probe("what_was_delivered_is_remembered_after_a_restart"), Sim],
    ),
    one(
        (Bug::DropsAtBoundary, "M39-drops-at-boundary"),
        "of a block with several batches a rollup misses its last transaction",
        "O1, O2",
        &[Probe("every_transaction_of_a_block_is_delivered_or_skipped"), Sim],
    ),
    one(
        (Bug::SameStatementBlamed, "M41-same-statement-blamed"),
        "the same timeout twice counts as a contradiction",
        "T1; R16",
        &[Probe("the_same_report_with_other_unsigned_parts_is_no_contradiction"), Twins, Sim],
    ),
    one(
        (Bug::VotesUnbounded, "M43-votes-unbounded"),
        "votes are kept for any view",
        "N1",
        &[Probe("votes_for_views_far_ahead_are_not_kept")],
    ),
    one(
        (Bug::ChecksStrangersFirst, "M44-checks-strangers-first"),
        "a signature is checked before it is asked who may sign",
        "V1",
        &[Probe("a_proposal_of_a_member_that_does_not_lead_costs_no_check")],
    ),
    one(
        (Bug::NoCommitGate, "T1-no-commit-gate"),
        "who gave a view up still votes to commit in it",
        "C1",
        &[Probe("who_gave_a_view_up_does_not_vote_to_commit_in_it"), Twins, Sim],
    ),
    one(
        (Bug::NoAdoptFromTimeouts, "T49-no-adopt-from-timeouts"),
        "the certificate inside a timeout certificate is not adopted",
        "A1",
        &[Probe("a_certificate_inside_a_timeout_certificate_is_adopted_before_the_vote"), Sim],
    ),
    one(
        (Bug::TipDropped, "T6-tip-dropped"),
        "a block that enough members reported may be dropped",
        "V3(b)",
        &[Probe("what_everybody_prepared_is_kept_although_its_certificate_is_hidden")],
    ),
    one(
        (Bug::TipUnsupported, "T6-tip-unsupported"),
        "a block that one member reported must be proposed again",
        "P3, V3(b)",
        &[Probe("who_gave_a_view_up_does_not_vote_to_commit_in_it"), Sim],
    ),
    one(
        (Bug::EntryNotRelayed, "T50-entry-not-relayed"),
        "the certificate that entered a view is not passed on",
        "N2",
        &[Probe("a_certificate_shown_to_one_member_brings_all_along"), Sim],
    ),
    one(
        (Bug::NoResend, "T12-no-resend"),
        "a timeout is sent once",
        "T3",
        &[Probe("a_lost_timeout_is_sent_again"), Sim],
    ),
    one(
        (Bug::AckBeforeDurable, "T57-ack-before-durable"),
        "an acknowledgement leaves before its batch is durable",
        "R5 of the protocol, L2.1",
        &[Sim],
    ),
    one(
        (Bug::AcksForgotten, "T57-acks-forgotten"),
        "after a restart acknowledgements are forgotten",
        "R6 of the protocol, L2.2",
        &[Probe("an_acknowledgement_is_known_again_after_a_restart"), Sim],
    ),
    one(
        (Bug::PrevIgnored, "T54-prev-ignored"),
        "a batch need not stand on the one that was acknowledged below it",
        "L2.1",
        &[Probe("a_place_is_acknowledged_once_and_nothing_stands_on_the_wrong_batch"), Sim],
    ),
    one(
        (Bug::SecondAcknowledged, "T45-second-acknowledged"),
        "a second batch for one place is acknowledged",
        "L2.2",
        &[Probe("a_place_is_acknowledged_once_and_nothing_stands_on_the_wrong_batch"), Sim],
    ),
    one(
        (Bug::NoRescue, "T53-no-rescue"),
        "nobody speaks for a batch whose owner is gone",
        "L3",
        &[Sim],
    ),
    one(
        (Bug::WindowEvicts, "T58-window-evicts"),
        "the window of delivered ids is bounded by eviction",
        "O2",
        &[Probe("an_id_is_remembered_however_many_come_after_it")],
    ),
    one(
        (Bug::OutageEmptiesWindow, "T58-outage-empties-window"),
        "hours without a block count as hours of the window",
        "O2",
        &[Probe("an_outage_does_not_empty_the_window")],
    ),
];
