//! Cutting own batches: when, how large, and fair.

use super::*;
use crate::input::Timer;
use chorale_types::limits::{BATCH_BYTES_MAX, LANE_BATCHES_MAX};

/// The batches that outputs cut, as rollups and payloads.
fn cuts(outputs: &[Output]) -> Vec<Vec<(u64, Vec<Vec<u8>>)>> {
    let contents = |output: &Output| match output {
        Output::Persist(_, Record::OwnBatch { header, entries }) => {
            let batch =
                Batch { header: *header, owner_signature: garbage(), entries: entries.clone() };
            assert_eq!(batch.validate(), Ok(()));
            let part = |entry: &BatchEntry| {
                let payloads = entry.transactions.iter().map(<[u8]>::to_vec).collect();
                (entry.rollup.get(), payloads)
            };
            Some(entries.iter().map(part).collect())
        }
        _ => None,
    };
    outputs.iter().filter_map(contents).collect()
}

fn headers(outputs: &[Output]) -> Vec<BatchHeader> {
    let header = |output: &Output| match output {
        Output::Persist(_, Record::OwnBatch { header, .. }) => Some(*header),
        _ => None,
    };
    outputs.iter().filter_map(header).collect()
}

fn cut(node: &mut Node) -> Vec<Output> {
    node.step(|lanes, ctx| lanes.on_cut_timer(ctx))
}

fn arms(outputs: &[Output]) -> Vec<u64> {
    let at = |output: &Output| match output {
        Output::Arm(Timer::Cut, at) => Some(at.as_micros() / 1_000),
        _ => None,
    };
    outputs.iter().filter_map(at).collect()
}

#[test]
fn cuts_when_the_oldest_waited_long_enough_and_keeps_the_pace() {
    let mut node = Node::new(&config(&EQUAL, 0));
    let first = node.submit(1, vec![transaction(1, b"a")]);
    assert_eq!((arms(&first), cuts(&first).len()), (vec![1_010], 0), "10 ms after it came");
    node.pass(4);
    assert_eq!(arms(&node.submit(2, vec![transaction(2, b"b")])), [], "asked for already");
    node.pass(6);
    let both = vec![(1, vec![b"a".to_vec()]), (2, vec![b"b".to_vec()])];
    assert_eq!(cuts(&cut(&mut node)), [both]);
    let next = node.submit(3, vec![transaction(1, b"c")]);
    assert_eq!(arms(&next), [1_030], "20 ms after the last batch");
    node.pass(10);
    assert_eq!(cuts(&cut(&mut node)), Vec::<Vec<_>>::new());
    node.pass(10);
    assert_eq!(cuts(&cut(&mut node)).len(), 1);
}

#[test]
fn large_committees_keep_a_slower_pace() {
    let mut node = Node::new(&config(&[1; 50], 0));
    node.submit(1, vec![transaction(1, b"a")]);
    node.pass(10);
    assert_eq!(cuts(&cut(&mut node)).len(), 1);
    assert_eq!(arms(&node.submit(2, vec![transaction(1, b"b")])), [1_110], "2 ms a member");
}

#[test]
fn a_full_batch_does_not_wait() {
    let mut node = Node::new(&config(&EQUAL, 0));
    let payload = |at: u8| vec![at; 100 * 1024];
    let outputs = node.submit(1, (1..=8).map(|at| transaction(1, &payload(at))).collect());
    let sizes: Vec<usize> = cuts(&outputs).iter().map(|batch| batch[0].1.len()).collect();
    assert_eq!(sizes, [5, 3], "500 and 300 KiB, both over half of a batch");
    let all = headers(&outputs);
    assert_eq!((all[1].seq, all[1].prev), (seq(2), all[0].digest()));
    assert_eq!(all[1].bytes_through, 8 * (192 + 100 * 1024) + 2 * 1_024);
    assert_eq!(arms(&outputs), [], "nothing is left");
}

#[test]
fn rollups_share_a_batch_by_bytes_from_a_rotating_start() {
    let mut node = Node::new(&config(&EQUAL, 0));
    let flood: Vec<_> = (0..100_u8).map(|at| transaction(1, &vec![at; 10_000])).collect();
    let small: Vec<_> = (0..20_u8).map(|at| transaction(2, &vec![at; 10_000])).collect();
    let outputs = node.submit(1, small.into_iter().chain(flood).collect());
    let shares: Vec<Vec<(u64, usize)>> = cuts(&outputs)
        .iter()
        .map(|batch| batch.iter().map(|(rollup, all)| (*rollup, all.len())).collect())
        .collect();
    assert_eq!(
        shares[0],
        [(1, 31), (2, 20)],
        "51 fit; the small one is not held back by the flood"
    );
    let both: Vec<_> = (1..=2_u64)
        .flat_map(|rollup| (0..26_u8).map(move |at| transaction(rollup, &vec![at; 10_000])))
        .collect();
    for (start, ours) in [((1, 26), (2, 25)), ((1, 25), (2, 26))].iter().enumerate() {
        let mut node = Node::new(&config(&EQUAL, 0));
        if start == 1 {
            node.submit(1, vec![transaction(1, b"x")]);
            node.pass(1_000);
            cut(&mut node);
        }
        let outputs = node.submit(2, both.clone());
        let first = &cuts(&outputs)[0];
        let counts = ((first[0].0, first[0].1.len()), (first[1].0, first[1].1.len()));
        assert_eq!(counts, *ours, "51 fit, and the turn decides who gets the odd one");
    }
}

#[test]
fn the_order_within_a_rollup_stays() {
    let mut node = Node::new(&config(&EQUAL, 0));
    let mut payloads = vec![vec![1; 10], vec![2; 120 * 1024], vec![3; 1]];
    payloads.extend((4..9_u8).map(|at| vec![at; 120 * 1024]));
    let outputs = node.submit(1, payloads.iter().map(|p| transaction(1, p)).collect());
    node.pass(1_000);
    let later = cut(&mut node);
    let ours: Vec<Vec<u8>> =
        cuts(&outputs).into_iter().chain(cuts(&later)).flat_map(|b| b[0].1.clone()).collect();
    assert_eq!(ours, payloads);
}

#[test]
fn waits_at_the_quota_and_goes_on_when_ordered() {
    let quota = BATCH_BYTES_MAX as u64;
    let params = Params { lane_quota_bytes: quota, ..Params::default() };
    let mut node = Node::new(&config_with(&EQUAL, 0, params));
    let payload = |at: u8| vec![at; 100 * 1024];
    let outputs = node.submit(1, (1..=8).map(|at| transaction(1, &payload(at))).collect());
    let first = headers(&outputs);
    assert_eq!(first.len(), 1);
    node.pass(1_000);
    let waits = cut(&mut node);
    assert_eq!((headers(&waits).len(), arms(&waits)), (0, vec![]), "only an ordered batch helps");
    let outputs = node.commit(vec![first[0].acknowledgement().tip()]);
    assert_eq!(headers(&outputs)[0].seq, seq(2));
    assert!(headers(&outputs)[0].bytes_through <= first[0].bytes_through + quota);
}

#[test]
fn waits_at_the_window() {
    let mut node = Node::new(&config(&EQUAL, 0));
    let mut last = None;
    for at in 0..LANE_BATCHES_MAX + 5 {
        node.submit(at, vec![transaction(1, &at.to_be_bytes())]);
        node.pass(1_000);
        last = headers(&cut(&mut node)).last().copied().or(last);
    }
    let last = last.expect("some");
    assert_eq!(last.seq, seq(LANE_BATCHES_MAX));
    let ordered = headers(&node.commit(vec![last.acknowledgement().tip()]));
    assert_eq!(ordered[0].seq, seq(LANE_BATCHES_MAX + 1));
}

#[test]
fn known_until_ordered() {
    let mut node = Node::new(&config(&EQUAL, 0));
    let same = || vec![transaction(1, b"same")];
    node.submit(1, same());
    node.pass(1_000);
    let header = headers(&cut(&mut node))[0];
    let known = vec![crate::output::Admission::AlreadyKnown];
    assert_eq!(node.submit(2, same()), [Output::Admitted(Ticket(2), known)], "in a batch");
    node.commit(vec![header.acknowledgement().tip()]);
    let taken = vec![crate::output::Admission::Accepted];
    assert_eq!(node.submit(3, same())[0], Output::Admitted(Ticket(3), taken), "ordering knows it");
}

#[test]
fn tips_take_turns_when_a_block_is_full() {
    let config = config(&EQUAL, 3);
    let mut node = Node::new(&config);
    let mut all = Vec::new();
    for at in 0..3 {
        let mut owner = Owner::new(&config, at);
        let batches = [owner.next(&[1; 40]), owner.next(&[2; 40])];
        for batch in &batches {
            node.certify(at, &certificate(&config, batch, &[0, 1, 2]));
            let job = all.len() as u64 * 2 + batch.header.seq.get();
            node.verdict(job, true);
        }
        all.push(batches.map(|batch| tip(&batch)));
    }
    let empty = Frontier::default();
    let one = charged_bytes(1, 40) as u64;
    let (room, three) = (6 * one, 3 * one + 10);
    let tips = |rotation, charge| node.lanes.certified_tips(&empty, rotation, charge);
    assert_eq!(tips(0, room), [all[0][1], all[1][1], all[2][1]], "the highest of each");
    assert_eq!(tips(0, three), [all[0][1], all[1][0]], "then what fits");
    assert_eq!(tips(1, three), [all[1][1], all[2][0]]);
    assert_eq!(tips(3, three), [all[0][1], all[1][0]], "lane 3 has nothing");
    assert_eq!(tips(6, three), [all[0][0], all[2][1]], "by rising lane");
    assert_eq!(tips(0, one - 1), []);
    let body = Body::new(vec![all[0][1], all[1][0]]);
    let above = empty.advance(&body, three).expect("rising");
    let tips = node.lanes.certified_tips(&above, 0, room);
    assert_eq!(tips, [all[1][1], all[2][1]], "only what is above the frontier");
}
