//! Mosquitto with rules, and clients that try what the rules say: an acknowledgement, and what others receive.

use std::cell::RefCell;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::PubAckReason;
use rumqttc::v5::{Client, Event, Incoming, MqttOptions};
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long what must come may take. Generous: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(30);
/// Tries to find a port that nobody takes between the question and the start.
const STARTS_MAX: usize = 5;
const PASSWORD: &str = "of the tests";
const ADMIN: &str = "admin";
const CONTROL: &str = "$CONTROL/dynamic-security/v1";
/// Everybody who has a password, whether the rules know him or not.
const USERS: [&str; 14] = [
    "hermes",
    "satellites",
    "greedy",
    "hushgate",
    "homeassistant",
    "zigbee2mqtt",
    "esphome",
    "devices",
    "panel",
    "button",
    "tablet",
    "echo",
    "house",
    "guest",
];

pub struct Broker {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.child.kill().expect("our own child");
        self.child.wait().expect("our own child");
    }
}

/// A broker with an `acl_file`. `None`: Mosquitto is not there, which is said.
pub fn with_file(rules: &str) -> Option<Broker> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = |name: &str| folder.path().join(name);
    std::fs::write(file("rules"), rules).expect("a writable temporary folder");
    let program = installed("mosquitto_passwd")?;
    for (index, user) in USERS.iter().enumerate() {
        let mut command = Command::new(&program);
        let command = if index == 0 { command.arg("-c") } else { &mut command };
        let made = command.arg("-b").arg(file("passwords")).args([user, PASSWORD]).status();
        assert!(made.expect("a program that can be run").success(), "mosquitto_passwd failed");
    }
    let shown = |name: &str| file(name).display().to_string();
    let section = format!("password_file {}\nacl_file {}\n", shown("passwords"), shown("rules"));
    start(folder, &section)
}

/// A broker with the plugin for dynamic security, given these commands. `None`: it is not there, which is said.
pub fn with_roles(commands: &str) -> Option<Broker> {
    let Some(plugin) = plugin() else {
        println!("left out: `mosquitto_dynamic_security.so` is not installed");
        return None;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let state = folder.path().join("roles.json");
    let made = Command::new(installed("mosquitto_ctrl")?)
        .args(["dynsec", "init"])
        .arg(&state)
        .args([ADMIN, PASSWORD])
        .stdout(Stdio::null())
        .status();
    assert!(made.expect("a program that can be run").success(), "mosquitto_ctrl failed");
    let section = format!("plugin {}\nplugin_opt_config_file {}\n", plugin.display(), state.display());
    let broker = start(folder, &section)?;
    let admin = Session::open(&broker, ADMIN);
    admin.subscribe(&format!("{CONTROL}/response"));
    let users = USERS.map(|user| json!({"command": "createClient", "username": user, "password": PASSWORD}));
    admin.control(&json!({ "commands": users }).to_string());
    // Written twice, as an owner does whose devices have changed. Users whom this house has not are no error of the rules.
    for _ in 0..2 {
        let answer = admin.control(commands);
        let failed = answer["responses"].as_array().expect("a list").iter().filter(|response| {
            response.get("error").is_some()
                && response["command"] != "createRole"
                && response["command"] != "addClientRole"
        });
        assert_eq!(failed.collect::<Vec<_>>(), Vec::<&Value>::new());
    }
    Some(broker)
}

fn start(folder: TempDir, section: &str) -> Option<Broker> {
    let program = installed("mosquitto")?;
    let file = folder.path().join("mosquitto.conf");
    for _ in 0..STARTS_MAX {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("a bound socket").port();
        drop(listener);
        let head = format!("user root\nlog_dest stderr\nset_tcp_nodelay true\nlistener {port} 127.0.0.1\n");
        std::fs::write(&file, format!("{head}allow_anonymous false\n{section}")).expect("a writable temporary folder");
        let mut child = Command::new(&program)
            .arg("-c")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a program that can be run");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        if lines.by_ref().map_while(Result::ok).any(|line| line.ends_with(" running")) {
            // Somebody must read on, or a full pipe stops the broker.
            std::thread::spawn(move || lines.for_each(drop));
            return Some(Broker { child, port, _folder: folder });
        }
        child.wait().expect("our own child");
    }
    panic!("mosquitto did not start on any of {STARTS_MAX} ports");
}

/// Tries each line of the table: a user writes and the bridge listens, or the bridge writes and the user listens.
pub fn holds(broker: &Broker, table: &[(&str, &str, &str, bool)]) {
    let mut bridge = Session::open(broker, "hushgate");
    bridge.subscribe("#");
    for (index, (user, access, topic, expected)) in table.iter().enumerate() {
        let payload = index.to_string();
        let case = format!("{user} {access} {topic}");
        let session = Session::open(broker, user);
        if *access == "write" {
            assert_eq!(session.publish(topic, &payload), *expected, "acknowledged: {case}");
            // What comes after the message tells that the message would have been there.
            assert!(bridge.publish("marker", &payload), "the bridge may write");
            let heard = bridge.received_until("marker", &payload);
            assert_eq!(heard.contains(&((*topic).to_owned(), payload)), *expected, "heard by the bridge: {case}");
        } else {
            session.subscribe(topic);
            assert!(bridge.publish(topic, &payload), "the bridge may write: {case}");
            // The broker answers in order, so what was sent to the user stands before this answer.
            session.subscribe("marker");
            assert_eq!(session.received().contains(&((*topic).to_owned(), payload)), *expected, "read: {case}");
        }
    }
}

enum Told {
    Subscribed,
    Acknowledged(bool),
    Message(String, String),
}

static SERIAL: AtomicUsize = AtomicUsize::new(0);

struct Session {
    client: Client,
    told: Receiver<Told>,
    messages: RefCell<Vec<(String, String)>>,
}

impl Session {
    fn open(broker: &Broker, user: &str) -> Session {
        let number = SERIAL.fetch_add(1, Ordering::Relaxed);
        let mut options = MqttOptions::new(format!("{user}-{number}"), "127.0.0.1", broker.port);
        options.set_credentials(user, PASSWORD);
        let mut network = options.network_options();
        network.set_tcp_nodelay(true);
        options.set_network_options(network);
        let (client, mut connection) = Client::new(options, 100);
        let (tell, told) = channel();
        std::thread::spawn(move || {
            for event in connection.iter() {
                let told = match event {
                    Ok(Event::Incoming(Incoming::SubAck(_))) => Told::Subscribed,
                    Ok(Event::Incoming(Incoming::PubAck(ack))) => {
                        Told::Acknowledged(ack.reason != PubAckReason::NotAuthorized)
                    }
                    Ok(Event::Incoming(Incoming::Publish(publish))) => Told::Message(
                        String::from_utf8_lossy(&publish.topic).into_owned(),
                        String::from_utf8_lossy(&publish.payload).into_owned(),
                    ),
                    Ok(_) => continue,
                    Err(_) => return,
                };
                if tell.send(told).is_err() {
                    return;
                }
            }
        });
        Session { client, told, messages: RefCell::default() }
    }

    /// Waits for the broker's word that it heard of the subscription.
    fn subscribe(&self, filter: &str) {
        self.client.subscribe(filter, QoS::AtLeastOnce).expect("a running client");
        self.wait(|told| matches!(told, Told::Subscribed).then_some(()));
    }

    /// Whether the broker says that the message was allowed.
    fn publish(&self, topic: &str, payload: &str) -> bool {
        self.client.publish(topic, QoS::AtLeastOnce, false, payload.to_owned()).expect("a running client");
        self.wait(|told| if let Told::Acknowledged(allowed) = told { Some(*allowed) } else { None })
    }

    /// Gives a command to the plugin, and its answer.
    fn control(&self, commands: &str) -> Value {
        self.client.publish(CONTROL, QoS::AtLeastOnce, false, commands.to_owned()).expect("a running client");
        let answer = self.wait(|told| if let Told::Message(_, payload) = told { Some(payload.clone()) } else { None });
        serde_json::from_str(&answer).expect("JSON")
    }

    fn wait<T>(&self, wanted: impl Fn(&Told) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let told = self.told.recv_timeout(deadline.saturating_duration_since(Instant::now()));
            let told = told.expect("the connection stays, and an answer comes");
            let found = wanted(&told);
            if let Told::Message(topic, payload) = told {
                self.messages.borrow_mut().push((topic, payload));
            }
            if let Some(found) = found {
                return found;
            }
        }
    }

    fn received(&self) -> Vec<(String, String)> {
        self.messages.take()
    }

    fn received_until(&mut self, topic: &str, payload: &str) -> Vec<(String, String)> {
        let last = (topic.to_owned(), payload.to_owned());
        if !self.messages.borrow().contains(&last) {
            self.wait(|told| {
                matches!(told, Told::Message(found, text) if found == topic && text == payload).then_some(())
            });
        }
        self.received()
    }
}

/// Debian keeps it out of an ordinary user's search path.
fn installed(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin"].map(PathBuf::from);
    let found =
        std::env::split_paths(&path).chain(usual).map(|folder| folder.join(program)).find(|file| file.is_file());
    if found.is_none() {
        println!("left out: `{program}` is not installed");
    }
    found
}

/// Debian has a folder for each kind of machine.
fn plugin() -> Option<PathBuf> {
    let name = "mosquitto_dynamic_security.so";
    let machines =
        ["x86_64-linux-gnu", "aarch64-linux-gnu", "arm-linux-gnueabihf"].map(|machine| format!("/usr/lib/{machine}"));
    let usual = ["/usr/lib", "/usr/lib64", "/usr/local/lib"].map(str::to_owned);
    machines.into_iter().chain(usual).map(|folder| Path::new(&folder).join(name)).find(|file| file.is_file())
}
