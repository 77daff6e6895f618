//! Merkle trees over ids: leaves and nodes hashed apart, one without a partner moves up, the root
//! binds the count.

use super::hash;
use crate::wire::Id;
use crate::wire::proof::Path;

const NODE: &str = "chorale/1/merkle-node";

fn leaf(id: &Id) -> Id {
    hash("chorale/1/merkle-leaf", &[&id.0])
}

fn node(left: &Id, right: &Id) -> Id {
    hash(NODE, &[&left.0, &right.0])
}

fn seal(count: u32, top: &Id) -> Id {
    hash(NODE, &[&count.to_be_bytes(), &top.0])
}

/// The root over `ids`.
#[must_use]
pub fn root(ids: &[Id]) -> Id {
    let mut row: Vec<Id> = ids.iter().map(leaf).collect();
    while row.len() > 1 {
        row = row
            .chunks(2)
            .map(|pair| if let [left, right] = pair { node(left, right) } else { pair[0] })
            .collect();
    }
    let count = u32::try_from(ids.len()).expect("lists in memory are far shorter");
    seal(count, &row.first().copied().unwrap_or_default())
}

/// The root that `path` leads to from `id`; `None` when it leads nowhere.
#[must_use]
pub fn root_by(path: &Path, id: &Id) -> Option<Id> {
    let (mut at, mut width) = (path.index, path.count);
    if at >= width {
        return None;
    }
    let mut siblings = path.siblings.0.iter();
    let mut top = leaf(id);
    while width > 1 {
        if at % 2 == 1 {
            top = node(siblings.next()?, &top);
        } else if at + 1 < width {
            top = node(&top, siblings.next()?);
        }
        (at, width) = (at / 2, width.div_ceil(2));
    }
    siblings.next().is_none().then(|| seal(path.count, &top))
}

/// The way from place `index` of `ids` to their root.
///
/// # Panics
/// When there is no such place.
#[must_use]
pub fn path(ids: &[Id], index: usize) -> Path {
    assert!(index < ids.len(), "leaf {index} of {}", ids.len());
    let mut row: Vec<Id> = ids.iter().map(leaf).collect();
    let (mut at, mut siblings) = (index, Vec::new());
    while row.len() > 1 {
        siblings.extend(row.get(at ^ 1));
        row = row
            .chunks(2)
            .map(|pair| if let [left, right] = pair { node(left, right) } else { pair[0] })
            .collect();
        at /= 2;
    }
    let number = |n: usize| u32::try_from(n).expect("lists in memory are far shorter");
    Path { index: number(index), count: number(ids.len()), siblings: crate::wire::List(siblings) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_leaf_of_every_small_tree_has_one_way_to_the_root() {
        for count in 1..40_u8 {
            let ids: Vec<Id> = (0..count).map(|i| Id([i; 32])).collect();
            for (index, id) in ids.iter().enumerate() {
                let way = path(&ids, index);
                assert_eq!(root_by(&way, id), Some(root(&ids)));
                assert_ne!(root_by(&way, &Id([200; 32])), Some(root(&ids)));
                let mut longer = way.clone();
                longer.siblings.0.push(Id::default());
                assert_eq!(root_by(&longer, id), None);
                let wrong = Path { index: way.count, ..way };
                assert_eq!(root_by(&wrong, id), None);
            }
        }
    }
}
