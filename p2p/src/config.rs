//! What a network is started with, and the five classes of traffic.

use std::time::Duration;

use chorale_types::ids::ValidatorIndex;
use libp2p::{Multiaddr, StreamProtocol};
use zeroize::Zeroizing;

use crate::error::StartError;
use crate::limits;

/// What a network is started with.
pub struct Config {
    /// The chain's id, letters and digits. It is part of every protocol name and of the
    /// handshake, so that two chains can never talk to each other.
    pub chain: String,
    /// Seed of the ed25519 key that is this node's identity on the wire.
    pub secret: Zeroizing<[u8; 32]>,
    /// This node's place in the validator set; `None` for a follower.
    pub me: Option<ValidatorIndex>,
    /// Where to listen. Port 0 picks a free one; see [`crate::Network::listen_addresses`].
    pub listen: Vec<Multiaddr>,
    /// The validator set. May include this node itself.
    pub validators: Vec<Member>,
    /// Connections for peers that are not validators. 0 refuses them all.
    pub follower_slots: u32,
    /// The view timeout. A dead peer is noticed within three of these.
    pub view_timeout: Duration,
}

/// Follower connections unless configured otherwise.
pub const FOLLOWER_SLOTS_DEFAULT: u32 = 16;

/// One validator as the wire knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its place in the set.
    pub index: ValidatorIndex,
    /// The ed25519 public key of its identity on the wire.
    pub key: [u8; 32],
    /// Where to dial it. Empty: it is expected to dial us.
    pub addresses: Vec<Multiaddr>,
}

/// What a message is for. Earlier classes overtake later ones in every queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Timeouts and what ends a view.
    Timeout,
    /// Votes, acknowledgements, certificates.
    Vote,
    /// Proposals.
    Proposal,
    /// Batches of transactions.
    Batch,
    /// Catching up.
    Sync,
}

impl Class {
    /// Every class, most urgent first.
    pub const ALL: [Self; 5] = [Self::Timeout, Self::Vote, Self::Proposal, Self::Batch, Self::Sync];

    /// Largest message of this class, in bytes.
    #[must_use]
    pub const fn bytes_max(self) -> usize {
        match self {
            Self::Timeout => limits::TIMEOUT_BYTES_MAX,
            Self::Vote => limits::VOTE_BYTES_MAX,
            Self::Proposal => limits::PROPOSAL_BYTES_MAX,
            Self::Batch => limits::BATCH_BYTES_MAX,
            Self::Sync => limits::SYNC_BYTES_MAX,
        }
    }

    /// Most messages of this class that wait for one peer; the oldest goes when one more comes.
    #[must_use]
    pub const fn queue_max(self) -> usize {
        match self {
            Self::Timeout => 64,
            Self::Vote => 1_024,
            Self::Proposal => 32,
            Self::Batch => 128,
            Self::Sync => 16,
        }
    }

    /// Most bytes of this class that wait for one peer; the oldest go when more come.
    #[must_use]
    pub const fn queue_bytes_max(self) -> usize {
        self.bytes_max() * 8
    }

    /// Whether this class can be large and late: it waits for the peer to take what it was sent.
    #[must_use]
    pub const fn is_bulk(self) -> bool {
        matches!(self, Self::Batch | Self::Sync)
    }

    /// The name used in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Vote => "vote",
            Self::Proposal => "proposal",
            Self::Batch => "batch",
            Self::Sync => "sync",
        }
    }

    /// The class byte on the wire: 1 to 5.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Timeout => 1,
            Self::Vote => 2,
            Self::Proposal => 3,
            Self::Batch => 4,
            Self::Sync => 5,
        }
    }

    pub(crate) fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.code() == code)
    }

    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

/// Every duration of the wire, derived from the view timeout.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    pub(crate) view_timeout: Duration,
    /// How often either end of a stream says that it is there.
    pub(crate) heartbeat: Duration,
    /// A stream whose other end says nothing for this long is dead. With the time a message
    /// takes, this stays under three view timeouts.
    pub(crate) silence: Duration,
    /// A socket or stream that takes no byte for this long is stuck.
    pub(crate) stall: Duration,
    /// Dial, encryption and multiplexing together.
    pub(crate) handshake: Duration,
    /// A fetch, from the request to the last byte of the response.
    pub(crate) fetch: Duration,
}

impl Timing {
    pub(crate) fn new(view_timeout: Duration) -> Self {
        Self {
            view_timeout,
            heartbeat: view_timeout / 2,
            silence: view_timeout * 5 / 2,
            stall: view_timeout * 3,
            handshake: (view_timeout * 2).clamp(Duration::from_secs(2), Duration::from_secs(10)),
            fetch: view_timeout * 2,
        }
    }
}

/// The protocol names of one chain.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) chain: String,
    pub(crate) stream: StreamProtocol,
    pub(crate) fetch: StreamProtocol,
}

impl Names {
    pub(crate) fn new(chain: &str) -> Result<Self, StartError> {
        let well_formed = (1..=limits::CHAIN_BYTES_MAX).contains(&chain.len())
            && chain.bytes().all(|b| b.is_ascii_alphanumeric());
        if !well_formed {
            return Err(StartError::Chain { chain: chain.to_owned() });
        }
        let stream = protocol(chain, "stream");
        let fetch = protocol(chain, "fetch");
        Ok(Self { chain: chain.to_owned(), stream, fetch })
    }

    /// `/chorale/<chain>/<name>/1`
    pub(crate) fn text(&self, name: &str) -> String {
        format!("/chorale/{}/{name}/1", self.chain)
    }
}

fn protocol(chain: &str, name: &str) -> StreamProtocol {
    StreamProtocol::try_from_owned(format!("/chorale/{chain}/{name}/1"))
        .expect("a protocol name starts with a slash")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_protocol_name_carries_the_chain() {
        let names = Names::new("c0ffee").unwrap();
        assert_eq!(names.stream.as_ref(), "/chorale/c0ffee/stream/1");
        assert_eq!(names.fetch.as_ref(), "/chorale/c0ffee/fetch/1");
        assert_eq!(names.text("gossip"), "/chorale/c0ffee/gossip/1");
    }

    #[test]
    fn refuses_a_chain_id_that_is_empty_long_or_holds_a_separator() {
        for chain in [String::new(), "a/b".to_owned(), "é".to_owned(), "a".repeat(129)] {
            assert!(matches!(Names::new(&chain), Err(StartError::Chain { .. })), "{chain}");
        }
    }

    #[test]
    fn class_codes_round_trip_and_others_are_unknown() {
        for class in Class::ALL {
            assert_eq!(Class::from_code(class.code()), Some(class));
        }
        for code in [0, 6, 255] {
            assert_eq!(Class::from_code(code), None);
        }
    }

    #[test]
    fn silence_is_noticed_before_three_view_timeouts() {
        let timing = Timing::new(Duration::from_secs(1));
        assert!(timing.silence >= timing.heartbeat * 4);
        assert!(timing.silence < timing.view_timeout * 3);
    }
}
