//! Brokers of the tests: the embedded one, and Mosquitto, each on a free loopback port and gone when the value is.

use std::path::PathBuf;
use std::process::Child;

use hushgate::shell::broker::EmbeddedBroker;
use tempfile::TempDir;

#[path = "../support/mosquitto.rs"]
mod mosquitto;

use mosquitto::free_ports;

/// The user of brokers that ask for a password.
pub const USER: &str = "hushgate";
/// Two more users of brokers with rules.
pub const HOME_ASSISTANT: &str = "homeassistant";
pub const GUEST: &str = "guest";
/// The users who are channels of the house.
pub const CHANNELS: [&str; 3] = ["phone", "panel", "kitchen"];
/// The password of them all.
pub const PASSWORD: &str = "correct horse battery staple";

/// The password of a user: all have the same.
pub fn password_of(_: &str) -> String {
    PASSWORD.to_owned()
}
/// Tries to find a port that nobody takes between the question and the start.
const STARTS_MAX: usize = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Embedded,
    Mosquitto,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Embedded => "embedded",
            Kind::Mosquitto => "mosquitto",
        }
    }

    /// Why tests with this broker cannot run here. `None`: they can.
    pub fn missing(self) -> Option<String> {
        let absent = self == Kind::Mosquitto && mosquitto::program().is_none();
        absent.then(|| "`mosquitto` is not installed; `tests/run` installs it, or says how to".to_owned())
    }
}

/// What a broker asks of its clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Open,
    Password,
    /// A second listener with TLS; its authority is in `ca_file`.
    Tls,
    /// Open, with the queue for each client that Mosquitto has where nobody sets another one.
    ShortQueue,
    /// The bridge, two more users and the channels, and the text of an `acl_file`.
    Rules(&'static str),
}

/// A broker that can be killed and started again on its port.
pub struct Broker {
    kind: Kind,
    access: Access,
    port: u16,
    tls_port: u16,
    folder: TempDir,
    running: Option<Running>,
}

enum Running {
    Embedded(EmbeddedBroker),
    Mosquitto(Child),
}

impl Broker {
    pub fn start(kind: Kind) -> Broker {
        Broker::with(kind, Access::Open)
    }

    pub fn with(kind: Kind, access: Access) -> Broker {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut broker = Broker { kind, access, port: 0, tls_port: 0, folder, running: None };
        if access == Access::Tls {
            broker.write_certificates();
        }
        for _ in 0..STARTS_MAX {
            (broker.port, broker.tls_port) = free_ports();
            if broker.try_run() {
                return broker;
            }
        }
        panic!("{} did not start on any of {STARTS_MAX} ports", kind.name());
    }

    /// A free port where no broker is yet: for a bridge that brings its own.
    pub fn nowhere() -> Broker {
        Broker::elsewhere(free_ports().0)
    }

    /// A broker that somebody else runs.
    pub fn elsewhere(port: u16) -> Broker {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Broker { kind: Kind::Embedded, access: Access::Open, port, tls_port: 0, folder, running: None }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where a bridge finds the broker.
    pub fn url(&self) -> String {
        match self.access {
            Access::Tls => format!("mqtts://localhost:{}", self.tls_port),
            Access::Open | Access::ShortQueue | Access::Password | Access::Rules(_) => {
                format!("mqtt://127.0.0.1:{}", self.port)
            }
        }
    }

    pub fn login(&self) -> Option<(&'static str, &'static str)> {
        matches!(self.access, Access::Password | Access::Rules(_)).then_some((USER, PASSWORD))
    }

    /// The certificate of the authority that signed the broker's.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Ends the broker without a farewell.
    pub fn kill(&mut self) {
        match self.running.take() {
            Some(Running::Embedded(broker)) => drop(broker),
            Some(Running::Mosquitto(mut child)) => {
                child.kill().expect("our own child");
                child.wait().expect("our own child");
            }
            None => {}
        }
    }

    /// Starts the broker again on the same port.
    pub fn restart(&mut self) {
        self.kill();
        assert!(self.try_run(), "{} did not start again on port {}", self.kind.name(), self.port);
    }

    fn try_run(&mut self) -> bool {
        self.running = match self.kind {
            Kind::Embedded => {
                let address = ([127, 0, 0, 1], self.port).into();
                EmbeddedBroker::start(address).ok().map(Running::Embedded)
            }
            Kind::Mosquitto => self.run_mosquitto().map(Running::Mosquitto),
        };
        self.running.is_some()
    }

    fn run_mosquitto(&self) -> Option<Child> {
        let configuration = self.folder.path().join("mosquitto.conf");
        std::fs::write(&configuration, self.mosquitto_conf()).expect("a writable temporary folder");
        mosquitto::start(&configuration)
    }

    fn mosquitto_conf(&self) -> String {
        let folder = self.folder.path().display();
        let common = mosquitto::COMMON;
        let listener = format!("listener {} 127.0.0.1\n", self.port);
        match self.access {
            Access::Open => format!("{common}{listener}allow_anonymous true\n"),
            Access::ShortQueue => format!("{common}max_queued_messages 1000\n{listener}allow_anonymous true\n"),
            Access::Password => {
                let file = self.folder.path().join("passwords");
                mosquitto::write_password_file(&file, &[(USER, PASSWORD)]);
                format!("{common}{listener}allow_anonymous false\npassword_file {}\n", file.display())
            }
            Access::Rules(rules) => {
                let (passwords, acl) = (self.folder.path().join("passwords"), self.folder.path().join("acl"));
                let users = [USER, HOME_ASSISTANT, GUEST].into_iter().chain(CHANNELS);
                let users: Vec<(&str, &str)> = users.map(|user| (user, PASSWORD)).collect();
                mosquitto::write_password_file(&passwords, &users);
                std::fs::write(&acl, rules).expect("a writable temporary folder");
                let (passwords, acl) = (passwords.display(), acl.display());
                format!("{common}{listener}allow_anonymous false\npassword_file {passwords}\nacl_file {acl}\n")
            }
            Access::Tls => format!(
                "{common}allow_anonymous true\n{listener}listener {} 127.0.0.1\ncertfile {folder}/server.pem\nkeyfile \
                 {folder}/server.key\n",
                self.tls_port
            ),
        }
    }

    /// An authority, and the broker's certificate for `localhost`, made for this run alone.
    fn write_certificates(&self) {
        let authority = Authority::new("the tests' own authority");
        let key = rcgen::KeyPair::generate().expect("a key");
        let server = rcgen::CertificateParams::new(vec!["localhost".to_owned()])
            .and_then(|params| params.signed_by(&key, &authority.issuer))
            .expect("a certificate");
        let write = |name: &str, text: String| {
            std::fs::write(self.folder.path().join(name), text).expect("a writable temporary folder");
        };
        write("ca.pem", authority.pem);
        write("server.pem", server.pem());
        write("server.key", key.serialize_pem());
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Somebody who signs certificates.
pub struct Authority {
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    pub pem: String,
}

impl Authority {
    pub fn new(name: &str) -> Authority {
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Authority { issuer: rcgen::Issuer::new(params, key), pem }
    }
}
