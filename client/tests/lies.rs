//! Nodes that lie about a block: each lie is caught, by its name, and leaves the client where it
//! stood.
#![allow(clippy::unwrap_used)]

mod support;

use chorale_client::{LightClient, LightError, RollupBlock};
use chorale_consensus::ordering::build_frame;
use chorale_consensus::ordering::testing::{TestChain, genesis, sign_commit};
use chorale_types::codec::{Encode, decode_exact};
use chorale_types::crypto::SignatureError;
use chorale_types::crypto::hash::Digest;
use chorale_types::genesis::Params;
use chorale_types::ids::{Height, Sequence};
use chorale_types::limits::FRAME_PROOF_BYTES_MAX;
use chorale_types::ordered::{BatchSummary, Skipped};
use chorale_types::rollup::{BatchProof, BlockPart, EntryError, EntryProof, Frame, FrameProof};
use chorale_types::time::Timestamp;
use chorale_types::transaction::transaction_id;
use chorale_types::verify::VerifyError;
use proptest::prelude::*;
use support::{A, B, checkpoint, client_before, forge, heartbeat, light, refused, short};

/// The third block, and where the lies go: its parts are heights 3 and 4, the batches at height 4
/// are those of lane 0 in their order.
fn third(chain: &TestChain) -> Frame {
    let frame = build_frame(chain, A, Height::new(4)).unwrap();
    let payloads: Vec<&[u8]> = frame.transactions.iter().map(Vec::as_slice).collect();
    assert_eq!(payloads, [b"d", b"e", b"f"]);
    frame
}

fn caught(lie: impl FnOnce(&mut Frame)) -> LightError {
    let chain = short();
    let truth = third(&chain);
    let mut changed = truth.clone();
    lie(&mut changed);
    refused(&mut client_before(&chain, 3), &changed, &truth)
}

fn caught_in_proof(change: impl FnOnce(&mut FrameProof)) -> LightError {
    caught(|frame| *frame = forge(frame, change))
}

/// The batch of the third block with this place in the lane.
fn batch(proof: &mut FrameProof, index: usize) -> &mut BatchProof {
    &mut proof.parts[1].batches[index]
}

#[test]
fn a_dropped_transaction_is_caught() {
    let error = caught(|frame| {
        frame.transactions.remove(1);
    });
    assert!(matches!(error, LightError::WrongTransactions { .. }), "{error}");
    let error = caught(|frame| drop(frame.transactions.pop()));
    assert_eq!(error, LightError::MissingTransactions { height: Height::new(4) });
}

#[test]
fn an_added_transaction_is_caught() {
    let error = caught(|frame| frame.transactions.push(b"new".to_vec()));
    assert_eq!(error, LightError::ExtraTransactions { left: 1 });
    let error = caught(|frame| frame.transactions.insert(0, b"new".to_vec()));
    assert!(matches!(error, LightError::WrongTransactions { .. }), "{error}");
}

#[test]
fn reordered_and_altered_transactions_are_caught() {
    let error = caught(|frame| frame.transactions.swap(0, 1));
    assert!(matches!(error, LightError::WrongTransactions { .. }), "{error}");
    let error = caught(|frame| frame.transactions[2] = b"g".to_vec());
    assert!(matches!(error, LightError::WrongTransactions { .. }), "{error}");
}

#[test]
fn a_transaction_falsely_skipped_is_caught() {
    let id = transaction_id(A, b"e");
    let error = caught(|frame| {
        frame.transactions.remove(1);
        let claim = Skipped { position: 1, id, earlier: Height::new(2) };
        *frame = forge(frame, |proof| proof.skipped.insert(0, claim));
    });
    assert_eq!(error, LightError::FalseSkip { id, claimed: Height::new(2), known: None });
}

#[test]
fn a_copy_skipped_for_the_wrong_reason_is_caught() {
    let (id, known) = (transaction_id(A, b"c"), Some(Height::new(2)));
    let claimed = Height::new(1);
    let error = caught_in_proof(|proof| proof.skipped[1].earlier = claimed);
    assert_eq!(error, LightError::FalseSkip { id, claimed, known });
}

#[test]
fn a_copy_delivered_again_is_caught() {
    let error = caught(|frame| {
        frame.transactions.insert(2, b"a".to_vec());
        *frame = forge(frame, |proof| {
            proof.skipped.remove(0);
        });
    });
    let (id, earlier) = (transaction_id(A, b"a"), Height::new(1));
    assert_eq!(error, LightError::Repeated { id, earlier });
}

#[test]
fn a_list_of_skips_out_of_order_or_beyond_the_end_is_caught() {
    let error = caught_in_proof(|proof| proof.skipped.swap(0, 1));
    assert_eq!(error, LightError::BadSkipList { position: 2 });
    let error = caught_in_proof(|proof| {
        proof.skipped.push(Skipped { position: 900, ..proof.skipped[0] });
    });
    assert_eq!(error, LightError::BadSkipList { position: 900 });
}

#[test]
fn a_hidden_batch_is_caught() {
    let height = Height::new(4);
    let hide = |proof: &mut FrameProof| drop(proof.parts[1].batches.remove(2));
    let error = caught_in_proof(hide);
    assert_eq!(error, LightError::HiddenBatch { height, got: 4, expected: 5 });
    // Also when its transactions and the batch after it are made to fit.
    let error = caught(|frame| {
        drop(frame.transactions.pop());
        *frame = forge(frame, |proof| drop(proof.parts[1].batches.remove(3)));
    });
    assert_eq!(error, LightError::HiddenBatch { height, got: 4, expected: 5 });
}

#[test]
fn another_batch_in_the_place_of_one_is_caught() {
    let error =
        caught_in_proof(|proof| proof.parts[1].batches[2] = proof.parts[1].batches[4].clone());
    assert!(matches!(error, LightError::WrongBatch { .. }), "{error}");
    let error = caught_in_proof(|proof| batch(proof, 1).header.bytes_through += 1);
    assert!(matches!(error, LightError::WrongBatch { .. }), "{error}");
    let error = caught_in_proof(|proof| proof.parts[1].batches.swap(2, 3));
    assert!(matches!(error, LightError::WrongBatch { .. }), "{error}");
    let error = caught_in_proof(|proof| batch(proof, 4).header.root = Digest::ZERO);
    assert!(matches!(error, LightError::WrongBatch { .. }), "{error}");
}

fn entry_error(error: LightError) -> EntryError {
    match error {
        LightError::BadEntry { why, .. } => why,
        other => panic!("{other}"),
    }
}

#[test]
fn a_forged_absence_is_caught() {
    let forgeries: [fn(&BatchSummary) -> EntryProof; 2] = [
        // "It would stand before the first entry", which is its own.
        |_| EntryProof::Absent { left: None, right: None },
        |batch| match EntryProof::new(batch, A) {
            EntryProof::Present(entry) => {
                EntryProof::Absent { left: Some(entry.clone()), right: Some(entry) }
            }
            EntryProof::Absent { .. } => panic!("present"),
        },
    ];
    for forgery in forgeries {
        let error = caught(|frame| {
            // Everything that the batch holds is left out as well.
            frame.transactions.drain(..2);
            let chain = short();
            let batch_of = &chain.records()[4].batches[0];
            *frame = forge(frame, |proof| {
                batch(proof, 0).entry = forgery(batch_of);
                proof.skipped.iter_mut().for_each(|skipped| skipped.position -= 2);
            });
        });
        assert_eq!(entry_error(error), EntryError::NotAbsent { rollup: A });
    }
}

#[test]
fn the_entry_of_another_rollup_is_caught() {
    let chain = short();
    let shown = EntryProof::new(&chain.records()[4].batches[2], B);
    let error = caught_in_proof(|proof| batch(proof, 2).entry = shown);
    assert_eq!(entry_error(error), EntryError::WrongRollup { got: B, expected: A });
}

#[test]
fn an_entry_with_another_count_is_caught() {
    let error = caught(|frame| {
        drop(frame.transactions.remove(1));
        *frame = forge(frame, |proof| {
            let EntryProof::Present(entry) = &mut batch(proof, 0).entry else { panic!("present") };
            entry.summary.count = 1;
        });
    });
    assert_eq!(entry_error(error), EntryError::WrongPath { rollup: A });
}

#[test]
fn an_old_certificate_is_caught() {
    let old = short().certify(3, &[0, 1, 2]);
    let error = caught_in_proof(|proof| proof.certificate = old);
    let (got, expected) = (Height::new(3), Height::new(4));
    assert_eq!(error, LightError::OtherCertificate { got, expected });
}

#[test]
fn a_foreign_certificate_is_caught() {
    let params = Params { view_timeout_ms: 2_000, ..support::params() };
    let foreign = genesis(&[5, 7, 9], params).first_set();
    let error = caught_in_proof(|proof| {
        // The same keys sign the very block, for another chain.
        proof.certificate = sign_commit(&foreign, *proof.certificate.vote(), &[0, 1, 2]);
    });
    let mismatch = VerifyError::Signature(SignatureError::Mismatch);
    assert_eq!(error, LightError::BadCertificate(mismatch));
}

#[test]
fn a_certificate_of_too_little_stake_is_caught() {
    let few = short().certify(4, &[0, 3]);
    let error = caught_in_proof(|proof| proof.certificate = few);
    let none = VerifyError::NoQuorum { got: 2, quorum: 3 };
    assert_eq!(error, LightError::BadCertificate(none));
}

#[test]
fn a_block_proven_before_does_not_prove_the_one_above_it() {
    let chain = short();
    let mut client = client_before(&chain, 3);
    // Height 3 is final, and the client knows it; height 4 still needs its certificate.
    client.verify_heartbeat(&heartbeat(&chain, A, Height::new(3))).unwrap();
    let few = chain.certify(4, &[0, 3]);
    let truth = third(&chain);
    let lie = forge(&truth, |proof| proof.certificate = few);
    let error = refused(&mut client, &lie, &truth);
    let none = VerifyError::NoQuorum { got: 2, quorum: 3 };
    assert_eq!(error, LightError::BadCertificate(none));
}

#[test]
fn a_certificate_that_claims_more_signers_than_signed_is_caught() {
    let chain = short();
    let few = chain.certify(4, &[0, 3]);
    let error = caught_in_proof(|proof| {
        let mut bytes = proof.certificate.to_bytes();
        let end = bytes.len() - 96;
        bytes[end..].copy_from_slice(few.as_qc().signature.as_bytes());
        proof.certificate = decode_exact(&bytes).unwrap();
    });
    let mismatch = VerifyError::Signature(SignatureError::Mismatch);
    assert_eq!(error, LightError::BadCertificate(mismatch));
}

#[test]
fn altered_headers_and_bodies_are_caught() {
    let time = Timestamp::from_millis(77);
    let error = caught_in_proof(|proof| proof.parts[0].header.time = time);
    assert_eq!(error, LightError::BrokenChain { height: Height::new(4) });
    let error = caught(|frame| {
        frame.time = time;
        *frame = forge(frame, |proof| proof.parts[1].header.time = time);
    });
    assert!(matches!(error, LightError::OtherCertificate { .. }), "{error}");
    let error = caught_in_proof(|proof| proof.parts[1].body.tips.clear());
    assert_eq!(error, LightError::WrongBody { height: Height::new(4) });
}

#[test]
fn labels_that_are_not_the_proofs_are_caught() {
    let label = |error| match error {
        LightError::WrongLabel { what } => what,
        other => panic!("{other}"),
    };
    assert_eq!(label(caught(|frame| frame.height = Height::new(3))), "height");
    assert_eq!(label(caught(|frame| frame.time = Timestamp::from_millis(1))), "time");
    assert_eq!(label(caught_in_proof(|proof| proof.rollup = B)), "rollup");
    assert_eq!(label(caught_in_proof(|proof| proof.sequence = Sequence::new(9))), "sequence");
}

#[test]
fn blocks_left_out_are_caught() {
    let error = caught_in_proof(|proof| drop(proof.parts.remove(0)));
    let (first, at) = (Height::new(4), Height::new(2));
    assert_eq!(error, LightError::MissingBlocks { first, at });
    let error = caught_in_proof(|proof| proof.parts.clear());
    assert_eq!(error, LightError::NoHeader);
    let chain = short();
    let error = caught_in_proof(|proof| {
        let header = chain.block_at(2).header.clone();
        let body = chain.block_at(2).body.clone();
        proof.parts[0] = BlockPart { header, body, batches: Vec::new() };
    });
    assert_eq!(error, LightError::BrokenChain { height: Height::new(4) });
}

#[test]
fn another_rollups_or_a_later_block_is_caught() {
    let chain = short();
    let mut client = client_before(&chain, 2);
    let truth = build_frame(&chain, A, Height::new(2)).unwrap();
    let other = build_frame(&chain, B, Height::new(1)).unwrap();
    let error = refused(&mut client, &other, &truth);
    assert_eq!(error, LightError::WrongRollup { got: B, expected: A });
    let error = refused(&mut client, &third(&chain), &truth);
    let (got, expected) = (Sequence::new(3), Sequence::new(2));
    assert_eq!(error, LightError::OutOfSequence { got, expected });
    let first = build_frame(&chain, A, Height::new(1)).unwrap();
    let error = refused(&mut client, &first, &truth);
    assert_eq!(error, LightError::OutOfSequence { got: Sequence::new(1), expected });
}

/// The third block dressed as the second, with everything from the second's height on in it.
fn merged(chain: &TestChain) -> (Frame, Frame) {
    let second = build_frame(chain, A, Height::new(2)).unwrap();
    let parts = decode_exact::<FrameProof>(&second.proof).unwrap().parts;
    let mut both = forge(&third(chain), |proof| {
        proof.sequence = Sequence::new(2);
        proof.parts.splice(0..0, parts);
        proof.skipped.iter_mut().for_each(|skipped| skipped.position += 1);
    });
    both.sequence = Sequence::new(2);
    (both, second)
}

#[test]
fn a_whole_block_kept_back_is_caught() {
    let chain = short();
    let (mut both, second) = merged(&chain);
    let mut client = client_before(&chain, 2);
    both.transactions.insert(0, b"c".to_vec());
    let error = refused(&mut client, &both, &second);
    assert_eq!(error, LightError::HiddenBlock { height: Height::new(2) });

    both.transactions.remove(0);
    let id = transaction_id(A, b"c");
    let claim = Skipped { position: 0, id, earlier: Height::new(2) };
    let both = forge(&both, |proof| proof.skipped.insert(0, claim));
    let error = refused(&mut client, &both, &second);
    assert_eq!(error, LightError::FalseSkip { id, claimed: Height::new(2), known: None });
}

#[test]
fn a_block_that_the_rollup_does_not_have_is_caught() {
    let chain = short();
    let error = caught(|frame| {
        // The rollup got nothing at height 3.
        frame.height = Height::new(3);
        frame.time = chain.block_at(3).header.time;
        frame.transactions.clear();
        *frame = forge(frame, |proof| {
            proof.parts.truncate(1);
            proof.skipped.clear();
            proof.certificate = chain.certify(3, &[0, 1, 3]);
        });
    });
    assert_eq!(error, LightError::EmptyBlock { height: Height::new(3) });
}

#[test]
fn nothing_can_be_slipped_in_below_the_clients_state() {
    // The client starts at height 3, the frame of block 3 at height 3 as well: its first part
    // lies below the client and is not checked against a frontier.
    let mut chain = support::empty();
    chain.ordered_lag = 0;
    chain.add_batch(0, &[(7, b"a")]);
    chain.add_block(20);
    chain.add_block(20);
    chain.add_block(20);
    chain.add_batch(0, &[(7, b"b")]);
    chain.add_block(20);
    let state = checkpoint(&chain, A, Height::new(4));
    let mut client = LightClient::start(&light(&chain), A, &state).unwrap();
    assert_eq!(client.height(), Height::new(3));
    let truth = build_frame(&chain, A, Height::new(4)).unwrap();

    let mut other = support::empty();
    other.add_batch(3, &[(7, b"slipped in")]);
    let fake = other.add_block(20).record.batches[0].clone();
    let mut lie = forge(&truth, |proof| {
        let entry = EntryProof::new(&fake, A);
        proof.parts[0].batches.push(BatchProof { header: fake.header, entry });
    });
    lie.transactions.insert(0, b"slipped in".to_vec());
    let error = refused(&mut client, &lie, &truth);
    assert_eq!(error, LightError::HiddenBlock { height: Height::new(2) });
}

#[test]
fn garbage_is_caught() {
    let error = caught(|frame| frame.proof = b"not a proof".to_vec());
    assert!(matches!(error, LightError::Malformed(_)), "{error}");
    let error = caught(|frame| frame.proof.push(0));
    assert!(matches!(error, LightError::Malformed(_)), "{error}");
    let error = caught(|frame| frame.proof = vec![0; FRAME_PROOF_BYTES_MAX + 1]);
    assert!(matches!(error, LightError::TooLong { .. }), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever byte a node changes: the client says no, or gets the block as it is. The block is
    /// proven final beforehand, so that the certificate is not what says no.
    #[test]
    fn no_changed_byte_changes_what_is_delivered(
        at in any::<prop::sample::Index>(),
        bit in 0u8..8,
    ) {
        thread_local! {
            static HONEST: (LightClient, Frame, RollupBlock) = {
                let chain = short();
                let (client, frame) = (client_before(&chain, 3), third(&chain));
                let block = client.clone().verify_frame(&frame).unwrap();
                (client, frame, block)
            };
        }
        HONEST.with(|(client, frame, block)| {
            let mut changed = frame.clone();
            let at = at.index(changed.proof.len());
            changed.proof[at] ^= 1 << bit;
            if let Ok(got) = client.clone().verify_frame(&changed) {
                prop_assert_eq!(&got.proof, &changed.proof, "handed on as it was sent");
                prop_assert_eq!(&got, block);
            }
            Ok(())
        })?;
    }
}
