//! Certificates, blocks and batches in forms that must be refused, each with the reason.

#[allow(dead_code, reason = "each test binary uses some")]
mod samples;

use chorale_types::batch::{Batch, BatchEntry, BatchError};
use chorale_types::block::{Block, BlockError};
use chorale_types::certificate::{CommitCert, EntryCert, TimeoutCert};
use chorale_types::codec::{DecodeError, Encode, decode_exact};
use chorale_types::crypto::bitmap::SignerSet;
use chorale_types::crypto::bls::BlsSignature;
use chorale_types::ids::{Epoch, Height, RollupId, ValidatorIndex, View};
use chorale_types::limits::{HEADER_BYTES_MAX, SYNC_BLOCKS_MAX};
use chorale_types::message::Response;
use chorale_types::vote::VoteKind;
use std::collections::BTreeSet;
use std::sync::Arc;

fn refused(cert: &TimeoutCert) -> Option<&'static str> {
    match decode_exact::<TimeoutCert>(&cert.to_bytes()) {
        Err(DecodeError::NotCanonical { what }) => Some(what),
        Err(other) => panic!("refused for another reason: {other}"),
        Ok(_) => None,
    }
}

#[test]
fn a_timeout_certificate_has_one_form() {
    let good = samples::tc();
    assert_eq!(refused(&good), None);

    let mut cert = good.clone();
    cert.groups.reverse();
    assert_eq!(refused(&cert), Some("order of timeout groups"));

    let mut cert = good.clone();
    cert.groups[1].signers = samples::signers(&[0, 2]);
    assert_eq!(refused(&cert), Some("a signer in two timeout groups"));

    let mut cert = good.clone();
    cert.groups[0].signers = samples::signers(&[]);
    assert_eq!(refused(&cert), Some("timeout group's signers"));

    let mut cert = good.clone();
    cert.groups[1].high_qc_view = View::new(9);
    assert_eq!(refused(&cert), Some("a timeout group's views"));

    let mut cert = good.clone();
    cert.high_qc = samples::qc(VoteKind::Prepare, 7);
    assert_eq!(refused(&cert), Some("the certificate a timeout certificate carries"));

    let mut cert = good;
    cert.groups.clear();
    assert_eq!(refused(&cert), Some("order of timeout groups"));
}

#[test]
fn a_timeout_certificate_has_one_group_for_one_report() {
    let mut cert = samples::tc();
    let twin = cert.groups[1].clone();
    cert.groups = vec![twin.clone(), twin];
    cert.groups[1].signers = samples::signers(&[2, 3]);
    assert_eq!(refused(&cert), Some("order of timeout groups"));
}

#[test]
fn a_timeout_reports_a_lock_below_the_view_and_a_tip_up_to_it() {
    let with_tip = |view: u64| {
        let mut cert = samples::tc();
        cert.groups[1].tip = Some(samples::vote(view).tip());
        refused(&cert)
    };
    assert_eq!([0, 1, 8, 9].map(with_tip), [None; 4]);
    let views = Some("a timeout group's views");
    assert_eq!([10, u64::MAX].map(with_tip), [views; 2]);
    let with_lock = |view: u64| {
        let mut cert = samples::tc();
        cert.groups[1].high_qc_view = View::new(view);
        cert.high_qc = samples::qc(VoteKind::Prepare, view);
        refused(&cert)
    };
    assert_eq!([7, 8].map(with_lock), [None; 2]);
    assert_eq!([9, 10].map(with_lock), [views; 2]);
    let mut cert = samples::tc();
    cert.high_qc.vote.epoch = cert.epoch.next();
    assert_eq!(refused(&cert), Some("the certificate a timeout certificate carries"));
}

#[test]
fn a_timeout_certificate_is_of_one_set() {
    let mut cert = samples::tc();
    cert.groups[1].signers = SignerSet::new(5);
    for index in [0, 1] {
        cert.groups[1].signers.insert(ValidatorIndex::new(index));
    }
    assert_eq!(refused(&cert), Some("timeout group's signers"));
}

#[test]
fn a_certificate_tells_its_view_and_epoch_and_keeps_its_bytes() {
    let (qc, tc) = (samples::qc(VoteKind::Commit, 8), samples::tc());
    assert_eq!(qc.view(), View::new(8));
    let cc = CommitCert::new(qc.clone()).expect("of commit kind");
    assert_eq!((cc.as_qc(), cc.vote()), (&qc, &qc.vote));
    assert_eq!((cc.to_bytes(), decode_exact(&cc.to_bytes())), (qc.to_bytes(), Ok(cc)));
    for (entry, view) in [(EntryCert::Qc(qc.clone()), 8), (EntryCert::Tc(tc), 9)] {
        assert_eq!((entry.view(), entry.epoch()), (View::new(view), Epoch::new(1)));
        assert_eq!((entry.qc().view(), entry.qc().vote), (View::new(8), qc.vote));
        assert_eq!(decode_exact(&entry.to_bytes()), Ok(entry));
    }
}

#[test]
fn two_certificates_that_differ_in_anything_have_two_names() {
    let qc = samples::qc(VoteKind::Prepare, 8);
    let mut forged = qc.clone();
    forged.signature = BlsSignature::from_bytes([9; 96]);
    let mut others = samples::tc();
    others.groups[0].signers = samples::signers(&[3]);
    let names = [
        EntryCert::Qc(qc.clone()).cache_key(),
        EntryCert::Qc(forged.clone()).cache_key(),
        EntryCert::Tc(samples::tc()).cache_key(),
        EntryCert::Tc(others.clone()).cache_key(),
    ];
    let different: BTreeSet<_> = names.into_iter().collect();
    assert_eq!(different.len(), names.len());
    assert_ne!(qc.cache_key(), forged.cache_key());
    assert_ne!(samples::tc().cache_key(), others.cache_key());
    assert_eq!(EntryCert::Qc(qc).cache_key(), names[0]);
}

#[test]
fn support_of_one_tip_is_counted_over_all_groups() {
    let mut cert = samples::tc();
    let tip = samples::vote(9).tip();
    cert.groups[0].tip = Some(tip);
    cert.groups[0].high_qc_view = View::new(6);
    let tips = cert.reported_tips();
    let (_, (highest, signers)) = tips.first_key_value().expect("one tip");
    assert_eq!((*highest, signers.count()), (tip, 3));
}

#[test]
fn tips_at_or_below_the_highest_certificate_do_not_count() {
    let mut cert = samples::tc();
    cert.groups[1].tip = Some(samples::vote(8).tip());
    assert!(cert.reported_tips().is_empty());
}

#[test]
fn prepare_votes_are_no_commit_certificate() {
    let bytes = samples::qc(VoteKind::Prepare, 8).to_bytes();
    assert!(decode_exact::<CommitCert>(&bytes).is_err());
}

#[test]
fn an_availability_certificate_has_one_signature_for_each_signer() {
    let mut cert = samples::availability();
    cert.signatures.pop();
    let bytes = cert.to_bytes();
    assert!(decode_exact::<chorale_types::batch::Availability>(&bytes).is_err());
}

#[test]
fn a_block_is_refused_for_each_field_that_does_not_fit() {
    let check = |change: &dyn Fn(&mut Block)| {
        let mut block = samples::block();
        change(&mut block);
        block.validate()
    };
    assert_eq!(check(&|_| {}), Ok(()));
    assert_eq!(check(&|b| b.header.version = 2), Err(BlockError::WrongVersion { got: 2 }));
    assert_eq!(check(&|b| b.header.height = Height::ZERO), Err(BlockError::GenesisHeight));
    assert!(matches!(
        check(&|b| b.header.ordered_height = b.header.height),
        Err(BlockError::OrderedAhead { .. })
    ));
    assert_eq!(check(&|b| b.body.tips.clear()), Err(BlockError::WrongBody));
    let twice = |b: &mut Block| b.body.tips.push(b.body.tips[0]);
    assert_eq!(check(&twice), Err(BlockError::Unsorted));
    let reveal = |b: &mut Block| {
        b.header.reveal = Some(chorale_types::crypto::bls::BlsSignature::from_bytes([1; 96]));
    };
    assert_eq!(check(&reveal), Err(BlockError::UnexpectedReveal));
}

/// A batch of one rollup with transactions of these sizes.
fn batch_of(sizes: &[usize]) -> Batch {
    let payloads: Vec<Vec<u8>> = sizes.iter().map(|size| vec![7; *size]).collect();
    let transactions = payloads.iter().map(Vec::as_slice).collect();
    let mut batch = samples::batch();
    batch.entries = vec![BatchEntry { rollup: RollupId::new(5), transactions }];
    batch.header.root = Batch::root(&batch.entries);
    batch
}

#[test]
fn a_batch_is_charged_for_itself_and_each_transaction() {
    assert_eq!(batch_of(&[1]).charge(), 1_024 + 192 + 1);
    assert_eq!(batch_of(&[10, 20, 30]).charge(), 1_024 + 3 * 192 + 60);
    let full = [131_072, 131_072, 131_072, 524_288 - 1_024 - 4 * 192 - 3 * 131_072];
    assert_eq!(batch_of(&full).validate(), Ok(()));
    let more = [full[0], full[1], full[2], full[3] + 1];
    let refused = BatchError::TooLarge { transactions: 4, charge: 524_289 };
    assert_eq!(batch_of(&more).validate(), Err(refused));
}

#[test]
fn a_batch_of_more_transactions_than_allowed_is_refused() {
    assert_eq!(batch_of(&[1; 2_048]).validate(), Ok(()));
    let charge = 1_024 + 2_049 * 193;
    let refused = BatchError::TooLarge { transactions: 2_049, charge };
    assert_eq!(batch_of(&[1; 2_049]).validate(), Err(refused));
}

#[test]
fn an_answer_of_blocks_has_its_certificate() {
    let whole = |response: &Response| decode_exact::<Response>(&response.to_bytes());
    let blocks = vec![Arc::new(samples::block())];
    let bare = Response::Chain { blocks: blocks.clone(), cert: None };
    let refusal = DecodeError::NotCanonical { what: "a chain's certificate" };
    assert_eq!(whole(&bare), Err(refusal));
    let many = vec![Arc::clone(&blocks[0]); SYNC_BLOCKS_MAX + 1];
    assert!(whole(&Response::Ancestors { blocks: many.clone() }).is_err());
    assert!(whole(&Response::Ancestors { blocks: many[1..].to_vec() }).is_ok());
}

#[test]
fn no_header_is_longer_than_its_bound() {
    let mut header = samples::block().header;
    header.reveal = Some(BlsSignature::from_bytes([1; 96]));
    let bytes = header.to_bytes().len();
    assert!(bytes <= HEADER_BYTES_MAX && bytes + 32 > HEADER_BYTES_MAX, "{bytes} bytes");
}
