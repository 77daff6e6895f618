//! The replica: routes one input to one part and gathers the outputs. The only file that sees
//! all parts.

use crate::agreement::{Agreement, Status};
use crate::config::Config;
use crate::context::{Context, Names};
use crate::input::{Input, RequestToken, Timer};
use crate::lanes::Lanes;
use crate::note::Fault;
use crate::output::Output;
use crate::record::Recovered;
use chorale_types::ids::{Height, ValidatorIndex};
use chorale_types::message::{Message, Received, Request};
use chorale_types::time::Now;

/// One validator's state machine, or a follower's.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Replica {
    agreement: Agreement,
    lanes: Lanes,
    names: Names,
}

impl Replica {
    /// Rebuilds a replica from what it made durable before it stopped, or starts a new one.
    #[must_use]
    pub fn recover(config: &Config, recovered: Recovered, now: Now) -> (Self, Vec<Output>) {
        let (mut names, mut out) = (Names::default(), Vec::new());
        let mut ctx = Context::new(now, &mut names, &mut out);
        let mut agreement = Agreement::recover(config, &recovered, &mut ctx);
        let signs = agreement.status().contradicted.is_none();
        let config = Config { lanes: config.lanes && signs, ..config.clone() };
        let mut lanes = recover_lanes(&config, recovered, &mut ctx);
        agreement.resume(&mut lanes, &mut ctx);
        (Self { agreement, lanes, names }, out)
    }

    /// The whole protocol. Pure: the same state, time and input give the same outputs. It never
    /// fails: what a peer does wrong becomes [`Output::Report`].
    #[must_use]
    pub fn step(&mut self, now: Now, input: Input) -> Vec<Output> {
        let mut out = Vec::new();
        let Self { agreement, lanes, names } = self;
        let mut ctx = Context::new(now, names, &mut out);
        route(agreement, lanes, input, &mut ctx);
        if lanes.new_certificate() {
            agreement.retry(lanes, &mut ctx);
        }
        out
    }

    /// What a node can tell about its replica.
    #[must_use]
    pub fn status(&self) -> Status {
        Status { lane_lost: self.lanes.lost(), ..self.agreement.status() }
    }

    /// For comparing two moments: without the names given and what any member may change at any
    /// time: rate limits and its own unsigned hint.
    #[cfg(test)]
    pub(crate) fn without_counters(&self) -> Self {
        let mut copy = self.clone();
        copy.names = Names::default();
        copy.agreement.forget_counters();
        copy
    }

    /// What the vote rules remember.
    #[cfg(test)]
    pub(crate) const fn vote_record(&self) -> &crate::record::VoteRecord {
        self.agreement.vote_record()
    }

    /// The size of every collection that peers or users can fill, by name.
    #[must_use]
    pub fn sizes(&self) -> Vec<(&'static str, usize)> {
        let mut sizes = self.agreement.sizes();
        sizes.extend(self.lanes.sizes());
        sizes
    }
}

/// Lanes start where ordering does: what is final but not ordered may lack batches, which are
/// fetched as after any commit (R6).
fn recover_lanes(config: &Config, recovered: Recovered, ctx: &mut Context<'_>) -> Lanes {
    let Recovered { mut batches, own_lane, ordered_frontier, committed, ordered, frontier, .. } =
        recovered;
    // A batch above what is final that was stored without an acknowledgement was certified once,
    // and the certificate is forgotten: it is taken in anew, so that it can be acknowledged.
    batches.retain(|stored| {
        let header = &stored.batch.header;
        stored.acknowledged || header.seq <= frontier.seq(header.lane)
    });
    let ordered = ordered.last().map_or(Height::ZERO, |(height, _)| *height);
    let mut lanes = Lanes::recover(config, batches, own_lane, &ordered_frontier, ctx);
    let mut frontier = ordered_frontier;
    for block in committed.iter().filter(|block| block.block.header.height > ordered) {
        let body = &block.block.body;
        frontier = frontier.advance(body, u64::MAX).expect("the stored chain stands on itself");
        lanes.on_committed(body, &frontier, ctx);
    }
    lanes
}

fn route(agreement: &mut Agreement, lanes: &mut Lanes, input: Input, ctx: &mut Context<'_>) {
    match input {
        Input::Submit(ticket, transactions) => lanes.on_submit(ticket, transactions, ctx),
        Input::Message(received) => on_message(agreement, lanes, received, ctx),
        Input::Own(message) => on_own(agreement, lanes, message, ctx),
        Input::Checked(job, verdict) => {
            if !lanes.on_checked(job, &verdict, ctx) {
                agreement.on_checked(job, &verdict, lanes, ctx);
            }
        }
        Input::Durable(record) => lanes.on_durable(record, ctx),
        Input::Ordered { height, root } => agreement.on_ordered((height, root), lanes, ctx),
        Input::Timer(Timer::Cut) => lanes.on_cut_timer(ctx),
        Input::Timer(Timer::Lanes) => lanes.on_lanes_timer(ctx),
        Input::Timer(timer) => agreement.on_timer(timer, lanes, ctx),
        Input::PeerUp(peer) => {
            agreement.tell_where_we_are(peer, ctx);
            lanes.on_peer_up(peer, ctx);
        }
        Input::Request { from, token, request } => {
            on_request(agreement, lanes, (from, token, request), ctx);
        }
        Input::Response { from, id, response } => {
            if !lanes.on_response(from, id, response.as_ref(), ctx) {
                agreement.on_response(from, (id, response.as_ref()), lanes, ctx);
            }
        }
    }
}

fn on_message(
    agreement: &mut Agreement,
    lanes: &mut Lanes,
    Received { from, message }: Received<Message>,
    ctx: &mut Context<'_>,
) {
    // Hosts hand in what members sent; everything kept for each sender is bounded by that (A5).
    if !agreement.is_member(from) {
        ctx.report(from, Fault::WrongContext);
        return;
    }
    match message {
        Message::Proposal(proposal) => agreement.on_proposal(from, proposal, lanes, ctx),
        Message::Vote(vote) => agreement.on_vote(from, vote, ctx),
        Message::Timeout(timeout) => agreement.on_timeout(from, timeout, lanes, ctx),
        Message::Entry(cert) => agreement.on_entry(from, cert, lanes, ctx),
        Message::Commit(cert) => agreement.on_commit_message(from, cert, lanes, ctx),
        Message::Batch(batch) => lanes.on_batch(from, batch, ctx),
        Message::Ack(ack) => lanes.on_ack(from, ack, ctx),
        Message::Availability(cert) => lanes.on_availability(from, cert, ctx),
        Message::Rescue(rescue) => lanes.on_rescue(from, rescue, ctx),
        Message::LaneStatus(status) => lanes.on_lane_status(from, status, ctx),
    }
}

/// A statement of this replica that its host signed.
fn on_own(agreement: &mut Agreement, lanes: &mut Lanes, message: Message, ctx: &mut Context<'_>) {
    match message {
        Message::Proposal(proposal) => agreement.on_own_proposal(proposal, lanes, ctx),
        Message::Vote(vote) => agreement.on_own_vote(vote, ctx),
        Message::Timeout(timeout) => agreement.on_own_timeout(timeout, ctx),
        Message::Batch(_) | Message::Ack(_) | Message::Rescue(_) => lanes.on_own(message, ctx),
        Message::Entry(_)
        | Message::Commit(_)
        | Message::Availability(_)
        | Message::LaneStatus(_) => {}
    }
}

fn on_request(
    agreement: &mut Agreement,
    lanes: &mut Lanes,
    (from, token, request): (ValidatorIndex, RequestToken, Request),
    ctx: &mut Context<'_>,
) {
    match request {
        Request::Chain { .. } | Request::Ancestors { .. } | Request::Block { .. } => {
            agreement.on_request(from, token, request, ctx);
        }
        Request::Headers { .. } | Request::Batches { .. } | Request::Availability { .. } => {
            lanes.on_request(from, token, &request, ctx);
        }
    }
}
