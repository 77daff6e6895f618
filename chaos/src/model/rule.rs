//! The rules that the search can be run without, to see that it would notice.

use serde::Serialize;

/// One rule of the protocol, or one thing that it does on purpose not do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// C1: no commit vote at or below a view that was given up.
    CommitGate,
    /// V2, T1: no prepare vote in a view that was given up.
    NoVoteAfterTimeout,
    /// A1: the parent's certificate is adopted before the vote.
    AdoptParent,
    /// C2: two certificates in a row make nothing final.
    NoTwoChain,
    /// T4: a timeout certificate carries the highest certificate that a signer reports.
    HighestReported,
    /// V3(b): a tip needs stake A behind it.
    TipSupport,
    /// V3(b): only a tip voted above the highest certificate counts.
    TipAboveHighest,
    /// V3(b): a supported tip binds a fresh block.
    TipBinds,
    /// V3(b): support is counted per block, over all groups.
    SupportOverGroups,
    /// V, effect: a vote for a re-proposed block moves the tip too.
    TipMovesAgain,
    /// T4: nobody is counted twice in a timeout certificate.
    OneReportEach,
    /// A1: the certificate by which a view is entered, and the one inside it, are adopted.
    AdoptEntry,
    /// A1: the certificate inside a timeout certificate is adopted; without the rule a re-proposal
    /// brings an old certificate of its parent, and that one is adopted.
    AdoptInside,
    /// V: the voter's own lock is not asked.
    OwnLockNotAsked,
}

/// What a search must find without a rule.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Property {
    /// No two blocks become final of which neither stands on the other.
    Agreement,
    /// A block that all honest replicas prepared in one view stays: whatever an honest replica
    /// prepares later is that block or stands on it.
    TailFork,
    /// From everywhere, a view with an honest leader and fair delivery makes a block final.
    Liveness,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::CommitGate,
        Self::NoVoteAfterTimeout,
        Self::AdoptParent,
        Self::NoTwoChain,
        Self::HighestReported,
        Self::TipSupport,
        Self::TipAboveHighest,
        Self::TipBinds,
        Self::SupportOverGroups,
        Self::TipMovesAgain,
        Self::OneReportEach,
        Self::AdoptEntry,
        Self::AdoptInside,
        Self::OwnLockNotAsked,
    ];

    /// Its name on the command line and in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CommitGate => "commit-gate",
            Self::NoVoteAfterTimeout => "no-vote-after-timeout",
            Self::AdoptParent => "adopt-parent",
            Self::NoTwoChain => "no-two-chain",
            Self::HighestReported => "highest-reported",
            Self::TipSupport => "tip-support",
            Self::TipAboveHighest => "tip-above-highest",
            Self::TipBinds => "tip-binds",
            Self::SupportOverGroups => "support-over-groups",
            Self::TipMovesAgain => "tip-moves-again",
            Self::OneReportEach => "one-report-each",
            Self::AdoptEntry => "adopt-entry",
            Self::AdoptInside => "adopt-inside",
            Self::OwnLockNotAsked => "own-lock-not-asked",
        }
    }

    /// The rule of this name.
    ///
    /// # Errors
    /// With the names that exist.
    pub fn parse(text: &str) -> Result<Self, String> {
        let all = || Self::ALL.map(Self::name).join(", ");
        Self::ALL
            .into_iter()
            .find(|rule| rule.name() == text)
            .ok_or_else(|| format!("no such rule; there are {}", all()))
    }

    /// What breaks without it.
    #[must_use]
    pub const fn protects(self) -> Property {
        match self {
            Self::CommitGate
            | Self::NoTwoChain
            | Self::HighestReported
            | Self::TipSupport
            | Self::TipAboveHighest
            | Self::OneReportEach => Property::Agreement,
            Self::NoVoteAfterTimeout
            | Self::AdoptParent
            | Self::TipBinds
            | Self::SupportOverGroups
            | Self::TipMovesAgain
            | Self::AdoptEntry
            | Self::AdoptInside => Property::TailFork,
            Self::OwnLockNotAsked => Property::Liveness,
        }
    }
}

impl Rule {
    /// Where `consensus/PROTOCOL.md` states it.
    #[must_use]
    pub const fn stated_in(self) -> &'static str {
        match self {
            Self::CommitGate => "C1",
            Self::NoVoteAfterTimeout => "V2, T1",
            Self::AdoptParent | Self::AdoptEntry | Self::AdoptInside => "A1",
            Self::NoTwoChain => "C2",
            Self::HighestReported | Self::OneReportEach => "T4",
            Self::TipSupport | Self::TipAboveHighest => "P3, V3",
            Self::TipBinds | Self::SupportOverGroups => "V3",
            Self::TipMovesAgain | Self::OwnLockNotAsked => "V",
        }
    }
}

/// The rules in force.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rules(u16);

impl Rules {
    /// The protocol.
    pub const ALL: Self = Self(u16::MAX);

    /// All but one.
    #[must_use]
    pub const fn without(rule: Rule) -> Self {
        Self(!(1 << rule as u16))
    }

    /// Whether a rule is in force.
    #[must_use]
    pub const fn has(self, rule: Rule) -> bool {
        self.0 & (1 << rule as u16) != 0
    }
}
