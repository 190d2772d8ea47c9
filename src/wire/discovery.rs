//! Discovery: what devices announce to Home Assistant is learned, guarded, and mirrored.

use super::{Decoded, Wire};
use crate::model::event::{Event, Refusal};
use crate::model::message::Message;

impl Wire {
    pub(super) fn decode_discovery(&mut self, message: &Message) -> Decoded {
        let lesson = self.registry.learn(message);
        let repairs = self.mirror_lesson(message, &lesson);
        let refusal = lesson.refused.map(|reason| Refusal { topic: message.topic.clone(), reason, reply: None });
        let guards = lesson.guards.into_iter().map(|(topic, guard)| Event::Guard { topic, guard });
        Decoded { events: guards.chain(refusal.map(Event::Refused)).collect(), repairs, ..Decoded::default() }
    }
}
