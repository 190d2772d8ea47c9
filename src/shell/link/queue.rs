//! Messages that wait because the broker has no room for them now: two bounded lanes, forwards first.
//!
//! A full lane refuses the newest message; nothing in it is ever pushed out by another.

use std::collections::VecDeque;

use tokio::time::Instant;

use super::{Lane, Undelivered};
use crate::model::message::Message;

/// What one lane holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) messages_max: usize,
    /// Payload bytes.
    pub(super) bytes_max: usize,
}

/// Commands that wait together are old before they go.
pub(super) const FORWARDS: Bounds = Bounds { messages_max: 4_096, bytes_max: 8 * 1024 * 1024 };
/// A start mirrors all that is announced at once: as many entities as discovery takes, with a record and a message each.
pub(super) const PUBLICATIONS: Bounds = Bounds { messages_max: 16_384, bytes_max: 48 * 1024 * 1024 };

#[derive(Debug)]
struct Waiting {
    message: Message,
    since: Instant,
}

#[derive(Debug, Default)]
struct LaneQueue {
    waiting: VecDeque<Waiting>,
    bytes: usize,
}

/// Both lanes.
#[derive(Debug, Default)]
pub(super) struct Queue {
    forwards: LaneQueue,
    publications: LaneQueue,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.forwards.waiting.len() + self.publications.waiting.len()
    }

    /// Whether a new message of this lane can go ahead of everything that waits.
    pub(super) fn lets_pass(&self, lane: Lane) -> bool {
        let forwards = self.forwards.waiting.is_empty();
        match lane {
            Lane::Forward => forwards,
            Lane::Publication => forwards && self.publications.waiting.is_empty(),
        }
    }

    pub(super) fn push(&mut self, lane: Lane, message: Message, now: Instant) -> Result<(), Undelivered> {
        let (queue, bounds) = match lane {
            Lane::Forward => (&mut self.forwards, FORWARDS),
            Lane::Publication => (&mut self.publications, PUBLICATIONS),
        };
        let bytes = queue.bytes.saturating_add(message.payload.len());
        let reason = if queue.waiting.len() >= bounds.messages_max {
            format!("the broker is too slow: {} messages wait already", bounds.messages_max)
        } else if bytes > bounds.bytes_max {
            format!("the broker is too slow: {} bytes wait already", queue.bytes)
        } else {
            queue.bytes = bytes;
            queue.waiting.push_back(Waiting { message, since: now });
            return Ok(());
        };
        Err(Undelivered { lane, topic: message.topic, reason })
    }

    /// The next message, with what is left of its expiry. `Err`: it has expired here.
    pub(super) fn pop(&mut self, now: Instant) -> Option<(Lane, Result<Message, Undelivered>)> {
        let (lane, queue) = if self.forwards.waiting.is_empty() {
            (Lane::Publication, &mut self.publications)
        } else {
            (Lane::Forward, &mut self.forwards)
        };
        let Waiting { mut message, since } = queue.waiting.pop_front()?;
        queue.bytes = queue.bytes.saturating_sub(message.payload.len());
        if let Some(expiry_s) = message.expiry_s {
            // Rounded up, so that a command never lives longer than it was given.
            let waited = now.saturating_duration_since(since);
            let waited_s = waited.as_secs() + u64::from(waited.subsec_nanos() > 0);
            let left_s = u64::from(expiry_s).saturating_sub(waited_s);
            match u32::try_from(left_s) {
                Ok(left_s) if left_s > 0 => message.expiry_s = Some(left_s),
                _ => {
                    let reason = format!("it expired after {expiry_s} s, waiting for the broker");
                    return Some((lane, Err(Undelivered { lane, topic: message.topic, reason })));
                }
            }
        }
        Some((lane, Ok(message)))
    }

    /// Everything that waits, as not delivered.
    pub(super) fn drain(self, reason: &str) -> impl Iterator<Item = Undelivered> {
        let of = move |lane, queue: LaneQueue| {
            let reason = format!("not sent: {reason}");
            queue.waiting.into_iter().map(move |waiting| Undelivered {
                lane,
                topic: waiting.message.topic,
                reason: reason.clone(),
            })
        };
        of(Lane::Forward, self.forwards).chain(of(Lane::Publication, self.publications))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn forwards_go_first_and_each_lane_keeps_its_order() {
        let (mut queue, now) = (Queue::default(), tokio_now().await);
        for (lane, topic) in
            [(Lane::Publication, "p1"), (Lane::Forward, "f1"), (Lane::Publication, "p2"), (Lane::Forward, "f2")]
        {
            queue.push(lane, Message::live(topic, "x"), now).unwrap();
        }
        assert!(!queue.lets_pass(Lane::Forward) && !queue.lets_pass(Lane::Publication));
        let order: Vec<String> =
            std::iter::from_fn(|| queue.pop(now)).map(|(_, message)| message.unwrap().topic).collect();
        assert_eq!(order, ["f1", "f2", "p1", "p2"]);
        assert!(queue.lets_pass(Lane::Forward) && queue.lets_pass(Lane::Publication));
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_lane_refuses_the_newest_and_leaves_the_other_lane_alone() {
        let now = tokio_now().await;
        for (lane, other, bounds) in
            [(Lane::Publication, Lane::Forward, PUBLICATIONS), (Lane::Forward, Lane::Publication, FORWARDS)]
        {
            let mut queue = Queue::default();
            for _ in 0..bounds.messages_max {
                queue.push(lane, Message::live("p", "x"), now).unwrap();
            }
            let refused = queue.push(lane, Message::live("late", "x"), now).unwrap_err();
            assert_eq!(refused.topic, "late");
            let expected = format!("the broker is too slow: {} messages wait already", bounds.messages_max);
            assert_eq!(refused.reason, expected);
            assert_eq!(queue.push(other, Message::live("f", "x"), now), Ok(()));
            assert_eq!(queue.len(), bounds.messages_max + 1);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_bytes_of_a_lane_are_bounded_and_given_back() {
        let now = tokio_now().await;
        for (lane, bounds) in [(Lane::Forward, FORWARDS), (Lane::Publication, PUBLICATIONS)] {
            let mut queue = Queue::default();
            let half = vec![0_u8; bounds.bytes_max / 2];
            queue.push(lane, Message::live("a", half.clone()), now).unwrap();
            queue.push(lane, Message::live("b", half.clone()), now).unwrap();
            let refused = queue.push(lane, Message::live("c", "x"), now).unwrap_err();
            let expected = format!("the broker is too slow: {} bytes wait already", bounds.bytes_max);
            assert_eq!(refused.reason, expected);
            queue.pop(now).unwrap().1.unwrap();
            assert_eq!(queue.push(lane, Message::live("c", "x"), now), Ok(()));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_uses_up_the_expiry() {
        for (waited_ms, expected) in [(0, Ok(Some(10))), (2_500, Ok(Some(7))), (9_000, Ok(Some(1))), (9_001, Err(()))] {
            let (mut queue, now) = (Queue::default(), tokio_now().await);
            let command = Message { expiry_s: Some(10), ..Message::live("lock/set", "UNLOCK") };
            queue.push(Lane::Forward, command, now).unwrap();
            let (_, seen) = queue.pop(now + Duration::from_millis(waited_ms)).unwrap();
            let seen = seen.map(|message| message.expiry_s).map_err(|undelivered| {
                assert_eq!(undelivered.reason, "it expired after 10 s, waiting for the broker");
            });
            assert_eq!(seen, expected, "after {waited_ms} ms");
        }
    }

    #[expect(clippy::disallowed_methods, reason = "a start for the test; it is paused")]
    async fn tokio_now() -> Instant {
        Instant::now()
    }
}
