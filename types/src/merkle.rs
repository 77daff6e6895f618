//! A binary Merkle tree over digests, with proofs of a place.
//!
//! Leaves and inner nodes are hashed in different domains; a node without a partner moves up
//! unchanged; the root binds the number of leaves. So a proof shows which leaf stands at which
//! index of how many, and nothing else can pass for it.

use crate::codec::{Decode, DecodeError, Encode, Reader, encode_list};
use crate::crypto::hash::{Digest, Domain, hash};

/// Longest path: a tree of 2^32 leaves.
const PATH_MAX: usize = 32;

/// The root over `leaves`, in order. An empty list has a root too.
#[must_use]
pub fn root(leaves: &[Digest]) -> Digest {
    let mut level: Vec<Digest> = leaves.iter().map(leaf).collect();
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| match pair {
                [left, right] => node(left, right),
                [lone] => *lone,
                _ => unreachable!("chunks of two"),
            })
            .collect();
    }
    seal(leaves.len(), &level.first().copied().unwrap_or(Digest::ZERO))
}

fn leaf(digest: &Digest) -> Digest {
    hash(Domain::MerkleLeaf, &[digest.as_bytes()])
}

fn node(left: &Digest, right: &Digest) -> Digest {
    hash(Domain::MerkleNode, &[left.as_bytes(), right.as_bytes()])
}

fn seal(count: usize, top: &Digest) -> Digest {
    let count = u32::try_from(count).expect("trees are bounded far below 2^32");
    hash(Domain::MerkleNode, &[&count.to_be_bytes(), top.as_bytes()])
}

/// Shows that a leaf stands at `index` of `count`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Proof {
    /// The leaf's place, from zero.
    pub index: u32,
    /// How many leaves there are.
    pub count: u32,
    /// The siblings from the bottom up; levels where the node has none are left out.
    pub path: Vec<Digest>,
}

impl Proof {
    /// Proves the leaf at `index`.
    ///
    /// # Panics
    /// When `index` is outside `leaves`.
    #[must_use]
    pub fn new(leaves: &[Digest], index: usize) -> Self {
        assert!(index < leaves.len(), "no leaf {index} among {}", leaves.len());
        let mut level: Vec<Digest> = leaves.iter().map(leaf).collect();
        let (mut at, mut path) = (index, Vec::new());
        while level.len() > 1 {
            if let Some(sibling) = level.get(at ^ 1) {
                path.push(*sibling);
            }
            level = level
                .chunks(2)
                .map(|pair| match pair {
                    [left, right] => node(left, right),
                    [lone] => *lone,
                    _ => unreachable!("chunks of two"),
                })
                .collect();
            at /= 2;
        }
        let narrow = |n: usize| u32::try_from(n).expect("trees are bounded far below 2^32");
        Self { index: narrow(index), count: narrow(leaves.len()), path }
    }

    /// The root that this proof and `digest` lead to; `None` when the path has the wrong length
    /// or the index is outside the tree.
    #[must_use]
    pub fn root(&self, digest: &Digest) -> Option<Digest> {
        if self.index >= self.count {
            return None;
        }
        let (mut at, mut width) = (self.index, self.count);
        let mut top = leaf(digest);
        let mut path = self.path.iter();
        while width > 1 {
            if at % 2 == 1 {
                top = node(path.next()?, &top);
            } else if at.checked_add(1)? < width {
                top = node(&top, path.next()?);
            }
            at /= 2;
            width = width.div_ceil(2);
        }
        match path.next() {
            Some(_) => None,
            None => Some(seal(usize::try_from(self.count).ok()?, &top)),
        }
    }
}

impl Encode for Proof {
    fn encode(&self, out: &mut Vec<u8>) {
        self.index.encode(out);
        self.count.encode(out);
        encode_list(self.path.iter(), out);
    }
}

impl Decode for Proof {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            index: u32::decode(reader)?,
            count: u32::decode(reader)?,
            path: reader.list("merkle path", PATH_MAX)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn leaves(count: usize) -> Vec<Digest> {
        (0..count).map(|i| hash(Domain::Transaction, &[&i.to_be_bytes()])).collect()
    }

    #[test]
    fn every_leaf_of_every_small_tree_has_a_proof() {
        for count in 1..40 {
            let leaves = leaves(count);
            for (index, leaf) in leaves.iter().enumerate() {
                assert_eq!(Proof::new(&leaves, index).root(leaf), Some(root(&leaves)));
            }
        }
    }

    #[test]
    fn the_root_binds_the_number_of_leaves() {
        assert_ne!(root(&[]), root(&leaves(1)));
        let one = leaves(1);
        assert_ne!(root(&one), root(&[one[0], one[0]]));
    }

    proptest! {
        #[test]
        fn a_changed_proof_never_leads_to_the_root(
            count in 1usize..70, at in 0usize..70, index in 0u32..80, size in 0u32..80,
        ) {
            let leaves = leaves(count);
            let at = at % count;
            let good = Proof::new(&leaves, at);
            let changed = Proof { index, count: size, path: good.path.clone() };
            if changed != good {
                prop_assert_ne!(changed.root(&leaves[at]), Some(root(&leaves)));
            }
            let longer = Proof { path: [good.path.clone(), vec![Digest::ZERO]].concat(), ..good };
            prop_assert_ne!(longer.root(&leaves[at]), Some(root(&leaves)));
        }
    }
}
