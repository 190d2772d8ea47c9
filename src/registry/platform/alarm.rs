//! Alarm panels: arm, disarm, trigger, each with a code perhaps.

use serde_json::Value;

use super::grammar::{Grammar, Meaning};
use super::payload_text;
use crate::model::entity::Entity;

/// Payload key, Home Assistant's default, action, state that follows. The strictest stand first.
const COMMANDS: [(&str, &str, &str, &str); 7] = [
    ("payload_disarm", "DISARM", "alarm_control_panel.alarm_disarm", "disarmed"),
    ("payload_trigger", "TRIGGER", "alarm_control_panel.alarm_trigger", "triggered"),
    ("payload_arm_away", "ARM_AWAY", "alarm_control_panel.alarm_arm_away", "armed_away"),
    ("payload_arm_home", "ARM_HOME", "alarm_control_panel.alarm_arm_home", "armed_home"),
    ("payload_arm_night", "ARM_NIGHT", "alarm_control_panel.alarm_arm_night", "armed_night"),
    ("payload_arm_vacation", "ARM_VACATION", "alarm_control_panel.alarm_arm_vacation", "armed_vacation"),
    (
        "payload_arm_custom_bypass",
        "ARM_CUSTOM_BYPASS",
        "alarm_control_panel.alarm_arm_custom_bypass",
        "armed_custom_bypass",
    ),
];

pub(super) fn commands(entity: &Entity) -> Grammar<'_> {
    let mut grammar = Grammar::new(entity.text("command_template"));
    for (key, default, action, state) in COMMANDS {
        grammar = grammar.word(payload_text(entity, key, default), Meaning::of(action).then(state));
    }
    // A panel knows the word without discovery.
    grammar = grammar.word(Some("DISARM".to_owned()), Meaning::of("alarm_control_panel.alarm_disarm").then("disarmed"));
    grammar.variables = Some(variables);
    grammar
}

/// Here the template knows the payload as `action`, and `value` is empty.
fn variables(_: &Entity, payload: &Value) -> Vec<(&'static str, Value)> {
    vec![("action", payload.clone()), ("value", Value::Null)]
}
