//! The wire: authenticated bytes between validators, over libp2p.
//!
//! A network moves opaque messages between the members of a validator set and knows nothing of
//! what they mean. It answers three questions for the rest of the node: who said this, is that
//! member there, and what goes first when not everything fits.
//!
//! ```text
//!   Network::send ──► outbox (per member, by class) ──► writer ══ stream ══► reader ──► Events
//!          └────────► envelope, signed ──► gossip ──► other members ──► …       ▲
//!   Network::request ────────────────────► fetch ◄─────────────────────► Network::respond
//! ```
//!
//! - **Streams** ([`start`], [`Network::send`]): each member dials every other and keeps one
//!   stream for writing on the connection it dialed. Frames leave by [`Class`], most urgent
//!   first; a full queue drops the oldest of its class. The reader reports what its application
//!   took, so that the writer never has more than a bounded amount of bulk ahead of a vote, and
//!   knows a dead peer from a slow one within three view timeouts.
//! - **Gossip**: while some member has no open stream, urgent classes also travel as envelopes
//!   signed by their sender, passed on by members that can reach each other.
//! - **Fetch** ([`Network::request`]): one bounded request, one bounded response; the only thing
//!   that peers outside the set may do.
//!
//! # Invariants
//! - A message is handed up with the index of the member that sent it: it came over a connection
//!   authenticated by that member's key, or in an envelope signed with it.
//! - Messages of one class between two members keep their order on a stream. Messages may be
//!   lost when a stream is lost, and may come twice when gossip is in use.
//! - Every queue and every collection that a peer feeds is bounded; [`limits`] has the bounds.
//! - The chain is part of the handshake and of every protocol name: nodes of different chains
//!   never connect.

mod admission;
mod behaviour;
mod config;
mod driver;
mod envelope;
mod error;
mod events;
mod fetch;
mod frame;
mod gate;
mod gossip;
pub mod limits;
mod metrics;
mod network;
mod outbox;
mod peers;
mod reader;
mod redial;
mod roster;
mod start;
mod streams;
mod transport;
mod writer;

pub use config::{Class, Config, FOLLOWER_SLOTS_DEFAULT, Member};
pub use error::{FetchError, SendError, SetError, StartError};
pub use events::{Event, Events};
pub use fetch::{RequestId, ResponseToken};
pub use libp2p::Multiaddr;
pub use network::{Network, PeerStatus};
pub use start::start;
