//! A house for one case: a broker, devices, Home Assistant, a phone, and a bridge that can be added.

use std::process::Stdio;
use std::sync::Arc;

use serde_json::json;
use tempfile::TempDir;

use crate::bridge::{Bridge, command};
use crate::broker::Mosquitto;
use crate::client::Client;
use crate::devices::{self, BIRTH, Device, Devices};
use crate::hass::HomeAssistant;
use crate::phone::Phone;
use crate::prepared::{ANNAS_ID, Prepared};
use crate::settings::Settings;

/// Home Assistant tells on MQTT what happens in it. Only where the MQTT entry exists already, or it never does.
const STREAMS: &str = "mqtt_statestream:\n  base_topic: homeassistant_statestream\n  publish_attributes: true\n  publish_timestamps: false\n\
                       mqtt_eventstream:\n  publish_topic: homeassistant_eventstream\n";

/// A switch that says whether it is night: the policy of all houses asks for it.
const NIGHT: &str = "input_boolean:\n  night:\n";
/// Under which the bridge announces devices to Home Assistant.
pub const MIRROR: &str = "hushgate/homeassistant";
/// What a witness of a case hears: commands and states of devices, and what the bridge says of itself.
const HEARD: [&str; 9] = [
    "zigbee2mqtt/#",
    "garage/#",
    "alarm/#",
    "hushgate/gate/#",
    "hushgate/decision/#",
    "hushgate/bypass",
    "hushgate/pending/+",
    "hushgate/health",
    "hushgate/log",
];

/// What a command of the program has said.
pub struct Said {
    pub stdout: String,
    pub stderr: String,
    pub code: Option<i32>,
}

/// Everything of one case. All of it ends when the value is dropped.
pub struct House {
    pub home_assistant: HomeAssistant,
    pub devices: Devices,
    pub phone: Phone,
    pub broker: Mosquitto,
    /// The lasting tokens of the two people, and the webhook of the phone's app.
    pub anna: String,
    pub ben: String,
    pub webhook: String,
    folder: Arc<TempDir>,
}

/// What a house shall have.
pub struct Plan {
    devices: Vec<Device>,
    must_hear: bool,
    packages: Vec<(&'static str, String)>,
}

impl Plan {
    /// All devices, and both streams.
    pub fn usual() -> Plan {
        Plan {
            devices: devices::all(),
            must_hear: false,
            packages: vec![("streams", STREAMS.to_owned()), ("night", NIGHT.to_owned())],
        }
    }

    /// Adds YAML to Home Assistant's configuration, in the place of one of the same name.
    pub fn package(mut self, name: &'static str, text: impl Into<String>) -> Plan {
        self.packages.retain(|(other, _)| *other != name);
        self.packages.push((name, text.into()));
        self
    }

    /// Adds a lock and a speaker that are not on MQTT.
    pub fn not_on_mqtt(self) -> Plan {
        let platform = "  - platform: test_house\n";
        self.package("not_on_mqtt", format!("lock:\n{platform}media_player:\n{platform}"))
    }

    /// Adds a satellite and an Echo with its plug, and the switches that mute them.
    pub fn speakers(self) -> Plan {
        self.package("speakers", "switch:\n  - platform: test_house\n")
    }

    /// Adds the shipped package, and with it the streams that it configures.
    pub fn hushgate_package(mut self) -> Plan {
        self.packages.retain(|(name, _)| *name != "streams");
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/home-assistant/hushgate.yaml");
        let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{file}: {error}"));
        // The two lines that the owner changes. `ANNAS_ID` stands there already.
        assert!(text.contains(ANNAS_ID), "{file} names no user");
        let mine = text.replace("notify.mobile_app_phone", "notify.mobile_app_annas_phone");
        assert_ne!(mine, text, "{file} names no phone");
        self.package("hushgate", mine)
    }

    /// Lets `build` wait until Home Assistant hears every topic of its configuration.
    pub fn hearing(mut self) -> Plan {
        self.must_hear = true;
        self
    }

    /// Sets everything up and starts Home Assistant.
    pub fn build(self, prepared: &Prepared) -> House {
        let folder = Arc::new(tempfile::tempdir().expect("a temporary folder"));
        let broker = Mosquitto::start();
        let phone = Phone::start();
        let devices = Devices::start(&broker.seen_by("devices"), self.devices);
        let config = folder.path().join("home-assistant");
        let copy = prepared.copy_to(&config, broker.port(), phone.port(), &self.packages);
        let (home_assistant, anna, ben, webhook) = (copy.home_assistant, copy.anna, copy.ben, copy.webhook);
        let mut house = House { home_assistant, devices, phone, broker, anna, ben, webhook, folder };
        if self.must_hear {
            house.start_and_hear();
        } else {
            house.home_assistant.start_as(&house.anna);
        }
        house
    }
}

impl House {
    /// An MQTT client of a user of the broker.
    pub fn client(&self, user: &'static str, filters: &[&str]) -> Client {
        Client::connect(&self.broker.seen_by(user), filters)
    }

    /// A client that hears everything that a case asks about.
    pub fn witness(&self) -> Client {
        self.client("owner", &HEARD)
    }

    /// The phone as the bridge's channel.
    pub fn phone_client(&self) -> Client {
        self.client("phone", &["hushgate/prompt/phone"])
    }

    /// Runs the bridge, and waits until it says that it is there.
    pub fn open(&self, settings: &Settings) -> Bridge {
        settings.write(self.folder.path(), &self.broker);
        self.open_again()
    }

    /// Runs the bridge with the configuration that it had before.
    pub fn open_again(&self) -> Bridge {
        // A `status` from before may still be stored; only a live one counts.
        let mut witness = self.client("owner", &["hushgate/status"]);
        let bridge = self.run();
        witness.expect_where("hushgate/status", |message| !message.retain && message.payload == "online");
        bridge
    }

    /// Runs the bridge with the configuration that it had before, and waits for nothing.
    pub fn run(&self) -> Bridge {
        let mut command = command();
        command.arg("run").arg("--config").arg(self.folder.path().join("home.yaml"));
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the built program");
        let log = child.stderr.take().expect("piped");
        Bridge::reading(child, log, Arc::clone(&self.folder))
    }

    /// The folder of the case; it stays as long as somebody has it.
    pub fn folder(&self) -> Arc<TempDir> {
        Arc::clone(&self.folder)
    }

    /// Runs another command of the program with the bridge's configuration, to its end.
    pub fn hushgate(&self, arguments: &[&str]) -> Said {
        let mut command = command();
        command.args(arguments).arg("--config").arg(self.folder.path().join("home.yaml"));
        let output = command.output().expect("the built program");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Said { stdout: text(&output.stdout), stderr: text(&output.stderr), code: output.status.code() }
    }

    /// Runs the bridge and lets Home Assistant read its mirror, as the owner does who has seen enough.
    pub fn gate(&mut self, settings: &Settings) -> Bridge {
        let mut mirror = self.client("owner", &["hushgate/homeassistant/#"]);
        let bridge = self.open(settings);
        mirror.expect("hushgate/homeassistant/lock/0x00158d0001/lock/config");
        mirror.expect("hushgate/homeassistant/device/relay/config");
        // While Home Assistant still sets up what it has found, changed options can make it lose an entity.
        self.expect_all_states();
        self.home_assistant.rest.set_discovery_prefix(MIRROR);
        self.home_assistant.expect_mqtt_loaded();
        self.expect_all_states();
        bridge
    }

    /// Waits until Home Assistant knows the state of each device, as it was at the start.
    pub fn expect_all_states(&mut self) {
        for (id, state) in [
            ("lock.front_door", "locked"),
            ("alarm_control_panel.house_alarm", "armed_away"),
            ("cover.garage_door", "closed"),
            ("light.kitchen_light", "off"),
            ("switch.relay", "off"),
            ("sensor.relay_power", "0"),
        ] {
            self.home_assistant.expect_state(id, state);
        }
    }

    /// Calls a service in the name of Anna.
    pub fn call(&self, service: &str, entity: &str) {
        self.home_assistant.rest.call(service, &json!({"entity_id": entity}));
    }

    /// Presses a button of a notification on the phone: its app fires the event in its owner's name.
    pub fn press(&self, action: &str, tag: &str) {
        let event =
            json!({"event_type": "mobile_app_notification_action", "event_data": {"action": action, "tag": tag}});
        let body = json!({"type": "fire_event", "data": event});
        self.home_assistant.rest.post(&format!("/api/webhook/{}", self.webhook), &body);
    }

    /// The same event by the REST interface, in the name of the person whose lasting token this is.
    pub fn forge_press(&self, token: &str, action: &str, tag: &str) {
        let event = json!({"action": action, "tag": tag});
        self.home_assistant.rest.login(token).fire("mobile_app_notification_action", &event);
    }

    /// The id by which Home Assistant knows Anna.
    pub fn annas_id(&self) -> String {
        let person = self.home_assistant.rest.entity("person.anna").expect("made by the onboarding");
        person["attributes"]["user_id"].as_str().expect("text").to_owned()
    }

    /// Starts Home Assistant, and waits until it hears all topics of its configuration: some seconds after it has
    /// subscribed it says that it is there. What is published before that does not reach it.
    pub fn start_and_hear(&mut self) {
        let mut birth = self.birth();
        self.home_assistant.start_as(&self.anna);
        expect_online(&mut birth);
    }

    /// A client to which Home Assistant says that it is there; give it to [`expect_online`].
    pub fn birth(&self) -> Client {
        self.client("owner", &[BIRTH])
    }

    /// Starts the broker again with access rules, or without any; what it had stored is gone. The devices are back at once,
    /// Home Assistant when the client that is given back hears of it.
    pub fn restart_broker(&mut self, access: Option<&str>) -> Client {
        self.broker.restart_with_access(access);
        let birth = self.birth();
        self.devices = Devices::start(&self.broker.seen_by("devices"), devices::all());
        birth
    }

    /// Stops Home Assistant in good order and starts it again.
    pub fn restart_home_assistant(&mut self) {
        self.home_assistant.stop();
        self.home_assistant.start_as(&self.anna);
    }
}

/// Waits until Home Assistant is connected and hears its topics.
pub fn expect_online(birth: &mut Client) {
    birth.expect_where(BIRTH, |status| !status.retain && status.payload == "online");
}
