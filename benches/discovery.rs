//! A thousand discovered entities: how long the built bridge takes, from its start, until the last one stands in the mirror.
//!
//! The announcements lie stored at the broker, as devices leave them there: a third of them locks, which are guarded, the
//! rest lights and sensors. A subscriber counts what arrives under the mirror. Each round has a base of its own, so that
//! nothing of an earlier one is found there.
//!
//! `cargo bench --no-default-features --bench discovery` measures through Mosquitto. Without Mosquitto the embedded broker
//! is used, which needs the default features.
#![expect(unreachable_pub, reason = "a benchmark has no outside")]
#![expect(clippy::expect_used, reason = "a measurement that cannot be made must not look like one")]
#![expect(clippy::disallowed_methods, reason = "a measurement needs a clock, and a program to measure")]

#[path = "gate/announcements.rs"]
mod announcements;
#[path = "gate/broker.rs"]
mod broker;

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use announcements::{ENTITIES, PATIENCE, announce, connect};
use broker::Broker;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Filter, RetainForwardRule};
use rumqttc::v5::{Event, EventLoop, Incoming};
use tempfile::{NamedTempFile, TempDir};
use tokio::time::timeout;

/// How long the last of them may take.
const TARGET_MS: f64 = 2_000.0;

fn main() {
    let is_glance = std::env::args().any(|word| word == "--test");
    let rounds = if is_glance { 1 } else { 7 };
    let broker = Broker::start();
    println!("\ndiscovery: {ENTITIES} entities through {}, {rounds} rounds", broker.name());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(measure(&broker, rounds));
}

async fn measure(broker: &Broker, rounds: usize) {
    announce(broker.port(), "homeassistant").await;
    let (mut firsts, mut lasts) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let (first, last) = mirrored(broker.port(), &format!("round{round}")).await;
        firsts.push(first.as_secs_f64() * 1e3);
        lasts.push(last.as_secs_f64() * 1e3);
    }
    println!("start to first mirrored    {:>9.1} ms", median(firsts));
    let last_ms = median(lasts);
    let verdict = if last_ms <= TARGET_MS { "met" } else { "MISSED" };
    println!("start to last mirrored     {last_ms:>9.1} ms  (at most {TARGET_MS:.0}: {verdict})");
}

/// From the start of a bridge to the first and to the last announcement in its mirror.
async fn mirrored(port: u16, base: &str) -> (Duration, Duration) {
    let (client, mut events) = connect(port, &format!("home-assistant-{base}"));
    let mut filter = Filter::new(format!("{base}/homeassistant/#"), QoS::AtLeastOnce);
    filter.retain_forward_rule = RetainForwardRule::OnEverySubscribe;
    client.try_subscribe_many([filter]).expect("room in the queue");
    while !matches!(next(&mut events).await, Event::Incoming(Incoming::SubAck(_))) {}
    let began = Instant::now();
    let bridge = Bridge::start(port, base);
    let (mut first, mut seen) = (None, 0);
    while seen < ENTITIES {
        if let Event::Incoming(Incoming::Publish(publish)) = next(&mut events).await {
            // The bridge's own device stands there too.
            if publish.topic.windows(b"/device_".len()).any(|part| part == b"/device_") {
                first.get_or_insert_with(|| began.elapsed());
                seen += 1;
            }
        }
    }
    let last = began.elapsed();
    drop(bridge);
    (first.expect("at least one"), last)
}

async fn next(events: &mut EventLoop) -> Event {
    timeout(PATIENCE, events.poll()).await.expect("a message in time").expect("a connection")
}

/// The built program, without policies.
struct Bridge {
    child: Child,
    _kept: (NamedTempFile, TempDir),
}

impl Bridge {
    fn start(port: u16, base: &str) -> Bridge {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut config = NamedTempFile::new().expect("a temporary file");
        let text = format!(
            "broker: {{ url: \"mqtt://127.0.0.1:{port}\" }}\nbase: {base}\npolicies: \"{0}\"\ndata: \"{0}/data\"\n",
            folder.path().display()
        );
        config.write_all(text.as_bytes()).expect("a writable temporary file");
        let mut command = Command::new(env!("CARGO_BIN_EXE_hushgate"));
        command.arg("run").arg("--config").arg(config.path());
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("a program that can be run");
        Bridge { child, _kept: (config, folder) }
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.child.kill().expect("our own child");
        self.child.wait().expect("our own child");
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    *values.get(values.len() / 2).expect("at least one value")
}
