//! Who may connect, how often, and how much they may bring.
//!
//! Members have places of their own; everybody else shares the follower slots, one connection
//! each, so that strangers can never keep a validator out.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use chorale_types::limits::VALIDATORS_MAX;
use libp2p::PeerId;
use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::core::transport::PortUse;
use libp2p::core::{Endpoint, Multiaddr};
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm, dummy,
};

use crate::limits;
use crate::roster::Directory;

/// Why a connection is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("this is our own key")]
    Own,
    #[error("validator has {connections} inbound connections already")]
    Member { connections: usize },
    #[error("all {slots} follower slots are taken")]
    Slots { slots: usize },
    #[error("follower is connected already")]
    Follower,
}

/// Limits that do not depend on who connects.
pub(crate) fn connection_limits(follower_slots: u32) -> connection_limits::Behaviour {
    let number = |count: usize| u32::try_from(count).expect("a small constant");
    let members_in = number(VALIDATORS_MAX * limits::MEMBER_INBOUND_MAX);
    let established_in = members_in.saturating_add(follower_slots);
    // Outbound connections go to members only; a place for one that is being replaced.
    let established_out = number(VALIDATORS_MAX * 2);
    let limits = ConnectionLimits::default()
        .with_max_pending_incoming(Some(limits::PENDING_INBOUND_MAX))
        .with_max_pending_outgoing(Some(limits::PENDING_OUTBOUND_MAX))
        .with_max_established_incoming(Some(established_in))
        .with_max_established_outgoing(Some(established_out))
        .with_max_established(Some(established_in.saturating_add(established_out)))
        .with_max_established_per_peer(Some(limits::CONNECTIONS_PER_PEER_MAX));
    connection_limits::Behaviour::new(limits)
}

/// The rule, apart from the swarm.
struct Doors {
    follower_slots: usize,
    /// Inbound connections by peer.
    inbound: HashMap<PeerId, usize>,
}

impl Doors {
    fn check(&self, peer: &PeerId, is_member: impl Fn(&PeerId) -> bool) -> Result<(), Refusal> {
        let connections = self.inbound.get(peer).copied().unwrap_or(0);
        if is_member(peer) {
            return match connections {
                0..limits::MEMBER_INBOUND_MAX => Ok(()),
                _ => Err(Refusal::Member { connections }),
            };
        }
        if connections > 0 {
            return Err(Refusal::Follower);
        }
        let followers = self.inbound.keys().filter(|id| !is_member(id)).count();
        if followers >= self.follower_slots {
            return Err(Refusal::Slots { slots: self.follower_slots });
        }
        Ok(())
    }

    fn enter(&mut self, peer: PeerId) {
        *self.inbound.entry(peer).or_default() += 1;
    }

    fn leave(&mut self, peer: &PeerId) {
        match self.inbound.get_mut(peer) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(self.inbound.remove(peer)),
        }
    }
}

/// The behaviour that applies the rule.
pub(crate) struct Behaviour {
    own: PeerId,
    directory: Arc<Directory>,
    doors: Doors,
}

impl Behaviour {
    pub(crate) fn new(own: PeerId, directory: Arc<Directory>, follower_slots: u32) -> Self {
        let follower_slots = usize::try_from(follower_slots).unwrap_or(usize::MAX);
        Self { own, directory, doors: Doors { follower_slots, inbound: HashMap::new() } }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        if peer == self.own {
            return Err(ConnectionDenied::new(Refusal::Own));
        }
        self.doors
            .check(&peer, |id| self.directory.is_member(id))
            .map_err(ConnectionDenied::new)?;
        Ok(dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(e) if e.endpoint.is_listener() => {
                self.doors.enter(e.peer_id);
            }
            FromSwarm::ConnectionClosed(e) if e.endpoint.is_listener() => {
                self.doors.leave(&e.peer_id);
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Infallible, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

/// A token bucket: so many per second, and at most one second's worth in one burst.
#[derive(Debug)]
pub(crate) struct Bucket {
    millionths: u64,
    refilled: Duration,
}

const MILLION: u64 = 1_000_000;

impl Bucket {
    /// A full bucket for `rate` tokens per second.
    pub(crate) fn full(rate: u32, now: Duration) -> Self {
        Self { millionths: u64::from(rate) * MILLION, refilled: now }
    }

    /// Takes one token if there is one.
    pub(crate) fn try_take(&mut self, rate: u32, now: Duration) -> bool {
        let elapsed = now.saturating_sub(self.refilled).min(Duration::from_secs(1));
        let micros = u64::try_from(elapsed.as_micros()).expect("at most a second");
        self.refilled = self.refilled.max(now);
        let filled = self.millionths + micros * u64::from(rate);
        self.millionths = filled.min(u64::from(rate) * MILLION);
        match self.millionths.checked_sub(MILLION) {
            Some(left) => {
                self.millionths = left;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doors(follower_slots: usize) -> Doors {
        Doors { follower_slots, inbound: HashMap::new() }
    }

    #[test]
    fn followers_share_their_slots_and_never_take_a_members_place() {
        let members: Vec<_> = (0..3).map(|_| PeerId::random()).collect();
        let is_member = |id: &PeerId| members.contains(id);
        let mut doors = doors(2);
        for _ in 0..2 {
            let follower = PeerId::random();
            assert_eq!(doors.check(&follower, is_member), Ok(()));
            doors.enter(follower);
            assert_eq!(doors.check(&follower, is_member), Err(Refusal::Follower));
        }
        let late = PeerId::random();
        assert_eq!(doors.check(&late, is_member), Err(Refusal::Slots { slots: 2 }));
        for member in &members {
            assert_eq!(doors.check(member, is_member), Ok(()));
            doors.enter(*member);
        }
    }

    #[test]
    fn no_slots_means_no_followers() {
        let stranger = PeerId::random();
        assert_eq!(doors(0).check(&stranger, |_| false), Err(Refusal::Slots { slots: 0 }));
    }

    #[test]
    fn a_member_may_replace_its_connection_but_not_pile_them_up() {
        let member = PeerId::random();
        let mut doors = doors(0);
        for _ in 0..limits::MEMBER_INBOUND_MAX {
            assert_eq!(doors.check(&member, |_| true), Ok(()));
            doors.enter(member);
        }
        let connections = limits::MEMBER_INBOUND_MAX;
        assert_eq!(doors.check(&member, |_| true), Err(Refusal::Member { connections }));
        doors.leave(&member);
        assert_eq!(doors.check(&member, |_| true), Ok(()));
    }

    #[test]
    fn a_bucket_gives_its_rate_and_one_second_of_burst() {
        let at = Duration::from_millis;
        let mut bucket = Bucket::full(10, at(0));
        let burst = (0..100).filter(|_| bucket.try_take(10, at(0))).count();
        assert_eq!(burst, 10);
        assert!(!bucket.try_take(10, at(99)));
        assert!(bucket.try_take(10, at(100)));
        let burst = (0..100).filter(|_| bucket.try_take(10, at(1_000_000))).count();
        assert_eq!(burst, 10, "no more than one second is saved up");
        assert!(!bucket.try_take(10, at(0)), "a clock that steps back gives nothing");
    }
}
