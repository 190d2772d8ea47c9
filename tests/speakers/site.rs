//! A house of Rhasspy satellites: `hermes_site.py` as a process, its orders and what happens in it.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use serde_json::{Value, json};

use crate::broker::Broker;
use crate::client::PATIENCE;
use crate::installed;

/// Where the skill of the site listens for intents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Skill {
    /// On Hermes' own topics.
    Direct,
    /// Behind the bridge.
    Gated,
}

/// A running site. It ends when it is dropped.
pub struct Site {
    child: Child,
    orders: ChildStdin,
    happened: Receiver<Value>,
    /// Happened, and not yet asked for.
    waiting: VecDeque<Value>,
    marks: u32,
}

impl Site {
    /// Satellites in these rooms; they are connected and listen.
    pub fn start(broker: &Broker, rooms: &[&str], skill: Skill) -> Site {
        let python = installed::python().expect("left out otherwise");
        let mut command = Command::new(python);
        command.arg("-u").arg(installed::program("hermes_site.py")).arg("--port").arg(broker.port().to_string());
        command.args(rooms.iter().flat_map(|room| ["--site", room]));
        if skill == Skill::Gated {
            command.arg("--gated");
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a Python that runs");
        let (orders, told) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
        let (tell, happened) = channel();
        // It ends with the pipe, so with the site.
        std::thread::spawn(move || {
            let lines = BufReader::new(told).lines().map_while(Result::ok);
            lines
                .map(|line| serde_json::from_str(&line).expect("a line of JSON"))
                .try_for_each(|event| tell.send(event))
        });
        let mut site = Site { child, orders, happened, waiting: VecDeque::new(), marks: 0 };
        site.expect("connected", |_| true);
        site.settle();
        site
    }

    /// Somebody, or the television, says the wake word in a room.
    pub fn wake(&mut self, room: &str) {
        self.order(&json!({"do": "wake", "site": room}));
    }

    /// Somebody talks in a room, and is understood this well.
    pub fn talk(&mut self, room: &str, text: &str, likelihood: f64) {
        self.order(&json!({"do": "talk", "site": room, "text": text, "likelihood": likelihood}));
    }

    /// What a sentence means.
    pub fn teach(&mut self, text: &str, intent: &str, slots: &Value) {
        self.order(&json!({"do": "teach", "text": text, "intent": intent, "slots": slots}));
    }

    /// How a room speaks from now on: `works`, `fails`, `hangs`.
    pub fn speech(&mut self, room: &str, state: &str) {
        self.order(&json!({"do": "speech", "site": room, "state": state}));
    }

    /// Waits until all has come by that was sent to the site before.
    pub fn settle(&mut self) {
        self.marks += 1;
        let mark = self.marks.to_string();
        self.order(&json!({"do": "sync", "mark": mark}));
        self.expect("synced", |event| event["mark"] == mark.as_str());
    }

    fn order(&mut self, order: &Value) {
        writeln!(self.orders, "{order}").and_then(|()| self.orders.flush()).expect("a running site");
    }

    /// The next event of a name that is as wanted. Others stay for later calls.
    pub fn expect(&mut self, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let fits = |event: &Value| event["event"] == name && wanted(event);
        if let Some(index) = self.waiting.iter().position(fits) {
            return self.waiting.remove(index).expect("a position that was just found");
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.happened.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(event) if fits(&event) => return event,
                Ok(event) => self.waiting.push_back(event),
                Err(error) => panic!("no `{name}` ({error}); this happened: {:#?}", self.waiting),
            }
        }
    }

    /// The next event of a name in a room.
    pub fn expect_in(&mut self, room: &str, name: &str) -> Value {
        self.expect(name, |event| event["site"] == room)
    }

    /// Waits until the ears of a room are as told last: `hotword` or `asr`.
    pub fn expect_ears(&mut self, room: &str, ears: &str, on: bool) {
        self.expect("ears", |event| event["site"] == room && event["ears"] == ears && event["on"] == on);
    }

    /// What has happened under a name so far and was not asked for. Call it only after something that comes later.
    pub fn happened(&self, name: &str) -> Vec<&Value> {
        self.waiting.iter().filter(|event| event["event"] == name).collect()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // It may have ended already, and then both say so.
        if self.child.kill().is_ok() {
            let _ = self.child.wait();
        }
    }
}
