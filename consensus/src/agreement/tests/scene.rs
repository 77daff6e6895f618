//! One member of a committee that ran for a while, and what bad messages and answers do to it.
//!
//! Signatures are ideal: a certificate is good if some member sent it while the committee ran, a
//! single signature if it is the fakes' own. So nothing forged passes, and a member that lies with
//! its own key does.

use super::{Committee, Duration, Fault, Message, Note, Rc, RefCell, SECOND, ValidatorIndex};
use crate::agreement::safety::Refused;
use crate::input::Input;
use crate::job::{Check, Job, Verdict, Work};
use crate::output::Output;
use crate::replica::Replica;
use chorale_types::certificate::{EntryCert, QuorumCert};
use chorale_types::crypto::bls::BlsSignature;
use chorale_types::crypto::hash::Digest;
use chorale_types::message::{Proposal, ProposalKind, Received};
use chorale_types::time::Now;
use chorale_types::validators::ValidatorSet;
use std::collections::BTreeSet;

/// What members sent, with the sender.
pub(super) type Said = Rc<RefCell<Vec<(ValidatorIndex, Message)>>>;

/// What is forged in a certificate, and how.
pub(super) type Forgery<'a> = (&'a str, &'a dyn Fn(&mut QuorumCert));

/// A signature that its own signer made.
pub(super) const SIGNED: BlsSignature = BlsSignature::from_bytes([1; 96]);

/// A committee in which everything that is sent is noted, and everything passes.
pub(super) fn overheard() -> (Committee, Said) {
    let mut committee = Committee::new(&[1, 1, 1, 1]);
    let said = Said::default();
    listen(&mut committee, &said, |_, _| true);
    committee.run(SECOND * 3);
    (committee, said)
}

/// Notes everything from here on, and lets through what `passes` says of recipient and message.
pub(super) fn listen(
    committee: &mut Committee,
    said: &Said,
    mut passes: impl FnMut(ValidatorIndex, &Message) -> bool + 'static,
) {
    let tap = Rc::clone(said);
    committee.filter = Box::new(move |from, to, message| {
        tap.borrow_mut().push((from, message.clone()));
        passes(to, message)
    });
}

/// The last message that `of` takes for what it looks for.
pub(super) fn last<T>(said: &Said, of: impl Fn(ValidatorIndex, &Message) -> Option<T>) -> T {
    let said = said.borrow();
    said.iter().rev().find_map(|(from, message)| of(*from, message)).expect("it was said")
}

/// What a replica answered to one input and to the verdicts that it asked for.
#[derive(PartialEq, Eq, Debug, Default)]
pub(super) struct Answer {
    /// Whom it reported.
    pub(super) faults: Vec<(ValidatorIndex, Fault)>,
    /// Why it does not vote for a proposal.
    pub(super) refused: Vec<Refused>,
    /// What it dropped at a bound.
    pub(super) dropped: Vec<&'static str>,
    /// Everything else that it asked its host to do.
    pub(super) done: Vec<Output>,
}

impl Answer {
    pub(super) fn fault(from: ValidatorIndex, fault: Fault) -> Self {
        Self { faults: vec![(from, fault)], ..Self::default() }
    }
}

/// A member at one moment.
#[derive(Clone)]
pub(super) struct Scene {
    pub(super) replica: Replica,
    pub(super) now: Now,
    pub(super) set: ValidatorSet,
    certs: BTreeSet<Digest>,
}

impl Scene {
    pub(super) fn of(committee: &Committee, member: ValidatorIndex, said: &Said) -> Self {
        let replica = committee.replicas[member.as_usize()].clone().expect("it is up");
        let mut certs = BTreeSet::new();
        said.borrow().iter().for_each(|(_, message)| note_certs(message, &mut certs));
        let finals = committee.committed.iter().flatten();
        certs.extend(finals.map(|block| EntryCert::Qc(block.cert.as_qc().clone()).cache_key()));
        Self { replica, now: committee.now(), set: committee.set.clone(), certs }
    }

    /// Hands in a message; verdicts that it asks for are given at once.
    pub(super) fn hear(&mut self, from: ValidatorIndex, message: Message) -> Answer {
        self.step(Input::Message(Received { from, message }))
    }

    pub(super) fn step(&mut self, input: Input) -> Answer {
        let mut answer = Answer::default();
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            for output in self.replica.step(self.now, input) {
                match output {
                    Output::Verify(Job { id, work }) => {
                        inputs.push(Input::Checked(id, self.judge(&work)));
                    }
                    Output::Report(peer, fault) => answer.faults.push((peer, fault)),
                    Output::Note(Note::Refused { why, .. }) => answer.refused.push(why),
                    Output::Note(Note::Dropped { what, .. }) => answer.dropped.push(what),
                    other => answer.done.push(other),
                }
            }
        }
        answer
    }

    fn judge(&self, work: &Work) -> Verdict {
        let forged = |shares: Vec<(ValidatorIndex, BlsSignature)>| {
            let forged = shares.into_iter().filter(|(_, signature)| *signature != SIGNED);
            forged.map(|(index, _)| index).collect()
        };
        let bad = match work {
            Work::All(checks) => {
                return Verdict::All { good: checks.iter().all(|check| self.is_good(check)) };
            }
            Work::Votes { shares, .. } => forged(shares.clone()),
            Work::Timeouts { shares } => forged(shares.iter().map(|(i, _, s)| (*i, *s)).collect()),
            Work::Acks { .. } => Vec::new(),
        };
        Verdict::Shares { bad, aggregate: Some(SIGNED) }
    }

    fn is_good(&self, check: &Check) -> bool {
        match check {
            Check::Entry(cert) => self.certs.contains(&cert.cache_key()),
            Check::Proposal(_, _, signature) => *signature.as_bytes() == [0; 64],
            _ => false,
        }
    }

    /// Asserts that a message is answered with `expected` and nothing else, and leaves no trace.
    pub(super) fn assert_refused(
        &self,
        what: &str,
        (from, message): (ValidatorIndex, Message),
        expected: &Answer,
    ) {
        let mut after = self.clone();
        assert_eq!(after.hear(from, message), *expected, "{what}");
        self.assert_same(&after, what);
    }

    /// Asserts that nothing changed but names of jobs, rate limits and hints.
    pub(super) fn assert_same(&self, after: &Self, what: &str) {
        let same = self.replica.without_counters() == after.replica.without_counters();
        assert!(same, "{what}: the replica changed");
    }

    /// Asserts that nothing was promised, entered, locked or made final.
    pub(super) fn assert_no_progress(&self, after: &Self, what: &str) {
        let status = |scene: &Self| crate::Status {
            proposal_seen: false,
            timeout_stake: 0,
            ..scene.replica.status()
        };
        assert_eq!(status(self), status(after), "{what}");
        assert_eq!(self.replica.vote_record(), after.replica.vote_record(), "{what}");
    }
}

fn note_certs(message: &Message, certs: &mut BTreeSet<Digest>) {
    let mut qc = |qc: &QuorumCert| {
        certs.insert(EntryCert::Qc(qc.clone()).cache_key());
    };
    let entry = match message {
        Message::Proposal(proposal) => {
            proposal.ordered_cert.iter().for_each(|cc| qc(cc.as_qc()));
            if let ProposalKind::Fallback { parent_qc, .. } = &proposal.kind {
                qc(parent_qc);
            }
            proposal.kind.entry()
        }
        Message::Timeout(timeout) => {
            qc(&timeout.high_qc);
            Some(timeout.entry.clone())
        }
        Message::Entry(entry) => Some(EntryCert::clone(entry)),
        Message::Commit(cc) => Some(EntryCert::Qc(cc.as_qc().clone())),
        _ => None,
    };
    if let Some(entry) = entry {
        qc(entry.qc());
        certs.insert(entry.cache_key());
    }
}

/// A member that is about to get a proposal for which it would vote, and that proposal.
pub(super) fn before_a_proposal() -> (Scene, ValidatorIndex, Proposal) {
    let (mut committee, said) = overheard();
    next_proposal(&mut committee, &said)
}

/// The same, where the view before was given up because nobody got its proposal.
pub(super) fn before_a_fallback() -> (Scene, ValidatorIndex, Proposal) {
    let (mut committee, said) = overheard();
    let lost = committee.status(0).view.next();
    listen(
        &mut committee,
        &said,
        move |_, message| !matches!(message, Message::Proposal(proposal) if proposal.view == lost),
    );
    let given_up = committee.run_until(SECOND * 5, |c| c.status(0).view > lost);
    assert!(given_up, "{}", committee.summary());
    let (scene, leader, proposal) = next_proposal(&mut committee, &said);
    assert!(matches!(proposal.kind, ProposalKind::Fallback { .. }), "{:?}", proposal.kind);
    (scene, leader, proposal)
}

fn next_proposal(committee: &mut Committee, said: &Said) -> (Scene, ValidatorIndex, Proposal) {
    let view = (0..4).map(|member| committee.status(member).view).max().expect("four members");
    let of = |said: &Said| {
        said.borrow().iter().rev().find_map(|(from, message)| match message {
            Message::Proposal(p) if p.view >= view => Some((*from, Proposal::clone(p))),
            _ => None,
        })
    };
    let proposed = committee.run_until(SECOND * 5, |_| of(said).is_some());
    assert!(proposed, "{}", committee.summary());
    let (leader, proposal) = of(said).expect("proposed just now");
    let target = committee.set.indices().find(|index| *index != leader).expect("four members");
    committee.run(Duration::from_micros(500));
    let scene = Scene::of(committee, target, said);
    assert_eq!(scene.replica.status().view, proposal.view, "it is in that view");
    assert!(!scene.replica.status().proposal_seen, "it has not got the proposal");
    (scene, leader, proposal)
}
