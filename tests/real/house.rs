//! A house for one test: a configuration, a folder of policies, and the built bridge run with them.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Instant;

use hushgate::model::durable::{Change, Durable};
use hushgate::model::time::At;
use hushgate::shell::store::Store;
use tempfile::TempDir;

use crate::bridge::{Bridge, command, command_after};
use crate::broker::Broker;
use crate::client::{Client, PATIENCE};

/// What every house of these tests has: two locks' worth of commands, three channels, one speaker.
const DEVICES: &str = include_str!("house.yaml");
/// The rule that most tests need: the cellar's light is refused, everything else of the light goes.
pub const CELLAR: &str = "//! The cellar stays dark.\n\nconst ACTIONS = [\"light.*\"];\n\nfn on_request(request) {\n    \
                          if request.target == \"cellar\" {\n        deny(\"the cellar stays dark\")\n    }\n}\n";

/// A configuration and a folder of policies.
pub struct House {
    folder: Arc<TempDir>,
}

impl House {
    /// A house on a broker, in `enforce`, with the rule of the cellar.
    pub fn on(broker: &Broker) -> House {
        let mut head = format!("broker:\n  url: \"{}\"\n", broker.url());
        if let Some((user, password)) = broker.login() {
            head.push_str(&format!("  username: \"{user}\"\n  password: \"{password}\"\n"));
        }
        House::with_broker(&head)
    }

    /// A house whose `broker:` section is given.
    pub fn with_broker(section: &str) -> House {
        let house = House::furnished(section, DEVICES);
        house.policy("cellar", CELLAR);
        house
    }

    /// A house whose `broker:` section is given, with other devices and no rules.
    pub fn furnished(section: &str, devices: &str) -> House {
        let house = House { folder: Arc::new(tempfile::tempdir().expect("a temporary folder")) };
        std::fs::create_dir(house.policies()).expect("a writable temporary folder");
        let (policies, data) = (house.policies(), house.data());
        let text = format!("{section}policies: \"{}\"\ndata: \"{}\"\n{devices}", policies.display(), data.display());
        std::fs::write(house.config(), text).expect("a writable temporary folder");
        house
    }

    /// Adds sections to the configuration.
    pub fn add(&self, section: &str) {
        let text = std::fs::read_to_string(self.config()).expect("it was just written");
        std::fs::write(self.config(), text + section).expect("a writable temporary folder");
    }

    /// Where the bridge keeps what must outlive it.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// What an earlier run has kept: these topics are guarded.
    pub fn guard(&self, topics: &[&str]) {
        let guards: Vec<(&str, Option<&str>)> = topics.iter().map(|topic| (*topic, None)).collect();
        self.guard_with(&guards);
    }

    /// The same, with what differs from what was accepted.
    pub fn guard_with(&self, guards: &[(&str, Option<&str>)]) {
        let guard = |topic: &str, problem: &Option<&str>| {
            let lock = serde_json::json!({
                "topic": "homeassistant/lock/door/config", "component": "", "platform": "lock",
                "entity_id": "lock.door", "name": "Door", "device": [], "options": {"command_topic": topic},
            });
            serde_json::json!({"accepted": [lock], "problem": problem})
        };
        let saved = At { monotonic_ms: At::MONOTONIC_START_MS, utc: "2026-11-22T00:00:00Z".parse().expect("a time") };
        let mut store = Store::open(&self.data(), saved).store;
        for (topic, problem) in guards {
            let guard = serde_json::from_value(guard(topic, problem)).expect("a guard");
            store.keep(Change::Guard { topic: (*topic).to_owned(), guard });
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(store.close(saved)).expect("a writable temporary folder");
    }

    /// Waits until what the bridge has kept is as it should be. Nothing on MQTT tells when something is on the disk.
    pub fn until_kept(&self, is_so: impl Fn(&Durable) -> bool) {
        let at = At { monotonic_ms: At::MONOTONIC_START_MS, utc: At::UTC_MIN };
        let started = Instant::now();
        loop {
            let opened = Store::open(&self.data(), at);
            assert_eq!(opened.trouble, None);
            if opened.saved.is_some_and(|(durable, _)| is_so(&durable)) {
                return;
            }
            assert!(started.elapsed() < PATIENCE, "it is not kept");
            std::thread::yield_now();
        }
    }

    /// Runs another command of the program with this house's configuration, to its end.
    pub fn command(&self, arguments: &[&str]) -> Output {
        let mut command = command();
        command.current_dir(self.folder.path()).args(arguments).arg("--config").arg(self.config());
        command.output().expect("the built program")
    }

    pub fn config(&self) -> PathBuf {
        self.folder.path().join("home.yaml")
    }

    pub fn policies(&self) -> PathBuf {
        self.folder.path().join("policies")
    }

    /// Writes a policy, as an editor does.
    pub fn policy(&self, name: &str, text: &str) -> PathBuf {
        let file = self.policies().join(format!("{name}.rhai"));
        std::fs::write(&file, text).expect("a writable temporary folder");
        file
    }

    /// The folder of the owner's integrations, where the program looks for it by itself.
    pub fn integrations(&self) -> PathBuf {
        self.folder.path().join("integrations")
    }

    /// Writes an integration. The first one makes the folder.
    pub fn integration(&self, name: &str, text: &str) -> PathBuf {
        std::fs::create_dir_all(self.integrations()).expect("a writable temporary folder");
        let file = self.integrations().join(format!("{name}.rhai"));
        std::fs::write(&file, text).expect("a writable temporary folder");
        file
    }

    /// Runs the bridge, and waits until it says on MQTT that it is there.
    pub fn open(&self, broker: &Broker) -> Bridge {
        // A `status` from before may still be stored; only a live one counts.
        let mut witness = Client::connect(broker, &["hushgate/status"]);
        let bridge = self.run();
        witness.expect_where("hushgate/status", |message| !message.retain && message.payload == "online");
        bridge
    }

    /// Runs the bridge.
    pub fn run(&self) -> Bridge {
        self.run_with(&[])
    }

    /// Runs the bridge with further arguments.
    pub fn run_with(&self, arguments: &[&str]) -> Bridge {
        self.start(command(), arguments)
    }

    /// Runs the bridge in the place of a shell that has made a setting.
    pub fn run_after(&self, setting: &str) -> Bridge {
        self.start(command_after(setting), &[])
    }

    fn start(&self, mut command: Command, arguments: &[&str]) -> Bridge {
        command.current_dir(self.folder.path()).arg("run").arg("--config").arg(self.config()).args(arguments);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the built program");
        let log = child.stderr.take().expect("piped");
        Bridge::reading(child, log, Arc::clone(&self.folder))
    }
}
