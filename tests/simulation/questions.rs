//! Questions as the oracle sees them: what waits together, who may join it, what silence means, and what quotas forbid.

use std::collections::{BTreeMap, BTreeSet};

use hushgate::model::mode::Mode;
use hushgate::model::request::Request;

const GATHERING_MS: u64 = 1_000;
const GROUP_ITEMS_MAX: usize = 64;
const NOTICE_BEFORE_END_MS: u64 = 5_000;
const REFUSED_MAX: usize = 2;
const PROMPTS_PER_ASKER_MAX: usize = 20;
const QUOTA_WINDOW_MS: u64 = 10 * 60_000;

/// A held request.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    /// Of the decision that held it.
    pub(crate) id: String,
    /// Where a command is held, and not a question or a control.
    pub(crate) topic: Option<String>,
    pub(crate) action: String,
    pub(crate) target: String,
}

/// One question, and all that is held for it.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) items: Vec<Item>,
    pub(crate) asker: String,
    /// Everything by which two askers can be told apart.
    pub(crate) evidence: String,
    pub(crate) panel_may_answer: bool,
    pub(crate) is_group: bool,
    /// Silence lets it go.
    pub(crate) is_window: bool,
    /// It stood as a window when the bridge was killed.
    pub(crate) must_drop: bool,
    pub(crate) opened_ms: u64,
    pub(crate) until_ms: u64,
    /// When the group has gathered. `None`: it was asked.
    pub(crate) ask_ms: Option<u64>,
    pub(crate) noticed_ms: Option<u64>,
    pub(crate) tokens: BTreeMap<String, String>,
}

impl Pending {
    /// Nobody is asked any more what was asked, until the group has gathered again.
    pub(crate) fn join(&mut self, now_ms: u64, item: Item) {
        if self.ask_ms.is_none() {
            self.ask_ms = Some(now_ms + GATHERING_MS);
        }
        self.noticed_ms = None;
        self.items.push(item);
    }

    pub(crate) fn gather(&mut self, now_ms: u64) {
        self.ask_ms = self.is_group.then_some(now_ms + GATHERING_MS);
    }

    fn takes_in(&self, evidence: &str, now_ms: u64) -> bool {
        let half_ms = (self.until_ms - self.opened_ms) / 2;
        self.is_group && self.evidence == evidence && self.until_ms - now_ms >= half_ms
    }

    /// Whether the end of its time is a yes.
    pub(crate) fn goes_by_silence(&self, mode: Mode) -> bool {
        let in_time = |noticed_ms: u64| noticed_ms + NOTICE_BEFORE_END_MS <= self.until_ms;
        self.is_window && mode == Mode::Enforce && self.noticed_ms.is_some_and(in_time)
    }

    pub(crate) fn check(&self, now_ms: u64) -> Result<(), &'static str> {
        let gathers = self.ask_ms.is_some_and(|ask_ms| ask_ms > now_ms);
        match () {
            () if self.until_ms <= now_ms => Err("its time is over, and it still waits"),
            () if self.must_drop => Err("it is a veto window, and outlived a restart"),
            () if self.items.is_empty() => Err("it waits for nothing"),
            () if self.items.len() > GROUP_ITEMS_MAX => Err("its group is too large"),
            () if gathers && !self.tokens.is_empty() => Err("it can be answered while it gathers"),
            () if !gathers && self.tokens.is_empty() => Err("it waits, and nobody was asked"),
            () => Ok(()),
        }
    }

    /// Moves all times into another run.
    pub(crate) fn restart(&mut self, moved: impl Fn(u64) -> u64) {
        for time_ms in [&mut self.opened_ms, &mut self.until_ms] {
            *time_ms = moved(*time_ms);
        }
        for time_ms in [&mut self.ask_ms, &mut self.noticed_ms].into_iter().flatten() {
            *time_ms = moved(*time_ms);
        }
        self.must_drop = self.is_window;
        self.tokens.clear();
    }
}

/// The ids of the questions that a request may join.
pub(crate) fn joinable<'a>(
    pendings: &'a BTreeMap<String, Pending>,
    evidence: &'a str,
    now_ms: u64,
) -> impl Iterator<Item = &'a str> {
    pendings.iter().filter(move |(_, pending)| pending.takes_in(evidence, now_ms)).map(|(id, _)| id.as_str())
}

/// What tells two askers apart.
pub(crate) fn evidence(request: &Request, asker: &str) -> String {
    let source = &request.source;
    let name = |clue: &Option<hushgate::model::request::Clue>| clue.as_ref().map(|clue| clue.name.clone());
    format!(
        "{asker} {:?} {:?} {:?} {:?}",
        source.kind,
        name(&source.satellite),
        name(&source.person),
        source.likely_channels
    )
}

/// Whether what has left goes against what waits, of the actions of this house.
pub(crate) fn is_contrary(left: &str, waits: &str) -> bool {
    matches!(
        (left, waits),
        ("lock.lock", "lock.unlock")
            | ("lock.unlock", "lock.lock")
            | ("light.turn_on" | "light.turn_off" | "light.toggle", "light.toggle")
            | ("light.toggle" | "light.turn_off", "light.turn_on")
            | ("light.toggle" | "light.turn_on", "light.turn_off")
    )
}

/// One question that was put to people.
#[derive(Debug)]
struct Prompt {
    id: String,
    asker: String,
    at_ms: u64,
    targets: BTreeSet<String>,
    /// When it was refused, or got no answer.
    refused_ms: Option<u64>,
}

/// Questions that were put to people lately.
#[derive(Debug, Default)]
pub(crate) struct Prompts(Vec<Prompt>);

impl Prompts {
    pub(crate) fn asked(&mut self, now_ms: u64, id: &str, asker: &str, target: &str) {
        // What was asked longer ago than the longest question and the window together counts no more.
        self.0.retain(|prompt| now_ms < prompt.at_ms + 3_600_000 + QUOTA_WINDOW_MS);
        let targets = BTreeSet::from([target.to_owned()]);
        self.0.push(Prompt { id: id.to_owned(), asker: asker.to_owned(), at_ms: now_ms, targets, refused_ms: None });
    }

    pub(crate) fn joined(&mut self, id: &str, target: &str) {
        for prompt in self.0.iter_mut().filter(|prompt| prompt.id == id) {
            prompt.targets.insert(target.to_owned());
        }
    }

    pub(crate) fn refused(&mut self, now_ms: u64, id: &str) {
        for prompt in self.0.iter_mut().filter(|prompt| prompt.id == id) {
            prompt.refused_ms = Some(now_ms);
        }
    }

    pub(crate) fn is_refused(&self, now_ms: u64, asker: &str, target: &str) -> bool {
        let counts = |prompt: &&Prompt| {
            let lately = prompt.refused_ms.is_some_and(|time_ms| now_ms < time_ms + QUOTA_WINDOW_MS);
            lately && prompt.asker == asker && prompt.targets.contains(target)
        };
        self.0.iter().filter(counts).count() >= REFUSED_MAX
    }

    pub(crate) fn is_too_often(&self, now_ms: u64, asker: &str) -> bool {
        let counts = |prompt: &&Prompt| prompt.asker == asker && now_ms < prompt.at_ms + QUOTA_WINDOW_MS;
        self.0.iter().filter(counts).count() >= PROMPTS_PER_ASKER_MAX
    }

    pub(crate) fn restart(&mut self, moved: impl Fn(u64) -> u64) {
        for prompt in &mut self.0 {
            prompt.at_ms = moved(prompt.at_ms);
            prompt.refused_ms = prompt.refused_ms.map(&moved);
        }
    }
}
