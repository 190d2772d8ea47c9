//! Speakers of Home Assistant: asked, muted and spoken through by the package, and heard by the streams.
//!
//! One house and one start for all, as a start takes longer than the parts do.

use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

use crate::Case;
use crate::client::Client;
use crate::house::{House, Plan};
use crate::prepared::Prepared;
use crate::settings::Settings;

pub const CASES: &[Case] =
    &[("speakers_are_asked_muted_spoken_through_and_heard", speakers_are_asked_muted_spoken_through_and_heard)];

/// How long a stranger's un-mute may last.
const PUT_RIGHT_WITHIN: Duration = Duration::from_secs(2);
/// How long ago the Echo was spoken to when Amazon tells it.
const TOLD_AFTER_MS: u128 = 9_000;

const SPEAKERS: &str = "speakers:\n  kitchen: {integration: assist_satellite, channel: kitchen_voice}\n  echo:\n    \
                        integration: alexa_media\n    settings: {plug: switch.echo_plug}\n";

/// What is said is said by both speakers.
const SAYS: &str = r#"//! Says what comes.

const TOPICS = ["tests/say"];

fn on_message(message) {
    announce("kitchen", message.payload);
    announce("echo", message.payload);
}
"#;

fn speakers_are_asked_muted_spoken_through_and_heard(prepared: &Prepared) {
    let mut house = Plan::usual().speakers().hushgate_package().hearing().build(prepared);
    let settings = Settings::enforce().channel("kitchen_voice: {kind: voice, confirms: true, speaker: kitchen}");
    let _bridge = house.open(&settings.section(SPEAKERS).policy("says", SAYS));
    let mut owner =
        house.client("owner", &["homeassistant_statestream/#", "homeassistant_eventstream", "hushgate/mute/+"]);
    let mut witness = house.witness();
    a_question_is_answered_by_the_satellite(&house, &mut owner, &mut witness);
    an_announcement_is_spoken_and_told(&mut owner);
    an_echo_is_heard_afterwards_and_once(&house, &mut witness);
    a_mute_holds(&mut house, &mut owner, "kitchen", "switch.kitchen_mute", ["on", "off"]);
    a_mute_holds(&mut house, &mut owner, "echo", "switch.echo_plug", ["off", "on"]);
    let of_our_own = |decision: &Value| {
        let action = decision["request"]["action"].as_str().expect("an action");
        action.starts_with("assist_satellite.") || action.starts_with("notify.")
    };
    let decisions: Vec<Value> = witness.received("hushgate/decision/#").iter().map(|told| told.json()).collect();
    let own = decisions.iter().find(|decision| of_our_own(decision));
    assert!(own.is_none(), "what the bridge did itself was judged: {own:?}");
}

/// The satellite speaks the question; what is said to it then settles the request. A mumble settles nothing.
fn a_question_is_answered_by_the_satellite(house: &House, owner: &mut Client, witness: &mut Client) {
    for (id, sentence, outcome) in [("q1", "yes", "approved"), ("q2", "no", "rejected"), ("q3", "oh dear", "")] {
        owner.publish("hushgate/ask/panel", &json!({"action": "lock.unlock", "target": "safe", "id": id}).to_string());
        let held = witness.expect("hushgate/decision/confirm/lock.unlock").json();
        let asked = owner.expect_where("homeassistant_eventstream", |event| event.payload.contains("ask_question"));
        assert!(asked.payload.contains("assist_satellite.kitchen"), "{}", asked.payload);
        assert!(!asked.payload.contains("token"), "the token has left the package: {}", asked.payload);
        owner.expect_where("homeassistant_statestream/assist_satellite/kitchen/state", |state| {
            state.payload == "listening"
        });
        house.home_assistant.rest.fire("test_house_said", &json!({"sentence": sentence}));
        if outcome.is_empty() {
            let told = owner.expect("homeassistant_statestream/hushgate_said");
            let proof = told.payload.strip_prefix("assist_satellite.kitchen ").expect("this satellite");
            assert!(proof.len() == 32 && held["id"] != proof, "a proof that nobody else knows: {proof}");
            continue;
        }
        let settled = witness.expect_where("hushgate/decision/+/lock.unlock", |told| told.payload.contains("settles"));
        let settled = settled.json();
        assert_eq!(settled["settles"]["outcome"], outcome, "{settled}");
        assert_eq!(settled["settles"]["channel"], "kitchen_voice", "{settled}");
    }
    assert!(witness.received("hushgate/decision/allow/lock.unlock").is_empty(), "a mumble was taken for a yes");
    let woke = witness.received("hushgate/log").iter().any(|record| record.payload.contains("voice.wake_word"));
    assert!(!woke, "whoever answers has woken nothing");
}

/// Home Assistant is called, and the package tells when the satellite has spoken.
fn an_announcement_is_spoken_and_told(owner: &mut Client) {
    owner.publish("tests/say", "Dinner is ready.");
    let called = |service: &'static str| {
        move |event: &crate::client::Received| {
            event.payload.contains(service) && event.payload.contains("Dinner is ready.")
        }
    };
    let spoken = owner.expect_where("homeassistant_eventstream", called("announce")).json();
    let data = json!({"message": "Dinner is ready.", "entity_id": ["assist_satellite.kitchen"]});
    assert_eq!(spoken["event_data"]["service_data"], data, "{spoken}");
    let notified = owner.expect_where("homeassistant_eventstream", called("alexa_media")).json();
    let data = json!({"message": "Dinner is ready.", "target": ["media_player.echo"], "data": {"type": "tts"}});
    assert_eq!(notified["event_data"]["service_data"], data, "{notified}");
    let told = owner.expect("homeassistant_statestream/hushgate_said");
    assert!(told.payload.starts_with("assist_satellite.kitchen ") && !told.retain, "{told:?}");
}

/// The switch is as it must be, and is put right when somebody else moves it.
fn a_mute_holds(house: &mut House, owner: &mut Client, speaker: &str, switch: &str, [muted, loud]: [&str; 2]) {
    house.home_assistant.expect_state(switch, loud);
    owner.publish(&format!("hushgate/mute/{speaker}/set"), "mute");
    house.home_assistant.expect_state(switch, muted);
    let states = format!("homeassistant_statestream/{}/state", switch.replace('.', "/"));
    owner.expect_where(&states, |state| state.payload == muted);
    house.call(if loud == "on" { "switch.turn_on" } else { "switch.turn_off" }, switch);
    owner.expect_where(&states, |state| state.payload == loud);
    let began = Instant::now();
    owner.expect_where(&states, |state| state.payload == muted);
    assert!(began.elapsed() < PUT_RIGHT_WITHIN, "{speaker} listened for {:?}", began.elapsed());
    let told = format!("hushgate/mute/{speaker}");
    owner.expect_where(&told, |told| told.payload.contains("\"confirmed\""));
}

/// The attributes of an Echo as the integration Alexa Media Player writes them, in its order.
fn echo(at_ms: u128, summary: &str, volume: f64) -> String {
    format!(
        r#"{{"volume_level": {volume}, "is_volume_muted": false, "available": true, "last_called": true,
        "last_called_timestamp": {at_ms}, "last_called_summary": "{summary}",
        "last_called_response": "Who should I send it to?", "connected_bluetooth": null, "bluetooth_list": [],
        "history_records": [], "previous_volume": null, "friendly_name": "Kitchen Echo"}}"#
    )
}

fn an_echo_is_heard_afterwards_and_once(house: &House, witness: &mut Client) {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_millis();
    let rest = &house.home_assistant.rest;
    let said = |at_ms: u128, summary: &str, volume: f64| {
        rest.set_state("media_player.echo", "idle", &echo(at_ms, summary, volume));
    };
    said(now - TOLD_AFTER_MS, "send a message to mom", 0.4);
    let decision = witness.expect("hushgate/decision/+/communication.send_message").json();
    assert_eq!((&decision["grade"], &decision["request"]["door"]), (&json!("alerted"), &json!("watch")), "{decision}");
    assert_eq!(decision["request"]["heard"]["speaker"], "echo", "{decision}");
    assert!(decision["request"]["heard"]["happened"].is_string(), "{decision}");
    let reason = decision["reason"].as_str().expect("text");
    assert!(reason.contains("seen 9 s after") || reason.contains("seen 10 s after"), "{reason}");
    assert!(reason.contains("could not be prevented"), "{reason}");
    // Its volume changes, and everything is told anew.
    said(now - TOLD_AFTER_MS, "send a message to mom", 0.5);
    said(now, "what time is it", 0.5);
    said(now + 1, "call bob", 0.5);
    witness.expect("hushgate/decision/+/communication.call");
    let again = witness.received("hushgate/decision/+/communication.send_message");
    assert!(again.is_empty(), "told twice: {again:?}");
}
