//! What validators say to each other (section 9 of the document).

use super::batch::{Ack, Availability, Batch, BatchHeader, EdBytes, Lane};
use super::block::Block;
use super::certificate::{BlsBytes, CommitQc, Entry, Kind, Qc, Tc, TimeoutVote, TipVote, Vote};
use super::{Cursor, Id, Malformed, Wire, layout};

/// What justifies a proposal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Justify {
    /// The certificate of the view before.
    Normal(Qc),
    /// Nothing yet but a parent.
    Optimistic(Id),
    /// The view before was given up; and the parent's certificate.
    Fallback(Tc, Qc),
    /// A block proposed before, by its hash.
    Repropose(Entry, Id),
    /// The certificate that the epoch starts from.
    EpochStart(Qc),
}

impl Wire for Justify {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Normal(qc) => (0_u8, qc.clone()).put(out),
            Self::Optimistic(parent) => (1_u8, *parent).put(out),
            Self::Fallback(tc, qc) => (2_u8, (tc.clone(), qc.clone())).put(out),
            Self::Repropose(entry, block) => (3_u8, (entry.clone(), *block)).put(out),
            Self::EpochStart(qc) => (4_u8, qc.clone()).put(out),
        }
    }
    fn take(from: &mut Cursor<'_>) -> Result<Self, Malformed> {
        Ok(match u8::take(from)? {
            0 => Self::Normal(Qc::take(from)?),
            1 => Self::Optimistic(Id::take(from)?),
            2 => Self::Fallback(Tc::take(from)?, Qc::take(from)?),
            3 => Self::Repropose(Entry::take(from)?, Id::take(from)?),
            4 => Self::EpochStart(Qc::take(from)?),
            got => return Err(Malformed::Unknown { what: "kind of proposal", got: got.into() }),
        })
    }
}

/// A leader's proposal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proposal {
    /// The epoch.
    pub epoch: u64,
    /// The view.
    pub view: u64,
    /// Why it may be made.
    pub justify: Justify,
    /// The block, unless it is proposed again.
    pub block: Option<Block>,
    /// That the ordered height it names is final.
    pub ordered: Option<CommitQc>,
    /// The leader's.
    pub signature: EdBytes,
}

impl Proposal {
    /// The block's hash.
    #[must_use]
    pub fn block_hash(&self) -> Id {
        match (&self.block, &self.justify) {
            (Some(block), _) => block.header.hash(),
            (None, Justify::Repropose(_, block)) => *block,
            (None, _) => Id::default(),
        }
    }

    /// 0 for an optimistic one, 1 for all others: a leader makes one of each in a view.
    #[must_use]
    pub const fn class(&self) -> u8 {
        if matches!(self.justify, Justify::Optimistic(_)) { 0 } else { 1 }
    }

    /// What the leader signs.
    #[must_use]
    pub fn statement(&self) -> Vec<u8> {
        ((self.epoch, self.view), (self.class(), self.block_hash())).bytes()
    }
}

impl Wire for Proposal {
    fn put(&self, out: &mut Vec<u8>) {
        (self.epoch, self.view).put(out);
        self.justify.put(out);
        self.block.put(out);
        self.ordered.put(out);
        self.signature.put(out);
    }
    fn take(from: &mut Cursor<'_>) -> Result<Self, Malformed> {
        let (epoch, view) = Wire::take(from)?;
        let justify = Justify::take(from)?;
        let block = <Option<Block> as Wire>::take(from)?;
        let ordered = <Option<CommitQc> as Wire>::take(from)?;
        if block.is_some() == matches!(justify, Justify::Repropose(..)) {
            return Err(Malformed::Form { what: "a block where none may be, or none" });
        }
        Ok(Self { epoch, view, justify, block, ordered, signature: Wire::take(from)? })
    }
}

layout!(
    /// A vote on its way.
    VoteMessage {
        /// Which.
        kind: Kind,
        /// What it says.
        vote: Vote,
        /// The sender's.
        signature: BlsBytes,
        /// How far the sender has ordered; not signed.
        ordered_height: u64,
    }
);

layout!(
    /// A view given up.
    Timeout {
        /// The view.
        view: u64,
        /// The highest certificate held.
        lock: Qc,
        /// What was prepared last.
        tip: Option<TipVote>,
        /// How the view was entered.
        entry: Entry,
        /// The own prepare vote of this view.
        prepare: Option<(Vote, BlsBytes)>,
        /// The sender's.
        signature: BlsBytes,
    }
);

impl Timeout {
    /// What is signed.
    #[must_use]
    pub fn statement(&self) -> TimeoutVote {
        TimeoutVote {
            epoch: self.lock.vote.epoch,
            view: self.view,
            lock: self.lock.vote.view,
            tip: self.tip.clone(),
        }
    }
}

layout!(
    /// An acknowledgement on its way.
    AckMessage {
        /// What it says.
        statement: Ack,
        /// The sender's.
        signature: EdBytes,
    }
);

layout!(
    /// An acknowledgement of a batch that is not ordered for too long, to all.
    Rescue {
        /// The batch's header.
        header: BatchHeader,
        /// Its owner's.
        owner_signature: EdBytes,
        /// The sender's, over its acknowledgement.
        signature: EdBytes,
    }
);

layout!(
    /// How far the sender follows the receiver's lane.
    LaneStatus {
        /// The lane.
        lane: Lane,
        /// The last number acknowledged.
        seq: u64,
        /// Its digest.
        digest: Id,
    }
);

/// A message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message {
    /// Tag 0.
    Proposal(Box<Proposal>),
    /// Tag 1.
    Vote(VoteMessage),
    /// Tag 2.
    Timeout(Box<Timeout>),
    /// Tag 3.
    Entry(Entry),
    /// Tag 4.
    Commit(CommitQc),
    /// Tag 5.
    Batch(Batch),
    /// Tag 6.
    Ack(AckMessage),
    /// Tag 7.
    Availability(Availability),
    /// Tag 8.
    Rescue(Rescue),
    /// Tag 9.
    LaneStatus(LaneStatus),
}

impl Wire for Message {
    fn put(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend([1, 0]);
        let tag = match self {
            Self::Proposal(it) => (it.put(out), 0).1,
            Self::Vote(it) => (it.put(out), 1).1,
            Self::Timeout(it) => (it.put(out), 2).1,
            Self::Entry(it) => (it.put(out), 3).1,
            Self::Commit(it) => (it.put(out), 4).1,
            Self::Batch(it) => (it.put(out), 5).1,
            Self::Ack(it) => (it.put(out), 6).1,
            Self::Availability(it) => (it.put(out), 7).1,
            Self::Rescue(it) => (it.put(out), 8).1,
            Self::LaneStatus(it) => (it.put(out), 9).1,
        };
        out[start + 1] = tag;
    }
    fn take(from: &mut Cursor<'_>) -> Result<Self, Malformed> {
        from.version()?;
        Ok(match u8::take(from)? {
            0 => Self::Proposal(Box::new(Proposal::take(from)?)),
            1 => Self::Vote(Wire::take(from)?),
            2 => Self::Timeout(Box::new(Timeout::take(from)?)),
            3 => Self::Entry(Wire::take(from)?),
            4 => Self::Commit(Wire::take(from)?),
            5 => Self::Batch(Wire::take(from)?),
            6 => Self::Ack(Wire::take(from)?),
            7 => Self::Availability(Wire::take(from)?),
            8 => Self::Rescue(Wire::take(from)?),
            9 => Self::LaneStatus(Wire::take(from)?),
            got => return Err(Malformed::Unknown { what: "tag of a message", got: got.into() }),
        })
    }
}
