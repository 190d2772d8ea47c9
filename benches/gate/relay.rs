//! The bare relay: what is the least that anything between two topics must do.

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::{AsyncClient, Event, Incoming, MqttOptions};

/// Says that this program is to be the relay.
pub const ARGUMENT: &str = "--bare-relay";
/// What stands before the real topic.
pub const PREFIX: &str = "relay/";
/// Requests that wait inside the client. More than is ever in flight.
const REQUESTS_MAX: usize = 1_000;

/// Subscribes and publishes until it is killed.
pub fn run(port: u16) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut options = MqttOptions::new("bare-relay", "127.0.0.1", port);
        let mut network = options.network_options();
        network.set_tcp_nodelay(true);
        options.set_network_options(network);
        let (client, mut connection) = AsyncClient::new(options, REQUESTS_MAX);
        client.try_subscribe(format!("{PREFIX}#"), QoS::AtLeastOnce).expect("an empty queue");
        loop {
            if let Event::Incoming(Incoming::Publish(publish)) = connection.poll().await.expect("a connection") {
                let topic = std::str::from_utf8(&publish.topic).expect("the load's own topic");
                let topic = topic.strip_prefix(PREFIX).expect("what was subscribed to");
                client.try_publish(topic, publish.qos, false, publish.payload).expect("room in the queue");
            }
        }
    });
}
