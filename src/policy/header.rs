//! The constants at the top of a policy: when it is called, how strict it is, and the owner's own.
//!
//! They are read once, when the policy is loaded. Nothing that runs later can change them.

use std::collections::BTreeMap;

use rhai::{AST, Dynamic, Scope};

use super::host::Host;
use crate::config::is_heard_twice;
use crate::model::glob::Glob;
use crate::model::mode::Mode;
use crate::model::topic::TopicFilter;
use crate::script::check::functions::Function;
use crate::script::check::header::Reader;
use crate::script::diagnostics::{Diagnostic, Place, Script};
use crate::script::failure::Failure;

/// What a policy says when it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnError {
    /// Sensitive: deny. Ordinary: no opinion.
    #[default]
    ByClass,
    Deny,
    Confirm,
    /// No opinion.
    None,
}

/// The header of one policy.
#[derive(Debug)]
pub(super) struct Header {
    pub actions: Vec<Glob>,
    pub events: Vec<Glob>,
    pub topics: Vec<TopicFilter>,
    pub mode: Mode,
    pub on_error: OnError,
    pub enabled: bool,
    /// All constants, the bridge's own included.
    pub constants: BTreeMap<String, Dynamic>,
}

/// Constants that the bridge reads.
pub(super) const OWN: &[&str] = &["ACTIONS", "EVENTS", "TOPICS", "MODE", "ON_ERROR", "ENABLED"];

/// Patterns of one of `ACTIONS`, `EVENTS`, `TOPICS`.
pub(super) const PATTERNS_MAX: usize = 64;

/// Evaluates and reads the header. `places` are where each constant is defined; `outside` is what stands outside of
/// functions.
pub(super) fn read(
    script: Script<'_>,
    ast: &AST,
    places: &BTreeMap<String, Place>,
    outside: &Function,
    host: &Host,
) -> Result<Header, Vec<Diagnostic>> {
    let mut scope = Scope::new();
    host.meter.begin();
    if let Err(error) = host.engine.run_ast_with_scope(&mut scope, ast) {
        let failure = Failure::of(&error);
        return Err(vec![script.error("header", failure.place, failure.message)]);
    }
    let constants = scope.iter().map(|(name, _, value)| (name.to_owned(), value)).collect();
    let mut reader = Reader { script, places, constants: &constants, outside, findings: Vec::new() };
    let mut patterns = |name| reader.texts(name, "patterns", PATTERNS_MAX).into_iter().map(Glob::new).collect();
    let (actions, events) = (patterns("ACTIONS"), patterns("EVENTS"));
    let topics = reader.filters("TOPICS", PATTERNS_MAX, |filter| {
        is_heard_twice(&host.catalog.base, filter).then(|| {
            let message =
                format!("expected topics of the house, found `{}`: it reaches into the bridge's own", filter.as_str());
            (message, "begin the filter with the first level that you mean".to_owned())
        })
    });
    let mode = reader.choice("MODE", &[("enforce", Mode::Enforce), ("observe", Mode::Observe)]);
    let on_error =
        reader.choice("ON_ERROR", &[("deny", OnError::Deny), ("confirm", OnError::Confirm), ("none", OnError::None)]);
    let enabled = reader.truth("ENABLED");
    if !reader.findings.is_empty() {
        return Err(reader.findings);
    }
    Ok(Header {
        actions,
        events,
        topics,
        mode: mode.unwrap_or(Mode::Enforce),
        on_error: on_error.unwrap_or_default(),
        enabled: enabled.unwrap_or(true),
        constants,
    })
}
