//! From the text of one file to a policy: parse, look over, read the header.
//!
//! A file is loaded whole or refused; what is wrong comes back as findings.

use std::collections::BTreeMap;
use std::rc::Rc;

use rhai::AST;

use super::call::{Hook, Profile};
use super::check;
use super::header;
use super::host::Host;
use super::judge::Policy;
use crate::model::event::ScriptSource;
use crate::script::bodies::Entry;
use crate::script::check::{functions, outline};
use crate::script::diagnostics::{Diagnostic, Place, Script, Severity};
use crate::script::failure::Failure;

/// Longest text of a policy, in bytes.
pub(super) const POLICY_BYTES_MAX: usize = 64 * 1024;

/// Loads one policy. `None` comes with at least one error.
pub(super) fn load(source: &ScriptSource, host: &Rc<Host>) -> (Option<Policy>, Vec<Diagnostic>) {
    let script = Script { file: &source.file, text: &source.text };
    if source.text.len() > POLICY_BYTES_MAX {
        let message = format!("expected at most {POLICY_BYTES_MAX} bytes, found `{}`", source.text.len());
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
    let header = match header::read(script, &ast, &outline.constants, outside, host) {
        Ok(header) => header,
        Err(errors) => {
            findings.extend(errors);
            return (None, findings);
        }
    };
    findings.extend(check::meaning(script, &functions, &header, host));
    if findings.iter().any(|finding| finding.severity == Severity::Error) {
        return (None, findings);
    }
    let profile =
        Profile { name: source.name.clone(), catalog: Rc::clone(&host.catalog), constants: header.constants.clone() };
    let policy = Policy {
        file: source.file.clone(),
        summary: summary(&source.text),
        hooks: hooks(&ast),
        header,
        host: Rc::clone(host),
        profile: Rc::new(profile),
    };
    (Some(policy), findings)
}

fn hooks(ast: &AST) -> BTreeMap<Hook, Entry> {
    let entry = |hook: Hook| Some((hook, Entry::of(ast, hook.name(), 1)?));
    Hook::ALL.into_iter().filter_map(entry).collect()
}

/// The first line of the `//!` comment.
fn summary(text: &str) -> String {
    text.lines().find_map(|line| line.trim_start().strip_prefix("//!")).map(str::trim).unwrap_or_default().to_owned()
}
