//! The whole core in one value: wire and engine together. MQTT messages go in, MQTT messages come out.
//!
//! The live shell, the scenarios, the simulation and the benchmarks all drive this, so they cannot disagree. It is pure:
//! no clock, no socket, no file.

use std::rc::Rc;

use bytes::Bytes;
use jiff::Timestamp;

pub use crate::engine::Setup;

use crate::config::Config;
use crate::engine::Engine;
use crate::journal::told::{told, told_decision};
use crate::model::durable::Change;
use crate::model::event::{Effect, Entry, Event, Publication, Record};
use crate::model::message::Message;
use crate::model::permit::Permit;
use crate::model::time::At;
use crate::model::topic::TopicFilter;
use crate::script::diagnostics::Diagnostic;
use crate::wire::{Decoded, Subscription, Wire};

/// What the shell must do. One call gives them in the order in which they must happen: first what is written down, then
/// commands to devices, then everything that is said about them, the decisions behind those commands last.
#[derive(Debug)]
pub enum Output {
    /// Write to the owner's log.
    Journal(Rc<Record>),
    /// Write to the store.
    Store(Change),
    /// Send a command to its device, at most once.
    Forward(Permit),
    /// Send one of the bridge's own messages.
    Send(Message),
    /// Send it only if the record of its decision is in the journal: it lets an asker act.
    SendRecorded(Message),
}

/// Something that is told of a command which has left.
#[derive(Debug)]
enum Unsaid {
    /// Why it was let go.
    Decision(Rc<Record>),
    /// What should follow from it, for devices that tell nothing themselves.
    States { topic: String, payload: Bytes },
}

/// The core of Hushgate.
#[derive(Debug)]
pub struct Bridge {
    config: Rc<Config>,
    engine: Engine,
    wire: Wire,
    policy_topics: Vec<TopicFilter>,
    taken_over: bool,
    unsaid: Vec<Unsaid>,
    /// Kept between calls, so that the path of a command allocates no new one.
    effects: Vec<Effect>,
}

impl Bridge {
    /// Compiles the policies and says the state of everything.
    ///
    /// # Errors
    /// All that is wrong with the policies.
    pub fn start(setup: Setup, at: At, out: &mut Vec<Output>) -> Result<Bridge, Vec<Diagnostic>> {
        let config = Rc::clone(&setup.config);
        let mut effects = Vec::new();
        let engine = Engine::start(setup, at, &mut effects)?;
        // Begins with the time, so that of two bridges on one base it can be told which one started later.
        let instance = format!("{:011x}-{}", at.utc.as_millisecond().max(0), engine.instance());
        let wire = Wire::new(Rc::clone(&config), engine.registry(), &instance);
        let policy_topics = engine.topic_filters();
        let mut bridge = Bridge { config, engine, wire, policy_topics, taken_over: false, unsaid: Vec::new(), effects };
        bridge.drain(at, out);
        bridge.say(out);
        Ok(bridge)
    }

    /// One message came from the broker: does all that follows from it.
    pub fn message(&mut self, at: At, message: &Message, out: &mut Vec<Output>) {
        self.judge(at, message, out);
        self.say(out);
    }

    /// One message came from the broker. What is said of a command that it lets go waits for `say`, so that the command need
    /// not wait for the words.
    pub fn judge(&mut self, at: At, message: &Message, out: &mut Vec<Output>) {
        if self.taken_over {
            return;
        }
        self.wire.pass_time(at);
        let decoded = self.wire.decode(message, &self.policy_topics);
        self.take_in(at, decoded, out);
    }

    /// How much waits for `say`.
    pub fn unsaid(&self) -> usize {
        self.unsaid.len()
    }

    /// Says what is to be said of the commands that were let go.
    pub fn say(&mut self, out: &mut Vec<Output>) {
        for unsaid in self.unsaid.drain(..) {
            let messages = match unsaid {
                Unsaid::Decision(record) => self.wire.record(&told(&record, &self.config.log)),
                Unsaid::States { topic, payload } => self.wire.tell_states(&topic, &payload),
            };
            out.extend(messages.into_iter().map(Output::Send));
        }
    }

    /// Tells the engine what the wire has read.
    fn take_in(&mut self, at: At, decoded: Decoded, out: &mut Vec<Output>) {
        self.taken_over = decoded.taken_over;
        for event in decoded.events {
            self.engine.handle(at, event, &mut self.effects);
        }
        self.drain(at, out);
        out.extend(decoded.repairs.into_iter().map(Output::Send));
    }

    /// Something else happened: a connection came or went, policies were changed, time passed.
    pub fn event(&mut self, at: At, event: Event, out: &mut Vec<Output>) {
        // New rules or the end of a loosening could let a held command go that the other bridge now answers for.
        if self.taken_over {
            return;
        }
        let reloads = matches!(event, Event::Reload(_) | Event::Integrations(_));
        match event {
            Event::Connected => {
                self.wire.connected(at);
                out.extend(self.wire.retained().into_iter().map(Output::Send));
            }
            Event::Disconnected { .. } => self.wire.disconnected(),
            Event::Tick => {
                let decoded = self.wire.tick(at);
                self.take_in(at, decoded, out);
            }
            _ => {}
        }
        self.engine.handle(at, event, &mut self.effects);
        if reloads {
            self.policy_topics = self.engine.topic_filters();
        }
        self.drain(at, out);
        self.say(out);
    }

    /// The monotonic time, in milliseconds, at which `event` must be called with `Event::Tick`.
    pub fn next_deadline(&self) -> Option<u64> {
        let deadlines = [self.engine.next_deadline(), self.wire.next_deadline()];
        if self.taken_over { None } else { deadlines.into_iter().flatten().min() }
    }

    /// Whether `subscriptions` gives something else than before, since discovery has changed. It is said once.
    pub fn take_changed_topics(&mut self) -> bool {
        self.wire.take_changed_topics()
    }

    /// What to subscribe to on every new connection, again after a reload, and when discovery has changed.
    pub fn subscriptions(&self) -> Vec<Subscription> {
        self.wire.subscriptions(&self.policy_topics)
    }

    pub fn will(&self) -> Message {
        self.wire.will()
    }

    pub fn online(&self) -> Message {
        self.wire.online()
    }

    pub fn offline(&self) -> Message {
        self.wire.offline()
    }

    /// Where the chain of the journal stands, to be sent. It is sent again on each new connection.
    pub fn journal_head(&mut self, seq: u64, chain: &str, at: Timestamp) -> Message {
        self.wire.journal_head(seq, chain, at)
    }

    /// Another bridge has taken this base. From then on nothing is decided and nothing is forwarded.
    pub fn is_taken_over(&self) -> bool {
        self.taken_over
    }

    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Writes the effects out, and tells what went wrong in integrations meanwhile, and what follows from that.
    fn drain(&mut self, at: At, out: &mut Vec<Output>) {
        self.write_out(at, out);
        let failures = self.engine.registry().integrations().take_failures();
        let untold = self.wire.take_untold();
        if failures.is_empty() && untold.is_empty() {
            return;
        }
        for error in failures {
            let error = self.wire.without_tokens(error);
            self.engine.handle(at, Event::IntegrationFailed(error), &mut self.effects);
        }
        for (speaker, command) in untold {
            self.engine.handle(at, Event::Untold { speaker, command }, &mut self.effects);
        }
        self.write_out(at, out);
    }

    /// Writes the effects out, in the order that `Output` promises.
    fn write_out(&mut self, at: At, out: &mut Vec<Output>) {
        let (mut forwards, mut sends) = (Vec::new(), Vec::new());
        sends.extend(self.wire.time_passes(at).into_iter().map(Output::Send));
        let lets_go = self.effects.iter().any(|effect| matches!(effect, Effect::Forward(_)));
        for effect in self.effects.drain(..) {
            match effect {
                Effect::Record(record) => {
                    let record: Rc<Record> = record.into();
                    if lets_go && matches!(record.entry, Entry::Decision { .. }) {
                        self.unsaid.push(Unsaid::Decision(Rc::clone(&record)));
                    } else {
                        // On MQTT stands what may leave the house; the journal seals the rest.
                        let told = told(&record, &self.config.log);
                        sends.extend(self.wire.record(&told).into_iter().map(Output::Send));
                    }
                    out.push(Output::Journal(record));
                }
                Effect::Durable(change) => {
                    if let Change::Guard { topic, .. } = &change {
                        sends.extend(self.wire.guarded(topic).into_iter().map(Output::Send));
                    }
                    out.push(Output::Store(change));
                }
                Effect::Forward(permit) => {
                    self.wire.forwarded(at, permit.topic(), permit.payload());
                    let (topic, payload) = (permit.topic().to_owned(), permit.payload().clone());
                    self.unsaid.push(Unsaid::States { topic, payload });
                    forwards.push(Output::Forward(permit));
                }
                Effect::Publish(Publication::Bypass(decision)) => {
                    let told = Box::new(told_decision(&decision, &self.config.log).into_owned());
                    let publication = Publication::Bypass(told);
                    sends.extend(self.wire.publication(publication).into_iter().map(Output::Send));
                }
                Effect::Publish(publication) => {
                    let needs_record = matches!(publication, Publication::Answer { needs_record: true, .. });
                    let send = if needs_record { Output::SendRecorded } else { Output::Send };
                    for message in self.wire.publication(publication) {
                        self.engine.note_act(at, &message.topic, &message.payload);
                        sends.push(send(message));
                    }
                }
            }
        }
        out.append(&mut forwards);
        out.append(&mut sends);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, NoSecrets};
    use crate::model::event::ScriptSource;

    #[test]
    fn a_command_does_not_wait_for_what_is_said_of_it_and_nothing_is_left_unsaid() {
        let text = "mode: enforce\ntime_zone: Europe/Berlin\ncommands: [{topic: lamp/set, action: light.turn_on}]\n";
        let at = At { monotonic_ms: At::MONOTONIC_START_MS, utc: At::UTC_MIN };
        let start = || {
            let setup = Setup {
                config: Rc::new(config::parse("test.yaml", text, &NoSecrets).expect("a configuration")),
                sources: Vec::new(),
                integrations: Vec::new(),
                seed: [0; 32],
                stopwatch: None,
                saved: None,
            };
            Bridge::start(setup, at, &mut Vec::new()).expect("a bridge")
        };
        let shown = |out: &[Output]| -> Vec<String> {
            let show = |output: &Output| match output {
                Output::Journal(_) => "journal".to_owned(),
                Output::Forward(permit) => format!("forward to {}", permit.topic()),
                Output::Send(message) => message.topic.clone(),
                other => format!("{other:?}"),
            };
            out.iter().map(show).collect()
        };
        let command = Message::live("hushgate/gate/lamp/set", "ON");
        let first = ["journal", "forward to lamp/set"];
        let said = [
            "hushgate/decision/allow/light.turn_on",
            "hushgate/home_assistant/decision",
            "hushgate/home_assistant/last_decision",
        ];
        let (mut bridge, mut out) = (start(), Vec::new());
        bridge.judge(at, &command, &mut out);
        assert_eq!(shown(&out), first);
        assert!(bridge.unsaid() > 0);
        out.clear();
        bridge.say(&mut out);
        assert_eq!((shown(&out), bridge.unsaid()), (said.map(str::to_owned).to_vec(), 0));
        // Whatever else happens says it too.
        let (mut bridge, mut out) = (start(), Vec::new());
        bridge.judge(at, &command, &mut out);
        bridge.event(at, Event::Tick, &mut out);
        assert_eq!(
            (shown(&out), bridge.unsaid()),
            ([&first[..], &said[..]].concat().iter().map(|text| (*text).to_owned()).collect(), 0)
        );
        let (mut bridge, mut out) = (start(), Vec::new());
        bridge.message(at, &command, &mut out);
        assert_eq!((out.len(), bridge.unsaid()), (5, 0));
    }

    #[test]
    fn what_was_said_is_in_the_journal_and_leaves_only_where_the_owner_says_so() {
        let commands = "commands: [{topic: say/set, action: assist_satellite.announce, text: '{payload}', data: {code: '1234'}}]\n";
        for (log, leaves) in [("", false), ("log: {publish_text: true}\n", true)] {
            let at = At { monotonic_ms: At::MONOTONIC_START_MS, utc: At::UTC_MIN };
            let setup = Setup {
                config: Rc::new(config::parse("test.yaml", &format!("{commands}{log}"), &NoSecrets).expect("valid")),
                sources: Vec::new(),
                integrations: Vec::new(),
                seed: [0; 32],
                stopwatch: None,
                saved: None,
            };
            let mut out = Vec::new();
            let mut bridge = Bridge::start(setup, at, &mut out).expect("a bridge");
            out.clear();
            bridge.message(at, &Message::live("hushgate/gate/say/set", "come home"), &mut out);
            let holds = |bytes: &[u8], words: &str| String::from_utf8_lossy(bytes).contains(words);
            let (mut is_written, mut is_decided) = (false, false);
            for output in &out {
                match output {
                    Output::Journal(record) => is_written |= format!("{record:?}").contains("come home"),
                    Output::Send(message) => {
                        is_decided |= message.topic.starts_with("hushgate/decision/");
                        let is_text = holds(&message.payload, "come home");
                        assert!(leaves || !is_text, "{message:?}");
                        assert!(!holds(&message.payload, "1234"), "a code never leaves: {message:?}");
                    }
                    _ => {}
                }
            }
            assert!(is_written && is_decided);
        }
    }

    #[test]
    fn once_taken_over_not_even_new_rules_let_a_held_command_go() {
        let text = "mode: enforce\ntime_zone: Europe/Berlin\nchannels: {phone: {kind: person, independent: true, confirms: true}}\ncommands: [{topic: door/set, action: lock.unlock}]\n";
        let policy = |text: &str| ScriptSource {
            name: "doors".to_owned(),
            file: "doors.rhai".to_owned(),
            text: format!("//! Doors.\nconst ACTIONS = [\"lock.*\"];\nfn on_request(request) {{ {text} }}\n"),
        };
        for is_taken_over in [false, true] {
            let at = At { monotonic_ms: At::MONOTONIC_START_MS, utc: At::UTC_MIN };
            let setup = Setup {
                config: Rc::new(config::parse("test.yaml", text, &NoSecrets).expect("a configuration")),
                sources: vec![policy("confirm(\"Open?\")")],
                integrations: Vec::new(),
                seed: [0; 32],
                stopwatch: None,
                saved: None,
            };
            let mut out = Vec::new();
            let mut bridge = Bridge::start(setup, at, &mut out).expect("a bridge");
            bridge.message(at, &Message::live("hushgate/gate/door/set", "UNLOCK"), &mut out);
            if is_taken_over {
                bridge.message(at, &Message::live("hushgate/info", r#"{"instance":"other"}"#), &mut out);
            }
            bridge.event(at, Event::Reload(Ok(vec![policy("allow()")])), &mut out);
            let forwards = out.iter().filter(|output| matches!(output, Output::Forward(_))).count();
            assert_eq!((bridge.is_taken_over(), forwards), (is_taken_over, usize::from(!is_taken_over)));
        }
    }
}
