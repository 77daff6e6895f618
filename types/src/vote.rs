//! What validators sign to agree, byte for byte.

use crate::certificate::{EntryCert, QuorumCert};
use crate::codec::{Decode, DecodeError, Encode, Reader};
use crate::crypto::bls::BlsSignature;
use crate::crypto::hash::{Digest, Domain};
use crate::crypto::signing_bytes;
use crate::ids::{Epoch, Height, View};
use crate::museum::{Bug, planted};

/// Which of the two votes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum VoteKind {
    /// "I stored this block and build on it": a quorum of these is a `QuorumCert`.
    Prepare,
    /// "I hold its `QuorumCert` and have not given up its view": a quorum is a `CommitCert`.
    Commit,
}

impl VoteKind {
    /// The domain its signatures live in.
    #[must_use]
    pub const fn domain(self) -> Domain {
        match self {
            Self::Prepare => Domain::Prepare,
            Self::Commit => Domain::Commit,
        }
    }
}

impl Encode for VoteKind {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(match self {
            Self::Prepare => 0,
            Self::Commit => 1,
        });
    }
}

impl Decode for VoteKind {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match u8::decode(reader)? {
            0 => Ok(Self::Prepare),
            1 => Ok(Self::Commit),
            got => Err(DecodeError::BadValue { what: "vote kind", got: u64::from(got) }),
        }
    }
}

/// What a vote is for. The height is part of it, so that a certificate alone tells where its
/// block stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Vote {
    /// The epoch.
    pub epoch: Epoch,
    /// The view voted in; for a re-proposed block above its original view.
    pub view: View,
    /// The block's height.
    pub height: Height,
    /// The block.
    pub block: Digest,
}
codec_struct!(Vote { epoch, view, height, block });

impl Vote {
    /// The bytes that are signed (BLS).
    #[must_use]
    pub fn signing_bytes(&self, kind: VoteKind, chain: &Digest) -> Vec<u8> {
        let view = if planted(Bug::VoteViewUnbound) { View::ZERO } else { self.view };
        signing_bytes(kind.domain(), chain, &Self { view, ..*self }.to_bytes())
    }

    /// What a voter remembers and reports of its last prepare vote.
    #[must_use]
    pub const fn tip(&self) -> Tip {
        Tip { view: self.view, height: self.height, block: self.block }
    }
}

/// A replica's last prepared block, and the view it prepared it in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Tip {
    /// The view of the vote.
    pub view: View,
    /// The block's height.
    pub height: Height,
    /// The block.
    pub block: Digest,
}
codec_struct!(Tip { view, height, block });

/// What a timeout signs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TimeoutVote {
    /// The epoch.
    pub epoch: Epoch,
    /// The view given up.
    pub view: View,
    /// The view of the highest `QuorumCert` the sender holds.
    pub high_qc_view: View,
    /// The sender's tip.
    pub tip: Option<Tip>,
}
codec_struct!(TimeoutVote { epoch, view, high_qc_view, tip });

impl TimeoutVote {
    /// The bytes that are signed (BLS).
    #[must_use]
    pub fn signing_bytes(&self, chain: &Digest) -> Vec<u8> {
        let view = if planted(Bug::TimeoutViewUnbound) { View::ZERO } else { self.view };
        signing_bytes(Domain::Timeout, chain, &Self { view, ..*self }.to_bytes())
    }
}

/// "I give up this view": what is signed, and what the receiver needs beside it. Nothing is ever
/// concluded against the sender from the unsigned part.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Timeout {
    /// The view given up.
    pub view: View,
    /// The highest `QuorumCert` the sender holds, of a lower view.
    pub high_qc: QuorumCert,
    /// The sender's tip, of this view or lower.
    pub tip: Option<Tip>,
    /// How the sender entered the view.
    pub entry: EntryCert,
    /// The sender's own prepare vote of this view, if it cast one.
    pub prepare: Option<(Vote, BlsSignature)>,
    /// Over [`TimeoutVote`].
    pub signature: BlsSignature,
}

impl Timeout {
    /// What is signed.
    #[must_use]
    pub const fn vote(&self) -> TimeoutVote {
        TimeoutVote {
            epoch: self.high_qc.vote.epoch,
            view: self.view,
            high_qc_view: self.high_qc.vote.view,
            tip: self.tip,
        }
    }
}

impl Encode for Timeout {
    fn encode(&self, out: &mut Vec<u8>) {
        self.view.encode(out);
        self.high_qc.encode(out);
        self.tip.encode(out);
        self.entry.encode(out);
        match &self.prepare {
            None => out.push(0),
            Some((vote, signature)) => {
                out.push(1);
                vote.encode(out);
                signature.encode(out);
            }
        }
        self.signature.encode(out);
    }
}

impl Decode for Timeout {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            view: View::decode(reader)?,
            high_qc: QuorumCert::decode(reader)?,
            tip: Option::decode(reader)?,
            entry: EntryCert::decode(reader)?,
            prepare: match u8::decode(reader)? {
                0 => None,
                1 => Some((Vote::decode(reader)?, BlsSignature::decode(reader)?)),
                got => {
                    return Err(DecodeError::BadValue { what: "prepare tag", got: u64::from(got) });
                }
            },
            signature: BlsSignature::decode(reader)?,
        })
    }
}
