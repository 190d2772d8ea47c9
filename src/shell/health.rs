//! How the bridge is doing: what it has seen and how long it took, for `<base>/health`.
//!
//! Numbers, and what is not as it should be; nothing here is about one request.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::decision::{Decision, Enforcement, Verdict};
use crate::model::durable::PromptCounts;
use crate::model::event::{Canary, Entry, Overheard};
use crate::model::request::Door;

/// How often it is published.
pub const INTERVAL_S: u64 = 60;
/// Evaluations that the percentiles are taken from: the latest ones.
const SAMPLES_MAX: usize = 4_096;
/// Problems that are told at one time. Where there are more, the last one says so.
pub const PROBLEMS_MAX: usize = 64;
/// What a problem of the journal is about.
const JOURNAL: &str = "the journal";
const NOT_WRITTEN: &str = "it cannot be written, so what is sensitive is denied";
/// Nobody has looked yet.
const NOT_LOOKED: &str = "nobody has looked yet";

/// Counts since the start.
#[derive(Debug, Default)]
pub struct Health {
    received: u64,
    dropped: u64,
    decisions: Decisions,
    doors: Doors,
    /// A ring of microseconds.
    samples: Vec<u32>,
    next_sample: usize,
    canary: Option<Canary>,
    /// By what they are about: a guarded topic, a file.
    problems: BTreeMap<String, String>,
    /// Of these, channels that are locked for a while, and until when.
    locked: BTreeMap<String, Timestamp>,
    has_news: bool,
}

/// Something that the owner should look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// A guarded topic, or a file.
    pub about: String,
    pub problem: String,
}

/// Decisions by verdict, as judged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decisions {
    pub allow: u64,
    pub confirm: u64,
    pub deny: u64,
}

/// Requests by the doors through which devices are commanded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doors {
    pub gate: u64,
    pub twin: u64,
    /// Seen on their real topics, where nothing is guarded.
    pub watch: u64,
    /// Seen on their real topics, past the gate.
    pub bypass: u64,
}

/// How long messages took that led to a decision, from their arrival in the core to the last effect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evaluation {
    pub p50: u32,
    pub p99: u32,
    pub max: u32,
}

/// What is published.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub uptime_s: u64,
    pub received: u64,
    pub decisions: Decisions,
    pub doors: Doors,
    /// Messages that were not sent.
    pub dropped: u64,
    pub evaluation_us: Evaluation,
    /// Messages that wait for the broker.
    pub queue: usize,
    /// Resident memory, where the system tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_kib: Option<u64>,
    /// Whether the way around the bridge is shut, as the canary found.
    pub enforcement: Enforcement,
    pub enforcement_reason: String,
    /// How often people are asked, and what they say.
    #[serde(default)]
    pub prompts: PromptCounts,
    pub problems: Vec<Problem>,
}

impl Health {
    /// Whoever reads the report on this connection must not wait for it.
    pub fn connected(&mut self) {
        self.has_news = true;
    }

    pub fn received(&mut self) {
        self.received += 1;
    }

    /// Takes in a record, and the time at which it was made.
    pub fn recorded(&mut self, at: Timestamp, entry: &Entry) {
        self.unlock(at);
        match entry {
            Entry::Decision { decision } => {
                let count = match decision.verdict {
                    Verdict::Allow => &mut self.decisions.allow,
                    Verdict::Confirm => &mut self.decisions.confirm,
                    Verdict::Deny => &mut self.decisions.deny,
                };
                *count += 1;
                self.passed(decision);
            }
            Entry::Dropped { .. } => self.dropped += 1,
            Entry::Canary { enforcement, reason } => {
                self.canary = Some(Canary { enforcement: *enforcement, reason: reason.clone() });
                self.has_news = true;
            }
            Entry::Journal { failure } => {
                let problem = failure.as_ref().map(|reason| format!("{NOT_WRITTEN}: {reason}"));
                self.problem(JOURNAL, problem.as_deref());
            }
            Entry::Guarded { topic, problem, .. } => self.problem(topic, problem.as_deref()),
            Entry::ChannelLocked { channel, until } => self.locked(channel, *until),
            Entry::ChannelOverheard { overheard: Overheard { channel, problem } } => {
                self.problem(&format!("channel {channel}: privacy"), problem.as_deref());
            }
            _ => {}
        }
    }

    /// It is a problem until then. It goes with the first record after that.
    fn locked(&mut self, channel: &str, until: Timestamp) {
        let about = format!("channel {channel}");
        self.problem(&about, Some(&format!("it is locked until {until:.0}: too many wrong codes came")));
        self.locked.insert(about, until);
    }

    fn unlock(&mut self, at: Timestamp) {
        let over: Vec<String> =
            self.locked.iter().filter(|(_, until)| **until <= at).map(|(about, _)| about.clone()).collect();
        for about in over {
            self.locked.remove(&about);
            self.problem(&about, None);
        }
    }

    /// A command came by a door. The end of a held one is the same command.
    fn passed(&mut self, decision: &Decision) {
        let count = match decision.request.door {
            Door::Gate => &mut self.doors.gate,
            Door::Twin => &mut self.doors.twin,
            Door::Watch => &mut self.doors.watch,
            Door::Bypass => &mut self.doors.bypass,
            Door::Ask | Door::Intent | Door::Policy | Door::Control => return,
        };
        *count += u64::from(decision.settles.is_none());
    }

    /// Something is not as it should be, or is again.
    pub fn problem(&mut self, about: &str, problem: Option<&str>) {
        let earlier = match problem {
            Some(problem) => self.problems.insert(about.to_owned(), problem.to_owned()),
            None => self.problems.remove(about),
        };
        self.has_news |= earlier.as_deref() != problem;
    }

    /// Whether something changed since the last call that nobody should wait a minute for.
    pub fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.has_news)
    }

    pub fn decisions(&self) -> Decisions {
        self.decisions
    }

    pub fn evaluated(&mut self, duration: Duration) {
        let sample = u32::try_from(duration.as_micros()).unwrap_or(u32::MAX);
        match self.samples.get_mut(self.next_sample) {
            Some(oldest) => *oldest = sample,
            None => self.samples.push(sample),
        }
        self.next_sample = (self.next_sample + 1) % SAMPLES_MAX;
    }

    pub fn report(&self, uptime: Duration, queue: usize, prompts: PromptCounts) -> Report {
        Report {
            uptime_s: uptime.as_secs(),
            received: self.received,
            decisions: self.decisions,
            doors: self.doors,
            dropped: self.dropped,
            evaluation_us: self.evaluation(),
            queue,
            memory_kib: resident_kib(),
            enforcement: self.canary.as_ref().map_or(Enforcement::Unproven, |canary| canary.enforcement),
            enforcement_reason: self
                .canary
                .as_ref()
                .map_or_else(|| NOT_LOOKED.to_owned(), |canary| canary.reason.clone()),
            prompts,
            problems: self.problems(),
        }
    }

    fn problems(&self) -> Vec<Problem> {
        let all =
            self.problems.iter().map(|(about, problem)| Problem { about: about.clone(), problem: problem.clone() });
        if self.problems.len() <= PROBLEMS_MAX {
            return all.collect();
        }
        let shown = PROBLEMS_MAX - 1;
        let rest = format!("there are {} more problems; the log has them", self.problems.len() - shown);
        all.take(shown).chain([Problem { about: "further problems".to_owned(), problem: rest }]).collect()
    }

    fn evaluation(&self) -> Evaluation {
        let mut sorted = self.samples.clone();
        sorted.sort_unstable();
        let at = |percent: usize| {
            let rank = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
            sorted.get(rank).copied().unwrap_or(0)
        };
        Evaluation { p50: at(50), p99: at(99), max: at(100) }
    }
}

fn resident_kib() -> Option<u64> {
    let status = super::files::read_text(std::path::Path::new("/proc/self/status"), 64 * 1024).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp::UNIX_EPOCH;

    fn report(health: &Health) -> Report {
        health.report(Duration::ZERO, 0, PromptCounts::default())
    }

    #[test]
    fn percentiles_are_those_of_the_latest_samples() {
        let mut health = Health::default();
        assert_eq!(report(&health).evaluation_us, Evaluation::default());
        for microseconds in 1..=100 {
            health.evaluated(Duration::from_micros(microseconds));
        }
        let expected = Evaluation { p50: 50, p99: 99, max: 100 };
        assert_eq!(report(&health).evaluation_us, expected);
        for _ in 0..SAMPLES_MAX {
            health.evaluated(Duration::from_micros(7));
        }
        let expected = Evaluation { p50: 7, p99: 7, max: 7 };
        assert_eq!(report(&health).evaluation_us, expected, "old samples have left the ring");
        assert_eq!(health.samples.len(), SAMPLES_MAX);
    }

    #[test]
    fn a_command_is_counted_once_at_its_door() {
        let mut health = Health::default();
        let mut decision = crate::shell::lines::tests::example();
        for (door, is_end) in
            [(Door::Gate, false), (Door::Gate, true), (Door::Twin, false), (Door::Watch, false), (Door::Ask, false)]
        {
            decision.request.door = door;
            let (pending, outcome) = ("1".to_owned(), crate::model::decision::Outcome::Approved);
            decision.settles = is_end.then_some(crate::model::decision::Settlement { pending, outcome, channel: None });
            health.recorded(AT, &Entry::Decision { decision: Box::new(decision.clone()) });
        }
        assert_eq!(report(&health).doors, Doors { gate: 1, twin: 1, watch: 1, bypass: 0 });
    }

    #[test]
    fn problems_come_and_go_and_are_bounded() {
        let mut health = Health::default();
        let guarded = |topic: &str, problem: Option<&str>| Entry::Guarded {
            topic: topic.to_owned(),
            entities: Vec::new(),
            problem: problem.map(str::to_owned),
            by: None,
        };
        let seen = report(&health);
        assert_eq!((seen.enforcement, seen.enforcement_reason.as_str()), (Enforcement::Unproven, NOT_LOOKED));
        health.recorded(AT, &Entry::Canary { enforcement: Enforcement::Proven, reason: "r".to_owned() });
        assert_eq!(report(&health).enforcement, Enforcement::Proven);
        assert!(health.take_news() && !health.take_news());
        for (failure, told) in [(Some("full"), 1), (None, 0)] {
            health.recorded(AT, &Entry::Journal { failure: failure.map(str::to_owned) });
            assert_eq!((health.problems().len(), health.take_news()), (told, true));
        }
        health.recorded(AT, &guarded("a", None));
        assert!(!health.take_news(), "a topic that is guarded and as it should be is no news");
        for index in 0..PROBLEMS_MAX {
            health.recorded(AT, &guarded(&format!("{index:03}"), Some("p")));
        }
        let problems = report(&health).problems;
        assert_eq!((problems.len(), problems[PROBLEMS_MAX - 1].about.as_str()), (PROBLEMS_MAX, "063"));
        health.recorded(AT, &guarded("064", Some("p")));
        let problems = report(&health).problems;
        assert_eq!(problems.len(), PROBLEMS_MAX);
        assert_eq!(problems[PROBLEMS_MAX - 1].problem, "there are 2 more problems; the log has them");
        for index in 0..=PROBLEMS_MAX {
            health.recorded(AT, &guarded(&format!("{index:03}"), None));
        }
        assert!(report(&health).problems.is_empty());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn memory_is_told_where_the_system_tells_it() {
        assert!(resident_kib().is_some_and(|kib| kib > 100));
    }

    #[test]
    fn a_locked_channel_is_a_problem_until_its_lock_ends() {
        let mut health = Health::default();
        let until = Timestamp::from_second(900).unwrap();
        health.recorded(AT, &Entry::ChannelLocked { channel: "keypad".to_owned(), until });
        let problems = report(&health).problems;
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].about, "channel keypad");
        assert_eq!(problems[0].problem, "it is locked until 1970-01-01T00:15:00Z: too many wrong codes came");
        assert!(health.take_news());
        for (at_s, expected) in [(899, 1), (900, 0)] {
            health.recorded(Timestamp::from_second(at_s).unwrap(), &Entry::Connected);
            assert_eq!(report(&health).problems.len(), expected, "after {at_s} s");
        }
    }

    #[test]
    fn a_channel_that_others_read_is_a_problem() {
        let mut health = Health::default();
        for problem in [Some("user `guest` can read it".to_owned()), None] {
            let overheard = Overheard { channel: "keypad".to_owned(), problem: problem.clone() };
            health.recorded(AT, &Entry::ChannelOverheard { overheard });
            let told: Vec<String> = report(&health).problems.into_iter().map(|told| told.problem).collect();
            assert_eq!(told, Vec::from_iter(problem));
        }
    }
}
