//! Integrations that an owner writes: used without a rebuild, taken over without a restart, refused where they are wrong.

use crate::Case;
use crate::broker::{Broker, Kind};
use crate::client::Client;
use crate::house::House;
use crate::page::last_block;

pub const CASES: &[Case] = &[
    ("a_speaker_written_from_the_guide_works", a_speaker_written_from_the_guide_works),
    ("an_integration_is_taken_over_while_the_bridge_runs", an_integration_is_taken_over_while_the_bridge_runs),
];

const GUIDE: &str = include_str!("../../docs/integrations.md");
/// Tells what was heard, so that it can be seen from outside.
const EARS: &str = "const EVENTS = \"voice.transcript\";\nfn on_event(event) { notify(`heard ${event.text}`) }\n";
const PHONE: &str = "channels: {phone: {kind: person, independent: true, confirms: true}}\n";
const LOCK: &str = "mode: enforce\ntime_zone: UTC\ncommands: [{topic: lock/set, payload: UNLOCK, action: lock.unlock, target: door}]\n";

fn a_speaker_written_from_the_guide_works(kind: Kind) {
    let broker = Broker::start(kind);
    let speakers = last_block(GUIDE, "yaml", "speakers:");
    let house = House::furnished(&format!("broker: {{url: \"{}\"}}\n", broker.url()), &format!("{LOCK}{speakers}"));
    house.policy("ears", EARS);
    house.integration("parrot", &last_block(GUIDE, "rhai", "//!"));
    let checked = house.command(&["check"]);
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(checked.status.success() && said.contains("1 policy, 1 integration, 0 errors, 0 warnings"), "{said}");
    let _bridge = house.open(&broker);
    let topics = ["parrot/cellar/mic/set", "parrot/hall/ask", "hushgate/notice", "hushgate/mute/+", "lock/set"];
    let mut parrot = Client::connect(&broker, &topics);

    parrot.publish("parrot/cellar/heard", r#"{"text": "open the door", "sure": 0.8}"#);
    parrot.expect_where("hushgate/notice", |notice| notice.payload.contains("heard open the door"));

    parrot.publish("hushgate/mute/kitchen/set", r#"{"mute": true, "for": "10m"}"#);
    assert_eq!(parrot.expect("parrot/cellar/mic/set").payload, "off");
    parrot.publish("parrot/cellar/mic", "off");
    let told = parrot.expect_where("hushgate/mute/+", |mute| mute.payload.contains("\"confirmed\""));
    assert_eq!(told.json()["achieves"], "stops listening; the microphone keeps its power");

    parrot.publish("hushgate/gate/lock/set", "UNLOCK");
    let asked = parrot.expect("parrot/hall/ask").json();
    assert!(asked["text"].as_str().is_some_and(|text| text.contains("lock.unlock")), "{asked}");
    let token = asked["token"].as_str().expect("a token").to_owned();
    parrot.publish("parrot/hall/pressed", &format!(r#"{{"button": "yes", "token": "{token}"}}"#));
    assert_eq!(parrot.expect("lock/set").payload, "UNLOCK");
}

fn an_integration_is_taken_over_while_the_bridge_runs(kind: Kind) {
    let broker = Broker::start(kind);
    let devices = format!("{LOCK}{PHONE}speakers: {{hall: {{integration: snapcast}}}}\n");
    let house = House::furnished(&format!("broker: {{url: \"{}\"}}\n", broker.url()), &devices);
    house.policy("ears", EARS);
    let mut bridge = house.open(&broker);
    let topics = ["snapcastin/#", "parrot/hall/mic/set", "hushgate/mute/+", "hushgate/notice", "hushgate/log"];
    let mut owner = Client::connect(&broker, &topics);
    owner.publish("hushgate/mute/hall/set", r#"{"mute": true, "for": "10m"}"#);
    assert_eq!(owner.expect("snapcastin/#").topic, "snapcastin/client/hall/mute", "the shipped one");
    assert_eq!(owner.expect("snapcastin/#").topic, "snapcastin/client/hall/status");

    // There was no folder until now. What stands is told to the speaker again, in the new words, and what it had stored
    // comes with the new subscriptions.
    owner.publish_retained("parrot/hall/mic", "off");
    let parrot = last_block(GUIDE, "rhai", "//!");
    let parrot = parrot
        .replace("MUTES = [\"mic\"]", "MUTES = [\"mic\", \"sound\"]")
        .replace("(room, \"mic\")", "(room, \"both\")");
    house.integration("snapcast", &parrot);
    owner.expect_where("hushgate/log", |record| record.payload.contains("integrations_reloaded"));
    assert_eq!(owner.expect("parrot/hall/mic/set").payload, "off");
    owner.expect_where("hushgate/mute/+", |mute| mute.payload.contains("\"confirmed\""));
    owner.publish("parrot/hall/heard", r#"{"text": "hello"}"#);
    owner.expect_where("hushgate/notice", |notice| notice.payload.contains("heard hello"));

    let file = house.integration("snapcast", &parrot.replace("event(", "evnt("));
    let refused = owner.expect_where("hushgate/log", |record| record.payload.contains("reload_refused"));
    let line = parrot.lines().position(|line| line.contains("event(")).expect("an event") + 1;
    let place = format!("snapcast.rhai:{line}:");
    assert!(
        refused.payload.contains(&place) && refused.payload.contains("did you mean `event`?"),
        "{}",
        refused.payload
    );
    bridge.expect_log(&[&place, "evnt"]);
    owner.publish("parrot/hall/heard", r#"{"text": "still here"}"#);
    owner.expect_where("hushgate/notice", |notice| notice.payload.contains("heard still here"));

    // A file that is gone gives the shipped one back, and what stands is told in its words.
    std::fs::write(
        house.integrations().join("spare.rhai"),
        "fn observe(speaker) { act(\"light.turn_on\", \"light.x\") }\n",
    )
    .expect("a writable temporary folder");
    std::fs::remove_file(file).expect("a writable temporary folder");
    owner.expect_where("snapcastin/#", |message| message.topic == "snapcastin/client/hall/mute");
    bridge.signal("HUP");
    owner.expect_where("hushgate/log", |record| record.payload.contains("integrations_reloaded"));
}
