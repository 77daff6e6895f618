//! What a Byzantine leader may propose after a view: every proposal that some certificates of
//! the state justify.

use super::honest::{Entry, Honest, Proposal};
use super::rule::{Rule, Rules};
use super::state::State;
use super::timeout::{HONEST, Report, TimeoutCert, Tip};

/// What an honest replica can be asked to prepare.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// A new block on this certified one.
    Fresh(u8),
    /// This block again.
    Again(u8),
}

/// What can be done in a view. For each target the least that a voter must adopt is kept: more
/// can be shown to it anyway.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The least that entering the view makes a replica adopt; none when it cannot be entered.
    pub entry: Option<u8>,
    /// Targets, and the least that voting makes a replica adopt.
    pub targets: Vec<(Target, u8)>,
}

impl Options {
    fn enter(&mut self, adopted: u8) {
        self.entry = Some(self.entry.map_or(adopted, |least| least.min(adopted)));
    }

    fn allow(&mut self, target: Target, adopted: u8) {
        match self.targets.iter_mut().find(|(known, _)| *known == target) {
            Some((_, least)) => *least = adopted.min(*least),
            None => self.targets.push((target, adopted)),
        }
    }

    /// Everything that can be done in `view`, which follows the state's last one.
    pub fn find(&mut self, state: &State, view: u8, in_force: Rules) {
        self.entry = None;
        self.targets.clear();
        let before = view - 1;
        if state.has_certificate(before) {
            let mut replica = Honest { view, ..Honest::START };
            replica.on_certificate(before, in_force);
            self.enter(replica.lock);
            let block = state.certified[usize::from(before)];
            let (entry, parent) = (Entry::Certified, Some(before));
            let proposal = Proposal { view, block: 0, entry, parent, oldest: 0 };
            self.consider(&proposal, Target::Fresh(block), in_force);
        }
        let mut each = |tc: &TimeoutCert| self.after_timeout(state, tc, in_force);
        timeout_certs(state, before, in_force, &mut each);
    }

    /// Asks a replica that knows nothing: it votes for what is justified, and then its lock is
    /// what it had to adopt.
    fn consider(&mut self, proposal: &Proposal, target: Target, in_force: Rules) {
        let mut replica = Honest { view: proposal.view, ..Honest::START };
        if replica.on_proposal(proposal, in_force) {
            self.allow(target, replica.lock);
        }
    }

    /// What a timeout certificate allows.
    pub fn after_timeout(&mut self, state: &State, tc: &TimeoutCert, in_force: Rules) {
        let view = tc.view + 1;
        let mut replica = Honest { view, ..Honest::START };
        replica.on_timeout_cert(tc, in_force);
        self.enter(replica.lock);
        let entry = Entry::GivenUp(*tc);
        for parent in (0..view).filter(|parent| state.has_certificate(*parent)) {
            let parent_cert = Some(parent);
            let proposal = Proposal { view, block: 0, entry, parent: parent_cert, oldest: 0 };
            let block = state.certified[usize::from(parent)];
            self.consider(&proposal, Target::Fresh(block), in_force);
        }
        for report in tc.reports() {
            let block = report.tip.block;
            if block != 0 {
                // A certified block's name is the view of its first certificate.
                let oldest = state.parent_of(block);
                let proposal = Proposal { view, block, entry, parent: None, oldest };
                self.consider(&proposal, Target::Again(block), in_force);
            }
        }
    }
}

/// What the Byzantine member may report: any certificate that exists below the view, any tip that
/// an honest signer reports, with its view or as voted in the last. A tip that no honest signer
/// reports has too little support to count; a lock below the highest honest one changes nothing
/// but the group it is counted in.
fn lies(state: &State, view: u8, honest: &[Report], mut each: impl FnMut(Report)) {
    let top = honest.iter().map(|report| report.lock).max().unwrap_or(0);
    for lock in (0..view).filter(|lock| state.has_certificate(*lock)) {
        if lock != 0 && lock <= top && honest.iter().all(|report| report.lock != lock) {
            continue;
        }
        each(Report { lock, tip: Tip::NONE });
        for report in honest.iter().filter(|report| report.tip.view > 0) {
            each(Report { lock, tip: report.tip });
            if report.tip.view < view {
                each(Report { lock, tip: Tip { view, ..report.tip } });
            }
        }
    }
}

/// Every timeout certificate of `view` that can be made of what honest replicas reported and what
/// the Byzantine member may add.
pub fn timeout_certs(
    state: &State,
    view: u8,
    in_force: Rules,
    each: &mut impl FnMut(&TimeoutCert),
) {
    let reports = state.members.map(|member| member.report);
    for chosen in 1_u8..1 << HONEST {
        let mut signers = [Report::default(); HONEST + 1];
        let mut len = 0;
        for (index, report) in reports.iter().enumerate() {
            let Some(report) = report.filter(|_| chosen & (1 << index) != 0) else { continue };
            signers[len] = report;
            len += 1;
        }
        let asked = usize::try_from(chosen.count_ones()).expect("three at most");
        let byzantine = match len {
            _ if len != asked => continue,
            HONEST => {
                carried(&TimeoutCert::new(view, &signers[..len]), state, in_force, each);
                1
            }
            2 => 1,
            _ if !in_force.has(Rule::OneReportEach) => 2,
            _ => continue,
        };
        lies(state, view, &signers[..len], |lie| {
            let mut of = signers;
            of[len..len + byzantine].fill(lie);
            carried(&TimeoutCert::new(view, &of[..len + byzantine]), state, in_force, each);
        });
    }
}

/// The certificate, and, where the rule is missing, the same with any lower one inside.
fn carried(tc: &TimeoutCert, state: &State, in_force: Rules, each: &mut impl FnMut(&TimeoutCert)) {
    each(tc);
    if in_force.has(Rule::HighestReported) {
        return;
    }
    for highest in (0..tc.highest).filter(|lower| state.has_certificate(*lower)) {
        each(&tc.carrying(highest));
    }
}
