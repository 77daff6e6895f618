//! What is known of the chain: its document, its validators, its blocks.

use super::App;
use super::error::{Code, Problem};
use super::parameters::{PathParts, no_query};
use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use chorale_client::api::{Block, Header, Tip, Validator, Validators};
use chorale_types::batch::LaneTip;
use chorale_types::block::CommittedBlock;
use chorale_types::genesis::Genesis;
use chorale_types::ids::Height;
use chorale_types::validators;
use std::sync::Arc;

/// `GET /v1/validators`.
pub(super) async fn validators(
    State(app): State<App>,
    uri: Uri,
) -> Result<Json<Validators>, Problem> {
    no_query(&uri)?;
    let (set, genesis) = (&app.handles().set, &app.handles().genesis);
    let validators = set.indices().zip(&set.info().validators);
    let validators = validators.map(|(index, validator)| Validator {
        index,
        name: name_of(genesis, validator),
        operator: validator.operator,
        bls: validator.bls,
        network: validator.network,
        stake: validator.stake,
    });
    Ok(Json(Validators {
        epoch: set.epoch(),
        total_stake: set.total(),
        quorum_stake: set.quorum(),
        validators: validators.collect(),
    }))
}

/// The name that genesis gives a validator; empty for one that came later.
fn name_of(genesis: &Genesis, validator: &validators::Validator) -> String {
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
) -> Result<Json<Block>, Problem> {
    no_query(&uri)?;
    let height = Height::new(path.number("height")?);
    match app.read(move |ledger| ledger.read_block(height)).await? {
        Some(block) => Ok(Json(document(&block))),
        None => {
            let detail = format!("this node has no block at height {height}");
            Err(Problem::new(Code::NotFound, detail))
        }
    }
}

fn document(committed: &CommittedBlock) -> Block {
    let from = &committed.block.header;
    let header = Header {
        chain: from.chain,
        version: from.version,
        epoch: from.epoch,
        epoch_info_hash: from.epoch_info_hash,
        height: from.height,
        orig_view: from.orig_view,
        parent: from.parent,
        body_root: from.body_root,
        ordered_height: from.ordered_height,
        ordered_root: from.ordered_root,
        proposer: from.proposer,
        time: from.time,
    };
    let tips = committed.block.body.tips.iter().map(tip).collect();
    Block { height: from.height, hash: committed.hash, header, tips }
}

const fn tip(tip: &LaneTip) -> Tip {
    Tip {
        epoch: tip.lane.epoch,
        lane: tip.lane.owner,
        seq: tip.seq,
        digest: tip.digest,
        bytes_through: tip.bytes_through,
    }
}
