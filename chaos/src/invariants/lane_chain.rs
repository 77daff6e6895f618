//! Certified batches of one lane lie on one chain: no two at one place, and each leads down to the
//! certified one below it.

use super::Check;
use chorale_types::batch::{Acknowledgement, BatchHeader};
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::{LaneId, LaneSeq};
use std::collections::BTreeMap;

/// Every header seen, and which batches are certified.
#[derive(Debug, Default)]
pub struct LaneChain {
    /// Digest to place and predecessor.
    below: BTreeMap<Digest, (LaneSeq, Digest)>,
    certified: BTreeMap<(LaneId, LaneSeq), Digest>,
}

impl LaneChain {
    /// An honest node stores a batch.
    pub fn on_stored(&mut self, header: &BatchHeader) {
        self.below.insert(header.digest(), (header.seq, header.prev));
    }

    /// Whether a certificate is news.
    #[must_use]
    pub fn is_news(&self, statement: &Acknowledgement) -> bool {
        self.certified.get(&(statement.lane, statement.seq)) != Some(&statement.digest)
    }

    /// A valid availability certificate was seen.
    ///
    /// # Errors
    /// When it and one seen before do not lie on one chain.
    pub fn on_certified(&mut self, statement: &Acknowledgement) -> Check {
        let place = (statement.lane, statement.seq);
        self.below.insert(statement.digest, (statement.seq, statement.prev));
        if let Some(first) = self.certified.insert(place, statement.digest)
            && first != statement.digest
        {
            return Err(format!("two certified batches at {} of {}", place.1, place.0));
        }
        self.walk(statement.lane, place.1)?;
        let next = self.certified.range((place.0, place.1.next())..=(place.0, LaneSeq::MAX)).next();
        match next.map(|((_, seq), _)| *seq) {
            Some(above) => self.walk(statement.lane, above),
            None => Ok(()),
        }
    }

    /// Walks from one certified batch down to the next, as far as headers are known.
    fn walk(&self, lane: LaneId, from: LaneSeq) -> Check {
        let below = self.certified.range((lane, LaneSeq::ZERO)..(lane, from)).next_back();
        let (Some(start), Some(((_, stop), expected))) = (self.certified.get(&(lane, from)), below)
        else {
            return Ok(());
        };
        let mut at = *start;
        loop {
            let Some((seq, prev)) = self.below.get(&at) else { return Ok(()) };
            at = *prev;
            if seq.previous().is_none_or(|seq| seq <= *stop) {
                break;
            }
        }
        if at == *expected {
            Ok(())
        } else {
            Err(format!("certified batches at {stop} and {from} of {lane} part ways"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chorale_types::ids::{Epoch, ValidatorIndex};

    const LANE: LaneId = LaneId { epoch: Epoch::new(1), owner: ValidatorIndex::new(2) };

    fn header(seq: u64, prev: Digest, name: u8) -> BatchHeader {
        let (seq, root) = (LaneSeq::new(seq), Digest::from_bytes([name; 32]));
        BatchHeader { lane: LANE, seq, prev, root, bytes_through: 1 }
    }

    #[test]
    fn certified_batches_on_one_chain_pass_in_any_order_and_with_gaps() {
        let one = header(1, Digest::ZERO, 1);
        let two = header(2, one.digest(), 2);
        let three = header(3, two.digest(), 3);
        for order in [[one, two, three], [three, one, two], [three, two, one]] {
            let mut chain = LaneChain::default();
            order.iter().for_each(|header| chain.on_stored(header));
            for header in order {
                assert_eq!(chain.on_certified(&header.acknowledgement()), Ok(()));
            }
        }
    }

    #[test]
    fn two_at_one_place_or_a_fork_below_are_found() {
        let (one, other) = (header(1, Digest::ZERO, 1), header(1, Digest::ZERO, 9));
        let two = header(2, other.digest(), 2);
        let three = header(3, two.digest(), 3);
        let mut chain = LaneChain::default();
        chain.on_certified(&one.acknowledgement()).unwrap();
        assert!(chain.on_certified(&other.acknowledgement()).is_err());

        let mut chain = LaneChain::default();
        [other, two].iter().for_each(|header| chain.on_stored(header));
        chain.on_certified(&one.acknowledgement()).unwrap();
        assert!(chain.on_certified(&three.acknowledgement()).is_err());
    }
}
