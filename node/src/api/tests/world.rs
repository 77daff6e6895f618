//! A node without its peers: the real interface on loopback over the real ledger, feed and
//! submissions, and a replica that does what the test says.

use super::http::soon;
use super::replica::{IDLE, Replica};
use crate::api::{self, ApiConfig};
use crate::feed::Feed;
use crate::handles::Handles;
use crate::host::Clock;
use crate::inbox::Inbox;
use crate::ledger::Ledger;
use crate::metrics::Metrics;
use crate::status::{Facts, StatusHandle};
use crate::storage::{KeyValue, MemoryStore, Stores};
use crate::submissions::Submissions;
use crate::testing::{batches, committed, store_batches};
use chorale_consensus::ordering::testing::TestChain;
use chorale_consensus::output::Admission;
use chorale_types::genesis::Params;
use chorale_types::ids::{RollupId, ValidatorIndex};
use chorale_types::level::Level;
use chorale_types::transaction::transaction_id;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// The rollup that most tests speak of. Rollup 8 is the other one.
pub(super) const ROLLUP: u64 = 7;

/// The id of a transaction of [`ROLLUP`].
pub(super) fn id(payload: &[u8]) -> String {
    transaction_id(RollupId::new(ROLLUP), payload).to_string()
}

/// Bytes as the interface writes them.
pub(super) fn hex(bytes: &[u8]) -> String {
    format!("0x{}", ::hex::encode(bytes))
}

pub(super) struct World {
    /// Where the rollup interface listens.
    pub(super) http: SocketAddr,
    /// Where the operator's listens.
    pub(super) admin: SocketAddr,
    config: ApiConfig,
    store: Arc<dyn KeyValue>,
    chain: Arc<Mutex<TestChain>>,
    node: Node,
}

/// What a restart loses.
struct Node {
    stores: Stores,
    feed: Mutex<Feed>,
    handles: Handles,
    inbox: Arc<Inbox>,
    replica: Arc<Mutex<Replica>>,
    serving: Option<JoinHandle<()>>,
}

impl World {
    pub(super) async fn start() -> Self {
        Self::with(ApiConfig::default()).await
    }

    pub(super) async fn with(config: ApiConfig) -> Self {
        Self::with_rollups(config, &[ROLLUP, 8]).await
    }

    pub(super) async fn with_rollups(config: ApiConfig, rollups: &[u64]) -> Self {
        let store: Arc<dyn KeyValue> = Arc::new(MemoryStore::new());
        let chain = Arc::new(Mutex::new(TestChain::new(rollups, Params::default())));
        let (http, admin) = (listen().await, listen().await);
        let addresses = (http.local_addr().unwrap(), admin.local_addr().unwrap());
        let node = Node::start(config, &store, &chain, (http, admin));
        Self { http: addresses.0, admin: addresses.1, config, store, chain, node }
    }

    /// Stops the node and starts another one over the same store, at the same addresses.
    pub(super) async fn restart(&mut self) {
        self.stop();
        self.has_stopped_serving().await;
        let http = TcpListener::bind(self.http).await.unwrap();
        let admin = TcpListener::bind(self.admin).await.unwrap();
        self.node = Node::start(self.config, &self.store, &self.chain, (http, admin));
    }

    pub(super) fn stop(&self) {
        self.node.handles.stop.cancel();
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.node.handles.stop.is_cancelled()
    }

    /// Waits until the server is gone, with all its connections.
    pub(super) async fn has_stopped_serving(&mut self) {
        if let Some(serving) = self.node.serving.take() {
            soon(serving).await.unwrap();
        }
    }

    /// What the replica answers to every new transaction from now on.
    pub(super) fn answer_with(&self, answer: Admission) {
        self.node.replica.lock().unwrap().answer = answer;
    }

    /// How many transactions were handed to the replica.
    pub(super) fn handed_in(&self) -> usize {
        self.node.replica.lock().unwrap().handed_in
    }

    /// Waits until so many transactions were handed to the replica.
    pub(super) async fn handed_in_reaches(&self, count: usize) {
        soon(async {
            while self.handed_in() < count {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
    }

    /// Everything handed in so far becomes available.
    pub(super) fn make_available(&self) {
        let mut replica = self.node.replica.lock().unwrap();
        let batch = replica.next_batch();
        let ids = replica.pending.iter().map(|pending| pending.id).collect();
        self.node.handles.submissions.on_batch(batch, ids);
        self.node.handles.submissions.on_level(batch, Level::Available);
    }

    /// Everything handed in so far is ordered by one block.
    pub(super) fn order_pending(&self) {
        let pending = std::mem::take(&mut self.node.replica.lock().unwrap().pending);
        let transactions: Vec<_> =
            pending.iter().map(|one| (one.rollup.get(), one.payload.as_ref())).collect();
        self.order(&transactions);
    }

    /// One more block, with these transactions and their rollups.
    pub(super) fn order(&self, transactions: &[(u64, &[u8])]) {
        let mut chain = self.chain.lock().unwrap();
        if !transactions.is_empty() {
            chain.add_batch(0, transactions);
        }
        chain.add_block(100);
        self.node.catch_up(&chain);
    }

    /// The last final height.
    pub(super) fn height(&self) -> u64 {
        self.chain.lock().unwrap().head().get()
    }

    pub(super) fn chain_id(&self) -> String {
        self.chain.lock().unwrap().set().chain().to_string()
    }

    pub(super) fn block_hash(&self, height: u64) -> String {
        self.chain.lock().unwrap().block_at(height).hash().to_string()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.node.handles.stop.cancel();
        self.node.inbox.close();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.inbox.close();
    }
}

impl Node {
    fn start(
        config: ApiConfig,
        store: &Arc<dyn KeyValue>,
        chain: &Mutex<TestChain>,
        (http, admin): (TcpListener, TcpListener),
    ) -> Self {
        let genesis = Arc::new(chain.lock().unwrap().genesis().clone());
        let stores = Stores::new(store);
        let feed = Mutex::new(Feed::open(stores.clone(), &genesis).unwrap());
        let ledger = Ledger::open(stores.clone(), &genesis).unwrap();
        let inbox = Arc::new(Inbox::default());
        let stop = CancellationToken::new();
        let facts = Facts {
            version: "test".into(),
            name: "test".into(),
            genesis: Arc::clone(&genesis),
            set: genesis.first_set(),
            me: Some(ValidatorIndex::new(0)),
            voting_reason: None,
            lane_reason: None,
        };
        let handles = Handles {
            submissions: Submissions::new(Arc::clone(&inbox), ledger.clone(), None),
            ledger,
            status: StatusHandle::new(facts, Clock::default(), IDLE, Vec::new, stop.clone()),
            metrics: Arc::new(Metrics::default()),
            set: genesis.first_set(),
            genesis,
            stop,
        };
        let replica = Replica::start(&inbox, &handles.submissions);
        let serving = Some(tokio::spawn(api::serve(handles.clone(), config, http, admin)));
        let node = Self { stores, feed, handles, inbox, replica, serving };
        node.catch_up(&chain.lock().unwrap());
        node
    }

    /// Stores, orders and publishes what the chain has more.
    fn catch_up(&self, chain: &TestChain) {
        let mut feed = self.feed.lock().unwrap();
        for height in feed.head().next().get()..=chain.head().get() {
            store_batches(&self.stores, &batches(chain, height), false);
            feed.commit(&[committed(chain, height)]).unwrap();
        }
        while let Some(ordered) = feed.order_next().unwrap() {
            self.handles.ledger.publish(&ordered);
            self.handles.submissions.on_ordered(&ordered);
        }
    }
}

async fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}
