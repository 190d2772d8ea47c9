//! One evaluation under way: what the words of a rule speak to.
//!
//! It collects what a rule says and wishes, and does nothing of it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use rhai::{Dynamic, NativeCallContext};

use super::View;
use super::catalog::Catalog;
use super::reaction::{Stated, WISHES_MAX, Wish};
use crate::model::decision::FactRead;
use crate::script::current::{Current, Surroundings};
use crate::script::operators::{Outcome, fail};

/// The functions of a policy that the bridge calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Hook {
    Request,
    Event,
    Message,
}

impl Hook {
    pub(super) const ALL: [Hook; 3] = [Hook::Request, Hook::Event, Hook::Message];

    /// The function's name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Hook::Request => "on_request",
            Hook::Event => "on_event",
            Hook::Message => "on_message",
        }
    }

    /// The constant that says what the hook is called for.
    pub(super) const fn header(self) -> &'static str {
        match self {
            Hook::Request => "ACTIONS",
            Hook::Event => "EVENTS",
            Hook::Message => "TOPICS",
        }
    }
}

/// What the words of a policy must know of it.
#[derive(Debug)]
pub(super) struct Profile {
    pub name: String,
    pub catalog: Rc<Catalog>,
    pub constants: BTreeMap<String, Dynamic>,
}

/// One evaluation under way.
#[derive(Debug)]
pub(super) struct Call {
    pub profile: Rc<Profile>,
    pub hook: Hook,
    pub view: View,
    pub state: RefCell<State>,
}

/// What an evaluation has come to so far.
#[derive(Debug, Default)]
pub(super) struct State {
    pub stated: Option<Stated>,
    pub wishes: Vec<Wish>,
    pub facts: Vec<FactRead>,
}

impl Call {
    /// Adds a wish.
    pub(super) fn wish(&self, wish: Wish) -> Outcome<()> {
        let wishes = &mut self.state.borrow_mut().wishes;
        if wishes.len() >= WISHES_MAX {
            return fail(format!("more than {WISHES_MAX} effects in one evaluation"));
        }
        wishes.push(wish);
        Ok(())
    }
}

impl Surroundings for Call {
    fn constant(&self, name: &str) -> Option<Dynamic> {
        self.profile.constants.get(name).cloned()
    }
}

/// The call that a word is said in. At load, when the header is read, there is none.
pub(super) fn call_of(context: &NativeCallContext) -> Outcome<Rc<Call>> {
    Current::of_word(context)
}
