//! What is known of the chain and of this node.

use super::App;
use super::config::{BLOCKS_LIMIT_MAX, SUBMIT_BODY_BYTES_MAX, WAIT_TIMEOUT_MS_MAX};
use super::error::{Code, Problem};
use super::json;
use super::parameters::{PathParts, Query, bad, no_query};
use crate::metrics::Metrics;
use crate::status::Status;
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use chorale_types::genesis::Genesis;
use chorale_types::ids::Height;
use chorale_types::limits::{
    POOL_BYTES_PER_ROLLUP_MAX, POOL_TRANSACTIONS_PER_ROLLUP_MAX, SUBMIT_TRANSACTIONS_MAX,
    TRANSACTION_BYTES_MAX,
};
use std::fmt::Write as _;
use std::sync::Arc;

/// `GET /v1/status`.
pub(super) async fn status(State(app): State<App>, uri: Uri) -> Result<Json<Status>, Problem> {
    no_query(&uri)?;
    Ok(Json(app.handles().status.status()))
}

/// `GET /v1/limits`.
pub(super) async fn limits(
    State(app): State<App>,
    uri: Uri,
) -> Result<Json<json::Limits>, Problem> {
    no_query(&uri)?;
    Ok(Json(json::Limits {
        transaction_bytes_max: TRANSACTION_BYTES_MAX,
        submit_transactions_max: SUBMIT_TRANSACTIONS_MAX,
        submit_body_bytes_max: SUBMIT_BODY_BYTES_MAX,
        blocks_limit_max: BLOCKS_LIMIT_MAX,
        streams_max: app.config().streams_max,
        queue_transactions_per_rollup: POOL_TRANSACTIONS_PER_ROLLUP_MAX,
        queue_bytes_per_rollup: POOL_BYTES_PER_ROLLUP_MAX,
        wait_timeout_ms_max: WAIT_TIMEOUT_MS_MAX,
        heartbeat_ms: app.config().heartbeat.as_millis(),
    }))
}

/// `GET /v1/validators`.
pub(super) async fn validators(
    State(app): State<App>,
    uri: Uri,
) -> Result<Json<json::Validators>, Problem> {
    no_query(&uri)?;
    let (set, genesis) = (&app.handles().set, &app.handles().genesis);
    let validators = set.indices().zip(&set.info().validators);
    let validators = validators.map(|(index, validator)| json::Validator {
        index,
        name: name_of(genesis, validator),
        operator: validator.operator,
        bls: validator.bls,
        network: validator.network,
        stake: validator.stake,
    });
    Ok(Json(json::Validators {
        epoch: set.epoch(),
        total_stake: set.total(),
        quorum_stake: set.quorum(),
        validators: validators.collect(),
    }))
}

/// The name that genesis gives a validator; empty for one that came later.
fn name_of(genesis: &Genesis, validator: &chorale_types::validators::Validator) -> String {
    let known = genesis.validators.iter().find(|known| known.network == validator.network);
    known.map(|known| known.name.clone()).unwrap_or_default()
}

/// `GET /v1/genesis`.
pub(super) async fn genesis(
    State(app): State<App>,
    uri: Uri,
) -> Result<Json<Arc<Genesis>>, Problem> {
    no_query(&uri)?;
    Ok(Json(Arc::clone(&app.handles().genesis)))
}

/// `GET /v1/blocks/{height}`.
pub(super) async fn block(
    State(app): State<App>,
    path: PathParts,
    uri: Uri,
) -> Result<Json<json::Block>, Problem> {
    no_query(&uri)?;
    let height = Height::new(path.number("height")?);
    match app.read(move |ledger| ledger.read_block(height)).await? {
        Some(block) => Ok(Json(json::Block::from(&block))),
        None => {
            let detail = format!("this node has no block at height {height}");
            Err(Problem::new(Code::NotFound, detail))
        }
    }
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
