//! Connections: HTTP/1.1 only, each with a bound on its head, its silence and its slowness, and
//! all of them with a bound on their number.

use super::config::{ApiConfig, HEAD_BYTES_MAX, HEADERS_MAX};
use super::stall::Guarded;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long to wait when the system cannot give a connection, for want of files for example.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What one connection more than allowed is told.
const TURNED_AWAY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\n\
    retry-after: 1\r\ncontent-length: 0\r\n\r\n";

/// Serves `router` until `stop`, then lets answers under way finish for a while.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    config: ApiConfig,
    stop: CancellationToken,
) {
    let slots = Arc::new(Semaphore::new(config.connections_max));
    let connections = TaskTracker::new();
    let cut = CancellationToken::new();
    let server = Server { router, config, stop: stop.clone(), cut: cut.clone() };
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((socket, _)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        match Arc::clone(&slots).try_acquire_owned() {
            Ok(slot) => drop(connections.spawn(server.clone().connection(socket, slot))),
            Err(_) => drop(socket.try_write(TURNED_AWAY)),
        }
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(config.drain, connections.wait()).await.is_err() {
        cut.cancel();
        connections.wait().await;
    }
}

#[derive(Clone)]
struct Server {
    router: Router,
    config: ApiConfig,
    /// No further request.
    stop: CancellationToken,
    /// Not even the rest of an answer.
    cut: CancellationToken,
}

impl Server {
    /// One connection, as long as it lasts. It ends by itself, by a bound, or with the node; how
    /// is nobody's concern but the caller's, who sees it end.
    async fn connection(self, socket: TcpStream, slot: OwnedSemaphorePermit) {
        let Self { router, config, stop, cut } = self;
        let _ = socket.set_nodelay(true);
        let io = TokioIo::new(Guarded::new(socket, config.write_stall));
        let mut served = pin!(
            http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(config.head_timeout)
                .max_header_size(HEAD_BYTES_MAX)
                .max_headers(HEADERS_MAX)
                .max_buf_size(4 * HEAD_BYTES_MAX)
                .serve_connection(io, TowerToHyperService::new(router))
        );
        tokio::select! {
            _ = served.as_mut() => return,
            () = stop.cancelled() => served.as_mut().graceful_shutdown(),
        }
        tokio::select! {
            _ = served => {}
            () = cut.cancelled() => {}
        }
        drop(slot);
    }
}
