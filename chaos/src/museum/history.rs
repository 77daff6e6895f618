//! What is not planted, and why; and what covers each bug that others had.

/// Numbers of the list that are no exhibit: the number, the bug, why not or what shows it instead.
pub const ABSENT: &[(&str, &str, &str)] = &[
    ("M23", "a set changes one epoch early or late", "sets do not change yet"),
    ("M24", "two sets are valid at a boundary", "sets do not change yet"),
    ("M32", "sync asks the old set alone", "sets do not change yet"),
    ("M36", "a cursor is off by one on resume", "`a_stream_starts_where_the_caller_says` (node)"),
    (
        "M37",
        "a block is sent twice after a reconnect",
        "`a_restart_leaves_no_gap_and_no_repeat` (node)",
    ),
    ("M40", "a slow subscriber misses blocks", "`a_slow_reader_is_told_and_loses_nothing` (node)"),
    ("M42", "evidence never ends", "evidence is not in blocks yet"),
    ("M45", "a subscriber's buffer has no bound", "`answers_that_nobody_reads_are_cut` (node)"),
    (
        "M46",
        "the look-back for double signing is off by one",
        "there is no look-back: the record binds",
    ),
];

/// Bugs that others had: the number, what it was, what covers it here.
pub const OTHERS: &[(&str, &str, &str)] = &[
    ("R1", "a certificate's view is not signed", "M6-vote-view-unbound"),
    ("R2", "a vote sent twice stops the certificate", "M25-duplicate-vetoes"),
    ("R3", "one poisoned timeout stalls all", "M26-bad-share-vetoes"),
    ("R4", "a certificate's block is never fetched", "M27-no-fetch"),
    ("R5", "anyone's proposal gets votes", "M19-anyone-proposes"),
    ("R6", "commits stop for good under load", "invariant `liveness` of every simulated run"),
    ("R7", "any future certificate moves the view", "M30-entry-unchecked, M11-lock-on-proposal"),
    ("R8", "signatures counted, not signers", "M3-votes-not-signers"),
    ("R9", "one garbage signature vetoes the sum", "M26-bad-share-vetoes"),
    ("R10", "bad shares whose sum verifies", "`a_shifted_pair_is_valid_only_as_a_sum` (types)"),
    ("R11", "one validator counted more than once", "M3-votes-not-signers, M4-bitmap-padding"),
    ("R12", "the folder is not synced", "M16-folder-not-synced"),
    (
        "R13",
        "a look-back that checked nothing",
        "does not apply: the record binds; M12-votes-twice",
    ),
    ("R14", "another value after a restart", "M34-proposes-again"),
    ("R15", "a lost record, and signing goes on", "M14-vote-record-unwritten, schedule 8"),
    ("R16", "the same statement twice is evidence", "M41-same-statement-blamed"),
    ("R17", "a claimed height is chased", "M31-aims-at-claims"),
    (
        "R18",
        "a part not tied to its proof",
        "does not apply: blocks and batches are not cut in parts",
    ),
    ("R19", "a bitmap of the wrong length", "M5-bitmap-too-long, M4-bitmap-padding"),
    ("R20", "an index outside the set", "M5-bitmap-too-long, `types/tests/bad_certificates.rs`"),
    ("R21", "a height in a parameter halts the chain", "does not apply: no parameter is a height"),
    (
        "R22",
        "oversized proposals; late answers punished",
        "M33-late-answer-punished, `types/tests/bad_bytes.rs`",
    ),
    (
        "R23",
        "one peer stalls sync",
        "M31-aims-at-claims, `consensus/src/agreement/tests/bad_answers.rs`",
    ),
    (
        "R24",
        "one connection fills the queue",
        "in part: `urgent_messages_overtake_batches_that_wait` (p2p)",
    ),
    (
        "R25",
        "a peer that lags causes a hot loop",
        "probe a_member_that_lags_is_shown_the_way_once_in_a_while",
    ),
];
