//! Proofs by stake: `QuorumCert`, `CommitCert`, `TimeoutCert`.
//!
//! Decoding checks the form; [`crate::verify::Verifier`] checks the signatures and the stake.

use crate::codec::{Decode, DecodeError, Encode, Reader, encode_list};
use crate::crypto::bitmap::SignerSet;
use crate::crypto::bls::BlsSignature;
use crate::crypto::hash::{Digest, Domain, hash_of};
use crate::ids::{Epoch, Height, View};
use crate::limits::VALIDATORS_MAX;
use crate::museum::{Bug, planted};
use crate::vote::{TimeoutVote, Tip, Vote, VoteKind};
use std::collections::BTreeMap;

/// A quorum of stake voted for a block in a view.
///
/// The kind is usually `Prepare`; a certificate of commit votes counts as a `QuorumCert` of the
/// same view and block wherever one is accepted. View 0 is the epoch's virtual certificate: it
/// has no signers and is valid only as the one that the epoch starts from.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct QuorumCert {
    /// Which votes it is made of.
    pub kind: VoteKind,
    /// What was voted.
    pub vote: Vote,
    /// Who voted.
    pub signers: SignerSet,
    /// Their aggregate signature.
    pub signature: BlsSignature,
}
codec_struct!(QuorumCert { kind, vote, signers, signature });

impl QuorumCert {
    /// The virtual certificate of view 0 that an epoch starts from.
    #[must_use]
    pub fn start(epoch: Epoch, height: Height, block: Digest) -> Self {
        Self {
            kind: VoteKind::Commit,
            vote: Vote { epoch, view: View::ZERO, height, block },
            signers: SignerSet::new(0),
            signature: BlsSignature::from_bytes([0; 96]),
        }
    }

    /// The view.
    #[must_use]
    pub const fn view(&self) -> View {
        self.vote.view
    }

    /// Names the certificate among checked ones.
    #[must_use]
    pub fn cache_key(&self) -> Digest {
        hash_of(Domain::Certificate, self)
    }
}

/// A quorum of stake voted to commit a block: the block and all below it are final.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CommitCert(QuorumCert);

impl CommitCert {
    /// Takes a certificate of commit votes; `None` for prepare votes.
    #[must_use]
    pub fn new(cert: QuorumCert) -> Option<Self> {
        let commits = cert.kind == VoteKind::Commit || planted(Bug::CommitOfPrepares);
        commits.then_some(Self(cert))
    }

    /// As the `QuorumCert` it also is.
    #[must_use]
    pub const fn as_qc(&self) -> &QuorumCert {
        &self.0
    }

    /// What was voted.
    #[must_use]
    pub const fn vote(&self) -> &Vote {
        &self.0.vote
    }
}

impl Encode for CommitCert {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }
}

impl Decode for CommitCert {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::new(QuorumCert::decode(reader)?)
            .ok_or(DecodeError::BadValue { what: "commit certificate of prepare votes", got: 0 })
    }
}

/// Those who gave up a view with the same report.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TimeoutGroup {
    /// The view of the highest `QuorumCert` they hold.
    pub high_qc_view: View,
    /// Their tip.
    pub tip: Option<Tip>,
    /// Who they are.
    pub signers: SignerSet,
}
codec_struct!(TimeoutGroup { high_qc_view, tip, signers });

/// A quorum of stake gave up a view.
///
/// # Invariants
/// Kept by decoding: groups in strictly rising order of (`high_qc_view`, `tip`), none empty, no
/// signer twice, and `high_qc` is of the highest view that any group names.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TimeoutCert {
    /// The epoch.
    pub epoch: Epoch,
    /// The view given up.
    pub view: View,
    /// Who reported what.
    pub groups: Vec<TimeoutGroup>,
    /// The aggregate of their signatures.
    pub signature: BlsSignature,
    /// The certificate of the highest view reported.
    pub high_qc: QuorumCert,
}

impl TimeoutCert {
    /// What the members of a group signed.
    #[must_use]
    pub const fn vote_of(&self, group: &TimeoutGroup) -> TimeoutVote {
        TimeoutVote {
            epoch: self.epoch,
            view: self.view,
            high_qc_view: group.high_qc_view,
            tip: group.tip,
        }
    }

    /// Everyone in it.
    #[must_use]
    pub fn signers(&self) -> SignerSet {
        let members = self.groups.first().map_or(0, |group| group.signers.members());
        self.groups.iter().fold(SignerSet::new(members), |all, group| all.union(&group.signers))
    }

    /// The blocks reported as tip with a vote above the highest certificate's view, each with all
    /// who reported it over all groups and the highest view they voted it in.
    ///
    /// The caller keeps those with stake A: rule V3(b).
    #[must_use]
    pub fn reported_tips(&self) -> BTreeMap<Digest, (Tip, SignerSet)> {
        let mut tips: BTreeMap<Digest, (Tip, SignerSet)> = BTreeMap::new();
        for group in &self.groups {
            let Some(tip) = group.tip.filter(|tip| tip.view > self.high_qc.vote.view) else {
                continue;
            };
            tips.entry(tip.block)
                .and_modify(|(highest, signers)| {
                    *highest = (*highest).max(tip);
                    *signers = signers.union(&group.signers);
                })
                .or_insert_with(|| (tip, group.signers));
        }
        tips
    }

    /// Names the certificate among checked ones.
    #[must_use]
    pub fn cache_key(&self) -> Digest {
        hash_of(Domain::Certificate, self)
    }

    fn check_form(&self) -> Result<(), DecodeError> {
        let refuse = |what| Err(DecodeError::NotCanonical { what });
        let rising =
            |a: &TimeoutGroup, b: &TimeoutGroup| (a.high_qc_view, a.tip) < (b.high_qc_view, b.tip);
        if self.groups.is_empty() || !self.groups.is_sorted_by(rising) {
            return refuse("order of timeout groups");
        }
        let mut seen = SignerSet::new(self.groups[0].signers.members());
        for group in &self.groups {
            if group.signers.members() != seen.members() || group.signers.count() == 0 {
                return refuse("timeout group's signers");
            }
            if !group.signers.is_disjoint(&seen) && !planted(Bug::VotesNotSigners) {
                return refuse("a signer in two timeout groups");
            }
            if group.high_qc_view >= self.view || group.tip.is_some_and(|t| t.view > self.view) {
                return refuse("a timeout group's views");
            }
            seen = seen.union(&group.signers);
        }
        let highest = self.groups.iter().map(|group| group.high_qc_view).max();
        if highest != Some(self.high_qc.vote.view) || self.high_qc.vote.epoch != self.epoch {
            return refuse("the certificate a timeout certificate carries");
        }
        Ok(())
    }
}

impl Encode for TimeoutCert {
    fn encode(&self, out: &mut Vec<u8>) {
        self.epoch.encode(out);
        self.view.encode(out);
        encode_list(self.groups.iter(), out);
        self.signature.encode(out);
        self.high_qc.encode(out);
    }
}

impl Decode for TimeoutCert {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let cert = Self {
            epoch: Epoch::decode(reader)?,
            view: View::decode(reader)?,
            groups: reader.list("timeout groups", VALIDATORS_MAX)?,
            signature: BlsSignature::decode(reader)?,
            high_qc: QuorumCert::decode(reader)?,
        };
        cert.check_form()?;
        Ok(cert)
    }
}

/// What lets a replica enter a view: the view before it is certified, or given up.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum EntryCert {
    /// The view before is certified; by commit votes, any view at or above it.
    Qc(QuorumCert),
    /// The view before was given up.
    Tc(TimeoutCert),
}

impl EntryCert {
    /// The view it closes.
    #[must_use]
    pub const fn view(&self) -> View {
        match self {
            Self::Qc(qc) => qc.vote.view,
            Self::Tc(tc) => tc.view,
        }
    }

    /// The epoch it belongs to.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        match self {
            Self::Qc(qc) => qc.vote.epoch,
            Self::Tc(tc) => tc.epoch,
        }
    }

    /// The `QuorumCert` in it.
    #[must_use]
    pub const fn qc(&self) -> &QuorumCert {
        match self {
            Self::Qc(qc) => qc,
            Self::Tc(tc) => &tc.high_qc,
        }
    }

    /// Names the certificate among checked ones.
    #[must_use]
    pub fn cache_key(&self) -> Digest {
        hash_of(Domain::Certificate, self)
    }
}

impl Encode for EntryCert {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Qc(qc) => {
                out.push(0);
                qc.encode(out);
            }
            Self::Tc(tc) => {
                out.push(1);
                tc.encode(out);
            }
        }
    }
}

impl Decode for EntryCert {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match u8::decode(reader)? {
            0 => Ok(Self::Qc(QuorumCert::decode(reader)?)),
            1 => Ok(Self::Tc(TimeoutCert::decode(reader)?)),
            got => Err(DecodeError::BadValue { what: "entry certificate", got: u64::from(got) }),
        }
    }
}
