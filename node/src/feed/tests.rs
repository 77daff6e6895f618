use super::*;
use crate::testing::{batches, chain, committed_range, store_batches, stores};
use chorale_consensus::ordering::ChainReader;

#[test]
fn orders_a_block_only_when_all_its_batches_are_held() {
    let (chain, (_, stores)) = (chain(3), stores());
    let mut feed = Feed::open(stores.clone(), chain.genesis()).unwrap();
    feed.commit(&committed_range(&chain, 1..4)).unwrap();
    assert!(feed.order_next().unwrap().is_none());
    assert!(feed.wanted().is_some());
    let first = batches(&chain, 1);
    store_batches(&stores, &first[..1], true);
    assert!(feed.order_next().unwrap().is_none());
    store_batches(&stores, &first[1..], false);
    let ordered = feed.order_next().unwrap().expect("both batches are held");
    assert_eq!((ordered.height, ordered.root), (Height::new(1), chain.records()[1].root));
    assert!(feed.order_next().unwrap().is_none(), "the next block's are not");
}

#[test]
fn comes_to_the_same_roots_in_whatever_pieces_blocks_and_batches_arrive() {
    let chain = chain(6);
    for cut in 1..7 {
        let (_, stores) = stores();
        let mut feed = Feed::open(stores.clone(), chain.genesis()).unwrap();
        let mut roots = Vec::new();
        for heights in [1..cut, cut..7] {
            feed.commit(&committed_range(&chain, heights.clone())).unwrap();
            heights.for_each(|height| store_batches(&stores, &batches(&chain, height), true));
            while let Some(ordered) = feed.order_next().unwrap() {
                roots.push(ordered.root);
            }
        }
        let expected: Vec<_> = chain.records()[1..].iter().map(|record| record.root).collect();
        assert_eq!(roots, expected, "cut at {cut}");
    }
}

#[test]
fn walks_a_lane_down_when_a_block_orders_many_of_its_batches() {
    let (_, stores) = stores();
    let mut chain = chain(0);
    for n in 0..5_u8 {
        chain.add_batch(2, &[(1, &[n])]);
    }
    let before = chain.clone();
    let expected = chain.add_block(100);
    let block = chain.block_at(1);
    store_batches(&stores, &before.newly_ordered(&block.hash(), block), false);
    let mut feed = Feed::open(stores, chain.genesis()).unwrap();
    feed.commit(&committed_range(&chain, 1..2)).unwrap();
    assert_eq!(feed.order_next().unwrap(), Some(expected));
}

#[test]
fn goes_on_after_a_crash_at_every_point_with_the_same_roots() {
    let chain = chain(5);
    for choice in 0..12 {
        let (memory, stores) = stores();
        (1..6).for_each(|height| store_batches(&stores, &batches(&chain, height), true));
        let mut feed = Feed::open(stores.clone(), chain.genesis()).unwrap();
        for height in 1..6 {
            feed.commit(&committed_range(&chain, height..height + 1)).unwrap();
            feed.order_next().unwrap().expect("its batches are held");
        }
        memory.crash(choice);
        let store: Arc<dyn crate::storage::KeyValue> = memory;
        let mut feed = Feed::open(Stores::new(&store), chain.genesis()).unwrap();
        let (head, from) = (feed.head().get(), feed.ordered_height().get());
        assert!(from <= head && head <= 5);
        let overlap = head.saturating_sub(2).max(1);
        feed.commit(&committed_range(&chain, overlap..6)).unwrap();
        for height in from + 1..6 {
            let ordered = feed.order_next().unwrap().expect("its batches were synced");
            let expected = chain.records()[usize::try_from(height).unwrap()].root;
            assert_eq!((ordered.height.get(), ordered.root), (height, expected), "{choice}");
        }
    }
}

#[test]
fn refuses_a_store_of_another_chain() {
    let (chain, (_, stores)) = (chain(1), stores());
    let mut feed = Feed::open(stores.clone(), chain.genesis()).unwrap();
    feed.commit(&committed_range(&chain, 1..2)).unwrap();
    store_batches(&stores, &batches(&chain, 1), true);
    feed.order_next().unwrap().unwrap();
    let mut other = chain.genesis().clone();
    other.rollups.pop();
    assert!(matches!(Feed::open(stores, &other), Err(FeedError::Restore(_))));
}

#[test]
fn the_reader_finds_the_certificate_at_or_above_a_height() {
    let (mut chain, (_, stores)) = (chain(6), stores());
    chain.certificate_every = 3;
    let mut feed = Feed::open(stores.clone(), chain.genesis()).unwrap();
    feed.commit(&committed_range(&chain, 1..7)).unwrap();
    let reader = StoreReader::new(stores);
    for height in 1..7 {
        let height = Height::new(height);
        assert_eq!(reader.certificate(height).unwrap(), chain.certificate(height).unwrap());
        assert_eq!(reader.block(height).unwrap(), ChainReader::block(&chain, height).unwrap());
    }
    assert_eq!(reader.certificate(Height::new(7)).unwrap(), None);
}
