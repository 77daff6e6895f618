//! What a rollup is shown of the chain: its blocks with their proofs, a state to start from, and
//! how far nothing was left out. The formats are here, and the checks that need no state; the
//! client's light verifier puts them together.
//!
//! Every proof rests on a `CommitCert`: it fixes a header, the hashes in headers fix those below,
//! a header fixes its body, the body and the frontier before it fix which batches are delivered,
//! a batch's header fixes what it holds of each rollup. So a frame shows that each of its
//! transactions is in its place, and that no other one of this rollup was left out.

mod anchor;
mod bounds;
mod entry;

pub use anchor::{Anchor, Checkpoint, Heartbeat, Proven};
pub use entry::{EntryError, EntryProof, PlacedEntry};

use crate::batch::BatchHeader;
use crate::block::{Body, Header};
use crate::certificate::CommitCert;
use crate::codec::{Decode, DecodeError, Encode, Reader, encode_list};
use crate::ids::{Height, RollupId, Sequence};
use crate::limits::{FRAME_HEADERS_MAX, FRAME_LINK_HEADERS_MAX, FRAME_PROOF_BYTES_MAX};
use crate::ordered::{ORDERED_BATCHES_MAX, Skipped};
use crate::time::Timestamp;

/// The version of frames, checkpoints and heartbeats that this build writes.
const VERSION: u8 = 1;
/// Most skipped transactions in one frame: as many as fit into the longest proof.
const FRAME_SKIPPED_MAX: usize = FRAME_PROOF_BYTES_MAX / 44;

/// One block of a rollup, with what proves it.
///
/// Its transactions are all of the rollup's that one block of the chain newly delivered.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Frame {
    /// The rollup.
    pub rollup: RollupId,
    /// Its place in the rollup's stream.
    pub sequence: Sequence,
    /// The height it was ordered at.
    pub height: Height,
    /// The time of the block there.
    pub time: Timestamp,
    /// The transactions, in order.
    pub transactions: Vec<Vec<u8>>,
    /// A [`FrameProof`], encoded; at most [`FRAME_PROOF_BYTES_MAX`].
    pub proof: Vec<u8>,
}

/// What proves a [`Frame`] to a client that knows the state before it.
///
/// All but `link` and `certificate` is a function of the chain, the same from every node. Several
/// sets of signers can certify one block, so two nodes may hold different certificates, or hold
/// one for different heights; any of them proves the same.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct FrameProof {
    /// The rollup.
    pub rollup: RollupId,
    /// The sequence.
    pub sequence: Sequence,
    /// The state that `parts` start from, named by the last part's header. Without one they start
    /// above the height of the rollup's block before.
    pub anchor: Option<Anchor>,
    /// Every block from there to this frame's height, by rising height.
    pub parts: Vec<BlockPart>,
    /// The transactions in the parts' batches that are not in the frame.
    pub skipped: Vec<Skipped>,
    /// The headers above the last part, up to the certified one.
    pub link: Vec<Header>,
    /// The certificate of the last header in `link`, or else of the last part.
    pub certificate: CommitCert,
}

/// One block, as far as a rollup must see it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct BlockPart {
    /// The header.
    pub header: Header,
    /// The body.
    pub body: Body,
    /// Every batch it newly orders, in the order of delivery.
    pub batches: Vec<BatchProof>,
}
codec_struct!(BlockPart { header, body, batches: max ORDERED_BATCHES_MAX });

/// One batch, as far as a rollup must see it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct BatchProof {
    /// The header.
    pub header: BatchHeader,
    /// What it holds of the rollup, or that it holds nothing.
    pub entry: EntryProof,
}
codec_struct!(BatchProof { header, entry });

impl Encode for FrameProof {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        self.rollup.encode(out);
        self.sequence.encode(out);
        self.anchor.encode(out);
        encode_list(self.parts.iter(), out);
        encode_list(self.skipped.iter(), out);
        encode_list(self.link.iter(), out);
        self.certificate.encode(out);
    }
}

impl Decode for FrameProof {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.version(VERSION)?;
        Ok(Self {
            rollup: RollupId::decode(reader)?,
            sequence: Sequence::decode(reader)?,
            anchor: Option::decode(reader)?,
            parts: reader.list("frame parts", FRAME_HEADERS_MAX)?,
            skipped: reader.list("skipped transactions", FRAME_SKIPPED_MAX)?,
            link: reader.list("link headers", FRAME_LINK_HEADERS_MAX)?,
            certificate: CommitCert::decode(reader)?,
        })
    }
}
