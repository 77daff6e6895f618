use super::*;
use crate::feed::Feed;
use crate::inbox::{SUBMITS_MAX, Waiting};
use crate::storage::Stores;
use crate::testing::{batches, chain, committed_range, store_batches, stores};
use chorale_consensus::ordering::testing::TestChain;
use chorale_consensus::output::Refusal;
use chorale_types::transaction::transaction_id;
use std::collections::VecDeque;
use std::time::Instant;

const ONE: RollupId = RollupId::new(1);
const NO_TIME: Duration = Duration::ZERO;
const LONG: Duration = Duration::from_secs(3_600);

struct Setup {
    submissions: Submissions,
    inbox: Arc<Inbox>,
    ledger: Ledger,
    feed: Feed,
    stores: Stores,
    chain: TestChain,
}

impl Setup {
    fn new() -> Self {
        let (chain, (_, stores)) = (chain(0), stores());
        let feed = Feed::open(stores.clone(), chain.genesis()).unwrap();
        let ledger = Ledger::open(stores.clone(), chain.genesis()).unwrap();
        let inbox = Arc::new(Inbox::default());
        let submissions = Submissions::new(Arc::clone(&inbox), ledger.clone(), None);
        Self { submissions, inbox, ledger, feed, stores, chain }
    }

    /// Plays the replica: answers the submit calls that wait.
    fn admit(&self, admission: impl Fn(usize) -> Admission) {
        let mut turn = VecDeque::new();
        self.inbox.take(&mut turn, Some(Instant::now())).unwrap();
        for input in turn {
            let Input::Submit(ticket, transactions) = input else { panic!("{input:?}") };
            let admissions = (0..transactions.len()).map(&admission).collect();
            self.submissions.on_admitted(ticket, admissions);
        }
    }

    /// Submits and admits.
    async fn accept(&self, payloads: &[&[u8]]) -> Vec<(RollupId, TransactionId)> {
        let transactions: Vec<_> = payloads.iter().map(|payload| hashed(payload)).collect();
        let named = transactions.iter().map(|one| (one.rollup, one.id)).collect();
        let (submit, ()) = tokio::join!(self.submissions.submit(transactions), async {
            while self.inbox.waiting() == Waiting::default() {
                tokio::task::yield_now().await;
            }
            self.admit(|_| Admission::Accepted);
        });
        assert_eq!(submit.unwrap(), vec![Admission::Accepted; payloads.len()]);
        named
    }

    /// Puts transactions into a batch and the batch into the next block.
    fn batch(&mut self, payloads: &[&[u8]]) -> BatchId {
        let transactions: Vec<_> = payloads.iter().map(|payload| (1, *payload)).collect();
        self.chain.add_batch(0, &transactions);
        let ids = payloads.iter().map(|payload| transaction_id(ONE, payload)).collect();
        let last = self.chain.clone().add_block(100).record.batches.pop().unwrap().header.id();
        self.submissions.on_batch(last, ids);
        last
    }

    fn order(&mut self) {
        self.chain.add_block(100);
        let height = self.chain.head().get();
        self.feed.commit(&committed_range(&self.chain, height..height + 1)).unwrap();
        store_batches(&self.stores, &batches(&self.chain, height), true);
        let ordered = self.feed.order_next().unwrap().unwrap();
        self.ledger.publish(&ordered);
        self.submissions.on_ordered(&ordered);
    }
}

fn hashed(payload: &[u8]) -> HashedTransaction {
    HashedTransaction { rollup: ONE, id: transaction_id(ONE, payload), payload: payload.into() }
}

fn levels(results: &[Option<Progress>]) -> Vec<Option<Level>> {
    results.iter().map(|progress| progress.map(|progress| progress.level)).collect()
}

#[tokio::test]
async fn a_transaction_rises_from_accepted_to_available_to_final() {
    let mut setup = Setup::new();
    let named = setup.accept(&[b"a", b"b"]).await;
    let now = setup.submissions.wait(&named, Level::Available, NO_TIME).await;
    assert_eq!(levels(&now), [Some(Level::Accepted); 2]);

    let batch = setup.batch(&[b"a", b"b"]);
    let (waited, ()) =
        tokio::join!(setup.submissions.wait(&named, Level::Available, LONG), async {
            setup.submissions.on_level(batch, Level::Available)
        },);
    assert_eq!(levels(&waited), [Some(Level::Available); 2]);
    assert_eq!(setup.submissions.progress(ONE, named[0].1).unwrap().level, Level::Available);

    let submissions = setup.submissions.clone();
    let (waited, ()) =
        tokio::join!(submissions.wait(&named, Level::Final, LONG), async { setup.order() });
    let places: Vec<_> = waited.iter().map(|progress| progress.unwrap().place.unwrap()).collect();
    let place = |index| Place { sequence: Sequence::new(1), height: Height::new(1), index };
    assert_eq!(places, [place(0), place(1)]);
    let later = setup.submissions.wait(&named, Level::Final, NO_TIME).await;
    assert_eq!(later, waited, "the index knows what is not tracked any more");
    let tracker = lock(&setup.submissions.inner.tracker);
    assert!(!tracker.knows(&named[0].1));
}

#[tokio::test]
async fn a_wait_ends_only_when_all_are_as_far() {
    let mut setup = Setup::new();
    let named = setup.accept(&[b"a", b"b"]).await;
    let first = setup.batch(&[b"a"]);
    setup.submissions.on_level(first, Level::Available);
    let now = setup.submissions.wait(&named, Level::Available, NO_TIME).await;
    assert_eq!(levels(&now), [Some(Level::Available), Some(Level::Accepted)]);
    let mut wait = std::pin::pin!(setup.submissions.wait(&named, Level::Available, LONG));
    assert!(futures::poll!(wait.as_mut()).is_pending());
    let id = BatchId { seq: first.seq.next(), ..first };
    setup.submissions.on_batch(id, vec![named[1].1]);
    setup.submissions.on_level(id, Level::Available);
    assert_eq!(levels(&wait.await), [Some(Level::Available); 2]);
}

#[tokio::test]
async fn a_transaction_ordered_before_leads_to_its_first_place() {
    let mut setup = Setup::new();
    setup.accept(&[b"a"]).await;
    setup.batch(&[b"a"]);
    setup.order();
    let named = setup.accept(&[b"a"]).await;
    setup.batch(&[b"a", b"other"]);
    let submissions = setup.submissions.clone();
    let (waited, ()) =
        tokio::join!(submissions.wait(&named, Level::Final, LONG), async { setup.order() });
    assert_eq!(waited[0].unwrap().place.unwrap().height, Height::new(1));
}

#[tokio::test]
async fn what_was_refused_or_never_came_is_unknown() {
    let setup = Setup::new();
    let refused = Admission::Refused(Refusal::QueueFull { rollup: ONE });
    let (submit, ()) =
        tokio::join!(setup.submissions.submit(vec![hashed(b"a"), hashed(b"b")]), async {
            while setup.inbox.waiting() == Waiting::default() {
                tokio::task::yield_now().await;
            }
            setup.admit(|at| if at == 0 { refused } else { Admission::AlreadyKnown });
        },);
    assert_eq!(submit.unwrap(), [refused, Admission::AlreadyKnown]);
    let named = [b"a", b"b", b"c"].map(|payload| (ONE, transaction_id(ONE, payload)));
    let waited = setup.submissions.wait(&named, Level::Accepted, NO_TIME).await;
    assert_eq!(levels(&waited), [None, Some(Level::Accepted), None]);
}

#[tokio::test]
async fn whoever_hangs_up_leaves_no_wait_behind() {
    let setup = Setup::new();
    let named = setup.accept(&[b"a", b"b"]).await;
    let mut wait = Box::pin(setup.submissions.wait(&named, Level::Final, LONG));
    assert!(futures::poll!(wait.as_mut()).is_pending());
    assert_eq!(lock(&setup.submissions.inner.tracker).waits(), 2);
    drop(wait);
    assert_eq!(lock(&setup.submissions.inner.tracker).waits(), 0);
}

#[tokio::test]
async fn calls_are_refused_when_too_many_wait_and_when_the_node_stops() {
    let setup = Setup::new();
    for n in 0..SUBMITS_MAX {
        let ticket = Ticket(u64::MAX - u64::try_from(n).unwrap());
        setup.inbox.submit(Input::Submit(ticket, Vec::new())).unwrap();
    }
    let busy = setup.submissions.submit(vec![hashed(b"a")]).await;
    assert_eq!(busy, Err(SubmitError::Busy));
    assert!(lock(&setup.submissions.inner.calls).is_empty());
    setup.inbox.take(&mut VecDeque::new(), None).unwrap();
    let mut call = std::pin::pin!(setup.submissions.submit(vec![hashed(b"a")]));
    assert!(futures::poll!(call.as_mut()).is_pending());
    setup.submissions.close();
    assert_eq!(call.await, Err(SubmitError::Stopping));
    setup.inbox.close();
    let stopping = setup.submissions.submit(vec![hashed(b"a")]).await;
    assert_eq!(stopping, Err(SubmitError::Stopping));
}

#[test]
fn tracking_is_bounded_and_ends_the_waits_of_what_it_forgets() {
    let mut tracker = Tracker::default();
    let id = |n: usize| transaction_id(ONE, &n.to_be_bytes());
    tracker.accept(std::iter::once(id(0)));
    let waiter = Waiter::new(1, Level::Final);
    assert!(tracker.register(&[(ONE, id(0))], &waiter).is_empty());
    tracker.accept((1..=TRACKED_MAX).map(id));
    assert!(!tracker.knows(&id(0)) && tracker.knows(&id(1)));
    let ended = futures::FutureExt::now_or_never(waiter.done());
    assert!(ended.is_some(), "nobody waits for what is forgotten");
    assert_eq!(levels(&waiter.results()), [Some(Level::Accepted)]);
}
