//! What is measured: the built bridge and the bare relay, each a process of its own.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::{NamedTempFile, TempDir};

use crate::{bare, relay};

/// Under which the entities of the house are announced.
pub const DISCOVERY: &str = "house_discovery";
/// The policies that the bridge ships.
const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/policies");
/// Policies that judge every command of the load.
const POLICIES: usize = 10;

pub struct Subject {
    name: &'static str,
    command_topic: String,
    device_topic: String,
    child: Child,
    /// Configuration, policies and data: kept as long as the process may use them.
    _kept: (Option<NamedTempFile>, Option<TempDir>, Option<TempDir>),
}

impl Subject {
    pub fn relay(port: u16) -> Subject {
        let program = std::env::current_exe().expect("this program");
        let child = run(Command::new(program).arg(relay::ARGUMENT).arg(port.to_string()));
        let device_topic = "load/relay/112".to_owned();
        let command_topic = format!("{}{device_topic}", relay::PREFIX);
        Subject { name: "the relay", command_topic, device_topic, child, _kept: (None, None, None) }
    }

    /// The bridge with the policies that it ships, one of which judges the load's commands.
    pub fn bridge(port: u16) -> Subject {
        Subject::run_bridge("the bridge", "bridge", port, None, "")
    }

    /// The same bridge in a house of a thousand discovered entities. The load commands one of them, which is guarded.
    pub fn bridge_in_a_house(port: u16) -> Subject {
        let discovers = format!("home_assistant: {{ discovery: {DISCOVERY}, gate: all }}\n");
        Subject::run_bridge("the bridge in a house", "house", port, None, &discovers)
    }

    /// The bridge with ten policies, all of which judge the load's commands.
    pub fn bridge_with_ten(port: u16) -> Subject {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for index in 0..POLICIES {
            let file = folder.path().join(format!("rule_{index}.rhai"));
            std::fs::write(file, RULE).expect("a writable temporary folder");
        }
        Subject::run_bridge("the bridge with ten policies", "ten", port, Some(folder), "")
    }

    /// The bridge without the program around it, so that the same can be run without a journal. See `bare`.
    pub fn bare(port: u16) -> Subject {
        Subject::run_bare("the bare bridge", "bare", port, bare::WITH_JOURNAL)
    }

    /// The same without a journal.
    pub fn bare_without_journal(port: u16) -> Subject {
        Subject::run_bare("the bare bridge without a journal", "unkept", port, bare::WITHOUT_JOURNAL)
    }

    fn run_bare(name: &'static str, base: &str, port: u16, argument: &str) -> Subject {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.arg(argument);
        Subject::start(name, base, port, None, "", command)
    }

    /// `base` stands before all topics of this bridge, so that several can be connected at one time.
    fn run_bridge(name: &'static str, base: &str, port: u16, policies: Option<TempDir>, discovers: &str) -> Subject {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hushgate"));
        command.arg("run").arg("--config");
        Subject::start(name, base, port, policies, discovers, command)
    }

    /// `policies`: others than those that are shipped. `command` wants the path of the configuration as its last argument.
    fn start(
        name: &'static str,
        base: &str,
        port: u16,
        policies: Option<TempDir>,
        discovers: &str,
        mut command: Command,
    ) -> Subject {
        let device_topic = format!("load/{base}/112");
        let mut config = NamedTempFile::new().expect("a temporary file");
        let data = tempfile::tempdir().expect("a temporary folder");
        let broker = format!("broker: {{ url: \"mqtt://127.0.0.1:{port}\" }}\nbase: {base}\ndata: {:?}\n", data.path());
        let commands = if discovers.is_empty() { COMMANDS } else { discovers };
        let folder = policies.as_ref().map_or(Path::new(SHIPPED), TempDir::path).display();
        let text = format!("{broker}policies: \"{folder}\"\n{HOUSE}{commands}");
        config.write_all(text.as_bytes()).expect("a writable temporary file");
        let child = run(command.arg(config.path()));
        let command_topic = format!("{base}/gate/{device_topic}");
        Subject { name, command_topic, device_topic, child, _kept: (Some(config), policies, Some(data)) }
    }

    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Where the load sends its commands.
    pub fn command_topic(&self) -> &str {
        &self.command_topic
    }

    /// Where they arrive.
    pub fn device_topic(&self) -> &str {
        &self.device_topic
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
channels:
  echo: { kind: voice }
  phone: { kind: person, independent: true, confirms: true }
"#;

const COMMANDS: &str = r#"
commands:
  - { topic: "load/{subject}/{recipient}", action: communication.call, target: "{recipient}", channel: echo }
"#;

/// The shipped `quiet-nights` lets emergency contacts through at any hour.
const RULE: &str = include_str!("../../policies/quiet-nights.rhai");
