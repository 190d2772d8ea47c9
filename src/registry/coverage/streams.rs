//! What Home Assistant's streams show and discovery does not: entities that no command topic leads to.
//!
//! A stored state may be of an entity that is long gone; Home Assistant clears none. It is named all the same.

use serde_json::Value;

use super::{Coverage, NotCovered, Registry};
use crate::config::{Config, TWIN_DOMAINS};
use crate::home::Home;
use crate::registry::twins;

/// Domains of which every entity matters.
const DOMAINS: [&str; 4] = ["alarm_control_panel", "lock", "siren", "valve"];
/// Classes of covers through which nobody comes in.
const HARMLESS_COVERS: [&str; 6] = ["awning", "blind", "curtain", "damper", "shade", "shutter"];

pub(super) fn add(coverage: &mut Coverage, config: &Config, registry: &Registry, facts: &Home) {
    let house = &config.home_assistant;
    let Some(statestream) = &config.statestream else {
        coverage.not_covered.push(NotCovered {
            what: "whatever in Home Assistant is not on MQTT".to_owned(),
            reason:
                "without its `mqtt_statestream` it cannot be seen from here which locks, covers and alarms there are"
                    .to_owned(),
            help: "switch it on in Home Assistant, and write `facts: {statestream: homeassistant_states}`".to_owned(),
        });
        return;
    };
    let seen = DOMAINS.iter().chain(&["cover"]).flat_map(|domain| facts.of_domain(domain));
    for (entity_id, _) in seen {
        let class = attribute(facts, entity_id, "device_class");
        let is_harmless =
            entity_id.starts_with("cover.") && class.is_some_and(|class| HARMLESS_COVERS.contains(&class));
        if !is_harmless && !is_known(config, registry, facts, entity_id) {
            coverage.not_covered.push(unknown(entity_id, &config.base));
        }
    }
    for twin in &house.twins {
        if facts.get(twin, None).is_none() {
            coverage.notes.push(format!(
                "{twin}: it has a twin, and nothing under `{statestream}` tells its state: include it in `mqtt_statestream`"
            ));
        }
        coverage.notes.push(format!(
            "{twin}: its twin `{}` is gated, the original is not: hide it in Home Assistant and expose it to no assistant",
            twins::entity_id(twin)
        ));
    }
    if house.eventstream.is_some() {
        coverage.notes.push(
            "mqtt_eventstream: leave out `subscribe_topic`; who may write there can forge any event, a phone's answer \
             included, and whether it is set cannot be seen from here"
                .to_owned(),
        );
    }
}

/// It is announced, commanded by an entry of the owner's, has a twin or is one; under the id that it has here, or under
/// another that its owner gave it in Home Assistant.
fn is_known(config: &Config, registry: &Registry, facts: &Home, entity_id: &str) -> bool {
    let has_twin = config.home_assistant.twins.iter().any(|twin| twin == entity_id);
    registry.entity(entity_id).is_some()
        || registry.reaches(entity_id)
        || has_twin
        || is_renamed(registry, facts, entity_id)
}

/// Exactly one announced entity of the domain has its name, and under its own id nothing is seen.
fn is_renamed(registry: &Registry, facts: &Home, entity_id: &str) -> bool {
    let Some(name) = attribute(facts, entity_id, "friendly_name") else { return false };
    let domain = entity_id.split_once('.').map_or("", |(domain, _)| domain);
    let entities = registry.entities();
    let mut same = entities.iter().filter(|entity| entity.platform == domain && entity.name == name);
    match (same.next(), same.next()) {
        (Some(entity), None) => facts.get(&entity.entity_id, None).is_none(),
        _ => false,
    }
}

fn attribute<'a>(facts: &'a Home, entity_id: &str, name: &str) -> Option<&'a str> {
    facts.get(entity_id, Some(name))?.value.as_ref().and_then(Value::as_str)
}

fn unknown(entity_id: &str, base: &str) -> NotCovered {
    let domain = entity_id.split_once('.').map_or("", |(domain, _)| domain);
    let by_hand = format!(
        "if it is on MQTT by YAML or by the UI's own MQTT devices, set its `command_topic` to `{base}/gate/<its command \
         topic>` there and name the topic in `commands:`"
    );
    let twin = format!("write `home_assistant: {{twins: [{entity_id}]}}` if it is not on MQTT");
    NotCovered {
        what: format!("`{entity_id}`, which Home Assistant shows and discovery does not"),
        reason:
            "it is not on MQTT, or it comes from YAML or the UI's own MQTT devices, so no command to it is seen here \
                 in time"
                .to_owned(),
        help: if TWIN_DOMAINS.contains(&domain) { format!("{twin}; {by_hand}") } else { by_hand },
    }
}
