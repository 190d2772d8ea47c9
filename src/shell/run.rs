//! The loop: what the link, the clock and the folders of scripts bring goes into the bridge, and what the bridge wants
//! done is done in its order.
//!
//! It decides nothing, and it does not listen for signals: who runs it says when to stop.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use super::canary::Rounds;
use super::clock::Clock;
use super::delay::Delay;
use super::files;
use super::health::{self, Health};
use super::journal::Journal;
use super::journal::records::Records;
use super::link::{Lane, Link, LinkEvent, Undelivered};
use super::reload::{Changed, ScriptWatch};
use super::seed::Seeds;
use super::store::{Opened, Store, Trouble};
use crate::bridge::{Bridge, Output, Setup};
use crate::config::{Broker, Config};
use crate::model::durable::Change;
use crate::model::event::{Entry, Event, Record, Refusal};
use crate::model::message::Message;
use crate::model::time::At;
use crate::script::diagnostics::Diagnostic;

mod journal;
mod start;

#[cfg(all(test, feature = "embedded-broker"))]
pub(crate) use start::client_id;
pub use start::loopback;
use start::{connect, opening};

/// How long the timer sleeps where nothing has a deadline.
const NO_DEADLINE: Duration = Duration::from_secs(3_600);
/// How long after discovery has first changed the bridge subscribes anew.
const RENEWAL_DELAY_MS: u64 = 100;
/// How long after a failure the journal is tried again, if nothing else is written meanwhile.
const JOURNAL_RETRY_MS: u64 = 1_000;
/// How soon news goes into the health report. At a start much of it comes together.
const HEALTH_NEWS_MS: u64 = 1_000;
/// Messages that are judged, while there are more of them, before anything else is looked at.
const MESSAGES_AT_ONCE_MAX: usize = 64;
/// What a problem of the store is about.
const STORE: &str = "what is kept on disk";

/// Why the bridge could not start.
#[derive(Debug)]
pub enum StartError {
    /// Policies or integrations are wrong.
    Policies(Vec<Diagnostic>),
    /// Something that the configuration names cannot be used.
    Configuration(String),
}

/// Why the loop is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// It was asked to stop, and has said farewell.
    Stopped,
    /// The broker refused the first connection for a reason that trying again does not cure.
    Refused { reason: String, help: String },
    /// Another bridge has this base. This one forwards nothing any more.
    TakenOver,
}

/// A bridge, ready to run.
pub struct Run {
    config: Rc<Config>,
    clock: Clock,
    bridge: Bridge,
    link: Link,
    watch: ScriptWatch,
    journal: Journal,
    records: Records,
    health: Health,
    /// To subscribe anew when discovery has changed: devices announce themselves hundreds at a start.
    renewal: Delay,
    /// To try again to write a journal that fails.
    retry: Delay,
    store: Store,
    canary: Rounds,
    outputs: Vec<Output>,
    was_connected: bool,
    /// Outlives the link, which says farewell to it.
    #[cfg(feature = "embedded-broker")]
    broker: Option<super::broker::EmbeddedBroker>,
}

impl std::fmt::Debug for Run {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Run").field("bridge", &self.bridge).field("link", &self.link).finish_non_exhaustive()
    }
}

impl Run {
    /// Reads and compiles policies and integrations, starts the embedded broker if the configuration asks for it, and prepares the
    /// link. Must be called within the runtime that will run it.
    ///
    /// # Errors
    /// What stands in the way of a start; nothing is left running then.
    pub fn new(config: Rc<Config>, clock: Clock, seeds: &Seeds, journal: Journal) -> Result<Run, StartError> {
        let sources = files::read_scripts(&config.policies).map_err(StartError::Configuration)?;
        let integrations = files::read_integrations(&config.integrations_folder).map_err(StartError::Configuration)?;
        let watch =
            ScriptWatch::new((&config.policies, sources.clone()), (&config.integrations_folder, integrations.clone()));
        let watch = watch.map_err(StartError::Configuration)?;
        let count = sources.len();
        let Opened { mut store, saved, trouble } = Store::open(&config.data, clock.now());
        let mut health = Health::default();
        let mut outputs: Vec<Output> =
            trouble.and_then(|trouble| told(trouble, clock.now(), &mut health)).into_iter().collect();
        let setup = Setup {
            config: Rc::clone(&config),
            sources,
            seed: seeds.boot,
            integrations,
            stopwatch: Some(clock.stopwatch()),
            saved,
        };
        let bridge = Bridge::start(setup, clock.now(), &mut outputs).map_err(StartError::Policies)?;
        // What the start has changed is part of what this run begins with.
        store.begin(bridge.engine().durable());
        outputs.retain(|output| !matches!(output, Output::Store(_)));
        tracing::info!("{}", opening(&config, count, bridge.engine().revision()));
        #[cfg(feature = "embedded-broker")]
        let (remote, broker) = match &config.broker {
            Broker::Remote(remote) => (remote.clone(), None),
            Broker::Embedded { listen } => {
                let broker = super::broker::EmbeddedBroker::start(*listen).map_err(StartError::Configuration)?;
                tracing::info!("the embedded broker listens on {}", broker.address());
                (loopback(broker.address()), Some(broker))
            }
        };
        #[cfg(not(feature = "embedded-broker"))]
        let remote = match &config.broker {
            Broker::Remote(remote) => remote.clone(),
            Broker::Embedded { .. } => return Err(StartError::Configuration(NO_BROKER.to_owned())),
        };
        let records = Records::new(&config, seeds);
        let canary = Rounds::new(remote.clone(), &config, seeds.jitter);
        let link = connect(&config, &bridge, remote, seeds.jitter).map_err(StartError::Configuration)?;
        Ok(Run {
            config,
            clock,
            bridge,
            link,
            watch,
            journal,
            records,
            health,
            renewal: Delay::of(RENEWAL_DELAY_MS),
            retry: Delay::of(JOURNAL_RETRY_MS),
            store,
            canary,
            outputs,
            was_connected: false,
            #[cfg(feature = "embedded-broker")]
            broker,
        })
    }

    /// The same without a journal, for the benchmark that says what the journal costs. The program has no way to it.
    #[must_use]
    pub fn without_journal(mut self) -> Run {
        self.records.is_kept = false;
        self
    }

    /// Where the embedded broker listens, if there is one.
    pub fn broker_address(&self) -> Option<SocketAddr> {
        #[cfg(feature = "embedded-broker")]
        return self.broker.as_ref().map(super::broker::EmbeddedBroker::address);
        #[cfg(not(feature = "embedded-broker"))]
        None
    }

    /// Runs until `stop` is over, or until it cannot go on.
    pub async fn until(mut self, stop: impl Future<Output = ()>) -> Ended {
        let mut stop = pin!(stop);
        let mut timer = pin!(tokio::time::sleep(Duration::ZERO));
        let (mut armed_ms, mut is_armed) = (None, false);
        let mut health = tokio::time::interval(Duration::from_secs(health::INTERVAL_S));
        let mut is_health_soon = false;
        let (revision, mode) = (self.bridge.engine().revision().to_owned(), self.bridge.engine().mode());
        self.record(Entry::Started { version: env!("CARGO_PKG_VERSION").to_owned(), revision, mode });
        let mut at_once = 0;
        // The bridge has told the state of everything before there was a link.
        self.carry_out();
        self.tell_head();
        loop {
            // Commands first: one that has come is judged, and what it lets go leaves, before anything is said of it.
            if at_once < MESSAGES_AT_ONCE_MAX
                && let Some(event) = if_ready(self.link.next()).await
            {
                at_once += 1;
                match self.heard(event) {
                    Some(ended) => return self.end(ended).await,
                    None => continue,
                }
            }
            at_once = 0;
            if self.bridge.unsaid() > 0 {
                self.say();
            }
            let deadline_ms = self.bridge.next_deadline();
            if !is_armed || deadline_ms != armed_ms {
                (armed_ms, is_armed) = (deadline_ms, true);
                let delay = deadline_ms.map_or(NO_DEADLINE, |deadline_ms| self.clock.until(deadline_ms));
                timer.set(tokio::time::sleep(delay));
            }
            // What is due already is not put off by further news.
            if self.health.take_news() && !is_health_soon {
                health.reset_after(Duration::from_millis(HEALTH_NEWS_MS));
                is_health_soon = true;
            }
            let ended = tokio::select! {
                event = self.link.next() => self.heard(event),
                () = timer.as_mut() => {
                    is_armed = false;
                    self.tell(Event::Tick);
                    None
                }
                changed = self.watch.changed() => {
                    self.take_over(changed);
                    None
                }
                () = self.renewal.due() => {
                    self.link.subscribe(self.bridge.subscriptions());
                    None
                }
                () = self.retry.due() => {
                    self.retry_journal();
                    None
                }
                _ = health.tick() => {
                    is_health_soon = false;
                    // A day may have ended in a quiet house.
                    self.tell(Event::Tick);
                    self.store.pass_time(self.clock.now());
                    self.look_after_journal();
                    self.tell_health();
                    None
                }
                written = self.store.next(|| self.clock.now()) => {
                    self.written(written);
                    None
                }
                found = self.canary.next(|| self.bridge.engine().registry().guarded_topics()) => {
                    self.tell(found);
                    None
                }
                plan = self.records.upkeep.next(|| self.clock.now().utc) => {
                    self.pruned(plan);
                    None
                }
                () = stop.as_mut() => Some(Ended::Stopped),
            };
            if let Some(ended) = ended {
                return self.end(ended).await;
            }
        }
    }

    /// Takes in what happened on the link.
    fn heard(&mut self, event: LinkEvent) -> Option<Ended> {
        match event {
            LinkEvent::Message(message) => {
                self.judge(&message);
                if self.bridge.is_taken_over() {
                    return Some(Ended::TakenOver);
                }
            }
            LinkEvent::Connected => {
                self.was_connected = true;
                self.canary.connected();
                self.health.connected();
                self.tell(Event::Connected);
                self.send(self.bridge.online());
            }
            LinkEvent::Disconnected { reason } => {
                self.tell(Event::Disconnected { reason });
                if let Some(canary) = self.canary.disconnected() {
                    self.tell(Event::Canary(canary));
                }
            }
            LinkEvent::Undelivered(undelivered) => self.undelivered(undelivered),
            LinkEvent::Unreadable { topic, reason } => {
                self.tell(Event::Refused(Refusal { topic, reason, reply: None }));
            }
            LinkEvent::SubscriptionRefused { filter, reason } => {
                let reason = format!("the broker refused the subscription: {reason}");
                self.record(Entry::Refused { topic: filter, reason });
            }
            LinkEvent::Unreachable { reason, retry_ms } => tracing::warn!("{reason}; next attempt in {retry_ms} ms"),
            LinkEvent::Refused { reason, help, retry_ms } => {
                if !self.was_connected {
                    return Some(Ended::Refused { reason, help });
                }
                // A broker that has let us in before may be half way through a restart.
                tracing::error!("{reason}; next attempt in {retry_ms} ms; help: {help}");
            }
            LinkEvent::TakenOver => return Some(Ended::TakenOver),
        }
        None
    }

    fn judge(&mut self, message: &Message) {
        self.health.received();
        let (decisions, before) = (self.health.decisions(), self.clock.elapsed());
        self.bridge.judge(self.clock.now(), message, &mut self.outputs);
        if self.bridge.take_changed_topics() {
            self.renewal.ask();
        }
        let took = self.clock.elapsed().saturating_sub(before);
        self.carry_out();
        if self.health.decisions() != decisions {
            self.health.evaluated(took);
        }
    }

    /// Says what waits to be said of commands that have left.
    fn say(&mut self) {
        self.bridge.say(&mut self.outputs);
        self.carry_out();
    }

    /// Hands new scripts in. Rules come after the integrations whose events they name. Before anybody is told that they are
    /// in force, what they want to hear is subscribed to.
    fn take_over(&mut self, changed: Changed) {
        let integrations = changed.integrations.map(Event::Integrations);
        for event in integrations.into_iter().chain(changed.policies.map(Event::Reload)) {
            self.bridge.event(self.clock.now(), event, &mut self.outputs);
        }
        self.link.subscribe(self.bridge.subscriptions());
        self.carry_out();
    }

    fn tell(&mut self, event: Event) {
        self.bridge.event(self.clock.now(), event, &mut self.outputs);
        self.carry_out();
    }

    /// Does what the bridge wants done, in its order. A command that cannot be sent is told to the bridge, which answers
    /// with records and publications alone, so this ends.
    fn carry_out(&mut self) {
        let mut outputs = std::mem::take(&mut self.outputs);
        let records = outputs.iter().filter_map(|output| match output {
            Output::Journal(record) => Some(Rc::clone(record)),
            _ => None,
        });
        let records: Vec<Rc<Record>> = records.collect();
        let mut recorded = self.write(records.iter().map(|record| &**record));
        let mut lost = Vec::new();
        for output in outputs.drain(..) {
            match output {
                Output::Journal(_) => {}
                Output::Store(change) => self.keep(change),
                Output::Forward(permit) => {
                    let topic = permit.topic();
                    let is_recorded = if permit.needs_record() { self.records.surely(&mut recorded) } else { Ok(()) };
                    lost.extend(match is_recorded {
                        Ok(()) => self.link.send(Lane::Forward, permit.into_message()).err(),
                        Err(reason) => Some(Undelivered { lane: Lane::Forward, topic: topic.to_owned(), reason }),
                    });
                }
                Output::Send(message) => self.send(message),
                Output::SendRecorded(message) => match self.records.surely(&mut recorded) {
                    Ok(()) => self.send(message),
                    Err(reason) => lost.push(Undelivered { lane: Lane::Publication, topic: message.topic, reason }),
                },
            }
        }
        // The allocation is kept for the next message.
        self.outputs = outputs;
        // The journal has them; the program's own log, and the counts, need not keep a command waiting.
        for record in &records {
            self.show(record);
        }
        // First of all: what was loosened in this very instant is taken back, and nothing else may begin another one.
        self.tell_journal();
        for undelivered in lost {
            self.undelivered(undelivered);
        }
    }

    fn keep(&mut self, change: Change) {
        if let Change::Guard { topic, .. } = &change {
            self.canary.guarded(topic);
        }
        self.store.keep(change);
    }

    fn written(&mut self, written: Result<(), String>) {
        let problem = written.err();
        if let Some(problem) = &problem {
            tracing::error!("{problem}; the bridge goes on, and the next change is another attempt");
        }
        self.health.problem(STORE, problem.as_deref());
    }

    fn send(&mut self, message: Message) {
        // What is stored is told anew on each connection, and so are questions; what tells of a record is in the journal
        // already. None of it is missed while there is no connection.
        let is_missed = !message.retain && !self.is_told_again(&message.topic);
        if let Err(undelivered) = self.link.send(Lane::Publication, message)
            && (is_missed || self.link.is_up())
        {
            self.undelivered(undelivered);
        }
    }

    fn is_told_again(&self, topic: &str) -> bool {
        let below_base = topic.strip_prefix(self.config.base.as_str()).and_then(|rest| rest.strip_prefix('/'));
        let starts = |rest: &str| ["decision/", "prompt/"].iter().any(|start| rest.starts_with(start));
        below_base.is_some_and(|rest| matches!(rest, "log" | "home_assistant/decision") || starts(rest))
    }

    /// A lost command is told to the bridge. A lost publication is only written down: telling the bridge would make it
    /// publish again, into the same gap.
    fn undelivered(&mut self, undelivered: Undelivered) {
        let Undelivered { lane, topic, reason } = undelivered;
        match lane {
            Lane::Forward => self.tell(Event::Dropped { topic, reason }),
            Lane::Publication => self.record(Entry::Dropped { topic, reason }),
        }
    }

    fn tell_health(&mut self) {
        if !self.link.is_up() {
            return;
        }
        let prompts = self.bridge.engine().prompt_counts(self.clock.now());
        let report = self.health.report(self.clock.elapsed(), self.link.waiting(), prompts);
        match serde_json::to_vec(&report) {
            Ok(payload) => self.send(Message::retained(format!("{}/health", self.config.base), payload)),
            Err(error) => tracing::error!("the health report cannot be written: {error}"),
        }
    }

    async fn end(mut self, ended: Ended) -> Ended {
        self.say();
        // After a takeover the retained status is the other bridge's.
        // Where there is no connection, the last will has said it.
        let says_farewell = ended == Ended::Stopped && self.link.is_up();
        let reason = match &ended {
            Ended::Stopped => "it was asked to",
            Ended::Refused { reason, .. } => reason,
            Ended::TakenOver => "another bridge has taken this base",
        };
        self.record(Entry::Stopped { reason: reason.to_owned() });
        if says_farewell {
            self.tell_head();
        }
        let last = if says_farewell { vec![self.bridge.offline()] } else { Vec::new() };
        // The folder may be the other bridge's by now, and the times of its run are not those of this one.
        let keeps = ended != Ended::TakenOver;
        if keeps && let Err(problem) = self.store.close(self.clock.now()).await {
            tracing::error!("{problem}");
        }
        let link = self.link;
        for undelivered in link.close(last).await {
            let entry = Entry::Dropped { topic: undelivered.topic, reason: undelivered.reason };
            let record = Record { at: self.clock.now().utc, entry };
            self.health.recorded(record.at, &record.entry);
            self.journal.write(&record);
            self.records.writer.write(record.at, [&record]).unwrap_or_default();
        }
        self.records.writer.sync().unwrap_or_default();
        ended
    }
}

/// Tells what stood in the way of reading what an earlier run left, and gives the record of it.
fn told(trouble: Trouble, now: At, health: &mut Health) -> Option<Output> {
    let (about, problem, lost) = match trouble {
        Trouble::Lost { file, reason, problem } => (file.clone(), problem, Some((file, reason))),
        Trouble::Unavailable(problem) => (STORE.to_owned(), problem, None),
    };
    tracing::error!("{}", problem.replace('\n', "; "));
    health.problem(&about, Some(&problem));
    let (file, reason) = lost?;
    Some(Output::Journal(Rc::new(Record { at: now.utc, entry: Entry::StateLost { file, reason } })))
}

#[cfg(not(feature = "embedded-broker"))]
const NO_BROKER: &str = "this build has no embedded broker\nhelp: set `broker.url` to a broker, or build with the feature \
                         `embedded-broker`";

/// What a future has now. `None`: it would have to be waited for.
async fn if_ready<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|context| {
        Poll::Ready(match future.as_mut().poll(context) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        })
    })
    .await
}
