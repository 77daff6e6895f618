use super::*;
use crate::storage::{Durability, Family, WriteBatch};
use crate::testing::{batches, chain, committed_range, store_batches, store_blocks, stores};
use chorale_consensus::ordering::build_frame;
use chorale_types::ids::RollupId;

#[test]
fn the_headers_below_one_certificate_are_read_from_disk_once() {
    let (mut chain, (_, stores)) = (chain(3), stores());
    (0..300).for_each(|_| drop(chain.add_block(100)));
    let head = chain.head().get();
    chain.certificate_every = head;
    store_blocks(&stores, &committed_range(&chain, 1..head + 1));
    for height in 1..=3 {
        store_batches(&stores, &batches(&chain, height), true);
    }
    let expected = [2, 3].map(|n| build_frame(&chain, RollupId::new(1), Height::new(n)).unwrap());
    let mut feed = crate::feed::Feed::open(stores.clone(), chain.genesis()).unwrap();
    (0..3).for_each(|_| drop(feed.order_next().unwrap().expect("its batches are held")));
    let reader = StoreReader::new(stores.clone());
    let build = |n| build_frame(&reader, RollupId::new(1), Height::new(n)).unwrap();
    assert_eq!(build(2), expected[0]);
    let mut gone = WriteBatch::default();
    for height in 4..=head {
        gone.delete(Family::Blocks, chain.block_at(height).hash().as_bytes());
    }
    stores.synced.store().write(gone, Durability::Buffered).unwrap();
    assert!(reader.block(Height::new(head)).is_err(), "the blocks are gone from the store");
    assert_eq!(build(3), expected[1]);
}

#[test]
fn headers_are_kept_up_to_their_bound() {
    let chain = chain(1);
    let header = chain.block_at(1).header.clone();
    let mut headers = Headers::default();
    let most = u64::try_from(HEADERS_MAX).unwrap();
    for n in 1..=most + 10 {
        headers.keep(Header { height: Height::new(n), ..header.clone() });
        headers.keep(Header { height: Height::new(n), ..header.clone() });
    }
    assert_eq!((headers.by_height.len(), headers.order.len()), (HEADERS_MAX, HEADERS_MAX));
    assert!(!headers.by_height.contains_key(&Height::new(10)), "the oldest went");
    assert!(headers.by_height.contains_key(&Height::new(11)));
}
