//! Free TCP ports on loopback that stay free. They are taken from below the range out of which the
//! system serves outgoing connections: a node that was killed must find its ports free when it
//! comes back, and with many clients at work a port of that range may be gone by then.

use anyhow::{Context, Result, bail};
use std::net::{Ipv4Addr, TcpListener};

/// First port that may be chosen.
const FIRST: u16 = 15_000;
/// One past the last port that may be chosen; Linux hands out 32768 and above.
const END: u16 = 32_000;

/// Finds `count` distinct ports that nothing listens on.
///
/// # Errors
/// When there are not so many, or the system has no randomness.
pub fn free(count: usize) -> Result<Vec<u16>> {
    let span = END - FIRST;
    // Each testnet starts at another place, so that two that start together rarely meet.
    let start = getrandom::u32().context("no randomness")? % u32::from(span);
    let start = u16::try_from(start).expect("below the span, which is a u16");
    let candidates = (0..span).map(|step| FIRST + (start + step) % span);
    // All are held until all are found, so that none is found twice.
    let held: Vec<TcpListener> = candidates
        .filter_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok())
        .take(count)
        .collect();
    if held.len() < count {
        bail!("{} free ports between {FIRST} and {END}, {count} are needed", held.len());
    }
    held.iter().map(|socket| Ok(socket.local_addr()?.port())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_distinct_and_free() {
        let ports = free(40).unwrap();
        let mut sorted = ports.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), 40);
        assert!(sorted.iter().all(|port| (FIRST..END).contains(port)));
    }
}
