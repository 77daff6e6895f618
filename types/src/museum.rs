//! Bugs that can be planted on purpose, so that what should find bugs can be shown to find them.
//!
//! Each place in the code that a bug changes asks [`planted`]. Without the feature `museum` the
//! answer is a constant `false` and nothing of any bug is left in what is built. With it, one bug
//! at a time is chosen for the whole process by `plant`.

/// One planted bug. What each does wrong is told by `chaos museum --list`.
#[allow(missing_docs, reason = "the names say it, and the museum's table says more")]
#[cfg_attr(feature = "museum", derive(Debug))]
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum Bug {
    // Certificates, signatures, sets.
    QuorumOneShort = 1,
    HeadsNotStake,
    VotesNotSigners,
    BitmapPadding,
    BitmapTooLong,
    VoteViewUnbound,
    ChainUnbound,
    PointsUnchecked,
    NoPossession,
    CommitOfPrepares,
    TimeoutViewUnbound,
    // Votes, locks, commits.
    LockNeverUpdated,
    LockOnProposal,
    NoAdoptFromTimeouts,
    VotesTwice,
    VotesInPastViews,
    TwoChainCommit,
    NoCommitGate,
    AnyoneProposes,
    ParentMismatch,
    HighQcIgnored,
    TipDropped,
    TipUnsupported,
    ProposesAgain,
    // What must be durable first.
    VoteRecordUnwritten,
    SentBeforeDurable,
    FolderNotSynced,
    AckBeforeDurable,
    AcksForgotten,
    // Views, fetching, bounds.
    DuplicateVetoes,
    BadShareVetoes,
    NoFetch,
    BackoffNeverResets,
    BackoffUncapped,
    EntryUnchecked,
    EntryNotRelayed,
    NoResend,
    AimsAtClaims,
    LateAnswerPunished,
    SameStatementBlamed,
    VotesUnbounded,
    ChecksStrangersFirst,
    // Lanes and ordering.
    AvailableTooSoon,
    PrevIgnored,
    SecondAcknowledged,
    NoRescue,
    WindowForgotten,
    WindowEvicts,
    OutageEmptiesWindow,
    DropsAtBoundary,
}

/// Whether this bug is planted: never, in anything but a museum.
#[cfg(not(feature = "museum"))]
#[inline(always)]
#[must_use]
pub const fn planted(_: Bug) -> bool {
    false
}

#[cfg(feature = "museum")]
pub use planting::{plant, planted};

#[cfg(feature = "museum")]
mod planting {
    use super::Bug;
    use core::sync::atomic::{AtomicU16, Ordering};

    /// The bug in force; zero for none.
    static PLANTED: AtomicU16 = AtomicU16::new(0);

    /// Plants a bug in this process in place of the one before, or none.
    pub fn plant(bug: Option<Bug>) {
        PLANTED.store(bug.map_or(0, |bug| bug as u16), Ordering::SeqCst);
    }

    /// Whether this bug is planted.
    #[inline]
    #[must_use]
    pub fn planted(bug: Bug) -> bool {
        PLANTED.load(Ordering::Relaxed) == bug as u16
    }
}
