//! `POST /v1/rollups/{rollup}/transactions`: takes transactions, waits for the level that the
//! caller wants, answers for each. The same bytes again are the same transaction: they are
//! answered with what is known of it and ordered once.

use super::App;
use super::body;
use super::config::{WAIT_TIMEOUT_MS_DEFAULT, WAIT_TIMEOUT_MS_MAX};
use super::error::{Code, Problem};
use super::parameters::{Query, Rollup, bad};
use super::transactions;
use crate::submissions::{Place, Progress, Submissions};
use axum::Json;
use axum::extract::{Request, State};
use axum::http::Uri;
use chorale_client::api::{self, SubmitAnswer, SubmitResult, Taken};
use chorale_consensus::input::HashedTransaction;
use chorale_consensus::output::{Admission, Refusal};
use chorale_types::ids::RollupId;
use chorale_types::level::Level;
use chorale_types::limits::TRANSACTION_BYTES_MAX;
use chorale_types::transaction::TransactionId;
use std::time::Duration;

/// Takes the transactions in the body.
pub(super) async fn submit(
    State(app): State<App>,
    rollup: Rollup,
    request: Request,
) -> Result<Json<SubmitAnswer>, Problem> {
    let wish = Wish::parse(request.uri())?;
    let _turn = app.submit_turn()?;
    let body = body::read(&app, request).await?;
    let id = rollup.id;
    let mut entries = app
        .prepare(move |submissions| {
            let named = transactions::named(id, &body)?;
            Ok(named.into_iter().map(|one| Entry::judge(one, submissions)).collect::<Vec<_>>())
        })
        .await?;
    hand_in(&app, &mut entries).await?;
    learn(&app, id, &mut entries, wish).await;
    answer(entries, wish.level)
}

/// What the caller wants to wait for.
#[derive(Clone, Copy)]
struct Wish {
    level: Level,
    timeout: Duration,
}

impl Wish {
    fn parse(uri: &Uri) -> Result<Self, Problem> {
        let query = Query::parse(uri, &["wait", "timeout_ms"])?;
        let level = match query.text("wait") {
            None | Some("available") => Level::Available,
            Some("accepted") => Level::Accepted,
            Some("final") => Level::Final,
            Some("certified") => {
                let detail = "this version answers accepted, available and final";
                return Err(Problem::new(Code::NotYet, detail));
            }
            Some(other) => {
                return Err(bad("wait", other, "accepted, available, certified or final"));
            }
        };
        let timeout_ms = query.number("timeout_ms")?.unwrap_or(WAIT_TIMEOUT_MS_DEFAULT);
        if timeout_ms > WAIT_TIMEOUT_MS_MAX {
            let expected = format!("at most {WAIT_TIMEOUT_MS_MAX}");
            return Err(bad("timeout_ms", &timeout_ms.to_string(), &expected));
        }
        Ok(Self { level, timeout: Duration::from_millis(timeout_ms) })
    }
}

/// One transaction of the call on its way to an answer.
struct Entry {
    id: TransactionId,
    stage: Stage,
}

/// How far the call is with it.
enum Stage {
    /// Not handed in yet.
    New(HashedTransaction),
    /// Not taken.
    Refused(Problem),
    /// Taken, now or before.
    Taken { already_known: bool, progress: Progress },
}

impl Entry {
    /// Refuses what no node takes, recognises what is ordered already. May read the disk.
    fn judge(transaction: HashedTransaction, submissions: &Submissions) -> Self {
        let (id, bytes) = (transaction.id, transaction.payload.len());
        let stage = if bytes == 0 {
            Stage::Refused(Refusal::Empty.into())
        } else if bytes > TRANSACTION_BYTES_MAX {
            Stage::Refused(Refusal::TooLarge { bytes, max: TRANSACTION_BYTES_MAX }.into())
        } else {
            match submissions.progress(transaction.rollup, id) {
                Some(progress) if progress.level == Level::Final => {
                    Stage::Taken { already_known: true, progress }
                }
                _ => Stage::New(transaction),
            }
        };
        Self { id, stage }
    }

    /// The transaction, if it is still to be handed in.
    fn new_transaction(&self) -> Option<HashedTransaction> {
        match &self.stage {
            Stage::New(transaction) => Some(transaction.clone()),
            Stage::Refused(_) | Stage::Taken { .. } => None,
        }
    }

    fn result(self, wanted: Level) -> SubmitResult {
        let id = self.id;
        match self.stage {
            Stage::Taken { already_known, progress } => SubmitResult::Taken(Taken {
                id,
                level: progress.level,
                already_known,
                timed_out: progress.level < wanted,
                place: progress.place.map(place),
            }),
            Stage::Refused(Problem { code, detail }) => {
                let error = api::Refusal { code: code.text().into(), detail };
                SubmitResult::Refused { id, error }
            }
            Stage::New(_) => unreachable!("every transaction is handed in before it is answered"),
        }
    }
}

/// Gives the new ones to the replica.
async fn hand_in(app: &App, entries: &mut [Entry]) -> Result<(), Problem> {
    let new: Vec<_> = entries.iter().filter_map(Entry::new_transaction).collect();
    if new.is_empty() {
        return Ok(());
    }
    let admissions = app.handles().submissions.submit(new).await?;
    let mut admissions = admissions.into_iter();
    for entry in entries.iter_mut().filter(|entry| matches!(entry.stage, Stage::New(_))) {
        let taken = |already_known| Stage::Taken {
            already_known,
            progress: Progress { level: Level::Accepted, place: None },
        };
        entry.stage = match admissions.next().expect("one admission for each transaction") {
            Admission::Accepted => taken(false),
            Admission::AlreadyKnown => taken(true),
            Admission::Refused(refusal) => Stage::Refused(refusal.into()),
        };
    }
    Ok(())
}

/// Waits for those that are not yet as far as wanted; less long when the node stops.
async fn learn(app: &App, rollup: RollupId, entries: &mut [Entry], wish: Wish) {
    let is_behind = |entry: &Entry| match entry.stage {
        Stage::Taken { already_known, progress } => {
            progress.level < wish.level || (already_known && progress.level == Level::Accepted)
        }
        Stage::New(_) | Stage::Refused(_) => false,
    };
    let behind: Vec<_> = entries.iter_mut().filter(|entry| is_behind(entry)).collect();
    if behind.is_empty() {
        return;
    }
    let ids: Vec<_> = behind.iter().map(|entry| (rollup, entry.id)).collect();
    let handles = app.handles();
    let (level, timeout) = match wish.level {
        Level::Accepted => (Level::Available, Duration::ZERO),
        level => (level, wish.timeout),
    };
    let learnt = tokio::select! {
        learnt = handles.submissions.wait(&ids, level, timeout) => learnt,
        () = handles.stop.cancelled() => {
            handles.submissions.wait(&ids, level, Duration::ZERO).await
        }
    };
    for (entry, learnt) in behind.into_iter().zip(learnt) {
        if let (Stage::Taken { progress, .. }, Some(learnt)) = (&mut entry.stage, learnt) {
            *progress = learnt;
        }
    }
}

/// One answer for each; if all are refused for one reason, that reason for the whole call.
fn answer(entries: Vec<Entry>, wanted: Level) -> Result<Json<SubmitAnswer>, Problem> {
    let refusal = |entry: &Entry| match &entry.stage {
        Stage::Refused(problem) => Some(problem.clone()),
        Stage::New(_) | Stage::Taken { .. } => None,
    };
    let first = entries.first().and_then(refusal);
    if let Some(first) = first {
        let same = |entry: &Entry| refusal(entry).is_some_and(|one| one.code == first.code);
        if entries.iter().all(same) {
            return Err(first);
        }
    }
    let transactions = entries.into_iter().map(|entry| entry.result(wanted)).collect();
    Ok(Json(SubmitAnswer { transactions }))
}

/// A place, as the interface writes it.
pub(super) const fn place(place: Place) -> api::Place {
    let Place { sequence, height, index } = place;
    api::Place { sequence, height, index }
}
