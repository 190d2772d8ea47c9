//! The canary: looks at start, hourly and whenever there is reason whether the way around the bridge is shut.
//!
//! It runs beside the link, on connections of its own, and no command waits for it. How one round goes is in `probe`;
//! here is when, by whom and on which topics. At the same times it looks whether others can read the answers of channels
//! with a code (`listening`). It changes nothing: it only tells what it found.

use std::collections::BTreeSet;
use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::Sleep;

use crate::config::{Config, Login, Remote};
use crate::model::decision::Enforcement;
use crate::model::event::{Canary, Event};

mod listening;
pub mod probe;

use listening::{Ears, Listening};
use probe::{Finding, Probe};

/// Between two rounds.
pub const INTERVAL_S: u64 = 3_600;
/// From a reason to look until the round: discovery comes in many messages.
const SOON_MS: u64 = 2_000;
/// After a round that could not be played.
const RETRY_S: u64 = 60;
/// Topics of one round. Where there are more, the rounds take turns; what was open is looked at in each.
pub const TOPICS_MAX: usize = 64;

type Round = Pin<Box<dyn Future<Output = Result<Finding, String>>>>;

enum State {
    /// There is no connection, so there is nothing to look at.
    Idle,
    Waiting {
        until: Pin<Box<Sleep>>,
        is_soon: bool,
    },
    Looking {
        round: Round,
        /// Something changed meanwhile.
        again: bool,
    },
}

/// What ends a wait.
enum Step {
    /// A round begins.
    Due,
    /// A round is over, and whether something changed meanwhile.
    Found(Result<Finding, String>, bool),
}

impl State {
    async fn step(&mut self) -> Step {
        match self {
            State::Idle => std::future::pending().await,
            State::Waiting { until, .. } => {
                until.as_mut().await;
                Step::Due
            }
            State::Looking { round, again } => Step::Found(round.as_mut().await, *again),
        }
    }
}

/// The rounds of one run.
pub struct Rounds {
    broker: Remote,
    own: Option<Login>,
    unprivileged: Option<Login>,
    /// Names the rounds.
    seed: u64,
    count: u64,
    /// Where the next round's turn begins.
    turn: usize,
    open: BTreeSet<String>,
    /// Topics that were guarded when somebody last looked.
    known: BTreeSet<String>,
    told: Option<Canary>,
    state: State,
    ears: Ears,
}

impl fmt::Debug for Rounds {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Rounds").field("count", &self.count).field("told", &self.told).finish_non_exhaustive()
    }
}

impl Rounds {
    /// `broker` with the bridge's own login. Nothing happens before `connected`.
    pub fn new(broker: Remote, config: &Config, seed: u64) -> Rounds {
        Rounds {
            ears: Ears::new(Listening::of(config, &broker, String::new()), seed),
            broker,
            own: config.home_assistant.own.clone(),
            unprivileged: config.home_assistant.unprivileged.clone(),
            seed,
            count: 0,
            turn: 0,
            open: BTreeSet::new(),
            known: BTreeSet::new(),
            told: None,
            state: State::Idle,
        }
    }

    /// The bridge has a new connection: perhaps to a broker with other rules.
    pub fn connected(&mut self) {
        self.ears.connected();
        self.state = waiting(SOON_MS, true);
    }

    /// The connection is lost. A proof ends with it.
    pub fn disconnected(&mut self) -> Option<Canary> {
        self.ears.disconnected();
        self.state = State::Idle;
        self.told.as_ref().filter(|told| told.enforcement == Enforcement::Proven)?;
        let reason = "the connection to the broker was lost; it is looked at again on the next one".to_owned();
        self.tell(Canary { enforcement: Enforcement::Unproven, reason })
    }

    /// A topic is guarded. If that is new, it is looked at soon.
    pub fn guarded(&mut self, topic: &str) {
        if self.known.contains(topic) {
            return;
        }
        match &mut self.state {
            State::Idle | State::Waiting { is_soon: true, .. } => {}
            State::Waiting { .. } => self.state = waiting(SOON_MS, true),
            State::Looking { again, .. } => *again = true,
        }
    }

    /// The next proof, or the next finding that differs from the last one. `guarded` gives the topics that are guarded now. Cancelling it
    /// loses nothing.
    pub async fn next(&mut self, guarded: impl Fn() -> Vec<String>) -> Event {
        loop {
            let step = tokio::select! {
                biased;
                step = self.state.step() => step,
                overheard = self.ears.next() => return Event::Overheard(overheard),
            };
            let found = match step {
                Step::Due => self.begin(&guarded()),
                Step::Found(found, again) => Some(self.end(found, again)),
            };
            if let Some(canary) = found.and_then(|canary| self.tell(canary)) {
                return Event::Canary(canary);
            }
        }
    }

    /// Begins a round, or says at once why there is none.
    fn begin(&mut self, guarded: &[String]) -> Option<Canary> {
        self.state = waiting(INTERVAL_S * 1_000, false);
        self.known = guarded.iter().cloned().collect();
        self.open.retain(|topic| self.known.contains(topic));
        if guarded.is_empty() && self.told.is_none() {
            // Nothing is guarded in a house without sensitive devices; nobody has to hear of that.
            return None;
        }
        let topics = self.choose(guarded);
        self.count += 1;
        let name = format!("{:016x}", self.seed.wrapping_add(self.count));
        match prepare(&self.broker, self.own.as_ref(), self.unprivileged.as_ref(), topics, name) {
            Ok(probe) => {
                let round: Round = Box::pin(async move { probe::look(&probe).await });
                self.state = State::Looking { round, again: false };
                None
            }
            Err(reason) => Some(Canary { enforcement: Enforcement::Unproven, reason }),
        }
    }

    /// What was open, then a part of the others, another one in each round.
    fn choose(&mut self, guarded: &[String]) -> Vec<String> {
        let mut chosen: Vec<String> = self.open.iter().take(TOPICS_MAX).cloned().collect();
        let others: Vec<&String> = guarded.iter().filter(|topic| !self.open.contains(*topic)).collect();
        let count = others.len().min(TOPICS_MAX - chosen.len());
        let start = self.turn.checked_rem(others.len()).unwrap_or(0);
        chosen.extend(others.iter().cycle().skip(start).take(count).map(|topic| (*topic).clone()));
        self.turn = start + count;
        chosen
    }

    fn end(&mut self, found: Result<Finding, String>, again: bool) -> Canary {
        let (canary, delay_ms) = match found {
            Ok(finding) => {
                self.open = finding.open.into_iter().collect();
                (finding.canary, INTERVAL_S * 1_000)
            }
            Err(reason) => {
                let reason = format!("the canary has no connection of its own: {reason}");
                (Canary { enforcement: Enforcement::Unproven, reason }, RETRY_S * 1_000)
            }
        };
        self.state = if again { waiting(SOON_MS, true) } else { waiting(delay_ms, false) };
        canary
    }

    fn tell(&mut self, canary: Canary) -> Option<Canary> {
        // A proof counts for a while only, so it is told whenever it was found again.
        let is_news = canary.enforcement == Enforcement::Proven || self.told.as_ref() != Some(&canary);
        self.told = Some(canary.clone());
        is_news.then_some(canary)
    }
}

fn waiting(delay_ms: u64, is_soon: bool) -> State {
    State::Waiting { until: sleep(delay_ms), is_soon }
}

fn sleep(delay_ms: u64) -> Pin<Box<Sleep>> {
    Box::pin(tokio::time::sleep(Duration::from_millis(delay_ms)))
}

/// Puts a round together.
///
/// # Errors
/// Nothing can be tried at all, and why.
pub fn prepare(
    broker: &Remote,
    own: Option<&Login>,
    unprivileged: Option<&Login>,
    topics: Vec<String>,
    name: String,
) -> Result<Probe, String> {
    if topics.is_empty() {
        return Err("no topic is guarded".to_owned());
    }
    let users: Vec<Login> = own.into_iter().chain(unprivileged).cloned().collect();
    let doubt = match (own, unprivileged) {
        (Some(_), Some(_)) => None,
        (None, None) => {
            return Err("`home_assistant.canary` names no users that could be tried".to_owned());
        }
        (Some(_), None) => Some("`home_assistant.canary.unprivileged` is not set, so only Home Assistant was tried"),
        (None, Some(_)) => Some("`home_assistant.canary.home_assistant` is not set, so Home Assistant was not tried"),
    };
    Ok(Probe { broker: broker.clone(), users, topics, name, doubt: doubt.map(str::to_owned) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, NoSecrets};

    async fn next(rounds: &mut Rounds, guarded: impl Fn() -> Vec<String>) -> Canary {
        match rounds.next(guarded).await {
            Event::Canary(canary) => canary,
            other => panic!("{other:?}"),
        }
    }

    fn rounds(own: bool) -> Rounds {
        let login = || Login { username: "u".to_owned(), password: None };
        let mut config = config::parse("test.yaml", "base: h", &NoSecrets).expect("a configuration");
        (config.home_assistant.own, config.home_assistant.unprivileged) = (own.then(login), own.then(login));
        // Nobody listens on port 1.
        let host = "127.0.0.1".to_owned();
        Rounds::new(Remote { host, port: 1, tls: None, username: None, password: None }, &config, 7)
    }

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|index| format!("{index:03}")).collect()
    }

    #[test]
    fn the_rounds_take_turns_and_come_back_to_what_was_open() {
        let mut rounds = rounds(true);
        assert_eq!(rounds.choose(&names(3)), names(3));
        let all = names(TOPICS_MAX + 10);
        rounds.turn = 0;
        rounds.open = [all[5].clone()].into();
        let first = rounds.choose(&all);
        assert_eq!((first.len(), &first[0]), (TOPICS_MAX, &all[5]));
        let second = rounds.choose(&all);
        assert_eq!((second.len(), &second[0]), (TOPICS_MAX, &all[5]));
        let seen: BTreeSet<String> = first.into_iter().chain(second).collect();
        assert_eq!(seen, all.iter().cloned().collect(), "two rounds have seen them all");
    }

    #[test]
    fn a_proof_needs_both_users() {
        let login = Login { username: "u".to_owned(), password: None };
        let rounds = rounds(true);
        for (own, unprivileged, topics, expected) in [
            (None, None, names(1), Err("names no users")),
            (Some(&login), Some(&login), names(0), Err("no topic is guarded")),
            (Some(&login), None, names(1), Ok(Some("canary.unprivileged"))),
            (None, Some(&login), names(1), Ok(Some("canary.home_assistant"))),
            (Some(&login), Some(&login), names(1), Ok(None)),
        ] {
            let seen = prepare(&rounds.broker, own, unprivileged, topics, String::new());
            match (seen, expected) {
                (Ok(probe), Ok(doubt)) => {
                    assert_eq!(probe.doubt.is_some(), doubt.is_some());
                    assert!(probe.doubt.unwrap_or_default().contains(doubt.unwrap_or_default()));
                }
                (Err(error), Err(word)) => assert!(error.contains(word), "{error}"),
                (seen, expected) => panic!("expected {expected:?}, found {seen:?}"),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_tells_what_is_new_and_only_that() {
        let mut rounds = rounds(false);
        let hour = Duration::from_secs(INTERVAL_S + 60);
        let silent = tokio::time::timeout(hour, next(&mut rounds, || names(1))).await;
        assert!(silent.is_err(), "without a connection nothing is looked at");
        rounds.connected();
        let silent = tokio::time::timeout(hour, next(&mut rounds, Vec::new)).await;
        assert!(silent.is_err(), "nothing is guarded, and nobody has to hear of that");
        rounds.guarded("000");
        let canary =
            tokio::time::timeout(Duration::from_millis(2 * SOON_MS), next(&mut rounds, || names(1))).await.unwrap();
        assert_eq!(canary.enforcement, Enforcement::Unproven);
        assert!(canary.reason.contains("names no users"), "{}", canary.reason);
        let silent = tokio::time::timeout(3 * hour, next(&mut rounds, || names(1))).await;
        assert!(silent.is_err(), "it is the same each hour");
        let canary = tokio::time::timeout(hour, next(&mut rounds, Vec::new)).await.unwrap();
        assert_eq!(canary.reason, "no topic is guarded", "that is news after the other");
    }

    #[tokio::test]
    async fn a_proof_is_told_each_time() {
        let mut rounds = rounds(true);
        for (enforcement, expected) in [
            (Enforcement::Proven, true),
            (Enforcement::Proven, true),
            (Enforcement::Unproven, true),
            (Enforcement::Unproven, false),
        ] {
            let canary = Canary { enforcement, reason: "r".to_owned() };
            assert_eq!(rounds.tell(canary).is_some(), expected, "{enforcement:?}");
        }
    }

    #[tokio::test]
    async fn a_proof_ends_with_the_connection() {
        let mut rounds = rounds(true);
        assert_eq!(rounds.disconnected(), None, "nothing was told yet");
        rounds.told = Some(Canary { enforcement: Enforcement::Proven, reason: String::new() });
        let canary = rounds.disconnected().unwrap();
        assert_eq!(canary.enforcement, Enforcement::Unproven);
        assert_eq!(rounds.disconnected(), None, "and is told once");
    }

    #[tokio::test]
    async fn a_broker_that_cannot_be_reached_proves_nothing() {
        let mut rounds = rounds(true);
        rounds.state = waiting(0, true);
        let canary = next(&mut rounds, || names(1)).await;
        assert_eq!(canary.enforcement, Enforcement::Unproven);
        assert!(canary.reason.starts_with("the canary has no connection of its own"), "{}", canary.reason);
        assert!(matches!(rounds.state, State::Waiting { is_soon: false, .. }));
    }
}
