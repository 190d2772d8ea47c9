//! Everything that ends by itself: held requests, mutes, loosened switches.
//!
//! Timers are derived from the durable state and stored nowhere, so a restart cannot lose one.

use super::{Engine, Turn};
use crate::model::durable::Durable;

/// One thing whose time can be over. The order is that in which things of one instant end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Mode,
    Relay,
    Policy(String),
    Pending(String),
    Mute(String),
}

/// All deadlines, with what ends at them.
fn all(durable: &Durable) -> impl Iterator<Item = (u64, Due)> + '_ {
    let mode = durable.mode.and_then(|switch| switch.until_ms).map(|until_ms| (until_ms, Due::Mode));
    let relay = durable.relay.and_then(|switch| switch.until_ms).map(|until_ms| (until_ms, Due::Relay));
    let policies =
        durable.policies.iter().filter_map(|(name, switch)| Some((switch.until_ms?, Due::Policy(name.clone()))));
    let pendings = durable.pendings.iter().map(|(id, pending)| (pending.expires_ms, Due::Pending(id.clone())));
    let mutes = durable.mutes.iter().map(|(speaker, mute)| (mute.until_ms, Due::Mute(speaker.clone())));
    mode.into_iter().chain(relay).chain(policies).chain(pendings).chain(mutes)
}

/// The earliest deadline, on the monotonic side.
pub(super) fn next(durable: &Durable) -> Option<u64> {
    let mode = durable.mode.and_then(|switch| switch.until_ms);
    let relay = durable.relay.and_then(|switch| switch.until_ms);
    let policies = durable.policies.values().filter_map(|switch| switch.until_ms);
    let pendings = durable.pendings.values().map(|pending| pending.expires_ms);
    let mutes = durable.mutes.values().map(|mute| mute.until_ms);
    mode.into_iter().chain(relay).chain(policies).chain(pendings).chain(mutes).min()
}

impl Engine {
    /// Ends what is due, earliest first. Ending one thing can end another or give it more time, so the table is read each
    /// time.
    pub(super) fn end_what_is_due(&mut self, turn: &mut Turn<'_>) {
        let now_ms = turn.at.monotonic_ms;
        if self.next_deadline().is_none_or(|deadline_ms| deadline_ms > now_ms) {
            return;
        }
        // Each turn of the loop takes one entry off the table, so there are never more turns than entries.
        let entries = all(&self.world.borrow().durable).count();
        for _ in 0..entries {
            let due = all(&self.world.borrow().durable).min().filter(|(deadline_ms, _)| *deadline_ms <= now_ms);
            match due {
                Some((_, Due::Mode)) => self.mode_ends(turn),
                Some((_, Due::Relay)) => self.relay_ends(turn),
                Some((_, Due::Policy(name))) => self.policy_switch_ends(turn, &name),
                Some((_, Due::Pending(id))) => self.expire(turn, &id),
                Some((_, Due::Mute(speaker))) => self.unmute(turn, &speaker, "timer"),
                None => return,
            }
        }
    }
}
