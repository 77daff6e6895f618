use super::*;
use crate::input::Input;
use chorale_types::certificate::QuorumCert;
use chorale_types::ids::*;
use chorale_types::message::Received;
use chorale_types::message::Request;

fn up(c: &Committee) -> String {
    (0..c.set.len())
        .map(|i| match c.replicas[usize::from(i)].as_ref() {
            Some(r) => {
                let s = r.status();
                format!(
                    "[{i}: v{} h{} t{} lock{} ord{}]",
                    s.view, s.height, s.target_height, s.high_qc_view, s.ordered_height
                )
            }
            None => format!("[{i}: down]"),
        })
        .collect()
}

#[test]
fn commits_resume_when_links_are_slower_than_assumed() {
    for ms in [150, 200, 260, 300, 400] {
        let mut c = Committee::new(&[1, 1, 1, 1]);
        c.delay = Duration::from_millis(ms);
        c.run(SECOND * 120);
        println!(
            "delay {ms}: committed {} {} timeouts {}",
            c.chain(0).len(),
            up(&c),
            count(&c, 0, |n| matches!(n, Note::TimedOut { .. }))
        );
    }
    let mut c = Committee::new(&[1, 1, 1, 1]);
    c.delay = Duration::from_millis(300);
    c.run(SECOND * 120);
    assert!(c.chain(0).len() > 0, "{}", up(&c));
}

#[test]
fn one_certificate_may_commit_many_blocks() {
    let mut c = Committee::new(&[1, 1, 1, 1]);
    c.delay = Duration::from_millis(300);
    c.run(SECOND * 1500);
    println!("{}", up(&c));
    c.delay = Duration::from_millis(1);
    c.run(SECOND * 10);
    println!("{}", up(&c));
    assert!(c.chain(0).len() > 0);
}

#[test]
fn a_replica_catches_up_over_a_certificate_that_committed_seventy_blocks() {
    let mut c = Committee::new(&[1, 1, 1, 1]);
    c.run(SECOND);
    c.filter = Box::new(|from, to, m| {
        from.get() != 3
            && to.get() != 3
            && !matches!(m, Message::Vote(v) if v.kind == VoteKind::Commit)
    });
    c.run(SECOND * 90);
    c.filter = Box::new(|from, to, _| from.get() != 3 && to.get() != 3);
    c.run(SECOND * 20);
    println!("{}", up(&c));
    c.filter = Box::new(|_, _, _| true);
    c.run(SECOND * 120);
    println!("{}", up(&c));
    assert!(c.chain(0).len() - c.chain(3).len() <= 1);
}

#[test]
fn a_replica_that_catches_up_completes_the_quorum() {
    // 3 is cut off; then one other dies; the three that remain are exactly a quorum.
    let mut bad = 0;
    for ms in 0..40 {
        let mut c = Committee::new(&[1, 1, 1, 1]);
        c.run(SECOND);
        c.filter = Box::new(|from, to, _| from.get() != 3 && to.get() != 3);
        c.run(SECOND * 60 + Duration::from_millis(ms * 13));
        c.kill(2);
        c.run(SECOND * 3);
        c.filter = Box::new(|_, _, _| true);
        if std::env::var("PEERUP").is_ok() {
            for i in [0, 1] {
                c.inject(
                    ValidatorIndex::new(i),
                    Input::PeerUp(ValidatorIndex::new(3)),
                    Duration::ZERO,
                );
                c.inject(
                    ValidatorIndex::new(3),
                    Input::PeerUp(ValidatorIndex::new(i)),
                    Duration::ZERO,
                );
            }
        }
        c.run(SECOND * 60);
        let before = c.chain(0).len();
        c.run(SECOND * 30);
        let after = c.chain(0).len();
        println!("{ms}: {before} -> {after} {}", up(&c));
        bad += u32::from(after == before);
    }
    assert_eq!(bad, 0);
}

#[test]
fn a_timeout_is_sent_again_once_a_period() {
    let mut c = Committee::new(&[1, 1, 1, 1]);
    c.kill(2);
    c.kill(3);
    let n = Arc::new(std::sync::Mutex::new(0));
    let tap = Arc::clone(&n);
    c.filter = Box::new(move |f, t, m| {
        if f.get() == 0 && t.get() == 1 && matches!(m, Message::Timeout(_)) {
            *tap.lock().unwrap() += 1;
        }
        true
    });
    c.run(SECOND * 11);
    let n = *n.lock().unwrap();
    println!("{n}");
    assert!(n <= 22, "{n} in ten seconds at two a second");
}

#[test]
fn an_orphan_joins_when_the_chain_reaches_its_parent() {
    let mut bad = 0;
    for step in 0..12 {
        let mut c = Committee::new(&[1, 1, 1, 1]);
        c.run(SECOND);
        c.filter = Box::new(|from, to, _| from.get() != 3 && to.get() != 3);
        c.run(SECOND * 5 + Duration::from_millis(step * 100));
        // The last blocks are certified and not yet final when one of the three dies.
        c.filter = Box::new(|from, to, m| {
            from.get() != 3
                && to.get() != 3
                && !matches!(m, Message::Vote(v) if v.kind == VoteKind::Commit)
        });
        c.run(SECOND);
        c.kill(2);
        c.run(SECOND * 3);
        c.filter = Box::new(|_, _, _| true);
        for i in [0, 1] {
            c.inject(ValidatorIndex::new(i), Input::PeerUp(ValidatorIndex::new(3)), Duration::ZERO);
            c.inject(ValidatorIndex::new(3), Input::PeerUp(ValidatorIndex::new(i)), Duration::ZERO);
        }
        c.run(SECOND * 60);
        let before = c.chain(0).len();
        c.run(SECOND * 60);
        let after = c.chain(0).len();
        println!("{step}: {before} -> {after} {}", up(&c));
        bad += u32::from(after == before);
    }
    assert_eq!(bad, 0);
}

#[test]
fn a_replica_catches_up_over_a_certificate_that_committed_a_hundred_blocks() {
    let mut c = Committee::new(&[1, 1, 1, 1]);
    c.run(SECOND);
    c.filter = Box::new(|from, to, m| {
        from.get() != 3
            && to.get() != 3
            && !matches!(m, Message::Vote(v) if v.kind == VoteKind::Commit)
    });
    c.run(SECOND * 200);
    c.filter = Box::new(|from, to, _| from.get() != 3 && to.get() != 3);
    c.run(SECOND * 20);
    println!("{}", up(&c));
    c.filter = Box::new(|_, _, _| true);
    c.run(SECOND * 120);
    println!("{}", up(&c));
    assert!(c.chain(0).len() - c.chain(3).len() <= 1);
}

#[test]
fn a_leader_gets_its_parent_although_an_older_block_becomes_final_meanwhile() {
    // The leader of view 4 misses the proposal of view 3, and learns that block 2 is final only
    // while it asks for block 3.
    let mut c = Committee::new(&[1, 1, 1, 1]);
    let (three, four) = (leader_of(&c, 3), leader_of(&c, 4));
    let held: Arc<std::sync::Mutex<Option<QuorumCert>>> = Arc::default();
    let tap = Arc::clone(&held);
    let _ = three;
    c.filter = Box::new(move |_, to, m| {
        if to != four {
            return true;
        }
        match m {
            Message::Proposal(p) => p.view.get() != 3,
            // It hears no commit votes of view 2 and none of view 3 for now.
            Message::Vote(v) => !(v.kind == VoteKind::Commit && v.vote.view.get() >= 2),
            Message::Commit(cc) => {
                *tap.lock().unwrap() = Some(cc.as_qc().clone());
                false
            }
            _ => true,
        }
    });
    // Commit certificate of block 2 arrives 1 ms after the question for block 3 goes out.
    let mut injected = false;
    for _ in 0..40_000 {
        c.run(Duration::from_micros(100));
        let view = c.replicas[four.as_usize()].as_ref().unwrap().status().view.get();
        if view == 4 && !injected {
            injected = true;
            let other = c.set.indices().find(|i| *i != four).unwrap();
            let cc = c.committed[other.as_usize()]
                .iter()
                .find(|b| b.block.header.height.get() == 2)
                .unwrap()
                .cert
                .clone();
            c.inject(
                four,
                Input::Message(Received { from: other, message: Message::Commit(cc) }),
                Duration::from_micros(100),
            );
        }
    }
    assert!(injected);
    println!("{}", up(&c));
    let n = c.notes[four.as_usize()]
        .iter()
        .filter(|n| matches!(n, Note::Proposed { view, .. } if view.get() == 4))
        .count();
    for n in c.notes[four.as_usize()].iter().skip(5).take(20) {
        println!("{n:?}");
    }
    assert_eq!(n, 1, "the leader of view 4 never proposed");
}

#[test]
fn a_root_that_was_forgotten_is_not_vouched_for() {
    // 3 orders nothing, so the chain's ordered height stays; the others order far ahead. Then 2,
    // faulty, names a wrong root just above the chain's ordered height.
    use chorale_types::crypto::hash::Digest;
    let mut c = Committee::new(&[1, 1, 1, 1]);
    c.orders[3] = false;
    c.orders[2] = false;
    c.run(SECOND * 60);
    println!("{}", up(&c));
    let liar = ValidatorIndex::new(2);
    let tap: Arc<std::sync::Mutex<Option<chorale_types::message::Proposal>>> = Arc::default();
    let t2 = Arc::clone(&tap);
    c.filter = Box::new(move |from, _, m| {
        if let Message::Proposal(p) = m
            && from == liar
        {
            *t2.lock().unwrap() = Some((**p).clone());
            return false;
        }
        true
    });
    while tap.lock().unwrap().is_none() {
        c.run(Duration::from_micros(100));
    }
    let mut p = tap.lock().unwrap().clone().unwrap();
    let mut block = (**p.block.as_ref().unwrap()).clone();
    println!("honest pair {:?} at {}", block.header.ordered_height, block.header.height);
    block.header.ordered_height = block.header.ordered_height.next();
    block.header.ordered_root = Digest::from_bytes([0xbd; 32]);
    let cc = c.committed[0].last().unwrap().cert.clone();
    p.ordered_cert = Some((*cc).clone());
    let hash = block.hash();
    p.block = Some(Arc::new(block));
    let p = Arc::new(p);
    for i in [0, 1, 3] {
        c.inject(
            ValidatorIndex::new(i),
            Input::Message(Received { from: liar, message: Message::Proposal(p.clone()) }),
            Duration::ZERO,
        );
    }
    c.run(Duration::from_millis(100));
    let votes = (0..4).filter(|i| count(&c, *i, |n| matches!(n, Note::Voted { kind: VoteKind::Prepare, block, .. } if *block == hash)) > 0).collect::<Vec<_>>();
    println!("voters for a wrong root: {votes:?}");
    assert!(votes.is_empty(), "{votes:?} vouch for a root that nobody computed");
}

#[test]
fn fuzz_restarts() {
    let from: u64 = std::env::var("FROM").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    let n: u64 = std::env::var("SEEDS").ok().and_then(|s| s.parse().ok()).unwrap_or(100);
    let mut bad = Vec::new();
    for seed in from..from + n {
        let size = 4 + (seed % 3 == 0) as usize * 3;
        let mut c = Committee::new(&vec![1; size]);
        c.rng = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        for _ in 0..10 {
            c.random(2);
        }
        c.jitter = [1, 5_000, 100_000, 400_000][(seed % 4) as usize];
        let drop = [0, 5, 20, 50][((seed / 4) % 4) as usize];
        let state = std::sync::Mutex::new(seed.wrapping_mul(0xD134_2543_DE82_EF95) | 1);
        let chaos = Arc::new(std::sync::Mutex::new(true));
        let on = Arc::clone(&chaos);
        c.filter = Box::new(move |_, _, _| {
            if !*on.lock().unwrap() {
                return true;
            }
            let mut s = state.lock().unwrap();
            *s ^= *s << 13;
            *s ^= *s >> 7;
            *s ^= *s << 17;
            *s % 100 >= drop
        });
        for _ in 0..60 {
            let ms = c.random(700);
            c.run(Duration::from_millis(ms));
            let who = c.random(size as u64) as u16;
            match c.random(4) {
                0 => {
                    c.kill(who);
                }
                1 => {
                    for i in 0..size as u16 {
                        if c.random(3) == 0 {
                            c.restart(i);
                        }
                    }
                }
                _ => c.restart(who),
            }
        }
        *chaos.lock().unwrap() = false;
        c.jitter = 1;
        let f = (size - 1) / 3;
        let dead: Vec<u16> = (0..f as u16).collect();
        for i in 0..size as u16 {
            if dead.contains(&i) { c.kill(i) } else { c.restart(i) }
        }
        c.run(SECOND * 60);
        assert!(c.agrees());
        let before = c.chain(size as u16 - 1).len();
        c.run(SECOND * 40);
        let lens: Vec<_> = (0..size as u16).map(|i| c.chain(i).len()).collect();
        let ok = c.agrees() && (f..size).all(|i| lens[i] > before + 5);
        if !c.faults.is_empty() {
            println!("{seed}: faults {:?}", c.faults);
        }
        if !ok {
            bad.push(seed);
            println!("{seed}: stuck {before} {lens:?} {}", up(&c));
        }
    }
    assert!(bad.is_empty(), "{bad:?}");
}

#[test]
fn an_honest_burst_is_no_flood() {
    // A stall: everything sent to 3 in 40 s arrives at once.
    let mut c = Committee::new(&[1, 1, 1, 1]);
    c.run(SECOND);
    let store: Arc<std::sync::Mutex<Vec<Received<Message>>>> = Arc::default();
    let tap = Arc::clone(&store);
    c.filter = Box::new(move |from, to, m| {
        if to.get() == 3 {
            tap.lock().unwrap().push(Received { from, message: m.clone() });
            return false;
        }
        from.get() != 3
    });
    c.run(SECOND * 40);
    c.filter = Box::new(|_, _, _| true);
    for r in store.lock().unwrap().drain(..) {
        c.inject(ValidatorIndex::new(3), Input::Message(r), Duration::ZERO);
    }
    c.run(SECOND * 5);
    assert!(c.faults.is_empty(), "{:?}", c.faults);
}

#[test]
fn six_hundred_blocks_become_final_at_once() {
    let mut c = Committee::new(&[1, 1, 1, 1]);
    c.filter = Box::new(|_, _, m| !matches!(m, Message::Vote(v) if v.kind == VoteKind::Commit));
    c.run(SECOND * 300);
    println!("{} {:?}", up(&c), c.replicas[0].as_ref().unwrap().sizes());
    c.filter = Box::new(|_, _, _| true);
    c.run(SECOND * 5);
    println!("{}", up(&c));
    assert!(c.chain(0).len() > 600);
}

#[test]
fn a_member_cannot_have_the_same_timeout_checked_for_ever() {
    use crate::output::Output;
    let mut c = Committee::new(&[1, 1, 1, 1]);
    let seen: Arc<std::sync::Mutex<Option<Arc<chorale_types::vote::Timeout>>>> = Arc::default();
    let tap = Arc::clone(&seen);
    c.run(SECOND * 3);
    c.kill(2);
    c.kill(3);
    c.filter = Box::new(move |from, _, m| {
        if let (1, Message::Timeout(t)) = (from.get(), m) {
            *tap.lock().unwrap() = Some(t.clone());
        }
        true
    });
    c.run(SECOND * 5);
    let base = seen.lock().unwrap().clone().expect("1 timed out");
    let mut r = c.replicas[0].take().unwrap();
    assert_eq!(r.status().view, base.view);
    let now = chorale_types::time::Now {
        monotonic: chorale_types::time::Instant::from_micros(9_000_000),
        wall: chorale_types::time::Timestamp::from_millis(1_009_000),
    };
    let (mut jobs, mut faults) = (0, 0);
    for i in 0..200_u8 {
        // Another quorum's aggregate of the same votes: as valid as the first.
        let mut t = (*base).clone();
        t.high_qc.signature = chorale_types::crypto::bls::BlsSignature::from_bytes([i; 96]);
        let m = Received { from: ValidatorIndex::new(1), message: Message::Timeout(Arc::new(t)) };
        for o in r.step(now, Input::Message(m)) {
            match o {
                Output::Verify(job) => {
                    jobs += 1;
                    let _ = r
                        .step(now, Input::Checked(job.id, crate::job::Verdict::All { good: true }));
                }
                Output::Report(..) => faults += 1,
                _ => {}
            }
        }
    }
    println!("{jobs} checks, {faults} faults");
    assert!(jobs <= 2, "{jobs} checks for one timeout that is held already, {faults} faults");
}

#[test]
fn an_orphan_joins_although_questions_for_its_parent_failed() {
    let mut bad = 0;
    for step in 0..12 {
        let mut c = Committee::new(&[1, 1, 1, 1]);
        c.run(SECOND);
        c.filter = Box::new(|from, to, _| from.get() != 3 && to.get() != 3);
        c.run(SECOND * 40 + Duration::from_millis(step * 100));
        c.filter = Box::new(|from, to, m| {
            from.get() != 3
                && to.get() != 3
                && !matches!(m, Message::Vote(v) if v.kind == VoteKind::Commit)
        });
        c.run(SECOND);
        c.kill(2);
        c.run(SECOND * 3);
        c.filter = Box::new(|_, _, _| true);
        // Every second question for a block gets no answer.
        let mut n = 0;
        c.ask_filter = Box::new(move |_, _, r| {
            if matches!(r, Request::Block { .. }) {
                n += 1;
                n % 2 == 1
            } else {
                true
            }
        });
        for i in [0, 1] {
            c.inject(ValidatorIndex::new(i), Input::PeerUp(ValidatorIndex::new(3)), Duration::ZERO);
            c.inject(ValidatorIndex::new(3), Input::PeerUp(ValidatorIndex::new(i)), Duration::ZERO);
        }
        c.run(SECOND * 60);
        let before = c.chain(0).len();
        c.run(SECOND * 60);
        let after = c.chain(0).len();
        if after == before {
            println!("{step}: {before} -> {after} {}", up(&c));
        }
        bad += u32::from(after == before);
    }
    assert_eq!(bad, 0);
}
