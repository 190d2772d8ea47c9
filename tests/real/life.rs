//! The bridge's own life: reload, farewell, take-over, and brokers that it cannot use.

use std::io::{Read, Write};
use std::net::TcpListener;

use serde_json::Value;

use crate::Case;
use crate::bridge::Bridge;
use crate::broker::{Broker, Kind};
use crate::client::{Client, Version};
use crate::house::{CELLAR, House};

pub const CASES: &[Case] = &[
    ("a_typo_leaves_the_old_rules_running", a_typo_leaves_the_old_rules_running),
    ("a_saved_rule_counts_at_once", a_saved_rule_counts_at_once),
    ("a_hangup_reads_the_rules_again", a_hangup_reads_the_rules_again),
    ("it_leaves_with_a_farewell", it_leaves_with_a_farewell),
    ("a_log_for_programs_is_json_alone", a_log_for_programs_is_json_alone),
    ("a_crash_is_told_by_the_last_will", a_crash_is_told_by_the_last_will),
    ("a_second_bridge_takes_over", a_second_bridge_takes_over),
];
/// Cases that bring their own broker, or what looks like one.
pub const ALONE: &[Case] = &[
    ("a_broker_without_mqtt_5_is_said_clearly", a_broker_without_mqtt_5_is_said_clearly),
    ("the_broker_inside_the_bridge_serves_others", the_broker_inside_the_bridge_serves_others),
    ("the_demo_comes_true_and_stays_up_if_asked", the_demo_comes_true_and_stays_up_if_asked),
];

/// The exit codes that `--help` gives.
const EXIT_BROKER: i32 = 4;
const EXIT_TAKEN_OVER: i32 = 5;

fn a_typo_leaves_the_old_rules_running(kind: Kind) {
    let broker = Broker::start(kind);
    let house = House::on(&broker);
    let mut bridge = house.open(&broker);
    let mut owner = Client::connect(&broker, &["hushgate/log", "hushgate/decision/#"]);
    house.policy("cellar", &CELLAR.replace("deny(\"the cellar", "denny(\"the cellar"));

    let refused = owner.expect_where("hushgate/log", |record| record.payload.contains("reload_refused"));
    let place = "cellar.rhai:7:9";
    assert!(refused.payload.contains(place), "{} should be in {}", place, refused.payload);
    assert!(refused.payload.contains("denny"), "{}", refused.payload);
    bridge.expect_log(&[place]);
    owner.publish("hushgate/gate/lights/cellar/set", "1");
    let decision = owner.expect("hushgate/decision/deny/light.turn_on").json();
    assert_eq!(decision["reason"], "the cellar stays dark", "the old rule goes on");
}

fn a_saved_rule_counts_at_once(kind: Kind) {
    let broker = Broker::start(kind);
    let house = House::on(&broker);
    let _bridge = house.open(&broker);
    let mut owner = Client::connect(&broker, &["hushgate/log", "lights/+/set", "hushgate/decision/#"]);
    house.policy("cellar", &CELLAR.replace("\"cellar\"", "\"attic\""));
    owner.expect_where("hushgate/log", |record| record.payload.contains("reloaded"));
    owner.publish("hushgate/gate/lights/attic/set", "1");
    owner.publish("hushgate/gate/lights/cellar/set", "2");
    assert_eq!(owner.expect("hushgate/decision/deny/light.turn_on").json()["request"]["target"], "attic");
    assert_eq!(owner.expect("lights/+/set").topic, "lights/cellar/set");
}

fn a_hangup_reads_the_rules_again(kind: Kind) {
    let broker = Broker::start(kind);
    let bridge = House::on(&broker).open(&broker);
    let mut owner = Client::connect(&broker, &["hushgate/log"]);
    bridge.signal("HUP");
    owner.expect_where("hushgate/log", |record| record.payload.contains("reloaded"));
}

fn it_leaves_with_a_farewell(kind: Kind) {
    let broker = Broker::start(kind);
    for signal in ["TERM", "INT"] {
        let mut bridge = House::on(&broker).open(&broker);
        let mut owner = Client::connect(&broker, &["hushgate/status"]);
        assert_eq!(owner.expect("hushgate/status").payload, "online");
        bridge.signal(signal);
        assert_eq!(owner.expect("hushgate/status").payload, "offline");
        let status = bridge.wait();
        let log = bridge.whole_log();
        assert_eq!(status.code(), Some(0), "{signal}: {log}");
        let (first, last) = (log.lines().next().unwrap_or_default(), log.lines().last().unwrap_or_default());
        for word in [env!("CARGO_PKG_VERSION"), "mode enforce", "1 policy in", "revision", &broker.url()] {
            assert!(first.contains(word), "{word} should be in {first}");
        }
        assert!(last.contains(&format!("stopped by SIG{signal}")), "{last}");
    }
}

fn a_log_for_programs_is_json_alone(kind: Kind) {
    let broker = Broker::start(kind);
    let mut bridge = House::on(&broker).run_with(&["--log-format", "json"]);
    bridge.expect_log(&["connected to the broker"]);
    bridge.signal("TERM");
    bridge.wait();
    let log = bridge.whole_log();
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("no JSON ({error}): {line}")))
        .collect();
    assert!(lines.iter().all(|line| line["at"].is_string() && line["level"].is_string()), "{log}");
    assert!(lines.iter().any(|line| line["record"]["record"] == "connected"), "the record is an object: {log}");
    assert_eq!(lines.last().expect("a last line")["message"], "stopped by SIGTERM");
}

fn a_crash_is_told_by_the_last_will(kind: Kind) {
    let broker = Broker::start(kind);
    let bridge = House::on(&broker).open(&broker);
    let mut owner = Client::connect(&broker, &["hushgate/status"]);
    assert_eq!(owner.expect("hushgate/status").payload, "online");
    bridge.kill();
    assert_eq!(owner.expect("hushgate/status").payload, "offline");
}

fn a_second_bridge_takes_over(kind: Kind) {
    let broker = Broker::start(kind);
    let house = House::on(&broker);
    let mut first = house.open(&broker);
    let mut owner = Client::connect(&broker, &["lights/+/set"]);
    let _second = house.run();
    let status = first.wait();
    let log = first.whole_log();
    assert_eq!(status.code(), Some(EXIT_TAKEN_OVER), "{log}");
    assert!(log.lines().last().is_some_and(|line| line.contains("stopped: another bridge")), "{log}");
    // The second may not be listening yet; a command that it does not hear is lost, and asked for again.
    let mut heard = None;
    for attempt in 1..=100 {
        owner.publish("hushgate/gate/lights/kitchen/set", &attempt.to_string());
        heard = owner.next_within(std::time::Duration::from_millis(200));
        if heard.is_some() {
            break;
        }
    }
    assert!(heard.is_some(), "the second bridge forwards");
}

fn a_broker_without_mqtt_5_is_said_clearly(_: Kind) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("a bound socket").port();
    // CONNACK of MQTT 3.1.1, "unacceptable protocol version", to whoever says MQTT 5; to a 3.1.1 client it would say yes.
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut packet = [0_u8; 512];
            let length = stream.read(&mut packet).unwrap_or(0);
            let speaks_v5 =
                packet.get(..length).is_some_and(|packet| packet.windows(5).any(|part| part == b"MQTT\x05"));
            let answer = if speaks_v5 { [0x20, 2, 0, 1] } else { [0x20, 2, 0, 0] };
            // The bridge may have gone already.
            let _ = stream.write_all(&answer);
        }
    });
    let mut bridge = House::with_broker(&format!("broker:\n  url: \"mqtt://127.0.0.1:{port}\"\n")).run();
    let status = bridge.wait();
    let log = bridge.whole_log();
    assert_eq!(status.code(), Some(EXIT_BROKER), "{log}");
    assert!(log.contains("3.1.1") && log.contains("MQTT 5"), "{log}");
}

fn the_broker_inside_the_bridge_serves_others(_: Kind) {
    // The port is free when it is asked for; the bridge is told of it in its configuration.
    let broker = Broker::nowhere();
    let house = House::with_broker(&format!("broker:\n  url: \"embedded://127.0.0.1:{}\"\n", broker.port()));
    let mut bridge: Bridge = house.run();
    bridge.expect_log(&["connected"]);
    let mut device = Client::connect(&broker, &["lights/+/set", "hushgate/status"]);
    assert_eq!(device.expect("hushgate/status").payload, "online");
    device.publish("hushgate/gate/lights/kitchen/set", "1");
    device.expect("lights/kitchen/set");
}

fn the_demo_comes_true_and_stays_up_if_asked(_: Kind) {
    let mut demo = Bridge::demo_that_stays();
    let title = demo.expect_log(&["A house in Portland"]);
    let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
    let port = title.split("127.0.0.1:").nth(1).map(digits).and_then(|port| port.parse().ok()).expect("a port");
    for words in [
        &["deny", "communication.send_message", "between 22:00 and 07:00"][..],
        &["muted kitchen", "misfire"],
        &["No message left the house"],
        &["stays up until Ctrl-C"],
    ] {
        demo.expect_log(words);
    }
    let broker = Broker::elsewhere(port);
    let heard =
        ["zigbee2mqtt/kitchen_light/set", "zigbee2mqtt/front_door/set", "hushgate/prompt/phone", "hushgate/log"];
    let mut house = Client::connect(&broker, &heard);
    house.subscribe("hushgate/decision/#");

    type_the_next(&mut demo, "kitchen_light").publish(&house);
    house.expect("hushgate/decision/allow/light.turn_on");
    assert_eq!(house.expect("zigbee2mqtt/kitchen_light/set").payload, r#"{"state":"ON"}"#);

    type_the_next(&mut demo, "message/Robert").publish(&house);
    house.expect("hushgate/decision/deny/communication.send_message");

    type_the_next(&mut demo, "front_door/set").publish(&house);
    let question = house.expect("hushgate/prompt/phone").json();
    let asked = |key: &str| question[key].as_str().expect("a text in the question").to_owned();
    let answer = type_the_next(&mut demo, "<answer_topic>");
    let answer = Typed {
        topic: answer.topic.replace("<answer_topic>", &asked("answer_topic")),
        payload: answer.payload.replace("<token>", &asked("token")),
        ..answer
    };
    answer.publish(&house);
    house.expect("hushgate/decision/allow/lock.unlock");
    assert_eq!(house.expect("zigbee2mqtt/front_door/set").payload, r#"{"state":"UNLOCK"}"#);

    let ghost = type_the_next(&mut demo, "front_door/set");
    let name = ghost.name.as_deref().expect("the name that takes the bridge's connection");
    ghost.publish(&Client::named(name, Version::V5, &broker, &[]));
    house.expect_where("hushgate/log", |record| record.payload.contains("\"ghost\""));

    demo.signal("INT");
    assert_eq!(demo.wait().code(), Some(0), "{}", demo.whole_log());
}

/// A command that the demo tells its visitors to type.
struct Typed {
    topic: String,
    payload: String,
    name: Option<String>,
    is_retained: bool,
}

impl Typed {
    fn publish(&self, client: &Client) {
        client.send(&self.topic, &self.payload, 1, self.is_retained);
    }
}

/// Waits for the next `mosquitto_pub` with a word in it, and reads it as a shell would.
fn type_the_next(demo: &mut Bridge, word: &str) -> Typed {
    let line = demo.expect_log(&["mosquitto_pub -h 127.0.0.1 -p ", word]);
    let option = |name: &str| {
        let (_, rest) = line.split_once(&format!(" {name} "))?;
        let value = match rest.strip_prefix('\'') {
            Some(quoted) => quoted.split('\'').next(),
            None => rest.split(' ').next(),
        };
        value.map(str::to_owned)
    };
    Typed {
        topic: option("-t").expect("a topic"),
        payload: option("-m").expect("a payload"),
        name: option("-i"),
        is_retained: line.contains(" -r "),
    }
}
