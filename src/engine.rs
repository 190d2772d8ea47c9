//! The engine: what happens to the bridge goes in, what it does comes out.
//!
//! `handle` and `next_deadline` are the whole interface. The engine reads no clock, draws no random number, opens no
//! file, and knows no topic of its own: time, the boot seed, the configuration and the policies' texts come in as data.
//! The same inputs give the same effects, byte for byte.
//!
//! It deliberately does not know by which transport a request came, nor how an effect is written.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use jiff::tz::TimeZone;

use crate::config::Config;
use crate::integration::Integrations;
use crate::model::durable::{Change, Durable};
use crate::model::event::{AnswerBody, Effect, Entry, Event, Publication, Record, Refusal, ScriptSource};
use crate::model::mode::Mode;
use crate::model::speaker::What;
use crate::model::time::At;
use crate::model::topic::TopicFilter;
use crate::policy::{Catalog, Policy, PolicySet, Stopwatch, View, World};
use crate::registry::Registry;
use crate::script::diagnostics::Diagnostic;

mod answers;
mod clock;
mod codes;
mod combine;
mod confirm;
mod control;
mod deadlines;
mod facts;
mod grants;
mod guards;
mod ids;
mod journal;
mod judge;
mod mutes;
mod prompts;
mod proof;
mod reload;
mod seen;
mod settling;
mod sources;
mod speakers;
mod story;
mod traces;
mod wishes;

pub use confirm::{GATHERING_MS, GROUP_ITEMS_MAX, NOTICE_BEFORE_END_MS};
pub use confirm::{
    PENDINGS_MAX, PENDINGS_PER_ASKER_MAX, PROMPTS_PER_ASKER_MAX, QUOTA_WINDOW_MS, RECENT_MAX, REFUSED_MAX,
};
pub use grants::{GRANT_TARGET_BYTES_MAX, GRANTS_MAX};
pub use ids::BootSeed;
pub use mutes::{MUTE_DEFAULT_MS, MUTE_MAX_MS};
pub use prompts::NO_POLICY;
pub use proof::PROOF_AGE_MAX_MS;
pub use seen::{REVERT_TARGETS_MAX, REVERT_WINDOW_MS, REVERTS_MAX};
pub use settling::SETTLING_MAX;
pub use speakers::{
    ANNOUNCE_ATTEMPTS_MAX, ANNOUNCEMENTS_MAX, ECHO_MS, MUTE_ATTEMPTS_MAX, MUTE_CONFIRM_MS, OWNER_TOLD_EVERY_MS,
    REASSERT_SLOWLY_MS, REASSERTIONS_MAX, REASSERTIONS_WINDOW_MS, REFUSALS_SPOKEN_MAX, REFUSALS_WINDOW_MS,
    SAID_PER_CHARACTER_MS, SAID_WITHIN_MS,
};
pub use story::{DIALOGUES_MAX, STRANGERS_MAX};
pub use traces::{WATCHED_CALLS_MAX, WATCHED_WINDOW_MS};
pub use wishes::{PUBLISH_DEPTH_MAX, PUBLISHES_MAX};

/// What the core is made from.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "it holds the boot seed, which is never printed")]
pub struct Setup {
    pub config: Rc<Config>,
    pub sources: Vec<ScriptSource>,
    /// The owner's own integrations.
    pub integrations: Vec<ScriptSource>,
    pub seed: BootSeed,
    /// Ends a script that computes for too long. `None` in scenarios and simulations, which must not depend on speed.
    pub stopwatch: Option<Stopwatch>,
    /// What an earlier run left, and when it was saved.
    pub saved: Option<(Durable, At)>,
}

/// The core of the bridge.
pub struct Engine {
    config: Rc<Config>,
    registry: Rc<Registry>,
    catalog: Catalog,
    stopwatch: Option<Stopwatch>,
    policies: PolicySet,
    world: Rc<RefCell<World>>,
    ids: ids::Ids,
    clock: clock::Clock,
    recent: confirm::Recent,
    wrong: codes::Wrong,
    left: answers::Left,
    overflows: facts::Overflows,
    reverts: seen::Reverts,
    settling: settling::Settling,
    sources: sources::Sources,
    stories: story::Stories,
    watched: traces::Watched,
    proof: proof::Proof,
    journal: journal::Journal,
    speakers: speakers::Speakers,
    /// While there is no connection: speakers whose mute has ended meanwhile, to be told when there is one.
    unmutes_owed: Option<BTreeMap<String, What>>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Engine").field("revision", &self.policies.revision()).finish_non_exhaustive()
    }
}

/// One call of `handle`: its time, and what it has caused so far.
struct Turn<'a> {
    at: At,
    config: Rc<Config>,
    effects: &'a mut Vec<Effect>,
    /// Publishes of policies so far. One event may not fan out without end.
    publishes: usize,
}

impl Turn<'_> {
    fn record(&mut self, entry: Entry) {
        self.effects.push(Effect::Record(Box::new(Record { at: self.at.utc, entry })));
    }

    fn publish(&mut self, publication: Publication) {
        self.effects.push(Effect::Publish(publication));
    }
}

impl Engine {
    /// Compiles the policies and tells the world the state of things. What an earlier run held is judged again.
    ///
    /// # Errors
    /// All that is wrong with the integrations, or with the policies. Nothing runs with half a set.
    pub fn start(setup: Setup, at: At, effects: &mut Vec<Effect>) -> Result<Engine, Vec<Diagnostic>> {
        let integrations = Integrations::compile(&setup.config, &setup.integrations, setup.stopwatch.clone())?;
        let catalog = Catalog::of(&setup.config, integrations.told_names());
        let policies = PolicySet::compile(&setup.sources, &catalog, setup.stopwatch.clone())?;
        let mut engine = Engine {
            registry: Rc::new(Registry::with_integrations(&setup.config, Rc::new(integrations))),
            config: setup.config,
            catalog,
            stopwatch: setup.stopwatch,
            policies,
            world: Rc::new(RefCell::new(World::default())),
            ids: ids::Ids::new(setup.seed),
            clock: clock::Clock::since(setup.saved.as_ref().map(|(_, saved)| *saved)),
            recent: confirm::Recent::default(),
            wrong: codes::Wrong::default(),
            left: answers::Left::default(),
            overflows: facts::Overflows::default(),
            reverts: seen::Reverts::default(),
            settling: settling::Settling::default(),
            sources: sources::Sources::default(),
            stories: story::Stories::default(),
            watched: traces::Watched::default(),
            proof: proof::Proof::default(),
            journal: journal::Journal::default(),
            speakers: speakers::Speakers::default(),
            unmutes_owed: Some(BTreeMap::new()),
        };
        let turn = &mut Turn { at, config: Rc::clone(&engine.config), effects, publishes: 0 };
        engine.observe_clock(turn);
        let restored = setup.saved.is_some();
        if let Some((mut durable, saved)) = setup.saved {
            durable.rebase(saved, at);
            engine.registry.restore(&durable.guards);
            durable.guards.retain(|topic, _| engine.registry.is_guarded(topic));
            engine.world.borrow_mut().durable = durable;
        }
        if restored {
            engine.restore(turn);
        }
        engine.tell_everything(turn);
        Ok(engine)
    }

    /// Of the policies that are in force.
    pub fn revision(&self) -> &str {
        self.policies.revision()
    }

    /// Takes in one event. Whatever was due before it ends first.
    pub fn handle(&mut self, at: At, event: Event, effects: &mut Vec<Effect>) {
        let turn = &mut Turn { at, config: Rc::clone(&self.config), effects, publishes: 0 };
        let before = turn.effects.len();
        self.begin_journal(turn.at, &event);
        self.observe_clock(turn);
        self.end_what_is_due(turn);
        match event {
            Event::Arrival(arrival) => self.arrive(turn, *arrival, 0),
            Event::House(event) => {
                if let Some(speaker) = &event.speaker {
                    self.show_life(turn, speaker);
                }
                self.note_voice(turn, &event);
                self.hear(turn, event);
            }
            Event::Fact(change) => self.learn(turn, change),
            Event::Message(message) => self.overhear(turn, &message),
            Event::Answer(answer) => self.answer(turn, &answer),
            Event::Control(control) => self.control(turn, control),
            Event::Refused(refusal) => refuse(turn, refusal),
            Event::Ghost { topic } => turn.record(Entry::Ghost { topic }),
            Event::Forged { topic } => turn.record(Entry::Forged { topic }),
            Event::Connected => self.connected(turn),
            Event::Disconnected { reason } => self.disconnected(turn, reason),
            Event::Dropped { topic, reason } => turn.record(Entry::Dropped { topic, reason }),
            Event::Guard { topic, guard } => self.guard(turn, topic, guard),
            Event::Trace(trace) => self.trace(turn, trace),
            Event::Canary(canary) => self.look(turn, canary),
            Event::Overheard(overheard) => turn.record(Entry::ChannelOverheard { overheard }),
            Event::Reload(sources) => self.reload(turn, sources),
            Event::Journal(written) => self.journal_changed(turn, written.err().as_ref()),
            Event::Speaker(report) => {
                self.note_ended_speech(turn.at, &report);
                self.report(turn, report);
            }
            Event::Untold { speaker, command } => self.untold(turn, &speaker, &command),
            Event::IntegrationFailed(error) => turn.record(Entry::IntegrationFailed { error }),
            Event::Integrations(sources) => self.reload_integrations(turn, sources),
            Event::Tick => {}
        }
        self.tell_askers(turn, before);
        self.note_speech(turn, before);
    }

    /// What topics and payloads mean.
    pub fn registry(&self) -> Rc<Registry> {
        Rc::clone(&self.registry)
    }

    /// Names this run of the bridge; public.
    pub fn instance(&self) -> &str {
        self.ids.run()
    }

    /// What must outlive the process.
    pub fn durable(&self) -> Durable {
        self.world.borrow().durable.clone()
    }

    /// Topics that the policies listen to.
    pub fn topic_filters(&self) -> Vec<TopicFilter> {
        self.policies.topic_filters()
    }

    /// The house's mode: the configuration's, unless a switch says otherwise.
    pub fn mode(&self) -> Mode {
        self.world.borrow().durable.mode.map_or(self.config.mode, |switch| switch.value)
    }

    /// Whether a policy is switched on.
    fn is_on(&self, policy: &Policy) -> bool {
        self.world.borrow().durable.policies.get(policy.name()).map_or(policy.enabled(), |switch| switch.value)
    }

    /// Whether what a policy wishes is done, or only told.
    fn acts(&self, policy: &str) -> bool {
        self.policies.get(policy).is_some_and(|policy| self.mode().min(policy.mode()) == Mode::Enforce)
    }

    /// The zone of the house's clocks. A house that enforces has one; else the day is that of UTC.
    fn house_zone(&self) -> TimeZone {
        self.config.place.zone.clone().unwrap_or(TimeZone::UTC)
    }

    /// What a rule can look at now.
    fn view(&self, at: At) -> View {
        let zone = self.config.place.zone.as_ref().filter(|_| self.clock.is_plausible());
        View {
            at,
            civil: zone.map(|zone| at.utc.to_zoned(zone.clone())),
            coordinates: self.config.place.coordinates,
            world: Rc::clone(&self.world),
        }
    }

    /// Makes one durable change, and tells the store.
    fn change(&mut self, turn: &mut Turn<'_>, change: Change) {
        self.note_loosening(&change);
        self.note_left(turn.at, &change);
        let is_prompt = matches!(change, Change::Prompt { .. } | Change::Prompted { .. });
        self.world.borrow_mut().durable.apply(change.clone());
        turn.effects.push(Effect::Durable(change));
        if is_prompt {
            self.tell_prompts(turn);
        }
    }

    fn observe_clock(&mut self, turn: &mut Turn<'_>) {
        if let Some(plausible) = self.clock.observe(turn.at) {
            turn.record(Entry::Clock { plausible, utc: turn.at.utc });
        }
    }

    /// A new connection knows nothing of what was asked on the old one, and what was sent before may be lost.
    fn connected(&mut self, turn: &mut Turn<'_>) {
        turn.record(Entry::Connected);
        let owed = self.unmutes_owed.take().unwrap_or_default();
        self.prepare_speakers(turn);
        for (speaker, what) in owed {
            if !self.is_muted(&speaker) {
                self.tell_unmuted(turn, &speaker, what);
            }
        }
        for speaker in self.durable().mutes.into_keys() {
            self.begin_mute(turn, &speaker);
        }
        self.prompt_all(turn);
    }

    fn disconnected(&mut self, turn: &mut Turn<'_>, reason: String) {
        turn.record(Entry::Disconnected { reason });
        self.void_notices(turn);
        self.speakers.disconnected();
        self.unmutes_owed.get_or_insert_default();
    }
}

/// Bad input: a record, and an answer where somebody waits for one.
fn refuse(turn: &mut Turn<'_>, refusal: Refusal) {
    turn.record(Entry::Refused { topic: refusal.topic, reason: refusal.reason.clone() });
    if let Some(reply) = refusal.reply {
        let answer = AnswerBody {
            ask: reply.ask.clone(),
            decision: None,
            action: None,
            target: None,
            verdict: None,
            reason: refusal.reason,
            is_final: true,
            until: None,
        };
        turn.publish(Publication::Answer { reply, answer, needs_record: false });
    }
}

#[cfg(test)]
mod tests;
