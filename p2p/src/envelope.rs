//! The envelope of a message that does not come over its sender's own connection: who says it,
//! to whom, and the sender's signature over all of it and the chain.
//!
//! Layout: version 1 byte, sender 2, addressee flag 1 and index 2, class 1, attempt 8, the
//! message (1 byte to its class's bound), signature 64. Numbers are big-endian.

use chorale_types::ids::ValidatorIndex;
use libp2p::identity::{Keypair, PublicKey};

use crate::config::Class;

const VERSION: u8 = 1;
const HEADER_BYTES: usize = 15;
const SIGNATURE_BYTES: usize = 64;
const DOMAIN: &[u8] = b"chorale/envelope/1";

/// What an envelope says, before its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) sender: ValidatorIndex,
    /// `None` for everybody.
    pub(crate) to: Option<ValidatorIndex>,
    pub(crate) class: Class,
    /// Never the same twice for one sender, so that a message said again is not taken for the
    /// one that was already passed on.
    pub(crate) attempt: u64,
}

/// An envelope as it came; its signature not yet checked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Envelope<'a> {
    pub(crate) header: Header,
    pub(crate) message: &'a [u8],
    signed: &'a [u8],
    signature: &'a [u8],
}

/// Why an envelope is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EnvelopeError {
    #[error("{bytes} bytes are too few")]
    TooShort { bytes: usize },
    #[error("unknown version {version}")]
    Version { version: u8 },
    #[error("addressee flag {flag} with index {index}")]
    Addressee { flag: u8, index: u16 },
    #[error("class code {code} does not travel in envelopes")]
    Class { code: u8 },
    #[error("{class:?} message of {bytes} bytes exceeds {bytes_max}")]
    TooLong { class: Class, bytes: usize, bytes_max: usize },
}

/// The envelope without its signature.
pub(crate) fn encode(header: &Header, message: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + message.len() + SIGNATURE_BYTES);
    bytes.push(VERSION);
    bytes.extend_from_slice(&header.sender.get().to_be_bytes());
    bytes.push(u8::from(header.to.is_some()));
    bytes.extend_from_slice(&header.to.map_or(0, ValidatorIndex::get).to_be_bytes());
    bytes.push(header.class.code());
    bytes.extend_from_slice(&header.attempt.to_be_bytes());
    bytes.extend_from_slice(message);
    bytes
}

/// Completes an encoded envelope with the sender's signature.
pub(crate) fn seal(chain: &str, key: &Keypair, unsigned: &[u8]) -> Vec<u8> {
    let signature = key.sign(&preimage(chain, unsigned)).expect("ed25519 signing cannot fail");
    [unsigned, &signature].concat()
}

/// Takes an envelope apart. Only classes that may take this path are let through.
pub(crate) fn decode(bytes: &[u8]) -> Result<Envelope<'_>, EnvelopeError> {
    if bytes.len() <= HEADER_BYTES + SIGNATURE_BYTES {
        return Err(EnvelopeError::TooShort { bytes: bytes.len() });
    }
    let (signed, signature) = bytes.split_at(bytes.len() - SIGNATURE_BYTES);
    let (header, message) = signed.split_at(HEADER_BYTES);
    let header: [u8; HEADER_BYTES] = header.try_into().expect("split at this length");
    let [version, s0, s1, flag, t0, t1, code, attempt @ ..] = header;
    if version != VERSION {
        return Err(EnvelopeError::Version { version });
    }
    let index = u16::from_be_bytes([t0, t1]);
    let to = match (flag, index) {
        (0, 0) => None,
        (1, index) => Some(ValidatorIndex::new(index)),
        _ => return Err(EnvelopeError::Addressee { flag, index }),
    };
    let class = Class::from_code(code)
        .filter(|class| !class.is_bulk())
        .ok_or(EnvelopeError::Class { code })?;
    let (bytes, bytes_max) = (message.len(), class.bytes_max());
    if bytes > bytes_max {
        return Err(EnvelopeError::TooLong { class, bytes, bytes_max });
    }
    let sender = ValidatorIndex::new(u16::from_be_bytes([s0, s1]));
    let header = Header { sender, to, class, attempt: u64::from_be_bytes(attempt) };
    Ok(Envelope { header, message, signed, signature })
}

impl Envelope<'_> {
    /// Whether `key` signed this for this chain.
    pub(crate) fn verify(&self, chain: &str, key: &PublicKey) -> bool {
        key.verify(&preimage(chain, self.signed), self.signature)
    }
}

fn preimage(chain: &str, unsigned: &[u8]) -> Vec<u8> {
    let chain_bytes = u8::try_from(chain.len()).expect("chain ids are at most 128 bytes");
    [DOMAIN, &[chain_bytes], chain.as_bytes(), unsigned].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAIN: &str = "c0ffee";

    fn key(seed: u8) -> Keypair {
        Keypair::ed25519_from_bytes([seed; 32]).unwrap()
    }

    fn header(to: Option<u16>) -> Header {
        Header {
            sender: ValidatorIndex::new(300),
            to: to.map(ValidatorIndex::new),
            class: Class::Vote,
            attempt: 1 << 40,
        }
    }

    fn sealed(header: &Header) -> Vec<u8> {
        seal(CHAIN, &key(1), &encode(header, b"vote"))
    }

    #[test]
    fn envelopes_round_trip() {
        for to in [None, Some(0), Some(7)] {
            let bytes = sealed(&header(to));
            let envelope = decode(&bytes).unwrap();
            assert_eq!((envelope.header, envelope.message), (header(to), &b"vote"[..]));
            assert!(envelope.verify(CHAIN, &key(1).public()));
        }
    }

    #[test]
    fn any_changed_bit_is_refused() {
        let bytes = sealed(&header(Some(7)));
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let accepted = decode(&changed).is_ok_and(|e| e.verify(CHAIN, &key(1).public()));
            assert!(!accepted, "bit {bit}");
        }
    }

    #[test]
    fn another_chain_or_another_key_is_refused() {
        let bytes = sealed(&header(None));
        let envelope = decode(&bytes).unwrap();
        assert!(!envelope.verify("c0ffef", &key(1).public()));
        assert!(!envelope.verify(CHAIN, &key(2).public()));
    }

    #[test]
    fn refuses_what_is_not_an_envelope() {
        let good = sealed(&header(None));
        let with = |at: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            bytes
        };
        let short = &good[..HEADER_BYTES + SIGNATURE_BYTES];
        assert_eq!(decode(short), Err(EnvelopeError::TooShort { bytes: 79 }));
        assert_eq!(decode(&with(0, 2)), Err(EnvelopeError::Version { version: 2 }));
        assert_eq!(decode(&with(3, 2)), Err(EnvelopeError::Addressee { flag: 2, index: 0 }));
        assert_eq!(decode(&with(5, 1)), Err(EnvelopeError::Addressee { flag: 0, index: 1 }));
        for code in [0, 4, 5, 6] {
            assert_eq!(decode(&with(6, code)), Err(EnvelopeError::Class { code }));
        }
    }

    #[test]
    fn refuses_a_message_beyond_its_class() {
        let message = vec![0; Class::Vote.bytes_max() + 1];
        let bytes = seal(CHAIN, &key(1), &encode(&header(None), &message));
        assert!(matches!(decode(&bytes), Err(EnvelopeError::TooLong { .. })));
    }
}
