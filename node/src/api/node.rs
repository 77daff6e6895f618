//! What is known of this node.

use super::App;
use super::config::{BLOCKS_LIMIT_MAX, SUBMIT_BODY_BYTES_MAX, WAIT_TIMEOUT_MS_MAX};
use super::error::Problem;
use super::parameters::{Query, bad, no_query};
use crate::metrics::Metrics;
use crate::status::Status;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use chorale_client::api::Limits;
use chorale_types::limits::{
    SUBMIT_TRANSACTIONS_MAX, TRANSACTION_BYTES_MAX, queue_bytes_max, queue_transactions_max,
};
use std::fmt::Write as _;

/// `GET /v1/status`.
pub(super) async fn status(State(app): State<App>, uri: Uri) -> Result<Json<Status>, Problem> {
    no_query(&uri)?;
    Ok(Json(app.handles().status.status()))
}

/// `GET /v1/limits`.
pub(super) async fn limits(State(app): State<App>, uri: Uri) -> Result<Json<Limits>, Problem> {
    no_query(&uri)?;
    let rollups = app.handles().genesis.rollups.len();
    Ok(Json(Limits {
        transaction_bytes_max: count(TRANSACTION_BYTES_MAX),
        submit_transactions_max: count(SUBMIT_TRANSACTIONS_MAX),
        submit_body_bytes_max: count(SUBMIT_BODY_BYTES_MAX),
        blocks_limit_max: BLOCKS_LIMIT_MAX,
        connections_max: count(app.config().connections_max),
        connections_per_address: count(app.config().connections_per_address),
        streams_max: count(app.config().streams_max),
        streams_per_address: count(app.config().streams_per_address),
        queue_transactions_per_rollup: count(queue_transactions_max(rollups)),
        queue_bytes_per_rollup: count(queue_bytes_max(rollups)),
        wait_timeout_ms_max: WAIT_TIMEOUT_MS_MAX,
        heartbeat_ms: u64::try_from(app.config().heartbeat.as_millis()).unwrap_or(u64::MAX),
    }))
}

fn count(bound: usize) -> u64 {
    u64::try_from(bound).unwrap_or(u64::MAX)
}

/// `GET /livez`: the process answers.
pub(super) async fn livez(uri: Uri) -> Result<&'static str, Problem> {
    no_query(&uri)?;
    Ok("ok")
}

/// `GET /readyz`: whether to send callers here, and why not; `?verbose` adds the numbers.
pub(super) async fn readyz(State(app): State<App>, uri: Uri) -> Result<Response, Problem> {
    let query = Query::parse(&uri, &["verbose"])?;
    let verbose = match query.text("verbose") {
        None => false,
        Some("" | "true") => true,
        Some(other) => return Err(bad("verbose", other, "true, or without a value")),
    };
    let handles = app.handles();
    let (code, mut text) = match handles.status.readiness() {
        Ok(()) => (StatusCode::OK, "ok".to_owned()),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, reason.to_string()),
    };
    if verbose {
        let Status { height, ordered_height, view, syncing, voting, peers, .. } =
            handles.status.status();
        let open = peers.iter().filter(|peer| peer.stream).count();
        let known = peers.len();
        let written = write!(
            text,
            "\nheight {height}\nordered_height {ordered_height}\nview {view}\n\
             syncing {syncing}\nvoting {voting}\npeers {open} of {known}\n"
        );
        written.expect("writing to a string does not fail");
    }
    Ok((code, text).into_response())
}

/// `GET /metrics`.
pub(super) async fn metrics(State(app): State<App>, uri: Uri) -> Result<Response, Problem> {
    no_query(&uri)?;
    let kind = [(header::CONTENT_TYPE, Metrics::CONTENT_TYPE)];
    Ok((kind, app.handles().metrics.text()).into_response())
}
