//! The table of validators and what to do next about each: dial, open the outbound stream, close
//! a connection. Pure: it is told what happened and when, and answers with actions.
//!
//! Each validator dials every other one and writes on the connection that it dialed itself. So a
//! pair has two connections, bulk flows in one direction on each, and neither end can block the
//! other by writing while it is itself blocked. Where dialing fails, the stream is opened on the
//! connection that the peer dialed: one reachable end is enough.
//!
//! # Invariants
//! - At most one connection per direction and validator is in use; a newer inbound one replaces
//!   the older, a second outbound one is closed.
//! - At most one dial and one stream per validator are under way or open.

use std::collections::BTreeMap;
use std::time::Duration;

use chorale_types::ids::ValidatorIndex;
use libp2p::swarm::ConnectionId;

use crate::redial::{Attempts, Schedule};

/// What the table wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Dial this validator. One dial is under way until it connects or fails.
    Dial(ValidatorIndex),
    /// Open the outbound stream on this connection.
    Open(ValidatorIndex, ConnectionId),
    /// Close this connection; the table no longer counts on it.
    Close(ConnectionId),
}

/// Which end dialed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Outbound,
    Inbound,
}

/// Why an outbound stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    /// The stream ended or broke; the connection may be well.
    Ended,
    /// Nothing was heard or taken in time: the connection is no good either.
    Dead,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    connection: ConnectionId,
    since: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stream {
    Closed,
    Opening(ConnectionId),
    Open(ConnectionId, Duration),
}

impl Stream {
    fn connection(self) -> Option<ConnectionId> {
        match self {
            Self::Closed => None,
            Self::Opening(connection) | Self::Open(connection, _) => Some(connection),
        }
    }
}

struct Peer {
    dialable: bool,
    dialing: bool,
    dials: Attempts,
    outbound: Option<Link>,
    inbound: Option<Link>,
    stream: Stream,
    opens: Attempts,
}

impl Peer {
    /// The connection to open a stream on: our own, or the peer's where ours cannot be had, as a
    /// dial that failed while the peer was there shows.
    fn writable(&self) -> Option<ConnectionId> {
        let unreachable = |since| !self.dialable || self.dials.failed_after(since);
        match (self.outbound, self.inbound) {
            (Some(own), _) => Some(own.connection),
            (None, Some(theirs)) if unreachable(theirs.since) => Some(theirs.connection),
            _ => None,
        }
    }

    fn wants_dial(&self) -> bool {
        self.dialable && !self.dialing && self.outbound.is_none()
    }

    /// Forgets a connection and the stream on it.
    fn forget(&mut self, connection: ConnectionId, now: Duration, schedule: &Schedule) -> bool {
        let is = |link: &Option<Link>| link.is_some_and(|l| l.connection == connection);
        let known = is(&self.outbound) || is(&self.inbound);
        if is(&self.outbound) {
            let since = self.outbound.take().map_or(now, |link| link.since);
            self.dials.end(since, now, schedule);
        }
        if is(&self.inbound) {
            self.inbound = None;
        }
        if self.stream.connection() == Some(connection) {
            self.stream = Stream::Closed;
            self.opens = Attempts::default();
        }
        known
    }
}

/// The table. Times are counted from one common start.
pub(crate) struct PeerTable {
    schedule: Schedule,
    /// Whether this node is a member and opens streams at all.
    opens_streams: bool,
    peers: BTreeMap<ValidatorIndex, Peer>,
}

impl PeerTable {
    /// An empty table.
    pub(crate) fn new(view_timeout: Duration, opens_streams: bool) -> Self {
        Self { schedule: Schedule::new(view_timeout), opens_streams, peers: BTreeMap::new() }
    }

    /// Says whether this node is a member and may open streams.
    pub(crate) fn set_opens_streams(&mut self, opens_streams: bool) {
        self.opens_streams = opens_streams;
    }

    /// Adds a validator; `dialable` when it has an address.
    pub(crate) fn insert(&mut self, index: ValidatorIndex, dialable: bool) {
        let peer = Peer {
            dialable,
            dialing: false,
            dials: Attempts::default(),
            outbound: None,
            inbound: None,
            stream: Stream::Closed,
            opens: Attempts::default(),
        };
        self.peers.insert(index, peer);
    }

    /// Says whether a validator has an address.
    pub(crate) fn set_dialable(&mut self, index: ValidatorIndex, dialable: bool) {
        if let Some(peer) = self.peers.get_mut(&index) {
            peer.dialable = dialable;
        }
    }

    /// Removes a validator.
    pub(crate) fn remove(&mut self, index: ValidatorIndex) {
        self.peers.remove(&index);
    }

    /// A connection came up. Returns the connection to close for it, if any.
    pub(crate) fn on_connected(
        &mut self,
        index: ValidatorIndex,
        connection: ConnectionId,
        direction: Direction,
        now: Duration,
    ) -> Option<Action> {
        let schedule = self.schedule;
        let peer = self.peers.get_mut(&index)?;
        let link = Link { connection, since: now };
        match direction {
            Direction::Outbound if peer.outbound.is_some() => Some(Action::Close(connection)),
            Direction::Outbound => {
                peer.dialing = false;
                peer.outbound = Some(link);
                None
            }
            Direction::Inbound => {
                let old = peer.inbound.map(|old| old.connection);
                if let Some(old) = old {
                    peer.forget(old, now, &schedule);
                }
                peer.inbound = Some(link);
                // It lives: no reason to wait before dialing it.
                peer.dials.hasten(now);
                old.map(Action::Close)
            }
        }
    }

    /// A dial of ours failed.
    pub(crate) fn on_dial_failed(&mut self, index: ValidatorIndex, now: Duration) {
        let schedule = self.schedule;
        if let Some(peer) = self.peers.get_mut(&index) {
            peer.dialing = false;
            peer.dials.fail(now, &schedule);
        }
    }

    /// A connection is gone. Returns whether the table counted on it.
    pub(crate) fn on_closed(
        &mut self,
        index: ValidatorIndex,
        connection: ConnectionId,
        now: Duration,
    ) -> bool {
        let schedule = self.schedule;
        self.peers.get_mut(&index).is_some_and(|peer| peer.forget(connection, now, &schedule))
    }

    /// A stream was negotiated. Returns whether it is the one asked for; drop it otherwise.
    pub(crate) fn on_stream_opened(
        &mut self,
        index: ValidatorIndex,
        connection: ConnectionId,
        now: Duration,
    ) -> bool {
        let Some(peer) = self.peers.get_mut(&index) else { return false };
        let asked = peer.stream == Stream::Opening(connection);
        if asked {
            peer.stream = Stream::Open(connection, now);
        }
        asked
    }

    /// A stream could not be opened.
    pub(crate) fn on_stream_refused(
        &mut self,
        index: ValidatorIndex,
        connection: ConnectionId,
        now: Duration,
    ) {
        let schedule = self.schedule;
        let Some(peer) = self.peers.get_mut(&index) else { return };
        if peer.stream == Stream::Opening(connection) {
            peer.stream = Stream::Closed;
            peer.opens.fail(now, &schedule);
        }
    }

    /// The open stream ended. Returns the connection to close with it, if any.
    pub(crate) fn on_stream_lost(
        &mut self,
        index: ValidatorIndex,
        connection: ConnectionId,
        loss: Loss,
        now: Duration,
    ) -> Option<Action> {
        let schedule = self.schedule;
        let peer = self.peers.get_mut(&index)?;
        let Stream::Open(on, since) = peer.stream else { return None };
        if on != connection {
            return None;
        }
        peer.stream = Stream::Closed;
        match loss {
            Loss::Ended => {
                peer.opens.end(since, now, &schedule);
                None
            }
            Loss::Dead => {
                peer.forget(connection, now, &schedule);
                Some(Action::Close(connection))
            }
        }
    }

    /// What to do now. Each action is given out once.
    pub(crate) fn due(&mut self, now: Duration) -> Vec<Action> {
        let mut actions = Vec::new();
        for (&index, peer) in &mut self.peers {
            if peer.wants_dial() && peer.dials.next() <= now {
                peer.dialing = true;
                actions.push(Action::Dial(index));
            }
            if !self.opens_streams || peer.stream != Stream::Closed || peer.opens.next() > now {
                continue;
            }
            if let Some(connection) = peer.writable() {
                peer.stream = Stream::Opening(connection);
                actions.push(Action::Open(index, connection));
            }
        }
        actions
    }

    /// When [`Self::due`] will next have something to do, if nothing else happens.
    pub(crate) fn next_due(&self) -> Option<Duration> {
        let dials = self.peers.values().filter(|peer| peer.wants_dial()).map(|p| p.dials.next());
        let opens = self
            .peers
            .values()
            .filter(|p| self.opens_streams && p.stream == Stream::Closed && p.writable().is_some())
            .map(|peer| peer.opens.next());
        dials.chain(opens).min()
    }
}

#[cfg(test)]
#[path = "peers/tests.rs"]
mod tests;
