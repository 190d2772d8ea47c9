//! One open connection: bytes between the socket and the session.
//!
//! Everything ready is read and answered first, then written at once. Each step can be cancelled without loss.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Interval, MissedTickBehavior};

use super::session::{Lost, OUTPUT_BYTES_MAX, Session, TICK_MS};
use super::{LinkEvent, Undelivered, codec};

/// Packets that are read before what they caused is written. It bounds how long the first answer waits for the last.
const BATCH_PACKETS_MAX: usize = 16;
/// Bytes that are taken from the system for what is read. Messages are parts of it, and it goes with the last of them.
const BUFFER_BYTES: usize = 32 * 1024;
/// Bytes that one read has room for at least. Most messages are far shorter, so many share one buffer.
const READ_BYTES_MIN: usize = 4 * 1024;

/// A byte stream to the broker, with TLS or without.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

pub(super) struct Connection {
    stream: Box<dyn Stream>,
    session: Session,
    input: BytesMut,
    interval: Interval,
    /// Packets read since the last write.
    batch: usize,
    /// Bytes were written that a buffering stream (TLS) may still hold.
    needs_flush: bool,
}

impl Connection {
    pub(super) fn new(stream: Box<dyn Stream>, input: BytesMut, session: Session) -> Connection {
        let mut interval = tokio::time::interval(Duration::from_millis(TICK_MS));
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first tick of an interval comes at once.
        interval.reset();
        Connection { stream, session, input, interval, batch: 0, needs_flush: false }
    }

    pub(super) fn session(&self) -> &Session {
        &self.session
    }

    pub(super) fn session_mut(&mut self) -> &mut Session {
        &mut self.session
    }

    pub(super) fn abandon(self, reason: &str) -> Vec<Undelivered> {
        self.session.abandon(reason)
    }

    /// Does the next thing: reads one packet, or waits for the socket.
    pub(super) async fn step(&mut self, events: &mut VecDeque<LinkEvent>) -> Result<(), Lost> {
        if self.batch < BATCH_PACKETS_MAX
            && let Some(packet) = codec::take_packet(&mut self.input)?
        {
            self.batch += 1;
            return self.session.receive(packet, events);
        }
        poll_fn(|context| self.poll_io(context, events)).await
    }

    fn poll_io(&mut self, context: &mut Context<'_>, events: &mut VecDeque<LinkEvent>) -> Poll<Result<(), Lost>> {
        loop {
            let written = self.poll_write(context).map_err(broken)?;
            if !self.session.refill(events) || written.is_pending() {
                break;
            }
        }
        let is_full = std::mem::take(&mut self.batch) >= BATCH_PACKETS_MAX;
        if is_full || !events.is_empty() {
            return Poll::Ready(Ok(()));
        }
        if self.interval.poll_tick(context).is_ready() {
            return Poll::Ready(self.session.tick());
        }
        // A broker that takes nothing is sent no more acknowledgements, so nothing more is read from it.
        if self.session.output().len() < OUTPUT_BYTES_MAX {
            if self.input.capacity() - self.input.len() < READ_BYTES_MIN {
                self.input.reserve(BUFFER_BYTES);
            }
            let read = ready!(pin!(self.stream.read_buf(&mut self.input)).poll(context)).map_err(broken)?;
            if read == 0 {
                return Poll::Ready(Err(Lost::Broken("the broker closed the connection".to_owned())));
            }
            return Poll::Ready(Ok(()));
        }
        Poll::Pending
    }

    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.session.output().is_empty() {
            let bytes = ready!(Pin::new(&mut self.stream).poll_write(context, self.session.output()))?;
            if bytes == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.session.wrote(bytes);
            self.needs_flush = true;
        }
        if self.needs_flush {
            ready!(Pin::new(&mut self.stream).poll_flush(context))?;
            self.needs_flush = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Writes what is left and a DISCONNECT, and waits until the broker has closed its side: closing first could make
    /// the system throw away what the broker has not read yet.
    pub(super) async fn farewell(&mut self) -> io::Result<()> {
        self.session.refill(&mut VecDeque::new());
        self.session.disconnect();
        poll_fn(|context| self.poll_write(context)).await?;
        self.stream.shutdown().await?;
        let mut unheard = VecDeque::new();
        loop {
            // Acknowledgements still count; messages come too late and are not acknowledged by anything written.
            while let Ok(Some(packet)) = codec::take_packet(&mut self.input) {
                if self.session.receive(packet, &mut unheard).is_err() {
                    return Ok(());
                }
                unheard.clear();
            }
            if self.stream.read_buf(&mut self.input).await? == 0 {
                return Ok(());
            }
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that `map_err` wants")]
fn broken(error: io::Error) -> Lost {
    Lost::Broken(format!("the connection broke: {error}"))
}
