//! Connections and streams of members: from dialing to the tasks that read and write.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chorale_types::ids::ValidatorIndex;
use libp2p::swarm::ConnectionId;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::{PeerId, Stream, ping};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::{Driver, Link};
use crate::limits::INBOUND_STREAMS_PER_PEER_MAX;
use crate::metrics::{Fault, Metrics};
use crate::peers::{Direction, Loss};
use crate::reader::{self, StreamEnd};
use crate::roster::Peer;
use crate::streams;
use crate::writer::{Lost, Opened, Writer};

impl Driver {
    /// Makes tasks, table and gossip agree with the roster.
    pub(super) fn reconcile(&mut self) {
        let roster = self.shared.directory.get();
        self.table.set_opens_streams(roster.me.is_some());
        let stays = |link: &Link| {
            roster.peers.get(&link.peer.index).is_some_and(|peer| Arc::ptr_eq(peer, &link.peer))
        };
        let gone: Vec<ValidatorIndex> =
            self.links.iter().filter(|(_, link)| !stays(link)).map(|(&index, _)| index).collect();
        for index in gone {
            // Dropping the link ends its tasks.
            let Some(link) = self.links.remove(&index) else { continue };
            self.table.remove(index);
            self.dials.retain(|_, dialed| *dialed != index);
            self.swarm.behaviour_mut().gossip.inner.remove_explicit_peer(&link.peer.id);
            let _ = self.swarm.disconnect_peer_id(link.peer.id);
        }
        for (&index, peer) in &roster.peers {
            let dialable = !peer.addresses().is_empty();
            self.table.set_dialable(index, dialable);
            if !self.links.contains_key(&index) {
                let link = self.link(peer);
                self.links.insert(index, link);
                self.table.insert(index, dialable);
                self.swarm.behaviour_mut().gossip.inner.add_explicit_peer(&peer.id);
                // It may be here as a follower: let it come back as a member.
                let _ = self.swarm.disconnect_peer_id(peer.id);
            }
        }
        self.judge.retain_members(&roster);
    }

    fn link(&self, peer: &Arc<Peer>) -> Link {
        let (sender, streams) = mpsc::channel(1);
        let writer = Writer {
            context: self.context.clone(),
            peer: Arc::clone(peer),
            streams,
            losses: self.losses.0.clone(),
            stop: self.shared.stop.child_token(),
        };
        self.shared.tasks.spawn(writer.run());
        Link { peer: Arc::clone(peer), streams: sender, reader: None }
    }

    pub(super) fn dial(&mut self, index: ValidatorIndex) {
        let Some(link) = self.links.get(&index) else { return };
        let dial = DialOpts::peer_id(link.peer.id)
            .addresses(link.peer.addresses())
            .condition(PeerCondition::Always)
            // With the listening port as source, both ends dialing at once would be one and the
            // same TCP connection.
            .allocate_new_port()
            .build();
        self.dials.insert(dial.connection_id(), index);
        let connection = dial.connection_id();
        if let Err(error) = self.swarm.dial(dial) {
            tracing::debug!(peer = %index, %error, "cannot dial");
            self.dials.remove(&connection);
            self.table.on_dial_failed(index, self.now());
        }
    }

    pub(super) fn on_connected(
        &mut self,
        id: PeerId,
        connection: ConnectionId,
        direction: Direction,
        established: u32,
    ) {
        self.dials.remove(&connection);
        let Some(peer) = self.shared.directory.get().by_id(&id).cloned() else { return };
        peer.health.connections.store(established, Ordering::Relaxed);
        let now = self.now();
        if let Some(action) = self.table.on_connected(peer.index, connection, direction, now) {
            self.perform(action);
        }
    }

    pub(super) fn on_closed(&mut self, id: PeerId, connection: ConnectionId, remaining: u32) {
        let Some(peer) = self.shared.directory.get().by_id(&id).cloned() else { return };
        peer.health.connections.store(remaining, Ordering::Relaxed);
        self.table.on_closed(peer.index, connection, self.now());
    }

    pub(super) fn on_stream_event(&mut self, event: streams::Event) {
        let now = self.now();
        match event {
            streams::Event::Opened { peer, connection, stream } => {
                let Some(index) = self.index_of(&peer) else { return };
                if self.table.on_stream_opened(index, connection, now) {
                    self.start_writing(index, connection, stream);
                }
            }
            streams::Event::Refused { peer, connection, reason } => {
                let Some(index) = self.index_of(&peer) else { return };
                tracing::debug!(peer = %index, %reason, "stream not opened");
                self.table.on_stream_refused(index, connection, now);
            }
            streams::Event::Accepted { peer, connection, stream } => {
                if let Some(index) = self.index_of(&peer) {
                    self.start_reading(index, connection, stream);
                }
            }
        }
    }

    fn index_of(&self, id: &PeerId) -> Option<ValidatorIndex> {
        self.shared.directory.get().by_id(id).map(|peer| peer.index)
    }

    fn start_writing(&mut self, index: ValidatorIndex, connection: ConnectionId, stream: Stream) {
        let Some(link) = self.links.get(&index) else { return };
        if link.streams.try_send(Opened { connection, stream }).is_err() {
            // The writer is still telling the application about the last one.
            let now = self.now();
            self.table.on_stream_lost(index, connection, Loss::Ended, now);
            return;
        }
        tracing::info!(peer = %index, "stream to validator open");
        if link.peer.health.opened.fetch_add(1, Ordering::Relaxed) > 0 {
            self.context.metrics.reconnects.inc();
        }
    }

    /// Reads the new stream once the one before it is drained, so that order is kept.
    fn start_reading(&mut self, index: ValidatorIndex, connection: ConnectionId, stream: Stream) {
        let Some(link) = self.links.get_mut(&index) else { return };
        let peer = Arc::clone(&link.peer);
        let reading = Reading::begin(&peer, &self.context.metrics);
        if peer.health.inbound.load(Ordering::Relaxed) > INBOUND_STREAMS_PER_PEER_MAX {
            drop(reading);
            self.penalise(&peer, Fault::Streams);
            return;
        }
        let before = link.reader.take();
        let (context, ends) = (self.context.clone(), self.read_ends.0.clone());
        let stop = self.shared.stop.child_token();
        let task = async move {
            let _reading = reading;
            if let Some(before) = before {
                let _ = timeout(context.timing.view_timeout, before).await;
            }
            let read = reader::read(&context, &peer, stream);
            let Some(end) = stop.run_until_cancelled(read).await else { return };
            tracing::debug!(peer = %peer.index, reason = %end, "stream from validator ended");
            // Nobody to tell once the swarm task has stopped.
            let _ = ends.send(Lost { peer, connection, end });
        };
        link.reader = Some(AbortOnDropHandle::new(self.shared.tasks.spawn(task)));
    }

    pub(super) fn on_writer_end(&mut self, lost: &Lost) {
        let loss = match lost.end {
            StreamEnd::Silent | StreamEnd::Stalled => Loss::Dead,
            _ => Loss::Ended,
        };
        if !self.is_current(&lost.peer) {
            return;
        }
        let (index, now) = (lost.peer.index, self.now());
        let action = self.table.on_stream_lost(index, lost.connection, loss, now);
        if let Some(action) = action {
            self.context.metrics.fault(Fault::Dead);
            self.perform(action);
        }
        self.check_malformed(lost);
    }

    pub(super) fn on_reader_end(&mut self, lost: &Lost) {
        if matches!(lost.end, StreamEnd::Silent) {
            self.context.metrics.fault(Fault::Dead);
            if self.is_current(&lost.peer) {
                self.table.on_closed(lost.peer.index, lost.connection, self.now());
            }
            self.swarm.close_connection(lost.connection);
        }
        self.check_malformed(lost);
    }

    fn check_malformed(&mut self, lost: &Lost) {
        if let StreamEnd::Malformed(error) = lost.end {
            tracing::warn!(peer = %lost.peer.index, %error, "validator disconnected");
            self.penalise(&lost.peer, Fault::Frame);
        }
    }

    fn is_current(&self, peer: &Arc<Peer>) -> bool {
        self.links.get(&peer.index).is_some_and(|link| Arc::ptr_eq(&link.peer, peer))
    }

    /// Counts misbehaviour and closes every connection of the peer.
    fn penalise(&mut self, peer: &Peer, fault: Fault) {
        self.context.metrics.fault(fault);
        let _ = self.swarm.disconnect_peer_id(peer.id);
    }

    /// A ping that fails closes the connection, unless the streams show that the peer lives:
    /// a ping waits behind whatever else is on its connection.
    pub(super) fn on_ping(&mut self, event: &ping::Event) {
        match &event.result {
            Ok(_) | Err(ping::Failure::Unsupported) => return,
            Err(_) => {}
        }
        let (window, now): (Duration, _) = (self.context.timing.silence, self.now());
        let lives = self.shared.directory.get().by_id(&event.peer).is_some_and(|peer| {
            peer.health.is_outbound_open() || peer.health.heard_within(window, now)
        });
        if !lives {
            self.context.metrics.fault(Fault::Dead);
            self.swarm.close_connection(event.connection);
        }
    }
}

/// Counts a stream as being read for as long as it lives.
struct Reading {
    peer: Arc<Peer>,
    metrics: Metrics,
}

impl Reading {
    fn begin(peer: &Arc<Peer>, metrics: &Metrics) -> Self {
        peer.health.inbound.fetch_add(1, Ordering::Relaxed);
        metrics.streams_in.inc();
        Self { peer: Arc::clone(peer), metrics: metrics.clone() }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.peer.health.inbound.fetch_sub(1, Ordering::Relaxed);
        self.metrics.streams_in.dec();
    }
}
