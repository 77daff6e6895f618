//! Votes and certificates (section 5 of the document).

use super::signers::{MEMBERS_MAX, Signers};
use super::{Cursor, Id, List, Malformed, Wire, layout};

/// An aggregate or a single BLS signature, compressed.
pub type BlsBytes = [u8; 96];

/// Which of the two votes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Kind {
    /// The first.
    Prepare,
    /// The second.
    Commit,
}

impl Kind {
    /// The name under which such votes are signed.
    #[must_use]
    pub const fn domain(self) -> &'static str {
        match self {
            Self::Prepare => "chorale/1/prepare",
            Self::Commit => "chorale/1/commit",
        }
    }
}

impl Wire for Kind {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self == Self::Commit));
    }
    fn take(from: &mut Cursor<'_>) -> Result<Self, Malformed> {
        match u8::take(from)? {
            0 => Ok(Self::Prepare),
            1 => Ok(Self::Commit),
            got => Err(Malformed::Unknown { what: "kind of vote", got: got.into() }),
        }
    }
}

layout!(
    /// What a vote says.
    Vote {
        /// The epoch.
        epoch: u64,
        /// The view voted in.
        view: u64,
        /// The block's height.
        height: u64,
        /// The block.
        block: Id,
    }
);

layout!(
    /// A certificate of votes.
    Qc {
        /// Which votes.
        kind: Kind,
        /// What all of them say.
        vote: Vote,
        /// Who voted.
        signers: Signers,
        /// The sum of their signatures.
        signature: BlsBytes,
    }
);

/// A certificate of commit votes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct CommitQc(pub Qc);

impl Wire for CommitQc {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }
    fn take(from: &mut Cursor<'_>) -> Result<Self, Malformed> {
        let qc = Qc::take(from)?;
        match qc.kind {
            Kind::Commit => Ok(Self(qc)),
            Kind::Prepare => Err(Malformed::Form { what: "a commit certificate of prepare votes" }),
        }
    }
}

layout!(
    /// What was prepared last, and in which view.
    TipVote {
        /// The view of the vote.
        view: u64,
        /// The block's height.
        height: u64,
        /// The block.
        block: Id,
    }
);

layout!(
    /// What a timeout signs.
    TimeoutVote {
        /// The epoch.
        epoch: u64,
        /// The view given up.
        view: u64,
        /// The view of the highest certificate held.
        lock: u64,
        /// What was prepared last.
        tip: Option<TipVote>,
    }
);

layout!(
    /// Those who gave up a view with the same words.
    Group {
        /// The view of the highest certificate they hold.
        lock: u64,
        /// What they prepared last.
        tip: Option<TipVote>,
        /// Who they are.
        signers: Signers,
    }
);

layout!(
    /// A certificate that a view was given up, as its fields.
    TcFields {
        /// The epoch.
        epoch: u64,
        /// The view.
        view: u64,
        /// Who said what.
        groups: List<Group, MEMBERS_MAX>,
        /// The sum of the signatures, each over its group's own words.
        signature: BlsBytes,
        /// The highest certificate that any group names.
        lock: Qc,
    }
);

/// A certificate that a view was given up, with the pieces in order.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Tc(pub TcFields);

impl Tc {
    fn check(&self) -> Result<(), &'static str> {
        let TcFields { epoch, view, groups, lock, .. } = &self.0;
        let rising = |a: &Group, b: &Group| (a.lock, &a.tip) < (b.lock, &b.tip);
        if groups.0.is_empty() || !groups.0.is_sorted_by(rising) {
            return Err("groups of timeouts not in their order");
        }
        let members = groups.0[0].signers.members();
        let mut seen = vec![false; usize::from(members)];
        for group in &groups.0 {
            if group.signers.members() != members || group.signers.count() == 0 {
                return Err("a group of timeouts without signers or of another set");
            }
            for place in group.signers.places() {
                if std::mem::replace(&mut seen[usize::from(place)], true) {
                    return Err("a signer in two groups of timeouts");
                }
            }
            if group.lock >= *view || group.tip.as_ref().is_some_and(|tip| tip.view > *view) {
                return Err("a group of timeouts with a lock or tip from beyond the view");
            }
        }
        let highest = groups.0.iter().map(|group| group.lock).max();
        if highest != Some(lock.vote.view) || lock.vote.epoch != *epoch {
            return Err("a timeout certificate with another lock than its groups name");
        }
        Ok(())
    }
}

impl Wire for Tc {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }
    fn take(from: &mut Cursor<'_>) -> Result<Self, Malformed> {
        let tc = Self(TcFields::take(from)?);
        tc.check().map_err(|what| Malformed::Form { what })?;
        Ok(tc)
    }
}

/// How a view is entered.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Entry {
    /// The view before is certified.
    Qc(Qc),
    /// The view before was given up.
    Tc(Tc),
}

impl Wire for Entry {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Qc(qc) => (0_u8, qc.clone()).put(out),
            Self::Tc(tc) => (1_u8, tc.clone()).put(out),
        }
    }
    fn take(from: &mut Cursor<'_>) -> Result<Self, Malformed> {
        match u8::take(from)? {
            0 => Qc::take(from).map(Self::Qc),
            1 => Tc::take(from).map(Self::Tc),
            got => Err(Malformed::Unknown { what: "tag of an entry certificate", got: got.into() }),
        }
    }
}
