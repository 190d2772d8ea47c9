//! An MQTT client of the tests, 3.1.1 or 5: publishes, and waits for what it is to receive.
//!
//! It never connects again by itself: a test that stops a broker makes new clients.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use hushgate::model::topic::TopicFilter;
use rumqttc::v5;
use rumqttc::v5::mqttbytes::v5::{ConnectProperties, PublishProperties};
use serde_json::Value;

use crate::broker::{Broker, password_of};

/// How long a test waits for what must come. Generous: the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The version of the protocol that a client speaks.
#[derive(Clone, Copy)]
pub enum Version {
    V3,
    V5,
}

/// What a client has received.
#[derive(Debug, Clone)]
pub struct Received {
    pub topic: String,
    pub payload: String,
    pub retain: bool,
    pub qos: u8,
    pub expiry_s: Option<u32>,
    pub correlation: Option<Vec<u8>>,
}

impl Received {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.payload)
            .unwrap_or_else(|error| panic!("{} should carry JSON ({error}), found {}", self.topic, self.payload))
    }
}

/// What the connection's thread tells.
enum Told {
    Subscribed,
    Message(Received),
    Over(String),
}

enum Handle {
    V3(rumqttc::Client),
    V5(v5::Client),
}

/// One connected client. It disconnects when it is dropped.
pub struct Client {
    handle: Handle,
    told: Receiver<Told>,
    /// Received, and not yet asked for.
    waiting: VecDeque<Received>,
}

static SERIAL: AtomicUsize = AtomicUsize::new(0);

impl Client {
    /// Connects with MQTT 5 and subscribes.
    pub fn connect(broker: &Broker, filters: &[&str]) -> Client {
        Client::speaking(Version::V5, broker, filters)
    }

    /// Connects, subscribes at QoS 1, and waits until every subscription is there.
    pub fn speaking(version: Version, broker: &Broker, filters: &[&str]) -> Client {
        let id = format!("test-{}-{}", std::process::id(), SERIAL.fetch_add(1, Ordering::Relaxed));
        Client::named(&id, version, broker, filters)
    }

    /// The same under a name of its own: whoever has it already loses the connection.
    pub fn named(id: &str, version: Version, broker: &Broker, filters: &[&str]) -> Client {
        Client::with_login(id, version, broker, broker.login(), filters)
    }

    /// Connects as one user of a broker with rules, with MQTT 3.1.1: the broker says nothing of what it refuses, and the
    /// connection stays.
    pub fn of_user(user: &str, broker: &Broker, filters: &[&str]) -> Client {
        let id = format!("test-{}-{}-{user}", std::process::id(), SERIAL.fetch_add(1, Ordering::Relaxed));
        Client::with_login(&id, Version::V3, broker, Some((user, &password_of(user))), filters)
    }

    fn with_login(
        id: &str,
        version: Version,
        broker: &Broker,
        login: Option<(&str, &str)>,
        filters: &[&str],
    ) -> Client {
        let (tell, told) = channel();
        let handle = match version {
            Version::V3 => connect_v3(id, broker.port(), login, tell),
            Version::V5 => connect_v5(id, broker.port(), login, tell),
        };
        let mut client = Client { handle, told, waiting: VecDeque::new() };
        for filter in filters {
            client.subscribe(filter);
        }
        client
    }

    /// Subscribes, and waits for the broker's word.
    pub fn subscribe(&mut self, filter: &str) {
        self.try_subscribe(filter).unwrap_or_else(|reason| panic!("no subscription to {filter}: {reason}"));
    }

    /// The same. The error says that the connection is over.
    pub fn try_subscribe(&mut self, filter: &str) -> Result<(), String> {
        match &self.handle {
            Handle::V3(client) => {
                client.subscribe(filter, rumqttc::QoS::AtLeastOnce).map_err(|error| error.to_string())?;
            }
            Handle::V5(client) => {
                client.subscribe(filter, v5::mqttbytes::QoS::AtLeastOnce).map_err(|error| error.to_string())?;
            }
        }
        loop {
            match self.told.recv_timeout(PATIENCE) {
                Ok(Told::Subscribed) => return Ok(()),
                Ok(Told::Message(message)) => self.waiting.push_back(message),
                Ok(Told::Over(reason)) => return Err(reason),
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    /// Publishes at QoS 1.
    pub fn publish(&self, topic: &str, payload: &str) {
        self.send(topic, payload, 1, false);
    }

    /// Publishes at QoS 1 for the broker to keep.
    pub fn publish_retained(&self, topic: &str, payload: &str) {
        self.send(topic, payload, 1, true);
    }

    pub fn send(&self, topic: &str, payload: &str, qos: u8, retain: bool) {
        match &self.handle {
            Handle::V3(client) => {
                let qos = rumqttc::qos(qos).expect("0, 1 or 2");
                client.publish(topic, qos, retain, payload).expect("a running client");
            }
            Handle::V5(client) => {
                let qos = v5::mqttbytes::qos(qos).expect("0, 1 or 2");
                client.publish(topic, qos, retain, payload.to_owned()).expect("a running client");
            }
        }
    }

    /// Publishes at QoS 0. The error says that the connection is over.
    pub fn try_send(&self, topic: &str, payload: &str) -> Result<(), String> {
        match &self.handle {
            Handle::V3(client) => {
                client.publish(topic, rumqttc::QoS::AtMostOnce, false, payload).map_err(|error| error.to_string())
            }
            Handle::V5(client) => {
                let qos = v5::mqttbytes::QoS::AtMostOnce;
                client.publish(topic, qos, false, payload.to_owned()).map_err(|error| error.to_string())
            }
        }
    }

    /// Publishes with MQTT 5 properties: where the answer shall go, and how long the message counts.
    pub fn publish_with(&self, topic: &str, payload: &str, properties: PublishProperties) {
        let Handle::V5(client) = &self.handle else { panic!("properties need MQTT 5") };
        let qos = v5::mqttbytes::QoS::AtLeastOnce;
        client.publish_with_properties(topic, qos, false, payload.to_owned(), properties).expect("a running client");
    }

    /// The next message whose topic fits. Others stay for later calls.
    pub fn expect(&mut self, filter: &str) -> Received {
        self.expect_where(filter, |_| true)
    }

    /// The next message whose topic fits and that is as wanted. Others stay for later calls.
    pub fn expect_where(&mut self, filter: &str, wanted: impl Fn(&Received) -> bool) -> Received {
        let topics = TopicFilter::new(filter).expect("a valid filter");
        let fits = |message: &Received| topics.matches(&message.topic) && wanted(message);
        if let Some(index) = self.waiting.iter().position(fits) {
            return self.waiting.remove(index).expect("a position that was just found");
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.told.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Told::Message(message)) if fits(&message) => return message,
                Ok(Told::Message(message)) => self.waiting.push_back(message),
                Ok(Told::Subscribed) => {}
                Ok(Told::Over(reason)) => panic!("the connection ended while {filter} was awaited: {reason}"),
                Err(_) => panic!("nothing came on {filter}; this came: {:#?}", self.waiting),
            }
        }
    }

    /// The next message within a time. `None`: none came, or the connection is over.
    pub fn next_within(&mut self, patience: Duration) -> Option<Received> {
        if let Some(message) = self.waiting.pop_front() {
            return Some(message);
        }
        let deadline = Instant::now() + patience;
        loop {
            match self.told.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Told::Message(message)) => return Some(message),
                Ok(Told::Subscribed) => {}
                Ok(Told::Over(_)) | Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    /// Everything received on a topic so far and not yet asked for. Call it only after something that comes later.
    pub fn received(&self, filter: &str) -> Vec<&Received> {
        let topics = TopicFilter::new(filter).expect("a valid filter");
        self.waiting.iter().filter(|message| topics.matches(&message.topic)).collect()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // The connection may be over already: then there is nothing to end.
        let _ = match &self.handle {
            Handle::V3(client) => client.try_disconnect().is_ok(),
            Handle::V5(client) => client.try_disconnect().is_ok(),
        };
    }
}

fn connect_v3(id: &str, port: u16, login: Option<(&str, &str)>, tell: Sender<Told>) -> Handle {
    let mut options = rumqttc::MqttOptions::new(id, "127.0.0.1", port);
    options.set_max_packet_size(2 << 20, 2 << 20);
    if let Some((user, password)) = login {
        options.set_credentials(user, password);
    }
    let (client, mut connection) = rumqttc::Client::new(options, 1000);
    connection.eventloop.network_options.set_tcp_nodelay(true);
    std::thread::spawn(move || {
        for event in connection.iter() {
            let told = match event {
                Ok(rumqttc::Event::Incoming(rumqttc::Packet::SubAck(_))) => Told::Subscribed,
                Ok(rumqttc::Event::Incoming(rumqttc::Packet::Publish(publish))) => Told::Message(Received {
                    topic: publish.topic,
                    payload: String::from_utf8_lossy(&publish.payload).into_owned(),
                    retain: publish.retain,
                    qos: publish.qos as u8,
                    expiry_s: None,
                    correlation: None,
                }),
                Ok(_) => continue,
                Err(error) => Told::Over(error.to_string()),
            };
            let over = matches!(told, Told::Over(_));
            if tell.send(told).is_err() || over {
                return;
            }
        }
    });
    Handle::V3(client)
}

fn connect_v5(id: &str, port: u16, login: Option<(&str, &str)>, tell: Sender<Told>) -> Handle {
    let mut options = v5::MqttOptions::new(id, "127.0.0.1", port);
    let mut network = options.network_options();
    network.set_tcp_nodelay(true);
    options.set_network_options(network);
    options.set_connect_properties(ConnectProperties { max_packet_size: Some(2 << 20), ..ConnectProperties::new() });
    if let Some((user, password)) = login {
        options.set_credentials(user, password);
    }
    let (client, mut connection) = v5::Client::new(options, 1000);
    std::thread::spawn(move || {
        for event in connection.iter() {
            let told = match event {
                Ok(v5::Event::Incoming(v5::Incoming::SubAck(_))) => Told::Subscribed,
                Ok(v5::Event::Incoming(v5::Incoming::Publish(publish))) => {
                    let properties = publish.properties.unwrap_or_default();
                    Told::Message(Received {
                        topic: String::from_utf8_lossy(&publish.topic).into_owned(),
                        payload: String::from_utf8_lossy(&publish.payload).into_owned(),
                        retain: publish.retain,
                        qos: publish.qos as u8,
                        expiry_s: properties.message_expiry_interval,
                        correlation: properties.correlation_data.map(|data| data.to_vec()),
                    })
                }
                Ok(_) => continue,
                Err(error) => Told::Over(error.to_string()),
            };
            let over = matches!(told, Told::Over(_));
            if tell.send(told).is_err() || over {
                return;
            }
        }
    });
    Handle::V5(client)
}
