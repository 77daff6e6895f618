//! Links between nodes that can be cut: a small TCP relay for each ordered pair of nodes. Cutting
//! a link is silence, not an error: connections stay open and no byte moves, as when a cable is
//! pulled. Mending it closes what had gone silent, so that both ends dial afresh.
//!
//! # Invariants
//! A byte that was read before the cut is either delivered before it or never.

use anyhow::{Context, Result};
use std::net::Ipv4Addr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

/// Bytes moved at once.
const PIECE: usize = 64 * 1024;

/// One direction of dialling: node `from` reaches node `to` through it.
struct Link {
    from: usize,
    to: usize,
    port: u16,
    cut: Arc<watch::Sender<bool>>,
    _relay: AbortOnDropHandle<()>,
}

/// All links of a testnet; dropping it ends them.
pub struct Links {
    links: Vec<Link>,
}

impl Links {
    /// Opens a relay for each ordered pair of the nodes that listen on `targets`.
    ///
    /// # Errors
    /// When a port cannot be had.
    pub async fn open(targets: &[u16]) -> Result<Self> {
        let pairs = (0..targets.len()).flat_map(|a| (0..targets.len()).map(move |b| (a, b)));
        let mut links = Vec::new();
        for (from, to) in pairs.filter(|(from, to)| from != to) {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("a link")?;
            let port = listener.local_addr()?.port();
            let cut = Arc::new(watch::Sender::new(false));
            let relay = tokio::spawn(accept(listener, targets[to], Arc::clone(&cut)));
            links.push(Link { from, to, port, cut, _relay: AbortOnDropHandle::new(relay) });
        }
        Ok(Self { links })
    }

    /// Where `from` reaches `to`.
    ///
    /// # Panics
    /// When there is no such pair.
    #[must_use]
    pub fn port(&self, from: usize, to: usize) -> u16 {
        let found = self.links.iter().find(|link| (link.from, link.to) == (from, to));
        found.expect("a link for each ordered pair").port
    }

    /// Cuts (or mends) everything between `a` and `b`, whichever of them dialled.
    pub fn set_cut(&self, a: usize, b: usize, cut: bool) {
        for link in &self.links {
            if (link.from, link.to) == (a, b) || (link.from, link.to) == (b, a) {
                link.cut.send_replace(cut);
            }
        }
    }
}

async fn accept(listener: TcpListener, target: u16, cut: Arc<watch::Sender<bool>>) {
    // Dropping the set ends the connections with the relay.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            Ok((near, _)) = listener.accept() => {
                connections.spawn(connection(near, target, cut.subscribe()));
            }
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

async fn connection(near: TcpStream, target: u16, mut cut: watch::Receiver<bool>) {
    if *cut.borrow_and_update() {
        // Dialled over a cut link: nothing answers until it is mended, then the dialler retries.
        let _ = cut.wait_for(|cut| !cut).await;
        return;
    }
    let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, target)).await else { return };
    let _ = near.set_nodelay(true);
    let _ = far.set_nodelay(true);
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
    let back = cut.clone();
    tokio::select! {
        () = pump(near_in, far_out, cut) => {}
        () = pump(far_in, near_out, back) => {}
    }
}

/// Moves bytes one way until either end closes, or until a cut was mended.
async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut cut: watch::Receiver<bool>) {
    let mut piece = vec![0; PIECE];
    loop {
        let read = tokio::select! {
            biased;
            _ = cut.wait_for(|cut| *cut) => None,
            read = from.read(&mut piece) => Some(read),
        };
        match read {
            None => {
                let _ = cut.wait_for(|cut| !cut).await;
                return;
            }
            Some(Ok(0) | Err(_)) => return,
            Some(Ok(count)) => {
                if to.write_all(&piece[..count]).await.is_err() {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    async fn echo() -> (u16, AbortOnDropHandle<()>) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let task = tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = socket.split();
                    tokio::io::copy(&mut from, &mut to).await
                });
            }
        });
        (port, AbortOnDropHandle::new(task))
    }

    #[tokio::test]
    async fn a_cut_link_is_silent_and_a_mended_one_asks_for_a_new_dial() {
        let (port, _echo) = echo().await;
        let links = Links::open(&[port, port]).await.unwrap();
        let mut socket = TcpStream::connect(("127.0.0.1", links.port(0, 1))).await.unwrap();
        let mut byte = [0];
        socket.write_all(b"a").await.unwrap();
        socket.read_exact(&mut byte).await.unwrap();
        assert_eq!(&byte, b"a");

        links.set_cut(1, 0, true);
        socket.write_all(b"b").await.unwrap();
        let heard = tokio::time::timeout(Duration::from_millis(200), socket.read(&mut byte)).await;
        assert!(heard.is_err(), "a cut link carried a byte or closed");

        links.set_cut(0, 1, false);
        assert_eq!(socket.read(&mut byte).await.unwrap(), 0, "a mended link starts afresh");
        let mut socket = TcpStream::connect(("127.0.0.1", links.port(0, 1))).await.unwrap();
        socket.write_all(b"c").await.unwrap();
        socket.read_exact(&mut byte).await.unwrap();
        assert_eq!(&byte, b"c");
    }
}
