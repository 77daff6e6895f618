use libp2p::identity::Keypair;

use super::*;
use crate::config::Member;

const CHAIN: &str = "c0ffee";
const ME: u8 = 1;

fn key(seed: u8) -> Keypair {
    Keypair::ed25519_from_bytes([seed; 32]).unwrap()
}

fn id(seed: u8) -> PeerId {
    key(seed).public().to_peer_id()
}

/// Members 1 (this node), 2 and 3, at the indexes of their seeds.
fn roster() -> Roster {
    let members = [1, 2, 3].map(|seed| Member {
        index: ValidatorIndex::new(u16::from(seed)),
        key: key(seed).public().try_into_ed25519().unwrap().to_bytes(),
        addresses: vec![],
    });
    Roster::build(&members, id(ME), None, None).unwrap()
}

fn header(sender: u8) -> Header {
    let sender = ValidatorIndex::new(u16::from(sender));
    Header { sender, to: None, class: Class::Vote, attempt: 9 }
}

fn sealed(sender: u8, signer: u8) -> Vec<u8> {
    envelope::seal(CHAIN, &key(signer), &envelope::encode(&header(sender), b"vote"))
}

fn judge(bearer: PeerId, data: &[u8]) -> Verdict<'_> {
    Judge::default().judge(CHAIN, &roster(), bearer, data, Duration::ZERO)
}

#[test]
fn a_members_envelope_is_genuine_whoever_of_the_members_brings_it() {
    let data = sealed(3, 3);
    for bearer in [2, 3] {
        assert_eq!(judge(id(bearer), &data), Verdict::Genuine(header(3), b"vote"));
    }
}

#[test]
fn refuses_a_bearer_that_is_no_member() {
    assert_eq!(judge(id(9), &sealed(3, 3)), Verdict::Reject);
}

#[test]
fn refuses_a_sender_that_is_no_member_and_a_signature_of_somebody_else() {
    assert_eq!(judge(id(2), &sealed(9, 9)), Verdict::Reject);
    assert_eq!(judge(id(2), &sealed(3, 2)), Verdict::Reject);
    assert_eq!(judge(id(2), b"garbage"), Verdict::Reject);
}

#[test]
fn ignores_its_own_messages_when_they_come_back() {
    assert_eq!(judge(id(2), &sealed(ME, ME)), Verdict::Own);
}

#[test]
fn a_bearer_that_brings_too_much_is_ignored_and_others_are_not() {
    let (roster, mut judge, data) = (roster(), Judge::default(), sealed(3, 3));
    let garbage = b"garbage";
    let burst = 3 * limits::ENVELOPES_PER_SECOND_PER_MEMBER;
    for _ in 0..burst {
        let verdict = judge.judge(CHAIN, &roster, id(2), garbage, Duration::ZERO);
        assert_eq!(verdict, Verdict::Reject);
    }
    assert_eq!(judge.judge(CHAIN, &roster, id(2), &data, Duration::ZERO), Verdict::Throttled);
    let other = judge.judge(CHAIN, &roster, id(3), &data, Duration::ZERO);
    assert_eq!(other, Verdict::Genuine(header(3), b"vote"));
    let later = judge.judge(CHAIN, &roster, id(2), &data, Duration::from_secs(1));
    assert_eq!(later, Verdict::Genuine(header(3), b"vote"));
}

#[test]
fn saying_the_same_again_makes_another_message() {
    let queue = Queue::new();
    let metrics = Metrics::new(&mut Registry::default());
    let message = Bytes::from_static(b"timeout");
    for _ in 0..2 {
        queue.push(ValidatorIndex::new(1), None, Class::Timeout, &message, &metrics);
    }
    let (first, second) = (queue.pop().unwrap(), queue.pop().unwrap());
    assert_ne!(first, second);
    assert_eq!(queue.pop(), None);
    let id = |data: &Bytes| {
        message_id(&gossipsub::Message {
            source: None,
            data: data.to_vec(),
            sequence_number: None,
            topic: gossipsub::TopicHash::from_raw("t"),
        })
    };
    assert_ne!(id(&first), id(&second));
    assert_eq!(id(&first).0.len(), ID_BYTES);
}

#[test]
fn the_settings_hold_together_for_every_size_of_set() {
    let names = Names::new(CHAIN).unwrap();
    let timing = Timing::new(Duration::from_secs(1));
    for members in [0, 1, 2, 3, 4, 7, 13, 256] {
        let mut registry = Registry::default();
        behaviour(&names, &timing, members, &mut registry).unwrap();
    }
}
