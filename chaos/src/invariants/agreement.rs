//! One block for each height, on every honest node, for ever.

use super::Check;
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::Height;

/// The first block that became final at each height.
#[derive(Debug, Default)]
pub struct Agreement {
    /// From height 1 on; `None` where only higher blocks were seen so far.
    blocks: Vec<Option<Digest>>,
}

impl Agreement {
    /// A block became final on an honest node. True when it is the first at its height.
    ///
    /// # Errors
    /// When another one is final there.
    pub fn on_commit(&mut self, height: Height, hash: Digest) -> Result<bool, String> {
        let at = usize::try_from(height.get()).map_err(|_| format!("height {height}"))?;
        if self.blocks.len() <= at {
            self.blocks.resize(at + 1, None);
        }
        match self.blocks[at] {
            None => {
                self.blocks[at] = Some(hash);
                Ok(true)
            }
            Some(first) if first == hash => Ok(false),
            Some(first) => Err(format!("height {height} is final as {first:?} and as {hash:?}")),
        }
    }

    /// A certificate of commit votes that is valid: its block must be the final one.
    ///
    /// # Errors
    /// When another one is final there.
    pub fn on_certified(&mut self, height: Height, hash: Digest) -> Check {
        self.on_commit(height, hash).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_block_at_a_height_is_a_fork() {
        let (a, b) = (Digest::from_bytes([1; 32]), Digest::from_bytes([2; 32]));
        let mut agreement = Agreement::default();
        assert_eq!(agreement.on_commit(Height::new(3), a), Ok(true));
        assert_eq!(agreement.on_commit(Height::new(3), a), Ok(false));
        assert_eq!(agreement.on_commit(Height::new(2), b), Ok(true));
        assert!(agreement.on_commit(Height::new(3), b).is_err());
    }
}
