use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use chorale_p2p::{Class, Event, Multiaddr};
use libp2p::multiaddr::Protocol;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::common::{Node, SHORT_VIEW_TIMEOUT, config, index, member};

/// Passes bytes on between whoever connects and `target`, unless frozen: then nothing moves, and
/// nothing is closed either, as when a cable is cut.
struct Proxy {
    address: Multiaddr,
    frozen: Arc<AtomicBool>,
}

impl Proxy {
    async fn start(target: &Multiaddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let address = format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap();
        let frozen = Arc::new(AtomicBool::new(false));
        let target = socket(target);
        let flag = Arc::clone(&frozen);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let flag = Arc::clone(&flag);
                tokio::spawn(async move {
                    let far = TcpStream::connect(target).await.unwrap();
                    let (near_read, near_write) = near.into_split();
                    let (far_read, far_write) = far.into_split();
                    tokio::join!(
                        pump(near_read, far_write, &flag),
                        pump(far_read, near_write, &flag)
                    );
                });
            }
        });
        Self { address, frozen }
    }

    fn freeze(&self, frozen: bool) {
        self.frozen.store(frozen, Ordering::Relaxed);
    }
}

fn socket(address: &Multiaddr) -> SocketAddr {
    let port = address.iter().find_map(|part| match part {
        Protocol::Tcp(port) => Some(port),
        _ => None,
    });
    SocketAddr::from(([127, 0, 0, 1], port.expect("a TCP address")))
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    frozen: &AtomicBool,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        while frozen.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

/// Two validators that reach each other through proxies only.
async fn proxied() -> ([Node; 2], [Proxy; 2]) {
    let short = |number| {
        let mut config = config(number, 2);
        config.view_timeout = SHORT_VIEW_TIMEOUT;
        config
    };
    let mut nodes = [Node::start(short(0)).await, Node::start(short(1)).await];
    let proxies =
        [Proxy::start(&nodes[0].address()).await, Proxy::start(&nodes[1].address()).await];
    let members = [0, 1].map(|n: u16| member(n, vec![proxies[usize::from(n)].address.clone()]));
    for node in &nodes {
        node.network.update_validators(&members).unwrap();
    }
    nodes[0].until_up(&[1]).await;
    nodes[1].until_up(&[0]).await;
    (nodes, proxies)
}

async fn check_noticed(nodes: &mut [Node; 2], proxies: &[Proxy; 2]) {
    let frozen_at = Instant::now();
    proxies.iter().for_each(|proxy| proxy.freeze(true));
    for (number, node) in (0..).zip(nodes.iter_mut()) {
        node.until_down(1 - number).await;
    }
    // Three view timeouts are promised; as much again is for a machine that is busy.
    let noticed = frozen_at.elapsed();
    assert!(noticed < SHORT_VIEW_TIMEOUT * 6, "noticed after {noticed:?}");

    proxies.iter().for_each(|proxy| proxy.freeze(false));
    for (number, node) in (0..).zip(nodes.iter_mut()) {
        node.until_up(&[1 - number]).await;
    }
    nodes[0].network.broadcast(Class::Vote, Bytes::from_static(b"again")).unwrap();
    nodes[1]
        .until(|event| match event {
            Event::Message { bytes, .. } if bytes == "again" => Some(()),
            _ => None,
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_vanishes_without_a_word_is_noticed_and_found_again() {
    let (mut nodes, proxies) = proxied().await;
    check_noticed(&mut nodes, &proxies).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_vanishes_under_full_load_is_noticed_too() {
    let (mut nodes, proxies) = proxied().await;
    for node in &nodes {
        let network = node.network.clone();
        tokio::spawn(async move {
            let batch = Bytes::from(vec![7; Class::Batch.bytes_max()]);
            loop {
                let full = network.peers().iter().any(|p| p.queued >= 4);
                if !full && network.broadcast(Class::Batch, batch.clone()).is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
    }
    // Load is flowing both ways when the cable is cut.
    for node in &mut nodes {
        for _ in 0..20 {
            node.message().await;
        }
    }
    check_noticed(&mut nodes, &proxies).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_cut_direction_is_noticed_by_its_own_end_and_mended() {
    let (mut nodes, proxies) = proxied().await;
    // Only the connection that 0 dialed is cut; what 1 says still arrives.
    proxies[1].freeze(true);
    nodes[0].until_down(1).await;
    nodes[1].network.send(index(0), Class::Vote, Bytes::from_static(b"here")).unwrap();
    assert_eq!(nodes[0].message().await.2, Bytes::from_static(b"here"));
    // Dialing hangs, so it writes on the connection that 1 dialed.
    nodes[0].until_up(&[1]).await;
    nodes[0].network.send(index(1), Class::Vote, Bytes::from_static(b"there")).unwrap();
    loop {
        if nodes[1].message().await.2 == "there" {
            break;
        }
    }
}
