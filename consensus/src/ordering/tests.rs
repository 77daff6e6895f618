#![allow(clippy::unwrap_used)]

use super::testing::TestChain;
use super::{OrderState, RestoreError};
use chorale_types::codec::{Encode, decode_exact};
use chorale_types::genesis::Params;
use chorale_types::ids::{Height, RollupId, Sequence};
use chorale_types::ordered::{OrderedRecord, WindowError};
use chorale_types::time::Timestamp;
use chorale_types::transaction::transaction_id;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

const A: RollupId = RollupId::new(7);
const B: RollupId = RollupId::new(9);

fn params(dedup_ms: u64, dedup_heights: u64) -> Params {
    Params { dedup_ms, dedup_heights, ..Params::default() }
}

fn chain() -> TestChain {
    TestChain::new(&[7, 9], params(60_000, 3_000))
}

fn delivered(record: &OrderedRecord, rollup: RollupId) -> usize {
    record.content(rollup).map_or(0, |content| content.delivered.len())
}

#[test]
fn sequences_count_only_heights_with_something_delivered() {
    let mut chain = chain();
    chain.add_batch(0, &[(7, b"a")]);
    chain.add_block(20);
    chain.add_block(20);
    chain.add_batch(1, &[(7, b"a")]);
    let copies_only = chain.add_block(20);
    chain.add_batch(1, &[(7, b"b"), (9, b"x")]);
    let last = chain.add_block(20);

    let content = &copies_only.record.contents[0];
    assert_eq!((content.sequence, content.previous), (Sequence::new(1), Height::new(1)));
    assert!(content.delivered.is_empty());
    assert_eq!(content.skipped[0].earlier, Height::new(1));
    let sequences: Vec<_> = last.rollups.iter().map(|r| (r.rollup, r.sequence.get())).collect();
    assert_eq!(sequences, [(A, 2), (B, 1)]);
    assert_eq!(last.record.contents[0].previous, Height::new(1));
}

#[test]
fn the_same_bytes_for_two_rollups_reach_both() {
    let mut chain = chain();
    chain.add_batch(0, &[(7, b"same"), (9, b"same")]);
    let ordered = chain.add_block(20);
    assert_eq!((delivered(&ordered.record, A), delivered(&ordered.record, B)), (1, 1));
}

#[test]
fn a_copy_in_another_lane_or_batch_is_skipped_and_names_the_first() {
    let mut chain = chain();
    for owner in 0..3 {
        chain.add_batch(owner, &[(7, b"a")]);
    }
    let first = chain.add_block(20);
    chain.add_batch(3, &[(7, b"b"), (7, b"a"), (7, b"b")]);
    let second = chain.add_block(20);
    assert_eq!(first.rollups[0].delivered.len(), 1);
    let earlier: Vec<u64> = first.rollups[0].skipped.iter().map(|s| s.earlier.get()).collect();
    assert_eq!(earlier, [1, 1]);
    let skipped: Vec<_> =
        second.rollups[0].skipped.iter().map(|s| (s.position, s.earlier.get())).collect();
    assert_eq!(skipped, [(1, 1), (2, 2)]);
}

#[test]
fn a_halt_longer_than_the_window_does_not_let_a_copy_through() {
    let mut chain = TestChain::new(&[7], params(60_000, 2));
    chain.add_batch(0, &[(7, b"a")]);
    chain.add_block(20);
    chain.add_block(20);
    chain.add_batch(1, &[(7, b"a")]);
    let hours_later = chain.add_block(6 * 3_600_000);
    assert_eq!(delivered(&hours_later.record, A), 0);
    for _ in 0..60 {
        chain.add_block(5_000);
    }
    chain.add_batch(1, &[(7, b"a")]);
    let forgotten = chain.add_block(1_000);
    assert_eq!(delivered(&forgotten.record, A), 1, "after 60 counted seconds it is new");
}

#[test]
fn a_transaction_of_an_unregistered_rollup_is_counted_and_reaches_nobody() {
    let mut chain = chain();
    chain.add_batch(0, &[(8, b"x"), (8, b"y"), (9, b"z")]);
    let ordered = chain.add_block(20);
    assert_eq!(ordered.unregistered, 2);
    assert_eq!(ordered.record.contents.len(), 1);
    assert_eq!(ordered.record.batches[0].entries.len(), 2, "the batch is ordered whole");
}

#[test]
fn transactions_of_one_lane_keep_their_order_and_their_places() {
    let mut chain = chain();
    chain.add_batch(2, &[(7, b"1"), (9, b"x"), (7, b"2")]);
    chain.add_batch(2, &[(7, b"3")]);
    let ordered = chain.add_block(20);
    let places: Vec<_> =
        ordered.rollups[0].delivered.iter().map(|d| (d.id, d.batch, d.index)).collect();
    let id = |payload: &[u8]| transaction_id(A, payload);
    assert_eq!(places, [(id(b"1"), 0, 0), (id(b"2"), 0, 1), (id(b"3"), 1, 0)]);
}

#[test]
#[should_panic(expected = "one after another")]
fn ordering_a_block_twice_is_a_bug_and_stops() {
    let mut chain = chain();
    chain.add_block(20);
    let mut state = chain.state().clone();
    let block = Arc::clone(chain.block_at(1));
    state.order(block.hash(), &block, &[]);
}

#[test]
#[should_panic(expected = "at hand")]
fn ordering_without_the_batches_is_a_bug_and_stops() {
    let mut chain = chain();
    let mut before = chain.state().clone();
    chain.add_batch(0, &[(7, b"a")]);
    chain.add_block(20);
    let block = Arc::clone(chain.block_at(1));
    before.order(block.hash(), &block, &[]);
}

#[test]
fn refuses_to_restore_from_records_that_lack_one_or_were_altered() {
    let mut chain = chain();
    for n in 0..4_u8 {
        chain.add_batch(0, &[(7, &[n])]);
        chain.add_block(20);
    }
    let restore = |records: &[Arc<OrderedRecord>]| OrderState::restore(chain.genesis(), records);
    let all = chain.records();
    assert_eq!(restore(all).as_ref(), Ok(chain.state()));
    assert_eq!(restore(&all[1..]).as_ref(), Ok(chain.state()), "genesis itself is not needed");

    let window = |error| matches!(error, Err(RestoreError::BadWindow { rollup: A, .. }));
    assert!(window(restore(&all[2..])), "the oldest is missing");
    let gap: Vec<_> = all.iter().filter(|r| r.height.get() != 2).cloned().collect();
    assert!(window(restore(&gap)), "one in the middle is missing");
    let swapped = [all[2].clone(), all[1].clone(), all[4].clone()];
    assert!(matches!(restore(&swapped), Err(RestoreError::OutOfOrder { .. })));

    let altered = |alter: fn(&mut OrderedRecord)| {
        let mut records = all.to_vec();
        alter(Arc::make_mut(&mut records[4]));
        restore(&records)
    };
    assert!(window(altered(|record| record.contents[0].delivered.clear())));
    let wrong = |error| matches!(error, Err(RestoreError::WrongRoot { .. }));
    assert!(wrong(altered(|record| record.time = Timestamp::from_millis(3))));
    assert!(wrong(altered(|record| record.leaves[0].sequence = Sequence::new(9))));
    assert!(matches!(
        altered(|record| record.leaves.truncate(1)),
        Err(RestoreError::OtherRollups { .. })
    ));
    let twice = altered(|record| record.contents[0].delivered.extend_from_within(..));
    assert!(matches!(
        twice,
        Err(RestoreError::BadWindow { why: WindowError::OutOfOrder { .. }, .. })
    ));
}

/// One block of a random history: its time step and, for each of its batches, the lane and the
/// transactions as (rollup, payload).
type Step = (u64, Vec<(u16, Vec<(u64, u8)>)>);

fn history() -> impl Strategy<Value = Vec<Step>> {
    let transaction = (prop::sample::select(vec![7_u64, 8, 9]), 0u8..12);
    let batch = (0u16..4, prop::collection::vec(transaction, 1..5));
    let step =
        (prop::sample::select(vec![1_u64, 20, 900, 7_200_000]), prop::collection::vec(batch, 0..4));
    prop::collection::vec(step, 1..25)
}

fn add_step(chain: &mut TestChain, (step, batches): &Step) -> super::OrderedBlock {
    for (owner, transactions) in batches {
        let payloads: Vec<(u64, [u8; 1])> = transactions.iter().map(|(r, n)| (*r, [*n])).collect();
        let transactions: Vec<(u64, &[u8])> =
            payloads.iter().map(|(r, payload)| (*r, payload.as_slice())).collect();
        chain.add_batch(*owner, &transactions);
    }
    chain.add_block(*step)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A node that crashes at any point and starts from its records goes on exactly as before,
    /// also when it had not stored the last blocks' records.
    #[test]
    fn a_restored_state_continues_as_if_nothing_had_happened(steps in history()) {
        let mut chain = TestChain::new(&[7, 9], params(3_000, 4));
        let mut states = vec![chain.state().clone()];
        for step in &steps {
            add_step(&mut chain, step);
            states.push(chain.state().clone());
        }
        for (height, state) in states.iter().enumerate() {
            let records: Vec<Arc<OrderedRecord>> = chain.records()[..=height]
                .iter()
                .filter(|r| r.height >= chain.records()[height].needed_from())
                .map(|record| Arc::new(decode_exact(&record.to_bytes()).unwrap()))
                .collect();
            let restored = OrderState::restore(chain.genesis(), &records);
            prop_assert_eq!(restored.as_ref(), Ok(state));
            let mut restored = restored.unwrap();
            for later in height + 1..states.len() {
                let block = chain.block_at(later.try_into().unwrap());
                let batches: Vec<_> = chain.records()[later]
                    .batches
                    .iter()
                    .map(|b| super::ChainReader::batch(&chain, &b.header.id()).unwrap().unwrap())
                    .collect();
                let ordered = restored.order(block.hash(), block, &batches);
                prop_assert_eq!(&ordered.record, &*chain.records()[later]);
            }
            prop_assert_eq!(Some(&restored), states.last());
        }
    }

    /// Judged by a reader that only looks at the batches: nothing lost, doubled or reordered.
    #[test]
    fn every_transaction_is_delivered_once_inside_its_window(steps in history()) {
        let mut chain = TestChain::new(&[7, 9], params(3_000, 4));
        let mut last: BTreeMap<(u64, u8), (u64, u64)> = BTreeMap::new();
        let mut sequences: BTreeMap<RollupId, u64> = BTreeMap::new();
        let mut clock = 0;
        for (step, height) in steps.iter().zip(1_u64..) {
            clock += step.0.min(1_000);
            let ordered = add_step(&mut chain, step);
            let mut expected: BTreeMap<RollupId, Vec<_>> = BTreeMap::new();
            for summary in &ordered.record.batches {
                let id = summary.header.id();
                let batch = super::ChainReader::batch(&chain, &id).unwrap().unwrap();
                for entry in batch.entries.iter().filter(|entry| entry.rollup != RollupId::new(8)) {
                    for payload in entry.transactions.iter() {
                        let key = (entry.rollup.get(), payload[0]);
                        let known = last.get(&key).is_some_and(|(h, c)| {
                            height - h < 4 || clock - c < 3_000
                        });
                        if !known {
                            last.insert(key, (height, clock));
                            let id = transaction_id(entry.rollup, payload);
                            expected.entry(entry.rollup).or_default().push(id);
                        }
                    }
                }
            }
            for rollup in [A, B] {
                let content = ordered.record.content(rollup);
                let got = content.map_or(Vec::new(), |content| content.delivered.clone());
                let want = expected.remove(&rollup).unwrap_or_default();
                prop_assert_eq!(&got, &want);
                let sequence = sequences.entry(rollup).or_default();
                *sequence += u64::from(!got.is_empty());
                prop_assert_eq!(ordered.record.leaf(rollup).unwrap().1.sequence.get(), *sequence);
            }
        }
    }
}
