//! What is known of one rollup: its transactions, its blocks with proofs, states to verify from.

use super::App;
use super::config::{BLOCKS_BYTES_MAX, BLOCKS_LIMIT_DEFAULT, BLOCKS_LIMIT_MAX};
use super::error::{Code, Problem};
use super::frame;
use super::parameters::{Query, Rollup, bad, no_query};
use super::submit;
use crate::ledger::{Ledger, LedgerError};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use chorale_client::api;
use chorale_types::crypto::hash::Digest;
use chorale_types::ids::{RollupId, Sequence};

/// `GET …/transactions/{id}`: how far a transaction is.
pub(super) async fn transaction(
    State(app): State<App>,
    rollup: Rollup,
    uri: Uri,
) -> Result<Json<api::Transaction>, Problem> {
    no_query(&uri)?;
    let text = rollup.path.text("id");
    let id: Digest = match text.starts_with("0x").then(|| text.parse()) {
        Some(Ok(id)) => id,
        Some(Err(_)) | None => return Err(bad("id", text, "0x and 64 hex digits")),
    };
    let progress = app.prepare(move |known| Ok(known.progress(rollup.id, id))).await?;
    match progress {
        Some(progress) => {
            let place = progress.place.map(submit::place);
            Ok(Json(api::Transaction { id, level: progress.level, place }))
        }
        None => {
            let detail = format!("this node knows no transaction {id} of rollup {}", rollup.id);
            Err(Problem::new(Code::UnknownTransaction, detail))
        }
    }
}

/// `GET …/blocks/{sequence}`: one block.
pub(super) async fn block(
    State(app): State<App>,
    rollup: Rollup,
    uri: Uri,
) -> Result<Response, Problem> {
    no_query(&uri)?;
    let sequence = Sequence::new(rollup.path.number("sequence")?);
    let id = rollup.id;
    let document = app
        .read(move |ledger| ledger.read_frame(id, sequence).map(|view| frame::document(&view)))
        .await?;
    Ok(as_json(document))
}

/// `GET …/blocks?from=&limit=`: a range. It may be shorter than asked for; `next` says where to
/// go on.
pub(super) async fn blocks(
    State(app): State<App>,
    rollup: Rollup,
    uri: Uri,
) -> Result<Response, Problem> {
    let query = Query::parse(&uri, &["from", "limit"])?;
    let from = query.number("from")?.unwrap_or(1);
    if from == 0 {
        return Err(bad("from", "0", "1 or more: sequences start at 1"));
    }
    let limit = query.number("limit")?.unwrap_or(BLOCKS_LIMIT_DEFAULT);
    if limit == 0 || limit > BLOCKS_LIMIT_MAX {
        return Err(bad("limit", &limit.to_string(), &format!("1 to {BLOCKS_LIMIT_MAX}")));
    }
    let (id, from) = (rollup.id, Sequence::new(from));
    let text = app.read(move |ledger| range(ledger, id, from, limit)).await?;
    Ok(as_json(text))
}

fn range(
    ledger: &Ledger,
    rollup: RollupId,
    from: Sequence,
    limit: u64,
) -> Result<Vec<u8>, LedgerError> {
    let head = ledger.head(rollup).ok_or(LedgerError::UnknownRollup { rollup })?.sequence;
    if from > head.next() {
        return Err(LedgerError::FutureSequence { rollup, sequence: from, head });
    }
    let end = from.saturating_add(limit).min(head.next());
    let mut text = b"{\"blocks\":[".to_vec();
    let mut next = from;
    while next < end && text.len() < BLOCKS_BYTES_MAX {
        if next > from {
            text.push(b',');
        }
        text.extend_from_slice(&frame::document(&*ledger.read_frame(rollup, next)?));
        next = next.next();
    }
    text.extend_from_slice(format!("],\"next\":{next},\"head\":{head}}}").as_bytes());
    Ok(text)
}

/// `GET …/checkpoint?sequence=`: a state from which the frame at `sequence` verifies.
pub(super) async fn checkpoint(
    State(app): State<App>,
    rollup: Rollup,
    uri: Uri,
) -> Result<Json<api::CheckpointPage>, Problem> {
    let sequence = Query::parse(&uri, &["sequence"])?.number("sequence")?;
    if sequence == Some(0) {
        return Err(bad("sequence", "0", "1 or more: sequences start at 1"));
    }
    let (id, sequence) = (rollup.id, sequence.map(Sequence::new));
    let view = app.read(move |ledger| ledger.read_checkpoint(id, sequence)).await?;
    Ok(Json(api::CheckpointPage {
        rollup: id,
        sequence: view.sequence,
        height: view.height,
        checkpoint: api::Base64(view.checkpoint),
    }))
}

/// A body that is JSON already.
pub(super) fn as_json(body: impl IntoResponse) -> Response {
    let mut response = body.into_response();
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
