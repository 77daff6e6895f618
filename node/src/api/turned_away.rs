//! What a connection is told that is not let in: a problem document, whatever it was going to ask.

use super::error::{PROBLEM_TYPE, Problem};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// How many are told at once; further ones are closed without a word.
const TOLD_AT_ONCE_MAX: usize = 64;
/// How long one may take to listen.
const PATIENCE: Duration = Duration::from_secs(2);
/// How much of its request is read, and thrown away, so that the answer is not lost: a socket
/// that is closed with something unread resets the connection.
const UNREAD_BYTES_MAX: u64 = 64 * 1024;

/// Tells connections why they are not let in.
pub(super) struct TurnedAway {
    turns: Arc<Semaphore>,
}

impl Default for TurnedAway {
    fn default() -> Self {
        Self { turns: Arc::new(Semaphore::new(TOLD_AT_ONCE_MAX)) }
    }
}

impl TurnedAway {
    /// Answers and closes in the background, if not too many are told already.
    pub(super) fn tell(&self, socket: TcpStream, problem: Problem) {
        let Ok(turn) = Arc::clone(&self.turns).try_acquire_owned() else { return };
        tokio::spawn(async move {
            // Whether it listened is its own concern.
            let _ = tokio::time::timeout(PATIENCE, answer(socket, problem)).await;
            drop(turn);
        });
    }
}

async fn answer(mut socket: TcpStream, problem: Problem) -> std::io::Result<()> {
    let status = problem.code.status();
    let seconds = problem.code.retry_after_s().unwrap_or(1);
    let document = problem.document();
    let mut answer = format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-type: {PROBLEM_TYPE}\r\n\
         retry-after: {seconds}\r\ncontent-length: {}\r\n\r\n",
        document.len()
    )
    .into_bytes();
    answer.extend_from_slice(&document);
    socket.write_all(&answer).await?;
    socket.shutdown().await?;
    let mut unread = socket.take(UNREAD_BYTES_MAX);
    let mut waste = [0; 4_096];
    while unread.read(&mut waste).await? > 0 {}
    Ok(())
}
