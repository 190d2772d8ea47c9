//! What stands behind one evaluation: the engine with every word, and the call that the words speak to.
//!
//! There is one engine for all policies. It keeps nothing of an evaluation: that lives in the `Call`.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::rc::Rc;

use rhai::{Dynamic, Engine, NativeCallContext};

use super::catalog::Catalog;
use super::reaction::{Stated, WISHES_MAX, Wish};
use super::{View, values, words};
use crate::model::decision::FactRead;
use crate::script::operators::{Outcome, fail};
use crate::script::sandbox::{self, Meter, Stopwatch};

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

/// The engine with every word, shared by all policies of a set.
pub(super) struct Host {
    pub engine: Engine,
    pub meter: Rc<Meter>,
    pub current: Current,
    pub catalog: Rc<Catalog>,
    /// Every word that a script can say, and with how many values.
    pub vocabulary: BTreeMap<String, BTreeSet<usize>>,
}

impl fmt::Debug for Host {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Host").field("catalog", &self.catalog).finish_non_exhaustive()
    }
}

impl Host {
    pub(super) fn new(catalog: &Catalog, stopwatch: Option<Stopwatch>) -> Host {
        let meter = Rc::new(Meter::new(stopwatch));
        let mut engine = sandbox::engine(&meter);
        values::register(&mut engine, &meter);
        words::register(&mut engine, &meter);
        resolve_constants(&mut engine);
        let current = Current::default();
        engine.set_default_tag(Dynamic::from(current.clone()));
        let vocabulary = vocabulary(&engine);
        Host { engine, meter, current, catalog: Rc::new(catalog.clone()), vocabulary }
    }
}

/// The registered words by name. Operators and fields are none.
fn vocabulary(engine: &Engine) -> BTreeMap<String, BTreeSet<usize>> {
    let words =
        engine.collect_fn_metadata(None, |info| Some((info.metadata.name.to_string(), info.metadata.num_params)), true);
    let mut vocabulary: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    for (name, parameters) in words.into_iter().filter(|(name, _)| rhai::is_valid_identifier(name)) {
        vocabulary.entry(name).or_default().insert(parameters);
    }
    // Called by `${…}` in a text; owners say `to_text`.
    vocabulary.remove("to_string");
    vocabulary
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

    fn of(tag: &Dynamic) -> Option<Rc<Call>> {
        tag.read_lock::<Current>().and_then(|current| current.0.borrow().clone())
    }
}

/// Makes the header's constants visible in every function and closure by their bare names.
fn resolve_constants(engine: &mut Engine) {
    #[expect(
        deprecated,
        reason = "the method is marked so because it may change between versions, not because it goes"
    )]
    engine.on_var(|name, index, context| {
        // A variable with an index is local. No local name hides a constant: `check` refuses that.
        if index > 0 {
            return Ok(None);
        }
        Ok(Current::of(context.tag()).and_then(|call| call.profile.constants.get(name).cloned()))
    });
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
