//! Connections: HTTP/1.1 only, each with a bound on its head, its silence and its slowness, and
//! all of them, and those of one address, with a bound on their number.

use super::callers::{Caller, Share, Shares};
use super::config::{ApiConfig, HEAD_BYTES_MAX, HEADERS_MAX};
use super::error::{Code, Problem};
use super::stall::Guarded;
use super::turned_away::TurnedAway;
use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
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

/// Serves `router` until `stop`, then lets answers under way finish for a while.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    config: ApiConfig,
    stop: CancellationToken,
) {
    let door = Door::new(&config);
    let turned_away = TurnedAway::default();
    let connections = TaskTracker::new();
    let cut = CancellationToken::new();
    let server = Server { router, config, stop: stop.clone(), cut: cut.clone() };
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((socket, address)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let caller = Caller(address.ip());
        match door.let_in(caller) {
            Ok(place) => {
                connections.spawn(server.clone().connection(socket, caller, place));
            }
            Err(problem) => turned_away.tell(socket, problem),
        }
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(config.drain, connections.wait()).await.is_err() {
        cut.cancel();
        connections.wait().await;
    }
}

/// Who may have a connection.
struct Door {
    all: Arc<Semaphore>,
    max: usize,
    by_address: Arc<Shares>,
}

/// A connection's place among all and among those of its address.
struct Place {
    _all: OwnedSemaphorePermit,
    _share: Share,
}

impl Door {
    fn new(config: &ApiConfig) -> Self {
        let max = config.connections_max;
        let by_address = Shares::new(config.connections_per_address, config.counts_loopback);
        Self { all: Arc::new(Semaphore::new(max)), max, by_address }
    }

    fn let_in(&self, caller: Caller) -> Result<Place, Problem> {
        let share = self.by_address.take(caller).ok_or_else(|| {
            let detail =
                format!("this node takes {} connections of one address", self.by_address.max());
            Problem::new(Code::AddressLimit, detail)
        })?;
        let all = Arc::clone(&self.all).try_acquire_owned().map_err(|_| {
            Problem::new(Code::Overloaded, format!("this node takes {} connections", self.max))
        })?;
        Ok(Place { _all: all, _share: share })
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
    async fn connection(self, socket: TcpStream, caller: Caller, place: Place) {
        let Self { router, config, stop, cut } = self;
        let _ = socket.set_nodelay(true);
        let io = TokioIo::new(Guarded::new(socket, config.write_stall));
        let router = TowerToHyperService::new(router);
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(caller);
            router.call(request)
        });
        let mut served = pin!(
            http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(config.head_timeout)
                .max_header_size(HEAD_BYTES_MAX)
                .max_headers(HEADERS_MAX)
                .max_buf_size(4 * HEAD_BYTES_MAX)
                .serve_connection(io, service)
        );
        tokio::select! {
            _ = served.as_mut() => return,
            () = stop.cancelled() => served.as_mut().graceful_shutdown(),
        }
        tokio::select! {
            _ = served => {}
            () = cut.cancelled() => {}
        }
        drop(place);
    }
}
