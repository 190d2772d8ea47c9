//! Anna's phone: what Home Assistant pushes to it, and what its app fires when a button is pressed.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

use serde_json::{Value, json};

use crate::client::PATIENCE;

/// The longest push that is read.
const PUSH_BYTES_MAX: usize = 64 * 1024;

/// A server to which pushes come, as they do to the app's maker.
pub struct Phone {
    port: u16,
    pushes: Receiver<Value>,
}

impl Phone {
    pub fn start() -> Phone {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("a bound socket").port();
        let (tell, pushes) = channel();
        // It ends with the first push after the value is gone, or with the tests.
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let Some(push) = answer(stream) else { continue };
                if tell.send(push).is_err() {
                    return;
                }
            }
        });
        Phone { port, pushes }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The next push, with its `message` and `data`.
    pub fn expect_push(&self) -> Value {
        self.pushes.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("nothing came to the phone: {error}"))
    }
}

/// Reads one push and says that it was taken, in the words of the app's maker.
fn answer(mut stream: TcpStream) -> Option<Value> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if line.trim().is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').unwrap_or_default();
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; usize::min(length, PUSH_BYTES_MAX)];
    reader.read_exact(&mut body).ok()?;
    let limits = json!({"successful": 1, "maximum": 500, "errors": 0, "resetsAt": "2030-01-01T00:00:00.000Z"});
    let text = json!({"rateLimits": limits}).to_string();
    let head = "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: ";
    write!(stream, "{head}{}\r\n\r\n{text}", text.len()).ok()?;
    serde_json::from_slice(&body).ok()
}
