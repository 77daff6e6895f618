//! Who is a member, and what the handle, the stream tasks and the swarm task share about each.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use chorale_types::{ids::ValidatorIndex, limits::VALIDATORS_MAX};
use libp2p::identity::{PublicKey, ed25519};
use libp2p::{Multiaddr, PeerId};
use tokio::sync::{Notify, Semaphore};

use crate::config::Member;
use crate::error::SetError;
use crate::limits;
use crate::outbox::Outbox;

/// Another validator.
pub(crate) struct Peer {
    pub(crate) index: ValidatorIndex,
    pub(crate) id: PeerId,
    pub(crate) key: PublicKey,
    addresses: RwLock<Vec<Multiaddr>>,
    outbox: Mutex<Outbox>,
    /// Rung when something was put into the outbox.
    pub(crate) wake: Notify,
    /// Bytes of this peer's messages that may still be put before the application.
    pub(crate) budget: Arc<Semaphore>,
    /// `Up` and `Down` notices that may still be put before the application.
    pub(crate) notices: Arc<Semaphore>,
    /// Requests that may still be sent to it.
    pub(crate) requests: Arc<Semaphore>,
    pub(crate) health: Health,
}

/// What is known about the connections of one peer. Single values, read without order.
#[derive(Default)]
pub(crate) struct Health {
    /// Established connections, whoever dialed.
    pub(crate) connections: AtomicU32,
    /// Our stream to it is open.
    pub(crate) outbound: AtomicBool,
    /// Its streams to us that are being read or drained.
    pub(crate) inbound: AtomicUsize,
    /// When bytes last came on its stream: microseconds since the network started; 0 never.
    heard_micros: AtomicU64,
    /// 0 while unknown.
    rtt_micros: AtomicU64,
    /// How often our stream to it was opened.
    pub(crate) opened: AtomicU64,
}

impl Health {
    pub(crate) fn hear(&self, since_start: Duration) {
        self.heard_micros.store(micros(since_start).max(1), Ordering::Relaxed);
    }

    /// Whether bytes came on the peer's stream within `window` before `now`.
    pub(crate) fn heard_within(&self, window: Duration, now: Duration) -> bool {
        let heard = self.heard_micros.load(Ordering::Relaxed);
        heard > 0 && micros(now).saturating_sub(heard) <= micros(window)
    }

    pub(crate) fn set_rtt(&self, rtt: Option<Duration>) {
        self.rtt_micros.store(rtt.map_or(0, |rtt| micros(rtt).max(1)), Ordering::Relaxed);
    }

    pub(crate) fn rtt(&self) -> Option<Duration> {
        match self.rtt_micros.load(Ordering::Relaxed) {
            0 => None,
            micros => Some(Duration::from_micros(micros)),
        }
    }

    pub(crate) fn is_outbound_open(&self) -> bool {
        self.outbound.load(Ordering::Relaxed)
    }
}

/// Whole microseconds, held at the largest number.
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

impl Peer {
    fn new(member: &Member, key: PublicKey) -> Self {
        let bytes = usize::try_from(limits::EVENT_BYTES_PER_PEER_MAX).expect("fits");
        Self {
            index: member.index,
            id: key.to_peer_id(),
            key,
            addresses: RwLock::new(member.addresses.clone()),
            outbox: Mutex::new(Outbox::default()),
            wake: Notify::new(),
            budget: Arc::new(Semaphore::new(bytes)),
            notices: Arc::new(Semaphore::new(limits::NOTICES_PER_PEER_MAX)),
            requests: Arc::new(Semaphore::new(limits::REQUESTS_PER_PEER_MAX)),
            health: Health::default(),
        }
    }

    /// Where to dial it.
    pub(crate) fn addresses(&self) -> Vec<Multiaddr> {
        self.addresses.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_addresses(&self, addresses: &[Multiaddr]) {
        *self.addresses.write().unwrap_or_else(PoisonError::into_inner) = addresses.to_vec();
    }

    pub(crate) fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One validator set as seen from this node.
pub(crate) struct Roster {
    /// This node's place, if it is a member.
    pub(crate) me: Option<ValidatorIndex>,
    /// Every other member.
    pub(crate) peers: BTreeMap<ValidatorIndex, Arc<Peer>>,
    by_id: HashMap<PeerId, Arc<Peer>>,
}

impl Roster {
    /// Builds a roster, keeping the state of peers that stay at their index with their key; their
    /// addresses may change. A set that lists `own` decides this node's place.
    pub(crate) fn build(
        members: &[Member],
        own: PeerId,
        me: Option<ValidatorIndex>,
        old: Option<&Self>,
    ) -> Result<Self, SetError> {
        if members.len() > VALIDATORS_MAX {
            let validators = members.len();
            return Err(SetError::TooMany { validators, validators_max: VALIDATORS_MAX });
        }
        let mut roster = Self { me, peers: BTreeMap::new(), by_id: HashMap::new() };
        let mut seen: HashMap<PeerId, ValidatorIndex> = HashMap::new();
        let mut indexes = BTreeSet::new();
        for member in members {
            let key = public_key(&member.key).ok_or(SetError::Key { index: member.index })?;
            if !indexes.insert(member.index) {
                return Err(SetError::DuplicateIndex { index: member.index });
            }
            let id = key.to_peer_id();
            if let Some(first) = seen.insert(id, member.index) {
                return Err(SetError::DuplicateKey { first, second: member.index });
            }
            if id == own {
                roster.me = Some(member.index);
                continue;
            }
            let kept = old.and_then(|old| old.peers.get(&member.index)).filter(|p| p.id == id);
            let peer = kept.cloned().unwrap_or_else(|| Arc::new(Peer::new(member, key)));
            roster.by_id.insert(id, Arc::clone(&peer));
            roster.peers.insert(member.index, peer);
        }
        // Only a set that is used as a whole may change what is kept.
        for member in members {
            if let Some(peer) = roster.peers.get(&member.index) {
                peer.set_addresses(&member.addresses);
            }
        }
        Ok(roster)
    }

    pub(crate) fn by_id(&self, id: &PeerId) -> Option<&Arc<Peer>> {
        self.by_id.get(id)
    }
}

/// The key as libp2p knows it; `None` when the bytes are not a point on the curve.
pub(crate) fn public_key(bytes: &[u8; 32]) -> Option<PublicKey> {
    ed25519::PublicKey::try_from_bytes(bytes).ok().map(PublicKey::from)
}

/// The current roster, replaced as a whole when the set changes.
pub(crate) struct Directory {
    own: PeerId,
    current: RwLock<Arc<Roster>>,
}

impl Directory {
    pub(crate) fn new(own: PeerId, roster: Roster) -> Self {
        Self { own, current: RwLock::new(Arc::new(roster)) }
    }

    pub(crate) fn get(&self) -> Arc<Roster> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn is_member(&self, id: &PeerId) -> bool {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.by_id.contains_key(id)
    }

    /// Replaces the set. A set without this node makes it a follower.
    pub(crate) fn replace(&self, members: &[Member]) -> Result<(), SetError> {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(Roster::build(members, self.own, None, Some(&current))?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use libp2p::identity::Keypair;

    use super::*;

    fn member(index: u16, seed: u8) -> Member {
        let pair = Keypair::ed25519_from_bytes([seed; 32]).unwrap();
        let key = pair.public().try_into_ed25519().unwrap().to_bytes();
        Member { index: ValidatorIndex::new(index), key, addresses: vec![] }
    }

    fn id(seed: u8) -> PeerId {
        public_key(&member(0, seed).key).unwrap().to_peer_id()
    }

    fn build(members: &[Member]) -> Result<Roster, SetError> {
        Roster::build(members, id(1), None, None)
    }

    #[test]
    fn finds_itself_in_the_set_and_leaves_itself_out_of_its_peers() {
        let roster = build(&[member(0, 2), member(5, 1)]).unwrap();
        assert_eq!(roster.me, Some(ValidatorIndex::new(5)));
        assert_eq!(roster.peers.len(), 1);
        assert!(roster.by_id(&id(2)).is_some() && roster.by_id(&id(1)).is_none());
    }

    #[test]
    fn refuses_doubled_indexes_doubled_keys_and_keys_off_the_curve() {
        let index = ValidatorIndex::new(3);
        assert_eq!(
            build(&[member(3, 2), member(3, 4)]).err(),
            Some(SetError::DuplicateIndex { index })
        );
        let second = ValidatorIndex::new(4);
        assert_eq!(
            build(&[member(3, 2), member(4, 2)]).err(),
            Some(SetError::DuplicateKey { first: index, second })
        );
        let off_curve = (0..=u8::MAX).map(|b| [b; 32]).find(|k| public_key(k).is_none()).unwrap();
        let bad = Member { key: off_curve, ..member(3, 2) };
        assert_eq!(build(&[bad]).err(), Some(SetError::Key { index }));
    }

    #[test]
    fn a_new_set_keeps_the_state_of_members_that_stay() {
        let directory = Directory::new(id(1), build(&[member(0, 2), member(1, 3)]).unwrap());
        let before = directory.get();
        let moved = Member { addresses: vec!["/ip4/10.0.0.1".parse().unwrap()], ..member(0, 2) };
        directory.replace(&[moved.clone(), member(1, 4), member(2, 1)]).unwrap();
        let after = directory.get();
        let (zero, one) = (ValidatorIndex::new(0), ValidatorIndex::new(1));
        assert!(Arc::ptr_eq(&before.peers[&zero], &after.peers[&zero]));
        assert_eq!(after.peers[&zero].addresses(), moved.addresses);
        assert!(!Arc::ptr_eq(&before.peers[&one], &after.peers[&one]));
        assert_eq!((before.me, after.me), (None, Some(ValidatorIndex::new(2))));
        assert!(directory.is_member(&id(4)) && !directory.is_member(&id(3)));
    }

    #[test]
    fn hearing_counts_within_the_window_only() {
        let health = Health::default();
        let second = Duration::from_secs(1);
        assert!(!health.heard_within(second, Duration::ZERO), "never heard");
        health.hear(Duration::from_secs(10));
        assert!(health.heard_within(second, Duration::from_secs(11)));
        assert!(!health.heard_within(second, Duration::from_millis(11_001)));
    }
}
