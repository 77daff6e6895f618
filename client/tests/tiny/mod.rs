//! A tiny node that answers as a test scripts it.
#![allow(dead_code, clippy::unwrap_used, unreachable_pub)]

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chorale_client::api;
use chorale_types::ids::RollupId;
use chorale_types::rollup::Frame;
use chorale_types::transaction::{TransactionId, transaction_id};
use futures::StreamExt as _;
use serde_json::json;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

/// What a node answers to one call: status, content type, body.
pub struct Answer(pub u16, pub &'static str, pub String);

impl Answer {
    pub fn json(value: &impl serde::Serialize) -> Self {
        Self(200, "application/json", serde_json::to_string(value).unwrap())
    }

    pub fn problem(status: u16, code: &str) -> Self {
        let problem = json!({
            "type": "about:blank", "title": "x", "status": status, "detail": code, "code": code,
        });
        Self(status, "application/problem+json", problem.to_string())
    }
}

/// What a stream sends, and whether it then ends or falls silent.
pub struct Script {
    pub events: Vec<String>,
    pub stays_open: bool,
}

type OnStream = dyn Fn(u64, usize) -> Result<Script, Answer> + Send + Sync;
type OnGet = dyn Fn(&str, &str) -> Answer + Send + Sync;
type OnSubmit = dyn Fn(&[Vec<u8>], usize) -> Answer + Send + Sync;

/// A node's answers. Each is told how many calls of its kind came before.
pub struct Tiny {
    /// To a stream after a sequence.
    pub stream: Box<OnStream>,
    /// To any other query, by path and query.
    pub get: Box<OnGet>,
    /// To a submit call.
    pub submit: Box<OnSubmit>,
}

impl Default for Tiny {
    fn default() -> Self {
        Self {
            stream: Box::new(|_, _| Err(Answer::problem(404, "not_found"))),
            get: Box::new(|_, _| Answer::problem(404, "not_found")),
            submit: Box::new(|_, _| Answer::problem(404, "not_found")),
        }
    }
}

/// What a node was asked.
#[derive(Default)]
pub struct Log {
    /// The cursor of each stream call.
    pub streams: Vec<u64>,
    /// The path and query of each other query.
    pub gets: Vec<String>,
    /// The query and the transactions of each submit call.
    pub submits: Vec<(String, Vec<Vec<u8>>)>,
}

/// A running node; it stops with the test's runtime.
#[derive(Clone)]
pub struct Running {
    pub url: String,
    pub log: Arc<Mutex<Log>>,
}

type Shared = Arc<(Tiny, Arc<Mutex<Log>>)>;

pub async fn start(tiny: Tiny) -> Running {
    let log: Arc<Mutex<Log>> = Arc::default();
    let router = Router::new()
        .route("/v1/rollups/{rollup}/stream", get(on_stream))
        .route("/v1/rollups/{rollup}/transactions", axum::routing::post(on_submit))
        .fallback(on_get)
        .with_state(Arc::new((tiny, Arc::clone(&log))));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    Running { url, log }
}

/// A URL where nobody listens.
pub async fn nobody() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

fn respond(Answer(status, kind, body): Answer) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    (status, [("content-type", kind)], body).into_response()
}

async fn on_stream(State(shared): State<Shared>, headers: HeaderMap) -> Response {
    let (tiny, log) = &*shared;
    let after = headers["last-event-id"].to_str().unwrap().parse().unwrap();
    let before = {
        let mut log = log.lock().unwrap();
        log.streams.push(after);
        log.streams.len() - 1
    };
    match (tiny.stream)(after, before) {
        Err(answer) => respond(answer),
        Ok(script) => {
            let events = futures::stream::iter(script.events);
            let silence = futures::stream::pending().take(usize::from(script.stays_open));
            let body = events.chain(silence).map(Ok::<_, Infallible>);
            ([("content-type", "text/event-stream")], Body::from_stream(body)).into_response()
        }
    }
}

async fn on_get(
    State(shared): State<Shared>,
    uri: axum::http::Uri,
    RawQuery(query): RawQuery,
) -> Response {
    let (tiny, log) = &*shared;
    log.lock().unwrap().gets.push(uri.to_string());
    respond((tiny.get)(uri.path(), &query.unwrap_or_default()))
}

async fn on_submit(
    State(shared): State<Shared>,
    Path(_rollup): Path<u64>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let (tiny, log) = &*shared;
    let payloads: Vec<Vec<u8>> = if headers["content-type"] == "application/octet-stream" {
        vec![body.to_vec()]
    } else {
        let request: api::SubmitRequest = serde_json::from_slice(&body).unwrap();
        request.transactions.into_iter().map(|payload| payload.0).collect()
    };
    let before = {
        let mut log = log.lock().unwrap();
        log.submits.push((query.unwrap_or_default(), payloads.clone()));
        log.submits.len() - 1
    };
    respond((tiny.submit)(&payloads, before))
}

/// A frame as the event a node sends.
pub fn block(frame: &Frame) -> String {
    let sequence = frame.sequence;
    let frame = serde_json::to_string(&api::Frame::from(frame.clone())).unwrap();
    format!("event: block\nid: {sequence}\ndata: {frame}\n\n")
}

pub fn id(rollup: RollupId, payload: &[u8]) -> TransactionId {
    transaction_id(rollup, payload)
}
