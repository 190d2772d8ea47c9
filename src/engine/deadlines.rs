//! Everything that ends by itself: the gathering of groups, held requests, mutes, loosened switches, grants, proofs, the
//! wait for a state, and the wait for what speakers say of themselves.
//!
//! Timers are derived from what they end and stored nowhere, so a restart cannot lose one. The last three are not durable:
//! they end with the process.

use super::speakers::SpeakerDue;
use super::{Engine, Turn};
use crate::model::durable::Durable;

/// One thing whose time can be over. The order is that in which things of one instant end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    Mode,
    Relay,
    Policy(String),
    Grant(String),
    Ask(String),
    Pending(String),
    Mute(String),
    Proof,
    Settling(String),
    Speaker(SpeakerDue),
}

/// All deadlines, with what ends at them.
fn all(durable: &Durable) -> impl Iterator<Item = (u64, Due)> + '_ {
    let mode = durable.mode.and_then(|switch| switch.until_ms).map(|until_ms| (until_ms, Due::Mode));
    let relay = durable.relay.and_then(|switch| switch.until_ms).map(|until_ms| (until_ms, Due::Relay));
    let policies =
        durable.policies.iter().filter_map(|(name, switch)| Some((switch.until_ms?, Due::Policy(name.clone()))));
    let pendings = durable.pendings.iter().map(|(id, pending)| (pending.expires_ms, Due::Pending(id.clone())));
    let asks = durable.pendings.iter().filter_map(|(id, pending)| Some((pending.ask_ms?, Due::Ask(id.clone()))));
    let mutes = durable.mutes.iter().map(|(speaker, mute)| (mute.until_ms, Due::Mute(speaker.clone())));
    let grants = durable.grants.iter().map(|(id, grant)| (grant.until_ms, Due::Grant(id.clone())));
    mode.into_iter().chain(relay).chain(policies).chain(grants).chain(asks).chain(pendings).chain(mutes)
}

/// The earliest durable deadline, on the monotonic side.
fn next(durable: &Durable) -> Option<u64> {
    let mode = durable.mode.and_then(|switch| switch.until_ms);
    let relay = durable.relay.and_then(|switch| switch.until_ms);
    let policies = durable.policies.values().filter_map(|switch| switch.until_ms);
    let pendings = durable.pendings.values().map(|pending| pending.expires_ms);
    let asks = durable.pendings.values().filter_map(|pending| pending.ask_ms);
    let mutes = durable.mutes.values().map(|mute| mute.until_ms);
    let grants = durable.grants.values().map(|grant| grant.until_ms);
    mode.into_iter().chain(relay).chain(policies).chain(grants).chain(asks).chain(pendings).chain(mutes).min()
}

impl Engine {
    /// The monotonic time, in milliseconds, at which `handle` must be called even if nothing else happens.
    pub fn next_deadline(&self) -> Option<u64> {
        let durable = next(&self.world.borrow().durable);
        let settling = self.settling.deadlines().map(|(until_ms, _)| until_ms);
        let speakers = self.speakers.deadlines().map(|(until_ms, _)| until_ms);
        durable.into_iter().chain(self.proof.until_ms).chain(settling).chain(speakers).min()
    }

    /// All that ends by itself, with its deadline.
    fn dues(&self) -> Vec<(u64, Due)> {
        let mut dues: Vec<(u64, Due)> = all(&self.world.borrow().durable).collect();
        dues.extend(self.proof.until_ms.map(|until_ms| (until_ms, Due::Proof)));
        let settling = self.settling.deadlines();
        dues.extend(settling.map(|(until_ms, entity)| (until_ms, Due::Settling(entity.to_owned()))));
        dues.extend(self.speakers.deadlines().map(|(until_ms, due)| (until_ms, Due::Speaker(due))));
        dues
    }

    /// Ends what is due, earliest first. Ending one thing can end another or give it more time, so the table is read each
    /// time.
    pub(super) fn end_what_is_due(&mut self, turn: &mut Turn<'_>) {
        let now_ms = turn.at.monotonic_ms;
        if self.next_deadline().is_none_or(|deadline_ms| deadline_ms > now_ms) {
            return;
        }
        // Each turn of the loop takes one entry off the table, so there are never more turns than entries.
        let entries = self.dues().len();
        for _ in 0..entries {
            let due = self.dues().into_iter().min().filter(|(deadline_ms, _)| *deadline_ms <= now_ms);
            match due {
                Some((_, Due::Mode)) => self.mode_ends(turn),
                Some((_, Due::Relay)) => self.relay_ends(turn),
                Some((_, Due::Policy(name))) => self.policy_switch_ends(turn, &name),
                Some((_, Due::Grant(id))) => self.revoke(turn, &id, "timer"),
                Some((_, Due::Ask(id))) => self.ask_gathered(turn, &id),
                Some((_, Due::Pending(id))) => self.expire(turn, &id),
                Some((_, Due::Mute(speaker))) => self.mute_ends(turn, &speaker),
                Some((_, Due::Proof)) => self.proof_ends(turn),
                Some((_, Due::Settling(entity))) => self.end_settling(turn, &entity),
                Some((_, Due::Speaker(due))) => self.speaker_due(turn, &due),
                None => return,
            }
        }
    }
}
