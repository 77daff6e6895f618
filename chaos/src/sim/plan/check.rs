//! What a plan written by hand may say.

use super::{Fault, Plan};
use crate::sim::cluster::MEMBERS_MAX;
use crate::sim::queue::Micros;
use thiserror::Error;

/// Why a plan cannot be run.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum PlanError {
    /// Too few or too many.
    #[error("{found} members; a cluster has 1 to {MEMBERS_MAX}")]
    Members {
        /// How many.
        found: usize,
    },
    /// No stake, or more than can be added up.
    #[error("the stakes of all members add up to 1 to 2^64 - 1, and each is at least 1")]
    Stake,
    /// No rollup.
    #[error("at least one rollup")]
    NoRollup,
    /// A fault names who is not there.
    #[error("fault {fault}: node {node} is not one of {members} members")]
    Node {
        /// Which fault, counted from 1.
        fault: usize,
        /// Who.
        node: usize,
        /// How many there are.
        members: usize,
    },
    /// A fault at the wrong time.
    #[error("fault {fault}: faults stand in order of time, before heal_at")]
    Time {
        /// Which fault, counted from 1.
        fault: usize,
    },
    /// Someone is lost and healed at once.
    #[error("fault {fault}: node {node} loses everything, so it cannot be part of the core")]
    DestroyedCore {
        /// Which fault, counted from 1.
        fault: usize,
        /// Who.
        node: usize,
    },
    /// The phases are in the wrong order.
    #[error("end_min is later than heal_at")]
    Phases,
    /// A range is upside down.
    #[error("{what}: the least is above the most")]
    Range {
        /// Of what.
        what: &'static str,
    },
    /// A chance above one.
    #[error("{what}: a chance is at most 1000000 in a million")]
    Chance {
        /// Of what.
        what: &'static str,
    },
}

impl Plan {
    /// Whether this can be run at all.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self) -> Result<(), PlanError> {
        let members = self.members.len();
        if !(1..=MEMBERS_MAX).contains(&members) {
            return Err(PlanError::Members { found: members });
        }
        let total = self.members.iter().try_fold(0_u64, |sum, m| sum.checked_add(m.stake));
        if total.is_none() || self.members.iter().any(|member| member.stake == 0) {
            return Err(PlanError::Stake);
        }
        if self.rollups.is_empty() {
            return Err(PlanError::NoRollup);
        }
        if self.end_min <= self.heal_at {
            return Err(PlanError::Phases);
        }
        self.check_ranges()?;
        self.check_faults()
    }

    fn check_ranges(&self) -> Result<(), PlanError> {
        let ranges = [
            ("links", self.links.delay_min, self.links.delay_max),
            ("healed", self.healed.delay_min, self.healed.delay_max),
            ("machine.sync", self.machine.sync_min, self.machine.sync_max),
            ("machine.sign_max", 20, self.machine.sign_max),
            ("machine.verify_max", 50, self.machine.verify_max),
            ("machine.order_max", 10, self.machine.order_max),
            ("work.every", 2, self.work.every),
            ("work.burst_max", 1, self.work.burst_max),
            ("work.bytes_max", 9, self.work.bytes_max),
        ];
        if let Some((what, ..)) = ranges.into_iter().find(|(_, least, most)| least > most) {
            return Err(PlanError::Range { what });
        }
        let chances = [("links", &self.links), ("healed", &self.healed)];
        let chances = chances
            .iter()
            .flat_map(|(what, link)| [link.tail, link.loss, link.duplicate].map(|c| (*what, c)))
            .chain([("work.twice", self.work.twice)]);
        match chances.into_iter().find(|(_, chance)| *chance > crate::rng::MILLION) {
            Some((what, _)) => Err(PlanError::Chance { what }),
            None => Ok(()),
        }
    }

    fn check_faults(&self) -> Result<(), PlanError> {
        let members = self.members.len();
        let mut before: Micros = 0;
        for (at, timed) in self.faults.iter().enumerate() {
            let fault = at + 1;
            if timed.at < before || timed.at >= self.heal_at {
                return Err(PlanError::Time { fault });
            }
            before = timed.at;
            let nodes = timed.fault.nodes();
            if let Some(node) = nodes.into_iter().flatten().find(|node| *node >= members) {
                return Err(PlanError::Node { fault, node, members });
            }
            if let Fault::Destroy { node, .. } = timed.fault
                && self.members[node].core
            {
                return Err(PlanError::DestroyedCore { fault, node });
            }
        }
        Ok(())
    }
}

impl Fault {
    /// Whom it names.
    const fn nodes(&self) -> [Option<usize>; 2] {
        match *self {
            Self::Crash { node, .. } => [node, None],
            Self::CrashAtRecord { node, .. }
            | Self::Destroy { node, .. }
            | Self::Pause { node, .. }
            | Self::Isolate { node, .. }
            | Self::Rot { node }
            | Self::Misdirect { node }
            | Self::ClockStep { node, .. }
            | Self::Slow { node, .. } => [Some(node), None],
            Self::Cut { from, to, .. } | Self::Clog { from, to, .. } => [Some(from), Some(to)],
            Self::Split { .. } | Self::Ring { .. } => [None, None],
        }
    }
}
