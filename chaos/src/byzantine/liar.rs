//! A member that reports less than it knows when it gives up a view, differently to each.

use super::Outgoing;
use crate::rng::Rng;
use crate::sim::cluster::Signer;
use chorale_types::certificate::QuorumCert;
use chorale_types::message::Message;
use chorale_types::vote::{Timeout, Tip};
use std::sync::Arc;

/// Old truths kept, to be told again later.
const KEPT_MAX: usize = 8;

/// What the member could have said before.
#[derive(Debug, Default)]
pub(super) struct Liar {
    certs: Vec<QuorumCert>,
    tips: Vec<Tip>,
}

impl Liar {
    pub(super) fn tamper(&mut self, out: &mut [Outgoing], signer: &Signer, rng: &mut Rng) {
        for (_, _, message) in out {
            let Message::Timeout(timeout) = message else { continue };
            self.remember(timeout, rng);
            let lie = self.lie(timeout, signer, rng);
            *message = Message::Timeout(Arc::new(lie));
        }
    }

    fn remember(&mut self, timeout: &Timeout, rng: &mut Rng) {
        if !self.certs.contains(&timeout.high_qc) {
            self.certs.push(timeout.high_qc.clone());
        }
        if let Some(tip) = timeout.tip
            && !self.tips.contains(&tip)
        {
            self.tips.push(tip);
        }
        if self.certs.len() > KEPT_MAX {
            self.certs.swap_remove(rng.index(KEPT_MAX));
        }
        if self.tips.len() > KEPT_MAX {
            self.tips.swap_remove(rng.index(KEPT_MAX));
        }
    }

    fn lie(&self, timeout: &Timeout, signer: &Signer, rng: &mut Rng) -> Timeout {
        let mut lie = timeout.clone();
        let older: Vec<&QuorumCert> =
            self.certs.iter().filter(|qc| qc.view() < timeout.view).collect();
        if !older.is_empty() && rng.chance(600_000) {
            lie.high_qc = older[rng.index(older.len())].clone();
        }
        lie.tip = match rng.below(4) {
            0 => None,
            1 => timeout.tip,
            _ if self.tips.is_empty() => None,
            _ => Some(Tip { view: timeout.view, ..self.tips[rng.index(self.tips.len())] }),
        };
        if rng.chance(500_000) {
            lie.prepare = None;
        }
        lie.signature = signer.timeout(&lie.vote());
        lie
    }
}
