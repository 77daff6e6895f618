//! What must be durable before a signature leaves, and what a replica is rebuilt from.

use crate::output::TimeoutStatement;
use chorale_types::batch::{Batch, BatchEntry, BatchHeader};
use chorale_types::block::{Block, CommittedBlock, Frontier};
use chorale_types::certificate::{CommitCert, QuorumCert, TimeoutCert};
use chorale_types::codec::{Decode, DecodeError, Encode, Reader};
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::{Epoch, Height, View};
use chorale_types::message::ProposalClass;
use chorale_types::vote::{Tip, Vote};
use std::sync::Arc;

/// The version of [`VoteRecord`] that this build writes. Version 1 had no contradiction; it is
/// still read, so that a validator that is brought up to date goes on voting.
const VERSION: u8 = 2;

/// Names a record within one run. Rising.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RecordId(pub u64);

/// Something to make durable.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Record {
    /// First the blocks, then the vote record that refers to them, each synced. A later vote
    /// record replaces every earlier one.
    Vote {
        /// Blocks that the record names and that may not be stored yet.
        blocks: Vec<Arc<Block>>,
        /// The record.
        record: Arc<VoteRecord>,
    },
    /// The next batch of this node's own lane: sign the header's acknowledgement as the owner,
    /// store the batch and that acknowledgement in one synced write, and hand the signed batch
    /// back as [`crate::Input::Own`] before [`crate::Input::Durable`].
    OwnBatch {
        /// The header.
        header: BatchHeader,
        /// The transactions.
        entries: Vec<BatchEntry>,
    },
    /// Another member's batch, in one synced write with the acknowledgement where one follows.
    Batch {
        /// The batch.
        batch: Arc<Batch>,
        /// Whether this replica acknowledges it.
        acknowledge: bool,
    },
    /// The acknowledgement of a batch that is stored already, synced.
    Acknowledgement {
        /// The batch's header.
        header: BatchHeader,
    },
}

/// Everything a replica must not forget about what it signed.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct VoteRecord {
    /// The epoch all views here belong to.
    pub epoch: Epoch,
    /// No vote at or below this view is signed again.
    pub last_voted_view: View,
    /// The last prepare vote, to send again.
    pub last_prepare: Option<Vote>,
    /// The highest view given up.
    pub highest_timeout_view: View,
    /// The last timeout, to send again: signing it again gives the same bytes.
    pub last_timeout: Option<TimeoutStatement>,
    /// The view of the last commit vote.
    pub last_commit_view: View,
    /// The last commit vote, to send again.
    pub last_commit: Option<Vote>,
    /// The lock.
    pub high_qc: QuorumCert,
    /// The last prepared block.
    pub tip: Option<Tip>,
    /// The last view proposed in, the class, and the block.
    pub last_proposed: Option<(View, ProposalClass, Digest)>,
    /// The highest `TimeoutCert` held.
    pub high_tc: Option<TimeoutCert>,
    /// The highest `CommitCert` held.
    pub high_cc: Option<CommitCert>,
    /// A `CommitCert` of another block than is final here (R7). Once there it stays, and nothing is
    /// signed.
    pub contradiction: Option<CommitCert>,
}

impl VoteRecord {
    /// The record of a replica that signed nothing yet.
    #[must_use]
    pub const fn new(start: QuorumCert) -> Self {
        Self {
            epoch: start.vote.epoch,
            last_voted_view: View::ZERO,
            last_prepare: None,
            highest_timeout_view: View::ZERO,
            last_timeout: None,
            last_commit_view: View::ZERO,
            last_commit: None,
            high_qc: start,
            tip: None,
            last_proposed: None,
            high_tc: None,
            high_cc: None,
            contradiction: None,
        }
    }
}

impl Encode for VoteRecord {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        self.epoch.encode(out);
        self.last_voted_view.encode(out);
        self.last_prepare.encode(out);
        self.highest_timeout_view.encode(out);
        self.last_timeout.encode(out);
        self.last_commit_view.encode(out);
        self.last_commit.encode(out);
        self.high_qc.encode(out);
        self.tip.encode(out);
        match &self.last_proposed {
            None => out.push(0),
            Some((view, class, block)) => {
                out.push(match class {
                    ProposalClass::Optimistic => 1,
                    ProposalClass::Justified => 2,
                });
                view.encode(out);
                block.encode(out);
            }
        }
        self.high_tc.encode(out);
        self.high_cc.encode(out);
        self.contradiction.encode(out);
    }
}

impl Decode for VoteRecord {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let version = u8::decode(reader)?;
        if version == 0 || version > VERSION {
            return Err(DecodeError::UnknownVersion { got: version, known: VERSION });
        }
        Ok(Self {
            epoch: Epoch::decode(reader)?,
            last_voted_view: View::decode(reader)?,
            last_prepare: Option::decode(reader)?,
            highest_timeout_view: View::decode(reader)?,
            last_timeout: Option::decode(reader)?,
            last_commit_view: View::decode(reader)?,
            last_commit: Option::decode(reader)?,
            high_qc: QuorumCert::decode(reader)?,
            tip: Option::decode(reader)?,
            last_proposed: decode_proposed(reader)?,
            high_tc: Option::decode(reader)?,
            high_cc: Option::decode(reader)?,
            contradiction: if version == 1 { None } else { Option::decode(reader)? },
        })
    }
}

fn decode_proposed(
    reader: &mut Reader<'_>,
) -> Result<Option<(View, ProposalClass, Digest)>, DecodeError> {
    let class = match u8::decode(reader)? {
        0 => return Ok(None),
        1 => ProposalClass::Optimistic,
        2 => ProposalClass::Justified,
        got => {
            return Err(DecodeError::BadValue { what: "proposed tag", got: u64::from(got) });
        }
    };
    Ok(Some((View::decode(reader)?, class, Digest::decode(reader)?)))
}

/// What storage holds when a node starts.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Recovered {
    /// The vote record; `None` on the first start, or when it cannot be used.
    pub vote: Option<VoteRecord>,
    /// The last committed blocks by rising height without a gap, the head last: at least all that
    /// are not ordered yet.
    pub committed: Vec<CommittedBlock>,
    /// The lane frontier after the head.
    pub frontier: Frontier,
    /// Stored blocks above the head, in no order that matters.
    pub uncommitted: Vec<Arc<Block>>,
    /// The last ordered roots by rising height without a gap; the last is how far the node has
    /// ordered, at or below the head.
    pub ordered: Vec<(Height, Digest)>,
    /// The lane frontier after the last ordered block.
    pub ordered_frontier: Frontier,
    /// Stored batches above the ordered frontier, by lane and sequence.
    pub batches: Vec<StoredBatch>,
    /// The last sequence and digest ever written in this node's own lane, ordered or not.
    pub own_lane: Option<BatchHeader>,
}

/// A batch that storage holds.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct StoredBatch {
    /// The batch.
    pub batch: Arc<Batch>,
    /// Whether this replica acknowledged it.
    pub acknowledged: bool,
}

#[cfg(test)]
mod tests;
