//! Veto windows: silence lets a request go, once a person was told of it for sure.
//!
//! The proof of notice is a channel's `seen`, and it counts only if there was time to object after it. A window is
//! dropped where nobody could have objected: at a restart, and where the broker was lost since the notice. It starts only
//! in a house that enforces; elsewhere nothing is held, and what is held from before waits for a yes.

use super::{Engine, Turn};
use crate::model::decision::{Otherwise, Outcome, Settlement};
use crate::model::durable::{Change, Pending};
use crate::model::event::Entry;
use crate::model::mode::Mode;

/// How long before its end a window must have been noticed: the shortest time in which a person can object.
pub const NOTICE_BEFORE_END_MS: u64 = 5_000;

impl Engine {
    /// A fit channel says that the question has reached a person. The first notice counts; another one changes nothing.
    pub(in crate::engine) fn notice(&mut self, turn: &mut Turn<'_>, pending: Pending, channel: &str) {
        if pending.noticed_ms.is_some() {
            return;
        }
        turn.record(Entry::Noticed { pending: pending.id.clone(), channel: channel.to_owned() });
        let noticed_ms = Some(turn.at.monotonic_ms);
        self.change(turn, Change::Hold { pending: Box::new(Pending { noticed_ms, ..pending }) });
    }

    /// Whether the end of its time lets a question's requests go. While the journal fails, silence lets nothing go of which
    /// a part could not be recorded: the rules may have come to deny the rest of it.
    pub(super) fn is_unopposed(&self, pending: &Pending) -> bool {
        let in_time = |noticed_ms: u64| noticed_ms.saturating_add(NOTICE_BEFORE_END_MS) <= pending.expires_ms;
        pending.terms.otherwise != Otherwise::Deny
            && self.mode() == Mode::Enforce
            && pending.noticed_ms.is_some_and(in_time)
            && self.window_fails(pending).is_none()
    }

    /// Why silence is no yes, whoever was told. `None`: it may be one.
    pub(super) fn window_fails(&self, pending: &Pending) -> Option<String> {
        pending.items().find_map(|item| self.unrecordable(&item.arrival.request))
    }

    /// The connection is gone: whoever saw a question can no longer object. Another notice may follow.
    pub(in crate::engine) fn void_notices(&mut self, turn: &mut Turn<'_>) {
        let noticed = |pending: &&Pending| pending.noticed_ms.is_some();
        let pendings: Vec<Pending> = self.world.borrow().durable.pendings.values().filter(noticed).cloned().collect();
        for pending in pendings {
            self.change(turn, Change::Hold { pending: Box::new(Pending { noticed_ms: None, ..pending }) });
        }
    }

    /// The bridge was restarted: nobody knows what was said meanwhile.
    pub(in crate::engine) fn drop_windows(&mut self, turn: &mut Turn<'_>) {
        let is_window = |pending: &&Pending| pending.terms.otherwise != Otherwise::Deny;
        let pendings: Vec<Pending> = self.world.borrow().durable.pendings.values().filter(is_window).cloned().collect();
        for pending in pendings {
            let settlement = Settlement { pending: pending.id.clone(), outcome: Outcome::JudgedAgain, channel: None };
            self.settle(turn, pending, settlement);
        }
    }
}
