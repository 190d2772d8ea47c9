//! Brokers of the tests: the embedded one, and Mosquitto, each on a free loopback port and gone when the value is.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use hushgate::shell::broker::EmbeddedBroker;
use tempfile::TempDir;

/// The user of brokers that ask for a password.
pub const USER: &str = "hushgate";
/// That user's password.
pub const PASSWORD: &str = "correct horse battery staple";
/// Tries to find a port that nobody takes between the question and the start.
const STARTS_MAX: usize = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Embedded,
    Mosquitto,
}

impl Kind {
    pub const ALL: [Kind; 2] = [Kind::Embedded, Kind::Mosquitto];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Embedded => "embedded",
            Kind::Mosquitto => "mosquitto",
        }
    }

    /// Why tests with this broker cannot run here. `None`: they can.
    pub fn missing(self) -> Option<String> {
        let absent = self == Kind::Mosquitto && mosquitto().is_none();
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
            Access::Open | Access::Password => format!("mqtt://127.0.0.1:{}", self.port),
        }
    }

    pub fn login(&self) -> Option<(&'static str, &'static str)> {
        (self.access == Access::Password).then_some((USER, PASSWORD))
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

    /// Starts Mosquitto, and waits for its word that it is running.
    fn run_mosquitto(&self) -> Option<Child> {
        let configuration = self.folder.path().join("mosquitto.conf");
        std::fs::write(&configuration, self.mosquitto_conf()).expect("a writable temporary folder");
        let mut child = Command::new(mosquitto().expect("asked for before"))
            .arg("-c")
            .arg(&configuration)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a program that can be run");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let runs = lines.by_ref().map_while(Result::ok).any(|line| line.ends_with(" running"));
        if !runs {
            child.wait().expect("our own child");
            return None;
        }
        // Somebody must read on, or a full pipe stops the broker.
        std::thread::spawn(move || lines.for_each(drop));
        Some(child)
    }

    fn mosquitto_conf(&self) -> String {
        let folder = self.folder.path().display();
        // `user root` keeps the rights of whoever starts it; for anybody but root it says nothing.
        let common = "user root\nlog_dest stderr\nset_tcp_nodelay true\nmax_queued_messages 0\npersistence false\n";
        let listener = format!("listener {} 127.0.0.1\n", self.port);
        match self.access {
            Access::Open => format!("{common}{listener}allow_anonymous true\n"),
            Access::Password => {
                let file = self.folder.path().join("passwords");
                write_password_file(&file);
                format!("{common}{listener}allow_anonymous false\npassword_file {}\n", file.display())
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

/// Debian keeps it out of an ordinary user's search path.
fn mosquitto() -> Option<PathBuf> {
    find("mosquitto")
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders =
        std::env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin"].map(PathBuf::from));
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}

fn write_password_file(file: &Path) {
    let program = find("mosquitto_passwd").expect("it is installed with Mosquitto");
    let made = Command::new(program).arg("-b").arg("-c").arg(file).args([USER, PASSWORD]).status();
    assert!(made.expect("a program that can be run").success(), "mosquitto_passwd failed");
}

/// Two ports that nobody listens on.
fn free_ports() -> (u16, u16) {
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    let [first, second] = listeners.map(|listener| listener.local_addr().expect("a bound socket").port());
    (first, second)
}
