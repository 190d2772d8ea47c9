//! A house for one case: a broker, devices, Home Assistant, a phone, and a bridge that can be added.

use std::sync::Arc;

use serde_json::json;
use tempfile::TempDir;

use crate::broker::Mosquitto;
use crate::client::Client;
use crate::devices::{self, Device, Devices};
use crate::hass::HomeAssistant;
use crate::phone::Phone;
use crate::prepared::Prepared;

/// Home Assistant tells on MQTT what happens in it. Only where the MQTT entry exists already, or it never does.
const STREAMS: &str = "mqtt_statestream:\n  base_topic: statestream\n  publish_attributes: true\n  publish_timestamps: false\n\
                       mqtt_eventstream:\n  publish_topic: homeassistant_eventstream\n";

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
    packages: Vec<(&'static str, String)>,
}

impl Plan {
    /// All devices, and both streams.
    pub fn usual() -> Plan {
        Plan { devices: devices::all(), packages: vec![("streams", STREAMS.to_owned())] }
    }

    /// Adds YAML to Home Assistant's configuration, in the place of one of the same name.
    pub fn package(mut self, name: &'static str, text: impl Into<String>) -> Plan {
        self.packages.retain(|(other, _)| *other != name);
        self.packages.push((name, text.into()));
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
        let mut home_assistant = copy.home_assistant;
        home_assistant.start_as(&copy.anna);
        House { home_assistant, devices, phone, broker, anna: copy.anna, ben: copy.ben, webhook: copy.webhook, folder }
    }
}

impl House {
    /// An MQTT client of a user of the broker.
    pub fn client(&self, user: &'static str, filters: &[&str]) -> Client {
        Client::connect(&self.broker.seen_by(user), filters)
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

    /// Stops Home Assistant in good order and starts it again.
    pub fn restart_home_assistant(&mut self) {
        self.home_assistant.stop();
        self.home_assistant.start_as(&self.anna);
    }
}
