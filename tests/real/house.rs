//! A house for one test: a configuration, a folder of policies, and the built bridge run with them.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Instant;

use tempfile::TempDir;

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
        let house = House { folder: Arc::new(tempfile::tempdir().expect("a temporary folder")) };
        std::fs::create_dir(house.policies()).expect("a writable temporary folder");
        let text = format!("{section}policies: \"{}\"\n{DEVICES}", house.policies().display());
        std::fs::write(house.config(), text).expect("a writable temporary folder");
        house.policy("cellar", CELLAR);
        house
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
        let config = self.config();
        let mut command = command();
        command.arg("run").arg("--config").arg(config).args(arguments).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the built program");
        let log = child.stderr.take().expect("piped");
        Bridge::reading(child, log, Arc::clone(&self.folder))
    }
}

/// The program under test.
fn binary() -> PathBuf {
    std::env::var_os("HUSHGATE_BIN").map_or_else(|| env!("CARGO_BIN_EXE_hushgate").into(), PathBuf::from)
}

fn command() -> Command {
    let mut command = Command::new(binary());
    command.env("NO_COLOR", "1").env_remove("HUSHGATE_LOG").stdin(Stdio::null());
    command
}

/// A running bridge. It is killed when the value is dropped.
pub struct Bridge {
    child: Child,
    lines: Receiver<String>,
    log: Vec<String>,
    /// Its configuration and policies: they stay as long as it runs.
    _folder: Arc<TempDir>,
}

impl Bridge {
    /// Runs `demo --stay`; its log is what it tells.
    pub fn demo_that_stays() -> Bridge {
        let folder = Arc::new(tempfile::tempdir().expect("a temporary folder"));
        let mut command = command();
        command.args(["demo", "--stay"]).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().expect("the built program");
        let told = child.stdout.take().expect("piped");
        Bridge::reading(child, told, folder)
    }

    fn reading(child: Child, log: impl Read + Send + 'static, folder: Arc<TempDir>) -> Bridge {
        let (tell, lines) = channel();
        let log = BufReader::new(log);
        // It ends with the pipe, so with the bridge.
        std::thread::spawn(move || log.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
        Bridge { child, lines, log: Vec::new(), _folder: folder }
    }

    /// Waits for a line of the log, not read before, that has all these words in it.
    pub fn expect_log(&mut self, words: &[&str]) -> String {
        let fits = |line: &String| words.iter().all(|word| line.contains(word));
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    let found = fits(&line).then(|| line.clone());
                    self.log.push(line);
                    if let Some(line) = found {
                        return line;
                    }
                }
                Err(error) => panic!("no line with {words:?} ({error}); the log:\n{}", self.log.join("\n")),
            }
        }
    }

    /// The whole log of a bridge that has ended.
    pub fn whole_log(&mut self) -> String {
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            self.log.push(line);
        }
        self.log.join("\n")
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it without warning, as a crash does.
    pub fn kill(mut self) {
        self.child.kill().expect("our own child");
        self.child.wait().expect("our own child");
    }

    /// Sends a signal by name: `TERM`, `HUP`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.id().to_string()).status();
        assert!(sent.expect("`kill` is everywhere").success(), "the bridge is gone already");
    }

    /// Waits until it ends by itself: its log is read to the end, then its status is taken.
    pub fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => self.log.push(line),
                Err(RecvTimeoutError::Disconnected) => return self.child.wait().expect("our own child"),
                Err(RecvTimeoutError::Timeout) => panic!("the bridge did not end; the log:\n{}", self.log.join("\n")),
            }
        }
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        // It may have ended already, and then both say so.
        if self.child.kill().is_ok() {
            let _ = self.child.wait();
        }
        if std::thread::panicking() {
            let rest: Vec<String> = self.lines.try_iter().collect();
            self.log.extend(rest);
            eprintln!("the bridge's log:\n{}\n", self.log.join("\n"));
        }
    }
}
