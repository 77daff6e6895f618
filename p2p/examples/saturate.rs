//! Fills the links between two peers with batches in both directions, votes in between, and
//! fails if either side ever takes the other for dead.
//!
//! `cargo run --release -p chorale-p2p --example saturate -- [SECONDS]`, 600 by default.
//!
//! Exit code 0 when no stream was lost and no message missing or out of order, 1 otherwise.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use chorale_p2p::{Class, Config, Event, Events, FOLLOWER_SLOTS_DEFAULT, Member, Network, start};
use chorale_types::ids::ValidatorIndex;
use libp2p::identity::Keypair;
use zeroize::Zeroizing;

const VIEW_TIMEOUT: Duration = Duration::from_secs(1);
const VOTE_EVERY: Duration = Duration::from_millis(10);
const REPORT_EVERY: Duration = Duration::from_secs(10);

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<ExitCode, Failure> {
    let seconds = match std::env::args().nth(1) {
        Some(text) => text.parse()?,
        None => 600,
    };
    let end = Instant::now() + Duration::from_secs(seconds);
    let (a, b) = (launch(0).await?, launch(1).await?);
    let members = [member(0, Some(&a.0))?, member(1, Some(&b.0))?];
    let networks = [a.0.clone(), b.0.clone()];
    for network in &networks {
        network.update_validators(&members)?;
    }
    let sending: Vec<_> = networks
        .iter()
        .flat_map(|n| [tokio::spawn(batches(n.clone(), end)), tokio::spawn(votes(n.clone(), end))])
        .collect();
    let (seen_a, seen_b) = tokio::join!(receive("0", a.1, end), receive("1", b.1, end));
    for task in sending {
        task.await?;
    }
    let mut healthy = true;
    for (name, seen, network) in [("0", seen_a, &networks[0]), ("1", seen_b, &networks[1])] {
        let reconnects: u64 = network.peers().iter().map(|peer| peer.reconnects).sum();
        println!(
            "peer {name}: {} MB in {} batches and {} votes received, {} lost streams, \
             {reconnects} reconnects, {} out of order, slowest vote {:?}",
            seen.bytes / 1_000_000,
            seen.batches,
            seen.votes,
            seen.downs,
            seen.disordered,
            seen.slowest_vote,
        );
        let quiet = seen.downs == 0 && reconnects == 0 && seen.disordered == 0;
        healthy &= quiet && seen.batches > 0 && seen.votes > 0;
    }
    println!("{}", if healthy { "no false close" } else { "FAILED" });
    Ok(if healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn secret(number: u8) -> [u8; 32] {
    [number + 1; 32]
}

fn member(number: u8, network: Option<&Network>) -> Result<Member, Failure> {
    let key = Keypair::ed25519_from_bytes(secret(number))?.public().try_into_ed25519()?.to_bytes();
    let addresses = network.map_or_else(Vec::new, Network::listen_addresses);
    Ok(Member { index: ValidatorIndex::new(number.into()), key, addresses })
}

async fn launch(number: u8) -> Result<(Network, Events), Failure> {
    let config = Config {
        chain: "saturate".to_owned(),
        secret: Zeroizing::new(secret(number)),
        me: Some(ValidatorIndex::new(number.into())),
        listen: vec!["/ip4/127.0.0.1/tcp/0".parse()?],
        validators: vec![member(0, None)?, member(1, None)?],
        follower_slots: FOLLOWER_SLOTS_DEFAULT,
        view_timeout: VIEW_TIMEOUT,
    };
    Ok(start(config).await?)
}

/// Keeps the queue filled without ever overflowing it, so that a gap is a loss.
async fn batches(network: Network, end: Instant) {
    let bytes = 512 * 1024;
    for number in 0u64.. {
        while network
            .peers()
            .iter()
            .any(|peer| !peer.outbound_open || peer.queued_bytes > 4 * bytes)
        {
            if Instant::now() >= end {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let mut batch = BytesMut::zeroed(bytes);
        batch[..8].copy_from_slice(&number.to_be_bytes());
        if network.broadcast(Class::Batch, batch.freeze()).is_err() {
            return;
        }
    }
}

/// A small vote now and then, carrying the time it was sent.
async fn votes(network: Network, end: Instant) {
    while Instant::now() < end {
        let left = u64::try_from((end - Instant::now()).as_micros()).unwrap_or(u64::MAX);
        if network.broadcast(Class::Vote, Bytes::copy_from_slice(&left.to_be_bytes())).is_err() {
            return;
        }
        tokio::time::sleep(VOTE_EVERY).await;
    }
}

#[derive(Default)]
struct Seen {
    bytes: u64,
    batches: u64,
    votes: u64,
    downs: u64,
    disordered: u64,
    slowest_vote: Duration,
}

async fn receive(name: &str, mut events: Events, end: Instant) -> Seen {
    let mut seen = Seen::default();
    let mut report = Instant::now() + REPORT_EVERY;
    let mut up = false;
    while Instant::now() < end {
        if Instant::now() >= report {
            report += REPORT_EVERY;
            println!(
                "peer {name}: {} MB, slowest vote {:?}",
                seen.bytes / 1_000_000,
                seen.slowest_vote
            );
        }
        let wait = end.saturating_duration_since(Instant::now()).min(Duration::from_secs(1));
        let Ok(Some(event)) = tokio::time::timeout(wait, events.recv()).await else { continue };
        match event {
            Event::Message { class, bytes, .. } => take(&mut seen, class, &bytes, end, up),
            Event::Up { .. } => up = true,
            Event::Down { .. } => seen.downs += 1,
            Event::Request { .. } | Event::Response { .. } => {}
        }
    }
    seen
}

fn take(seen: &mut Seen, class: Class, bytes: &Bytes, end: Instant, up: bool) {
    seen.bytes += u64::try_from(bytes.len()).unwrap_or(0);
    let Some(word) = bytes.get(..8).and_then(|word| word.try_into().ok()) else { return };
    let word = u64::from_be_bytes(word);
    if class == Class::Batch {
        seen.disordered += u64::from(word != seen.batches);
        seen.batches = word + 1;
        return;
    }
    seen.votes += 1;
    // Votes from before the link was up waited for it, not behind batches.
    if up {
        let sent = end.checked_sub(Duration::from_micros(word));
        let took = sent.map_or(Duration::ZERO, |sent| sent.elapsed());
        seen.slowest_vote = seen.slowest_vote.max(took);
    }
}
