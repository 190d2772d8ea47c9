//! How the bridge of a case is configured: what all have, and what a case adds.

use std::path::Path;

use crate::broker::{Mosquitto, password_of};

/// The rule of all houses: at night nothing is unlocked. Night is a switch in Home Assistant, so that no case waits for it.
const NIGHT: &str = include_str!("night.rhai");

/// A configuration, and the folder of its policies.
pub struct Settings {
    mode: &'static str,
    home_assistant: Vec<String>,
    channels: Vec<String>,
    sections: Vec<&'static str>,
    policies: Vec<(&'static str, &'static str)>,
}

impl Settings {
    /// What is judged is held back.
    pub fn enforce() -> Settings {
        Settings {
            mode: "enforce",
            home_assistant: Vec::new(),
            channels: Vec::new(),
            sections: Vec::new(),
            policies: vec![("night", NIGHT)],
        }
    }

    /// What is judged is only told.
    pub fn observe() -> Settings {
        Settings { mode: "observe", ..Settings::enforce() }
    }

    /// Adds a line to the section of Home Assistant.
    pub fn with(mut self, line: impl Into<String>) -> Settings {
        self.home_assistant.push(line.into());
        self
    }

    /// Adds a channel: its name and what it is.
    pub fn channel(mut self, line: impl Into<String>) -> Settings {
        self.channels.push(line.into());
        self
    }

    /// Adds a whole section.
    pub fn section(mut self, text: &'static str) -> Settings {
        self.sections.push(text);
        self
    }

    /// Adds a policy.
    pub fn policy(mut self, name: &'static str, text: &'static str) -> Settings {
        self.policies.push((name, text));
        self
    }

    /// Writes the configuration and the policies to a folder, anew.
    pub fn write(&self, folder: &Path, broker: &Mosquitto) {
        let policies = folder.join("policies");
        std::fs::create_dir_all(&policies).expect("a writable temporary folder");
        for (name, text) in &self.policies {
            std::fs::write(policies.join(format!("{name}.rhai")), text).expect("a writable temporary folder");
        }
        let indented = |lines: &[String]| lines.iter().map(|line| format!("  {line}\n")).collect::<String>();
        let (lines, channels) = (indented(&self.home_assistant), indented(&self.channels));
        let text = format!(
            "broker:\n  url: mqtt://127.0.0.1:{port}\n  username: hushgate\n  password: {password}\nmode: {mode}\n\
             time_zone: America/Los_Angeles\npolicies: \"{policies}\"\ndata: \"{data}\"\nfacts:\n  statestream: \
             homeassistant_statestream\nchannels:\n  phone: {{kind: person, independent: true, confirms: true}}\n  panel: {{kind: \
             person, confirms: true}}\n{channels}home_assistant:\n  eventstream: homeassistant_eventstream\n  channel: phone\n  \
             settle: 3s\n{lines}{sections}",
            port = broker.port(),
            password = password_of("hushgate"),
            mode = self.mode,
            sections = self.sections.concat(),
            policies = policies.display(),
            data = folder.join("data").display(),
        );
        std::fs::write(folder.join("home.yaml"), text).expect("a writable temporary folder");
    }
}
