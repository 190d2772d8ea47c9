//! Home Assistant's event stream: what it tells of calls that are about to come, and of who asked for them.
//!
//! Whoever may write its topic can forge it, so nothing is believed here: it is read strictly, and what is malformed,
//! stored or too large is nothing. Of a call's data only fields from a list are kept, since any other one may hold a code.

use serde_json::{Map, Value};

use super::Registry;
use super::facts::ENTITY_BYTES_MAX;
use crate::config::payload::{Json, read_json};
use crate::model::action::is_action;
use crate::model::event::Trace;
use crate::model::message::Message;

/// Largest event that is read, in bytes.
const STREAM_BYTES_MAX: usize = 64 * 1024;
/// Entities of one call that are told apart. A call for more is one for entities that are not known.
const ENTITIES_PER_CALL_MAX: usize = 64;
/// Longest id of a user, in bytes.
const USER_BYTES_MAX: usize = 64;
/// Longest text of a call that is kept, in bytes.
const TEXT_BYTES_MAX: usize = 1_024;

/// Fields of a call that are kept.
const KEPT: [&str; 21] = [
    "brightness",
    "brightness_pct",
    "duration",
    "fan_mode",
    "humidity",
    "hvac_mode",
    "is_volume_muted",
    "message",
    "mode",
    "option",
    "percentage",
    "position",
    "preset_mode",
    "swing_mode",
    "target_temp_high",
    "target_temp_low",
    "temperature",
    "text_command",
    "tilt_position",
    "title",
    "volume_level",
];

/// Fields that hold what must never be seen. That there was one is kept.
const CODES: [&str; 5] = ["code", "pin", "password", "user_code", "usercode"];
/// The field that tells of one.
const CODE_GIVEN: &str = "code_given";

/// Fields that name targets of which the entities are not known here.
const INDIRECT: [&str; 4] = ["area_id", "device_id", "floor_id", "label_id"];

impl Registry {
    /// What a message of the event stream tells, in order. Empty for every other message.
    pub fn read_traces(&self, message: &Message) -> Vec<Trace> {
        let is_stream = self.eventstream.as_deref() == Some(message.topic.as_str());
        if !is_stream || message.retain || message.payload.len() > STREAM_BYTES_MAX {
            return Vec::new();
        }
        let Ok(text) = std::str::from_utf8(&message.payload) else { return Vec::new() };
        let Json::Value { value, .. } = read_json(text) else { return Vec::new() };
        let (kind, data) = (value.get("event_type").and_then(Value::as_str), value.get("event_data"));
        let (Some(kind), Some(data)) = (kind, data) else { return Vec::new() };
        match kind {
            "call_service" => read_call(data).unwrap_or_default(),
            "state_changed" => read_change(data).into_iter().collect(),
            "automation_triggered" => {
                let entity = data.get("entity_id").and_then(Value::as_str).and_then(entity_of);
                entity.map(|entity| Trace::Automation { entity }).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }
}

fn read_call(data: &Value) -> Option<Vec<Trace>> {
    let (domain, service) = (data.get("domain")?.as_str()?, data.get("service")?.as_str()?);
    let action = format!("{domain}.{service}");
    if !is_action(&action) {
        return None;
    }
    let none = Map::new();
    let fields = match data.get("service_data") {
        None | Some(Value::Null) => &none,
        Some(Value::Object(fields)) => fields,
        Some(_) => return None,
    };
    let (entities, mut is_indirect) = read_entities(fields.get("entity_id"));
    is_indirect |= INDIRECT.iter().any(|name| fields.get(*name).is_some_and(|target| !target.is_null()));
    let call = |entities: Vec<String>| Trace::Call { action: action.clone(), entities, data: kept(fields) };
    let mut traces = Vec::new();
    if !entities.is_empty() {
        traces.push(call(entities));
    }
    if is_indirect || traces.is_empty() {
        traces.push(call(Vec::new()));
    }
    Some(traces)
}

/// The entities that a call names, and whether it means others too.
fn read_entities(named: Option<&Value>) -> (Vec<String>, bool) {
    let texts: Vec<&str> = match named {
        None | Some(Value::Null) => return (Vec::new(), false),
        Some(Value::String(text)) => text.split(',').collect(),
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
        Some(_) => return (Vec::new(), true),
    };
    if texts.len() > ENTITIES_PER_CALL_MAX {
        return (Vec::new(), true);
    }
    let mut entities: Vec<String> = Vec::new();
    let mut is_indirect = false;
    for text in texts {
        match entity_of(text.trim()) {
            Some(entity) if entities.contains(&entity) => {}
            Some(entity) => entities.push(entity),
            // `all`, or nothing that an entity can be called.
            None => is_indirect = true,
        }
    }
    (entities, is_indirect)
}

/// An entity id as Home Assistant writes it, in small letters.
fn entity_of(text: &str) -> Option<String> {
    let text = text.to_ascii_lowercase();
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    };
    let (domain, object) = text.split_once('.')?;
    (text.len() <= ENTITY_BYTES_MAX && is_word(domain) && is_word(object)).then_some(text)
}

fn kept(fields: &Map<String, Value>) -> Map<String, Value> {
    let is_small = |value: &Value| match value {
        Value::Bool(_) | Value::Number(_) => true,
        Value::String(text) => text.len() <= TEXT_BYTES_MAX,
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    };
    let is_kept = |(name, value): &(&String, &Value)| KEPT.contains(&name.as_str()) && is_small(value);
    let mut kept: Map<String, Value> =
        fields.iter().filter(is_kept).map(|(name, value)| (name.clone(), value.clone())).collect();
    if CODES.iter().any(|name| fields.get(*name).is_some_and(|code| !code.is_null())) {
        kept.insert(CODE_GIVEN.to_owned(), true.into());
    }
    kept
}

/// Sentences and satellites. Every other change of a state is told by statestream.
fn read_change(data: &Value) -> Option<Trace> {
    let entity = entity_of(data.get("entity_id")?.as_str()?)?;
    let state = |name: &str| data.get(name)?.get("state")?.as_str();
    let (before, after) = (state("old_state"), state("new_state")?);
    match entity.split_once('.')?.0 {
        // Its state is when it last took a sentence in; without an earlier state it has only now appeared.
        "conversation" => {
            let is_sentence = before.is_some_and(|before| before != after) && is_known(after);
            let user = data.pointer("/new_state/context/user_id").and_then(Value::as_str);
            let user = user.filter(|user| (1..=USER_BYTES_MAX).contains(&user.len())).map(str::to_owned);
            is_sentence.then_some(Trace::Conversation { user })
        }
        "assist_satellite" => Some(Trace::Satellite { entity, state: after.chars().take(USER_BYTES_MAX).collect() }),
        _ => None,
    }
}

fn is_known(state: &str) -> bool {
    !matches!(state, "unknown" | "unavailable" | "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, NoSecrets};

    fn read(payload: &str) -> Vec<Trace> {
        let text = "home_assistant: {eventstream: events}";
        let registry = Registry::new(&config::parse("test.yaml", text, &NoSecrets).expect("a configuration"));
        let message = Message::live("events", payload.to_owned());
        let stored = Message { retain: true, ..message.clone() };
        assert_eq!(registry.read_traces(&stored), [], "what was stored happened some other time: {payload}");
        assert_eq!(registry.read_traces(&Message::live("event", payload.to_owned())), [], "{payload}");
        registry.read_traces(&message)
    }

    fn call(action: &str, entities: &[&str], data: Value) -> Trace {
        let Value::Object(data) = data else { panic!("an object") };
        Trace::Call {
            action: action.to_owned(),
            entities: entities.iter().map(|entity| (*entity).to_owned()).collect(),
            data,
        }
    }

    fn call_with(service_data: &Value) -> Vec<Trace> {
        let data = serde_json::json!({"domain": "light", "service": "turn_on", "service_data": service_data});
        read(&serde_json::json!({"event_type": "call_service", "event_data": data}).to_string())
    }

    #[test]
    fn a_call_names_its_entities_or_leaves_them_open() {
        use serde_json::json;
        let told = |entities: &[&str]| call("light.turn_on", entities, json!({}));
        for (service_data, expected) in [
            (json!({"entity_id": "light.a"}), vec![told(&["light.a"])]),
            (json!({"entity_id": ["light.a", "light.b", "light.a"]}), vec![told(&["light.a", "light.b"])]),
            (json!({"entity_id": "Light.A, light.b"}), vec![told(&["light.a", "light.b"])]),
            (json!({"entity_id": "all"}), vec![told(&[])]),
            (json!({"entity_id": ["light.a", "all"]}), vec![told(&["light.a"]), told(&[])]),
            (json!({"area_id": "kitchen"}), vec![told(&[])]),
            (json!({"entity_id": "light.a", "device_id": ["x"]}), vec![told(&["light.a"]), told(&[])]),
            (json!({"entity_id": {"a": 1}}), vec![told(&[])]),
            (json!({"entity_id": "light.a/b"}), vec![told(&[])]),
            (json!({}), vec![told(&[])]),
            (json!(null), vec![told(&[])]),
            (json!("light.a"), vec![]),
        ] {
            assert_eq!(call_with(&service_data), expected, "{service_data}");
        }
        let many = |count: usize| json!({"entity_id": (0..count).map(|n| format!("light.l{n}")).collect::<Vec<_>>()});
        let entities = |traces: Vec<Trace>| match traces.as_slice() {
            [Trace::Call { entities, .. }] => entities.len(),
            other => panic!("{other:?}"),
        };
        assert_eq!(entities(call_with(&many(ENTITIES_PER_CALL_MAX))), ENTITIES_PER_CALL_MAX);
        assert_eq!(entities(call_with(&many(ENTITIES_PER_CALL_MAX + 1))), 0, "too many to be told apart");
    }

    #[test]
    fn codes_are_not_kept() {
        use serde_json::json;
        for (fields, expected) in [
            (json!({"code": "8461"}), json!({"code_given": true})),
            (json!({"usercode": 8461, "brightness": 7}), json!({"code_given": true, "brightness": 7})),
            (json!({"payload": "{\"code\": \"8461\"}", "value": "8461", "variables": {"pin": "8461"}}), json!({})),
            (json!({"option": ["8461"], "message": "hello"}), json!({"message": "hello"})),
            (json!({"code": null}), json!({})),
            (json!({"message": "x".repeat(TEXT_BYTES_MAX + 1)}), json!({})),
        ] {
            let traces = call_with(&fields);
            assert_eq!(traces, [call("light.turn_on", &[], expected)], "{fields}");
            assert!(!format!("{traces:?}").contains("8461"), "{fields}");
        }
    }

    #[test]
    fn sentences_satellites_and_automations_are_told() {
        let sentence = |user: Option<&str>| vec![Trace::Conversation { user: user.map(str::to_owned) }];
        let changed = |entity: &str, old: &str, new: &str| {
            let data = format!(r#"{{"entity_id":"{entity}","old_state":{old},"new_state":{new}}}"#);
            read(&format!(r#"{{"event_type":"state_changed","event_data":{data}}}"#))
        };
        let agent = "conversation.home_assistant";
        let (old, new) = (r#"{"state":"unknown"}"#, r#"{"state":"2027-03-02","context":{"user_id":"anna"}}"#);
        assert_eq!(changed(agent, old, new), sentence(Some("anna")));
        assert_eq!(changed(agent, old, r#"{"state":"2027-03-02","context":{"user_id":null}}"#), sentence(None));
        assert_eq!(changed(agent, "null", new), [], "it has only now appeared");
        assert_eq!(changed(agent, new, new), []);
        assert_eq!(changed(agent, new, old), []);
        assert_eq!(changed("light.kitchen", old, new), []);
        let satellite =
            Trace::Satellite { entity: "assist_satellite.kitchen".to_owned(), state: "processing".to_owned() };
        assert_eq!(changed("assist_satellite.kitchen", "null", r#"{"state":"processing"}"#), [satellite]);
        let automation = r#"{"event_type":"automation_triggered","event_data":{"entity_id":"automation.sun"}}"#;
        assert_eq!(read(automation), [Trace::Automation { entity: "automation.sun".to_owned() }]);
    }

    #[test]
    fn what_is_malformed_tells_nothing() {
        let call = |data: &str| format!(r#"{{"event_type":"call_service","event_data":{data}}}"#);
        for payload in [
            "",
            "null",
            "[]",
            r#"{"event_type":"call_service"}"#,
            r#"{"event_type":"call_service","event_type":"call_service","event_data":{"domain":"a","service":"b"}}"#,
            &call(r#"{"domain":"lock"}"#),
            &call(r#"{"domain":"lock","service":"un/lock"}"#),
            &call(r#"{"domain":"lock","domain":"light","service":"unlock"}"#),
            &call(r#"{"domain":"lock","service":7}"#),
            r#"{"event_type":"time_changed","event_data":{}}"#,
        ] {
            assert_eq!(read(payload), [], "{payload}");
        }
        let padded = |bytes: usize| {
            let text = call(r#"{"domain":"a","service":"b"}"#);
            format!("{text}{}", " ".repeat(bytes - text.len()))
        };
        assert_eq!(read(&padded(STREAM_BYTES_MAX)).len(), 1);
        assert_eq!(read(&padded(STREAM_BYTES_MAX + 1)), [], "one byte more than is read");
    }
}
