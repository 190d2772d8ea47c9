//! The broker between load and subjects: Mosquitto where it is installed, otherwise the embedded one.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use tempfile::NamedTempFile;

pub struct Broker {
    port: u16,
    running: Running,
}

enum Running {
    Mosquitto {
        child: Child,
        _configuration: NamedTempFile,
    },
    #[cfg(feature = "embedded-broker")]
    Embedded {
        _broker: hushgate::shell::broker::EmbeddedBroker,
    },
}

impl Broker {
    pub fn start() -> Broker {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port();
        let mut configuration = NamedTempFile::new().expect("a temporary file");
        let text = format!(
            "user root\nlistener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\nmax_queued_messages 0\n\
             max_inflight_messages 1000\nlog_dest stderr\npersistence false\n"
        );
        configuration.write_all(text.as_bytes()).expect("a writable temporary file");
        let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin";
        let spawned = Command::new("mosquitto")
            .env("PATH", path)
            .arg("-c")
            .arg(configuration.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let Ok(mut child) = spawned else { return Broker::embedded() };
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        assert!(lines.by_ref().map_while(Result::ok).any(|line| line.ends_with(" running")), "mosquitto did not start");
        // Somebody must read on, or a full pipe stops the broker.
        std::thread::spawn(move || lines.for_each(drop));
        Broker { port, running: Running::Mosquitto { child, _configuration: configuration } }
    }

    #[cfg(feature = "embedded-broker")]
    fn embedded() -> Broker {
        println!("mosquitto is not installed: measuring through the embedded broker, which costs more itself");
        let broker = hushgate::shell::broker::EmbeddedBroker::start(([127, 0, 0, 1], 0).into()).expect("a broker");
        Broker { port: broker.address().port(), running: Running::Embedded { _broker: broker } }
    }

    #[cfg(not(feature = "embedded-broker"))]
    #[expect(clippy::panic, reason = "there is nothing to measure with")]
    fn embedded() -> Broker {
        panic!("mosquitto is not installed, and this build has no embedded broker: install one or build with the other")
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn name(&self) -> &'static str {
        match &self.running {
            Running::Mosquitto { .. } => "Mosquitto",
            #[cfg(feature = "embedded-broker")]
            Running::Embedded { .. } => "the embedded broker",
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        match &mut self.running {
            Running::Mosquitto { child, .. } => {
                child.kill().expect("our own child");
                child.wait().expect("our own child");
            }
            #[cfg(feature = "embedded-broker")]
            Running::Embedded { .. } => {}
        }
    }
}
