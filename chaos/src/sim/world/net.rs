//! What travels between members, and what users hand in.

use super::{Shared, World};
use crate::byzantine::Adversary;
use crate::sim::event::{Event, Packet, Run};
use crate::sim::plan::SECOND;
use crate::sim::queue::Micros;
use chorale_consensus::Input;
use chorale_consensus::input::{AskId, RequestToken};
use chorale_consensus::output::Recipients;
use chorale_types::codec::{Encode, decode_exact};
use chorale_types::ids::ValidatorIndex;
use chorale_types::message::{Message, Received, Request, Response};
use std::sync::Arc;

impl Shared {
    /// A message of a node leaves it: to those it is for, or to whom its adversary chooses.
    pub(crate) fn transmit(
        &mut self,
        node: usize,
        at: Micros,
        (to, message): (Recipients, Message),
        adversary: &mut Option<Adversary>,
    ) {
        if adversary.is_none() {
            let check = self.judge.durable_votes.on_left(node, &message);
            self.settle("durable_votes", node, check);
        }
        self.watch_certificates(node, &message);
        match (adversary, to) {
            (Some(adversary), _) => {
                for (peer, delay, message) in adversary.leave(to, message) {
                    let packet = self.pack(&message);
                    self.route(node, peer, at + delay, packet);
                }
            }
            (None, Recipients::One(peer)) => {
                let packet = self.pack(&message);
                self.route(node, peer.as_usize(), at, packet);
            }
            (None, Recipients::All) => {
                let packet = self.pack(&message);
                let deaf = self.deaf_to(node, &message);
                let peers = (0..self.honest.len()).filter(|peer| *peer != node);
                for peer in peers.filter(|peer| Some(*peer) != deaf) {
                    self.route(node, peer, at, packet.clone());
                }
            }
        }
    }

    /// Until healing the network is the forker's friend: in some views before its own, one member
    /// does not hear the leader.
    fn deaf_to(&mut self, node: usize, message: &Message) -> Option<usize> {
        let (Message::Proposal(proposal), Some(forker)) = (message, self.forker) else {
            return None;
        };
        let next = self.leaders.leader(proposal.view.next()).as_usize();
        if self.healed || next != forker || !self.disk_rng.chance(600_000) {
            return None;
        }
        let all = 0..self.honest.len();
        let others: Vec<usize> = all.filter(|peer| ![node, forker].contains(peer)).collect();
        (!others.is_empty()).then(|| self.disk_rng.pick(&others))
    }

    fn watch_certificates(&mut self, node: usize, message: &Message) {
        let Message::Availability(cert) = message else { return };
        if self.judge.lane_chain.is_news(&cert.statement) && self.verifier.available(cert) {
            let check = self.judge.lane_chain.on_certified(&cert.statement);
            self.settle("lane_chain", node, check);
        }
    }

    fn pack(&mut self, message: &Message) -> Packet {
        if self.plan.encode {
            self.counters.encoded += 1;
            Packet::Wire(message.to_bytes().into())
        } else {
            Packet::Message(message.clone())
        }
    }

    /// Puts a packet on a link.
    pub(crate) fn route(&mut self, from: usize, to: usize, at: Micros, packet: Packet) {
        let [first, second] = self.network.route(at, from, to);
        if let Some(at) = second {
            self.queue.push(at, Event::Deliver { from, to, packet: packet.clone() });
        }
        if let Some(at) = first {
            self.queue.push(at, Event::Deliver { from, to, packet });
        }
    }
}

fn index(node: usize) -> ValidatorIndex {
    ValidatorIndex::new(u16::try_from(node).expect("few members"))
}

impl World {
    pub(super) fn deliver(&mut self, from: usize, to: usize, packet: Packet) {
        let Some(run) = self.run_of(to) else { return };
        self.shared.counters.messages += 1;
        let message = match packet {
            Packet::Message(message) => message,
            Packet::Wire(bytes) => match decode_exact(&bytes) {
                Ok(message) => message,
                Err(error) => {
                    let what = format!("a message of node {from} does not decode: {error}");
                    self.shared.settle("codec", from, Err(what));
                    return;
                }
            },
            Packet::Request { id, boot, request } => {
                self.on_request(run, from, (id, boot), request);
                return;
            }
            Packet::Response { id, boot, response } => {
                self.on_response(run, from, (id, boot), response);
                return;
            }
        };
        if let Some(adversary) = &mut self.nodes[to].adversary {
            for (peer, delay, message) in adversary.arrive(from, &message) {
                let packet = self.shared.pack(&message);
                self.shared.route(to, peer, self.shared.now + delay, packet);
            }
        }
        let received = Received { from: index(from), message };
        self.step(run, Input::Message(received));
    }

    fn on_request(&mut self, run: Run, from: usize, (id, boot): (AskId, u64), request: Request) {
        let request = if self.shared.plan.encode { recoded(&request) } else { Some(request) };
        let Some(request) = request else {
            let what = "a request does not survive its bytes".to_owned();
            self.shared.settle("codec", from, Err(what));
            return;
        };
        let Some(running) = self.running(run) else { return };
        running.body.tokens_given += 1;
        let token = RequestToken(running.body.tokens_given);
        running.body.tokens.insert(token, (from, id, boot));
        self.step(run, Input::Request { from: index(from), token, request });
    }

    fn on_response(&mut self, run: Run, from: usize, (id, boot): (AskId, u64), response: Response) {
        let response = if self.shared.plan.encode { recoded(&response) } else { Some(response) };
        let Some(response) = response else {
            let what = "a response does not survive its bytes".to_owned();
            self.shared.settle("codec", from, Err(what));
            return;
        };
        let Some(running) = self.running(run) else { return };
        if boot != run.boot || !running.body.asks.remove(&id) {
            return;
        }
        self.step(run, Input::Response { from: index(from), id, response: Some(response) });
    }

    pub(super) fn on_ask_timeout(&mut self, run: Run, to: usize, id: AskId) {
        let Some(running) = self.running(run) else { return };
        if running.body.asks.remove(&id) {
            self.step(run, Input::Response { from: index(to), id, response: None });
        }
    }

    /// A stream from one member to another opens, if both are there and the link is whole.
    pub(super) fn on_connect(&mut self, from: usize, to: usize) {
        let there = self.nodes[to].running.is_some() && self.shared.network.is_whole(from, to);
        if let Some(run) = self.run_of(from).filter(|_| there) {
            self.step(run, Input::PeerUp(index(to)));
        }
    }

    pub(super) fn on_signed(&mut self, run: Run, to: Recipients, message: Message) {
        let Some(running) = self.running(run) else { return };
        running.body.signing -= 1;
        let adversary = &mut self.nodes[run.node].adversary;
        self.shared.transmit(run.node, self.shared.now, (to, message.clone()), adversary);
        self.step(run, Input::Own(message));
    }

    pub(super) fn on_submit(&mut self) {
        let shared = &mut self.shared;
        if shared.now < shared.plan.heal_at + 5 * SECOND {
            let pause = shared.workload.pause();
            shared.queue.push(shared.now + pause, Event::Submit);
        }
        let (first, second) = shared.workload.targets(self.nodes.len());
        let call = shared.workload.call();
        for node in [Some(first), second].into_iter().flatten() {
            let paused = self.nodes[node].paused_until > self.shared.now;
            if let Some(run) = self.run_of(node).filter(|_| !paused) {
                let ticket = self.shared.workload.ticket();
                self.step(run, Input::Submit(ticket, call.clone()));
            }
        }
    }
}

fn recoded<T: Encode + chorale_types::codec::Decode>(value: &T) -> Option<T> {
    let bytes: Arc<[u8]> = value.to_bytes().into();
    decode_exact(&bytes).ok()
}
