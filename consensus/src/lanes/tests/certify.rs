//! From acknowledgements to a certificate at the owner, and certificates at everybody.

use super::*;
use crate::job::{Check, Job, Work};
use crate::note::{Fault, Note};
use crate::output::{Recipients, Statement};
use chorale_types::level::Level;
use chorale_types::message::{AckMessage, Message};

/// An owner with one batch that is durable and sent.
fn owner_with_batches(config: &Config, count: u64) -> (Node, Vec<Arc<Batch>>) {
    let mut node = Node::new(config);
    let mut batches = Vec::new();
    for at in 0..count {
        node.pass(1_000);
        node.submit(at, vec![transaction(1, &[u8::try_from(at).expect("few")])]);
        node.pass(1_000);
        let cut = node.step(|lanes, ctx| lanes.on_cut_timer(ctx));
        let batch = cut.into_iter().find_map(|output| match output {
            Output::Persist(_, Record::OwnBatch { header, entries }) => {
                let owner_signature = sign(header.lane.owner, &header.acknowledgement());
                Some(Arc::new(Batch { header, owner_signature, entries }))
            }
            _ => None,
        });
        batches.push(batch.expect("a batch is cut"));
    }
    (node, batches)
}

fn sent(node: &mut Node, batch: &Arc<Batch>) -> Vec<Output> {
    let own = Message::Batch(Arc::clone(batch));
    node.step(|lanes, ctx| lanes.on_own(own, ctx))
}

fn gives(node: &mut Node, from: u16, batch: &Batch) -> Vec<Output> {
    let statement = ack(batch);
    gives_signed(node, from, batch, sign(index(from), &statement))
}

fn gives_signed(node: &mut Node, from: u16, batch: &Batch, signature: Signature) -> Vec<Output> {
    let ack = AckMessage { statement: ack(batch), signature };
    node.step(|lanes, ctx| lanes.on_ack(index(from), ack, ctx))
}

fn asks_for(job: u64, batch: &Batch, signers: &[u16]) -> [Output; 1] {
    let statement = ack(batch);
    let share = |at: &u16| (index(*at), sign(index(*at), &statement));
    let work = Work::Acks { statement, shares: signers.iter().map(share).collect() };
    [Output::Verify(Job { id: JobId(job), work })]
}

fn shares(node: &mut Node, job: u64, bad: &[u16]) -> Vec<Output> {
    let bad = bad.iter().map(|at| index(*at)).collect();
    let verdict = Verdict::Shares { bad, aggregate: None };
    node.step(|lanes, ctx| assert!(lanes.on_checked(JobId(job), &verdict, ctx)))
}

fn announces(cert: &Arc<Availability>) -> Output {
    let message = Message::Availability(Arc::clone(cert));
    Output::Send(Recipients::All, Statement::Message(message), None)
}

#[test]
fn an_own_batch_is_sent_only_when_signed_and_durable() {
    let config = config(&EQUAL, 0);
    let (mut node, batches) = owner_with_batches(&config, 1);
    assert_eq!(
        gives(&mut node, 1, &batches[0]),
        [Output::Report(index(1), Fault::Malformed)],
        "nobody can have it yet"
    );
    let message = Statement::Message(Message::Batch(Arc::clone(&batches[0])));
    assert_eq!(sent(&mut node, &batches[0]), [Output::Send(Recipients::All, message, None)]);
}

#[test]
fn certificate_at_quorum_of_stake_not_heads() {
    let config = config(&[1, 1, 1, 7], 0);
    assert_eq!(config.set.quorum(), 7);
    let (mut node, batches) = owner_with_batches(&config, 1);
    sent(&mut node, &batches[0]);
    assert_eq!(gives(&mut node, 1, &batches[0]), []);
    assert_eq!(gives(&mut node, 2, &batches[0]), [], "three of four members, three of ten stake");
    assert_eq!(gives(&mut node, 3, &batches[0]), asks_for(1, &batches[0], &[1, 2, 3]));
    let cert = certificate(&config, &batches[0], &[0, 1, 2, 3]);
    let available = [
        announces(&cert),
        Output::Note(Note::BatchAvailable { id: id(&batches[0]) }),
        Output::Level(id(&batches[0]), Level::Available),
    ];
    assert_eq!(shares(&mut node, 1, &[]), available);
    assert!(node.lanes.has_certificate(&tip(&batches[0])) && node.lanes.new_certificate());
    assert!(!node.lanes.new_certificate(), "told once");
}

#[test]
fn a_quorum_alone_certifies_alone() {
    for stakes in [vec![1], vec![7, 1, 1, 1]] {
        let config = config(&stakes, 0);
        let (mut node, batches) = owner_with_batches(&config, 1);
        let outputs = sent(&mut node, &batches[0]);
        assert_eq!(outputs[1], announces(&certificate(&config, &batches[0], &[0])));
        assert_eq!(outputs[3], Output::Level(id(&batches[0]), Level::Available));
    }
}

#[test]
fn one_garbage_ack_does_not_stop_the_certificate() {
    let config = config(&EQUAL, 0);
    let (mut node, batches) = owner_with_batches(&config, 1);
    let batch = &batches[0];
    sent(&mut node, batch);
    assert_eq!(gives_signed(&mut node, 1, batch, garbage()), []);
    assert_eq!(gives(&mut node, 2, batch).len(), 1, "could be a quorum");
    assert_eq!(shares(&mut node, 1, &[1]), [Output::Report(index(1), Fault::BadSignature)]);
    assert_eq!(gives(&mut node, 1, batch), [], "its slot is closed");
    assert_eq!(gives(&mut node, 3, batch), asks_for(2, batch, &[3]), "only what is unchecked");
    assert_eq!(shares(&mut node, 2, &[])[0], announces(&certificate(&config, batch, &[0, 2, 3])));
}

#[test]
fn nobody_replaces_what_was_given() {
    let config = config(&EQUAL, 0);
    let (mut node, batches) = owner_with_batches(&config, 1);
    let batch = &batches[0];
    sent(&mut node, batch);
    gives(&mut node, 1, batch);
    gives_signed(&mut node, 1, batch, garbage());
    assert_eq!(gives(&mut node, 2, batch), asks_for(1, batch, &[1, 2]));
}

#[test]
fn a_certificate_makes_all_below_available() {
    let config = config(&EQUAL, 0);
    let (mut node, batches) = owner_with_batches(&config, 3);
    for batch in &batches {
        sent(&mut node, batch);
    }
    gives(&mut node, 1, &batches[1]);
    gives(&mut node, 2, &batches[1]);
    let levels: Vec<Output> = shares(&mut node, 1, &[]).split_off(2);
    let expected =
        [&batches[0], &batches[1]].map(|batch| Output::Level(id(batch), Level::Available));
    assert_eq!(levels, expected, "and not the one above");
    assert_eq!(gives(&mut node, 1, &batches[0]), [], "nothing more to gather");
    assert_eq!(gives(&mut node, 2, &batches[0]), []);
}

#[test]
fn refuses_acknowledgements_of_what_was_never_made() {
    let config = config(&EQUAL, 0);
    let (mut node, batches) = owner_with_batches(&config, 1);
    sent(&mut node, &batches[0]);
    let mine = Owner::new(&config, 0).next(b"never made");
    assert_eq!(gives(&mut node, 1, &mine), [Output::Report(index(1), Fault::Malformed)]);
    let other = Owner::new(&config, 2).next(b"1");
    assert_eq!(gives(&mut node, 1, &other), [Output::Report(index(1), Fault::WrongContext)]);
}

#[test]
fn a_certificate_is_checked_once_and_kept() {
    let config = config(&EQUAL, 3);
    let (mut node, mut owner) = (Node::new(&config), Owner::new(&config, 0));
    let one = owner.next(b"1");
    let cert = certificate(&config, &one, &[0, 1, 2]);
    let work = Work::All(vec![Check::Availability(Arc::clone(&cert))]);
    assert_eq!(node.certify(0, &cert), [Output::Verify(Job { id: JobId(1), work })]);
    assert_eq!(node.certify(1, &cert), [], "the same is being checked");
    assert!(!node.lanes.has_certificate(&tip(&one)), "nothing unchecked counts");
    assert_eq!(node.verdict(1, true), []);
    assert_eq!(node.certify(1, &cert), [], "held");
    assert!(node.lanes.has_certificate(&tip(&one)));
    let wrong = LaneTip { bytes_through: 9, ..tip(&one) };
    assert!(!node.lanes.has_certificate(&wrong), "exactly this tip");
}

#[test]
fn refuses_certificates_without_a_quorum_or_of_other_sets() {
    let config = config(&EQUAL, 3);
    let (mut node, mut owner) = (Node::new(&config), Owner::new(&config, 0));
    let one = owner.next(b"1");
    let malformed = [Output::Report(index(2), Fault::Malformed)];
    assert_eq!(node.certify(2, &certificate(&config, &one, &[0, 1])), malformed);
    let larger = super::config(&[1; 5], 3);
    assert_eq!(node.certify(2, &certificate(&larger, &one, &[0, 1, 2, 4])), malformed);
    let mut torn = (*certificate(&config, &one, &[0, 1, 2])).clone();
    torn.signatures.pop();
    assert_eq!(node.certify(2, &Arc::new(torn)), malformed);
    let cert = certificate(&config, &one, &[0, 1, 2]);
    node.certify(2, &cert);
    assert_eq!(node.verdict(1, false), [Output::Report(index(2), Fault::BadSignature)]);
    assert!(!node.lanes.has_certificate(&tip(&one)));
}

#[test]
fn a_tip_below_a_certificate_counts_when_the_headers_lead_to_it() {
    let config = config(&EQUAL, 1);
    let (mut node, mut owner) = (Node::new(&config), Owner::new(&config, 0));
    let batches = [owner.next(b"1"), owner.next(b"22"), owner.next(b"333")];
    node.certify(0, &certificate(&config, &batches[2], &[0, 2, 3]));
    node.verdict(1, true);
    assert!(!node.lanes.has_certificate(&tip(&batches[0])), "not known to lie below");
    for (at, batch) in batches.iter().enumerate() {
        node.take(batch, at as u64 + 2);
    }
    assert!(node.lanes.has_certificate(&tip(&batches[0])));
    let other = Owner::new(&config, 0).next(b"other");
    assert!(!node.lanes.has_certificate(&tip(&other)));
}
