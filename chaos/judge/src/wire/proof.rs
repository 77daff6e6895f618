//! What a rollup is shown (section 7 of the document), and a follower's record of it.

use super::batch::{BatchHeader, ROLLUPS_MAX, TRANSACTION_BYTES_MAX, Tip};
use super::block::{Body, Header, TIPS_MAX};
use super::certificate::CommitQc;
use super::{Blob, Cursor, Id, List, Malformed, Wire, layout};

/// Most blocks in a proof.
const PARTS_MAX: usize = 64;
/// Most headers above the last of them.
const LINK_MAX: usize = 8_192;
/// Most bytes of a proof.
const PROOF_MAX: usize = 68 * 1024 * 1024;
/// Most batches that a block orders: 512 of each lane.
const BATCHES_MAX: usize = TIPS_MAX * 512;
/// Most transactions in a frame that is recorded.
const TRANSACTIONS_MAX: usize = 64 * 1024 * 1024;

layout!(
    /// A place in a Merkle tree and the way to its root.
    Path {
        /// The leaf's place.
        index: u32,
        /// How many leaves there are.
        count: u32,
        /// Siblings from the bottom up, where there is one.
        siblings: List<Id, 32>,
    }
);

layout!(
    /// A rollup's part of a batch, and its place.
    Placed {
        /// The rollup.
        rollup: u64,
        /// How many transactions.
        count: u32,
        /// The root over their ids.
        ids_root: Id,
        /// The way to the batch's root.
        path: Path,
    }
);

/// What a batch holds of a rollup.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum EntryProof {
    /// This.
    Present(Placed),
    /// Nothing: the parts left and right of where it would stand.
    Absent(Option<Placed>, Option<Placed>),
}

impl Wire for EntryProof {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Present(placed) => (0_u8, placed.clone()).put(out),
            Self::Absent(left, right) => (1_u8, (left.clone(), right.clone())).put(out),
        }
    }
    fn take(from: &mut Cursor<'_>) -> Result<Self, Malformed> {
        match u8::take(from)? {
            0 => Placed::take(from).map(Self::Present),
            1 => Wire::take(from).map(|(left, right)| Self::Absent(left, right)),
            got => Err(Malformed::Unknown { what: "tag of an entry's proof", got: got.into() }),
        }
    }
}

layout!(
    /// A batch as far as one rollup is shown it.
    BatchProof {
        /// Its header.
        header: BatchHeader,
        /// What it holds of the rollup.
        entry: EntryProof,
    }
);

layout!(
    /// A block as far as one rollup is shown it.
    Part {
        /// The header.
        header: Header,
        /// The body.
        body: Body,
        /// The batches it newly orders, in the order of delivery.
        batches: List<BatchProof, BATCHES_MAX>,
    }
);

layout!(
    /// A transaction that was ordered again and not delivered again.
    Skipped {
        /// Its place among all of the rollup's in the frame's parts.
        position: u32,
        /// Its id.
        id: Id,
        /// Where it was delivered.
        earlier: u64,
    }
);

layout!(
    /// What a rollup remembers of its ids.
    Window {
        /// The height of the oldest entry; 0 when there is none.
        start: u64,
        /// The chain before it.
        base: Id,
        /// The chain after the newest.
        tip: Id,
    }
);

layout!(
    /// One rollup in the state of ordering.
    Leaf {
        /// The rollup.
        rollup: u64,
        /// Its last block.
        sequence: u64,
        /// The height of that.
        height: u64,
        /// The chain over its blocks.
        stream_root: Id,
        /// What it remembers.
        window: Window,
    }
);

layout!(
    /// The state of ordering, opened for one rollup.
    Anchor {
        /// The height.
        height: u64,
        /// The time of the block there.
        time: u64,
        /// The windows' clock there.
        clock: u64,
        /// The rollup.
        leaf: Leaf,
        /// Its place among all.
        path: Path,
        /// How far each lane is ordered, by rising lane.
        frontier: Frontier,
        /// Zeros in this version.
        ledger: Id,
    }
);

/// How far lanes are ordered, by strictly rising lane.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Frontier(pub List<Tip, TIPS_MAX>);

impl Wire for Frontier {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }
    fn take(from: &mut Cursor<'_>) -> Result<Self, Malformed> {
        let tips = List::<Tip, TIPS_MAX>::take(from)?;
        if tips.0.is_sorted_by(|a, b| a.lane < b.lane) {
            Ok(Self(tips))
        } else {
            Err(Malformed::Form { what: "a frontier's lanes not in their order" })
        }
    }
}

/// What proves a frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FrameProof {
    /// The rollup.
    pub rollup: u64,
    /// The frame's sequence.
    pub sequence: u64,
    /// The state that the parts start from.
    pub anchor: Option<Anchor>,
    /// The blocks up to the frame's.
    pub parts: List<Part, PARTS_MAX>,
    /// What is in their batches and not in the frame.
    pub skipped: List<Skipped, { PROOF_MAX / 44 }>,
    /// Headers above the last part.
    pub link: List<Header, LINK_MAX>,
    /// The last header's certificate.
    pub certificate: CommitQc,
}

impl Wire for FrameProof {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(1);
        (self.rollup, self.sequence).put(out);
        self.anchor.put(out);
        self.parts.put(out);
        self.skipped.put(out);
        self.link.put(out);
        self.certificate.put(out);
    }
    fn take(from: &mut Cursor<'_>) -> Result<Self, Malformed> {
        from.version()?;
        let (rollup, sequence) = Wire::take(from)?;
        Ok(Self {
            rollup,
            sequence,
            anchor: Wire::take(from)?,
            parts: Wire::take(from)?,
            skipped: Wire::take(from)?,
            link: Wire::take(from)?,
            certificate: Wire::take(from)?,
        })
    }
}

layout!(
    /// A frame as a follower records it: what it was given, whole.
    Frame {
        /// The rollup.
        rollup: u64,
        /// Its place in the rollup's stream.
        sequence: u64,
        /// The height it was ordered at.
        height: u64,
        /// The time of the block there.
        time: u64,
        /// The transactions, in order.
        transactions: List<Blob<TRANSACTION_BYTES_MAX>, TRANSACTIONS_MAX>,
        /// A [`FrameProof`].
        proof: Blob<PROOF_MAX>,
    }
);

/// Most rollups in a state.
pub const LEAVES_MAX: usize = ROLLUPS_MAX;
