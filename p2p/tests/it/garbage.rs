use std::net::SocketAddr;

use bytes::Bytes;
use chorale_p2p::{Class, Multiaddr};
use libp2p::multiaddr::Protocol;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::common::{Node, SHORT_VIEW_TIMEOUT, config, introduce, patiently};

fn socket(address: &Multiaddr) -> SocketAddr {
    let port = address.iter().find_map(|part| match part {
        Protocol::Tcp(port) => Some(port),
        _ => None,
    });
    SocketAddr::from(([127, 0, 0, 1], port.expect("a TCP address")))
}

/// Sends `bytes` and reads until the node hangs up.
async fn shout(node: &Node, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(socket(&node.address())).await.unwrap();
    // The node may hang up while we still write.
    let _ = stream.write_all(bytes).await;
    stream
}

async fn until_hung_up(mut stream: TcpStream) {
    patiently("the node hangs up", async {
        let mut buffer = [0; 1_024];
        while stream.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_web_requests_and_silence_on_the_port_do_no_harm() {
    let mut nodes = Vec::new();
    for number in 0..2 {
        let mut config = config(number, 2);
        // Bounds how long a peer may take to introduce itself: at least two seconds.
        config.view_timeout = SHORT_VIEW_TIMEOUT;
        nodes.push(Node::start(config).await);
    }
    introduce(&nodes);
    nodes[0].until_up(&[1]).await;
    nodes[1].until_up(&[0]).await;
    let noise: Vec<u8> =
        (0..65_536u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let inputs: [&[u8]; 6] = [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x13/multistream/1.0.0\n\x07/noise\n\x00\x00",
        b"\x13/multistream/1.0.0\nls\n\xff\xff\xff\xff\xff",
        &noise,
        &[0; 4_096],
        // Says nothing at all.
        b"",
    ];
    for input in inputs {
        let connections: Vec<TcpStream> = {
            let mut connections = Vec::new();
            for _ in 0..8 {
                connections.push(shout(&nodes[0], input).await);
            }
            connections
        };
        for connection in connections {
            until_hung_up(connection).await;
        }
        nodes[1].network.broadcast(Class::Vote, Bytes::from_static(b"vote")).unwrap();
        assert_eq!(nodes[0].message().await, (1, Class::Vote, Bytes::from_static(b"vote")));
    }
    assert!(nodes[0].network.peers()[0].outbound_open);
    assert_eq!(nodes[0].metric("chorale_p2p_reconnects_total"), 0);
}
