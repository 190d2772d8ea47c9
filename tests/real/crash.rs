//! The broker killed in mid-stream, and the bridge while something waits. Every command says in its own name whether it may
//! arrive: that is the oracle. The bridge under load is killed in `kills`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::Case;
use crate::broker::{Broker, Kind};
use crate::client::{Client, Received};
use crate::house::House;
use crate::prompt;

pub const CASES: &[Case] = &[
    ("nothing_is_doubled_by_a_killed_broker", nothing_is_doubled_by_a_killed_broker),
    ("what_waits_when_the_bridge_is_killed_is_asked_anew", what_waits_when_the_bridge_is_killed_is_asked_anew),
];

/// How often the broker is killed.
const BROKER_KILLS: usize = 3;
/// The most commands that a round lets through before the kill.
const ROUND_MAX: u64 = 400;

/// Publishes commands without end, every third of them to the cellar, whose light is refused.
struct Load {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Load {
    /// `serial` counts commands across all loads: no two carry the same number. QoS 0, so that a client never repeats one.
    fn start(broker: &Broker, serial: &Arc<AtomicU64>) -> Load {
        let client = Client::connect(broker, &[]);
        let (stop, serial) = (Arc::new(AtomicBool::new(false)), Arc::clone(serial));
        let until = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !until.load(Ordering::Relaxed) {
                let number = serial.fetch_add(1, Ordering::Relaxed);
                let (room, label) = if number % 3 == 0 { ("cellar", "denied") } else { ("kitchen", "allowed") };
                let topic = format!("hushgate/gate/lights/{room}/set");
                if client.try_send(&topic, &format!("{label}-{number}")).is_err() {
                    return;
                }
            }
        });
        Load { stop, thread: Some(thread) }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What arrived at the devices, held against what may arrive.
#[derive(Default)]
struct Oracle {
    seen: BTreeSet<String>,
}

impl Oracle {
    fn note(&mut self, payload: &str) {
        assert!(payload.starts_with("allowed-"), "let out, though it is denied: {payload}");
        assert!(self.seen.insert(payload.to_owned()), "delivered twice: {payload}");
    }

    /// Takes `count` commands from the device.
    fn take(&mut self, device: &mut Client, count: u64) {
        for _ in 0..count {
            self.note(&device.expect("lights/+/set").payload);
        }
    }
}

fn seed() -> u64 {
    let seed =
        std::env::var("HUSHGATE_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    println!("HUSHGATE_SEED={seed}");
    seed
}

fn nothing_is_doubled_by_a_killed_broker(kind: Kind) {
    let mut broker = Broker::start(kind);
    let house = House::on(&broker);
    let mut bridge = house.open(&broker);
    let mut random = fastrand::Rng::with_seed(seed());
    let (mut oracle, serial) = (Oracle::default(), Arc::new(AtomicU64::new(0)));
    for _ in 0..BROKER_KILLS {
        let mut device = Client::connect(&broker, &["lights/+/set"]);
        let load = Load::start(&broker, &serial);
        oracle.take(&mut device, random.u64(1..ROUND_MAX));
        broker.kill();
        while let Some(message) = device.next_within(crate::client::PATIENCE) {
            oracle.note(&message.payload);
        }
        drop(load);
        broker.restart();
        let mut witness = Client::connect(&broker, &["hushgate/status"]);
        witness.expect_where("hushgate/status", |message| message.payload == "online");
        bridge.expect_log(&["connection lost"]);
    }
    let mut device = Client::connect(&broker, &["lights/+/set"]);
    device.publish("hushgate/gate/lights/kitchen/set", "allowed-last");
    oracle.take(&mut device, 1);
    assert!(oracle.seen.contains("allowed-last"));
    drop(bridge);
}

fn what_waits_when_the_bridge_is_killed_is_asked_anew(kind: Kind) {
    let broker = Broker::start(kind);
    let house = House::on(&broker);
    let bridge = house.open(&broker);
    let mut device = Client::connect(&broker, &["zigbee2mqtt/+/set", "hushgate/pending/+"]);
    let mut phone = Client::connect(&broker, &["hushgate/prompt/phone", "hushgate/log"]);
    device.publish("hushgate/gate/zigbee2mqtt/door/set", r#"{"state":"UNLOCK"}"#);
    let prompt = prompt::asked(&mut phone);
    let pending = device.expect("hushgate/pending/+");
    house.until_kept(|kept| !kept.pendings.is_empty());
    bridge.kill();

    let bridge = house.open(&broker);
    let again = prompt::asked(&mut phone);
    assert_ne!(prompt.token, again.token);
    prompt.approve(&phone);
    let refused = phone.expect_where("hushgate/log", |record| record.payload.contains("answer_refused"));
    assert_eq!(refused.json()["reason"], "the token is wrong", "the earlier run's token is void");
    again.approve(&phone);
    assert_eq!(device.expect("zigbee2mqtt/+/set").payload, r#"{"state":"UNLOCK"}"#);
    let is_over = |message: &Received| message.topic == pending.topic && message.payload.is_empty();
    device.expect_where("hushgate/pending/+", is_over);
    house.until_kept(|kept| kept.pendings.is_empty());
    bridge.kill();

    let _bridge = house.open(&broker);
    device.publish("hushgate/gate/zigbee2mqtt/door/set", r#"{"state":"LOCK"}"#);
    assert_eq!(device.expect("zigbee2mqtt/+/set").payload, r#"{"state":"LOCK"}"#, "it goes once");
}
