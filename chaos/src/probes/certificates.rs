//! Certificates, forged in one thing each. With real BLS.

use chorale_types::certificate::{QuorumCert, TimeoutCert, TimeoutGroup};
use chorale_types::codec::{Encode, decode_exact};
use chorale_types::crypto::bitmap::SignerSet;
use chorale_types::crypto::bls::{Bls, BlsPublicKey, BlsSignature};
use chorale_types::crypto::ed25519::SecretKey;
use chorale_types::crypto::hash::Digest;
use chorale_types::crypto::pure::Pure;
use chorale_types::genesis::Params;
use chorale_types::ids::{Epoch, Height, ValidatorIndex, View};
use chorale_types::validators::{EpochInfo, Validator, ValidatorSet};
use chorale_types::verify::{Verifier, VerifyError};
use chorale_types::vote::{TimeoutVote, Vote, VoteKind};

const CHAIN: Digest = Digest::from_bytes([0xc1; 32]);

fn secret(at: u8) -> <Pure as Bls>::Secret {
    Pure::secret_from_seed(&[at + 1; 32])
}

fn verifier(chain: Digest, stakes: [u64; 4]) -> Verifier<Pure> {
    let public = |at: u8| SecretKey::from_seed([at; 32]).public();
    let validator = |(at, stake): (u8, u64)| Validator {
        operator: public(at + 101),
        bls: Pure::public(&secret(at)),
        network: public(at + 51),
        stake,
    };
    let info = EpochInfo {
        epoch: Epoch::new(1),
        first_height: Height::new(1),
        last_height: Height::MAX,
        validators: (0..).zip(stakes).map(validator).collect(),
        seed: Digest::ZERO,
        params: Params::default(),
    };
    Verifier::new(ValidatorSet::new(chain, info, chain)).unwrap()
}

fn signers(members: u16, of: &[u8]) -> SignerSet {
    let mut set = SignerSet::new(members);
    of.iter().for_each(|at| assert!(set.insert(ValidatorIndex::new(u16::from(*at)))));
    set
}

fn vote(view: u64) -> Vote {
    let (epoch, block) = (Epoch::new(1), Digest::from_bytes([3; 32]));
    Vote { epoch, view: View::new(view), height: Height::new(4), block }
}

fn timeout(view: u64, high_qc_view: u64) -> TimeoutVote {
    let (epoch, high_qc_view) = (Epoch::new(1), View::new(high_qc_view));
    TimeoutVote { epoch, view: View::new(view), high_qc_view, tip: None }
}

fn sum(shares: &[(u8, Vec<u8>)]) -> BlsSignature {
    let shares: Vec<_> =
        shares.iter().map(|(at, message)| Pure::sign(&secret(*at), message)).collect();
    Pure::aggregate(&shares).unwrap()
}

/// A good signature of these members, in a bitmap for a set of so many.
fn qc(members: u16, of: &[u8]) -> QuorumCert {
    let (kind, vote) = (VoteKind::Prepare, vote(3));
    let message = vote.signing_bytes(kind, &CHAIN);
    let shares: Vec<_> = of.iter().map(|at| (*at, message.clone())).collect();
    QuorumCert { kind, vote, signers: signers(members, of), signature: sum(&shares) }
}

pub(super) fn a_quorum_is_counted_in_stake() {
    let verifier = verifier(CHAIN, [10, 1, 1, 1]);
    let judged = verifier.verify_qc(&qc(4, &[1, 2, 3]));
    assert_eq!(judged, Err(VerifyError::NoQuorum { got: 3, quorum: 9 }), "three small members");
}

pub(super) fn a_quorum_is_more_than_two_thirds() {
    let verifier = verifier(CHAIN, [1; 4]);
    assert_eq!(verifier.verify_qc(&qc(4, &[0, 1, 2])), Ok(()));
    let judged = verifier.verify_qc(&qc(4, &[0, 1]));
    assert!(matches!(judged, Err(VerifyError::NoQuorum { .. })), "two of four: {judged:?}");
}

pub(super) fn signers_of_another_set_are_refused() {
    let judged = verifier(CHAIN, [1; 4]).verify_qc(&qc(9, &[0, 1, 2]));
    assert_eq!(judged, Err(VerifyError::WrongSet { got: 9, expected: 4 }));
}

pub(super) fn a_signer_counts_once_in_a_timeout_certificate() {
    let group = |high: u64| (timeout(5, high), signers(4, &[0, 1]));
    let groups = [group(2), group(3)];
    let shares =
        groups.iter().flat_map(|(vote, _)| [0, 1].map(|at| (at, vote.signing_bytes(&CHAIN))));
    let signature = sum(&shares.collect::<Vec<_>>());
    let groups = groups.map(|(vote, signers)| TimeoutGroup {
        high_qc_view: vote.high_qc_view,
        tip: vote.tip,
        signers,
    });
    let (epoch, view, high_qc) = (Epoch::new(1), View::new(5), qc(4, &[0, 1, 2]));
    let cert = TimeoutCert { epoch, view, groups: groups.to_vec(), signature, high_qc };
    let judged = verifier(CHAIN, [1; 4]).verify_tc(&cert);
    assert!(matches!(judged, Err(VerifyError::NoQuorum { .. })), "two of four: {judged:?}");
    assert!(decode_exact::<TimeoutCert>(&cert.to_bytes()).is_err(), "and it is not decoded");
}

pub(super) fn a_signer_set_has_one_encoding() {
    let mut bytes = signers(4, &[0, 1]).to_bytes();
    assert!(decode_exact::<SignerSet>(&bytes).is_ok());
    *bytes.last_mut().unwrap() |= 0x80;
    assert!(decode_exact::<SignerSet>(&bytes).is_err(), "bits past the last member");
}

pub(super) fn a_vote_is_of_one_view_and_chain() {
    let (kind, signer, stakes) = (VoteKind::Prepare, ValidatorIndex::new(0), [1; 4]);
    let signature = Pure::sign(&secret(0), &vote(3).signing_bytes(kind, &CHAIN));
    let here = verifier(CHAIN, stakes);
    assert_eq!(here.verify_vote(kind, &vote(3), signer, &signature), Ok(()));
    assert!(here.verify_vote(kind, &vote(4), signer, &signature).is_err(), "another view");
    let there = verifier(Digest::from_bytes([0xc2; 32]), stakes);
    assert!(there.verify_vote(kind, &vote(3), signer, &signature).is_err(), "another chain");
}

pub(super) fn a_timeout_is_of_one_view() {
    let signer = ValidatorIndex::new(0);
    let signature = Pure::sign(&secret(0), &timeout(5, 2).signing_bytes(&CHAIN));
    let here = verifier(CHAIN, [1; 4]);
    assert_eq!(here.verify_timeout(&timeout(5, 2), signer, &signature), Ok(()));
    assert!(here.verify_timeout(&timeout(6, 2), signer, &signature).is_err(), "another view");
}

/// Points of the curve are easy to find, those of the group of prime order are not.
pub(super) fn points_outside_the_group_are_no_keys() {
    for x in 0..16 {
        let mut bytes = [0; 48];
        (bytes[0], bytes[47]) = (0x80, x);
        let key = Pure::key(&BlsPublicKey::from_bytes(bytes));
        assert!(key.is_err(), "x = {x} is taken for a key");
    }
}
