//! The stream protocol's place in the swarm: offers it to members only, opens a stream on the
//! connection it is told to, and hands over what was negotiated. What is said on a stream is the
//! business of `writer` and `reader`.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use libp2p::core::transport::PortUse;
use libp2p::core::upgrade::{InboundUpgrade, OutboundUpgrade, UpgradeInfo};
use libp2p::core::{Endpoint, Multiaddr};
use libp2p::swarm::handler::{ConnectionEvent, ConnectionHandlerEvent, DialUpgradeError};
use libp2p::swarm::{
    ConnectionDenied, ConnectionHandler, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler,
    Stream, StreamUpgradeError, SubstreamProtocol, THandler, THandlerInEvent, THandlerOutEvent,
    ToSwarm,
};
use libp2p::{PeerId, StreamProtocol};

use crate::roster::Directory;

/// What the swarm task learns.
#[derive(Debug)]
pub(crate) enum Event {
    /// Our stream to this peer is open.
    Opened { peer: PeerId, connection: ConnectionId, stream: Stream },
    /// Our stream could not be opened.
    Refused { peer: PeerId, connection: ConnectionId, reason: String },
    /// A member opened its stream to us.
    Accepted { peer: PeerId, connection: ConnectionId, stream: Stream },
}

/// The behaviour.
pub(crate) struct Behaviour {
    shared: Shared,
    queue: VecDeque<ToSwarm<Event, Open>>,
}

#[derive(Clone)]
struct Shared {
    protocol: StreamProtocol,
    directory: Arc<Directory>,
    negotiation: Duration,
}

/// Tells a handler to open the outbound stream.
#[derive(Debug)]
pub(crate) struct Open;

impl Behaviour {
    /// `negotiation` bounds how long agreeing on the protocol may take.
    pub(crate) fn new(
        protocol: StreamProtocol,
        directory: Arc<Directory>,
        negotiation: Duration,
    ) -> Self {
        let shared = Shared { protocol, directory, negotiation };
        Self { shared, queue: VecDeque::new() }
    }

    /// Opens a stream on this connection; answered by `Opened` or `Refused` unless the connection
    /// closes first.
    pub(crate) fn open(&mut self, peer_id: PeerId, connection: ConnectionId) {
        let handler = NotifyHandler::One(connection);
        self.queue.push_back(ToSwarm::NotifyHandler { peer_id, handler, event: Open });
    }

    fn handler(&self, peer: PeerId) -> Handler {
        Handler { shared: self.shared.clone(), peer, wanted: 0, news: VecDeque::new() }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Event;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(peer))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(peer))
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        let event = match event {
            News::Opened(stream) => Event::Opened { peer, connection, stream },
            News::Refused(reason) => Event::Refused { peer, connection, reason },
            News::Accepted(stream) => Event::Accepted { peer, connection, stream },
        };
        self.queue.push_back(ToSwarm::GenerateEvent(event));
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Event, THandlerInEvent<Self>>> {
        // The swarm polls again after each call that can have filled the queue.
        self.queue.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}

/// What a handler tells the behaviour.
#[derive(Debug)]
pub(crate) enum News {
    Opened(Stream),
    Refused(String),
    Accepted(Stream),
}

/// One connection's part.
pub(crate) struct Handler {
    shared: Shared,
    peer: PeerId,
    /// Streams to ask for. The table has at most one under way.
    wanted: usize,
    news: VecDeque<News>,
}

impl Handler {
    fn is_member(&self) -> bool {
        self.shared.directory.is_member(&self.peer)
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Open;
    type ToBehaviour = News;
    type InboundProtocol = Offer;
    type OutboundProtocol = Offer;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    /// Asked for every inbound stream, so that a change of the set counts at once.
    fn listen_protocol(&self) -> SubstreamProtocol<Offer> {
        let protocol = self.is_member().then(|| self.shared.protocol.clone());
        SubstreamProtocol::new(Offer { protocol }, ())
    }

    fn connection_keep_alive(&self) -> bool {
        self.is_member()
    }

    fn on_behaviour_event(&mut self, Open: Open) {
        self.wanted += 1;
    }

    fn poll(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Offer, (), Self::ToBehaviour>> {
        if let Some(news) = self.news.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(news));
        }
        if self.wanted > 0 {
            self.wanted -= 1;
            let offer = Offer { protocol: Some(self.shared.protocol.clone()) };
            let protocol = SubstreamProtocol::new(offer, ()).with_timeout(self.shared.negotiation);
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }
        Poll::Pending
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, Offer, Offer>) {
        let news = match event {
            ConnectionEvent::FullyNegotiatedInbound(inbound) => News::Accepted(inbound.protocol),
            ConnectionEvent::FullyNegotiatedOutbound(outbound) => News::Opened(outbound.protocol),
            ConnectionEvent::DialUpgradeError(DialUpgradeError { error, .. }) => {
                News::Refused(match error {
                    StreamUpgradeError::Timeout => "timed out".to_owned(),
                    StreamUpgradeError::NegotiationFailed => "not offered".to_owned(),
                    StreamUpgradeError::Io(error) => error.to_string(),
                    StreamUpgradeError::Apply(never) => match never {},
                })
            }
            _ => return,
        };
        self.news.push_back(news);
    }
}

/// Negotiates the protocol, or nothing where it is not on offer.
pub(crate) struct Offer {
    protocol: Option<StreamProtocol>,
}

impl UpgradeInfo for Offer {
    type Info = StreamProtocol;
    type InfoIter = std::option::IntoIter<StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.protocol.clone().into_iter()
    }
}

impl InboundUpgrade<Stream> for Offer {
    type Output = Stream;
    type Error = Infallible;
    type Future = Ready<Result<Stream, Infallible>>;

    fn upgrade_inbound(self, stream: Stream, _: StreamProtocol) -> Self::Future {
        ready(Ok(stream))
    }
}

impl OutboundUpgrade<Stream> for Offer {
    type Output = Stream;
    type Error = Infallible;
    type Future = Ready<Result<Stream, Infallible>>;

    fn upgrade_outbound(self, stream: Stream, _: StreamProtocol) -> Self::Future {
        ready(Ok(stream))
    }
}
