//! What can be refused, by whom, and with which numbers.

use std::io;

use chorale_types::ids::ValidatorIndex;
use libp2p::Multiaddr;

use crate::config::Class;

/// Why a network did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The chain id cannot be part of a protocol name.
    #[error("chain id {chain:?} must be 1 to 128 letters and digits")]
    Chain {
        /// What was given.
        chain: String,
    },
    /// The view timeout is outside what this crate runs with.
    #[error("view timeout of {millis} ms is outside 50 ms to 60 s")]
    ViewTimeout {
        /// What was given.
        millis: u128,
    },
    /// More follower connections than may be configured.
    #[error("{slots} follower slots are more than {slots_max}")]
    FollowerSlots {
        /// What was given.
        slots: u32,
        /// The bound.
        slots_max: u32,
    },
    /// The secret is no ed25519 seed.
    #[error("the network secret is not an ed25519 seed")]
    Secret,
    /// The set lists another key at this node's index, or this node's key at another index.
    #[error("validator {index} in the set is not this node: {reason}")]
    Identity {
        /// The index that disagrees.
        index: ValidatorIndex,
        /// In words.
        reason: &'static str,
    },
    /// The validator set cannot be used.
    #[error(transparent)]
    Set(#[from] SetError),
    /// A listen address could not be bound.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address as configured.
        address: Multiaddr,
        /// What the system said.
        source: io::Error,
    },
    /// Encryption or gossip could not be set up.
    #[error("cannot set up {part}: {reason}")]
    Setup {
        /// Which part.
        part: &'static str,
        /// What it said.
        reason: String,
    },
}

/// Why a validator set cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// More validators than the system is built for.
    #[error("{validators} validators are more than {validators_max}")]
    TooMany {
        /// How many were given.
        validators: usize,
        /// The bound.
        validators_max: usize,
    },
    /// Two members at one index.
    #[error("two members at index {index}")]
    DuplicateIndex {
        /// Which index.
        index: ValidatorIndex,
    },
    /// Two members with one key.
    #[error("validators {first} and {second} have the same network key")]
    DuplicateKey {
        /// The one listed first.
        first: ValidatorIndex,
        /// The other.
        second: ValidatorIndex,
    },
    /// Not a point on the curve.
    #[error("the network key of validator {index} is not an ed25519 public key")]
    Key {
        /// Whose.
        index: ValidatorIndex,
    },
}

/// Why a message was not queued.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Larger than its class allows.
    #[error("{class:?} message of {bytes} bytes exceeds {bytes_max}")]
    TooLong {
        /// The class.
        class: Class,
        /// The message.
        bytes: usize,
        /// The bound.
        bytes_max: usize,
    },
    /// There are no empty messages.
    #[error("{class:?} message is empty")]
    Empty {
        /// The class.
        class: Class,
    },
    /// No such member, or this node itself.
    #[error("validator {to} is not another member of the set")]
    Unknown {
        /// The addressee.
        to: ValidatorIndex,
    },
}

/// Why a fetch brought nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// No such member, or this node itself.
    #[error("validator {to} is not another member of the set")]
    Unknown {
        /// The addressee.
        to: ValidatorIndex,
    },
    /// The request or response exceeds its bound.
    #[error("{bytes} bytes exceed {bytes_max}")]
    TooLong {
        /// What was given or announced.
        bytes: usize,
        /// The bound.
        bytes_max: usize,
    },
    /// Too many unanswered requests to this peer, here or there.
    #[error("too many requests are under way")]
    Busy,
    /// There is no connection to the peer.
    #[error("the peer is not connected")]
    NotConnected,
    /// No answer in time.
    #[error("no answer in time")]
    Timeout,
    /// The connection or the stream ended first, or the peer did not answer.
    #[error("the peer ended the exchange")]
    Closed,
    /// The peer does not serve fetches of this chain.
    #[error("the peer does not serve this protocol")]
    Unsupported,
    /// The answer is not well formed.
    #[error("malformed answer")]
    Malformed,
    /// The network has stopped.
    #[error("the network has stopped")]
    Stopped,
}
