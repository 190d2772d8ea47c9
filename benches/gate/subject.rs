//! What is measured: the built bridge and the bare relay, each a process of its own.

use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::relay;

/// Policies that judge every command of the load.
const POLICIES: usize = 10;

pub struct Subject {
    name: &'static str,
    command_topic: String,
    device_topic: &'static str,
    child: Child,
    /// Kept as long as the process reads from it.
    _folder: Option<TempDir>,
}

impl Subject {
    pub fn relay(port: u16) -> Subject {
        let program = std::env::current_exe().expect("this program");
        let child = run(Command::new(program).arg(relay::ARGUMENT).arg(port.to_string()));
        let device_topic = "lights/relay/set";
        let command_topic = format!("{}{device_topic}", relay::PREFIX);
        Subject { name: "the relay", command_topic, device_topic, child, _folder: None }
    }

    pub fn bridge(port: u16) -> Subject {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let policies = folder.path().join("policies");
        std::fs::create_dir(&policies).expect("a writable temporary folder");
        for index in 0..POLICIES {
            std::fs::write(policies.join(format!("rule_{index}.rhai")), RULE).expect("a writable temporary folder");
        }
        let config = folder.path().join("home.yaml");
        let head = format!("broker: {{ url: \"mqtt://127.0.0.1:{port}\" }}\npolicies: \"{}\"\n", policies.display());
        std::fs::write(&config, head + HOUSE).expect("a writable temporary folder");
        let child = run(Command::new(env!("CARGO_BIN_EXE_hushgate")).arg("run").arg("--config").arg(config));
        let device_topic = "lights/bridge/set";
        let command_topic = format!("hushgate/gate/{device_topic}");
        Subject { name: "the bridge", command_topic, device_topic, child, _folder: Some(folder) }
    }

    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Where the load sends its commands.
    pub fn command_topic(&self) -> &str {
        &self.command_topic
    }

    /// Where they arrive.
    pub fn device_topic(&self) -> &'static str {
        self.device_topic
    }

    /// Resident memory. `None` where the system has no `/proc`.
    pub fn resident_kib(&self) -> Option<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        line.split_whitespace().next()?.parse().ok()
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        self.child.kill().expect("our own child");
        self.child.wait().expect("our own child");
    }
}

/// Runs a program whose log goes nowhere, as a service's log goes to a file that nobody reads at once.
fn run(command: &mut Command) -> Child {
    let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("a program that can be run")
}

const HOUSE: &str = r#"
mode: enforce
time_zone: America/Los_Angeles
commands:
  - { topic: "lights/{name}/set", action: light.turn_on, target: "{name}" }
channels:
  phone: { kind: person, independent: true, confirms: true }
"#;

const RULE: &str = r#"//! A typical rule.
const ACTIONS = ["light.*"];
const FROM = "22:00";
const ROOM = "cellar";

fn on_request(request) {
    if request.target == ROOM && between(FROM, "07:00") {
        deny("no light in the cellar at night")
    } else {
        allow("it is not the cellar")
    }
}
"#;
