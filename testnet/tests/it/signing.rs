//! Load transactions are what a rollup's own node would accept.

use alloy_consensus::transaction::SignerRecoverable;
use alloy_consensus::{Transaction, TxEnvelope};
use alloy_eips::eip2718::Decodable2718;
use chorale_testnet::load::account::{Account, SIZE_MAX, SIZE_MIN, has_size};
use chorale_testnet::load::supply::{Demand, LaneOf, Supply};
use chorale_types::ids::RollupId;
use chorale_types::transaction::transaction_id;
use std::collections::{BTreeMap, BTreeSet};

const CHAIN: u64 = 91_001;

fn decode(bytes: &[u8]) -> TxEnvelope {
    let mut rest = bytes;
    let envelope = TxEnvelope::decode_2718(&mut rest).unwrap();
    assert!(rest.is_empty(), "bytes behind the transaction");
    assert!(matches!(envelope, TxEnvelope::Eip1559(_)));
    envelope
}

#[test]
fn signs_for_its_chain_and_its_account_with_rising_nonces() {
    let mut account = Account::derive(&[7; 32], CHAIN, 3, 1);
    for nonce in 0..20 {
        let signed = account.sign_next(512);
        let envelope = decode(&signed.bytes);
        assert_eq!((envelope.chain_id(), envelope.nonce()), (Some(CHAIN), nonce));
        assert_eq!(envelope.recover_signer().unwrap(), account.address());
        assert_eq!(signed.id, transaction_id(RollupId::new(CHAIN), &signed.bytes));
    }
}

#[test]
fn every_size_is_met_exactly_also_where_a_length_prefix_grows() {
    let mut account = Account::derive(&[1; 32], CHAIN, 0, 0);
    // Calldata passes 55 and 255 bytes in the first stretch, and 65,535 in the third.
    let stretches = (SIZE_MIN..SIZE_MIN + 260).chain(65_535..65_545).chain(65_640..65_680);
    for size in stretches.filter(|size| has_size(*size)).chain([SIZE_MAX]) {
        let signed = account.sign_next(size);
        assert_eq!(signed.bytes.len(), size);
        decode(&signed.bytes);
    }
}

#[test]
fn sizes_that_no_transaction_has_are_known() {
    // One byte of content more than fits behind a shorter prefix makes two bytes of difference.
    assert_eq!([258, 259, 260].map(has_size), [true, false, true]);
    assert_eq!([65_539, 65_540, 65_541].map(has_size), [true, false, true]);
    assert_eq!(
        [SIZE_MIN - 1, SIZE_MIN, SIZE_MAX, SIZE_MAX + 1].map(has_size),
        [false, true, true, false]
    );
}

#[test]
fn accounts_of_other_lanes_rollups_and_runs_are_others() {
    let seeds = [[0; 32], [1; 32]];
    let mut addresses = BTreeSet::new();
    for seed in seeds {
        for (chain, lane, index) in [(1, 0, 0), (2, 0, 0), (1, 1, 0), (1, 0, 1)] {
            assert!(addresses.insert(Account::derive(&seed, chain, lane, index).address()));
        }
    }
}

#[test]
fn a_run_that_fits_is_signed_whole_and_leaves_in_order() {
    let lanes: Vec<LaneOf> = (0..3)
        .map(|i| LaneOf { node: i, rollup: 0, rollup_id: CHAIN + u64::try_from(i).unwrap() })
        .collect();
    let demand = Demand { rate: 100, size: 256, seconds: Some(2) };
    let supply = Supply::new(&lanes, &demand);
    for thread in supply.sign_in_background(false).unwrap() {
        thread.join().unwrap();
    }
    let (signed, wanted) = supply.progress();
    assert_eq!((signed, wanted), (201, 201), "200 in three equal lanes");
    let (first, rest) = (supply.take(1, 10), supply.take(1, usize::MAX));
    assert_eq!(first.len() + rest.len(), 67);
    let mut nonces: BTreeMap<_, u64> = BTreeMap::new();
    for signed in first.iter().chain(&rest) {
        let envelope = decode(&signed.bytes);
        assert_eq!(envelope.chain_id(), Some(CHAIN + 1));
        let next = nonces.entry(envelope.recover_signer().unwrap()).or_default();
        assert_eq!(envelope.nonce(), *next);
        *next += 1;
    }
    assert!(nonces.len() > 1, "several accounts take turns");
}

#[test]
fn a_run_without_end_or_too_large_is_signed_as_it_goes() {
    let endless = Demand { rate: 100, size: 256, seconds: None };
    let huge = Demand { rate: 200_000, size: 4_096, seconds: Some(60) };
    assert_eq!((endless.whole(), huge.whole()), (None, None));
    assert_eq!(Demand { seconds: Some(30), ..endless }.whole(), Some(3_000));
}
