//! The ordering state at one height, as far as one rollup is shown it, and what proves it.

use super::VERSION;
use crate::block::{Frontier, Header};
use crate::certificate::CommitCert;
use crate::codec::{Decode, DecodeError, Encode, Reader, encode_list};
use crate::crypto::hash::Digest;
use crate::ids::{Height, RollupId};
use crate::limits::{FRAME_LINK_HEADERS_MAX, WINDOW_IDS_MAX};
use crate::merkle::Proof;
use crate::ordered::{Moment, OrderedSummary, RollupLeaf, WindowEntry};
use crate::time::Timestamp;

/// The ordering state at a height, opened for one rollup.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Anchor {
    /// The height.
    pub height: Height,
    /// The time of the block there.
    pub time: Timestamp,
    /// The window clock there, in milliseconds.
    pub clock: u64,
    /// The rollup's leaf.
    pub leaf: RollupLeaf,
    /// The leaf's place among all rollups'.
    pub path: Proof,
    /// The lane frontier.
    pub frontier: Frontier,
    /// The root of the system ledger.
    pub ledger: Digest,
}
codec_struct!(Anchor { height, time, clock, leaf, path, frontier, ledger });

impl Anchor {
    /// The ordering root that these parts have; `None` when the leaf's path is malformed.
    #[must_use]
    pub fn root(&self) -> Option<Digest> {
        let summary = OrderedSummary {
            height: self.height,
            time: self.time,
            clock: self.clock,
            rollups: self.path.root(&self.leaf.digest())?,
            frontier: self.frontier.hash(),
            ledger: self.ledger,
        };
        Some(summary.root())
    }

    /// Whether a header names this state. The root covers the height.
    #[must_use]
    pub fn is_named_by(&self, header: &Header) -> bool {
        self.root() == Some(header.ordered_root)
    }

    /// Where the windows stand.
    #[must_use]
    pub const fn moment(&self) -> Moment {
        Moment { height: self.height, clock: self.clock }
    }
}

/// An anchor with the headers and the certificate that prove it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Proven {
    /// The state.
    pub anchor: Anchor,
    /// The header that names it and those above, up to the certified one; at least one.
    pub headers: Vec<Header>,
    /// The certificate of the last header.
    pub certificate: CommitCert,
}
codec_struct!(Proven { anchor, headers: max FRAME_LINK_HEADERS_MAX + 1, certificate });

/// What a client starts from: everything it needs to check the rollup's next block and to know
/// which ids the rollup remembers.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Checkpoint {
    /// The rollup.
    pub rollup: RollupId,
    /// The state with its proof; `None` for the state of genesis, which everyone can compute.
    pub proven: Option<Proven>,
    /// The rollup's window in that state, by rising height.
    pub entries: Vec<WindowEntry>,
}

impl Encode for Checkpoint {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        self.rollup.encode(out);
        self.proven.encode(out);
        encode_list(self.entries.iter(), out);
    }
}

impl Decode for Checkpoint {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.version(VERSION)?;
        Ok(Self {
            rollup: RollupId::decode(reader)?,
            proven: Option::decode(reader)?,
            entries: reader.list("window entries", WINDOW_IDS_MAX)?,
        })
    }
}

/// "Nothing of this rollup was left out up to this height": its sequence and the chain over its
/// blocks there, proven. All but the certificate is the same from every node that names the same
/// header.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Heartbeat(pub Proven);

impl Encode for Heartbeat {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        self.0.encode(out);
    }
}

impl Decode for Heartbeat {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.version(VERSION)?;
        Ok(Self(Proven::decode(reader)?))
    }
}
