//! Bytes that are no message: every list one over its bound, every choice that is none, what is
//! there twice. Each is refused with the reason, before memory is taken for it.

#[allow(dead_code, reason = "each test binary uses some")]
mod samples;

use chorale_types::batch::{Availability, Batch};
use chorale_types::block::{Block, Body, VERSION};
use chorale_types::certificate::{QuorumCert, TimeoutCert};
use chorale_types::codec::{Decode, DecodeError, Encode, decode_exact};
use chorale_types::crypto::bitmap::SignerSet;
use chorale_types::ids::ValidatorIndex;
use chorale_types::limits::{
    BATCH_BYTES_MAX, BATCH_TRANSACTIONS_MAX, BLOCK_TIPS_MAX, ROLLUPS_MAX, SYNC_BATCHES_MAX,
    SYNC_BLOCKS_MAX, SYNC_HEADERS_MAX, TRANSACTION_BYTES_MAX, VALIDATORS_MAX,
};
use chorale_types::message::{Message, Request, Response};
use chorale_types::transaction::Transactions;
use chorale_types::vote::VoteKind;
use std::fmt::Debug;
use std::sync::Arc;

fn refusal<T: Decode + Debug>(bytes: &[u8]) -> DecodeError {
    decode_exact::<T>(bytes).expect_err("must be refused")
}

/// Asserts that a list of `max` items is taken, and one of `max + 1` refused by its name.
fn assert_bound<T: Decode + Debug>(what: &str, max: usize, of: impl Fn(usize) -> Vec<u8>) {
    decode_exact::<T>(&of(max)).unwrap_or_else(|error| panic!("{what}: {error}"));
    match refusal::<T>(&of(max + 1)) {
        DecodeError::TooLong { what: named, got, max: bound } => {
            assert_eq!((named, got, bound), (what, max + 1, max));
        }
        other => panic!("{what}: {other}"),
    }
}

fn repeated<T: Clone>(one: &T, count: usize) -> Vec<T> {
    vec![one.clone(); count]
}

#[test]
fn questions_and_answers_one_over_their_bounds_are_refused() {
    let id = samples::availability().statement.id();
    assert_bound::<Request>("batches asked for", SYNC_BATCHES_MAX, |count| {
        Request::Batches { ids: repeated(&id, count) }.to_bytes()
    });
    let (_, chain) = samples::responses().swap_remove(0);
    let Response::Chain { blocks, cert } = chain else { panic!("the first is a chain") };
    assert_bound::<Response>("blocks", SYNC_BLOCKS_MAX, |count| {
        Response::Chain { blocks: repeated(&blocks[0], count), cert: cert.clone() }.to_bytes()
    });
    for (_, response) in samples::responses() {
        match response {
            Response::Batches { batches } => {
                assert_bound::<Response>("batches", SYNC_BATCHES_MAX, |count| {
                    Response::Batches { batches: repeated(&batches[0], count) }.to_bytes()
                });
            }
            Response::Headers { headers } => {
                assert_bound::<Response>("lane headers", SYNC_HEADERS_MAX, |count| {
                    Response::Headers { headers: repeated(&headers[0], count) }.to_bytes()
                });
            }
            _ => {}
        }
    }
}

#[test]
fn blocks_batches_and_certificates_one_over_their_bounds_are_refused() {
    let block = samples::block();
    assert_bound::<Block>("lane tips", BLOCK_TIPS_MAX, |count| {
        let body = Body::new(repeated(&block.body.tips[0], count));
        Block { body, ..block.clone() }.to_bytes()
    });
    let Some((_, Message::Batch(batch))) =
        samples::messages().into_iter().find(|(name, _)| *name == "batch")
    else {
        panic!("there is a batch");
    };
    assert_bound::<Batch>("entries", ROLLUPS_MAX, |count| {
        Batch { entries: repeated(&batch.entries[0], count), ..Batch::clone(&batch) }.to_bytes()
    });
    let tc = samples::tc();
    let groups = TimeoutCert { groups: repeated(&tc.groups[0], VALIDATORS_MAX + 1), ..tc };
    let (what, max) = ("timeout groups", VALIDATORS_MAX);
    let too_long = DecodeError::TooLong { what, got: max + 1, max };
    assert_eq!(refusal::<TimeoutCert>(&groups.to_bytes()), too_long);
    let cert = samples::availability();
    let signatures = repeated(&cert.signatures[0], VALIDATORS_MAX + 1);
    let too_long = DecodeError::TooLong { what: "acknowledgements", got: max + 1, max };
    assert_eq!(refusal::<Availability>(&Availability { signatures, ..cert }.to_bytes()), too_long);
}

#[test]
fn transactions_one_over_their_bounds_are_refused() {
    assert_bound::<Transactions>("transactions", BATCH_TRANSACTIONS_MAX, |count| {
        (0..count).map(|_| [7].as_slice()).collect::<Transactions>().to_bytes()
    });
    let full = vec![7; TRANSACTION_BYTES_MAX];
    let fit = BATCH_BYTES_MAX / TRANSACTION_BYTES_MAX;
    let of = |more: usize| {
        let mut all: Transactions = (0..fit).map(|_| full.as_slice()).collect();
        (0..more).for_each(|_| all.push(&[7]));
        all.to_bytes()
    };
    decode_exact::<Transactions>(&of(0)).expect("exactly the most");
    let (what, max) = ("transaction bytes", BATCH_BYTES_MAX);
    let too_long = DecodeError::TooLong { what, got: max + 1, max };
    assert_eq!(refusal::<Transactions>(&of(1)), too_long);
    let one = u32::try_from(TRANSACTION_BYTES_MAX + 1).expect("small");
    let mut bytes = 1_u32.to_bytes();
    one.encode(&mut bytes);
    let max = TRANSACTION_BYTES_MAX;
    let too_long = DecodeError::TooLong { what: "transaction", got: max + 1, max };
    assert_eq!(refusal::<Transactions>(&bytes), too_long);
}

#[test]
fn counts_of_what_this_version_has_none_of_are_refused() {
    let empty = Body::default().to_bytes();
    assert_eq!(empty, [0; 12], "three counts");
    for (at, what) in [(7, "system operations"), (11, "evidence")] {
        let mut bytes = empty.clone();
        bytes[at] = 1;
        bytes.push(0);
        assert_eq!(refusal::<Body>(&bytes), DecodeError::TooLong { what, got: 1, max: 0 });
    }
}

#[test]
fn an_unknown_version_of_any_message_is_refused() {
    for (name, message) in samples::messages() {
        let mut bytes = message.to_bytes();
        for got in [0, VERSION + 1, u8::MAX] {
            bytes[0] = got;
            let unknown = DecodeError::UnknownVersion { got, known: VERSION };
            assert_eq!(refusal::<Message>(&bytes), unknown, "{name}");
        }
    }
}

#[test]
fn a_chain_of_blocks_has_a_certificate() {
    let (_, chain) = samples::responses().swap_remove(0);
    let Response::Chain { blocks, .. } = chain else { panic!("the first is a chain") };
    let refused = DecodeError::NotCanonical { what: "a chain's certificate" };
    let bare = Response::Chain { blocks, cert: None };
    assert_eq!(refusal::<Response>(&bare.to_bytes()), refused);
}

#[test]
fn a_fresh_proposal_has_a_block_and_a_reproposal_has_none() {
    let refused = DecodeError::NotCanonical { what: "a proposal's block" };
    let mut proposals = 0;
    for (name, message) in samples::messages() {
        let Message::Proposal(proposal) = message else { continue };
        let mut odd = (*proposal).clone();
        odd.block = match odd.block {
            Some(_) => None,
            None => Some(Arc::new(samples::block())),
        };
        let bytes = Message::Proposal(Arc::new(odd)).to_bytes();
        assert_eq!(refusal::<Message>(&bytes), refused, "{name}");
        proposals += 1;
    }
    assert_eq!(proposals, 5);
}

#[test]
fn what_is_there_twice_is_refused() {
    let mut tc = samples::tc();
    tc.groups.insert(0, tc.groups[0].clone());
    let refused = DecodeError::NotCanonical { what: "order of timeout groups" };
    assert_eq!(refusal::<TimeoutCert>(&tc.to_bytes()), refused);
    let mut cert = samples::availability();
    cert.signatures.push(cert.signatures[0]);
    let refused = DecodeError::NotCanonical { what: "one signature for each signer" };
    assert_eq!(refusal::<Availability>(&cert.to_bytes()), refused);
}

/// Where the signers of a certificate of votes begin: a kind, epoch, view, height, and a digest.
const SIGNERS_AT: usize = 1 + 8 + 8 + 8 + 32;

#[test]
fn a_certificate_with_another_bitmap_than_its_members_is_refused() {
    let good = samples::qc(VoteKind::Prepare, 8);
    let bytes = good.to_bytes();
    let (head, tail) = (&bytes[..SIGNERS_AT], &bytes[SIGNERS_AT + 3..]);
    let with = |bitmap: &[u8]| [head, bitmap, tail].concat();
    assert_eq!(decode_exact::<QuorumCert>(&with(&[0, 4, 0b1011])), Ok(good));
    let padding = DecodeError::NotCanonical { what: "signer bitmap padding" };
    for bits in [0b0001_1011, 0b1000_1011, 0xff] {
        assert_eq!(refusal::<QuorumCert>(&with(&[0, 4, bits])), padding);
    }
    // A byte too few: the signature's first is read in its place. One too many moves the rest.
    assert_eq!(refusal::<QuorumCert>(&with(&[0, 4])), padding);
    let long = DecodeError::TrailingBytes { left: 1 };
    assert_eq!(refusal::<QuorumCert>(&with(&[0, 4, 0b1011, 0])), long);
    assert_eq!(refusal::<QuorumCert>(&with(&[0, 0, 0b1011])), long);
    for members in [257_u16, u16::MAX] {
        let (what, got) = ("members", usize::from(members));
        let too_long = DecodeError::TooLong { what, got, max: VALIDATORS_MAX };
        assert_eq!(refusal::<QuorumCert>(&with(&members.to_bytes())), too_long);
    }
}

#[test]
fn numbers_at_their_ends_are_read_as_they_are() {
    // Whether a view or a height makes sense is for those who know the state.
    let mut good = samples::qc(VoteKind::Prepare, 8);
    good.signers = SignerSet::new(256);
    assert!(good.signers.insert(ValidatorIndex::new(255)));
    let mut bytes = good.to_bytes();
    for (from, to) in [(1, 9), (9, 17), (17, 25), (25, SIGNERS_AT)] {
        for byte in [0, 0xff] {
            bytes[from..to].fill(byte);
            let read = decode_exact::<QuorumCert>(&bytes).expect("any number is one");
            assert_eq!(read.to_bytes(), bytes);
        }
    }
}
