use super::*;

const ONE: ValidatorIndex = ValidatorIndex::new(1);

fn conn(number: usize) -> ConnectionId {
    ConnectionId::new_unchecked(number)
}

fn at(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn table(dialable: bool) -> PeerTable {
    let mut table = PeerTable::new(at(1_600), true);
    table.insert(ONE, dialable);
    table
}

/// A table whose peer is dialed on connection 1, with the stream open since `at(0)`.
fn streaming() -> PeerTable {
    let mut table = table(true);
    assert_eq!(table.due(at(0)), [Action::Dial(ONE)]);
    assert_eq!(table.on_connected(ONE, conn(1), Direction::Outbound, at(0)), None);
    assert_eq!(table.due(at(0)), [Action::Open(ONE, conn(1))]);
    assert!(table.on_stream_opened(ONE, conn(1), at(0)));
    table
}

#[test]
fn dials_once_and_opens_on_its_own_connection() {
    let mut table = streaming();
    assert_eq!(table.due(at(10_000)), []);
    assert_eq!(table.next_due(), None);
}

#[test]
fn redials_on_schedule_capped_at_one_view_timeout() {
    let mut table = table(true);
    let mut now = at(0);
    let mut waits = Vec::new();
    for _ in 0..8 {
        assert_eq!(table.due(now), [Action::Dial(ONE)]);
        assert_eq!(table.next_due(), None, "a dial is under way");
        table.on_dial_failed(ONE, now);
        let next = table.next_due().unwrap();
        waits.push((next - now).as_millis());
        assert_eq!(table.due(next - at(1)), []);
        now = next;
    }
    assert_eq!(waits, [100, 200, 400, 800, 1_600, 1_600, 1_600, 1_600]);
}

#[test]
fn a_connection_that_lasted_is_redialed_at_once() {
    let mut table = streaming();
    assert!(table.on_closed(ONE, conn(1), at(5_000)));
    assert_eq!(table.due(at(5_000)), [Action::Dial(ONE)]);
}

#[test]
fn a_peer_that_dials_in_is_dialed_without_waiting() {
    let mut table = table(true);
    for now in [0, 100, 300, 700, 1_500] {
        assert_eq!(table.due(at(now)), [Action::Dial(ONE)]);
        table.on_dial_failed(ONE, at(now));
    }
    assert_eq!(table.due(at(1_600)), []);
    table.on_connected(ONE, conn(9), Direction::Inbound, at(1_600));
    assert!(table.due(at(1_600)).contains(&Action::Dial(ONE)));
}

#[test]
fn both_ends_dialing_at_once_keep_one_connection_each() {
    let mut table = streaming();
    assert_eq!(table.on_connected(ONE, conn(2), Direction::Inbound, at(1)), None);
    assert_eq!(table.due(at(1)), [], "the stream stays where it is");
    assert_eq!(
        table.on_connected(ONE, conn(3), Direction::Outbound, at(2)),
        Some(Action::Close(conn(3)))
    );
    assert_eq!(
        table.on_connected(ONE, conn(4), Direction::Inbound, at(3)),
        Some(Action::Close(conn(2))),
        "the newer inbound connection replaces the older"
    );
    assert!(!table.on_closed(ONE, conn(2), at(4)), "it was forgotten when it was replaced");
    assert_eq!(table.due(at(4)), []);
}

#[test]
fn writes_on_the_peers_connection_only_where_dialing_fails() {
    let mut table = table(true);
    assert_eq!(table.due(at(0)), [Action::Dial(ONE)]);
    table.on_connected(ONE, conn(2), Direction::Inbound, at(0));
    assert_eq!(table.due(at(0)), [], "its own dial may still succeed");
    table.on_dial_failed(ONE, at(10));
    assert_eq!(table.due(at(10)), [Action::Open(ONE, conn(2))]);
}

#[test]
fn a_dial_that_failed_before_the_peer_was_there_says_nothing() {
    let mut table = table(true);
    assert_eq!(table.due(at(0)), [Action::Dial(ONE)]);
    table.on_dial_failed(ONE, at(10));
    table.on_connected(ONE, conn(2), Direction::Inbound, at(20));
    assert_eq!(table.due(at(20)), [Action::Dial(ONE)], "it has only just started");
    table.on_connected(ONE, conn(3), Direction::Outbound, at(30));
    assert_eq!(table.due(at(30)), [Action::Open(ONE, conn(3))]);
}

#[test]
fn an_address_that_becomes_known_is_dialed() {
    let mut table = table(false);
    assert_eq!(table.due(at(0)), []);
    table.set_dialable(ONE, true);
    assert_eq!(table.due(at(1)), [Action::Dial(ONE)]);
}

#[test]
fn writes_on_the_peers_connection_where_it_has_no_address() {
    let mut table = table(false);
    assert_eq!(table.due(at(0)), []);
    table.on_connected(ONE, conn(2), Direction::Inbound, at(0));
    assert_eq!(table.due(at(0)), [Action::Open(ONE, conn(2))]);
}

#[test]
fn reopens_a_stream_that_ends_while_the_connection_lives() {
    let mut table = streaming();
    assert_eq!(table.on_stream_lost(ONE, conn(1), Loss::Ended, at(2_000)), None);
    assert_eq!(table.due(at(2_000)), [Action::Open(ONE, conn(1))]);
    assert!(table.on_stream_opened(ONE, conn(1), at(2_000)));
    assert_eq!(table.on_stream_lost(ONE, conn(1), Loss::Ended, at(2_001)), None);
    assert_eq!(table.due(at(2_001)), [], "it ended at once: wait");
    assert_eq!(table.next_due(), Some(at(2_101)));
    assert_eq!(table.due(at(2_101)), [Action::Open(ONE, conn(1))]);
}

#[test]
fn a_refused_stream_is_asked_for_again_at_most_once_a_view_timeout_in_the_end() {
    let mut table = table(false);
    table.on_connected(ONE, conn(2), Direction::Inbound, at(0));
    let mut now = at(0);
    let mut waits = Vec::new();
    for _ in 0..7 {
        assert_eq!(table.due(now), [Action::Open(ONE, conn(2))]);
        table.on_stream_refused(ONE, conn(2), now);
        let next = table.next_due().unwrap();
        waits.push((next - now).as_millis());
        now = next;
    }
    assert_eq!(waits, [100, 200, 400, 800, 1_600, 1_600, 1_600]);
}

#[test]
fn a_dead_stream_takes_its_connection_with_it() {
    let mut table = streaming();
    assert_eq!(
        table.on_stream_lost(ONE, conn(1), Loss::Dead, at(4_000)),
        Some(Action::Close(conn(1)))
    );
    assert!(!table.on_closed(ONE, conn(1), at(4_100)), "already forgotten");
    assert_eq!(table.due(at(4_100)), [Action::Dial(ONE)]);
}

#[test]
fn news_about_a_stream_that_is_not_the_current_one_changes_nothing() {
    let mut table = streaming();
    assert!(!table.on_stream_opened(ONE, conn(1), at(1)), "it is open already");
    table.on_stream_refused(ONE, conn(1), at(1));
    assert_eq!(table.on_stream_lost(ONE, conn(7), Loss::Dead, at(1)), None);
    assert!(!table.on_closed(ONE, conn(7), at(1)));
    assert_eq!(table.due(at(2)), []);
    let stranger = ValidatorIndex::new(9);
    assert_eq!(table.on_connected(stranger, conn(8), Direction::Inbound, at(3)), None);
    assert!(!table.on_stream_opened(stranger, conn(8), at(3)));
}

#[test]
fn a_follower_dials_and_opens_no_stream() {
    let mut table = PeerTable::new(at(1_600), false);
    table.insert(ONE, true);
    assert_eq!(table.due(at(0)), [Action::Dial(ONE)]);
    table.on_connected(ONE, conn(1), Direction::Outbound, at(0));
    assert_eq!((table.due(at(0)), table.next_due()), (vec![], None));
    table.set_opens_streams(true);
    assert_eq!(table.due(at(1)), [Action::Open(ONE, conn(1))]);
}
