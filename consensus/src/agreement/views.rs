//! Entering views and giving them up. (Rules N1 to N3, T1 to T5.)

use super::Agreement;
use super::checks::{Waiting, entry};
use super::justify::supported_tips;
use super::timeouts::Progress;
use crate::context::Context;
use crate::input::Timer;
use crate::lanes::Lanes;
use crate::note::{Fault, Note};
use crate::output::Recipients;
use chorale_types::certificate::{EntryCert, QuorumCert, TimeoutCert};
use chorale_types::ids::{ValidatorIndex, View};
use chorale_types::limits::VIEWS_AHEAD_MAX;
use chorale_types::message::Message;
use chorale_types::museum::{Bug, planted};
use chorale_types::vote::{Timeout, VoteKind};
use core::time::Duration;
use std::sync::Arc;

/// A member is told at most this often how the current view is entered.
const ANSWER_PERIOD: Duration = Duration::from_millis(100);

impl Agreement {
    /// N1: a checked certificate of the view before, or of a later one, enters a view.
    pub(super) fn enter(&mut self, cert: EntryCert, lanes: &mut Lanes, ctx: &mut Context<'_>) {
        if cert.view() < self.view {
            return;
        }
        let by_timeout = matches!(cert, EntryCert::Tc(_));
        let given_up = by_timeout || self.safety.record().highest_timeout_view >= self.view;
        self.view = cert.view().next();
        self.entry = cert;
        self.proposal = None;
        self.own_prepare = None;
        self.own_timeout = None;
        self.propose_at = None;
        self.pacemaker.enter(self.view, given_up, ctx.now.monotonic);
        self.prune();
        ctx.note(Note::EnteredView { view: self.view, by_timeout });
        self.arm_view(ctx);
        self.relay_entry(ctx);
        self.try_propose(lanes, ctx);
    }

    pub(super) fn arm_view(&self, ctx: &mut Context<'_>) {
        ctx.arm(Timer::View(self.set.epoch(), self.view), self.pacemaker.deadline());
    }

    /// N2: the certificate is passed on once, unless stake A showed that it has it.
    fn relay_entry(&mut self, ctx: &mut Context<'_>) {
        let seen = self.set.stake_of(&self.entry_seen);
        self.entry_seen = self.set.no_signers();
        let relays = self.me.is_some() && !planted(Bug::EntryNotRelayed);
        if seen < self.set.one_honest() && relays {
            ctx.tell(Recipients::All, Message::Entry(Arc::new(self.entry.clone())));
        }
    }

    /// A member passes on how a view is entered.
    pub(crate) fn on_entry(
        &mut self,
        from: ValidatorIndex,
        cert: Arc<EntryCert>,
        lanes: &mut Lanes,
        ctx: &mut Context<'_>,
    ) {
        if cert.epoch() != self.set.epoch() {
            ctx.report(from, Fault::WrongContext);
            return;
        }
        let news =
            cert.view() >= self.view || cert.qc().view() > self.safety.record().high_qc.view();
        if !news {
            return;
        }
        if planted(Bug::EntryUnchecked) {
            return self.on_good(from, Waiting::Entry(cert), lanes, ctx);
        }
        let certs = vec![EntryCert::clone(&cert)];
        let held =
            self.checks.hold(&self.set, from, Waiting::Entry(cert), (Vec::new(), certs), ctx);
        if let Some(message) = held {
            self.on_good(from, message, lanes, ctx);
        }
    }

    /// A message whose signatures are all good.
    pub(super) fn on_good(
        &mut self,
        from: ValidatorIndex,
        message: Waiting,
        lanes: &mut Lanes,
        ctx: &mut Context<'_>,
    ) {
        match message {
            Waiting::Proposal(proposal) => self.on_good_proposal(from, &proposal, lanes, ctx),
            Waiting::Timeout(timeout) => self.on_good_timeout(from, timeout, lanes, ctx),
            Waiting::Entry(cert) => {
                self.saw_entry(from, cert.view());
                self.on_good_entry(&cert, lanes, ctx);
            }
            Waiting::Commit(cc) => self.on_commit_cert(&cc, lanes, ctx),
            Waiting::Cover(cc) => self.on_good_cover(&cc, lanes, ctx),
            Waiting::Chain(blocks, cc) => self.on_good_chain(blocks, &cc, lanes, ctx),
        }
    }

    /// Notes that a member can enter the view after `view`, if that is where we are going.
    pub(super) fn saw_entry(&mut self, from: ValidatorIndex, view: View) {
        if view >= self.view {
            self.entry_seen.insert(from);
        }
    }

    pub(super) fn on_good_entry(
        &mut self,
        cert: &EntryCert,
        lanes: &mut Lanes,
        ctx: &mut Context<'_>,
    ) {
        match cert {
            EntryCert::Qc(qc) => self.on_qc(qc, lanes, ctx),
            EntryCert::Tc(tc) => self.on_tc(tc, lanes, ctx),
        }
    }

    /// A checked `TimeoutCert`: its `QuorumCert` is adopted before anything else (A1).
    fn on_tc(&mut self, tc: &TimeoutCert, lanes: &mut Lanes, ctx: &mut Context<'_>) {
        self.checks.remember(EntryCert::Tc(tc.clone()).cache_key());
        self.safety.adopt_tc(tc);
        if !planted(Bug::NoAdoptFromTimeouts) {
            self.on_qc(&tc.high_qc, lanes, ctx);
        }
        self.enter(EntryCert::Tc(tc.clone()), lanes, ctx);
    }

    pub(super) fn on_view_timer(&mut self, ctx: &mut Context<'_>) {
        if ctx.now.monotonic < self.pacemaker.deadline() {
            self.arm_view(ctx);
            return;
        }
        self.time_out(ctx);
    }

    /// T1: gives up the current view.
    fn time_out(&mut self, ctx: &mut Context<'_>) {
        if !self.safety.may_time_out(self.view) {
            return;
        }
        ctx.note(Note::TimedOut { view: self.view });
        self.safety.time_out(self.view, self.entry.clone(), self.own_prepare, ctx);
    }

    fn arm_resend(&self, ctx: &mut Context<'_>) {
        let at = ctx.now.monotonic.after(self.pacemaker.resend_period());
        ctx.arm(Timer::Resend(self.set.epoch(), self.view), at);
    }

    /// T3: the same bytes again, until the view is left.
    pub(super) fn on_resend_timer(&mut self, ctx: &mut Context<'_>) {
        if let Some(timeout) = self.own_timeout.as_ref().filter(|_| !planted(Bug::NoResend)) {
            ctx.tell(Recipients::All, Message::Timeout(Arc::clone(timeout)));
            if let Some(cc) = &self.safety.record().high_cc {
                ctx.tell(Recipients::All, Message::Commit(Arc::new(cc.clone())));
            }
        }
        self.arm_resend(ctx);
    }

    /// This replica's own timeout is signed and on its way.
    pub(crate) fn on_own_timeout(&mut self, timeout: Arc<Timeout>, ctx: &mut Context<'_>) {
        let Some(me) = self.me.filter(|_| timeout.view == self.view) else { return };
        if self.own_timeout.is_none() {
            self.arm_resend(ctx);
        }
        self.own_timeout = Some(Arc::clone(&timeout));
        self.timeouts.add(&self.set, me, timeout, ctx);
        self.watch_timeouts(self.view);
    }

    /// A member gives up a view.
    pub(crate) fn on_timeout(
        &mut self,
        from: ValidatorIndex,
        timeout: Arc<Timeout>,
        lanes: &mut Lanes,
        ctx: &mut Context<'_>,
    ) {
        if let Err(fault) = self.check_timeout_form(&timeout) {
            ctx.report(from, fault);
            return;
        }
        if timeout.view < self.view {
            self.answer_with_entry(from, ctx);
            return;
        }
        if let Some(same) = self.timeouts.taken(from, &timeout) {
            if !same || planted(Bug::SameStatementBlamed) {
                ctx.report(from, Fault::Equivocation);
            }
            return;
        }
        let certs = vec![timeout.entry.clone(), entry(&timeout.high_qc)];
        let message = Waiting::Timeout(timeout);
        if let Some(message) = self.checks.hold(&self.set, from, message, (Vec::new(), certs), ctx)
        {
            self.on_good(from, message, lanes, ctx);
        }
    }

    fn check_timeout_form(&self, timeout: &Timeout) -> Result<(), Fault> {
        let epoch = self.set.epoch();
        let prepare = timeout.prepare.as_ref().map(|(vote, _)| vote);
        if timeout.high_qc.vote.epoch != epoch
            || timeout.entry.epoch() != epoch
            || prepare.is_some_and(|vote| vote.epoch != epoch)
        {
            return Err(Fault::WrongContext);
        }
        let fits = timeout.high_qc.view() < timeout.view
            && timeout.tip.is_none_or(|tip| tip.view <= timeout.view)
            && Some(timeout.entry.view()) == timeout.view.previous()
            && prepare.is_none_or(|vote| vote.view == timeout.view);
        if fits { Ok(()) } else { Err(Fault::Malformed) }
    }

    /// N3: a member that lags is shown how the current view is entered, and what is final.
    fn answer_with_entry(&mut self, to: ValidatorIndex, ctx: &mut Context<'_>) {
        let now = ctx.now.monotonic;
        let recent = |last: &chorale_types::time::Instant| now.since(*last) < ANSWER_PERIOD;
        if self.answered.get(&to).is_some_and(recent) {
            return;
        }
        self.answered.insert(to, now);
        self.tell_where_we_are(to, ctx);
    }

    /// Shows a member the certificates that bring it here.
    pub(crate) fn tell_where_we_are(&self, to: ValidatorIndex, ctx: &mut Context<'_>) {
        let to = Recipients::One(to);
        if self.entry.view() > View::ZERO {
            ctx.tell(to, Message::Entry(Arc::new(self.entry.clone())));
        }
        if let Some(cc) = &self.safety.record().high_cc {
            ctx.tell(to, Message::Commit(Arc::new(cc.clone())));
        }
        if let Some(timeout) = &self.own_timeout {
            ctx.tell(to, Message::Timeout(Arc::clone(timeout)));
        }
    }

    /// A timeout whose certificates are good. They are adopted and may bring us to its view.
    fn on_good_timeout(
        &mut self,
        from: ValidatorIndex,
        timeout: Arc<Timeout>,
        lanes: &mut Lanes,
        ctx: &mut Context<'_>,
    ) {
        self.saw_entry(from, timeout.entry.view());
        self.on_qc(&timeout.high_qc, lanes, ctx);
        self.on_good_entry(&timeout.entry, lanes, ctx);
        if let Some((vote, signature)) = timeout.prepare {
            let share = (VoteKind::Prepare, vote, signature);
            self.tally.add(&self.set, from, share, true, ctx);
            self.watch_votes(vote.view, VoteKind::Prepare);
        }
        let view = timeout.view;
        if view >= self.view && view.above(self.view) <= VIEWS_AHEAD_MAX {
            self.timeouts.add(&self.set, from, timeout, ctx);
            self.watch_timeouts(view);
        }
    }

    /// T2 and T4: what the checked timeouts of a view amount to.
    pub(super) fn on_timeout_progress(
        &mut self,
        view: View,
        progress: Option<Progress>,
        lanes: &mut Lanes,
        ctx: &mut Context<'_>,
    ) {
        match progress {
            Some(Progress::OneHonest) if view == self.view => self.time_out(ctx),
            None | Some(Progress::OneHonest) => {}
            Some(Progress::Quorum(tc)) => {
                let tips = supported_tips(&tc, &self.set).len();
                ctx.note(Note::TimeoutCertFormed { view, tips });
                self.on_tc(&tc, lanes, ctx);
            }
        }
    }

    /// Whether a certificate would be news to the lock or the view.
    pub(super) fn is_news(&self, qc: &QuorumCert) -> bool {
        qc.view() >= self.view || qc.view() > self.safety.record().high_qc.view()
    }
}
