//! Messages that wait for a signature check, and certificates that passed one.
//!
//! # Invariants
//! A message is acted on only after everything signed in it was checked. Each peer may have at
//! most [`CHECKS_PER_PEER_MAX`] messages waiting; over that its newest is dropped and it is
//! reported. Of checked certificates the last [`CHECKED_CERTIFICATES_MAX`] are remembered.

use crate::context::Context;
use crate::job::{Check, JobId, Work};
use crate::note::{Fault, Note};
use chorale_types::block::Block;
use chorale_types::certificate::{CommitCert, EntryCert, QuorumCert};
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::{ValidatorIndex, View};
use chorale_types::limits::{CHECKED_CERTIFICATES_MAX, CHECKS_PER_PEER_MAX};
use chorale_types::message::Proposal;
use chorale_types::validators::ValidatorSet;
use chorale_types::vote::Timeout;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// What waits.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Waiting {
    Proposal(Arc<Proposal>),
    Timeout(Arc<Timeout>),
    Entry(Arc<EntryCert>),
    Commit(Arc<CommitCert>),
    Cover(Arc<CommitCert>),
    Chain(Vec<Arc<Block>>, Arc<CommitCert>),
}

/// Who waits for what, and what is known to be good.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Checks {
    waiting: BTreeMap<JobId, (ValidatorIndex, Waiting, Vec<Digest>)>,
    per_peer: BTreeMap<ValidatorIndex, usize>,
    good: BTreeSet<Digest>,
    order: VecDeque<Digest>,
}

impl Checks {
    /// Messages waiting, for the bound on memory.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Members with nothing waiting count as members never heard of.
    #[cfg(test)]
    pub(crate) fn forget_zeros(&mut self) {
        self.per_peer.retain(|_, count| *count > 0);
    }

    /// Whether this certificate was checked, or needs no check.
    fn is_good(&self, cert: &EntryCert, set: &ValidatorSet) -> bool {
        let start = matches!(cert, EntryCert::Qc(qc) if qc == set.start());
        start || self.good.contains(&cert.cache_key())
    }

    /// Remembers a certificate that was checked, or assembled from checked shares.
    pub(crate) fn remember(&mut self, key: Digest) {
        if self.good.insert(key) {
            self.order.push_back(key);
        }
        if self.order.len() > CHECKED_CERTIFICATES_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.good.remove(&oldest);
        }
    }

    /// Holds `message` until `checks` and `certs` passed. Gives it back at once when all of that
    /// is known to be good.
    pub(crate) fn hold(
        &mut self,
        set: &ValidatorSet,
        from: ValidatorIndex,
        message: Waiting,
        (mut checks, certs): (Vec<Check>, Vec<EntryCert>),
        ctx: &mut Context<'_>,
    ) -> Option<Waiting> {
        let mut keys = Vec::new();
        for cert in certs {
            let key = cert.cache_key();
            if !self.is_good(&cert, set) && !keys.contains(&key) {
                keys.push(key);
                checks.push(Check::Entry(Arc::new(cert)));
            }
        }
        if checks.is_empty() {
            return Some(message);
        }
        let count = self.per_peer.entry(from).or_default();
        if *count >= CHECKS_PER_PEER_MAX {
            ctx.note(Note::Dropped { what: "message waiting for a check", from });
            return None;
        }
        *count = count.saturating_add(1);
        let job = ctx.verify(Work::All(checks));
        self.waiting.insert(job, (from, message, keys));
        None
    }

    /// Takes the answer to a check: the message, when it was good. `Err` when the job is not one
    /// of these.
    pub(crate) fn on_checked(
        &mut self,
        job: JobId,
        good: bool,
        ctx: &mut Context<'_>,
    ) -> Result<Option<(ValidatorIndex, Waiting)>, ()> {
        let (from, message, keys) = self.waiting.remove(&job).ok_or(())?;
        if let Some(count) = self.per_peer.get_mut(&from) {
            *count = count.saturating_sub(1);
        }
        if !good {
            ctx.report(from, Fault::BadSignature);
            return Ok(None);
        }
        for key in keys {
            self.remember(key);
        }
        Ok(Some((from, message)))
    }
}

/// Jobs over shares: which tally asked.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum ShareJob {
    Votes(View, chorale_types::vote::VoteKind),
    Timeouts(View),
}

/// A certificate of votes as an entry certificate, for the checks.
pub(crate) fn entry(qc: &QuorumCert) -> EntryCert {
    EntryCert::Qc(qc.clone())
}
