//! The body of a submit call: read within a bound, in time, and within what all calls together
//! may hold in memory.

use super::App;
use super::config::SUBMIT_BODY_BYTES_MAX;
use super::error::{Code, Problem};
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, header};
use chorale_types::limits::TRANSACTION_BYTES_MAX;
use futures::StreamExt as _;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What the body is said to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The bytes of one transaction.
    Octets,
    /// A document that lists transactions.
    Json,
}

impl Kind {
    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let refused = |detail: &str| Err(Problem::new(Code::BadContentType, detail));
        if headers.contains_key(header::CONTENT_ENCODING) {
            return refused("compressed bodies are not taken");
        }
        // A transfer coding besides `chunked` would reach us undone.
        let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
        if codings.any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked")) {
            return refused("the only transfer-encoding taken is chunked");
        }
        let mut named = headers.get_all(header::CONTENT_TYPE).iter();
        let (Some(kind), None) = (named.next(), named.next()) else {
            return refused("name one content-type");
        };
        let kind = kind.to_str().unwrap_or("").split(';').next().unwrap_or("").trim();
        if kind.eq_ignore_ascii_case("application/octet-stream") {
            Ok(Self::Octets)
        } else if kind.eq_ignore_ascii_case("application/json") {
            Ok(Self::Json)
        } else {
            refused("take application/octet-stream or application/json")
        }
    }

    const fn bytes_max(self) -> usize {
        match self {
            Self::Octets => TRANSACTION_BYTES_MAX,
            Self::Json => SUBMIT_BODY_BYTES_MAX,
        }
    }

    fn too_large(self) -> Problem {
        let max = self.bytes_max();
        match self {
            Self::Octets => {
                let detail = format!("a transaction has at most {max} bytes");
                Problem::new(Code::TransactionTooLarge, detail)
            }
            Self::Json => Problem::new(Code::BodyTooLarge, format!("at most {max} bytes")),
        }
    }
}

/// A whole body. Its bytes count against the node's budget until it is dropped.
pub(super) struct Whole {
    /// What it is said to be.
    pub(super) kind: Kind,
    /// Its bytes.
    pub(super) bytes: Vec<u8>,
    _held: Held,
}

/// Reads the body of `request`.
pub(super) async fn read(app: &App, request: Request) -> Result<Whole, Problem> {
    let kind = Kind::of(request.headers())?;
    let announced = request.headers().get(header::CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > kind.bytes_max() as u64) {
        return Err(kind.too_large());
    }
    let limit = app.config().body_timeout;
    match tokio::time::timeout(limit, collect(app, kind, request.into_body())).await {
        Ok(whole) => whole,
        Err(_) => {
            let detail = format!("the body did not arrive within {} ms", limit.as_millis());
            Err(Problem::new(Code::BodyTimeout, detail))
        }
    }
}

async fn collect(app: &App, kind: Kind, body: Body) -> Result<Whole, Problem> {
    let mut held = Held { budget: app.body_budget(), permit: None };
    let mut bytes = Vec::new();
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Problem::new(Code::BadBody, "the body is cut off"))?;
        if bytes.len().saturating_add(chunk.len()) > kind.bytes_max() {
            return Err(kind.too_large());
        }
        held.grow(chunk.len())?;
        bytes.extend_from_slice(&chunk);
    }
    Ok(Whole { kind, bytes, _held: held })
}

/// A share of the bytes that all bodies together may have.
struct Held {
    budget: Arc<Semaphore>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Held {
    fn grow(&mut self, bytes: usize) -> Result<(), Problem> {
        let count = u32::try_from(bytes).unwrap_or(u32::MAX);
        let Ok(more) = Arc::clone(&self.budget).try_acquire_many_owned(count) else {
            return Err(Problem::new(Code::Overloaded, "too many bytes of submit calls at once"));
        };
        match &mut self.permit {
            Some(permit) => permit.merge(more),
            None => self.permit = Some(more),
        }
        Ok(())
    }
}
