//! Home Assistant as a process: a folder of its own, a port, its log, and its start, stop and end.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::installed::Installed;
use crate::rest::Rest;

/// How long a cold start may take on a busy machine.
const START_WITHIN: Duration = Duration::from_secs(180);
/// How long it may take until an entity is as it should be.
const STATE_WITHIN: Duration = Duration::from_secs(40);
/// How long it may take to write down what it knows and end.
const STOP_WITHIN: Duration = Duration::from_secs(60);
/// Between two questions where nothing tells that the answer has changed.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(100);
/// How much of its log a failed case shows.
const LOG_LINES_SHOWN: usize = 60;

/// A Home Assistant, running or stopped. It is killed when the value is dropped.
pub struct HomeAssistant {
    python: PathBuf,
    config: PathBuf,
    port: u16,
    running: Option<Running>,
    log: Vec<String>,
    /// Logged in as the owner of the phone once it runs.
    pub rest: Rest,
}

struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl HomeAssistant {
    /// One whose configuration lies in a folder; it is not started yet.
    pub fn new(installed: &Installed, config: &Path, port: u16) -> HomeAssistant {
        HomeAssistant {
            python: installed.python(),
            config: config.to_owned(),
            port,
            running: None,
            log: Vec::new(),
            rest: Rest::nobody(port),
        }
    }

    /// Starts it, and waits until it answers; it may not have loaded everything yet.
    pub fn start(&mut self) {
        assert!(self.running.is_none(), "it runs already");
        let mut child = Command::new(&self.python)
            .args(["-m", "homeassistant", "--skip-pip", "--log-no-color", "--config"])
            .arg(&self.config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a program that can be run");
        let lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let (tell, told) = channel();
        // It ends with the pipe, so with Home Assistant.
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| tell.send(line)));
        self.running = Some(Running { child, lines: told });
        self.rest = Rest::nobody(self.port);
        let began = Instant::now();
        while self.rest.try_get("/api/onboarding").is_err() {
            assert!(began.elapsed() < START_WITHIN, "Home Assistant does not answer");
            self.pause();
        }
    }

    /// Starts it, logs in, and waits until everything is loaded.
    pub fn start_as(&mut self, refresh_token: &str) {
        self.start();
        self.login(refresh_token);
        self.wait_until_running();
    }

    /// From now on everything is done in the name of the person whose lasting token this is.
    pub fn login(&mut self, refresh_token: &str) {
        self.rest = self.rest.login(refresh_token);
    }

    pub fn wait_until_running(&mut self) {
        let began = Instant::now();
        while self.rest.get("/api/config")["state"] != "RUNNING" {
            assert!(began.elapsed() < START_WITHIN, "Home Assistant does not come to the end of its start");
            self.pause();
        }
    }

    /// Waits until the MQTT integration is loaded; changed options load it anew.
    pub fn expect_mqtt_loaded(&mut self) {
        let began = Instant::now();
        while self.rest.mqtt_entry()["state"] != "loaded" {
            assert!(began.elapsed() < STATE_WITHIN, "MQTT is not loaded: {}", self.rest.mqtt_entry());
            self.pause();
        }
    }

    /// Waits until an entity's state is as wanted, and gives it back.
    pub fn expect_state(&mut self, id: &str, wanted: &str) -> Value {
        self.expect_entity(id, &format!("in the state {wanted}"), |entity| entity["state"] == wanted)
    }

    /// Waits until an entity is there and as wanted, and gives it back.
    pub fn expect_entity(&mut self, id: &str, how: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let found = self.rest.entity(id);
            if let Some(entity) = found.as_ref().filter(|entity| wanted(entity)) {
                return entity.clone();
            }
            let ids = || self.entities("");
            assert!(began.elapsed() < STATE_WITHIN, "{id} is not {how}: {found:?}\nthere are {:?}", ids());
            self.pause();
        }
    }

    /// Waits until an entity is gone.
    pub fn expect_gone(&mut self, id: &str) {
        let began = Instant::now();
        while let Some(entity) = self.rest.entity(id) {
            assert!(began.elapsed() < STATE_WITHIN, "{id} is still there: {entity}");
            self.pause();
        }
    }

    /// The ids of all entities that begin so, sorted.
    pub fn entities(&self, prefix: &str) -> Vec<String> {
        let all = self.rest.get("/api/states");
        let ids = all.as_array().expect("a list").iter().filter_map(|entity| entity["entity_id"].as_str());
        let mut ids: Vec<String> = ids.filter(|id| id.starts_with(prefix)).map(ToOwned::to_owned).collect();
        ids.sort();
        ids
    }

    /// Ends it in good order: what it knows is written down.
    pub fn stop(&mut self) {
        let Some(mut running) = self.running.take() else { return };
        let sent = Command::new("kill").arg("-TERM").arg(running.child.id().to_string()).status();
        assert!(sent.expect("`kill` is everywhere").success(), "Home Assistant is gone already");
        let deadline = Instant::now() + STOP_WITHIN;
        loop {
            match running.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => self.log.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("Home Assistant did not stop:\n{}", self.log.join("\n")),
            }
        }
        running.child.wait().expect("our own child");
    }

    /// One of the files in which it keeps what it knows. Read it while it is stopped: it writes with a delay.
    pub fn stored(&self, name: &str) -> Value {
        let file = self.config.join(".storage").join(name);
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        serde_json::from_str(&text).expect("JSON")
    }

    /// Waits a little, or less where it writes to its log; fails where it has ended.
    fn pause(&mut self) {
        let running = self.running.as_ref().expect("it was started");
        match running.lines.recv_timeout(ASK_AGAIN_AFTER) {
            Ok(line) => self.log.push(line),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => panic!("Home Assistant ended:\n{}", self.log.join("\n")),
        }
    }
}

impl Drop for HomeAssistant {
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            self.log.extend(running.lines.try_iter());
        }
        if let Some(mut running) = self.running.take() {
            // It may have ended already, and then both say so.
            let _ = running.child.kill().and_then(|()| running.child.wait());
        }
        if std::thread::panicking() {
            // Its traces of Python would fill the screen, and say the same each time.
            let heads: Vec<&String> = self.log.iter().filter(|line| line.starts_with("20")).collect();
            eprintln!("the end of Home Assistant's log:");
            heads.iter().skip(heads.len().saturating_sub(LOG_LINES_SHOWN)).for_each(|line| eprintln!("{line}"));
        }
    }
}
