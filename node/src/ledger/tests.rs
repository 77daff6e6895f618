use super::*;
use crate::feed::Feed;
use crate::testing::{batches, chain, committed_range, store_batches, stores};
use chorale_consensus::ordering::testing::TestChain;
use chorale_types::transaction::transaction_id;

const ONE: RollupId = RollupId::new(1);
const TWO: RollupId = RollupId::new(2);
const UNKNOWN: RollupId = RollupId::new(3);

/// A ledger that a feed told of `blocks` blocks of a chain, and one opened afterwards.
fn ledgers(chain: &TestChain, blocks: u64) -> [Ledger; 2] {
    let (_, stores) = stores();
    let mut feed = Feed::open(stores.clone(), chain.genesis()).unwrap();
    let live = Ledger::open(stores.clone(), chain.genesis()).unwrap();
    feed.commit(&committed_range(chain, 1..blocks + 1)).unwrap();
    for height in 1..=blocks {
        store_batches(&stores, &batches(chain, height), true);
        live.publish(&feed.order_next().unwrap().expect("its batches are held"));
    }
    [live, Ledger::open(stores, chain.genesis()).unwrap()]
}

fn sequence(n: u64) -> Sequence {
    Sequence::new(n)
}

#[test]
fn heads_and_frames_are_those_of_the_chain_live_and_after_a_restart() {
    let chain = chain(5);
    for ledger in ledgers(&chain, 5) {
        let head = RollupHead { sequence: sequence(5), ordered: Height::new(5) };
        assert_eq!((ledger.head(ONE), ledger.head(TWO)), (Some(head), Some(head)));
        assert_eq!((ledger.head(UNKNOWN), ledger.ordered_height()), (None, Height::new(5)));
        for n in 1..6 {
            assert!(ledger.cached(ONE, sequence(n)).is_none());
            let view = ledger.read_frame(ONE, sequence(n)).unwrap();
            let expected = build_frame(&chain, ONE, Height::new(n)).unwrap();
            assert_eq!(view.frame, expected);
            assert_eq!(ledger.cached(ONE, sequence(n)).map(|v| v.frame.clone()), Some(expected));
        }
    }
}

#[test]
fn what_does_not_exist_is_refused_by_name() {
    for ledger in ledgers(&chain(2), 2) {
        let unknown = ledger.read_frame(UNKNOWN, sequence(1));
        assert!(matches!(unknown, Err(LedgerError::UnknownRollup { rollup: UNKNOWN })));
        let future = ledger.read_frame(ONE, sequence(3));
        assert!(matches!(future, Err(LedgerError::FutureSequence { head, .. }) if head.get() == 2));
        let zero = ledger.read_frame(ONE, Sequence::ZERO);
        assert!(matches!(zero, Err(LedgerError::UnknownSequence { .. })));
        assert!(ledger.watch(UNKNOWN).is_none());
        let unknown = ledger.read_heartbeat(UNKNOWN);
        assert!(matches!(unknown, Err(LedgerError::UnknownRollup { .. })));
        for (wanted, future) in [(0, false), (4, true), (u64::MAX, true)] {
            let refused = ledger.read_checkpoint(ONE, Some(sequence(wanted)));
            assert_eq!(matches!(refused, Err(LedgerError::FutureSequence { .. })), future);
            assert!(refused.is_err());
        }
    }
}

#[test]
fn a_watcher_wakes_for_its_rollup_and_sees_how_far_ordering_is() {
    let mut chain = chain(1);
    chain.add_batch(0, &[(1, b"only one")]);
    chain.add_block(100);
    let (_, stores) = stores();
    let mut feed = Feed::open(stores.clone(), chain.genesis()).unwrap();
    let ledger = Ledger::open(stores.clone(), chain.genesis()).unwrap();
    let [mut one, mut two] = [ONE, TWO].map(|rollup| ledger.watch(rollup).unwrap());
    let mut order = |height| {
        feed.commit(&committed_range(&chain, height..height + 1)).unwrap();
        store_batches(&stores, &batches(&chain, height), true);
        ledger.publish(&feed.order_next().unwrap().unwrap());
    };
    order(1);
    assert!(one.has_changed().unwrap() && two.has_changed().unwrap());
    one.mark_unchanged();
    two.mark_unchanged();
    order(2);
    assert!(one.has_changed().unwrap(), "it has a new block");
    assert!(!two.has_changed().unwrap(), "it has none");
    let head = RollupHead { sequence: sequence(1), ordered: Height::new(2) };
    assert_eq!(*two.borrow(), head);
}

#[test]
fn a_transaction_is_found_where_it_was_ordered() {
    for ledger in ledgers(&chain(3), 3) {
        for height in 1..4_u8 {
            let n = height - 1;
            for payload in [[n, 1], [n, 3]] {
                let id = transaction_id(ONE, &payload);
                let place = ledger.read_place(ONE, &id).unwrap().expect("it was ordered");
                assert_eq!(
                    (place.height.get(), place.sequence.get()),
                    (height.into(), height.into())
                );
                let frame = &ledger.read_frame(ONE, place.sequence).unwrap().frame;
                let index = usize::try_from(place.index).unwrap();
                assert_eq!(frame.transactions[index], payload);
            }
        }
        let other = transaction_id(TWO, &[0, 1]);
        assert_eq!(ledger.read_place(TWO, &other).unwrap(), None);
        let of_one = transaction_id(ONE, &[0, 1]);
        assert_eq!(ledger.read_place(TWO, &of_one).unwrap(), None);
    }
}

#[test]
fn checkpoints_and_heartbeats_are_those_of_the_chain() {
    let chain = chain(6);
    for ledger in ledgers(&chain, 6) {
        for (wanted, proving) in [(Some(3), 3), (Some(6), 6), (Some(7), 6), (None, 6)] {
            let view = ledger.read_checkpoint(ONE, wanted.map(sequence)).unwrap();
            let expected = build_checkpoint(&chain, ONE, Height::new(proving)).unwrap();
            assert_eq!(view.checkpoint, expected.to_bytes());
            let anchor = expected.proven.unwrap().anchor;
            assert_eq!((view.sequence, view.height), (anchor.leaf.sequence, anchor.height));
            assert!(view.sequence.get() < wanted.unwrap_or(7));
        }
        let beat = ledger.read_heartbeat(TWO).unwrap();
        let expected = build_heartbeat(&chain, TWO, Height::new(6)).unwrap();
        assert_eq!(beat.proof, expected.to_bytes());
        assert_eq!((beat.next_sequence, beat.height), (sequence(7), Height::new(6)));
        let named = chain.block_at(6).header.ordered_height;
        assert_eq!(beat.complete_at, named);
    }
}

#[test]
fn a_chain_without_blocks_answers_too() {
    let chain = chain(0);
    for ledger in ledgers(&chain, 0) {
        let checkpoint = ledger.read_checkpoint(ONE, None).unwrap();
        assert_eq!((checkpoint.sequence, checkpoint.height), (Sequence::ZERO, Height::ZERO));
        let beat = ledger.read_heartbeat(ONE).unwrap();
        assert_eq!((beat.next_sequence, beat.height), (sequence(1), Height::ZERO));
        assert!(beat.proof.is_empty());
        assert_eq!(ledger.read_block(Height::new(1)).unwrap(), None);
    }
}
