//! What can be learned of a house from what its broker has stored: devices, states, the mirror, how the bridge is doing.
//!
//! It looks with the same registry that the bridge has, so both see one house. It changes nothing, and it cannot see what
//! is not stored: commands, and devices that never announced themselves.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::health::Report;
use super::store::Store;
use super::visitor::{Stored, VisitError, Visitor};
use crate::config::{Config, Remote};
use crate::home::Home;
use crate::registry::Registry;
use crate::registry::mirror::Settings;

/// A house as its broker shows it.
#[derive(Debug)]
pub struct Survey {
    pub registry: Registry,
    pub facts: Home,
    /// `online` or `offline`, if there ever was a bridge.
    pub status: Option<String>,
    /// What the bridge said last. Without a living bridge it is old.
    pub health: Option<Report>,
    /// What stands under the mirror's root, by topic.
    pub mirror: BTreeMap<String, Bytes>,
    /// What differs from what the bridge has accepted, where its folder can be read from here: guarded topic and problem.
    pub problems: BTreeMap<String, String>,
    /// Messages of discovery that nothing was made of, or not all: topic and reason.
    pub refused: Vec<(String, String)>,
    /// Why something may be missing.
    pub gap: Option<String>,
}

impl Survey {
    /// Whether the last word of a bridge was that it runs.
    pub fn is_online(&self) -> bool {
        self.status.as_deref() == Some("online")
    }
}

/// Where the mirror of a configuration stands.
pub fn settings(config: &Config) -> Settings {
    Settings { base: config.base.clone(), discovery: config.home_assistant.discovery.clone() }
}

/// Looks at a house. `name` is different for each look.
///
/// # Errors
/// There is no connection. It is tried once.
pub async fn look(config: &Config, broker: Remote, name: u64) -> Result<(Survey, Visitor), VisitError> {
    let registry = Registry::new(config);
    let mut filters: Vec<String> = registry.subscriptions().iter().map(ToString::to_string).collect();
    let own = ["status", "health"].map(|rest| format!("{}/{rest}", config.base));
    filters.extend(own);
    filters.push(format!("{}/#", settings(config).root()));
    let guards = Store::look(&config.data);
    registry.restore(guards.as_ref().unwrap_or(&BTreeMap::new()));
    let (visitor, stored) = Visitor::connect(broker, &config.base, &filters, name).await?;
    let mut survey = read(config, registry, stored);
    let unread = guards.err().map(|reason| (config.data.display().to_string(), reason));
    survey.problems.extend(unread);
    Ok((survey, visitor))
}

fn read(config: &Config, registry: Registry, stored: Stored) -> Survey {
    let root = format!("{}/", settings(config).root());
    let (status, health) = (format!("{}/status", config.base), format!("{}/health", config.base));
    let mut survey = Survey {
        registry,
        facts: Home::default(),
        status: None,
        health: None,
        mirror: BTreeMap::new(),
        problems: BTreeMap::new(),
        refused: Vec::new(),
        gap: stored.gap,
    };
    // Discovery first: it says whose state a message is.
    for message in &stored.messages {
        if survey.registry.is_discovery(&message.topic) {
            let lesson = survey.registry.learn(message);
            survey.refused.extend(lesson.refused.map(|reason| (message.topic.clone(), reason)));
            for (topic, guard) in lesson.guards {
                match guard.problem {
                    Some(problem) => survey.problems.insert(topic, problem),
                    None => survey.problems.remove(&topic),
                };
            }
        }
    }
    for message in stored.messages {
        if message.topic == status {
            survey.status = Some(String::from_utf8_lossy(&message.payload).into_owned());
        } else if message.topic == health {
            survey.health = serde_json::from_slice(&message.payload).ok();
        } else if message.topic.starts_with(&root) {
            survey.mirror.insert(message.topic, message.payload);
        } else {
            for fact in survey.registry.read_facts(&message) {
                // A house with more than the bridge can hold is not looked at more closely here either.
                survey.facts.fold(0, fact).unwrap_or(());
            }
        }
    }
    survey
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{NoSecrets, parse};
    use crate::model::message::Message;

    #[test]
    fn what_is_stored_is_sorted_by_what_it_says() {
        let config = parse("test.yaml", "facts: {statestream: states}", &NoSecrets).unwrap();
        let lock = r#"{"command_topic": "door/set", "object_id": "door", "unique_id": "1"}"#;
        let messages = [
            ("states/lock/back/state", "locked"),
            ("homeassistant/lock/door/config", lock),
            ("homeassistant/lock/bad/config", "{"),
            ("hushgate/status", "online"),
            ("hushgate/homeassistant/lock/door/config", "mirrored"),
            ("hushgate/health", "no report"),
        ];
        let mut stored = Stored::default();
        stored.messages.extend(messages.map(|(topic, payload)| Message::retained(topic, payload)));
        let survey = read(&config, Registry::new(&config), stored);
        assert!(survey.is_online());
        assert_eq!(survey.health, None, "what cannot be read says nothing");
        assert_eq!(survey.registry.guarded_topics(), ["door/set"]);
        assert_eq!(survey.refused.len(), 1);
        assert_eq!(survey.mirror.len(), 1);
        let state = survey.facts.get("lock.back", None).and_then(|known| known.value.clone());
        assert_eq!(state, Some("locked".into()));
    }
}
