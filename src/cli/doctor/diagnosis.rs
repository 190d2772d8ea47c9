//! What the doctor found, as data: for people it is written in `report`, for programs it is this as JSON.
//!
//! Everything comes from a survey and the bridge's own report; nothing is guessed where neither knows it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::config::Config;
use crate::model::decision::Enforcement;
use crate::model::entity::Entity;
use crate::model::event::Canary;
use crate::model::mode::Mode;
use crate::registry::coverage::Coverage;
use crate::registry::mirror::{self, Settings};
use crate::shell::health::{Doors, Problem, Report};
use crate::shell::survey::{self, Survey};

/// A house, looked at.
#[derive(Debug, Serialize)]
pub(super) struct Diagnosis {
    pub(super) bridge: Bridge,
    /// How many entities of each platform are announced.
    pub(super) entities: BTreeMap<String, usize>,
    /// What is guarded, or would be if a bridge ran: entities with their guarded topics.
    pub(super) guarded: BTreeMap<String, BTreeSet<String>>,
    pub(super) mirror: Mirror,
    /// Commands by door since the start of the bridge. `null`: no bridge runs.
    pub(super) doors: Option<Doors>,
    pub(super) enforcement: Enforcement,
    pub(super) enforcement_reason: String,
    pub(super) problems: Vec<Problem>,
    /// Discovery that nothing was made of, or not all.
    pub(super) refused: Vec<Problem>,
    pub(super) coverage: Coverage,
    /// What may be missing in all this. `null`: nothing.
    pub(super) gap: Option<String>,
    /// What to do next.
    pub(super) next: String,
}

/// Whether a bridge runs, as its status says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Bridge {
    Online,
    Offline,
    /// There never was one on this base.
    None,
}

/// What stands in the mirror.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Mirror {
    /// No announcement is mirrored.
    Empty,
    /// What is guarded points at the gate.
    Gate,
    /// Everything points at the devices.
    Released,
    /// Not everything that should be is there, or it is otherwise.
    Incomplete,
}

/// Puts together what is known. `canary`: what was found by looking now, where somebody has.
pub(super) fn diagnose(config: &Config, survey: &Survey, canary: Option<Canary>) -> Diagnosis {
    let registry = &survey.registry;
    let entities: Vec<Entity> = registry.entities().iter().map(|entity| Entity::clone(entity)).collect();
    let mut guarded: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for entity in &entities {
        for (_, topic) in entity.command_topics().filter(|(_, topic)| registry.is_guarded(topic)) {
            guarded.entry(entity.entity_id.clone()).or_default().insert(topic.to_owned());
        }
    }
    let mut platforms: BTreeMap<String, usize> = BTreeMap::new();
    for entity in &entities {
        *platforms.entry(entity.platform.clone()).or_default() += 1;
    }
    let bridge = match survey.status.as_deref() {
        Some("online") => Bridge::Online,
        Some(_) => Bridge::Offline,
        None => Bridge::None,
    };
    // What a bridge said that is gone says nothing about now.
    let health = survey.health.as_ref().filter(|_| bridge == Bridge::Online);
    let canary = canary.or_else(|| {
        let (enforcement, reason) = health.map(|health| (health.enforcement, health.enforcement_reason.clone()))?;
        Some(Canary { enforcement, reason })
    });
    let canary = canary.unwrap_or_else(|| {
        let reason = match bridge {
            Bridge::Online => "the bridge has not said yet how it is doing",
            Bridge::Offline | Bridge::None => "no bridge runs, and nothing could be tried from here",
        };
        Canary { enforcement: Enforcement::Unproven, reason: reason.to_owned() }
    });
    let refused = survey.refused.iter();
    let mut diagnosis = Diagnosis {
        bridge,
        entities: platforms,
        mirror: compare(&survey::settings(config), survey),
        doors: health.map(|health| health.doors),
        enforcement: canary.enforcement,
        enforcement_reason: canary.reason,
        problems: problems(survey, health),
        refused: refused.map(|(about, problem)| Problem { about: about.clone(), problem: problem.clone() }).collect(),
        coverage: Coverage::of(config, registry, &survey.facts),
        guarded,
        gap: survey.gap.clone(),
        next: String::new(),
    };
    diagnosis.coverage.notes.extend(config.channel_remarks());
    diagnosis.next = next(config, &diagnosis);
    diagnosis
}

/// The bridge's own, or what can be seen from here.
fn problems(survey: &Survey, health: Option<&Report>) -> Vec<Problem> {
    let seen = survey.problems.iter();
    let seen = seen.map(|(about, problem)| Problem { about: about.clone(), problem: problem.clone() });
    health.map_or_else(|| seen.collect(), |health| health.problems.clone())
}

/// Holds the mirror against what should stand there.
fn compare(settings: &Settings, survey: &Survey) -> Mirror {
    let (mut expected, mut gated, mut released, mut differs) = (0, 0, 0, false);
    for announcement in survey.registry.announcements() {
        let is_guarded = |topic: &str| survey.registry.is_guarded(topic);
        let gate = mirror::mirrored(&announcement, settings, &is_guarded).message;
        let direct = mirror::released(&announcement, settings);
        if gate.topic.is_empty() {
            continue;
        }
        expected += 1;
        let found = survey.mirror.get(&gate.topic);
        let (is_gated, is_released) = (found == Some(&gate.payload), found == Some(&direct.payload));
        // Without anything guarded both are the same, and say nothing.
        gated += usize::from(is_gated && !is_released);
        released += usize::from(is_released && !is_gated);
        differs |= !is_gated && !is_released;
    }
    let is_empty = survey.mirror.values().all(bytes::Bytes::is_empty);
    match (expected, gated, released) {
        _ if is_empty => Mirror::Empty,
        _ if differs => Mirror::Incomplete,
        (_, 0, 1..) => Mirror::Released,
        (_, _, 0) => Mirror::Gate,
        _ => Mirror::Incomplete,
    }
}

/// One sentence: the first thing that is missing on the way to a gated house.
fn next(config: &Config, found: &Diagnosis) -> String {
    let came_by_gate = found.doors.is_some_and(|doors| doors.gate + doors.twin > 0);
    let is_enforcing = config.mode == Mode::Enforce;
    if found.bridge != Bridge::Online {
        "start the bridge with `hushgate run`".to_owned()
    } else if !found.problems.is_empty() {
        "look at the problems; what is as you want it is accepted with `hushgate accept`".to_owned()
    } else if found.entities.is_empty() && config.home_assistant.twins.is_empty() {
        format!(
            "let devices announce themselves under `{}`, or set `home_assistant.discovery` to where they do",
            config.home_assistant.discovery
        )
    } else if found.mirror == Mirror::Released {
        "end the release with `hushgate release --end`".to_owned()
    } else if found.enforcement == Enforcement::NotEnforced {
        "shut the way around with the rules that `hushgate acl` writes; they are to be written anew when devices come or go"
            .to_owned()
    } else if !came_by_gate {
        format!(
            "in Home Assistant set the discovery prefix of MQTT (Configure, then options) to `{}/homeassistant`, if it is \
             not so yet, and command something that is guarded; the bridge tells within a minute whether it came by the gate",
            config.base
        )
    } else if !is_enforcing {
        "when the decisions are as you want them, set `mode: enforce`".to_owned()
    } else if found.enforcement != Enforcement::Proven {
        "shut the way around with the rules that `hushgate acl` writes, and name two users in `home_assistant.canary`"
            .to_owned()
    } else if found.coverage.not_covered.is_empty() {
        "nothing is left to do".to_owned()
    } else {
        "go through what is not covered".to_owned()
    }
}
