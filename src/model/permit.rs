//! The right to forward one command, once.
//!
//! A forwarded command can be made only from a `Permit`, and only the engine grants one (`tests/layers.rs` holds
//! that). It can be neither copied nor stored: what is restored after a crash is judged again.

use bytes::Bytes;

use super::message::{Command, Message};

/// The right to send one command to its device.
#[derive(Debug, PartialEq, Eq)]
pub struct Permit {
    command: Command,
    decision: String,
    needs_record: bool,
}

impl Permit {
    /// Grants the right. Called by `src/engine/` alone.
    ///
    /// `needs_record`: it may leave only if the record of its decision is in the journal.
    pub(crate) fn grant(command: Command, decision: &str, needs_record: bool) -> Permit {
        Permit { command, decision: decision.to_owned(), needs_record }
    }

    /// Whether it may leave only if the record of its decision is in the journal: it is sensitive, and not of the floor.
    pub fn needs_record(&self) -> bool {
        self.needs_record
    }

    /// The decision that allowed it.
    pub fn decision(&self) -> &str {
        &self.decision
    }

    /// The device's topic.
    pub fn topic(&self) -> &str {
        &self.command.topic
    }

    /// What the device is sent.
    pub fn payload(&self) -> &Bytes {
        &self.command.payload
    }

    /// Uses the right up. The message is never retained: a stored command would act again at the next restart.
    pub fn into_message(self) -> Message {
        Message {
            topic: self.command.topic,
            payload: self.command.payload,
            qos: self.command.qos,
            retain: false,
            expiry_s: self.command.expiry_s,
            reply: None,
        }
    }
}
