//! How the bridge is doing: what it has seen and how long it took, for `<base>/health`.
//!
//! Numbers only; nothing here is about one request.

use std::time::Duration;

use serde::Serialize;

use crate::model::decision::Verdict;
use crate::model::event::Entry;

/// How often it is published.
pub const INTERVAL_S: u64 = 60;
/// Evaluations that the percentiles are taken from: the latest ones.
const SAMPLES_MAX: usize = 4_096;

/// Counts since the start.
#[derive(Debug, Default)]
pub struct Health {
    received: u64,
    dropped: u64,
    decisions: Decisions,
    /// A ring of microseconds.
    samples: Vec<u32>,
    next_sample: usize,
}

/// Decisions by verdict, as judged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Decisions {
    pub allow: u64,
    pub confirm: u64,
    pub deny: u64,
}

/// How long messages took that led to a decision, from their arrival in the core to the last effect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Evaluation {
    pub p50: u32,
    pub p99: u32,
    pub max: u32,
}

/// What is published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Report {
    pub uptime_s: u64,
    pub received: u64,
    pub decisions: Decisions,
    /// Messages that were not sent.
    pub dropped: u64,
    pub evaluation_us: Evaluation,
    /// Messages that wait for the broker.
    pub queue: usize,
    /// Resident memory, where the system tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_kib: Option<u64>,
}

impl Health {
    pub fn received(&mut self) {
        self.received += 1;
    }

    pub fn recorded(&mut self, entry: &Entry) {
        match entry {
            Entry::Decision { decision } => {
                let count = match decision.verdict {
                    Verdict::Allow => &mut self.decisions.allow,
                    Verdict::Confirm => &mut self.decisions.confirm,
                    Verdict::Deny => &mut self.decisions.deny,
                };
                *count += 1;
            }
            Entry::Dropped { .. } => self.dropped += 1,
            _ => {}
        }
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

    pub fn report(&self, uptime: Duration, queue: usize) -> Report {
        Report {
            uptime_s: uptime.as_secs(),
            received: self.received,
            decisions: self.decisions,
            dropped: self.dropped,
            evaluation_us: self.evaluation(),
            queue,
            memory_kib: resident_kib(),
        }
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

    #[test]
    fn percentiles_are_those_of_the_latest_samples() {
        let mut health = Health::default();
        assert_eq!(health.report(Duration::ZERO, 0).evaluation_us, Evaluation::default());
        for microseconds in 1..=100 {
            health.evaluated(Duration::from_micros(microseconds));
        }
        let expected = Evaluation { p50: 50, p99: 99, max: 100 };
        assert_eq!(health.report(Duration::ZERO, 0).evaluation_us, expected);
        for _ in 0..SAMPLES_MAX {
            health.evaluated(Duration::from_micros(7));
        }
        let expected = Evaluation { p50: 7, p99: 7, max: 7 };
        assert_eq!(health.report(Duration::ZERO, 0).evaluation_us, expected, "old samples have left the ring");
        assert_eq!(health.samples.len(), SAMPLES_MAX);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn memory_is_told_where_the_system_tells_it() {
        assert!(resident_kib().is_some_and(|kib| kib > 100));
    }
}
