//! The MQTT link: one connection to the broker at a time, made again when it is lost.
//!
//! It stands on the packets of `rumqttc`'s MQTT 5 module and not on its event loop: that loop sends unacknowledged
//! publishes again on a new connection, loses one when its poll is cancelled, and writes each request by itself. Here
//! nothing is ever sent twice, `next` can be cancelled at any await, and everything that is ready leaves in one write.
//!
//! The link does not judge messages and keeps none for later: what cannot be sent is reported, never silently dropped.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Sleep;

use super::files;
use crate::config::Remote;
use crate::model::message::Message;
use crate::wire::Subscription;

mod backoff;
mod codec;
mod connect;
mod connection;
mod queue;
mod session;
mod subscribe;
mod tls;

use backoff::Backoff;
use connect::ConnectError;
use connection::Connection;
use session::Lost;

/// Largest packet that the broker may send us: a payload of 1 MiB, and 64 KiB for topic and properties. It is announced
/// to the broker, so that it withholds larger ones and keeps the link.
pub const PACKET_BYTES_MAX: u32 = 1024 * 1024 + 64 * 1024;
/// How often the broker is asked for a sign of life.
pub const KEEP_ALIVE_S: u16 = 30;
/// A connection that lasted as long as this ends the series of attempts, so that the next one begins with a short delay.
pub const STABLE_MS: u64 = 10_000;
/// How long a clean farewell may take.
pub const CLOSE_TIMEOUT_MS: u64 = 2_000;
/// Why a publish is undelivered that the broker's rules forbid (reason code 0x87 of MQTT 5).
pub const NOT_AUTHORIZED: &str = "the broker refused it: not authorized";

/// What the link must know to connect.
#[derive(Clone)]
pub struct LinkSettings {
    pub broker: Remote,
    /// One per base: a second bridge with the same one takes this one's place, and is noticed.
    pub client_id: String,
    /// What the broker publishes if the connection is lost.
    pub will: Option<Message>,
    pub subscriptions: Vec<Subscription>,
}

impl fmt::Debug for LinkSettings {
    /// Names neither user nor password.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("LinkSettings")
            .field("broker", &format_args!("{}:{}", self.broker.host, self.broker.port))
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

/// Whether a message carries out a decision or only tells of one. Forwards go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    Forward,
    Publication,
}

/// A message that will not be sent, or of which nobody knows whether it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undelivered {
    pub lane: Lane,
    pub topic: String,
    pub reason: String,
}

/// What happens on the link.
#[derive(Debug, Clone, PartialEq)]
pub enum LinkEvent {
    /// All subscriptions of this connection are answered. Messages on those that were answered first can come before it.
    Connected,
    /// The connection is lost. What was not sent by then follows as `Undelivered`.
    Disconnected {
        reason: String,
    },
    /// An attempt to connect failed in a way that can pass. The next one follows by itself.
    Unreachable {
        reason: String,
        retry_ms: u64,
    },
    /// The broker, or its certificate, says no: trying again alone will not help. The link does so nevertheless.
    Refused {
        reason: String,
        help: String,
        retry_ms: u64,
    },
    /// Another client has the same identifier. The link is over and makes no further attempt; what was not sent came
    /// before this as `Undelivered`.
    TakenOver,
    Message(Message),
    /// An inbound publish whose topic is no text, or not there.
    Unreadable {
        topic: String,
        reason: String,
    },
    Undelivered(Undelivered),
    SubscriptionRefused {
        filter: String,
        reason: String,
    },
}

type Attempt = Pin<Box<dyn Future<Output = Result<Box<Connection>, ConnectError>> + Send>>;

enum State {
    Waiting(Pin<Box<Sleep>>),
    Connecting(Attempt),
    Up(Box<Connection>),
    /// Taken over.
    Over,
}

/// The connection to the broker. Messages come out of `next`, which must be awaited for anything to happen at all.
pub struct Link {
    settings: Arc<LinkSettings>,
    tls: Option<Arc<rustls::ClientConfig>>,
    state: State,
    backoff: Backoff,
    events: VecDeque<LinkEvent>,
}

impl fmt::Debug for Link {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Waiting(_) => "waiting",
            State::Connecting(_) => "connecting",
            State::Up(_) => "up",
            State::Over => "over",
        };
        formatter.debug_struct("Link").field("settings", &self.settings).field("state", &state).finish_non_exhaustive()
    }
}

/// Reads the CA file if the settings name one, and prepares the link.
///
/// # Errors
/// The CA file cannot be read or used, or the system has no authorities.
pub fn open(settings: LinkSettings, seed: u64) -> Result<Link, String> {
    let ca_file = settings.broker.tls.as_ref().and_then(|tls| tls.ca_file.as_deref());
    let ca_pem = ca_file.map(|path| files::read_bytes(path, files::SECRET_BYTES_MAX)).transpose()?;
    Link::new(settings, ca_pem.as_deref(), seed)
}

impl Link {
    /// Prepares the link; the first attempt is made by the first `next`. `ca_pem` is the content of the configured CA
    /// file, if there is one. `seed` feeds the jitter of the delays between attempts.
    ///
    /// # Errors
    /// The CA file has no usable certificate, or the system has none.
    pub fn new(settings: LinkSettings, ca_pem: Option<&[u8]>, seed: u64) -> Result<Link, String> {
        let tls = settings.broker.tls.as_ref().map(|_| tls::client_config(ca_pem)).transpose()?;
        let settings = Arc::new(settings);
        let attempt = Box::pin(connect::connect(Arc::clone(&settings), tls.clone()));
        Ok(Link {
            settings,
            tls,
            state: State::Connecting(attempt),
            backoff: Backoff::new(seed),
            events: VecDeque::new(),
        })
    }

    pub fn is_up(&self) -> bool {
        matches!(self.state, State::Up(_))
    }

    /// Messages that wait for the broker to make room.
    pub fn waiting(&self) -> usize {
        match &self.state {
            State::Up(connection) => connection.session().waiting(),
            _ => 0,
        }
    }

    /// Hands a message to the connection. It leaves with the next `next`.
    ///
    /// # Errors
    /// It cannot be sent, and will not be: there is no connection, no room, or the broker takes none of its size.
    pub fn send(&mut self, lane: Lane, message: Message) -> Result<(), Undelivered> {
        match &mut self.state {
            State::Up(connection) => connection.session_mut().publish(lane, message),
            _ => Err(Undelivered {
                lane,
                topic: message.topic,
                reason: "there is no connection to the broker".to_owned(),
            }),
        }
    }

    /// Waits until the broker has answered all that was handed over, or the connection is lost. What happens meanwhile comes
    /// out of `next`. `false`: there is no connection any more. Cancelling it loses nothing.
    pub async fn settle(&mut self) -> bool {
        loop {
            let mut seen = VecDeque::new();
            let stepped = match &mut self.state {
                State::Up(connection) if connection.session().is_settled() => return true,
                State::Up(connection) => connection.step(&mut seen).await,
                _ => return false,
            };
            self.events.append(&mut seen);
            if let Err(lost) = stepped {
                self.lost(lost);
            }
        }
    }

    /// Whether the broker acknowledges what it is sent, and so says what it refuses. `false` too without a connection.
    pub fn is_acknowledged(&self) -> bool {
        matches!(&self.state, State::Up(connection) if connection.session().has_qos_1())
    }

    /// Replaces the subscriptions, on the connection that is up and on all that follow.
    pub fn subscribe(&mut self, subscriptions: Vec<Subscription>) {
        if self.settings.subscriptions == subscriptions {
            return;
        }
        if let State::Up(connection) = &mut self.state {
            connection.session_mut().resubscribe(&self.settings.subscriptions, &subscriptions);
        }
        Arc::make_mut(&mut self.settings).subscriptions = subscriptions;
    }

    /// The next thing that happens. Cancelling it loses nothing.
    pub async fn next(&mut self) -> LinkEvent {
        loop {
            if let Some(event) = self.events.pop_front() {
                return event;
            }
            match &mut self.state {
                State::Waiting(delay) => {
                    delay.as_mut().await;
                    let attempt = connect::connect(Arc::clone(&self.settings), self.tls.clone());
                    self.state = State::Connecting(Box::pin(attempt));
                }
                State::Connecting(attempt) => match attempt.as_mut().await {
                    Ok(mut connection) => {
                        if connection.session_mut().start(&self.settings.subscriptions) {
                            self.events.push_back(LinkEvent::Connected);
                        }
                        self.state = State::Up(connection);
                    }
                    Err(error) => self.failed(error),
                },
                State::Up(connection) => {
                    if let Err(lost) = connection.step(&mut self.events).await {
                        self.lost(lost);
                    }
                }
                State::Over => std::future::pending().await,
            }
        }
    }

    fn failed(&mut self, error: ConnectError) {
        let retry_ms = self.wait();
        self.events.push_back(match error {
            ConnectError::Unreachable(reason) => LinkEvent::Unreachable { reason, retry_ms },
            ConnectError::Refused { reason, help } => LinkEvent::Refused { reason, help, retry_ms },
        });
    }

    fn lost(&mut self, lost: Lost) {
        let State::Up(connection) = std::mem::replace(&mut self.state, State::Over) else { return };
        match lost {
            Lost::TakenOver => {
                let undelivered = connection.abandon("another client took over");
                self.events.extend(undelivered.into_iter().map(LinkEvent::Undelivered));
                self.events.push_back(LinkEvent::TakenOver);
            }
            Lost::Broken(reason) => {
                if connection.session().lasted_ms() >= STABLE_MS {
                    self.backoff.reset();
                }
                self.wait();
                let undelivered = connection.abandon(&reason);
                self.events.push_back(LinkEvent::Disconnected { reason });
                self.events.extend(undelivered.into_iter().map(LinkEvent::Undelivered));
            }
        }
    }

    fn wait(&mut self) -> u64 {
        let delay_ms = self.backoff.next_delay_ms();
        self.state = State::Waiting(Box::pin(tokio::time::sleep(Duration::from_millis(delay_ms))));
        delay_ms
    }

    /// Says farewell: sends `last`, disconnects cleanly so that the will is not published, and reports what was not sent.
    pub async fn close(self, last: Vec<Message>) -> Vec<Undelivered> {
        let State::Up(mut connection) = self.state else {
            return last
                .into_iter()
                .map(|message| Undelivered {
                    lane: Lane::Publication,
                    topic: message.topic,
                    reason: "there is no connection to the broker".to_owned(),
                })
                .collect();
        };
        let mut undelivered: Vec<Undelivered> = last
            .into_iter()
            .filter_map(|message| connection.session_mut().publish(Lane::Publication, message).err())
            .collect();
        let farewell = tokio::time::timeout(Duration::from_millis(CLOSE_TIMEOUT_MS), connection.farewell()).await;
        let reason = match farewell {
            Ok(Ok(())) => "the bridge has stopped".to_owned(),
            Ok(Err(error)) => format!("the connection broke: {error}"),
            Err(_) => format!("the broker took nothing for {CLOSE_TIMEOUT_MS} ms"),
        };
        undelivered.extend(connection.abandon(&reason));
        undelivered
    }
}
