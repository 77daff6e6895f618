use super::*;
use chorale_consensus::ordering::testing::genesis;
use chorale_types::genesis::Params;

fn replica() -> Replica {
    Replica {
        view: View::new(17),
        leader: ValidatorIndex::new(2),
        entered: Instant::from_micros(0),
        timed_out: false,
        timeout_stake: 0,
        proposal_seen: true,
        height: Height::new(10),
        target_height: Height::new(10),
        ordered_height: Height::new(9),
        high_qc_view: View::new(16),
        voting: true,
        contradicted: None,
        lane_lost: None,
    }
}

fn handle(open: [bool; 3]) -> StatusHandle {
    let genesis = Arc::new(genesis(&[1], Params::default()));
    let facts = Facts {
        version: "0.1.0 (abc)".into(),
        name: "here".into(),
        set: genesis.first_set(),
        genesis,
        me: Some(ValidatorIndex::new(0)),
        voting_reason: None,
        lane_reason: None,
    };
    let peers = move || {
        let peer = |(index, stream)| Peer {
            index: ValidatorIndex::new(index),
            connected: true,
            stream,
            rtt: Some(Duration::from_micros(1_500)),
        };
        (1..).zip(open).map(peer).collect()
    };
    StatusHandle::new(facts, Clock::default(), replica(), peers, CancellationToken::new())
}

/// Why there are no blocks, `seconds` after the start without one.
fn why(open: [bool; 3], replica: Replica, seconds: u64) -> Option<String> {
    let handle = handle(open);
    handle.update(replica);
    let (seen, peers) = (*handle.lock(), (handle.inner.peers)());
    let now = seen.started.after(Duration::from_secs(seconds));
    handle.why_no_blocks(&seen, &peers, now)
}

#[test]
fn says_why_there_are_no_blocks_once_it_has_been_quiet() {
    let all = [true; 3];
    let cases = [
        ([true, false, false], replica(), "no quorum: connected stake 2 of 3 needed"),
        (all, Replica { target_height: Height::new(129), ..replica() }, "catching up: 120 behind"),
        (
            all,
            Replica { proposal_seen: false, ..replica() },
            "no proposal from leader validator-2 in view 17",
        ),
        (
            all,
            Replica { timed_out: true, timeout_stake: 2, ..replica() },
            "view 17 is given up by stake 2 of 3 needed",
        ),
        (all, replica(), "no quorum of votes yet in view 17"),
    ];
    for (open, replica, expected) in cases {
        assert_eq!(why(open, replica, 2), None, "not quiet for long");
        assert_eq!(why(open, replica, 4).as_deref(), Some(expected));
    }
}

#[test]
fn a_status_tells_of_node_chain_and_peers() {
    let handle = handle([true, false, true]);
    let status = handle.status();
    assert_eq!((status.name.as_str(), status.chain_name.as_str()), ("here", "test"));
    assert_eq!((status.height.get(), status.view.get(), status.leader.get()), (10, 17, 2));
    assert_eq!((status.voting, status.owns_lane, status.syncing), (true, true, false));
    assert_eq!((status.last_commit_ms_ago, status.why_no_blocks.clone()), (None, None));
    assert_eq!(status.peers[1].name, "validator-2");
    assert_eq!((status.peers[1].stream, status.peers[1].rtt_ms), (false, Some(1.5)));
    handle.update(Replica { height: Height::new(11), ..replica() });
    assert!(handle.status().last_commit_ms_ago.is_some());
    assert_eq!(handle.status().voting_reason, None);
    let json = serde_json::to_value(handle.status()).unwrap();
    assert_eq!((&json["height"], &json["validator"]), (&11.into(), &0.into()));
    assert_eq!(json["why_no_blocks"], serde_json::Value::Null);
}

#[test]
fn a_contradicted_node_says_why_it_does_not_vote_and_what_to_do() {
    let handle = handle([true; 3]);
    let contradicted = Some(Height::new(9));
    handle.update(Replica { voting: false, contradicted, ..replica() });
    let status = handle.status();
    assert_eq!((status.voting, status.owns_lane), (false, false));
    let reason = status.voting_reason.unwrap();
    for part in ["at height 9", "also after a restart", "data folder", "new key"] {
        assert!(reason.contains(part), "{part}: {reason}");
    }
}

#[test]
fn readiness_is_refused_with_the_reason() {
    let handle = handle([true; 3]);
    assert!(matches!(handle.readiness(), Err(NotReady::NoBlocks { .. })), "no block yet");
    handle.update(Replica { height: Height::new(11), ..replica() });
    assert_eq!(handle.readiness(), Ok(()));
    handle.update(Replica { target_height: Height::new(100), ..replica() });
    assert_eq!(handle.readiness(), Err(NotReady::CatchingUp { behind: 91 }));
    handle.inner.stop.cancel();
    assert_eq!(handle.readiness(), Err(NotReady::Stopping));
}

#[test]
fn a_lane_given_up_while_running_is_said_with_its_reason() {
    let handle = handle([true; 3]);
    let seq = chorale_types::ids::LaneSeq::new(7);
    let lane_lost = Some(chorale_consensus::LaneLost::NotMadeHere { seq });
    handle.update(Replica { lane_lost, ..replica() });
    let status = handle.status();
    assert_eq!((status.voting, status.owns_lane), (true, false));
    let why = status.lane_reason.unwrap();
    assert!(why.starts_with("no lane: place 7 of this node's lane"), "{why}");
}
