//! The client that sends commands and sees them arrive: one connection, one clock.

use std::time::{Duration, Instant};

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::{AsyncClient, Event, Incoming, MqttOptions};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::subject::Subject;

/// Requests that wait inside the client.
const REQUESTS_MAX: usize = 10_000;
/// How long a message may take before the measurement is given up.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a subject that is starting is tried. It bounds the error of the time to start.
const PROBE_EVERY: Duration = Duration::from_millis(1);
/// Bytes of one command: a light with brightness and colour is about that long.
const PAYLOAD_BYTES: usize = 200;

/// One command that arrived.
struct Arrived {
    topic: String,
    number: usize,
    at: Instant,
}

pub struct Load {
    client: AsyncClient,
    arrived: UnboundedReceiver<Arrived>,
    /// Never used twice, so that a straggler is told from what is measured now.
    next: usize,
}

impl Load {
    pub async fn connect(port: u16) -> Load {
        let mut options = MqttOptions::new("load", "127.0.0.1", port);
        let mut network = options.network_options();
        network.set_tcp_nodelay(true);
        options.set_network_options(network);
        options.set_outgoing_inflight_upper_limit(1_000);
        let (client, mut connection) = AsyncClient::new(options, REQUESTS_MAX);
        let (tell, arrived) = unbounded_channel();
        client.try_subscribe("load/+/112", QoS::AtLeastOnce).expect("an empty queue");
        tokio::spawn(async move {
            loop {
                if let Event::Incoming(Incoming::Publish(publish)) = connection.poll().await.expect("a connection") {
                    let at = Instant::now();
                    let topic = String::from_utf8_lossy(&publish.topic).into_owned();
                    if tell.send(Arrived { topic, number: number_in(&publish.payload), at }).is_err() {
                        return;
                    }
                }
            }
        });
        Load { client, arrived, next: 0 }
    }

    /// Announces the load's device, so that a bridge that discovers can read its commands.
    pub async fn announce(&mut self, prefix: &str, command_topic: &str) {
        let payload = format!(r#"{{"command_topic":"{command_topic}","name":"Load","unique_id":"load"}}"#);
        let topic = format!("{prefix}/text/load/config");
        self.client.publish(topic, QoS::AtLeastOnce, true, payload).await.expect("a connection");
    }

    /// Sends commands until one has come through.
    pub async fn wait_for(&mut self, subject: &Subject) {
        let mut probes = interval(PROBE_EVERY);
        probes.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let deadline = Instant::now() + PATIENCE;
        loop {
            tokio::select! {
                Some(arrived) = self.arrived.recv() => if arrived.topic == subject.device_topic() {
                    break;
                },
                _ = probes.tick() => {
                    assert!(Instant::now() < deadline, "{} lets nothing through", subject.name());
                    self.send(subject, QoS::AtMostOnce);
                }
            }
        }
        self.settle(subject).await;
    }

    /// Latencies, in microseconds, of `count` commands sent at a steady rate.
    pub async fn paced(&mut self, subject: &Subject, count: usize, per_second: u32) -> Vec<f64> {
        let mut ticks = interval(Duration::from_secs(1) / per_second);
        let (mut sent, mut latencies) = (Vec::with_capacity(count), Vec::with_capacity(count));
        let first = self.next;
        while latencies.len() < count {
            tokio::select! {
                arrived = timeout(PATIENCE, self.arrived.recv()) => {
                    let arrived = arrived.expect("a command in time").expect("a connection");
                    if let Some(began) = arrived.number.checked_sub(first).and_then(|index| sent.get(index)) {
                        latencies.push(arrived.at.duration_since(*began).as_secs_f64() * 1e6);
                    }
                }
                _ = ticks.tick(), if sent.len() < count => {
                    sent.push(Instant::now());
                    self.send(subject, QoS::AtLeastOnce);
                }
            }
        }
        latencies
    }

    /// Commands per second with `window` of them always on their way.
    pub async fn windowed(&mut self, subject: &Subject, count: usize, window: usize) -> f64 {
        let first = self.next;
        let began = Instant::now();
        (0..window).for_each(|_| self.send(subject, QoS::AtLeastOnce));
        let mut seen = 0;
        while seen < count {
            let arrived =
                timeout(PATIENCE, self.arrived.recv()).await.expect("a command in time").expect("a connection");
            if arrived.number >= first {
                seen += 1;
                if seen + window <= count {
                    self.send(subject, QoS::AtLeastOnce);
                }
            }
        }
        f64::from(u32::try_from(count).expect("a small number")) / began.elapsed().as_secs_f64()
    }

    /// Waits until every probe is through.
    async fn settle(&mut self, subject: &Subject) {
        let last = self.next;
        self.send(subject, QoS::AtLeastOnce);
        loop {
            let arrived =
                timeout(PATIENCE, self.arrived.recv()).await.expect("a command in time").expect("a connection");
            if arrived.number == last {
                return;
            }
        }
    }

    fn send(&mut self, subject: &Subject, qos: QoS) {
        let payload = format!("{:<PAYLOAD_BYTES$}", self.next);
        self.next += 1;
        self.client.try_publish(subject.command_topic(), qos, false, payload).expect("room in the queue");
    }
}

fn number_in(payload: &[u8]) -> usize {
    std::str::from_utf8(payload).ok().and_then(|text| text.trim_end().parse().ok()).expect("the load's own payload")
}
