//! The device as it is announced: one message with all its parts, and one with the two buttons that answer a question.
//!
//! The buttons carry a one-time token. They are announced behind the mirror prefix alone, which only Home Assistant may
//! read; the plain discovery prefix is everybody's.
//!
//! Whatever switches something has the category `config`: Home Assistant offers no such entity to its voice assistants.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use serde_json::{Map, Value, json};

use super::questions::Question;
use crate::config::payload::{Json, read_json};
use crate::config::{Config, Speaker};
use crate::integration::Integrations;
use crate::model::message::Message;
use crate::registry::discovery;

/// Longest key of a part that an earlier run may have announced, in bytes.
const KEY_BYTES_MAX: usize = 256;

/// Parts of a device, by key.
type Parts = Map<String, Value>;

/// What of the device does not change during a run.
#[derive(Debug)]
pub(super) struct Device {
    config: Rc<Config>,
    /// What can be muted changes with them.
    integrations: Rc<Integrations>,
    /// Its name within topics and unique ids: the base, with `_` for what may not stand there.
    node: String,
    plain: String,
    mirrored: String,
    question: String,
}

/// Where the bridge announces itself to a Home Assistant that does not read the mirror.
pub fn announcement_topic(config: &Config) -> String {
    discovery::own_topic(&config.home_assistant.discovery, &config.base)
}

impl Device {
    pub(super) fn new(config: &Rc<Config>, integrations: Rc<Integrations>) -> Device {
        let node = discovery::own_id(&config.base);
        let mirror = format!("{}/homeassistant", config.base);
        Device {
            plain: announcement_topic(config),
            mirrored: format!("{mirror}/device/{node}/config"),
            question: format!("{mirror}/device/{node}_question/config"),
            config: Rc::clone(config),
            integrations,
            node,
        }
    }

    /// The topics on which it is announced.
    pub(super) fn topics(&self) -> [&str; 3] {
        [&self.plain, &self.mirrored, &self.question]
    }

    /// Whether the message with all its parts goes there.
    pub(super) fn is_main(&self, topic: &str) -> bool {
        topic == self.plain || topic == self.mirrored
    }

    /// Key and platform of a policy's switch.
    pub(super) fn policy_part(name: &str) -> (String, String) {
        (format!("policy_{name}"), "switch".to_owned())
    }

    /// Key and platform of a speaker's switch.
    pub(super) fn mute_part(speaker: &str) -> (String, String) {
        (format!("mute_{speaker}"), "switch".to_owned())
    }

    /// The speakers of which something can be muted.
    pub(super) fn speakers(&self) -> BTreeSet<String> {
        let mutes = |(name, speaker): &(&String, &Speaker)| match self.integrations.ability(name) {
            Some(ability) => ability.mutes_mic || ability.mutes_sound,
            None => !speaker.mute.is_empty(),
        };
        self.config.speakers.iter().filter(mutes).map(|(name, _)| name.clone()).collect()
    }

    /// The keys of all its parts.
    pub(super) fn parts(&self, policies: &BTreeSet<String>) -> BTreeSet<String> {
        self.components(policies).keys().cloned().collect()
    }

    /// The messages that announce it, without the buttons. What is gone stands there with its platform alone.
    pub(super) fn announce(&self, policies: &BTreeSet<String>, gone: &BTreeMap<String, String>) -> Vec<Message> {
        let mut components = self.components(policies);
        for (key, platform) in gone {
            components.insert(key.clone(), json!({"platform": platform}));
        }
        let body = self.message(&components).to_string();
        vec![Message::retained(self.plain.as_str(), body.clone()), Message::retained(self.mirrored.as_str(), body)]
    }

    /// The buttons that answer one question, or none.
    pub(super) fn buttons(&self, channel: &str, question: Option<&Question>) -> Message {
        let id = question.map_or("none", |question| question.pending.id.as_str());
        let topic = self.below(&format!("confirm/{channel}/{id}"));
        let is_waiting = "{{ 'online' if value_json.can_answer is defined and value_json.can_answer else 'offline' }}";
        let available = json!([
            {"topic": self.below("status")},
            {"topic": self.below("home_assistant/question"), "value_template": is_waiting},
        ]);
        let mut components = Parts::new();
        let needs_code = self.config.channels.get(channel).is_some_and(|channel| channel.code.is_some());
        for (key, name, icon) in [("approve", "Approve", "mdi:check-bold"), ("reject", "Reject", "mdi:close-thick")] {
            if key == "approve" && needs_code {
                // A button cannot bring a code. So written, one of an earlier run is taken out of Home Assistant.
                components.insert(key.to_owned(), json!({"platform": "button"}));
                continue;
            }
            let press = question.map_or_else(|| "none".to_owned(), |question| format!("{key} {}", question.token));
            let part = json!({
                "icon": icon, "entity_category": "config", "command_topic": topic, "payload_press": press,
                "availability": available,
            });
            self.add(&mut components, "button", key, name, part);
        }
        Message::retained(self.question.as_str(), self.message(&components).to_string())
    }

    fn below(&self, rest: &str) -> String {
        format!("{}/{rest}", self.config.base)
    }

    fn message(&self, components: &Parts) -> Value {
        let name = match self.config.base.as_str() {
            crate::config::BASE_DEFAULT => "Hushgate".to_owned(),
            base => format!("Hushgate ({base})"),
        };
        let version = env!("CARGO_PKG_VERSION");
        json!({
            "device": {
                "identifiers": [self.node], "name": name, "manufacturer": "Hushgate", "model": "Policy bridge",
                "sw_version": version,
            },
            "origin": {"name": "Hushgate", "sw_version": version},
            "availability": [{"topic": self.below("status")}],
            "availability_mode": "all",
            "components": components,
        })
    }

    fn add(&self, components: &mut Parts, platform: &str, key: &str, name: &str, rest: Value) {
        let mut part = Parts::new();
        part.insert("platform".to_owned(), json!(platform));
        part.insert("unique_id".to_owned(), json!(format!("{}_{key}", self.node)));
        part.insert("name".to_owned(), json!(name));
        part.insert("qos".to_owned(), json!(1));
        if let Value::Object(rest) = rest {
            part.extend(rest);
        }
        components.insert(key.to_owned(), Value::Object(part));
    }

    fn components(&self, policies: &BTreeSet<String>) -> Parts {
        let mut components = Parts::new();
        self.add_sensors(&mut components);
        self.add_controls(&mut components);
        for policy in policies {
            let (key, platform) = Device::policy_part(policy);
            let part = json!({
                "icon": "mdi:script-text-outline", "entity_category": "config",
                "state_topic": self.below(&format!("policy/{policy}")), "value_template": "{{ value_json.state if value_json is defined }}",
                "command_topic": self.below(&format!("policy/{policy}/set")),
                "payload_on": "on", "payload_off": "off", "state_on": "on", "state_off": "off",
            });
            self.add(&mut components, &platform, &key, &format!("Policy {policy}"), part);
        }
        for speaker in self.speakers() {
            let (key, platform) = Device::mute_part(&speaker);
            let part = json!({
                "icon": "mdi:microphone-off", "entity_category": "config",
                "state_topic": self.below(&format!("mute/{speaker}")), "value_template": "{{ value_json.state if value_json is defined }}",
                "json_attributes_topic": self.below(&format!("mute/{speaker}")),
                "command_topic": self.below(&format!("mute/{speaker}/set")),
                "payload_on": "mute", "payload_off": "unmute", "state_on": "muted", "state_off": "unmuted",
            });
            self.add(&mut components, &platform, &key, &format!("Mute {speaker}"), part);
        }
        components
    }

    /// What is shown and switches nothing.
    fn add_sensors(&self, components: &mut Parts) {
        let shown = self.below("home_assistant");
        let number = |field: &str| {
            json!({
                "state_topic": format!("{shown}/state"), "value_template": format!("{{{{ value_json.{field} }}}}"),
            })
        };
        let with = |mut part: Value, rest: Value| {
            if let (Value::Object(part), Value::Object(rest)) = (&mut part, rest) {
                part.extend(rest);
            }
            part
        };
        let attributes = |template: &str| json!({"json_attributes_topic": format!("{shown}/state"), "json_attributes_template": template});
        let kinds = ["allow", "deny", "confirm", "expired", "bypass"];
        let decisions = json!({
            "icon": "mdi:gavel", "state_topic": format!("{shown}/decision"), "event_types": kinds,
        });
        self.add(components, "event", "decisions", "Decisions", decisions);
        let last = json!({
            "icon": "mdi:gavel", "device_class": "enum", "options": kinds,
            "state_topic": format!("{shown}/last_decision"), "json_attributes_topic": format!("{shown}/last_decision"),
            // A new run takes the last one away: an empty message is no JSON, and Home Assistant would call it an error.
            "value_template": "{{ value_json.event_type if value else none }}",
            "json_attributes_template": "{{ value if value else '{}' }}",
        });
        self.add(components, "sensor", "last_decision", "Last decision", last);
        let pending = with(number("pending"), json!({"icon": "mdi:timer-sand", "state_class": "measurement"}));
        self.add(components, "sensor", "pending", "Pending", pending);
        let grants = with(number("grants"), json!({"icon": "mdi:key-outline", "state_class": "measurement"}));
        self.add(components, "sensor", "grants", "Grants", grants);
        self.add_prompts(components);
        let observed = attributes("{{ {'observed_today': value_json.observed_today} | tojson }}");
        let denied = json!({"icon": "mdi:shield-alert-outline", "state_class": "total_increasing"});
        self.add(
            components,
            "sensor",
            "denied_today",
            "Denied today",
            with(with(number("denied_today"), denied), observed),
        );
        let error = attributes("{{ {'policy_error': value_json.policy_error} | tojson }}");
        let errors = json!({
            "icon": "mdi:script-text-outline", "state_class": "total_increasing", "entity_category": "diagnostic",
        });
        let errors = with(with(number("policy_errors"), errors), error);
        self.add(components, "sensor", "policy_errors", "Policy errors", errors);
        let reason = attributes("{{ {'reason': value_json.enforcement_reason} | tojson }}");
        let enforcement = json!({
            "icon": "mdi:shield-lock-outline", "device_class": "enum", "entity_category": "diagnostic",
            "options": ["proven", "unproven", "not_enforced"],
        });
        let enforcement = with(with(number("enforcement"), enforcement), reason);
        self.add(components, "sensor", "enforcement", "Enforcement", enforcement);
        let problem = json!({
            "device_class": "problem", "entity_category": "diagnostic", "state_topic": format!("{shown}/problem"),
            "value_template": "{{ value_json.problem }}", "json_attributes_topic": format!("{shown}/problem"),
            "json_attributes_template": "{{ {'reasons': value_json.reasons} | tojson }}",
        });
        self.add(components, "binary_sensor", "problem", "Problem", problem);
        if self.config.home_assistant.channel.is_some() {
            let question = json!({
                "icon": "mdi:chat-question-outline", "state_topic": format!("{shown}/question"),
                // `None` is the word by which Home Assistant knows that there is nothing.
                "value_template": "{{ value_json.question | default('None') }}",
                "json_attributes_topic": format!("{shown}/question"),
            });
            self.add(components, "sensor", "question", "Question", question);
        }
    }

    /// How often people are asked, and what they say.
    fn add_prompts(&self, components: &mut Parts) {
        let state = self.below("home_assistant/state");
        let today = json!({
            "icon": "mdi:chat-question-outline", "state_class": "total_increasing",
            "state_topic": state, "value_template": "{{ value_json.prompts_today }}",
            "json_attributes_topic": state,
            "json_attributes_template": "{{ {'by_policy': value_json.prompts_by_policy} | tojson }}",
        });
        self.add(components, "sensor", "prompts_today", "Questions today", today);
        let rate = json!({
            "icon": "mdi:thumbs-up-down-outline", "state_class": "measurement", "unit_of_measurement": "%",
            "state_topic": state,
            // `none` where nothing has ended within seven days.
            "value_template":
                "{{ (value_json.approval_rate * 100) | round(0) | int if value_json.approval_rate is number else none }}",
        });
        self.add(components, "sensor", "approval_rate", "Approval rate", rate);
    }

    /// What switches something, besides policies and mutes. It is judged like every other message on these topics.
    fn add_controls(&self, components: &mut Parts) {
        let mode = json!({
            "icon": "mdi:shield-home-outline", "entity_category": "config", "options": ["observe", "enforce"],
            "state_topic": self.below("mode"), "value_template": "{{ value_json.mode }}",
            "command_topic": self.below("mode/set"),
        });
        self.add(components, "select", "mode", "Mode", mode);
        let relay = json!({
            "icon": "mdi:gate", "entity_category": "config",
            "state_topic": self.below("relay"), "value_template": "{{ value_json.state if value_json is defined }}",
            "command_topic": self.below("relay/set"),
            "payload_on": "on", "payload_off": "off", "state_on": "on", "state_off": "off",
        });
        self.add(components, "switch", "relay", "Relay", relay);
        let has_changes = "{{ 'online' if value_json.has_changes else 'offline' }}";
        let accept = json!({
            "icon": "mdi:playlist-check", "entity_category": "config",
            "command_topic": self.below("guard/set"), "payload_press": "accept",
            "availability": [
                {"topic": self.below("status")},
                {"topic": self.below("home_assistant/problem"), "value_template": has_changes},
            ],
        });
        self.add(components, "button", "accept", "Accept changes", accept);
    }
}

/// The parts that an announcement names and does not take back, with their platforms.
pub(super) fn parts_of(payload: &[u8]) -> BTreeMap<String, String> {
    let json = std::str::from_utf8(payload).map_or(Json::None, read_json);
    let Json::Value { value, .. } = json else { return BTreeMap::new() };
    let Some(components) = value.get("components").and_then(Value::as_object) else { return BTreeMap::new() };
    let part = |(key, part): (&String, &Value)| {
        if key.len() > KEY_BYTES_MAX {
            return None;
        }
        let fields = part.as_object().filter(|fields| fields.len() > 1)?;
        let platform = fields.get("platform").and_then(Value::as_str).filter(|platform| is_word(platform))?;
        Some((key.clone(), platform.to_owned()))
    };
    components.iter().filter_map(part).collect()
}

/// Whether a text can be a platform's name. What others have written is not repeated unseen.
fn is_word(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}
