//! Rules L2 and L4: what may be acknowledged. Which batches may stand on which decides whether the
//! certified batches of a lane form one chain, and so whether what is available stays so.

use super::lane::Lane;
use chorale_types::batch::{BatchHeader, BatchId, LaneTip};
use chorale_types::ids::LaneSeq;
use chorale_types::museum::{Bug, planted};
use thiserror::Error;

/// Why a batch is not acknowledged, now or ever.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Error)]
pub(super) enum NotNow {
    /// Its place is ordered.
    #[error("place {seq} of the lane is ordered")]
    Ordered { seq: LaneSeq },
    /// Another digest is acknowledged at its place. For ever.
    #[error("another batch is acknowledged at place {seq}")]
    OtherAcknowledged { seq: LaneSeq },
    /// Another digest at its place is certified, so this one never will be.
    #[error("another batch is certified at place {seq}")]
    OtherCertified { seq: LaneSeq },
    /// It stands on nothing acknowledged, certified or ordered.
    #[error("the predecessor of place {seq} is neither acknowledged, certified nor ordered")]
    UnknownPredecessor { seq: LaneSeq },
    /// Its lane bytes are not its predecessor's and what it is charged itself. For ever.
    #[error("lane bytes {got} at place {seq}, the batch makes them {expected}")]
    WrongBytes { seq: LaneSeq, got: u64, expected: u64 },
    /// Too many bytes of the lane are not ordered yet.
    #[error("{bytes} bytes of the lane are not ordered, the quota is {max}")]
    OverQuota { bytes: u64, max: u64 },
    /// Too many batches of the lane are not ordered yet.
    #[error("place {seq} is too far above the ordered {ordered}")]
    BeyondWindow { seq: LaneSeq, ordered: LaneSeq },
}

impl Lane {
    /// Whether everything through this tip is known to be available: it has a certificate, is
    /// ordered, or lies below a certified batch on a chain of headers held here. Certified
    /// batches of a lane form one chain, so no other batch at that place can have one.
    pub(super) fn is_certified(&self, tip: &LaneTip) -> bool {
        if *tip == self.ordered {
            return true;
        }
        let Some((_, cert)) = self.certificates.range(tip.seq..).next() else { return false };
        if cert.statement.seq == tip.seq {
            return cert.statement.tip() == *tip;
        }
        let mut at = cert.statement.id();
        while at.seq > tip.seq {
            let Some(header) = self.header(&at) else { return false };
            let Some(seq) = at.seq.previous() else { return false };
            at = BatchId { lane: self.id, seq, digest: header.prev };
        }
        let bytes = self.header(&at).map(|header| header.bytes_through);
        at == tip.id() && bytes == Some(tip.bytes_through)
    }

    /// The lane bytes at the predecessor, when the predecessor may be stood on: it is the ordered
    /// tip, or acknowledged here, or certified. That it is held is not enough, or a certified
    /// batch could come to stand on one that never will be.
    fn bytes_below(&self, header: &BatchHeader) -> Option<u64> {
        let seq = header.seq.previous()?;
        if let (true, Some(digest)) = (planted(Bug::PrevIgnored), self.acknowledged.get(&seq)) {
            let digest = *digest;
            return Some(self.header(&BatchId { lane: self.id, seq, digest })?.bytes_through);
        }
        if seq == self.ordered.seq {
            return (header.prev == self.ordered.digest).then_some(self.ordered.bytes_through);
        }
        let prev = BatchId { lane: self.id, seq, digest: header.prev };
        if let Some(cert) = self.certificates.get(&seq)
            && cert.statement.digest == header.prev
        {
            return Some(cert.statement.bytes_through);
        }
        let below = self.header(&prev)?;
        let tip =
            LaneTip { lane: self.id, seq, digest: header.prev, bytes_through: below.bytes_through };
        (self.is_acknowledged(&prev) || self.is_certified(&tip)).then_some(below.bytes_through)
    }

    /// Whether nothing above this batch will be acknowledged here while what is known stays:
    /// another one is ordered, certified or, above all certificates, acknowledged at its place.
    pub(super) fn cannot_stand_on(&self, id: &BatchId) -> bool {
        if self.is_acknowledged(id) {
            return false;
        }
        if id.seq == self.ordered.seq {
            return id.digest != self.ordered.digest;
        }
        match self.certificates.get(&id.seq) {
            Some(cert) => cert.statement.digest != id.digest,
            None => id.seq > self.certified_seq() && self.acknowledged.contains_key(&id.seq),
        }
    }

    /// Rules L2 and L4: whether a batch that is charged so much may be acknowledged.
    pub(super) fn check_acknowledge(
        &self,
        header: &BatchHeader,
        charge: usize,
        quota: u64,
    ) -> Result<(), NotNow> {
        let seq = header.seq;
        if seq <= self.ordered.seq {
            return Err(NotNow::Ordered { seq });
        }
        let other = self.acknowledged.get(&seq).is_some_and(|digest| *digest != header.digest());
        if other && !planted(Bug::SecondAcknowledged) {
            return Err(NotNow::OtherAcknowledged { seq });
        }
        let certified = self.certificates.get(&seq);
        let other = certified.is_some_and(|cert| cert.statement.digest != header.digest());
        if other && !planted(Bug::SecondAcknowledged) {
            return Err(NotNow::OtherCertified { seq });
        }
        let below = self.bytes_below(header).ok_or(NotNow::UnknownPredecessor { seq })?;
        let charge = u64::try_from(charge).unwrap_or(u64::MAX);
        let (got, expected) = (header.bytes_through, below.saturating_add(charge));
        if got != expected {
            return Err(NotNow::WrongBytes { seq, got, expected });
        }
        if !self.in_window(seq) {
            return Err(NotNow::BeyondWindow { seq, ordered: self.ordered.seq });
        }
        let unordered = header.bytes_through.saturating_sub(self.ordered.bytes_through);
        if unordered > quota {
            return Err(NotNow::OverQuota { bytes: unordered, max: quota });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
