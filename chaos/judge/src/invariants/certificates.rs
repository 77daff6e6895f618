//! I2. Each commit certificate is a quorum's, by stake, of distinct members, over exactly what it
//! says; and leads to the block it was shown for. The certificates that honest nodes send are at
//! least of the right set, epoch, and stake.

use crate::case::Case;
use crate::crypto::bls::{Key, verify_sum};
use crate::crypto::{sha256, signed};
use crate::genesis::EPOCH;
use crate::report::{Finding, Outcome, Place};
use crate::wire::certificate::{CommitQc, Entry, Kind, Qc, Tc, Vote};
use crate::wire::message::{Justify, Message};
use crate::wire::signers::Signers;
use crate::wire::{Id, Wire as _};
use std::collections::{BTreeMap, HashSet};
use std::sync::PoisonError;

/// Verifies certificates.
#[derive(Debug, Default)]
pub struct Certificates {
    finding: Finding,
    /// Certificates that were verified, by their bytes.
    verified: HashSet<Id>,
    /// What verified ones say, by height; and where.
    votes: BTreeMap<u64, (Vote, Place)>,
    /// A second block that a verified certificate names at a height.
    forks: Vec<(Vote, Place)>,
    /// Blocks shown with a certificate of a higher one.
    links: Vec<(u64, u64, Place)>,
}

impl Certificates {
    /// How many were verified.
    #[must_use]
    pub fn verified(&self) -> u64 {
        u64::try_from(self.verified.len()).unwrap_or(u64::MAX)
    }

    /// What verified certificates make final, and where each was seen first.
    pub fn votes(&self) -> impl Iterator<Item = (&Place, &Vote)> {
        let votes = self.votes.values().chain(&self.forks);
        votes.map(|(vote, place)| (place, vote))
    }

    /// A node shows why a block is final.
    pub fn on_commit(
        &mut self,
        case: &Case<'_>,
        place: &Place,
        (height, hash): (u64, Id),
        bytes: &[u8],
    ) {
        let qc = match CommitQc::read(bytes) {
            Ok(CommitQc(qc)) => qc,
            Err(why) => return self.finding.breach(place, format!("no commit certificate: {why}")),
        };
        self.verify(case, place, &qc);
        let vote = &qc.vote;
        if vote.height == height {
            self.finding.check(vote.block == hash, place, || {
                format!("the certificate of {} is shown for {hash}", vote.block)
            });
        } else if vote.height < height {
            let what = format!("a certificate of height {} is shown for {height}", vote.height);
            self.finding.breach(place, what);
        } else {
            self.links.push((height, vote.height, place.clone()));
        }
        if let Some((header, _)) = case.blocks.get(&hash) {
            self.on_header(case, place, height, header);
        }
    }

    fn on_header(
        &mut self,
        case: &Case<'_>,
        place: &Place,
        height: u64,
        header: &crate::wire::block::Header,
    ) {
        let chain = case.chain;
        let named = (header.chain, header.epoch, header.epoch_info, header.version);
        let right = (chain.id, EPOCH, chain.epoch_info, 1);
        self.finding.check(named == right, place, || {
            format!("final block {height} is of another chain, epoch, set or version")
        });
        self.finding.check(header.height == height, place, || {
            format!("block {} is final at height {height}", header.height)
        });
    }

    /// Verifies a certificate of commit votes, once for the same bytes.
    pub fn verify(&mut self, case: &Case<'_>, place: &Place, qc: &Qc) {
        let name = sha256(&[&qc.bytes()]);
        if self.verified.contains(&name) {
            return;
        }
        self.finding.checked();
        if let Some(what) = check_form(case, &qc.vote, &qc.signers) {
            return self.finding.breach(place, what);
        }
        if !is_signed(case, qc, &name) {
            let Vote { view, height, .. } = qc.vote;
            let what =
                format!("the signature of height {height} in view {view} is not its signers'");
            return self.finding.breach(place, what);
        }
        self.verified.insert(name);
        let known = self.votes.entry(qc.vote.height);
        let known = &known.or_insert_with(|| (qc.vote.clone(), place.clone())).0;
        if known.block != qc.vote.block {
            self.forks.push((qc.vote.clone(), place.clone()));
        }
    }

    /// An honest node sends a message: what it shows was checked by it.
    pub fn on_message(&mut self, case: &Case<'_>, place: &Place, message: &Message) {
        match message {
            Message::Proposal(proposal) => {
                match &proposal.justify {
                    Justify::Normal(qc) => self.on_qc(case, place, qc),
                    Justify::Fallback(tc, qc) => {
                        self.on_tc(case, place, tc);
                        self.on_qc(case, place, qc);
                    }
                    Justify::Repropose(entry, _) => self.on_entry(case, place, entry),
                    Justify::EpochStart(qc) => self.on_qc(case, place, qc),
                    Justify::Optimistic(_) => {}
                }
                if let Some(CommitQc(qc)) = &proposal.ordered {
                    self.on_qc(case, place, qc);
                }
            }
            Message::Timeout(timeout) => {
                self.on_qc(case, place, &timeout.lock);
                self.on_entry(case, place, &timeout.entry);
            }
            Message::Entry(entry) => self.on_entry(case, place, entry),
            Message::Commit(CommitQc(qc)) => self.on_qc(case, place, qc),
            Message::Availability(cert) => {
                let quorum = case.chain.stake(cert.0.signers.places()) >= case.chain.quorum();
                self.finding.check(
                    cert.0.signers.members() == case.chain.members() && quorum,
                    place,
                    || "an availability certificate is not a quorum's".into(),
                );
            }
            _ => {}
        }
    }

    fn on_entry(&mut self, case: &Case<'_>, place: &Place, entry: &Entry) {
        match entry {
            Entry::Qc(qc) => self.on_qc(case, place, qc),
            Entry::Tc(tc) => self.on_tc(case, place, tc),
        }
    }

    /// Commit certificates are verified; the others, which make nothing final, are counted.
    fn on_qc(&mut self, case: &Case<'_>, place: &Place, qc: &Qc) {
        if *qc == case.chain.start() {
            return;
        }
        match qc.kind {
            Kind::Commit => self.verify(case, place, qc),
            Kind::Prepare => {
                let wrong = check_form(case, &qc.vote, &qc.signers);
                self.finding.check(wrong.is_none(), place, || wrong.unwrap_or_default());
            }
        }
    }

    fn on_tc(&mut self, case: &Case<'_>, place: &Place, tc: &Tc) {
        let groups = &tc.0.groups.0;
        let places = groups.iter().flat_map(|group| group.signers.places());
        let members = groups.iter().all(|group| group.signers.members() == case.chain.members());
        let quorum = case.chain.stake(places) >= case.chain.quorum();
        self.finding.check(members && quorum && tc.0.epoch == EPOCH, place, || {
            format!("the timeout certificate of view {} is not a quorum's", tc.0.view)
        });
        self.on_qc(case, place, &tc.0.lock);
    }

    /// Looks at the ways from certified blocks down to those they were shown for.
    #[must_use]
    pub fn decide(mut self, case: &Case<'_>) -> Outcome {
        // How many of the final blocks up to a height are not known to stand on the one below.
        let (mut loose, mut before) = (BTreeMap::new(), (0_u64, 0_u64));
        for height in case.finals.keys() {
            let known = case.final_block(*height).is_some() && before.0 + 1 == *height;
            before = (*height, before.1 + u64::from(!known));
            loose.insert(*height, before.1);
        }
        let mut unknown = 0_u64;
        for (height, certified, place) in &self.links {
            let (low, high) = (loose.get(height), loose.get(certified));
            let linked = low.is_some() && low == high;
            if !linked && case.finals.contains_key(certified) {
                unknown += 1;
            } else if !linked {
                let what = format!("no chain leads from height {certified} down to {height}");
                self.finding.breach(place, what);
            }
        }
        if unknown > 0 {
            self.finding.note(format!("{unknown} blocks below a certificate are in no history"));
        }
        self.finding.outcome()
    }
}

/// Whether a certificate, whose bytes have that hash, is signed by those who it says.
fn is_signed(case: &Case<'_>, qc: &Qc, name: &Id) -> bool {
    let known = || case.chain.verified.lock().unwrap_or_else(PoisonError::into_inner);
    if known().contains(name) {
        return true;
    }
    let keys: Vec<Key> =
        qc.signers.places().map(|at| case.chain.set[usize::from(at)].bls).collect();
    let message = signed(qc.kind.domain(), &case.chain.id, &qc.vote.bytes());
    let holds = verify_sum(&keys, &message, &qc.signature);
    if holds {
        known().insert(*name);
    }
    holds
}

/// What is wrong with who signed, if anything.
fn check_form(case: &Case<'_>, vote: &Vote, signers: &Signers) -> Option<String> {
    let Vote { epoch, view, height, .. } = vote;
    let (members, of) = (signers.members(), case.chain.members());
    if *epoch != EPOCH {
        return Some(format!("a certificate of epoch {epoch}"));
    }
    if *view == 0 || *height == 0 {
        return Some(format!("a certificate of view {view} and height {height}"));
    }
    if members != of {
        return Some(format!("a certificate of a set of {members}, not {of}"));
    }
    let (stake, quorum) = (case.chain.stake(signers.places()), case.chain.quorum());
    (stake < quorum).then(|| {
        format!("height {height} in view {view} is signed by stake {stake}, a quorum is {quorum}")
    })
}
