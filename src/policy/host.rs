//! The engine with every word, shared by all policies of a set.
//!
//! It keeps nothing of an evaluation: that lives in the `Call`.

use std::fmt;
use std::rc::Rc;

use rhai::Engine;

use super::call::Call;
use super::catalog::Catalog;
use super::{values, words};
use crate::script::check::language::{Vocabulary, vocabulary};
use crate::script::current::Current;
use crate::script::sandbox::{self, Meter, Stopwatch};

/// The engine with every word, shared by all policies of a set.
pub(super) struct Host {
    pub engine: Engine,
    pub meter: Rc<Meter>,
    pub current: Current<Call>,
    pub catalog: Rc<Catalog>,
    pub vocabulary: Vocabulary,
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
        let current = Current::register(&mut engine);
        let vocabulary = vocabulary(&engine);
        Host { engine, meter, current, catalog: Rc::new(catalog.clone()), vocabulary }
    }
}
