//! The actions that the bridge knows by name: Home Assistant's `domain.service`, and a few words of its own.
//!
//! The list serves two ends: `check` says when a policy's pattern fits none of them, and each has a class,
//! which decides what happens where no policy has an opinion. Actions outside the list are legal; they are ordinary
//! unless the configuration says otherwise.

use serde::{Deserialize, Serialize};

/// What happens to a request that no policy has an opinion on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Allowed.
    Ordinary,
    /// Held until it is confirmed.
    Sensitive,
}

/// A command on a topic that is known, with a payload that fits none of the topic's readings.
pub const UNREADABLE: &str = "command.unreadable";

/// Loosening the bridge itself: these are judged like any other request.
pub const SET_MODE: &str = "hushgate.set_mode";
pub const TURN_OFF_POLICY: &str = "hushgate.turn_off_policy";
pub const UNMUTE: &str = "hushgate.unmute";
pub const RELEASE: &str = "hushgate.release";
pub const ACCEPT: &str = "hushgate.accept";
pub const GRANT: &str = "hushgate.grant";

/// Commands to the firmware or the bridge program of a device: they set it up, rename, admit, or run code. What they are
/// given is never shown.
pub const SHELLY_CALL: &str = "shelly.call";
pub const TASMOTA_COMMAND: &str = "tasmota.command";
pub const ZIGBEE2MQTT_REQUEST: &str = "zigbee2mqtt.request";
pub const ZWAVE_CALL: &str = "zwave.call";

use Class::{Ordinary, Sensitive};

/// Known actions and their classes, in alphabetical order.
///
/// Home Assistant's names are those of its `services.yaml` files. `communication.*` and `shopping.order` are the bridge's
/// own: Home Assistant has no domain for calls and messages between people, nor for what costs money.
pub const KNOWN_ACTIONS: &[(&str, Class)] = &[
    ("alarm_control_panel.alarm_arm_away", Ordinary),
    ("alarm_control_panel.alarm_arm_custom_bypass", Ordinary),
    ("alarm_control_panel.alarm_arm_home", Ordinary),
    ("alarm_control_panel.alarm_arm_night", Ordinary),
    ("alarm_control_panel.alarm_arm_vacation", Ordinary),
    ("alarm_control_panel.alarm_disarm", Sensitive),
    ("alarm_control_panel.alarm_trigger", Sensitive),
    ("alarm_control_panel.unreadable", Sensitive),
    ("alexa_devices.send_text_command", Sensitive),
    ("assist_satellite.announce", Ordinary),
    ("assist_satellite.ask_question", Ordinary),
    ("assist_satellite.start_conversation", Ordinary),
    ("automation.trigger", Ordinary),
    ("automation.turn_off", Sensitive),
    ("automation.turn_on", Ordinary),
    ("button.press", Ordinary),
    ("button.unreadable", Ordinary),
    ("camera.turn_off", Sensitive),
    ("camera.turn_on", Ordinary),
    ("climate.set_fan_mode", Ordinary),
    ("climate.set_humidity", Ordinary),
    ("climate.set_hvac_mode", Ordinary),
    ("climate.set_preset_mode", Ordinary),
    ("climate.set_swing_horizontal_mode", Ordinary),
    ("climate.set_swing_mode", Ordinary),
    ("climate.set_temperature", Ordinary),
    ("climate.turn_off", Ordinary),
    ("climate.turn_on", Ordinary),
    ("climate.unreadable", Ordinary),
    (UNREADABLE, Sensitive),
    ("communication.announce", Sensitive),
    ("communication.call", Sensitive),
    ("communication.drop_in", Sensitive),
    ("communication.send_message", Sensitive),
    ("cover.close_cover", Ordinary),
    ("cover.close_cover_tilt", Ordinary),
    ("cover.open_cover", Ordinary),
    ("cover.open_cover_tilt", Ordinary),
    ("cover.open_garage", Sensitive),
    ("cover.set_cover_position", Ordinary),
    ("cover.set_cover_tilt_position", Ordinary),
    ("cover.stop_cover", Ordinary),
    ("cover.stop_cover_tilt", Ordinary),
    ("cover.toggle", Ordinary),
    ("cover.unreadable", Ordinary),
    ("date.set_value", Ordinary),
    ("date.unreadable", Ordinary),
    ("datetime.set_value", Ordinary),
    ("datetime.unreadable", Ordinary),
    ("fan.oscillate", Ordinary),
    ("fan.set_direction", Ordinary),
    ("fan.set_percentage", Ordinary),
    ("fan.set_preset_mode", Ordinary),
    ("fan.turn_off", Ordinary),
    ("fan.turn_on", Ordinary),
    ("fan.unreadable", Ordinary),
    ("frigate.ptz", Sensitive),
    ("frigate.ptz_stop", Ordinary),
    ("frigate.restart", Sensitive),
    ("frigate.set_profile", Sensitive),
    ("humidifier.set_humidity", Ordinary),
    ("humidifier.set_mode", Ordinary),
    ("humidifier.turn_off", Ordinary),
    ("humidifier.turn_on", Ordinary),
    ("humidifier.unreadable", Ordinary),
    (ACCEPT, Sensitive),
    (GRANT, Sensitive),
    (RELEASE, Sensitive),
    (SET_MODE, Sensitive),
    (TURN_OFF_POLICY, Sensitive),
    (UNMUTE, Sensitive),
    ("input_boolean.toggle", Ordinary),
    ("input_boolean.turn_off", Ordinary),
    ("input_boolean.turn_on", Ordinary),
    ("lawn_mower.dock", Ordinary),
    ("lawn_mower.pause", Ordinary),
    ("lawn_mower.start_mowing", Ordinary),
    ("lawn_mower.unreadable", Ordinary),
    ("light.toggle", Ordinary),
    ("light.turn_off", Ordinary),
    ("light.turn_on", Ordinary),
    ("light.unreadable", Ordinary),
    ("lock.lock", Ordinary),
    ("lock.open", Sensitive),
    ("lock.unlock", Sensitive),
    ("lock.unreadable", Sensitive),
    ("media_player.media_pause", Ordinary),
    ("media_player.media_play", Ordinary),
    ("media_player.media_stop", Ordinary),
    ("media_player.play_media", Ordinary),
    ("media_player.turn_off", Ordinary),
    ("media_player.turn_on", Ordinary),
    ("media_player.volume_mute", Ordinary),
    ("media_player.volume_set", Ordinary),
    ("notify.send_message", Sensitive),
    ("notify.unreadable", Sensitive),
    ("number.set_value", Ordinary),
    ("number.unreadable", Ordinary),
    ("scene.turn_on", Ordinary),
    ("scene.unreadable", Ordinary),
    ("script.turn_on", Ordinary),
    ("select.select_option", Ordinary),
    ("select.unreadable", Ordinary),
    (SHELLY_CALL, Sensitive),
    ("shelly.query", Ordinary),
    ("shopping.order", Sensitive),
    ("shopping_list.add_item", Ordinary),
    ("signal.call", Sensitive),
    ("siren.turn_off", Ordinary),
    ("siren.turn_on", Sensitive),
    ("siren.unreadable", Sensitive),
    ("switch.toggle", Ordinary),
    ("switch.turn_off", Ordinary),
    ("switch.turn_on", Ordinary),
    ("switch.unreadable", Ordinary),
    (TASMOTA_COMMAND, Sensitive),
    ("tasmota.query", Ordinary),
    ("text.set_value", Ordinary),
    ("text.unreadable", Ordinary),
    ("time.set_value", Ordinary),
    ("time.unreadable", Ordinary),
    ("update.install", Sensitive),
    ("update.unreadable", Sensitive),
    ("vacuum.clean_spot", Ordinary),
    ("vacuum.locate", Ordinary),
    ("vacuum.pause", Ordinary),
    ("vacuum.return_to_base", Ordinary),
    ("vacuum.send_command", Ordinary),
    ("vacuum.set_fan_speed", Ordinary),
    ("vacuum.start", Ordinary),
    ("vacuum.stop", Ordinary),
    ("vacuum.unreadable", Ordinary),
    ("valve.close_valve", Ordinary),
    ("valve.open_valve", Sensitive),
    ("valve.set_valve_position", Sensitive),
    ("valve.stop_valve", Ordinary),
    ("valve.unreadable", Sensitive),
    ("water_heater.set_operation_mode", Ordinary),
    ("water_heater.set_temperature", Ordinary),
    ("water_heater.turn_off", Ordinary),
    ("water_heater.turn_on", Ordinary),
    ("water_heater.unreadable", Ordinary),
    ("zigbee2mqtt.query", Ordinary),
    (ZIGBEE2MQTT_REQUEST, Sensitive),
    (ZWAVE_CALL, Sensitive),
];

/// What no policy may block unless the owner's `floor:` says otherwise: it makes a house quieter, drier or still, and
/// harms nobody when it is done by mistake.
///
/// What calls for help (`alarm_control_panel.alarm_trigger`) is not here, since done by mistake it sends people out; nor
/// what opens a way out or makes light, since a misheard word must not open a house.
pub const FLOOR_DEFAULT: &[&str] = &[
    "cover.stop_cover",
    "cover.stop_cover_tilt",
    "lawn_mower.pause",
    "siren.turn_off",
    "valve.close_valve",
    "valve.stop_valve",
];

/// Services of one domain that undo each other. Who has just done what stands first no longer wants what follows.
///
/// A toggle does one of two things, and which one hangs on a state that the command itself changes: so it goes against
/// either of them and against another toggle, and each of them goes against it. A position may be either side too. To stop
/// goes against every movement, but no movement goes against a stop: what makes a house still is not dropped for what
/// moves it.
const CONTRARY: &[(&str, &[&str])] = &[
    ("lock", &["unlock", "open"]),
    ("unlock", &["lock"]),
    ("open", &["lock"]),
    ("open_cover", &["close_cover", "set_cover_position", "toggle"]),
    ("open_garage", &["close_cover", "set_cover_position", "toggle"]),
    ("close_cover", &["open_cover", "open_garage", "set_cover_position", "toggle"]),
    ("set_cover_position", &["open_cover", "open_garage", "close_cover", "toggle"]),
    ("stop_cover", &["open_cover", "open_garage", "close_cover", "set_cover_position", "toggle"]),
    ("open_cover_tilt", &["close_cover_tilt", "set_cover_tilt_position"]),
    ("close_cover_tilt", &["open_cover_tilt", "set_cover_tilt_position"]),
    ("set_cover_tilt_position", &["open_cover_tilt", "close_cover_tilt"]),
    ("stop_cover_tilt", &["open_cover_tilt", "close_cover_tilt", "set_cover_tilt_position"]),
    ("open_valve", &["close_valve", "set_valve_position"]),
    ("close_valve", &["open_valve", "set_valve_position"]),
    ("set_valve_position", &["open_valve", "close_valve"]),
    ("stop_valve", &["open_valve", "close_valve", "set_valve_position"]),
    ("turn_on", &["turn_off", "toggle"]),
    ("turn_off", &["turn_on", "toggle"]),
    ("toggle", &["turn_on", "turn_off", "toggle", "open_cover", "open_garage", "close_cover", "set_cover_position"]),
    ("alarm_arm_away", &["alarm_disarm"]),
    ("alarm_arm_custom_bypass", &["alarm_disarm"]),
    ("alarm_arm_home", &["alarm_disarm"]),
    ("alarm_arm_night", &["alarm_disarm"]),
    ("alarm_arm_vacation", &["alarm_disarm"]),
    ("alarm_trigger", &["alarm_disarm"]),
    (
        "alarm_disarm",
        &[
            "alarm_arm_away",
            "alarm_arm_custom_bypass",
            "alarm_arm_home",
            "alarm_arm_night",
            "alarm_arm_vacation",
            "alarm_trigger",
        ],
    ),
    ("media_play", &["media_pause", "media_stop"]),
    ("media_pause", &["media_play", "play_media"]),
    ("media_stop", &["media_play", "play_media"]),
    ("start_mowing", &["dock", "pause"]),
    ("dock", &["start_mowing"]),
    ("start", &["pause", "return_to_base", "stop"]),
    ("pause", &["clean_spot", "start", "start_mowing"]),
    ("stop", &["clean_spot", "start"]),
    ("return_to_base", &["clean_spot", "start"]),
];

/// Whether the action `done` goes against the action `waiting` on the same target.
pub fn is_contrary(done: &str, waiting: &str) -> bool {
    let (Some((domain, done)), Some((other_domain, waiting))) = (done.split_once('.'), waiting.split_once('.')) else {
        return false;
    };
    domain == other_domain
        && CONTRARY.iter().find(|(service, _)| *service == done).is_some_and(|(_, against)| against.contains(&waiting))
}

/// Longest action name, in bytes.
pub const ACTION_BYTES_MAX: usize = 64;

/// The class of an action that the configuration says nothing about.
pub fn class_of(action: &str) -> Class {
    KNOWN_ACTIONS.iter().find(|(name, _)| *name == action).map_or(Ordinary, |(_, class)| *class)
}

/// Whether a text has the shape of an action: `domain.service`, lower case, digits and underscores.
pub fn is_action(text: &str) -> bool {
    let word = |word: &str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    };
    text.len() <= ACTION_BYTES_MAX
        && text.split_once('.').is_some_and(|(domain, service)| word(domain) && word(service))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_action_is_an_action_and_stands_once() {
        for (index, (name, _)) in KNOWN_ACTIONS.iter().enumerate() {
            assert!(is_action(name), "{name}");
            assert!(KNOWN_ACTIONS[index + 1..].iter().all(|(other, _)| other != name), "{name} stands twice");
        }
        assert_eq!(class_of("lock.unlock"), Sensitive);
        assert_eq!(class_of("nobody.knows"), Ordinary);
    }

    #[test]
    fn who_does_one_thing_no_longer_wants_its_opposite() {
        for (done, waiting, expected) in [
            ("lock.lock", "lock.unlock", true),
            ("lock.lock", "lock.open", true),
            ("lock.unlock", "lock.lock", true),
            ("lock.unlock", "lock.unlock", false),
            ("cover.close_cover", "cover.open_garage", true),
            ("cover.stop_cover", "cover.open_cover", true),
            ("cover.open_cover", "cover.stop_cover", false),
            ("valve.close_valve", "valve.open_valve", true),
            ("light.turn_off", "light.turn_on", true),
            ("light.turn_off", "switch.turn_on", false),
            ("light.turn_on", "light.toggle", true),
            ("light.toggle", "light.turn_off", true),
            ("light.toggle", "light.toggle", true),
            ("alarm_control_panel.alarm_arm_night", "alarm_control_panel.alarm_disarm", true),
            ("alarm_control_panel.alarm_arm_night", "alarm_control_panel.alarm_arm_away", false),
            ("own.turn_on", "own.turn_off", true),
            ("nothing", "lock.lock", false),
        ] {
            assert_eq!(is_contrary(done, waiting), expected, "{done} against {waiting}");
        }
        let services: Vec<&str> = KNOWN_ACTIONS.iter().filter_map(|(name, _)| Some(name.split_once('.')?.1)).collect();
        for (service, against) in CONTRARY {
            for name in against.iter().chain([service]) {
                assert!(services.contains(name), "`{name}` is no known service");
            }
        }
    }

    #[test]
    fn topic_characters_are_no_part_of_an_action() {
        for text in ["", "lock", "lock.", ".unlock", "lock/x.y", "Lock.unlock", "a.b.c", "lock.+", "lock.#"] {
            assert!(!is_action(text), "{text}");
        }
        let long = |bytes: usize| format!("a.{}", "b".repeat(bytes - 2));
        assert!(is_action(&long(ACTION_BYTES_MAX)));
        assert!(!is_action(&long(ACTION_BYTES_MAX + 1)));
    }
}
