//! SHA-256 with a domain in front of everything, so that bytes hashed for one purpose never stand
//! for another.

use crate::codec::{Decode, DecodeError, Encode, Reader};
use core::fmt;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// What bytes are hashed or signed for. The name is part of what is hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Domain {
    /// The genesis document; its hash is the chain id.
    Genesis,
    /// The description of an epoch.
    EpochInfo,
    /// A block header; its hash is the block's id.
    Header,
    /// A block body.
    Body,
    /// A batch header; its hash is the batch's digest.
    Batch,
    /// A transaction; its hash is the transaction's id.
    Transaction,
    /// A leaf of a Merkle tree.
    MerkleLeaf,
    /// An inner node of a Merkle tree.
    MerkleNode,
    /// One rollup's part of a batch.
    BatchEntry,
    /// The ids that one rollup got at one height.
    IdList,
    /// The chain of a rollup's id lists.
    Window,
    /// The chain of a rollup's blocks.
    Stream,
    /// The state of ordering after a height.
    Ordered,
    /// A lane frontier.
    Frontier,
    /// The seed of a leader schedule.
    Schedule,
    /// Signed: a prepare vote.
    Prepare,
    /// Signed: a commit vote.
    Commit,
    /// Signed: a timeout.
    Timeout,
    /// Signed: a leader's proposal.
    Proposal,
    /// Signed: a lane acknowledgement, the owner's included.
    Acknowledge,
    /// Signed: the randomness reveal.
    Reveal,
    /// Signed: proof of possession of a BLS key.
    Possession,
    /// Signed: an envelope that carries a message over gossip.
    Envelope,
    /// The rotation of lanes at a height, and other choices drawn from a block.
    Rotation,
    /// A checksum of stored bytes.
    Checksum,
    /// A certificate, for caches of checked ones.
    Certificate,
}

impl Domain {
    /// The name, as hashed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Genesis => "chorale/1/genesis",
            Self::EpochInfo => "chorale/1/epoch-info",
            Self::Header => "chorale/1/header",
            Self::Body => "chorale/1/body",
            Self::Batch => "chorale/1/batch",
            Self::Transaction => "chorale/1/transaction",
            Self::MerkleLeaf => "chorale/1/merkle-leaf",
            Self::MerkleNode => "chorale/1/merkle-node",
            Self::BatchEntry => "chorale/1/batch-entry",
            Self::IdList => "chorale/1/id-list",
            Self::Window => "chorale/1/window",
            Self::Stream => "chorale/1/stream",
            Self::Ordered => "chorale/1/ordered",
            Self::Frontier => "chorale/1/frontier",
            Self::Schedule => "chorale/1/schedule",
            Self::Prepare => "chorale/1/prepare",
            Self::Commit => "chorale/1/commit",
            Self::Timeout => "chorale/1/timeout",
            Self::Proposal => "chorale/1/proposal",
            Self::Acknowledge => "chorale/1/acknowledge",
            Self::Reveal => "chorale/1/reveal",
            Self::Possession => "chorale/1/possession",
            Self::Envelope => "chorale/1/envelope",
            Self::Rotation => "chorale/1/rotation",
            Self::Checksum => "chorale/1/checksum",
            Self::Certificate => "chorale/1/certificate",
        }
    }

    /// `length(name) name`, the bytes in front of what is hashed or signed.
    pub fn prefix(self, out: &mut Vec<u8>) {
        let name = self.name();
        out.push(u8::try_from(name.len()).expect("domain names are short"));
        out.extend_from_slice(name.as_bytes());
    }
}

/// A SHA-256 hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Digest([u8; 32]);

impl Digest {
    /// All zeros: "nothing", never the hash of anything.
    pub const ZERO: Self = Self([0; 32]);

    /// Takes 32 bytes as a digest.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first eight bytes as a number, for choices drawn from a hash.
    #[must_use]
    pub fn to_u64(self) -> u64 {
        let mut head = [0; 8];
        head.copy_from_slice(&self.0[..8]);
        u64::from_be_bytes(head)
    }
}

/// Hashes `parts`, one behind the other, under `domain`.
///
/// The parts are not separated: callers pass one encoding, or pieces of fixed length.
#[must_use]
pub fn hash(domain: Domain, parts: &[&[u8]]) -> Digest {
    let mut hasher = Sha256::new();
    let name = domain.name();
    hasher.update([u8::try_from(name.len()).expect("domain names are short")]);
    hasher.update(name.as_bytes());
    for part in parts {
        hasher.update(part);
    }
    Digest(hasher.finalize().into())
}

/// Hashes the canonical encoding of `value` under `domain`.
#[must_use]
pub fn hash_of<T: Encode + ?Sized>(domain: Domain, value: &T) -> Digest {
    hash(domain, &[&value.to_bytes()])
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0x")?;
        for byte in self.0 {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in &self.0[..4] {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl core::str::FromStr for Digest {
    type Err = hex::FromHexError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut out = [0; 32];
        hex::decode_to_slice(text.strip_prefix("0x").unwrap_or(text), &mut out)?;
        Ok(Self(out))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Encode for Digest {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
}

impl Decode for Digest {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self(reader.array()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_bytes_differ_by_domain() {
        assert_ne!(hash(Domain::Prepare, &[b"x"]), hash(Domain::Commit, &[b"x"]));
    }

    #[test]
    fn a_digest_survives_its_text() {
        let digest = hash(Domain::Batch, &[b"x"]);
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert!("0x12".parse::<Digest>().is_err());
    }
}
