//! The engine with every word, shared by all policies of a set.
//!
//! It keeps nothing of an evaluation: that lives in the `Call`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::rc::Rc;

use rhai::{Dynamic, Engine};

use super::call::Current;
use super::catalog::Catalog;
use super::{values, words};
use crate::script::sandbox::{self, Meter, Stopwatch};

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
