//! Which topics of which platform tell what: keys of topics and templates, Home Assistant's words and names.

use super::{
    Form, Row, cover_position, cover_state, cover_tilt, fan_oscillation, fan_percentage, number, siren, text, tracker,
    update, vacuum, valve,
};

pub(super) fn rows(platform: &str) -> &'static [Row] {
    match platform {
        "lock" => &[("state_topic", "value_template", Form::Words(&LOCK))],
        "alarm_control_panel" => &[("state_topic", "value_template", Form::Words(&ALARM))],
        "cover" => &COVER,
        "valve" => &[("state_topic", "value_template", Form::Own(valve))],
        "switch" | "binary_sensor" => &[("state_topic", "value_template", Form::OnOff)],
        "siren" => &[("state_topic", "state_value_template", Form::Own(siren))],
        "climate" => &CLIMATE,
        "water_heater" => &WATER_HEATER,
        "humidifier" => &HUMIDIFIER,
        "fan" => &FAN,
        "vacuum" => &[("state_topic", "", Form::Own(vacuum))],
        "lawn_mower" => &[("activity_state_topic", "activity_value_template", Form::Words(&MOWER))],
        "number" => &[("state_topic", "value_template", Form::Own(number))],
        "text" => &[("state_topic", "value_template", Form::Own(text))],
        "select" | "sensor" | "date" | "time" | "datetime" => &[("state_topic", "value_template", Form::Text(None))],
        "device_tracker" => &[("state_topic", "value_template", Form::Own(tracker))],
        "update" => &[
            ("state_topic", "value_template", Form::Own(update)),
            ("latest_version_topic", "latest_version_template", Form::Text(Some("latest_version"))),
        ],
        _ => &[],
    }
}

const LOCK: [(&str, &str, &str); 7] = [
    ("state_locked", "LOCKED", "locked"),
    ("state_locking", "LOCKING", "locking"),
    ("state_unlocked", "UNLOCKED", "unlocked"),
    ("state_unlocking", "UNLOCKING", "unlocking"),
    ("state_open", "OPEN", "open"),
    ("state_opening", "OPENING", "opening"),
    ("state_jammed", "JAMMED", "jammed"),
];
const ALARM: [(&str, &str, &str); 10] = [
    ("", "disarmed", "disarmed"),
    ("", "armed_home", "armed_home"),
    ("", "armed_away", "armed_away"),
    ("", "armed_night", "armed_night"),
    ("", "armed_vacation", "armed_vacation"),
    ("", "armed_custom_bypass", "armed_custom_bypass"),
    ("", "pending", "pending"),
    ("", "arming", "arming"),
    ("", "disarming", "disarming"),
    ("", "triggered", "triggered"),
];
const MOWER: [(&str, &str, &str); 5] = [
    ("", "mowing", "mowing"),
    ("", "paused", "paused"),
    ("", "docked", "docked"),
    ("", "returning", "returning"),
    ("", "error", "error"),
];
pub(super) const VACUUM: [&str; 6] = ["cleaning", "docked", "error", "idle", "paused", "returning"];
pub(super) const OPENINGS: [(&str, &str, &str); 4] = [
    ("state_open", "open", "open"),
    ("state_closed", "closed", "closed"),
    ("state_opening", "opening", "opening"),
    ("state_closing", "closing", "closing"),
];
const COVER: [Row; 3] = [
    ("state_topic", "value_template", Form::Own(cover_state)),
    ("position_topic", "position_template", Form::Own(cover_position)),
    ("tilt_status_topic", "tilt_status_template", Form::Own(cover_tilt)),
];
const CLIMATE: [Row; 12] = [
    ("mode_state_topic", "mode_state_template", Form::Text(None)),
    ("action_topic", "action_template", Form::Text(Some("hvac_action"))),
    ("temperature_state_topic", "temperature_state_template", Form::Number(Some("temperature"))),
    ("temperature_high_state_topic", "temperature_high_state_template", Form::Number(Some("target_temp_high"))),
    ("temperature_low_state_topic", "temperature_low_state_template", Form::Number(Some("target_temp_low"))),
    ("current_temperature_topic", "current_temperature_template", Form::Number(Some("current_temperature"))),
    ("target_humidity_state_topic", "target_humidity_state_template", Form::Number(Some("humidity"))),
    ("current_humidity_topic", "current_humidity_template", Form::Number(Some("current_humidity"))),
    ("fan_mode_state_topic", "fan_mode_state_template", Form::Text(Some("fan_mode"))),
    ("preset_mode_state_topic", "preset_mode_value_template", Form::Text(Some("preset_mode"))),
    ("swing_mode_state_topic", "swing_mode_state_template", Form::Text(Some("swing_mode"))),
    (
        "swing_horizontal_mode_state_topic",
        "swing_horizontal_mode_state_template",
        Form::Text(Some("swing_horizontal_mode")),
    ),
];
const WATER_HEATER: [Row; 3] = [
    ("mode_state_topic", "mode_state_template", Form::Text(None)),
    ("temperature_state_topic", "temperature_state_template", Form::Number(Some("temperature"))),
    ("current_temperature_topic", "current_temperature_template", Form::Number(Some("current_temperature"))),
];
const HUMIDIFIER: [Row; 5] = [
    ("state_topic", "state_value_template", Form::OnOff),
    ("mode_state_topic", "mode_state_template", Form::Text(Some("mode"))),
    ("target_humidity_state_topic", "target_humidity_state_template", Form::Number(Some("humidity"))),
    ("current_humidity_topic", "current_humidity_template", Form::Number(Some("current_humidity"))),
    ("action_topic", "action_template", Form::Text(Some("action"))),
];
const FAN: [Row; 5] = [
    ("state_topic", "state_value_template", Form::OnOff),
    ("percentage_state_topic", "percentage_value_template", Form::Own(fan_percentage)),
    ("preset_mode_state_topic", "preset_mode_value_template", Form::Text(Some("preset_mode"))),
    ("oscillation_state_topic", "oscillation_value_template", Form::Own(fan_oscillation)),
    ("direction_state_topic", "direction_value_template", Form::Text(Some("direction"))),
];
