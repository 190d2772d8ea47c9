//! The evaluation under way: what the words of a script speak to, and where bare names find the script's constants.
//!
//! The engine carries it to the words as its tag. One evaluation happens at a time.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

use rhai::{Dynamic, Engine, NativeCallContext};

use super::operators::{Outcome, fail};

/// What a script speaks to while it runs.
pub trait Surroundings: 'static {
    /// A constant of the script's header.
    fn constant(&self, name: &str) -> Option<Dynamic>;
}

/// The evaluation under way, if there is one.
pub struct Current<T>(Rc<RefCell<Option<Rc<T>>>>);

impl<T> Clone for Current<T> {
    fn clone(&self) -> Current<T> {
        Current(Rc::clone(&self.0))
    }
}

impl<T> fmt::Debug for Current<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Current").field("is_under_way", &self.0.borrow().is_some()).finish()
    }
}

impl<T: Surroundings> Current<T> {
    /// Lets an engine's words find the evaluation under way, and its scripts their constants by bare names.
    pub fn register(engine: &mut Engine) -> Current<T> {
        let current = Current(Rc::default());
        engine.set_default_tag(Dynamic::from(current.clone()));
        #[expect(
            deprecated,
            reason = "the method is marked so because it may change between versions, not because it goes"
        )]
        engine.on_var(|name, index, context| {
            // A variable with an index is local. No local name hides a constant: `check` refuses that.
            if index > 0 {
                return Ok(None);
            }
            Ok(Current::<T>::of(context.tag()).and_then(|surroundings| surroundings.constant(name)))
        });
        current
    }

    /// Runs `evaluate` with these surroundings as those that the words speak to.
    pub fn during<R>(&self, surroundings: &Rc<T>, evaluate: impl FnOnce() -> R) -> R {
        *self.0.borrow_mut() = Some(Rc::clone(surroundings));
        let result = evaluate();
        *self.0.borrow_mut() = None;
        result
    }

    /// What a word is said in. There is none where the header of a policy is read.
    ///
    /// # Errors
    /// There is none.
    pub fn of_word(context: &NativeCallContext) -> Outcome<Rc<T>> {
        match context.tag().and_then(Current::of) {
            Some(surroundings) => Ok(surroundings),
            None => fail(format!("`{}` can be used inside functions only, not in the header", context.fn_name())),
        }
    }

    fn of(tag: &Dynamic) -> Option<Rc<T>> {
        tag.read_lock::<Current<T>>().and_then(|current| current.0.borrow().clone())
    }
}
