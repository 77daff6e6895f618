//! Timeout certificates, reduced to what their signers reported.

use super::rule::{Rule, Rules};
use chorale_consensus::agreement::rules;
use chorale_types::ids::View;

/// Honest members.
pub const HONEST: usize = 3;
/// Members that a timeout certificate can have.
const SIGNERS: usize = HONEST + 1;
/// Members that contain an honest one: stake A.
const ONE_HONEST: usize = 2;

/// A block, and the view in which it was prepared.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Tip {
    /// The view of the vote; 0 for none.
    pub view: u8,
    /// The block; 0 for none.
    pub block: u8,
}

impl Tip {
    /// Nothing was prepared.
    pub const NONE: Self = Self { view: 0, block: 0 };
}

/// What a timeout says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Report {
    /// The view of the sender's lock.
    pub lock: u8,
    /// The sender's tip.
    pub tip: Tip,
}

/// A quorum's reports of one view.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimeoutCert {
    /// The view given up.
    pub view: u8,
    /// The view of the certificate that it carries.
    pub highest: u8,
    reports: [Report; SIGNERS],
    len: u8,
}

impl TimeoutCert {
    /// The certificate of these reports, at most four, carrying the highest certificate reported.
    #[must_use]
    pub fn new(view: u8, of: &[Report]) -> Self {
        let mut reports = [Report::default(); SIGNERS];
        reports[..of.len()].copy_from_slice(of);
        let highest = of.iter().map(|report| report.lock).max().unwrap_or(0);
        let len = u8::try_from(of.len()).expect("at most four");
        Self { view, highest, reports, len }
    }

    /// The same reports with another certificate inside.
    #[must_use]
    pub const fn carrying(self, highest: u8) -> Self {
        Self { highest, ..self }
    }

    /// The reports in it.
    #[must_use]
    pub fn reports(&self) -> &[Report] {
        &self.reports[..usize::from(self.len)]
    }

    fn counts(&self, tip: Tip, in_force: Rules) -> bool {
        let least = if in_force.has(Rule::TipAboveHighest) { self.highest + 1 } else { 1 };
        tip.view >= least
    }

    fn support(&self, of: Report, in_force: Rules) -> usize {
        let by_block = in_force.has(Rule::SupportOverGroups);
        let same = |report: &&Report| {
            if by_block {
                report.tip.block == of.tip.block && self.counts(report.tip, in_force)
            } else {
                **report == of
            }
        };
        self.reports().iter().filter(same).count()
    }

    fn is_supported(&self, report: &Report, in_force: Rules) -> bool {
        let needed = if in_force.has(Rule::TipSupport) { ONE_HONEST } else { 1 };
        self.counts(report.tip, in_force) && self.support(*report, in_force) >= needed
    }

    /// Whether a block is a supported tip.
    #[must_use]
    pub fn supports(&self, block: u8, in_force: Rules) -> bool {
        let supported = |r: &Report| r.tip.block == block && self.is_supported(r, in_force);
        self.reports().iter().any(supported)
    }

    /// The highest vote reported for a supported tip, with the tip.
    #[must_use]
    pub fn highest_supported(&self, in_force: Rules) -> Option<Tip> {
        let supported = self.reports().iter().filter(|r| self.is_supported(r, in_force));
        supported.map(|report| report.tip).max()
    }

    /// V3(b) for a fresh block on a certificate of view `parent`.
    #[must_use]
    pub fn may_stand_on(&self, parent: u8, in_force: Rules) -> bool {
        let view = |of: u8| View::new(u64::from(of));
        let supported = self.highest_supported(in_force).map(|tip| view(tip.view));
        let binding = supported.filter(|_| in_force.has(Rule::TipBinds));
        rules::may_stand_on(view(parent), view(self.highest), binding)
    }
}
