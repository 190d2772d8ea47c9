//! Mosquitto with a user for everybody in the house, and the access rules that a case gives it.

use std::path::{Path, PathBuf};
use std::process::Child;

use tempfile::TempDir;

#[path = "../support/mosquitto.rs"]
mod mosquitto;

pub use mosquitto::{free_ports, program};

/// Everybody who may connect. The password is the name with this behind it.
pub const USERS: [&str; 7] = ["hushgate", "homeassistant", "devices", "phone", "panel", "guest", "owner"];
const PASSWORD_TAIL: &str = "-secret";
/// Tries to find a port that nobody takes between the question and the start.
const STARTS_MAX: usize = 5;

/// The password of a user.
pub fn password_of(user: &str) -> String {
    format!("{user}{PASSWORD_TAIL}")
}

/// The broker as one user sees it: what a client of the tests connects to.
pub struct Broker {
    port: u16,
    user: &'static str,
    password: String,
}

impl Broker {
    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn login(&self) -> Option<(&str, &str)> {
        Some((self.user, &self.password))
    }
}

/// A running Mosquitto. It can be killed and started again on its port; it is gone when the value is.
pub struct Mosquitto {
    port: u16,
    folder: TempDir,
    /// The text of its `acl_file`. `None`: everybody may do everything.
    access: Option<String>,
    running: Option<Child>,
}

impl Mosquitto {
    /// A broker that knows its users, and lets each of them do everything.
    pub fn start() -> Mosquitto {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let users: Vec<(&str, String)> = USERS.map(|user| (user, password_of(user))).into();
        let users: Vec<(&str, &str)> = users.iter().map(|(user, password)| (*user, password.as_str())).collect();
        mosquitto::write_password_file(&folder.path().join("passwords"), &users);
        let mut broker = Mosquitto { port: 0, folder, access: None, running: None };
        for _ in 0..STARTS_MAX {
            broker.port = free_ports().0;
            if broker.try_run() {
                return broker;
            }
        }
        panic!("Mosquitto did not start on any of {STARTS_MAX} ports");
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The broker as a user of [`USERS`] sees it.
    pub fn seen_by(&self, user: &'static str) -> Broker {
        assert!(USERS.contains(&user), "{user} is nobody");
        Broker { port: self.port, user, password: password_of(user) }
    }

    /// Starts it again with access rules, as an owner does who has just written them. `None`: without any.
    /// On the same port, and without what it had stored.
    pub fn restart_with_access(&mut self, access: Option<&str>) {
        self.access = access.map(ToOwned::to_owned);
        self.kill();
        assert!(self.try_run(), "Mosquitto did not start again on port {}", self.port);
    }

    /// Ends it without a farewell.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.running.take() {
            child.kill().expect("our own child");
            child.wait().expect("our own child");
        }
    }

    fn try_run(&mut self) -> bool {
        let folder = self.folder.path();
        let mut text = format!(
            "{}listener {} 127.0.0.1\nallow_anonymous false\npassword_file {}\n",
            mosquitto::COMMON,
            self.port,
            folder.join("passwords").display()
        );
        if let Some(access) = &self.access {
            text.push_str(&format!("acl_file {}\n", write(&folder.join("access"), access).display()));
        }
        self.running = mosquitto::start(&write(&folder.join("mosquitto.conf"), &text));
        self.running.is_some()
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.kill();
    }
}

fn write(file: &Path, text: &str) -> PathBuf {
    std::fs::write(file, text).expect("a writable temporary folder");
    file.to_owned()
}
