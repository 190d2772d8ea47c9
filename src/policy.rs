//! Policies: the owner's rules, each one script file, and what they say on a request, an event or a message.
//!
//! A policy looks and speaks; it does nothing. What it wishes comes back as values, which the engine may refuse. How
//! opinions become one verdict, and what an erring policy's side is, the engine decides.

mod call;
pub mod catalog;
mod check;
mod header;
mod host;
mod judge;
mod load;
mod reaction;
mod set;
mod values;
pub mod voice;
pub mod words;

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::rc::Rc;

use jiff::Zoned;

use crate::home::Home;
use crate::model::durable::Durable;
use crate::model::time::At;

pub use catalog::Catalog;
pub use header::OnError;
pub use judge::Policy;
pub use reaction::{Reaction, Stated, Wish};
pub use set::{PolicySet, check};

pub use crate::script::sandbox::Stopwatch;

/// What a rule can look at. The engine shares it and changes it between evaluations, never during one.
#[derive(Debug, Default)]
pub struct World {
    pub home: Home,
    pub durable: Durable,
    pub voice: voice::Voice,
}

/// One evaluation's circumstances.
#[derive(Debug, Clone)]
pub struct View {
    pub at: At,
    /// Civil time in the house's zone. `None`: no zone is configured, or the clock cannot be right. A rule that asks
    /// for the time then fails to its `ON_ERROR` side.
    pub civil: Option<Zoned>,
    /// Latitude and longitude in degrees, north and east positive.
    pub coordinates: Option<(f64, f64)>,
    pub world: Rc<RefCell<World>>,
}
