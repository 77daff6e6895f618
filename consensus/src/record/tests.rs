#![allow(clippy::unwrap_used)]

use super::*;
use crate::testing::set_of;
use chorale_types::certificate::QuorumCert;
use chorale_types::codec::decode_exact;
use chorale_types::crypto::bls::BlsSignature;
use chorale_types::crypto::hash::{Domain, hash};
use chorale_types::vote::VoteKind;

/// A commit certificate of this height and view.
fn commit_cert(number: u64, fill: u8) -> CommitCert {
    let set = set_of(&[1, 1, 1, 1]);
    let mut signers = set.no_signers();
    for index in set.indices() {
        signers.insert(index);
    }
    let (view, height) = (View::new(number), Height::new(number));
    let vote = Vote { epoch: set.epoch(), view, height, block: Digest::from_bytes([fill; 32]) };
    let signature = BlsSignature::from_bytes([fill; 96]);
    CommitCert::new(QuorumCert { kind: VoteKind::Commit, vote, signers, signature }).unwrap()
}

/// A record with something in it.
fn record(contradiction: Option<CommitCert>) -> VoteRecord {
    let start = set_of(&[1, 1, 1, 1]).start().clone();
    let high_cc = commit_cert(7, 0xa1);
    VoteRecord {
        last_voted_view: View::new(8),
        last_prepare: Some(*high_cc.vote()),
        last_proposed: Some((View::new(3), ProposalClass::Justified, Digest::ZERO)),
        high_cc: Some(high_cc),
        contradiction,
        ..VoteRecord::new(start)
    }
}

#[test]
fn a_record_comes_back_with_its_contradiction() {
    for contradiction in [None, Some(commit_cert(7, 0xb2))] {
        let record = record(contradiction);
        assert_eq!(decode_exact(&record.to_bytes()), Ok(record));
    }
}

/// As the version before wrote it: no contradiction, and no byte that says so.
#[test]
fn a_record_of_version_1_is_read_as_one_without_a_contradiction() {
    let record = record(None);
    let mut bytes = record.to_bytes();
    assert_eq!((bytes[0], bytes.pop()), (2, Some(0)));
    bytes[0] = 1;
    assert_eq!(decode_exact::<VoteRecord>(&bytes), Ok(record));
    bytes.push(0);
    let trailing = decode_exact::<VoteRecord>(&bytes);
    assert_eq!(trailing, Err(DecodeError::TrailingBytes { left: 1 }));
}

#[test]
fn a_record_of_an_unknown_version_is_refused() {
    for got in [0, 3, 255] {
        let mut bytes = record(None).to_bytes();
        bytes[0] = got;
        let refused = decode_exact::<VoteRecord>(&bytes);
        assert_eq!(refused, Err(DecodeError::UnknownVersion { got, known: 2 }));
    }
}

#[test]
fn a_cut_record_is_refused_and_never_read_as_one_without_a_contradiction() {
    let bytes = record(Some(commit_cert(7, 0xb2))).to_bytes();
    for length in 0..bytes.len() {
        assert!(decode_exact::<VoteRecord>(&bytes[..length]).is_err(), "{length} bytes");
    }
}

#[test]
fn a_contradiction_of_prepare_votes_is_refused() {
    let cert = commit_cert(7, 0xb2);
    let mut bytes = record(Some(cert.clone())).to_bytes();
    let at = bytes.len() - cert.to_bytes().len();
    bytes[at] = 0;
    let refused = decode_exact::<VoteRecord>(&bytes);
    assert!(matches!(refused, Err(DecodeError::BadValue { .. })), "{refused:?}");
}

/// Nodes read what earlier ones stored: whoever changes these bytes gives the record another
/// version.
#[test]
fn the_format_stays_as_it_is() {
    let sum = |record: VoteRecord| hash(Domain::Checksum, &[&record.to_bytes()]).to_string();
    assert_eq!(
        sum(record(None)),
        "0x58c8be8f74c9af1b60b2ae29ea1c8c1874b15124df0eff75ce43510c5aa16dd3"
    );
    assert_eq!(
        sum(record(Some(commit_cert(7, 0xb2)))),
        "0x381e78583329b47f6485a855b1c696c1ba8e4710bd10da806801a555924984de"
    );
}
