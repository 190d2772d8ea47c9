//! Snapcast clients, as Snapcast2MQTT speaks for them; and a Chromecast, whose connector is as plain.

use crate::Case;
use crate::broker::{Broker, Kind};
use crate::client::{Client, Version};
use crate::household::{Household, nothing_failed};

pub const CASES: &[Case] = &[
    ("a_client_is_muted_and_stays_so", a_client_is_muted_and_stays_so),
    ("a_chromecast_is_muted_again_when_it_comes_back", a_chromecast_is_muted_again_when_it_comes_back),
];

const HOUSE: &str = "channels:\n  phone: {kind: person, independent: true, confirms: true}\nspeakers:\n  porch: {integration: snapcast, settings: {client: \"b8:27:eb:12:34:56\"}}\n  tv: {integration: \
                     chromecast, settings: {name: Living Room TV}}\n";
const IN: &str = "snapcastin/client/b8:27:eb:12:34:56";
const OUT: &str = "snapcastout/client/b8:27:eb:12:34:56/mute";

fn a_client_is_muted_and_stays_so() {
    let broker = Broker::start(Kind::Mosquitto);
    let mut snapcast = Client::speaking(Version::V3, &broker, &["snapcastin/#"]);
    snapcast.publish_retained(OUT, "0");
    let _bridge = Household::on(&broker, HOUSE).open(&broker);
    let witness = Client::connect(&broker, &["hushgate/log"]);
    let mut expect = |payload: &str, why: &str| {
        assert_eq!(snapcast.expect(&format!("{IN}/mute")).payload, payload, "{why}");
        // What the server has set is asked for by itself.
        snapcast.expect(&format!("{IN}/status"));
        // Snapcast2MQTT tells what it was told, then what the server says.
        snapcast.publish_retained(OUT, payload);
        snapcast.publish_retained(OUT, payload);
    };
    witness.publish("test/mute/sound", "porch");
    expect("1", "the mute");
    witness.publish_retained(OUT, "0");
    expect("1", "a stranger has turned it on");
    for broken in ["", "2", "true", "{\"muted\":false}"] {
        witness.publish(OUT, broken);
    }
    witness.publish("snapcastout/client/of somebody/mute", "0");
    witness.publish("test/unmute", "porch");
    expect("0", "none of it was a report");
    nothing_failed(&witness);
}

fn a_chromecast_is_muted_again_when_it_comes_back() {
    let broker = Broker::start(Kind::Mosquitto);
    let mut cast = Client::speaking(Version::V3, &broker, &["chromecast/+/command/+"]);
    let topic = |property: &str| format!("chromecast/Living Room TV/{property}");
    cast.publish_retained(&topic("connection_status"), "CONNECTED");
    cast.publish_retained(&topic("volume_muted"), "0");
    let _bridge = Household::on(&broker, HOUSE).open(&broker);
    let witness = Client::connect(&broker, &["hushgate/log"]);
    let mut expect = |payload: &str, why: &str| {
        assert_eq!(cast.expect(&topic("command/volume_muted")).payload, payload, "{why}");
        cast.publish_retained(&topic("volume_muted"), payload);
    };
    witness.publish("test/mute/sound", "tv");
    expect("1", "the mute");
    witness.publish_retained(&topic("volume_muted"), "0");
    expect("1", "somebody has turned it on");
    witness.publish_retained(&topic("connection_status"), "DISCONNECTED");
    witness.publish_retained(&topic("player_state"), "UNKNOWN");
    witness.publish_retained(&topic("connection_status"), "CONNECTED");
    expect("1", "it was away");
    witness.publish("test/unmute", "tv");
    expect("0", "the end");
    nothing_failed(&witness);
}
