//! A simple model of what the bridge may do, fed with what is done to it and what it puts out.
//!
//! It never asks the engine for its state: it knows what was sent in, what was recorded, and the rules.

use std::collections::{BTreeMap, BTreeSet};

use hushgate::model::control::Says;
use hushgate::model::decision::{Decision, Enforcement, Grade, Outcome, Settlement, Verdict};
use hushgate::model::event::{Entry, Record};
use hushgate::model::mode::Mode;
use hushgate::model::request::Door;
use hushgate::model::time::At;

use super::questions::{Item, Pending, Prompts, evidence, is_contrary, joinable};
use super::rules;
use super::watch::{Seen, Trace};

#[path = "outputs.rs"]
mod outputs;

const PENDINGS_MAX: usize = 64;
const PENDINGS_PER_ASKER_MAX: usize = 12;
const POLICY_MUTE_MS: u64 = 5 * 60_000;
const STALE_AFTER_S: u32 = 10;
const REVERTS_MAX: usize = 2;
const REVERT_WINDOW_MS: u64 = 10 * 60_000;

/// What is being done to the bridge.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cause {
    Gate {
        topic: String,
    },
    /// `right`: it must count.
    Answer {
        pending: String,
        says: Says,
        right: bool,
    },
    Mute {
        for_ms: u64,
    },
    /// A command on a real topic. `undo`: what may be sent to put it right.
    Seen {
        topic: String,
        undo: Option<&'static str>,
    },
    Reload {
        names: BTreeSet<String>,
        broken: bool,
    },
    Restart,
    /// Something stored, or something forged: nothing may come of it.
    Inert,
    Other,
}

/// A command on its way. Each has a topic of its own, so that each forward has one origin.
#[derive(Debug)]
pub(crate) struct Command {
    payload: String,
    expires_ms: Option<u64>,
    /// The decision that has just allowed it.
    granted: Option<String>,
}

impl Command {
    pub(crate) fn new(payload: &str, expires_ms: Option<u64>) -> Command {
        Command { payload: payload.to_owned(), expires_ms, granted: None }
    }
}

#[derive(Debug)]
pub(crate) struct Oracle {
    pub(crate) mode: Mode,
    loaded: BTreeSet<String>,
    switches: BTreeMap<String, bool>,
    pub(crate) commands: BTreeMap<String, Command>,
    pub(crate) pendings: BTreeMap<String, Pending>,
    prompts: Prompts,
    pub(crate) muted: BTreeMap<String, u64>,
    /// There is no connection. What a speaker is told now is lost, so it must be told again.
    away: bool,
    /// Speakers whose mute ended while there was none.
    owed: BTreeSet<String>,
    decided: BTreeSet<String>,
    /// Decisions that allow, and have let nothing out yet.
    allowed: BTreeSet<String>,
    allowed_controls: BTreeSet<String>,
    /// When each target was put right.
    reverts: BTreeMap<String, Vec<u64>>,
    pub(crate) seen: Seen,
    // Of the batch that is being looked at.
    unmuted: BTreeSet<String>,
    told_muted: BTreeSet<String>,
    asked_anew: BTreeSet<String>,
    settled: BTreeSet<String>,
    /// Commands that were let go: action and target.
    left: Vec<(String, String)>,
    refused_answers: usize,
    connected: bool,
    has_forwarded: bool,
    has_decided: bool,
}

impl Oracle {
    pub(crate) fn new(loaded: BTreeSet<String>) -> Oracle {
        Oracle {
            mode: Mode::Enforce,
            loaded,
            switches: BTreeMap::new(),
            commands: BTreeMap::new(),
            pendings: BTreeMap::new(),
            prompts: Prompts::default(),
            muted: BTreeMap::new(),
            away: true,
            owed: BTreeSet::new(),
            decided: BTreeSet::new(),
            allowed: BTreeSet::new(),
            allowed_controls: BTreeSet::new(),
            reverts: BTreeMap::new(),
            seen: Seen::default(),
            unmuted: BTreeSet::new(),
            told_muted: BTreeSet::new(),
            asked_anew: BTreeSet::new(),
            settled: BTreeSet::new(),
            left: Vec::new(),
            refused_answers: 0,
            connected: false,
            has_forwarded: false,
            has_decided: false,
        }
    }

    fn on(&self) -> BTreeMap<String, bool> {
        let is_on = |name: &String| self.switches.get(name).copied().unwrap_or_else(|| rules::is_on_by_itself(name));
        self.loaded.iter().map(|name| (name.clone(), is_on(name))).collect()
    }

    fn acts(&self, policy: &str) -> bool {
        self.mode == Mode::Enforce && self.on().get(policy) == Some(&true)
    }

    /// Before the outputs of one event are looked at.
    pub(crate) fn begin(&mut self) {
        self.unmuted.clear();
        self.told_muted.clear();
        self.asked_anew.clear();
        self.settled.clear();
        self.left.clear();
        (self.refused_answers, self.connected, self.has_forwarded, self.has_decided) = (0, false, false, false);
    }

    /// After all outputs of one event.
    pub(crate) fn end(&mut self, at: At, cause: &Cause, trace: &Trace) {
        for (topic, command) in &self.commands {
            trace.check(command.granted.is_none(), || format!("`{topic}` was allowed and never left"));
        }
        for (id, pending) in &self.pendings {
            let wrong = pending.check(at.monotonic_ms).err();
            trace.check(wrong.is_none(), || format!("`{id}`: {wrong:?}"));
            for (action, target) in &self.left {
                let waits = |item: &Item| item.target == *target && is_contrary(action, &item.action);
                trace
                    .check(!pending.items.iter().any(waits), || format!("`{id}` waits for the opposite of `{action}`"));
            }
        }
        for (speaker, until_ms) in &self.muted {
            trace
                .check(*until_ms > at.monotonic_ms, || format!("the mute of `{speaker}` is over, and it still stands"));
        }
        if let Cause::Answer { pending, says, right } = cause {
            let settled = self.settled.contains(pending);
            let ends = *right && *says != Says::Seen;
            trace.check(settled == ends, || format!("an answer to `{pending}`: right {right}, settled {settled}"));
            let is_noticed = self.pendings.get(pending).is_none_or(|pending| pending.noticed_ms.is_some());
            trace.check(is_noticed || ends || !right, || format!("`{pending}` was seen, and nobody noticed"));
            let refused = self.refused_answers;
            trace.check(refused == usize::from(!right), || format!("{refused} answers refused, right: {right}"));
        }
        if *cause == Cause::Inert {
            trace.check(!self.has_decided && !self.has_forwarded, || {
                "something came of a stored or forged message".into()
            });
        }
    }

    pub(crate) fn record(&mut self, at: At, cause: &Cause, record: &Record, trace: &Trace) {
        trace.check(!self.has_forwarded, || format!("recorded after a forward: {record:?}"));
        match &record.entry {
            Entry::Decision { decision } => self.decision(at, cause, decision, trace),
            Entry::AnswerRefused { .. } => {
                self.refused_answers += 1;
                self.seen.count("answer refused");
            }
            Entry::Muted { speaker, by, applied, .. } => self.mute(at, cause, (speaker, by, *applied), trace),
            Entry::Unmuted { speaker, by } => self.unmute(at, speaker, by, trace),
            Entry::ModeSet { mode, by, .. } => {
                if *mode < self.mode {
                    trace.check(self.allowed_controls.contains(by), || format!("the mode was loosened by `{by}`"));
                    self.seen.count("mode loosened");
                } else {
                    self.seen.count("mode tightened");
                }
                self.mode = *mode;
            }
            Entry::PolicySet { policy, on, by, .. } => {
                let loosens = !on && self.on().get(policy) == Some(&true);
                let allowed = self.allowed_controls.contains(by);
                trace.check(!loosens || allowed, || format!("`{policy}` was switched off by `{by}`"));
                self.switches.insert(policy.clone(), *on);
                self.seen.count("policy switched");
            }
            Entry::Reloaded { policies, .. } => {
                let Cause::Reload { names, broken: false } = cause else { trace.fail("reloaded out of turn") };
                trace.check(policies.iter().eq(names.iter()), || format!("loaded {policies:?}, given {names:?}"));
                self.loaded.clone_from(names);
                self.switches.retain(|name, _| names.contains(name));
                self.seen.count("reloaded");
            }
            Entry::ReloadRefused { errors, .. } => {
                let is_broken = matches!(cause, Cause::Reload { broken: true, .. });
                trace.check(is_broken, || format!("a good set was refused: {errors:?}"));
                self.seen.count("reload refused");
            }
            Entry::AskedAnew { pending: id, reason, .. } => {
                let (mode, on) = (self.mode, self.on());
                if let Some(pending) = self.pendings.get_mut(id) {
                    pending.tokens.clear();
                    pending.noticed_ms = None;
                    if reason.ends_with("joined it") {
                        return self.seen.count("joined what was asked");
                    }
                    let is_window = |item: &Item| rules::is_window(&on, &item.action, &item.target);
                    pending.is_window = mode == Mode::Enforce && pending.items.iter().all(is_window);
                    let is_group = |item: &Item| rules::is_group(&on, &item.action, &item.target);
                    pending.is_group = pending.items.iter().all(is_group);
                    (pending.must_drop, pending.ask_ms) = (false, None);
                }
                self.asked_anew.insert(id.clone());
                self.seen.count("asked anew");
            }
            Entry::Noticed { pending: id, .. } => {
                let is_seen =
                    matches!(cause, Cause::Answer { pending, says: Says::Seen, right: true } if pending == id);
                let pending = self.pendings.get_mut(id).filter(|pending| is_seen && pending.noticed_ms.is_none());
                let Some(pending) = pending else { trace.fail(&format!("`{id}` was noticed by nobody")) };
                pending.noticed_ms = Some(at.monotonic_ms);
                self.seen.count("noticed");
            }
            Entry::Published { topic, applied: true, .. } => {
                trace.check(topic == "house/said", || format!("a policy's publish to `{topic}` was no request"));
            }
            Entry::Connected => (self.connected, self.away) = (true, false),
            Entry::Disconnected { .. } => {
                self.away = true;
                self.pendings.values_mut().for_each(|pending| pending.noticed_ms = None);
            }
            Entry::Ghost { .. } => self.seen.count("ghost"),
            Entry::Forged { .. } => self.seen.count("forged"),
            Entry::Refused { .. } => self.seen.count("refused"),
            Entry::PolicyFailed { .. } => self.seen.count("policy failed"),
            Entry::Clock { plausible: false, .. } => self.seen.count("clock implausible"),
            _ => {}
        }
    }

    fn decision(&mut self, at: At, cause: &Cause, decision: &Decision, trace: &Trace) {
        let id = decision.id.as_str();
        self.has_decided = true;
        trace.check(self.decided.insert(id.to_owned()), || format!("the id `{id}` was given twice"));
        if decision.request.source.evidence.is_some() {
            self.seen.count("asked by somebody likely");
        }
        if !decision.request.door.holds() {
            return self.looked_on(at, cause, decision, trace);
        }
        if decision.applied == Verdict::Allow {
            self.allowed.insert(id.to_owned());
            if decision.request.action.starts_with("hushgate.") {
                self.allowed_controls.insert(id.to_owned());
            }
        }
        match &decision.settles {
            None => self.judged(at, cause, decision, trace),
            Some(settlement) => self.ended(at, cause, decision, settlement, trace),
        }
    }

    fn predicted(&self, action: &str, target: &str, panel_may_answer: bool) -> Verdict {
        if self.mode == Mode::Observe {
            return Verdict::Allow;
        }
        self.said(action, target, panel_may_answer)
    }

    /// What the rules say, whether it is acted on or not: a change to `observe` is no yes to what is held.
    fn said(&self, action: &str, target: &str, panel_may_answer: bool) -> Verdict {
        if action.starts_with("hushgate.") {
            return Verdict::Confirm;
        }
        rules::verdict(&self.on(), action, target, panel_may_answer)
    }

    /// A request was judged for the first time.
    fn judged(&mut self, at: At, cause: &Cause, decision: &Decision, trace: &Trace) {
        let request = &decision.request;
        let target = request.target.clone().unwrap_or_default();
        let channel = request.source.channel.as_deref();
        let panel_may_answer = channel.is_some_and(|name| name != "panel");
        let topic = match request.door {
            Door::Gate => {
                let Cause::Gate { topic } = cause else { trace.fail("a command was judged that nobody sent") };
                let is_about = |part: &str| part == target || target.strip_prefix("x.") == Some(part);
                trace.check(topic.split('/').any(is_about), || format!("`{topic}` was read as {decision:?}"));
                Some(topic.clone())
            }
            Door::Policy => {
                trace.check(self.acts("sender"), || "a policy sent a command, though it does not act".to_owned());
                let topic = format!("lights/{target}/set");
                let command = Command::new("TOGGLE", None);
                self.commands.insert(topic.clone(), command);
                self.seen.count("forwarded for a policy");
                Some(topic)
            }
            Door::Ask | Door::Control => None,
            Door::Intent | Door::Twin | Door::Watch | Door::Bypass => {
                trace.fail("no such door is in this house, or it holds nothing")
            }
        };
        let mut predicted = self.predicted(&request.action, &target, panel_may_answer);
        // Of one channel, or of nobody known by one door.
        let asker = channel.map_or_else(|| format!("{:?}", request.door), str::to_owned);
        let now_ms = at.monotonic_ms;
        let evidence = evidence(request, &asker);
        let is_group = rules::is_group(&self.on(), &request.action, &target);
        let joins = decision.confirm.as_ref().and_then(|confirm| confirm.joins.clone());
        let open: Vec<String> =
            joinable(&self.pendings, &evidence, now_ms).filter(|_| is_group).map(str::to_owned).collect();
        let of_asker = self.pendings.values().filter(|pending| pending.asker == asker).count();
        let is_full = self.pendings.len() >= PENDINGS_MAX || of_asker >= PENDINGS_PER_ASKER_MAX;
        let refusal = match () {
            () if self.prompts.is_refused(now_ms, &asker, &target) => Some("refused often enough"),
            () if !open.is_empty() => None,
            () if self.prompts.is_too_often(now_ms, &asker) => Some("asked often enough"),
            () if is_full => Some("table full"),
            () => None,
        };
        if let (Verdict::Confirm, Some(what)) = (predicted, refusal) {
            predicted = Verdict::Deny;
            self.seen.count(what);
        }
        trace.check(decision.applied == predicted, || {
            format!("expected {predicted:?}, applied {:?}: {decision:?}", decision.applied)
        });
        match (decision.applied, topic) {
            (Verdict::Allow, topic) => {
                if topic.is_some() {
                    self.left.push((request.action.clone(), target));
                }
                self.grant(topic.as_deref(), &decision.id, "allowed at once");
            }
            (Verdict::Deny, topic) => {
                topic.map(|topic| self.commands.remove(&topic));
                self.seen.count("denied at once");
            }
            (Verdict::Confirm, topic) => {
                let item = Item { id: decision.id.clone(), topic, action: request.action.clone(), target };
                let is_right = joins.as_ref().map_or(open.is_empty(), |id| open.contains(id));
                trace.check(is_right, || format!("expected to join one of {open:?}: {decision:?}"));
                match joins {
                    Some(id) => self.join(now_ms, &id, item),
                    None => self.open(at, decision, (asker, evidence), (is_group, panel_may_answer), item, trace),
                }
            }
        }
    }

    fn join(&mut self, now_ms: u64, id: &str, item: Item) {
        self.prompts.joined(id, &item.target);
        if let Some(pending) = self.pendings.get_mut(id) {
            pending.join(now_ms, item);
        }
        self.seen.count("joined");
    }

    fn open(
        &mut self,
        at: At,
        decision: &Decision,
        (asker, evidence): (String, String),
        (is_group, panel_may_answer): (bool, bool),
        item: Item,
        trace: &Trace,
    ) {
        let Some(confirm) = &decision.confirm else { trace.fail("held, but it does not say until when") };
        let within_ms = confirm.until.duration_since(decision.at).as_millis();
        self.prompts.asked(at.monotonic_ms, &decision.id, &asker, &item.target);
        let mut pending = Pending {
            asker,
            evidence,
            panel_may_answer,
            is_group,
            is_window: rules::is_window(&self.on(), &item.action, &item.target),
            must_drop: false,
            opened_ms: at.monotonic_ms,
            until_ms: at.monotonic_ms + u64::try_from(within_ms).unwrap_or(0),
            ask_ms: None,
            noticed_ms: None,
            tokens: BTreeMap::new(),
            items: vec![item],
        };
        pending.gather(at.monotonic_ms);
        self.pendings.insert(decision.id.clone(), pending);
        self.seen.count("held");
    }

    /// Something has happened already. Nothing is held, and at most what undoes it leaves.
    fn looked_on(&mut self, at: At, cause: &Cause, decision: &Decision, trace: &Trace) {
        let request = &decision.request;
        trace.check(decision.confirm.is_none() && decision.settles.is_none(), || format!("it was held: {decision:?}"));
        trace.check(decision.enforcement == Enforcement::NotEnforced, || format!("nothing was shut: {decision:?}"));
        let target = request.target.clone().unwrap_or_default();
        let in_force = self.predicted(&request.action, &target, false);
        let undo = match cause {
            Cause::Seen { topic, undo: Some(undo) } if request.door == Door::Bypass => Some((topic, *undo)),
            _ => None,
        };
        let times = self.reverts.entry(target).or_default();
        times.retain(|time_ms| at.monotonic_ms < time_ms + REVERT_WINDOW_MS);
        match undo {
            Some((topic, undo)) if in_force != Verdict::Allow && times.len() < REVERTS_MAX => {
                let is_reverted = decision.grade == Grade::Reverted && decision.applied == Verdict::Deny;
                trace.check(is_reverted, || format!("it was not undone: {decision:?}"));
                times.push(at.monotonic_ms);
                self.allowed.insert(decision.id.clone());
                let granted = Some(decision.id.clone());
                let command = Command { granted, ..Command::new(undo, None) };
                self.commands.insert(topic.clone(), command);
                self.seen.count("reverted");
            }
            _ => {
                if undo.is_some() && in_force != Verdict::Allow {
                    self.seen.count("reverted often enough");
                }
                let is_told = decision.grade == Grade::Alerted && decision.applied == Verdict::Allow;
                trace.check(is_told, || format!("it was not only told: {decision:?}"));
                self.seen.count(if request.door == Door::Watch { "watched" } else { "went round" });
            }
        }
    }

    fn grant(&mut self, topic: Option<&str>, decision: &str, what: &'static str) {
        if let Some(command) = topic.and_then(|topic| self.commands.get_mut(topic)) {
            command.granted = Some(decision.to_owned());
        }
        self.seen.count(what);
    }

    /// What must be done about a held request that ends so, and what to count.
    fn expected_end(
        &mut self,
        at: At,
        cause: &Cause,
        (decision, settlement): (&Decision, &Settlement),
        (id, pending, item): (&String, &Pending, &Item),
        trace: &Trace,
    ) -> (Verdict, &'static str) {
        let answered = |wanted: Says| matches!(cause, Cause::Answer { pending, says, right: true } if pending == id && *says == wanted);
        let now_ms = at.monotonic_ms;
        match settlement.outcome {
            Outcome::Approved => {
                trace.check(answered(Says::Approve), || format!("approved by nobody: {decision:?}"));
                (Verdict::Allow, "approved")
            }
            Outcome::Rejected => {
                trace.check(answered(Says::Reject), || format!("rejected by nobody: {decision:?}"));
                (Verdict::Deny, "rejected")
            }
            Outcome::Unopposed => {
                let is_right = pending.until_ms <= now_ms && pending.goes_by_silence(self.mode);
                trace.check(is_right, || format!("silence was no yes: {decision:?}"));
                (Verdict::Allow, "unopposed")
            }
            Outcome::Cancelled => {
                let goes_against =
                    |(action, target): &(String, String)| *target == item.target && is_contrary(action, &item.action);
                trace.check(self.left.iter().any(goes_against), || format!("nothing was contrary: {decision:?}"));
                (Verdict::Deny, "cancelled")
            }
            Outcome::Expired => {
                let is_right = pending.until_ms <= now_ms && !pending.goes_by_silence(self.mode);
                trace.check(is_right, || format!("expired too early, or silence was a yes: {decision:?}"));
                (Verdict::Deny, "expired")
            }
            Outcome::JudgedAgain if pending.must_drop => {
                self.seen.count("veto window dropped");
                (Verdict::Deny, "judged again")
            }
            Outcome::JudgedAgain => {
                let verdict = self.said(&item.action, &item.target, pending.panel_may_answer);
                self.seen.count("judged again");
                // After a restart nothing goes by itself.
                let verdict = if matches!(cause, Cause::Restart) { Verdict::Deny } else { verdict };
                (verdict, "released by a reload or a mode")
            }
        }
    }

    /// A held request ended.
    fn ended(&mut self, at: At, cause: &Cause, decision: &Decision, settlement: &Settlement, trace: &Trace) {
        let holds = |pending: &Pending| pending.items.iter().position(|item| item.id == settlement.pending);
        let held = self.pendings.iter().find_map(|(id, pending)| Some((id.clone(), holds(pending)?)));
        let Some((id, pending, index)) = held.and_then(|(id, index)| {
            let pending = self.pendings.remove(&id)?;
            Some((id, pending, index))
        }) else {
            trace.fail(&format!("`{}` ended, but it did not wait", settlement.pending))
        };
        let mut pending = pending;
        let item = pending.items.remove(index);
        self.settled.insert(id.clone());
        let (expected, what) = self.expected_end(at, cause, (decision, settlement), (&id, &pending, &item), trace);
        if pending.items.is_empty() {
            if matches!(settlement.outcome, Outcome::Rejected | Outcome::Expired) {
                self.prompts.refused(at.monotonic_ms, &id);
            }
        } else {
            self.pendings.insert(id, pending);
        }
        let topic = item.topic.as_deref();
        let expires_ms = topic.and_then(|topic| self.commands.get(topic)).and_then(|command| command.expires_ms);
        // Less than a whole second cannot be written on a message.
        let is_old = expires_ms.is_some_and(|expires_ms| expires_ms < at.monotonic_ms + 1_000);
        let expected = if expected == Verdict::Allow && is_old {
            self.seen.count("command expired");
            Verdict::Deny
        } else {
            expected
        };
        trace.check(decision.applied == expected, || {
            format!("expected {expected:?} at the end of a wait: {decision:?}")
        });
        if expected == Verdict::Allow {
            if topic.is_some() {
                self.left.push((item.action.clone(), item.target.clone()));
            }
            self.grant(topic, &decision.id, what);
        } else {
            topic.map(|topic| self.commands.remove(topic));
            if settlement.outcome != Outcome::JudgedAgain {
                self.seen.count(what);
            }
        }
    }

    /// The bridge is gone, and comes back: times move into the new run.
    pub(crate) fn restart(&mut self, saved: At, now: At) {
        let passed_ms = now.utc.duration_since(saved.utc).as_millis();
        // A clock that went back, or on by more than a year, says nothing of how long it was.
        let is_possible = saved.utc >= At::UTC_MIN && now.utc >= At::UTC_MIN;
        let is_known = is_possible && (-60_000..=365 * 86_400_000).contains(&passed_ms);
        let away_ms = if is_known { u64::try_from(passed_ms).unwrap_or(0) } else { 0 };
        let moved = |time_ms: u64| (time_ms + now.monotonic_ms).saturating_sub(saved.monotonic_ms + away_ms);
        for pending in self.pendings.values_mut() {
            pending.restart(moved);
            if !is_known {
                pending.until_ms = now.monotonic_ms;
            }
        }
        self.prompts.restart(moved);
        self.muted.values_mut().for_each(|until_ms| *until_ms = moved(*until_ms));
        self.away = true;
        self.owed.clear();
        for expires_ms in self.commands.values_mut().filter_map(|command| command.expires_ms.as_mut()) {
            *expires_ms = moved(*expires_ms);
        }
        self.reverts.clear();
        self.seen.count("restarted");
        if !is_known {
            self.seen.count("restarted with a wrong clock");
        }
        if !self.pendings.is_empty() {
            self.seen.count("restarted with pendings");
        }
        if !self.muted.is_empty() {
            self.seen.count("restarted with mutes");
        }
    }

    /// After a restart the configuration is the floor.
    pub(crate) fn check_floor(&self, trace: &Trace) {
        trace.check(self.mode == Mode::Enforce, || "a loosened mode outlived a restart".to_owned());
        for (name, on) in self.on() {
            trace.check(on || !rules::is_on_by_itself(&name), || format!("`{name}` stayed off over a restart"));
        }
    }
}
