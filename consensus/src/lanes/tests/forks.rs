//! An owner that signs two batches for one place: its lane may stop, nothing else does, and
//! certified batches of a lane always form one chain.

use super::net::Net;
use super::*;
use crate::note::{Fault, Note};
use chorale_types::message::Message;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn ackers(net: &Net, batch: &Batch) -> Vec<u16> {
    let mut all: Vec<u16> =
        net.acknowledged.iter().filter(|(_, of)| *of == id(batch)).map(|(at, _)| *at).collect();
    all.sort_unstable();
    all
}

/// The owner's own signature counts, whatever else it signed.
fn could_be_certified(net: &Net, batch: &Batch) -> bool {
    let honest = ackers(net, batch).into_iter().map(index);
    let all = honest.chain([batch.header.lane.owner]);
    net.config.set.stake_of_indices(all) >= net.config.set.quorum()
}

fn push(net: &mut Net, to: &[u16], batch: &Arc<Batch>) {
    for to in to {
        net.deliver(0, *to, Message::Batch(Arc::clone(batch)));
    }
}

#[test]
fn a_certified_batch_never_stands_on_an_uncertified_one() {
    let mut net = Net::new(&EQUAL);
    net.destroy(0);
    let mut owner = Owner::new(&net.config, 0);
    let mut twin = owner.clone();
    let (d, other) = (owner.next(b"D"), twin.next(b"D'"));
    push(&mut net, &[1, 2], &d);
    push(&mut net, &[3], &other);
    assert!(could_be_certified(&net, &d) && !could_be_certified(&net, &other));
    // Later the body of D' goes to 1 and 2, and E over D' to all.
    push(&mut net, &[1, 2], &other);
    let e = twin.next(b"E");
    push(&mut net, &[1, 2, 3], &e);
    assert_eq!(ackers(&net, &e), [3], "those who hold D' but acknowledged D do not follow");
    net.run(10_000);
    assert!(!could_be_certified(&net, &e), "nor does a rescue change that");

    // The certificate of D brings its body to 3, which does not acknowledge it.
    let cert = certificate(&net.config, &d, &[0, 1, 2]);
    for to in 1..4 {
        net.deliver(0, to, Message::Availability(Arc::clone(&cert)));
    }
    net.run(1_500);
    assert!(net.stores[3].contains_key(&d.header.digest()));
    assert_eq!(ackers(&net, &d), [1, 2]);
    for at in 1..4 {
        let forks = |note: &&Note| matches!(note, Note::LaneEquivocation { .. });
        assert_eq!(net.notes[at].iter().filter(forks).count(), 1, "member {at}");
    }
    assert!(net.faults.iter().all(|fault| fault.1 == 0 && fault.2 == Fault::Equivocation));
    // The lane goes on above D with those who can.
    let f = owner.next(b"F");
    push(&mut net, &[1, 2, 3], &f);
    assert_eq!(ackers(&net, &f), [1, 2]);
    assert!(could_be_certified(&net, &f));
    net.commit(&[tip(&f)]);
    assert!(net.stores[3].contains_key(&f.header.digest()), "fetched, being ordered");
}

/// One step of a faulty owner: it makes a batch over another one, shows a batch, or completes and
/// shows a certificate; or an honest member restarts.
#[derive(Clone, Debug)]
enum Move {
    Make(usize),
    Show(usize, u16),
    Certify(usize, u16),
    Restart(u16),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let step = prop_oneof![
        1 => any::<usize>().prop_map(Move::Make),
        4 => (any::<usize>(), 1..4_u16).prop_map(|(batch, to)| Move::Show(batch, to)),
        1 => (any::<usize>(), 1..4_u16).prop_map(|(batch, to)| Move::Certify(batch, to)),
        1 => (1..4_u16).prop_map(Move::Restart),
    ];
    proptest::collection::vec(step, 1..120)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn certified_batches_of_a_lane_form_a_chain(moves in moves()) {
        let mut net = Net::new(&EQUAL);
        net.destroy(0);
        // Each batch with the owner's state after it; the first is the empty lane.
        let mut made: Vec<(Option<Arc<Batch>>, Owner)> = vec![(None, Owner::new(&net.config, 0))];
        for step in moves {
            match step {
                Move::Restart(at) => net.restart(at),
                Move::Make(on) => {
                    let mut owner = made[on % made.len()].1.clone();
                    let payload = made.len().to_be_bytes();
                    let batch = owner.next(&payload);
                    made.push((Some(batch), owner));
                }
                Move::Show(at, to) => {
                    if let Some(batch) = made[at % made.len()].0.clone() {
                        push(&mut net, &[to], &batch);
                    }
                }
                Move::Certify(at, to) => {
                    let batch = made[at % made.len()].0.clone();
                    if let Some(batch) = batch.filter(|batch| could_be_certified(&net, batch)) {
                        let mut signers = ackers(&net, &batch);
                        signers.insert(0, 0);
                        let cert = certificate(&net.config, &batch, &signers);
                        net.deliver(0, to, Message::Availability(cert));
                    }
                }
            }
        }
        net.run(6_000);
        let batches: Vec<Arc<Batch>> = made.into_iter().filter_map(|(batch, _)| batch).collect();
        let parents: BTreeMap<Digest, Digest> =
            batches.iter().map(|batch| (batch.header.digest(), batch.header.prev)).collect();
        let certified: Vec<&Arc<Batch>> =
            batches.iter().filter(|batch| could_be_certified(&net, batch)).collect();
        let top = certified.iter().max_by_key(|batch| batch.header.seq);
        let mut chain = Vec::new();
        let mut at = top.map(|batch| batch.header.digest());
        while let Some(digest) = at {
            chain.push(digest);
            at = parents.get(&digest).copied();
        }
        for batch in &certified {
            prop_assert!(chain.contains(&batch.header.digest()), "two certified branches");
        }
        let mut places = net.acknowledged.clone();
        places.sort_unstable();
        places.dedup();
        let mut seen = BTreeMap::new();
        for (member, id) in places {
            let before = seen.insert((member, id.seq), id.digest);
            prop_assert!(before.is_none_or(|d| d == id.digest), "two acknowledged at one place");
        }
    }
}
