//! Control of the bridge itself: mode, policy switches, mutes.
//!
//! Tightening happens at once. Loosening becomes a request, judged like any other; what it loosens below the
//! configuration ends by itself.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Engine, Turn};
use crate::model::action::{ACCEPT, GRANT, RELEASE, SET_MODE, TURN_OFF_POLICY, UNMUTE};
use crate::model::control::{Control, LOOSEN_DEFAULT_MS, LOOSEN_MAX_MS};
use crate::model::durable::{Change, Switch};
use crate::model::event::{Entry, Publication};
use crate::model::mode::Mode;
use crate::model::request::{Arrival, Door, Held, Request, Source};
use crate::policy::Policy;

use super::mutes::MUTE_DEFAULT_MS;

impl Engine {
    /// A control message came.
    pub(super) fn control(&mut self, turn: &mut Turn<'_>, control: Control) {
        if let Some(reason) = self.cannot_control(&control) {
            let topic = format!("{}/{}", self.config.base, topic_of(&control));
            turn.record(Entry::Refused { topic, reason });
            return;
        }
        let control = match self.bind_grant(turn.at, control) {
            Ok(control) => control,
            Err(reason) => {
                self.refuse_grant(turn, &reason);
                return;
            }
        };
        if self.is_loosening(&control) {
            let mut arrival = loosening_request(control);
            self.name_what_is_accepted(&mut arrival);
            self.name_what_is_granted(&mut arrival);
            self.arrive(turn, arrival, 0);
            return;
        }
        match control {
            // What stands already keeps its end: saying it again must not make a loosening last.
            Control::SetMode { mode, .. } => {
                let standing = self.world.borrow().durable.mode.filter(|standing| standing.value == mode);
                self.switch_mode(turn, mode, standing.and_then(|standing| standing.until_ms), "control");
            }
            Control::SetPolicy { policy, on, .. } => {
                let standing = self.world.borrow().durable.policies.get(&policy).copied();
                let standing = standing.filter(|standing| standing.value == on);
                self.switch_policy(turn, &policy, on, standing.and_then(|standing| standing.until_ms), "control");
            }
            Control::Mute { speaker, what, for_ms, reason } => {
                let reason = reason.unwrap_or_else(|| "asked for on its control topic".to_owned());
                let what = what.unwrap_or_else(|| self.muted_by_default(&speaker));
                self.mute(turn, &speaker, what, for_ms.unwrap_or(MUTE_DEFAULT_MS), &reason, "control");
            }
            Control::SetRelay { on, .. } => {
                let standing = self.world.borrow().durable.relay.filter(|standing| standing.value == on);
                self.set_relay(turn, on, standing.and_then(|standing| standing.until_ms), "control");
            }
            Control::Revoke { id } => self.revoke(turn, &id, "control"),
            // Not muted, or nothing to accept: there is nothing to loosen and nothing to do.
            Control::Unmute { .. } | Control::Accept { .. } | Control::Grant { .. } => {}
        }
    }

    /// A loosening was allowed, by the decision `by`.
    pub(super) fn loosen(&mut self, turn: &mut Turn<'_>, control: Control, by: &str) {
        match control {
            // It waited, and another one came first. That one's end was the one that somebody approved.
            Control::SetMode { mode, .. } if mode == self.mode() => {}
            Control::SetMode { mode, for_ms } => {
                let until_ms = (mode < self.config.mode).then(|| end_ms(turn, for_ms));
                self.switch_mode(turn, mode, until_ms, by);
            }
            Control::SetPolicy { policy, on, for_ms } => {
                let below = self.policies.get(&policy).is_some_and(|known| known.enabled() && !on);
                let until_ms = below.then(|| end_ms(turn, for_ms));
                self.switch_policy(turn, &policy, on, until_ms, by);
            }
            Control::Unmute { speaker } if self.is_muted(&speaker) => self.unmute(turn, &speaker, by),
            Control::SetRelay { on, for_ms } => {
                let until_ms = (!on).then(|| end_ms(turn, for_ms));
                self.set_relay(turn, on, until_ms, by);
            }
            Control::Accept { topic, announced } => self.accept(turn, topic.as_deref(), announced.as_deref(), by),
            Control::Grant { .. } => self.grant(turn, control, by),
            Control::Unmute { .. } | Control::Mute { .. } | Control::Revoke { .. } => {}
        }
    }

    /// The loosened mode's time is over; the configuration counts again.
    pub(super) fn mode_ends(&mut self, turn: &mut Turn<'_>) {
        self.switch_mode(turn, self.config.mode, None, "timer");
    }

    /// The loosened policy's time is over.
    pub(super) fn policy_switch_ends(&mut self, turn: &mut Turn<'_>, name: &str) {
        match self.policies.get(name).map(Policy::enabled) {
            Some(on) => self.switch_policy(turn, name, on, None, "timer"),
            None => self.change(turn, Change::Policy { name: name.to_owned(), switch: None }),
        }
    }

    /// The released mirror's time is over.
    pub(super) fn relay_ends(&mut self, turn: &mut Turn<'_>) {
        self.set_relay(turn, true, None, "timer");
    }

    /// Says the state of everything that people watch: after a start.
    pub(super) fn tell_everything(&mut self, turn: &mut Turn<'_>) {
        self.tell_mode(turn);
        self.tell_policies(turn);
        self.tell_relay(turn);
        self.tell_guards(turn);
        self.tell_grants(turn);
        self.tell_prompts(turn);
        for speaker in self.config.speakers.keys() {
            self.show_mute(turn, speaker);
        }
    }

    pub(super) fn tell_policies(&self, turn: &mut Turn<'_>) {
        let mut policies = Vec::new();
        for policy in self.policies.policies() {
            let (name, on, mode) = (policy.name().to_owned(), self.is_on(policy), policy.mode());
            policies.push(name.clone());
            turn.publish(Publication::PolicyState { name, on, mode });
        }
        let revision = self.policies.revision().to_owned();
        turn.publish(Publication::Info { revision, policies });
    }

    fn tell_mode(&self, turn: &mut Turn<'_>) {
        let switch = self.world.borrow().durable.mode;
        let until = switch.and_then(|switch| switch.until_ms).map(|until_ms| civil(turn, until_ms));
        turn.publish(Publication::ModeState { mode: self.mode(), until });
    }

    fn switch_mode(&mut self, turn: &mut Turn<'_>, mode: Mode, until_ms: Option<u64>, by: &str) {
        let earlier = self.mode();
        self.set_mode(turn, mode, until_ms, by);
        if mode > earlier {
            self.end_loosened_policies(turn, by);
        }
        if mode != earlier {
            self.judge_pendings_again(turn, "the mode changed", false);
        }
    }

    fn switch_policy(&mut self, turn: &mut Turn<'_>, name: &str, on: bool, until_ms: Option<u64>, by: &str) {
        self.set_policy(turn, name, on, until_ms, by);
        self.judge_pendings_again(turn, &format!("the policy `{name}` was switched"), false);
    }

    /// What was loosened while nothing was held had no judge, so it does not outlive that time. What is held is judged
    /// again by the caller.
    pub(super) fn end_loosened_policies(&mut self, turn: &mut Turn<'_>, by: &str) {
        let switches = self.world.borrow().durable.policies.clone();
        for (name, switch) in switches {
            match self.policies.get(&name).map(Policy::enabled) {
                Some(enabled) if enabled && !switch.value => self.set_policy(turn, &name, enabled, None, by),
                Some(_) => {}
                None => self.change(turn, Change::Policy { name, switch: None }),
            }
        }
    }

    /// Sets the mode and tells of it. What is held is judged again by the caller.
    pub(super) fn set_mode(&mut self, turn: &mut Turn<'_>, mode: Mode, until_ms: Option<u64>, by: &str) {
        let earlier = self.mode();
        let until = until_ms.map(|until_ms| civil(turn, until_ms));
        turn.record(Entry::ModeSet { mode, by: by.to_owned(), until });
        let switch = (mode != self.config.mode).then_some(Switch { value: mode, until_ms });
        self.change(turn, Change::Mode { switch });
        self.tell_mode(turn);
        if mode != earlier {
            self.prepare_speakers(turn);
        }
    }

    /// Whether the mirrored discovery points at the gate.
    fn is_relay_on(&self) -> bool {
        self.world.borrow().durable.relay.is_none_or(|switch| switch.value)
    }

    /// Points the mirrored discovery at the gate or at the devices, and tells of it.
    pub(super) fn set_relay(&mut self, turn: &mut Turn<'_>, on: bool, until_ms: Option<u64>, by: &str) {
        let until = until_ms.map(|until_ms| civil(turn, until_ms));
        turn.record(Entry::RelaySet { on, by: by.to_owned(), until });
        self.change(turn, Change::Relay { switch: (!on).then_some(Switch { value: on, until_ms }) });
        self.tell_relay(turn);
    }

    fn tell_relay(&self, turn: &mut Turn<'_>) {
        let switch = self.world.borrow().durable.relay;
        let until = switch.and_then(|switch| switch.until_ms).map(|until_ms| civil(turn, until_ms));
        turn.publish(Publication::RelayState { on: self.is_relay_on(), until });
    }

    /// Sets a policy's switch and tells of it. What is held is judged again by the caller.
    fn set_policy(&mut self, turn: &mut Turn<'_>, name: &str, on: bool, until_ms: Option<u64>, by: &str) {
        let Some((enabled, mode)) = self.policies.get(name).map(|policy| (policy.enabled(), policy.mode())) else {
            return;
        };
        let until = until_ms.map(|until_ms| civil(turn, until_ms));
        turn.record(Entry::PolicySet { policy: name.to_owned(), on, by: by.to_owned(), until });
        let switch = (on != enabled).then_some(Switch { value: on, until_ms });
        self.change(turn, Change::Policy { name: name.to_owned(), switch });
        turn.publish(Publication::PolicyState { name: name.to_owned(), on, mode });
    }

    /// Whether a control makes the bridge stricter or leaves it as it is (false), or looser (true).
    fn is_loosening(&self, control: &Control) -> bool {
        match control {
            Control::SetMode { mode, .. } => *mode < self.mode(),
            Control::SetPolicy { policy, on, .. } => {
                !*on && self.policies.get(policy).is_some_and(|policy| self.is_on(policy))
            }
            Control::Mute { .. } | Control::Revoke { .. } => false,
            Control::Grant { .. } => true,
            Control::Unmute { speaker } => self.is_muted(speaker),
            Control::SetRelay { on, .. } => !*on && self.is_relay_on(),
            Control::Accept { topic, .. } => self.has_problem(topic.as_deref()),
        }
    }

    fn cannot_control(&self, control: &Control) -> Option<String> {
        if let (Control::SetMode { mode: Mode::Enforce, .. }, Some((needs, _))) =
            (control, self.config.enforce_obstacle())
        {
            return Some(format!("`enforce` needs {needs} in the configuration"));
        }
        let for_ms = match control {
            Control::SetMode { for_ms, .. } | Control::Mute { for_ms, .. } | Control::SetRelay { for_ms, .. } => for_ms,
            Control::SetPolicy { policy, for_ms, .. } => {
                if self.policies.get(policy).is_none() {
                    return Some(format!("expected the name of a policy, found `{policy}`"));
                }
                for_ms
            }
            Control::Revoke { id } if !self.is_granted(id) => {
                return Some(format!("expected the id of a grant that stands, found `{id}`"));
            }
            Control::Unmute { .. } | Control::Accept { .. } | Control::Revoke { .. } | Control::Grant { .. } => &None,
        };
        if let Control::Mute { speaker, .. } | Control::Unmute { speaker } = control
            && !self.config.speakers.contains_key(speaker)
        {
            return Some(format!("expected the name of a speaker, found `{speaker}`"));
        }
        if let Control::Accept { topic: Some(topic), .. } = control
            && !self.world.borrow().durable.guards.contains_key(topic)
        {
            return Some(format!("expected a guarded topic, found `{topic}`"));
        }
        if let Control::Accept { topic, .. } = control
            && !self.has_problem(topic.as_deref())
        {
            let place = topic.as_ref().map(|topic| format!(" on `{topic}`")).unwrap_or_default();
            return Some(format!("expected something new to accept, found nothing{place}"));
        }
        let too_long = for_ms.is_some_and(|for_ms| for_ms > LOOSEN_MAX_MS);
        too_long.then(|| format!("expected at most {} hours", LOOSEN_MAX_MS / 3_600_000))
    }
}

/// When a loosening ends by itself, on the monotonic side.
fn end_ms(turn: &Turn<'_>, for_ms: Option<u64>) -> u64 {
    turn.at.plus_ms(for_ms.unwrap_or(LOOSEN_DEFAULT_MS).min(LOOSEN_MAX_MS)).monotonic_ms
}

/// A monotonic time in the future, for people.
fn civil(turn: &Turn<'_>, time_ms: u64) -> jiff::Timestamp {
    turn.at.plus_ms(time_ms.saturating_sub(turn.at.monotonic_ms)).utc
}

/// The topic that a control message came on, below the base.
fn topic_of(control: &Control) -> String {
    match control {
        Control::SetMode { .. } => "mode/set".to_owned(),
        Control::SetPolicy { policy, .. } => format!("policy/{policy}/set"),
        Control::Mute { speaker, .. } | Control::Unmute { speaker } => format!("mute/{speaker}/set"),
        Control::SetRelay { .. } => "relay/set".to_owned(),
        Control::Accept { .. } => "guard/set".to_owned(),
        Control::Grant { .. } => "grant/set".to_owned(),
        Control::Revoke { id } => format!("grant/{id}/set"),
    }
}

/// A loosening as a request. Control topics name no channel, so nobody knows who asks.
pub(super) fn loosening_request(control: Control) -> Arrival {
    let (action, target, for_ms) = match &control {
        Control::SetMode { mode, for_ms } => (SET_MODE, mode.name().to_owned(), *for_ms),
        Control::SetPolicy { policy, for_ms, .. } => (TURN_OFF_POLICY, policy.clone(), *for_ms),
        Control::Mute { speaker, .. } | Control::Unmute { speaker } => (UNMUTE, speaker.clone(), None),
        Control::SetRelay { for_ms, .. } => (RELEASE, "discovery".to_owned(), *for_ms),
        Control::Grant { channel, for_ms, .. } => (GRANT, channel.clone(), *for_ms),
        Control::Revoke { id } => (GRANT, id.clone(), None),
        Control::Accept { topic, .. } => (ACCEPT, topic.clone().unwrap_or_else(|| "everything".to_owned()), None),
    };
    let data: BTreeMap<String, Value> = for_ms.map(|for_ms| ("for_ms".to_owned(), for_ms.into())).into_iter().collect();
    let request = Request {
        action: action.to_owned(),
        target: Some(target),
        source: Source::default(),
        door: Door::Control,
        data,
        text: None,
        confidence: None,
        sensitive: true,
        heard: None,
    };
    Arrival { request, held: Held::Control(control), reply: None }
}
