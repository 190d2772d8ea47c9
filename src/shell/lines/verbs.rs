//! What an action is in words: `lock.unlock` of `front_door` is "unlock `front_door`".
//!
//! Only words. Actions without any are told by their names.

use super::harmless;

/// Actions, what they do to a target, and what they do where none is named.
const VERBS: &[(&str, &str, &str)] = &[
    ("alarm_control_panel.alarm_arm_*", "arm {}", "arm the alarm"),
    ("alarm_control_panel.alarm_disarm", "disarm {}", "disarm the alarm"),
    ("alarm_control_panel.alarm_trigger", "set off {}", "set off the alarm"),
    ("assist_satellite.announce", "say something on {}", "say something aloud"),
    ("assist_satellite.ask_question", "ask something on {}", "ask something aloud"),
    ("assist_satellite.start_conversation", "begin a conversation on {}", "begin a conversation"),
    ("automation.trigger", "run the automation {}", "run an automation"),
    ("button.press", "press {}", "press a button"),
    ("climate.set_temperature", "set the temperature of {}", "set a temperature"),
    ("communication.announce", "announce something on {}", "announce something"),
    ("communication.call", "call {}", "call somebody"),
    ("communication.drop_in", "listen in on {}", "listen in"),
    ("communication.send_message", "send a message to {}", "send a message"),
    ("cover.close_*", "close {}", "close a cover"),
    ("cover.open_garage", "open {}", "open the garage"),
    ("cover.open_*", "open {}", "open a cover"),
    ("cover.set_*", "move {}", "move a cover"),
    ("cover.stop_*", "stop {}", "stop a cover"),
    ("hushgate.accept", "accept what is announced for {}", "accept what is announced for guarded topics"),
    (
        "hushgate.grant",
        "let {} do something without being asked about",
        "let a channel do something without being asked about",
    ),
    ("hushgate.release", "point {} at the devices", "let Home Assistant command its devices without the gate"),
    ("hushgate.set_mode", "set the mode to {}", "set the mode"),
    ("hushgate.turn_off_policy", "turn off the policy {}", "turn off a policy"),
    ("hushgate.unmute", "un-mute {}", "un-mute a speaker"),
    ("lawn_mower.start_mowing", "start {}", "start the mower"),
    ("lock.lock", "lock {}", "lock a door"),
    ("lock.open", "open {}", "open a door"),
    ("lock.unlock", "unlock {}", "unlock a door"),
    ("media_player.media_pause", "pause {}", "pause what plays"),
    ("media_player.media_play", "go on playing on {}", "go on playing"),
    ("media_player.media_stop", "stop {}", "stop what plays"),
    ("media_player.play_media", "play something on {}", "play something"),
    ("media_player.volume_*", "change the volume of {}", "change a volume"),
    ("notify.*", "send a message to {}", "send a message"),
    ("scene.turn_on", "set the scene {}", "set a scene"),
    ("script.*", "run the script {}", "run a script"),
    ("siren.turn_on", "sound {}", "sound a siren"),
    ("todo.add_item", "write something on {}", "write something on a list"),
    ("update.install", "update {}", "update something"),
    ("vacuum.start", "start {}", "start the vacuum"),
    ("vacuum.return_to_base", "send {} home", "send the vacuum home"),
    ("valve.close_valve", "close {}", "close a valve"),
    ("valve.open_valve", "open {}", "open a valve"),
    ("*.turn_off", "turn off {}", "turn something off"),
    ("*.turn_on", "turn on {}", "turn something on"),
    ("*.toggle", "switch {}", "switch something"),
    ("*.unreadable", "tell {} something that nobody can read", "tell something that nobody can read"),
];

/// What somebody wants, after "wanted to".
pub(super) fn phrase(action: &str, target: Option<&str>) -> String {
    let words = VERBS.iter().find(|(pattern, _, _)| crate::model::glob::Glob::new(*pattern).matches(action));
    match (words, target) {
        (Some((_, with, _)), Some(target)) => with.replace("{}", &format!("`{}`", harmless(target))),
        (Some((_, _, without)), None) => (*without).to_owned(),
        (None, Some(target)) => format!("do `{}` with `{}`", harmless(action), harmless(target)),
        (None, None) => format!("do `{}`", harmless(action)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_told_in_words() {
        for (action, target, expected) in [
            ("lock.unlock", Some("front_door"), "unlock `front_door`"),
            ("notify.mobile_app", Some("Bob"), "send a message to `Bob`"),
            ("cover.open_garage", None, "open the garage"),
            ("light.turn_on", Some("{}"), "turn on `{}`"),
            ("x.y", Some("z\u{1b}[31m"), "do `x.y` with `z\\u{1b}[31m`"),
            ("x.y", None, "do `x.y`"),
        ] {
            assert_eq!(phrase(action, target), expected);
        }
    }

    #[test]
    fn no_line_of_the_table_hides_a_later_one() {
        for (position, (action, _, _)) in VERBS.iter().enumerate() {
            let example = action.replace('*', "x");
            let first =
                VERBS.iter().position(|(pattern, _, _)| crate::model::glob::Glob::new(*pattern).matches(&example));
            assert_eq!(first, Some(position), "{action}");
        }
    }
}
