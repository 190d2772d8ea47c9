//! A thousand entities as devices announce them: stored at the broker, a third of them locks, the rest lights and sensors.

use std::time::Duration;

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::{AsyncClient, Event, EventLoop, Incoming, MqttOptions};
use tokio::time::timeout;

/// Announcements that lie stored.
pub const ENTITIES: usize = 1_000;
/// How long a message may take before the measurement is given up.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Stores the announcements at the broker, below a prefix of discovery.
pub async fn announce(port: u16, prefix: &str) {
    let (client, mut events) = connect(port, "devices");
    for index in 0..ENTITIES {
        let (platform, payload) = announcement(index);
        let topic = format!("{prefix}/{platform}/device_{index}/config");
        client.try_publish(topic, QoS::AtLeastOnce, true, payload).expect("room in the queue");
    }
    let mut acknowledged = 0;
    while acknowledged < ENTITIES {
        let event = timeout(PATIENCE, events.poll()).await.expect("an answer in time").expect("a connection");
        acknowledged += usize::from(matches!(event, Event::Incoming(Incoming::PubAck(_))));
    }
}

/// What a bridge such as Zigbee2MQTT announces for one entity, cut to the usual length.
fn announcement(index: usize) -> (&'static str, String) {
    let device = format!(
        r#""device":{{"identifiers":["zigbee2mqtt_0x{index:016x}"],"manufacturer":"Maker","model":"Model {index}","name":"Device {index}","sw_version":"1.0.{index}","via_device":"zigbee2mqtt_bridge"}}"#
    );
    let common = format!(
        r#""availability":[{{"topic":"zigbee2mqtt/bridge/state","value_template":"{{{{ value_json.state }}}}"}},{{"topic":"zigbee2mqtt/device_{index}/availability","value_template":"{{{{ value_json.state }}}}"}}],"availability_mode":"all","unique_id":"0x{index:016x}","state_topic":"zigbee2mqtt/device_{index}","origin":{{"name":"Zigbee2MQTT","sw":"2.0.0"}},{device}"#
    );
    let command = format!(r#""command_topic":"zigbee2mqtt/device_{index}/set""#);
    match index % 3 {
        0 => ("lock", format!(r#"{{{common},{command},"value_template":"{{{{ value_json.state }}}}"}}"#)),
        1 => ("light", format!(r#"{{{common},{command},"schema":"json","brightness":true}}"#)),
        _ => ("sensor", format!(r#"{{{common},"value_template":"{{{{ value_json.battery }}}}"}}"#)),
    }
}

pub fn connect(port: u16, name: &str) -> (AsyncClient, EventLoop) {
    let mut options = MqttOptions::new(name, "127.0.0.1", port);
    options.set_outgoing_inflight_upper_limit(1_000);
    AsyncClient::new(options, 2 * ENTITIES)
}
