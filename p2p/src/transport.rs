//! TCP, encrypted by noise and multiplexed by yamux, with names resolved where addresses have
//! them. The chain is part of the noise handshake: peers of different chains never connect.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::io::{AsyncRead, AsyncWrite};
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::Boxed;
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::metrics::{BandwidthTransport, Registry};
use libp2p::{PeerId, Transport, dns, noise, tcp, yamux};
use tokio::time::{Instant, Sleep, sleep};

use crate::config::{Names, Timing};
use crate::error::StartError;
use crate::limits::STREAMS_PER_CONNECTION_MAX;

type Socket = Guarded<tcp::tokio::TcpStream>;

/// Builds the transport.
pub(crate) fn build(
    key: &Keypair,
    names: &Names,
    timing: &Timing,
    registry: &mut Registry,
) -> Result<Boxed<(PeerId, StreamMuxerBox)>, StartError> {
    let noise = noise::Config::new(key)
        .map_err(|error| StartError::Setup { part: "encryption", reason: error.to_string() })?
        .with_prologue(prologue(names));
    let mut yamux = yamux::Config::default();
    yamux.set_max_num_streams(STREAMS_PER_CONNECTION_MAX);
    let transport = sockets(timing.stall)
        .upgrade(Version::V1)
        .authenticate(noise)
        .multiplex(yamux)
        .timeout(timing.handshake);
    Ok(BandwidthTransport::new(transport, registry)
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
        .boxed())
}

/// What both ends mix into the handshake.
pub(crate) fn prologue(names: &Names) -> Vec<u8> {
    names.text("noise").into_bytes()
}

/// TCP, with names resolved if this system says how.
fn sockets(stall: Duration) -> Boxed<Socket> {
    let tcp = || {
        let config = tcp::Config::new().nodelay(true).listen_backlog(1_024);
        tcp::tokio::Transport::new(config)
    };
    let guard = move |socket, _| Guarded::new(socket, stall);
    match dns::tokio::Transport::system(tcp()) {
        Ok(resolving) => resolving.map(guard).boxed(),
        Err(error) => {
            tracing::warn!(%error, "no name resolution: only numeric addresses can be dialed");
            tcp().map(guard).boxed()
        }
    }
}

/// A socket that fails when it takes no byte for too long. Without this, closing a connection to
/// a peer that vanished would wait for as long as the system retransmits, a quarter of an hour.
pub(crate) struct Guarded<S> {
    socket: S,
    limit: Duration,
    stuck: Option<Pin<Box<Sleep>>>,
}

impl<S> Guarded<S> {
    pub(crate) fn new(socket: S, limit: Duration) -> Self {
        Self { socket, limit, stuck: None }
    }

    /// Passes on `result` unless the socket has been stuck for too long.
    fn watch<T>(
        &mut self,
        context: &mut Context<'_>,
        result: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.stuck = None;
            return result;
        }
        let limit = self.limit;
        let stuck = self.stuck.get_or_insert_with(|| Box::pin(sleep(limit)));
        match stuck.as_mut().poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                // Ready again at once if asked again: the socket stays failed.
                stuck.as_mut().reset(Instant::now());
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "socket takes no bytes")))
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.socket).poll_write(context, buffer);
        self.watch(context, result)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.socket).poll_close(context);
        self.watch(context, result)
    }
}

#[cfg(test)]
mod tests {
    use futures::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_util::compat::TokioAsyncReadCompatExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_socket_that_takes_no_byte_fails_after_the_limit() {
        let (near, _far) = tokio::io::duplex(4);
        let mut socket = Guarded::new(near.compat(), Duration::from_secs(3));
        socket.write_all(b"fits").await.unwrap();
        let before = Instant::now();
        let error = socket.write_all(b"more").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(before.elapsed().as_secs(), 3);
        assert!(socket.write_all(b"more").await.is_err(), "and it stays failed");
    }

    #[tokio::test(start_paused = true)]
    async fn a_socket_that_takes_a_byte_now_and_then_does_not_fail() {
        let (near, far) = tokio::io::duplex(1);
        let mut socket = Guarded::new(near.compat(), Duration::from_secs(3));
        let slow = async {
            let mut far = far.compat();
            for _ in 0..20 {
                tokio::time::sleep(Duration::from_secs(2)).await;
                far.read_exact(&mut [0]).await.unwrap();
            }
        };
        let (written, ()) = tokio::join!(socket.write_all(&[7; 20]), slow);
        written.unwrap();
    }
}
