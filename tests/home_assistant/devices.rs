//! The devices of the test house: they announce themselves by discovery, obey, and say how they are.
//!
//! They trust the broker, as real ones do: what arrives on a command topic is done. A case that restarts the broker
//! connects them again by starting them anew.

use std::collections::BTreeMap;
use std::thread::JoinHandle;

use rumqttc::v5;
use rumqttc::v5::mqttbytes::QoS;
use serde_json::{Value, json};

use crate::broker::Broker;

/// Where Home Assistant says that it is there.
pub const BIRTH: &str = "homeassistant/status";
/// Where all of them say that they are there.
const AVAILABILITY: &str = "devices/status";

/// One device: where it announces itself, and what it does with a command.
#[derive(Clone)]
pub struct Device {
    /// The topic of its discovery.
    pub config_topic: &'static str,
    /// Its discovery.
    pub config: Value,
    pub command_topic: &'static str,
    pub state_topic: &'static str,
    /// Its state when it starts.
    pub state: &'static str,
    /// The state that follows a command. `None`: it does not understand.
    pub obey: fn(&str) -> Option<String>,
}

/// The front door: a lock of Zigbee2MQTT's shape, announced in the classic way.
pub fn front_door() -> Device {
    Device {
        config_topic: "homeassistant/lock/0x00158d0001/lock/config",
        config: json!({
            "name": null, "unique_id": "0x00158d0001_lock", "command_topic": "zigbee2mqtt/front/set",
            "state_topic": "zigbee2mqtt/front", "value_template": "{{ value_json.state }}",
            "payload_lock": "LOCK", "payload_unlock": "UNLOCK", "state_locked": "LOCK", "state_unlocked": "UNLOCK",
            "availability_topic": AVAILABILITY, "origin": {"name": "Zigbee2MQTT"},
            "device": {"identifiers": ["zigbee2mqtt_0x00158d0001"], "name": "Front door"}
        }),
        command_topic: "zigbee2mqtt/front/set",
        state_topic: "zigbee2mqtt/front",
        state: r#"{"state":"LOCK"}"#,
        obey: |command| matches!(command, "LOCK" | "UNLOCK").then(|| json!({"state": command}).to_string()),
    }
}

/// The alarm: its code goes with each command, so nobody may print it.
pub fn alarm() -> Device {
    Device {
        config_topic: "homeassistant/alarm_control_panel/house_alarm/config",
        config: json!({
            "name": null, "unique_id": "house_alarm", "command_topic": "alarm/house/set",
            "state_topic": "alarm/house/state", "code": "REMOTE_CODE",
            "command_template": r#"{"action":"{{ action }}","code":"{{ code }}"}"#,
            "availability": [{"topic": AVAILABILITY}], "device": {"identifiers": ["house_alarm"], "name": "House alarm"}
        }),
        command_topic: "alarm/house/set",
        state_topic: "alarm/house/state",
        state: "armed_away",
        obey: |command| {
            let command: Value = serde_json::from_str(command).ok()?;
            let states = [("DISARM", "disarmed"), ("ARM_AWAY", "armed_away"), ("ARM_HOME", "armed_home")];
            let state = states.iter().find(|(action, _)| command["action"] == *action)?.1;
            (command["code"] == "4711").then(|| state.to_owned())
        },
    }
}

/// The garage's door.
pub fn garage_door() -> Device {
    Device {
        config_topic: "homeassistant/cover/garage_door/config",
        config: json!({
            "name": null, "unique_id": "garage_door", "device_class": "garage", "~": "garage/door",
            "cmd_t": "~/set", "stat_t": "~/state",
            "avty": [{"t": AVAILABILITY}], "avty_mode": "all", "dev": {"ids": "garage_door", "name": "Garage door"}
        }),
        command_topic: "garage/door/set",
        state_topic: "garage/door/state",
        state: "closed",
        obey: |command| {
            let states = [("OPEN", "open"), ("CLOSE", "closed")];
            states.iter().find(|(payload, _)| command == *payload).map(|(_, state)| (*state).to_owned())
        },
    }
}

/// A light with the JSON schema.
pub fn kitchen_light() -> Device {
    Device {
        config_topic: "homeassistant/light/kitchen_light/config",
        config: json!({
            "name": null, "unique_id": "kitchen_light", "schema": "json", "brightness": true,
            "supported_color_modes": ["brightness"], "command_topic": "zigbee2mqtt/kitchen_light/set",
            "state_topic": "zigbee2mqtt/kitchen_light", "availability_topic": AVAILABILITY,
            "origin": {"name": "Zigbee2MQTT"},
            "device": {"identifiers": ["zigbee2mqtt_0x00158d0002"], "name": "Kitchen light"}
        }),
        command_topic: "zigbee2mqtt/kitchen_light/set",
        state_topic: "zigbee2mqtt/kitchen_light",
        state: r#"{"state":"OFF"}"#,
        obey: |command| {
            let command: Value = serde_json::from_str(command).ok()?;
            Some(json!({"state": command["state"], "brightness": 255, "color_mode": "brightness"}).to_string())
        },
    }
}

/// A relay that measures: one message announces the whole device.
pub fn relay() -> Device {
    Device {
        config_topic: "homeassistant/device/relay/config",
        config: json!({
            "dev": {"ids": ["zigbee2mqtt_0x00158d0003"], "name": "Relay"}, "o": {"name": "Zigbee2MQTT", "sw": "2.6"},
            "cmps": {
                "switch": {
                    "p": "switch", "name": null, "unique_id": "relay_switch", "command_topic": "zigbee2mqtt/relay/set",
                    "value_template": "{{ value_json.state }}", "payload_on": "ON", "payload_off": "OFF"
                },
                "power": {
                    "p": "sensor", "unique_id": "relay_power", "device_class": "power",
                    "unit_of_measurement": "W", "value_template": "{{ value_json.power }}"
                }
            },
            "state_topic": "zigbee2mqtt/relay", "availability_topic": AVAILABILITY
        }),
        command_topic: "zigbee2mqtt/relay/set",
        state_topic: "zigbee2mqtt/relay",
        state: r#"{"state":"OFF","power":0}"#,
        obey: |command| {
            let power = if command == "ON" { 40 } else { 0 };
            matches!(command, "ON" | "OFF").then(|| json!({"state": command, "power": power}).to_string())
        },
    }
}

/// All of the house.
pub fn all() -> Vec<Device> {
    vec![front_door(), alarm(), garage_door(), kitchen_light(), relay()]
}

/// The running devices, over one connection. They go without a word when the value is dropped.
pub struct Devices {
    client: v5::Client,
    running: Option<JoinHandle<()>>,
}

impl Devices {
    /// Connects them as the broker's user; they announce themselves, and again whenever Home Assistant is there.
    pub fn start(broker: &Broker, devices: Vec<Device>) -> Devices {
        let mut options = v5::MqttOptions::new("devices", "127.0.0.1", broker.port());
        if let Some((user, password)) = broker.login() {
            options.set_credentials(user, password);
        }
        let (client, connection) = v5::Client::new(options, 1000);
        let speaking = client.clone();
        let running = std::thread::spawn(move || live(&speaking, connection, &devices));
        Devices { client, running: Some(running) }
    }

    /// Publishes something in the devices' name, stored.
    pub fn say(&self, topic: &str, payload: &str) {
        say(&self.client, topic, payload);
    }
}

impl Drop for Devices {
    fn drop(&mut self) {
        // The connection may be over already, and then its thread has ended too.
        let _ = self.client.try_disconnect().is_ok();
        if let Some(running) = self.running.take() {
            let _ = running.join();
        }
    }
}

/// Until the connection ends: obeys, and announces.
fn live(client: &v5::Client, mut connection: v5::Connection, devices: &[Device]) {
    let mut states: BTreeMap<&str, String> =
        devices.iter().map(|device| (device.state_topic, device.state.to_owned())).collect();
    for event in connection.iter() {
        match event {
            Ok(v5::Event::Incoming(v5::Incoming::ConnAck(_))) => {
                client.subscribe(BIRTH, QoS::AtLeastOnce).expect("a running client");
                for device in devices {
                    client.subscribe(device.command_topic, QoS::AtLeastOnce).expect("a running client");
                }
                announce(client, devices, &states);
            }
            Ok(v5::Event::Incoming(v5::Incoming::Publish(publish))) if publish.topic == BIRTH => {
                if publish.payload == "online" {
                    announce(client, devices, &states);
                }
            }
            Ok(v5::Event::Incoming(v5::Incoming::Publish(publish))) => {
                let command = String::from_utf8_lossy(&publish.payload);
                let meant = devices.iter().find(|device| publish.topic == device.command_topic);
                if let Some((device, state)) = meant.and_then(|device| Some((device, (device.obey)(&command)?))) {
                    say(client, device.state_topic, &state);
                    states.insert(device.state_topic, state);
                }
            }
            Ok(_) => {}
            Err(_) => return,
        }
    }
}

fn announce(client: &v5::Client, devices: &[Device], states: &BTreeMap<&str, String>) {
    for device in devices {
        say(client, device.config_topic, &device.config.to_string());
    }
    say(client, AVAILABILITY, "online");
    for (topic, state) in states {
        say(client, topic, state);
    }
}

fn say(client: &v5::Client, topic: &str, payload: &str) {
    client.publish(topic, QoS::AtLeastOnce, true, payload.to_owned()).expect("a running client");
}
