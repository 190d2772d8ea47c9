//! The bounded engine: nothing that a script does lasts long, grows large or reaches outside.
//!
//! There is no clock, no file, no network, no `sleep`, `eval` or `import` in it. What a script may ask of the house is
//! registered by others on top.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

use rhai::{Array, Dynamic, Engine, INT, OptimizationLevel, Token};

use super::{operators, words};

/// Steps of one evaluation, those within closures and heavy words included. A typical rule takes 20 to 60.
pub const OPERATIONS_MAX: u64 = 10_000;
/// Functions that call each other.
pub const CALL_LEVELS_MAX: usize = 16;
/// Nesting of expressions and blocks at the top level of a script.
pub const EXPRESSION_DEPTH_MAX: usize = 48;
/// The same within functions.
pub const FUNCTION_EXPRESSION_DEPTH_MAX: usize = 24;
/// Longest text that a script can hold, in bytes; also all texts of one list together.
pub const TEXT_BYTES_MAX: usize = 8 * 1024;
/// Most items of a list, those of the lists within it included. Some words take time by its square.
pub const LIST_ITEMS_MAX: usize = 128;
/// Most fields of a map, those of the maps within it included.
pub const MAP_FIELDS_MAX: usize = 128;
/// Variables at one time.
pub const VARIABLES_MAX: usize = 64;
/// Functions of one script.
pub const FUNCTIONS_MAX: usize = 64;
/// How long an evaluation may take before it is ended, where there is a stopwatch.
pub const EVALUATION_MS_MAX: u64 = 40;
/// How often the stopwatch is read.
const STOPWATCH_EVERY_OPERATIONS: u64 = 16;

/// Milliseconds since any start; handed in by the shell. Runs without one are bounded by operations alone.
pub type Stopwatch = Rc<dyn Fn() -> u64>;

/// What the engine's language has and that of rules has not, and what to do instead.
pub const DISABLED: &[(&str, &str)] = &[
    ("eval", "write the rule out"),
    ("import", "one rule is one file"),
    ("export", "one rule is one file"),
    ("switch", "write `if … else if …`"),
    ("try", "ask first, with `has_…` and `is_known`, or give a default"),
    ("throw", "say `deny(reason)` or `confirm(question)`"),
    ("print", "say `notify(text)`"),
    ("debug", "say `notify(text)`"),
    ("Fn", "call the function by its name"),
    ("call", "call the function by its name"),
    ("curry", "call the function by its name"),
    ("is_def_var", "every name is known when the rule is loaded"),
    ("is_def_fn", "every name is known when the rule is loaded"),
    ("is_shared", "nothing is shared between rules"),
    ("type_of", "kinds are fixed; `docs/policy-language.md` names them"),
    ("this", "functions take what they need as parameters"),
    ("private", "every function belongs to its own file"),
    ("?.", "ask first, with `in`"),
    ("?[", "ask first, with `in`"),
    ("??", "give the word a default"),
];

/// Why a running script was ended from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Abort {
    Operations,
    Stopwatch,
}

impl fmt::Display for Abort {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Abort::Operations => write!(formatter, "the rule does not end: more than {OPERATIONS_MAX} steps"),
            Abort::Stopwatch => write!(formatter, "the rule takes too long: more than {EVALUATION_MS_MAX} ms"),
        }
    }
}

/// Counts what one evaluation costs. The engine's own count forgets what closures do; this one does not.
pub struct Meter {
    operations: Cell<u64>,
    started_ms: Cell<u64>,
    stopwatch: Option<Stopwatch>,
}

impl fmt::Debug for Meter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Meter").field("operations", &self.operations).finish_non_exhaustive()
    }
}

impl Meter {
    pub fn new(stopwatch: Option<Stopwatch>) -> Meter {
        Meter { operations: Cell::new(0), started_ms: Cell::new(0), stopwatch }
    }

    /// Begins a new evaluation.
    pub fn begin(&self) {
        self.operations.set(0);
        self.started_ms.set(self.stopwatch.as_ref().map_or(0, |read| read()));
    }

    /// Steps of this evaluation so far.
    pub fn operations(&self) -> u64 {
        self.operations.get()
    }

    /// Counts what a heavy word costs besides its own step. The limit takes effect at the next step.
    pub fn charge(&self, operations: u64) {
        self.operations.set(self.operations.get().saturating_add(operations));
    }

    fn step(&self) -> Option<Abort> {
        let operations = self.operations.get().saturating_add(1);
        self.operations.set(operations);
        if operations > OPERATIONS_MAX {
            return Some(Abort::Operations);
        }
        if operations.is_multiple_of(STOPWATCH_EVERY_OPERATIONS)
            && let Some(read) = &self.stopwatch
            && read().saturating_sub(self.started_ms.get()) > EVALUATION_MS_MAX
        {
            return Some(Abort::Stopwatch);
        }
        None
    }
}

/// An engine with the limits, the operators and the pure words, and nothing else.
pub fn engine(meter: &Rc<Meter>) -> Engine {
    let mut engine = Engine::new_raw();
    engine
        .set_max_call_levels(CALL_LEVELS_MAX)
        .set_max_expr_depths(EXPRESSION_DEPTH_MAX, FUNCTION_EXPRESSION_DEPTH_MAX)
        .set_max_string_size(TEXT_BYTES_MAX)
        .set_max_array_size(LIST_ITEMS_MAX)
        .set_max_map_size(MAP_FIELDS_MAX)
        .set_max_variables(VARIABLES_MAX)
        .set_max_functions(FUNCTIONS_MAX)
        .set_max_modules(0)
        .set_fail_on_invalid_map_property(true)
        // The fast operators answer before `operators` is asked.
        .set_fast_operators(false)
        // Folding would hide from `check` what the owner has written.
        .set_optimization_level(OptimizationLevel::None);
    allow_reserved_words(&mut engine);
    for (word, _) in DISABLED {
        engine.disable_symbol(*word);
    }
    let counting = Rc::clone(meter);
    engine.on_progress(move |_| counting.step().map(Dynamic::from));
    engine
        .register_iterator::<Array>()
        .register_iterator::<std::ops::Range<INT>>()
        .register_iterator::<std::ops::RangeInclusive<INT>>();
    operators::register(&mut engine);
    words::register(&mut engine, meter);
    engine
}

/// The engine keeps some words for later that read well in rules.
const RESERVED_BUT_OURS: &[&str] = &["is"];

fn allow_reserved_words(engine: &mut Engine) {
    #[expect(
        deprecated,
        reason = "the method is marked so because it may change between versions, not because it goes"
    )]
    engine.on_parse_token(|token, _, _| match token {
        Token::Reserved(word) if RESERVED_BUT_OURS.contains(&word.as_str()) => Token::Identifier(word),
        other => other,
    });
}
