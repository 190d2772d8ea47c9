//! A disk that is full, and a journal that was damaged: what passes then, what does not, and how it heals.
//!
//! The disk is full for the bridge alone: no file of its may grow beyond a size (`RLIMIT_FSIZE`, with its signal ignored, so
//! that writing fails as it does on a full disk). `prlimit` sets that from outside; where it is missing, this is left out.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::Case;
use crate::bridge::Bridge;
use crate::broker::{Broker, Kind};
use crate::client::{Client, Received};
use crate::house::House;
use crate::journal;

pub const CASES: &[Case] = &[("a_damaged_journal_is_told_and_goes_on", a_damaged_journal_is_told_and_goes_on)];
/// Cases for which a disk must be full.
pub const FULL: &[Case] =
    &[("a_full_disk_denies_what_is_sensitive_and_heals", a_full_disk_denies_what_is_sensitive_and_heals)];

/// Why a disk cannot be filled here. `None`: it can.
pub fn missing() -> Option<String> {
    let runs = Command::new("prlimit").arg("--version").output().is_ok();
    (!runs).then(|| "`prlimit` is not installed; it comes with util-linux".to_owned())
}

/// The siren can always be silenced, though the house calls that sensitive; the shed is opened by a rule.
fn house_on(broker: &Broker) -> House {
    let house = House::on(broker);
    let siren = "commands:\n  - { topic: siren/set, payload: \"OFF\", action: siren.turn_off, target: siren }\n";
    let text = std::fs::read_to_string(house.config()).expect("it was just written");
    std::fs::write(house.config(), text.replace("commands:\n", siren)).expect("a writable temporary folder");
    house.add("sensitive: [siren.turn_off]\nfloor: [siren.turn_off]\n");
    let shed = "//! The shed.\n\nconst ACTIONS = [\"lock.unlock\"];\n\nfn on_request(request) {\n    \
                if request.target == \"shed\" {\n        allow(\"anybody may\")\n    }\n}\n";
    house.policy("shed", shed);
    house
}

/// Somebody who commands, hears what is decided, and is the devices as well.
struct Scene {
    client: Client,
}

impl Scene {
    fn on(broker: &Broker) -> Scene {
        let devices = ["lights/+/set", "zigbee2mqtt/+/set", "siren/set"];
        let told = ["hushgate/decision/#", "hushgate/health", "hushgate/log"];
        Scene { client: Client::connect(broker, &[&devices[..], &told[..]].concat()) }
    }

    fn command(&self, topic: &str, payload: &str) {
        self.client.publish(&format!("hushgate/gate/{topic}"), payload);
    }

    /// What is ordinary passes, and what no rule may block as well.
    fn assert_others_pass(&mut self, lamp: &str) {
        self.command(&format!("lights/{lamp}/set"), "1");
        self.client.expect(&format!("lights/{lamp}/set"));
        self.command("siren/set", "OFF");
        self.client.expect("siren/set");
    }

    /// A door that a rule opens, and one that somebody would be asked about, stay shut.
    fn assert_doors_are_shut(&mut self) {
        for door in ["shed", "front"] {
            self.command(&format!("zigbee2mqtt/{door}/set"), r#"{"state":"UNLOCK"}"#);
            let of_door = |decision: &Received| decision.json()["request"]["target"] == door;
            let decision = self.client.expect_where("hushgate/decision/+/lock.unlock", of_door).json();
            assert_eq!(decision["applied"], "deny", "{decision}");
            let reason = decision["reason"].as_str().unwrap_or_default();
            assert!(reason.contains("the journal cannot be written"), "{reason}");
        }
        assert!(self.client.received("zigbee2mqtt/+/set").is_empty());
    }

    fn assert_the_shed_opens(&mut self) {
        self.command("zigbee2mqtt/shed/set", r#"{"state":"UNLOCK"}"#);
        self.client.expect("zigbee2mqtt/shed/set");
        self.client.expect("hushgate/decision/allow/lock.unlock");
    }

    /// Waits for a report in which the journal is a problem, or none any more.
    fn until_problem(&mut self, is_there: bool) {
        let names = |report: &Value| {
            let problems = report["problems"].as_array().into_iter().flatten();
            problems.filter_map(|problem| problem["problem"].as_str()).any(|text| text.contains("journal"))
        };
        self.client.expect_where("hushgate/health", |report| names(&report.json()) == is_there);
    }
}

/// No file of this process may grow beyond a size; `None`: any may again.
fn limit(bridge: &Bridge, bytes: Option<u64>) {
    let bytes = bytes.map_or("unlimited".to_owned(), |bytes| bytes.to_string());
    let mut command = Command::new("prlimit");
    command.arg("--pid").arg(bridge.id().to_string()).arg(format!("--fsize={bytes}:unlimited"));
    assert!(command.status().expect("asked for before").success());
}

fn newest_length(data: &Path) -> u64 {
    let newest = journal::segments(data).pop().expect("a segment");
    newest.metadata().expect("its length").len()
}

fn a_full_disk_denies_what_is_sensitive_and_heals(kind: Kind) {
    let broker = Broker::start(kind);
    let house = house_on(&broker);
    let mut scene = Scene::on(&broker);
    let mut bridge = house.run_after("trap '' XFSZ");
    bridge.expect_log(&["connected to the broker"]);
    scene.assert_others_pass("before");
    scene.assert_the_shed_opens();

    limit(&bridge, Some(newest_length(&house.data()) + 100));
    // The first one finds it out: it was allowed, cannot be written down, and so does not leave.
    scene.command("zigbee2mqtt/shed/set", r#"{"state":"UNLOCK"}"#);
    scene.client.expect("hushgate/decision/allow/lock.unlock");
    let dropped = scene.client.expect_where("hushgate/log", |told| told.json()["record"] == "dropped").json();
    assert_eq!(dropped["topic"], "zigbee2mqtt/shed/set", "{dropped}");
    scene.until_problem(true);
    scene.assert_doors_are_shut();
    scene.assert_others_pass("meanwhile");
    scene.assert_doors_are_shut();

    limit(&bridge, None);
    scene.assert_others_pass("after");
    scene.until_problem(false);
    scene.assert_the_shed_opens();
    bridge.signal("TERM");
    assert!(bridge.wait().success());

    // What could not be written was kept, and came first when there was room again.
    let entries = journal::read(&house.data());
    let count = |target: &str| {
        let decisions = entries.iter().filter(|entry| entry.kind() == "decision").map(journal::Entry::decision);
        decisions.filter(|decision| decision["request"]["target"] == target).count()
    };
    assert_eq!((count("before"), count("meanwhile"), count("after")), (1, 1, 1));
    assert!(count("shed") >= 4 && count("front") >= 2, "{} and {}", count("shed"), count("front"));
    assert!(entries.iter().all(|entry| entry.kind() != "gap"), "nothing was lost");
    let verified = house.command(&["log", "verify"]);
    assert!(verified.status.success(), "{verified:?}");
}

fn a_damaged_journal_is_told_and_goes_on(kind: Kind) {
    let broker = Broker::start(kind);
    let house = house_on(&broker);
    let mut scene = Scene::on(&broker);
    let mut bridge = house.run();
    bridge.expect_log(&["connected to the broker"]);
    scene.assert_others_pass("before");
    bridge.signal("TERM");
    assert!(bridge.wait().success());
    let newest = journal::segments(&house.data()).pop().expect("a segment");
    let text = std::fs::read_to_string(&newest).expect("a segment");
    std::fs::write(&newest, text.replace("\"before\"", "\"behind\"")).expect("a writable temporary folder");

    let mut bridge = house.run();
    bridge.expect_log(&["connected to the broker"]);
    scene.assert_others_pass("after");
    scene.assert_the_shed_opens();
    bridge.signal("TERM");
    assert!(bridge.wait().success());
    let verified = house.command(&["log", "verify"]);
    let said = format!("{}{}", String::from_utf8_lossy(&verified.stdout), String::from_utf8_lossy(&verified.stderr));
    assert_eq!(verified.status.code(), Some(1), "{said}");
    let name = newest.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    assert!(said.contains(name) && said.contains("changed"), "{said}");
}
