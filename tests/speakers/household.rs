//! A house with one family of speakers: its configuration, its rules, and the bridge that runs in it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;

use crate::bridge::{Bridge, command};
use crate::broker::Broker;
use crate::client::Client;

/// Every house here enforces, asks a phone, and has a lock.
const HEAD: &str = "mode: enforce\ntime_zone: America/Los_Angeles\n";
/// The rule that mutes what a test names: `test/mute/<what>` with the speaker as its payload. `test/unmute` ends it.
const MUTES: &str = r#"//! Mutes what a test names.

const TOPICS = ["test/mute/+", "test/unmute", "test/say/+"];

fn on_message(message) {
    let levels = split(message.topic, "/");
    if levels[1] == "unmute" {
        unmute(message.payload)
    } else if levels[1] == "say" {
        announce(levels[2], message.payload)
    } else {
        mute(message.payload, "10m", "a test", levels[2])
    }
}
"#;

pub struct Household {
    folder: Arc<TempDir>,
}

impl Household {
    /// `config`: all sections but the broker's, those of files, and the mode.
    pub fn on(broker: &Broker, config: &str) -> Household {
        let household = Household { folder: Arc::new(tempfile::tempdir().expect("a temporary folder")) };
        std::fs::create_dir(household.folder.path().join("policies")).expect("a writable temporary folder");
        let folder = household.folder.path().display();
        let text = format!(
            "broker: {{url: \"{}\"}}\npolicies: \"{folder}/policies\"\ndata: \"{folder}/data\"\n{HEAD}{config}",
            broker.url()
        );
        std::fs::write(household.config(), text).expect("a writable temporary folder");
        household.policy("mutes", MUTES);
        household
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("home.yaml")
    }

    pub fn policy(&self, name: &str, text: &str) {
        let file = self.folder.path().join(format!("policies/{name}.rhai"));
        std::fs::write(file, text).expect("a writable temporary folder");
    }

    /// Runs the bridge, and waits until it says on MQTT that it is there.
    pub fn open(&self, broker: &Broker) -> Bridge {
        let mut witness = Client::connect(broker, &["hushgate/status"]);
        let mut command = command();
        command.arg("run").arg("--config").arg(self.config()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the built program");
        let log = child.stderr.take().expect("piped");
        let bridge = Bridge::reading(child, log, Arc::clone(&self.folder));
        witness.expect_where("hushgate/status", |message| !message.retain && message.payload == "online");
        bridge
    }

    /// Everything that the bridge has written to its folder, as text, whatever it is.
    pub fn kept(&self) -> String {
        self.below("data")
    }

    /// Its log. What waits for an answer stands elsewhere, with all that is needed to let it go.
    pub fn journal(&self) -> String {
        self.below("data/journal")
    }

    fn below(&self, folder: &str) -> String {
        let mut kept = String::new();
        read_all(&self.folder.path().join(folder), &mut kept);
        assert!(!kept.is_empty(), "nothing is in {folder}");
        kept
    }
}

fn read_all(folder: &Path, kept: &mut String) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            read_all(&path, kept);
        } else {
            kept.push_str(&String::from_utf8_lossy(&std::fs::read(&path).expect("a file")));
        }
    }
}

/// Waits for a message, and reads it as JSON.
pub fn told(client: &mut Client, filter: &str) -> Value {
    client.expect(filter).json()
}

/// Waits for the next decision: what was asked for was not let go, for want of a person's word alone. Gives the request.
pub fn held(owner: &mut Client, action: &str) -> Value {
    let decision = told(owner, "hushgate/decision/#");
    assert_eq!(decision["request"]["action"], action, "{decision}");
    assert_ne!(decision["applied"], "allow", "{decision}");
    let reason = decision["reason"].as_str().unwrap_or_default();
    assert!(reason.starts_with(&format!("`{action}` is sensitive and no policy allows it")), "{reason}");
    decision["request"].clone()
}

/// Fails if an integration has failed so far. Call it only after something that comes later.
pub fn nothing_failed(witness: &Client) {
    let failed: Vec<_> = witness.received("hushgate/log");
    let failed: Vec<_> = failed.iter().filter(|record| record.payload.contains("integration_failed")).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}
