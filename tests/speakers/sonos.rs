//! Sonos speakers, as sonos2mqtt speaks for them.

use serde_json::{Value, json};

use crate::Case;
use crate::broker::{Broker, Kind};
use crate::client::Client;
use crate::household::{Household, nothing_failed, told};

pub const CASES: &[Case] = &[
    ("a_mute_holds_against_strangers_and_restarts", a_mute_holds_against_strangers_and_restarts),
    ("broken_states_change_nothing", broken_states_change_nothing),
    ("it_speaks_as_sonos2mqtt_wants_it", it_speaks_as_sonos2mqtt_wants_it),
];

const UUID: &str = "RINCON_000E5000000001400";
const CONTROL: &str = "sonos/RINCON_000E5000000001400/control";
const HOUSE: &str = "channels:\n  phone: {kind: person, independent: true, confirms: true}\nspeakers:\n  living_room: {integration: sonos2mqtt, settings: {uuid: RINCON_000E5000000001400, volume: 20, \
                     language: en-US}}\n  bath: {integration: sonos2mqtt, settings: {uuid: RINCON_B, say: chime, chime: \
                     \"http://127.0.0.1/ding.mp3\"}}\n";

/// The state as sonos2mqtt stores it.
fn state(is_muted: bool, transport: &str) -> String {
    let state = json!({
        "uuid": UUID, "model": "Sonos One", "name": "Living room", "groupName": "Living room", "coordinatorUuid": UUID,
        "currentTrack": {"Artist": "Pavo", "Title": "A song", "Duration": "0:04:06"}, "transportState": transport,
        "playmode": "SHUFFLE", "ts": 1_586_344_373_119_u64, "volume": {"Master": 7, "LF": 100, "RF": 100},
        "mute": {"Master": is_muted, "LF": false, "RF": false}, "bass": 0, "loudness": true,
    });
    state.to_string()
}

struct Scene {
    _bridge: crate::bridge::Bridge,
    sonos: Client,
    witness: Client,
    topic: String,
}

fn scene() -> (Broker, Scene) {
    let broker = Broker::start(Kind::Mosquitto);
    let topic = format!("sonos/{UUID}");
    let sonos =
        Client::speaking(crate::client::Version::V3, &broker, &["sonos/+/control", "sonos/cmd/+", "sonos/set/+/+"]);
    sonos.publish_retained(&topic, &state(false, "PLAYING"));
    sonos.publish_retained("sonos/connected", "2");
    let bridge = Household::on(&broker, HOUSE).open(&broker);
    let witness = Client::connect(&broker, &["hushgate/log", "hushgate/mute/+"]);
    (broker, Scene { _bridge: bridge, sonos, witness, topic })
}

fn a_mute_holds_against_strangers_and_restarts() {
    let (_broker, mut scene) = scene();
    let muted = json!({"command": "mute"});
    scene.witness.publish("test/mute/sound", "living_room");
    assert_eq!(told(&mut scene.sonos, CONTROL), muted);
    scene.sonos.publish_retained(&scene.topic, &state(true, "PLAYING"));

    // Somebody turns it on again by hand.
    scene.sonos.publish_retained(&scene.topic, &state(false, "PLAYING"));
    assert_eq!(told(&mut scene.sonos, CONTROL), muted, "a stranger's un-mute is put right");
    scene.sonos.publish_retained(&scene.topic, &state(true, "PLAYING"));

    // sonos2mqtt is restarted.
    scene.sonos.publish_retained("sonos/connected", "0");
    scene.sonos.publish_retained("sonos/connected", "2");
    assert_eq!(told(&mut scene.sonos, CONTROL), muted, "said again after a restart");
    scene.sonos.publish_retained(&scene.topic, &state(true, "PAUSED_PLAYBACK"));

    scene.witness.publish("test/unmute", "living_room");
    assert_eq!(told(&mut scene.sonos, CONTROL), json!({"command": "unmute"}));
    // Now it is nobody's affair any more.
    scene.sonos.publish_retained(&scene.topic, &state(false, "PLAYING"));
    scene.sonos.publish("test/say/living_room", "done");
    assert_eq!(told(&mut scene.sonos, CONTROL)["command"], "speak");
    nothing_failed(&scene.witness);
}

fn broken_states_change_nothing() {
    let (_broker, mut scene) = scene();
    scene.witness.publish("test/mute/sound", "living_room");
    assert_eq!(told(&mut scene.sonos, CONTROL)["command"], "mute");
    scene.sonos.publish_retained(&scene.topic, &state(true, "PLAYING"));
    for broken in [
        "",
        "{",
        "null",
        "[]",
        "7",
        r#""mute""#,
        "{}",
        r#"{"mute":false}"#,
        r#"{"mute":[]}"#,
        r#"{"mute":{"Master":"false"}}"#,
        r#"{"mute":{"Master":0}}"#,
        r#"{"mute":{"Master":null}}"#,
        r#"{"transportState":{"a":1}}"#,
        r#"{"transportState":"LOUD"}"#,
    ] {
        scene.sonos.publish(&scene.topic, broken);
    }
    scene.sonos.publish("sonos/connected", "{}");
    scene.sonos.publish("sonos/RINCON_OF_SOMEBODY", &state(false, "PLAYING"));
    scene.sonos.publish("test/say/living_room", "done");
    let next: Value = told(&mut scene.sonos, "sonos/#");
    assert_eq!(next["command"], "speak", "none of it was an un-mute: {next}");
    nothing_failed(&scene.witness);
}

fn it_speaks_as_sonos2mqtt_wants_it() {
    let (_broker, mut scene) = scene();
    scene.witness.publish("test/say/living_room", "Somebody is at the \"front\" door");
    assert_eq!(
        told(&mut scene.sonos, CONTROL),
        json!({"command": "speak", "input": {
            "text": "Somebody is at the \"front\" door", "onlyWhenPlaying": false, "volume": 20, "lang": "en-US"
        }})
    );
    scene.witness.publish("test/say/bath", "not spoken there");
    assert_eq!(
        told(&mut scene.sonos, "sonos/RINCON_B/control"),
        json!({"command": "notify", "input": {"trackUri": "http://127.0.0.1/ding.mp3", "onlyWhenPlaying": false}})
    );
    nothing_failed(&scene.witness);
}
