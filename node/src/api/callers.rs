//! What each address holds at once, so that one address cannot take what is there for all.
//!
//! An address is one of IPv4, or the 64-bit network of one of IPv6: whoever has one address of
//! such a network has all of them. Callers on this machine are not counted: a proxy in front of
//! the node and a test network have one address for everybody.
//!
//! # Invariants
//! There is an entry exactly for the addresses that hold something, so there are never more
//! entries than things held.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller(pub(super) IpAddr);

/// Hands out shares, at most so many to one address.
#[derive(Debug)]
pub(super) struct Shares {
    /// Most shares of one address; at least 1.
    max: usize,
    /// Whether loopback addresses are counted too.
    counts_loopback: bool,
    held: Mutex<BTreeMap<IpAddr, usize>>,
}

/// One thing held by an address, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Share(Option<(Arc<Shares>, IpAddr)>);

impl Shares {
    /// At most `max` for each address, at least one.
    pub(super) fn new(max: usize, counts_loopback: bool) -> Arc<Self> {
        Arc::new(Self { max: max.max(1), counts_loopback, held: Mutex::default() })
    }

    /// Most shares of one address.
    pub(super) const fn max(&self) -> usize {
        self.max
    }

    /// One more for this caller; `None` when it holds all that it may.
    pub(super) fn take(self: &Arc<Self>, caller: Caller) -> Option<Share> {
        let address = caller.0.to_canonical();
        if address.is_loopback() && !self.counts_loopback {
            return Some(Share(None));
        }
        let network = network(address);
        let mut held = self.lock();
        let count = held.entry(network).or_default();
        if *count >= self.max {
            return None;
        }
        *count += 1;
        drop(held);
        Some(Share(Some((Arc::clone(self), network))))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<IpAddr, usize>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let Some((shares, network)) = &self.0 else { return };
        let mut held = shares.lock();
        if let Some(count) = held.get_mut(network) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                held.remove(network);
            }
        }
    }
}

/// What is counted as one address.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(whole) => {
            let [a, b, c, d, ..] = whole.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(text: &str) -> Caller {
        Caller(text.parse().unwrap())
    }

    #[test]
    fn each_address_has_its_own_share_and_gets_it_back() {
        let shares = Shares::new(2, false);
        let (one, other) = (caller("192.0.2.1"), caller("192.0.2.2"));
        let first = shares.take(one).unwrap();
        let _second = shares.take(one).unwrap();
        assert!(shares.take(one).is_none());
        assert!(shares.take(other).is_some(), "others are not meant");
        drop(first);
        assert!(shares.take(one).is_some());
    }

    #[test]
    fn an_address_of_version_6_stands_for_its_network() {
        let shares = Shares::new(1, false);
        let _held = shares.take(caller("2001:db8::1")).unwrap();
        assert!(shares.take(caller("2001:db8::ffff:1:2:3")).is_none());
        assert!(shares.take(caller("2001:db8:0:1::1")).is_some());
        let _held = shares.take(caller("192.0.2.1")).unwrap();
        assert!(shares.take(caller("::ffff:192.0.2.1")).is_none(), "one in two spellings");
        assert!(shares.take(caller("::ffff:192.0.2.2")).is_some());
    }

    #[test]
    fn callers_on_this_machine_are_not_counted_unless_asked_for() {
        for text in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            let free = Shares::new(1, false);
            let held: Vec<_> = (0..100).map(|_| free.take(caller(text)).unwrap()).collect();
            assert!(free.lock().is_empty(), "{text}");
            drop(held);
            let counted = Shares::new(1, true);
            let _held = counted.take(caller(text)).unwrap();
            assert!(counted.take(caller(text)).is_none(), "{text}");
        }
    }

    #[test]
    fn who_holds_nothing_leaves_no_trace() {
        let shares = Shares::new(0, false);
        assert_eq!(shares.max(), 1, "nobody is shut out for good");
        for last in 0..=255 {
            let address = IpAddr::from([192, 0, 2, last]);
            let held = shares.take(Caller(address)).unwrap();
            assert!(shares.take(Caller(address)).is_none());
            drop(held);
        }
        assert!(shares.lock().is_empty());
    }
}
