//! The four integrations that hear Home Assistant's streams and act by its hands.

use super::shipped::{load, read};
use super::shown;
use crate::integration::{Integrations, Question};
use crate::model::message::Message;
use crate::model::speaker::{SpeakerCommand, What};

/// Plays messages, `stored` ones with a `*` before their topic, and compares what is read in each.
fn hears(integrations: &Integrations, messages: &[(&str, &str, &str)]) {
    for (topic, payload, expected) in messages {
        let message = match topic.strip_prefix('*') {
            Some(topic) => Message::retained(topic, (*payload).to_owned()),
            None => Message::live(*topic, (*payload).to_owned()),
        };
        assert_eq!(read(integrations, &message), *expected, "{topic} {payload}");
    }
}

fn told(integrations: &Integrations, command: &SpeakerCommand) -> Vec<String> {
    let messages = shown(&integrations.to_speaker("kitchen", command));
    assert!(integrations.take_failures().is_empty());
    messages.into_iter().map(|message| message.replace("hushgate/act ", "")).collect()
}

fn announced(integrations: &Integrations) -> Vec<String> {
    told(integrations, &SpeakerCommand::Announce { id: "a1".to_owned(), text: "Dinner.".to_owned() })
}

const SATELLITE: &str = "states/assist_satellite/kitchen/state";
const MUTE_SWITCH: &str = "states/switch/kitchen_mute/state";

#[test]
fn a_satellite_tells_when_it_listens_and_what_is_muted() {
    let satellite = load("assist_satellite", "player: media_player.radio");
    hears(
        &satellite,
        &[
            (&format!("*{SATELLITE}"), "idle", ""),
            (SATELLITE, "listening", "voice.wake_word by kitchen; voice.session_started by kitchen"),
            (SATELLITE, "listening", ""),
            (SATELLITE, "processing", ""),
            (SATELLITE, "responding", ""),
            // Its own question, or a follow-up: nobody woke it.
            (SATELLITE, "listening", "voice.session_started by kitchen"),
            (SATELLITE, "idle", "voice.session_ended by kitchen"),
            // An announcement.
            (SATELLITE, "responding", ""),
            (SATELLITE, "idle", ""),
            (SATELLITE, "unavailable", ""),
            (SATELLITE, "idle", "kitchen Restarted"),
            ("states/assist_satellite/attic/state", "listening", ""),
            (MUTE_SWITCH, "on", "kitchen Muted { what: Mic }"),
            (MUTE_SWITCH, "unavailable", ""),
            (MUTE_SWITCH, "off", "kitchen Unmuted { what: Mic }"),
            ("*states/switch/kitchen_mute/state", "on", "kitchen Muted { what: Mic }"),
            ("states/switch/kitchen/state", "on", ""),
            ("states/switch/attic_mute/state", "on", ""),
            ("states/media_player/radio/is_volume_muted", "true", "kitchen Muted { what: Sound }"),
            ("states/media_player/radio/is_volume_muted", "false", "kitchen Unmuted { what: Sound }"),
            ("states/media_player/kitchen/is_volume_muted", "true", ""),
            ("states/hushgate_said", "assist_satellite.kitchen a1", "kitchen Said { id: \"a1\" }"),
            ("states/hushgate_said", "assist_satellite.attic a1", ""),
            ("states/hushgate_answer", "assist_satellite.kitchen approve t0", "kitchen Approve t0"),
            ("states/hushgate_answer", "assist_satellite.kitchen reject t0", "kitchen Reject t0"),
            ("states/hushgate_answer", "assist_satellite.kitchen approve ", ""),
            ("states/hushgate_answer", "assist_satellite.kitchen maybe t0", ""),
            ("states/hushgate_answer", "assist_satellite.attic approve t0", ""),
        ],
    );
}

#[test]
fn a_satellite_is_told_by_home_assistants_hands() {
    let satellite = load("assist_satellite", "player: media_player.radio");
    let on = r#"{"action":"switch.turn_on","data":{},"target":{"entity_id":"switch.kitchen_mute"}}"#;
    let off = on.replace("turn_on", "turn_off");
    let silent = concat!(
        r#"{"action":"media_player.volume_mute","data":{"is_volume_muted":true},"#,
        r#""target":{"entity_id":"media_player.radio"}}"#
    );
    for (what, expected) in [(What::Mic, vec![on]), (What::Sound, vec![silent]), (What::Both, vec![on, silent])] {
        assert_eq!(told(&satellite, &SpeakerCommand::Mute { what }), expected);
    }
    assert_eq!(told(&satellite, &SpeakerCommand::Unmute { what: What::Mic }), [off]);
    let announcement = concat!(
        r#"{"action":"assist_satellite.announce","data":{"id":"a1","message":"Dinner."},"#,
        r#""target":{"entity_id":"assist_satellite.kitchen"}}"#
    );
    assert_eq!(announced(&satellite), [announcement]);
    let question = Question { token: "t0".to_owned(), text: "Open?".to_owned(), ..Question::default() };
    let asked = shown(&satellite.ask("kitchen", &question)).join("");
    for part in [r#""question":"Open?""#, r#""token":"t0""#, r#""id":"approve""#, "assist_satellite.ask_question"] {
        assert!(asked.contains(part), "{part} in {asked}");
    }

    let named = load("assist_satellite", "satellite: assist_satellite.voice_pe, mute_switch: switch.voice_pe_quiet");
    assert_eq!(
        told(&named, &SpeakerCommand::Mute { what: What::Both }),
        [r#"{"action":"switch.turn_on","data":{},"target":{"entity_id":"switch.voice_pe_quiet"}}"#]
    );
    hears(
        &named,
        &[
            ("states/switch/voice_pe_quiet/state", "on", "kitchen Muted { what: Mic }"),
            // With a setting the name counts no more.
            (MUTE_SWITCH, "on", ""),
            (SATELLITE, "listening", ""),
            (
                "states/assist_satellite/voice_pe/state",
                "listening",
                "voice.wake_word by kitchen; voice.session_started by kitchen",
            ),
            ("states/hushgate_said", "assist_satellite.voice_pe a1", "kitchen Said { id: \"a1\" }"),
        ],
    );
}

#[test]
fn a_player_is_silenced_and_speaks_where_it_can() {
    let plain = load("media_player", "");
    hears(
        &plain,
        &[
            ("states/media_player/kitchen/state", "playing", ""),
            ("states/media_player/kitchen/is_volume_muted", "true", "kitchen Muted { what: Sound }"),
            ("states/media_player/kitchen/state", "unavailable", ""),
            ("states/media_player/kitchen/state", "idle", "kitchen Restarted"),
            ("states/media_player/kitchen/state", "playing", ""),
            ("states/media_player/attic/is_volume_muted", "true", ""),
        ],
    );
    assert_eq!(told(&plain, &SpeakerCommand::Mute { what: What::Mic }), [] as [&str; 0]);
    assert_eq!(told(&plain, &SpeakerCommand::Unmute { what: What::Sound }).len(), 1);
    assert_eq!(announced(&plain), [] as [&str; 0]);
    let speaking = load("media_player", "tts: tts.piper, player: media_player.hifi");
    let spoken = concat!(
        r#"{"action":"tts.speak","data":{"media_player_entity_id":"media_player.hifi","message":"Dinner."},"#,
        r#""target":{"entity_id":"tts.piper"}}"#
    );
    assert_eq!(announced(&speaking), [spoken]);
    let notified = load("media_player", "notify: notify.hifi_speak");
    let sent =
        r#"{"action":"notify.send_message","data":{"message":"Dinner."},"target":{"entity_id":"notify.hifi_speak"}}"#;
    assert_eq!(announced(&notified), [sent]);
}

const STAMP: &str = "states/media_player/kitchen/last_called_timestamp";
const SUMMARY: &str = "states/media_player/kitchen/last_called_summary";
const RESPONSE: &str = "states/media_player/kitchen/last_called_response";
const LIGHT: &str = "voice.transcript by kitchen: turn on the light at 2026-11-22T23:14:02.123Z";

#[test]
fn what_an_echo_was_told_is_told_once() {
    let echo = load("alexa_media", "");
    hears(
        &echo,
        &[
            // What is stored was said some other time, in whatever order it comes.
            ("*states/media_player/kitchen/last_called_summary", "\"what time is it\"", ""),
            ("*states/media_player/kitchen/last_called_timestamp", "1795389000000", ""),
            (STAMP, "1795389000000", ""),
            (SUMMARY, "\"what time is it\"", ""),
            (RESPONSE, "\"It is nine\"", ""),
            (STAMP, "1795389242123", ""),
            (SUMMARY, "\"turn on the light\"", LIGHT),
            (RESPONSE, "\"OK\"", ""),
            // The volume has changed: everything is told anew.
            (STAMP, "1795389242123", ""),
            (SUMMARY, "\"turn on the light\"", ""),
            (RESPONSE, "\"OK\"", ""),
            // Home Assistant starts, and knows it again after a while.
            (STAMP, "null", ""),
            (SUMMARY, "null", ""),
            (STAMP, "1795389242123", ""),
            (SUMMARY, "\"turn on the light\"", ""),
            // The same words a minute later.
            (STAMP, "1795389302123", ""),
            (SUMMARY, "\"turn on the light\"", ""),
            (RESPONSE, "\"OK\"", "voice.transcript by kitchen: turn on the light at 2026-11-22T23:15:02.123Z"),
            (SUMMARY, "\"turn on the light\"", ""),
            // Two changes come through each other: the earlier one still carries the earlier words.
            (STAMP, "1795389302123", ""),
            (STAMP, "1795389400000", ""),
            (SUMMARY, "\"turn on the light\"", ""),
            (SUMMARY, "\"stop\"", "voice.transcript by kitchen: stop at 2026-11-22T23:16:40Z"),
            (RESPONSE, "\"OK\"", ""),
            (RESPONSE, "null", ""),
        ],
    );
    // One that is no speaker is heard all the same.
    let items = [
        ("states/media_player/attic/last_called_timestamp", "1795389242123", ""),
        (
            "states/media_player/attic/last_called_summary",
            "\"hello\"",
            "voice.transcript by media_player.attic: hello at 2026-11-22T23:14:02.123Z",
        ),
    ];
    hears(&echo, &items);
}

#[test]
fn what_matters_of_what_an_echo_was_told_is_a_request() {
    for (text, action) in [
        ("send a message to mom", "communication.send_message"),
        ("Alexa, could you please text Bob I am late", "communication.send_message"),
        ("send message, bob, right", "communication.send_message"),
        ("alexa call bob", "communication.call"),
        ("drop in on the bedroom", "communication.drop_in"),
        ("announce that dinner is ready", "communication.announce"),
        ("Unlock.", "lock.unlock"),
        ("what is it, unlock the front door", "lock.unlock"),
        ("open the garage door", "cover.open_garage"),
        ("reorder paper towels", "shopping.order"),
        ("what is a text editor", ""),
        ("tell me about the call of the wild", ""),
        ("callous", ""),
        ("alexa", ""),
        ("", ""),
    ] {
        let echo = load("alexa_media", "");
        let heard = read(&echo, &Message::live(SUMMARY, format!("\"{text}\"")));
        let event = format!("voice.transcript by kitchen: {text}");
        let expected = match (text, action) {
            ("", _) => String::new(),
            (_, "") => event,
            _ => format!("{event}; {action} sensitive wanted: {text}"),
        };
        assert_eq!(heard, expected);
    }
}

#[test]
fn an_echo_is_muted_by_its_plug_and_the_plug_says_so() {
    let echo = load("alexa_media", "plug: switch.echo_plug, do_not_disturb: switch.echo_quiet");
    let act = |action: &str, entity: &str| {
        format!(r#"{{"action":"{action}","data":{{}},"target":{{"entity_id":"{entity}"}}}}"#)
    };
    assert_eq!(told(&echo, &SpeakerCommand::Mute { what: What::Mic }), [act("switch.turn_off", "switch.echo_plug")]);
    assert_eq!(told(&echo, &SpeakerCommand::Unmute { what: What::Mic }), [act("switch.turn_on", "switch.echo_plug")]);
    let (mute, unmute) = (SpeakerCommand::Mute { what: What::Both }, SpeakerCommand::Unmute { what: What::Both });
    assert_eq!(told(&echo, &mute), [act("switch.turn_off", "switch.echo_plug")]);
    assert_eq!(told(&echo, &unmute), [act("switch.turn_on", "switch.echo_plug")], "its volume was not touched");
    let plug = "states/switch/echo_plug/state";
    hears(
        &echo,
        &[
            // Without power it is silent, too.
            (plug, "off", "kitchen Muted { what: Both }"),
            (plug, "on", "kitchen Unmuted { what: Mic }"),
            (plug, "unavailable", ""),
            ("states/media_player/kitchen/is_volume_muted", "true", "kitchen Muted { what: Sound }"),
        ],
    );
    let quiet = |on: &str| act(&format!("switch.turn_{on}"), "switch.echo_quiet");
    let (mute, unmute) = (SpeakerCommand::Mute { what: What::Sound }, SpeakerCommand::Unmute { what: What::Sound });
    assert!(told(&echo, &mute).contains(&quiet("on")));
    // Asserted again, it is still ours to end.
    hears(&echo, &[("states/switch/echo_quiet/state", "on", "")]);
    assert!(told(&echo, &mute).contains(&quiet("on")));
    assert!(told(&echo, &unmute).contains(&quiet("off")));
    // Whoever wanted peace before keeps it.
    told(&echo, &mute);
    assert!(!told(&echo, &unmute).contains(&quiet("off")));
    let announcement = concat!(
        r#"{"action":"notify.alexa_media","data":{"data":{"type":"tts"},"message":"Dinner.","#,
        r#""target":["media_player.kitchen"]},"target":{"entity_id":""}}"#
    );
    assert_eq!(announced(&echo), [announcement]);
    // Without a plug nothing can stop it from listening.
    let bare = load("alexa_media", "");
    assert_eq!(told(&bare, &SpeakerCommand::Mute { what: What::Mic }), [] as [&str; 0]);
    assert_eq!(told(&bare, &SpeakerCommand::Mute { what: What::Both }).len(), 1);
    assert_eq!(told(&bare, &SpeakerCommand::Unmute { what: What::Both }).len(), 1);
}

#[test]
fn an_echo_is_cut_off_from_calls_and_messages() {
    let echo = load("alexa_devices", "communications: switch.echo_calls");
    let act = |service: &str| {
        format!(r#"{{"action":"switch.{service}","data":{{}},"target":{{"entity_id":"switch.echo_calls"}}}}"#)
    };
    let calls = "states/switch/echo_calls/state";
    // Off before, off after.
    hears(&echo, &[(&format!("*{calls}"), "off", "")]);
    assert_eq!(told(&echo, &SpeakerCommand::Enforce), [act("turn_off")]);
    assert_eq!(told(&echo, &SpeakerCommand::Observe), [] as [&str; 0]);
    hears(&echo, &[(calls, "on", "kitchen Restarted"), (calls, "on", "")]);
    assert_eq!(told(&echo, &SpeakerCommand::Enforce), [act("turn_off")]);
    hears(&echo, &[(calls, "off", "")]);
    assert_eq!(told(&echo, &SpeakerCommand::Observe), [act("turn_on")]);
    assert_eq!(told(&echo, &SpeakerCommand::Observe), [] as [&str; 0]);
    let sent = announced(&echo).join("");
    assert!(sent.contains("notify.send_message") && sent.contains(r#"{"entity_id":"notify.kitchen_speak"}"#), "{sent}");
}

#[test]
fn an_echos_voice_event_is_told_once() {
    let echo = load("alexa_devices", "");
    let (state, command) = ("states/event/kitchen_voice_event/state", "states/event/kitchen_voice_event/voice_command");
    let said = "\"send a message to mom\"";
    let wanted = "communication.send_message sensitive wanted: send a message to mom";
    let told = format!("voice.transcript by kitchen: send a message to mom; {wanted}");
    hears(
        &echo,
        &[
            (&format!("*{state}"), "2026-11-22T22:00:00.000+00:00", ""),
            (&format!("*{command}"), said, ""),
            (state, "2026-11-22T23:14:02.123+00:00", ""),
            (command, said, &told),
            (state, "2026-11-22T23:14:02.123+00:00", ""),
            (command, said, ""),
            (state, "2026-11-22T23:15:00.000+00:00", ""),
            (command, said, &told),
            ("states/event/doorbell/state", "2026-11-22T23:15:00.000+00:00", ""),
            ("states/event/doorbell/voice_command", said, ""),
        ],
    );
}

#[test]
fn what_is_typed_for_an_echo_is_a_request_by_what_it_does() {
    let call = |domain: &str, service: &str, data: &str| {
        let data = format!(r#"{{"domain":"{domain}","service":"{service}","service_data":{data}}}"#);
        format!(r#"{{"event_type":"call_service","event_data":{data}}}"#)
    };
    let wanted = "communication.send_message sensitive wanted: send a message to mom";
    let stream = "homeassistant_eventstream";
    let typed = |text: &str| {
        call("alexa_devices", "send_text_command", &format!(r#"{{"device_id":"d","text_command":"{text}"}}"#))
    };
    hears(
        &load("alexa_devices", ""),
        &[
            (stream, &typed("send a message to mom"), wanted),
            (stream, &typed("what time is it"), ""),
            (stream, &call("other", "send_text_command", r#"{"text_command":"send a message to mom"}"#), ""),
            (stream, &call("alexa_devices", "send_text_command", r#"{"text_command":["send_text_command"]}"#), ""),
        ],
    );
    let custom = |kind: &str| {
        let data = format!(r#"{{"media_content_type":"{kind}","media_content_id":"send a message to mom"}}"#);
        call("media_player", "play_media", &data)
    };
    hears(&load("alexa_media", ""), &[(stream, &custom("custom"), wanted), (stream, &custom("music"), "")]);
}
