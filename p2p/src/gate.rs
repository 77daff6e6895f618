//! Lets a behaviour see members only. To everybody else it is as if its protocol did not exist:
//! their connections get a handler that speaks nothing.
//!
//! # Invariants
//! - The inner behaviour hears of exactly those connections for which it made a handler.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::task::{Context, Poll};

use libp2p::PeerId;
use libp2p::core::transport::PortUse;
use libp2p::core::{Endpoint, Multiaddr};
use libp2p::swarm::derive_prelude::{ConnectionClosed, ConnectionEstablished, Either};
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm, dummy,
};

use crate::roster::Directory;

/// A behaviour for members only.
pub(crate) struct Gate<B> {
    pub(crate) inner: B,
    directory: Arc<Directory>,
    admitted: HashMap<PeerId, HashSet<ConnectionId>>,
}

impl<B> Gate<B> {
    pub(crate) fn new(inner: B, directory: Arc<Directory>) -> Self {
        Self { inner, directory, admitted: HashMap::new() }
    }

    fn is_admitted(&self, peer: &PeerId, connection: ConnectionId) -> bool {
        self.admitted.get(peer).is_some_and(|known| known.contains(&connection))
    }

    /// Connections of this peer that the inner behaviour knows.
    fn count(&self, peer: &PeerId) -> usize {
        self.admitted.get(peer).map_or(0, HashSet::len)
    }

    fn forget(&mut self, peer: &PeerId, connection: ConnectionId) {
        if let Some(known) = self.admitted.get_mut(peer) {
            known.remove(&connection);
            if known.is_empty() {
                self.admitted.remove(peer);
            }
        }
    }
}

impl<B: NetworkBehaviour> Gate<B> {
    fn admit(&mut self, peer: PeerId, connection: ConnectionId) {
        self.admitted.entry(peer).or_default().insert(connection);
    }

    /// Passes on what happens to a connection, with counts that leave out unadmitted ones.
    fn on_established(&mut self, event: ConnectionEstablished<'_>) {
        if self.is_admitted(&event.peer_id, event.connection_id) {
            let other_established = self.count(&event.peer_id) - 1;
            let event = ConnectionEstablished { other_established, ..event };
            self.inner.on_swarm_event(FromSwarm::ConnectionEstablished(event));
        }
    }

    fn on_closed(&mut self, event: ConnectionClosed<'_>) {
        if self.is_admitted(&event.peer_id, event.connection_id) {
            self.forget(&event.peer_id, event.connection_id);
            let remaining_established = self.count(&event.peer_id);
            let event = ConnectionClosed { remaining_established, ..event };
            self.inner.on_swarm_event(FromSwarm::ConnectionClosed(event));
        }
    }
}

impl<B: NetworkBehaviour> NetworkBehaviour for Gate<B> {
    type ConnectionHandler = Either<THandler<B>, dummy::ConnectionHandler>;
    type ToSwarm = B::ToSwarm;

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        if !self.directory.is_member(&peer) {
            return Ok(Either::Right(dummy::ConnectionHandler));
        }
        let inner = &mut self.inner;
        let handler =
            inner.handle_established_inbound_connection(connection, peer, local, remote)?;
        self.admit(peer, connection);
        Ok(Either::Left(handler))
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        if !self.directory.is_member(&peer) {
            return Ok(Either::Right(dummy::ConnectionHandler));
        }
        let handler = self
            .inner
            .handle_established_outbound_connection(connection, peer, address, role, port)?;
        self.admit(peer, connection);
        Ok(Either::Left(handler))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(event) => self.on_established(event),
            FromSwarm::ConnectionClosed(event) => self.on_closed(event),
            FromSwarm::AddressChange(event)
                if !self.is_admitted(&event.peer_id, event.connection_id) => {}
            other => self.inner.on_swarm_event(other),
        }
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {
            Either::Left(event) => {
                self.inner.on_connection_handler_event(peer, connection, event);
            }
            Either::Right(never) => match never {},
        }
    }

    fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        self.inner.poll(context).map(|action| action.map_in(Either::Left))
    }
}
