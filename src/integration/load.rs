//! From the text of one file to an integration: parse, look over, read the header, keep the functions.
//!
//! A file is loaded whole or refused; what is wrong comes back as findings.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use rhai::{AST, Dynamic, Scope};

use super::Ability;
use super::check;
use super::compile::Integration;
use super::context::Context;
use super::header::{self, Header};
use super::host::Host;
use crate::config::Config;
use crate::model::event::ScriptSource;
use crate::script::bodies::Entry;
use crate::script::check::header::Reader;
use crate::script::check::{functions, outline};
use crate::script::diagnostics::{Diagnostic, Place, Script, Severity};
use crate::script::failure::Failure;

/// Longest text of an integration, in bytes.
pub const INTEGRATION_BYTES_MAX: usize = 64 * 1024;

/// Loads one integration. `None` comes with at least one error.
pub(super) fn load(
    source: &ScriptSource,
    config: &Rc<Config>,
    host: &Rc<Host>,
) -> (Option<Integration>, Vec<Diagnostic>) {
    let script = Script { file: &source.file, text: &source.text };
    if source.text.len() > INTEGRATION_BYTES_MAX {
        let message = format!("expected at most {INTEGRATION_BYTES_MAX} bytes, found `{}`", source.text.len());
        return (None, vec![script.error("limit", Place::default(), message)]);
    }
    let ast = match host.engine.compile(&source.text) {
        Ok(ast) => ast,
        Err(error) => {
            let failure = Failure::of_syntax(&error);
            return (None, vec![script.error("syntax", failure.place, failure.message)]);
        }
    };
    let functions = functions::all(script, &ast, check::LANGUAGE);
    let outline = outline::read(script, &functions, check::LANGUAGE, &host.vocabulary);
    let mut findings = outline.findings;
    let Some(outside) = functions.first().filter(|_| outline.is_readable) else { return (None, findings) };
    let context = Rc::new(Context {
        name: source.name.clone(),
        config: Rc::clone(config),
        constants: RefCell::default(),
        memory: RefCell::default(),
    });
    let constants = match evaluate(&ast, &context, host) {
        Ok(constants) => constants,
        Err(failure) => {
            findings.push(script.error("header", failure.place, failure.message));
            return (None, findings);
        }
    };
    let mut reader =
        Reader { script, places: &outline.constants, constants: &constants, outside, findings: Vec::new() };
    let header = header::read(&mut reader, config);
    let is_readable = reader.findings.is_empty();
    findings.append(&mut reader.findings);
    if !is_readable {
        return (None, findings);
    }
    let examined = check::Examined {
        script,
        functions: &functions,
        places: &outline.constants,
        constants: &constants,
        header: &header,
        config,
        vocabulary: &host.vocabulary,
    };
    findings.extend(check::meaning(&examined));
    if findings.iter().any(|finding| finding.severity == Severity::Error) {
        return (None, findings);
    }
    let hooks = check::LANGUAGE.hooks.iter();
    let functions: BTreeMap<&'static str, Entry> =
        hooks.filter_map(|hook| Some((hook.name, Entry::of(&ast, hook.name, hook.parameters.len())?))).collect();
    let ability = ability(&header, &functions);
    let (asked, told) = (examined.asked(), examined.told());
    *context.constants.borrow_mut() = constants;
    let Header { topics, commands, sends, .. } = header;
    let (file, host) = (source.file.clone(), Rc::clone(host));
    (Some(Integration { file, topics, commands, sends, functions, context, host, ability, asked, told }), findings)
}

/// The values of the constants at the top.
fn evaluate(ast: &AST, context: &Rc<Context>, host: &Host) -> Result<BTreeMap<String, Dynamic>, Failure> {
    let mut scope = Scope::new();
    host.meter.begin();
    match host.current.during(context, || host.engine.run_ast_with_scope(&mut scope, ast)) {
        Ok(()) => Ok(scope.iter().map(|(name, _, value)| (name.to_owned(), value)).collect()),
        Err(error) => Err(Failure::of(&error)),
    }
}

fn ability(header: &Header, functions: &BTreeMap<&'static str, Entry>) -> Ability {
    Ability {
        grade: header.grade.clone(),
        mutes_mic: header.mutes("mic"),
        mutes_sound: header.mutes("sound"),
        announces: functions.contains_key("announce"),
        asks: functions.contains_key("ask"),
        confirms_mutes: header.confirms("mute"),
        confirms_announcements: header.confirms("announce"),
    }
}
