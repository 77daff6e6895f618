//! Ways down, without a committee.

use super::*;
use crate::agreement::tests::made::{blocks, cert};
use crate::testing::set_of;
use chorale_types::limits::SYNC_COVER_BLOCKS_MAX;
use chorale_types::time::Timestamp;
use chorale_types::validators::ValidatorSet;

/// Goes down to `head`, and on until all is final. Returns the pieces' heights and the most held.
fn walk(blocks: &[Arc<Block>], mut head: u64, set: &ValidatorSet) -> (Vec<(u64, u64)>, usize) {
    let mut descent = Descent::new(cert(set, blocks.last().expect("some")));
    let (mut pieces, mut most) = (Vec::new(), 0);
    while let Some((height, _)) = descent.next() {
        let index = usize::try_from(height.get() - 1).expect("small");
        descent.take(&blocks[index]).expect("the block that is named");
        most = most.max(descent.len());
        if let Some(piece) = descent.finish(Height::new(head)) {
            assert!(piece.len() <= SYNC_BLOCKS_MAX);
            let heights: Vec<u64> = piece.iter().map(|b| b.header.height.get()).collect();
            assert!(heights.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{heights:?}");
            assert_eq!(heights[0], head + 1);
            head = *heights.last().expect("some");
            pieces.push((heights[0], head));
            descent.reached(Height::new(head));
        }
    }
    (pieces, most)
}

#[test]
fn a_way_down_makes_all_final_in_pieces_that_fit() {
    let set = set_of(&[1]);
    let all = blocks(&set, 700);
    for (top, head, expected) in [
        (700, 0, vec![(1, 256), (257, 512), (513, 700)]),
        (700, 255, vec![(256, 256), (257, 512), (513, 700)]),
        (700, 256, vec![(257, 512), (513, 700)]),
        (512, 256, vec![(257, 512)]),
        (513, 256, vec![(257, 512), (513, 513)]),
        (300, 299, vec![(300, 300)]),
        (200, 3, vec![(4, 200)]),
    ] {
        let (pieces, most) = walk(&all[..top], head, &set);
        assert_eq!(pieces, expected, "from {top} down to {head}");
        assert!(most <= SYNC_BLOCKS_MAX + 3, "{most} held");
    }
    // What the bound on covers amounts to.
    let marks = SYNC_COVER_BLOCKS_MAX / SYNC_BLOCKS_MAX as u64;
    assert_eq!(marks, 4_096);
}

#[test]
fn only_the_named_block_is_taken() {
    let set = set_of(&[1]);
    let all = blocks(&set, 10);
    let mut descent = Descent::new(cert(&set, &all[9]));
    let mut other = Block::clone(&all[9]);
    other.header.time = Timestamp::from_millis(99);
    assert_eq!(descent.take(&Arc::new(other)), Err(NotNamed));
    assert_eq!(descent.take(&all[8]), Err(NotNamed));
    let mut body = Block::clone(&all[9]);
    body.header.ordered_height = Height::new(10);
    assert_eq!(descent.take(&Arc::new(body)), Err(NotNamed));
    assert_eq!(descent.take(&all[9]), Ok(()));
    assert_eq!(descent.take(&all[9]), Err(NotNamed), "once");
    assert_eq!(descent.take(&all[8]), Ok(()));
    assert_eq!(descent.len(), 3);
}

#[test]
fn a_head_that_rises_meanwhile_shortens_the_way() {
    let set = set_of(&[1]);
    let all = blocks(&set, 600);
    let mut descent = Descent::new(cert(&set, &all[599]));
    for index in (520..600).rev() {
        descent.take(&all[index]).expect("named");
    }
    assert_eq!(descent.finish(Height::ZERO), None);
    descent.reached(Height::new(550));
    let piece = descent.finish(Height::new(550)).expect("it reaches the new head");
    assert_eq!((piece.len(), piece[0].header.height), (50, Height::new(551)));
    descent.reached(Height::new(600));
    assert_eq!(descent.next(), None);
    let mut descent = Descent::new(cert(&set, &all[599]));
    for index in (400..600).rev() {
        descent.take(&all[index]).expect("named");
    }
    descent.reached(Height::new(512));
    assert_eq!(descent.next(), Some((Height::new(600), all[599].hash())), "from the mark above");
}
