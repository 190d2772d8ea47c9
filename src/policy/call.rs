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

/// The evaluation under way; one at a time. The engine carries it to the words as its tag.
#[derive(Debug, Clone, Default)]
pub(super) struct Current(Rc<RefCell<Option<Rc<Call>>>>);

impl Current {
    /// Runs `evaluate` with this call as the one that the words speak to.
    pub(super) fn during<T>(&self, call: &Rc<Call>, evaluate: impl FnOnce() -> T) -> T {
        *self.0.borrow_mut() = Some(Rc::clone(call));
        let result = evaluate();
        *self.0.borrow_mut() = None;
        result
    }

    /// The evaluation that an engine's tag stands for.
    pub(super) fn of(tag: &Dynamic) -> Option<Rc<Call>> {
        tag.read_lock::<Current>().and_then(|current| current.0.borrow().clone())
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

/// The call that a word is said in. At load, when the header is read, there is none.
pub(super) fn call_of(context: &NativeCallContext) -> Outcome<Rc<Call>> {
    match context.tag().and_then(Current::of) {
        Some(call) => Ok(call),
        None => fail(format!("`{}` can be used inside functions only, not in the header", context.fn_name())),
    }
}
