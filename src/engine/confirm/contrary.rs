//! Who has locked the door no longer wants it opened: a command that leaves ends what waits for its opposite.
//!
//! Only what the bridge has let go counts. What is seen elsewhere could be forged, and would let a stranger take
//! questions away.

use super::groups::with_items;
use super::{Engine, Turn};
use crate::model::action::is_contrary;
use crate::model::decision::{Outcome, Settlement};
use crate::model::durable::{Item, Pending};
use crate::model::message::Command;
use crate::model::request::{Held, Request};

impl Engine {
    /// A command has left by the decision `by`.
    pub(in crate::engine) fn cancel_contrary(
        &mut self,
        turn: &mut Turn<'_>,
        request: &Request,
        command: &Command,
        by: &str,
    ) {
        if self.world.borrow().durable.pendings.is_empty() {
            return;
        }
        let goes_against = |item: &Item| {
            is_contrary(&request.action, &item.arrival.request.action) && is_same_target(request, command, item)
        };
        let concerned = |pending: &&Pending| pending.items().any(goes_against);
        let pendings: Vec<Pending> = self.world.borrow().durable.pendings.values().filter(concerned).cloned().collect();
        let reason = format!("cancelled: the contrary `{}` on the same target was allowed by `{by}`", request.action);
        for pending in pendings {
            let (ended, left): (Vec<Item>, Vec<Item>) = pending.items().cloned().partition(goes_against);
            self.shrink(turn, &pending, left);
            for item in ended {
                let settlement = Settlement { pending: item.id.clone(), outcome: Outcome::Cancelled, channel: None };
                self.refuse_item(turn, item, reason.clone(), settlement);
            }
        }
    }

    /// Some requests of a question ended. A yes to the longer list is a yes to the shorter one, so the tokens stand.
    fn shrink(&mut self, turn: &mut Turn<'_>, pending: &Pending, left: Vec<Item>) {
        let Some(pending) = with_items(pending.clone(), left) else {
            self.close(turn, pending, Outcome::Cancelled);
            return;
        };
        self.show(turn, pending.clone());
        self.prompt(turn, &pending);
    }
}

/// The target by its name; where neither has one, the topic.
fn is_same_target(request: &Request, command: &Command, item: &Item) -> bool {
    match (&request.target, &item.arrival.request.target, &item.arrival.held) {
        (None, None, Held::Command(held)) => held.topic == command.topic,
        (None, ..) => false,
        (one, other, _) => one == other,
    }
}
