//! What is counted, in one registry with libp2p's own metrics.

use libp2p::metrics::Registry;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use crate::config::Class;

const CLASSES: usize = Class::ALL.len();

type Labels<const N: usize> = [(&'static str, &'static str); N];

/// Which way a message went over a stream.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    In,
    Out,
}

/// What became of a gossiped message.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Gossip {
    /// Sent, because some member had no open stream.
    Published,
    /// Could not be sent: nobody to send it to, or queues are full.
    Unsent,
    /// Handed to the application.
    Delivered,
    /// Passed on only: for another member, or its sender's stream to us lives.
    Relayed,
    /// Dropped: the bearer brings too much.
    Throttled,
    /// Dropped: the application is behind with this sender.
    Overflowed,
    /// Refused: malformed, from a stranger, or with a wrong signature.
    Refused,
}

impl Gossip {
    const fn name(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Unsent => "unsent",
            Self::Delivered => "delivered",
            Self::Relayed => "relayed",
            Self::Throttled => "throttled",
            Self::Overflowed => "overflowed",
            Self::Refused => "refused",
        }
    }
}

/// Why a peer was disconnected or refused.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// A frame that is too long or of no known kind.
    Frame,
    /// Streams opened faster than they end.
    Streams,
    /// Nothing was heard or taken in time.
    Dead,
    /// A connection beyond the limits, or a handshake that failed.
    Connection,
}

impl Fault {
    const fn name(self) -> &'static str {
        match self {
            Self::Frame => "frame",
            Self::Streams => "streams",
            Self::Dead => "dead",
            Self::Connection => "connection",
        }
    }
}

/// Handles of every counter. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Metrics {
    frames: [[Counter; CLASSES]; 2],
    bytes: [[Counter; CLASSES]; 2],
    dropped: [Counter; CLASSES],
    gossip: Family<Labels<1>, Counter>,
    faults: Family<Labels<1>, Counter>,
    pub(crate) reconnects: Counter,
    pub(crate) busy: Counter,
    pub(crate) streams_out: Gauge,
    pub(crate) streams_in: Gauge,
    pub(crate) queued_bytes: Gauge,
}

impl Metrics {
    /// Registers everything under `chorale_p2p_`.
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let registry = registry.sub_registry_with_prefix("chorale_p2p");
        let frames = Family::<Labels<2>, Counter>::default();
        let bytes = Family::<Labels<2>, Counter>::default();
        let dropped = Family::<Labels<1>, Counter>::default();
        let metrics = Self {
            frames: each_way(&frames),
            bytes: each_way(&bytes),
            dropped: Class::ALL
                .map(|class| dropped.get_or_create_owned(&[("class", class.name())])),
            gossip: Family::default(),
            faults: Family::default(),
            reconnects: Counter::default(),
            busy: Counter::default(),
            streams_out: Gauge::default(),
            streams_in: Gauge::default(),
            queued_bytes: Gauge::default(),
        };
        let m = metrics.clone();
        registry.register("frames", "Messages over streams, by class", frames);
        registry.register("frame_bytes", "Bytes of messages over streams, by class", bytes);
        registry.register("dropped", "Messages dropped for newer ones, by class", dropped);
        registry.register("gossip", "Messages that took the gossip path, by outcome", m.gossip);
        registry.register("faults", "Peers disconnected or refused, by reason", m.faults);
        registry.register("reconnects", "Streams opened again after a loss", m.reconnects);
        registry.register("busy", "Fetch requests answered busy", m.busy);
        registry.register("streams_out", "Open streams to validators", m.streams_out);
        registry.register("streams_in", "Open streams from validators", m.streams_in);
        registry.register("queued_bytes", "Bytes waiting to be sent", m.queued_bytes);
        metrics
    }

    /// A message went over a stream.
    pub(crate) fn frame(&self, way: Way, class: Class, bytes: usize) {
        let way = way as usize;
        self.frames[way][class.index()].inc();
        self.bytes[way][class.index()].inc_by(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    /// Messages made room for newer ones.
    pub(crate) fn drop_frames(&self, class: Class, frames: u64) {
        if frames > 0 {
            self.dropped[class.index()].inc_by(frames);
        }
    }

    pub(crate) fn gossip(&self, outcome: Gossip) {
        self.gossip.get_or_create(&[("outcome", outcome.name())]).inc();
    }

    pub(crate) fn fault(&self, reason: Fault) {
        self.faults.get_or_create(&[("reason", reason.name())]).inc();
    }
}

fn each_way(family: &Family<Labels<2>, Counter>) -> [[Counter; CLASSES]; 2] {
    ["in", "out"].map(|way| {
        Class::ALL.map(|class| family.get_or_create_owned(&[("way", way), ("class", class.name())]))
    })
}
