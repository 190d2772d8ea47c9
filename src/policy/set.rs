//! All policies of a house, loaded together or not at all, and found by what they are for.
//!
//! It reads no file and watches none: texts come in, and a set never changes.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use sha2::{Digest, Sha256};

use super::Catalog;
use super::host::Host;
use super::judge::Policy;
use super::load;
use crate::model::event::ScriptSource;
use crate::model::topic::TopicFilter;
use crate::script::diagnostics::{Diagnostic, Place, Script, Severity};
use crate::script::sandbox::Stopwatch;

/// Policies of one set.
pub(super) const POLICIES_MAX: usize = 1_000;
/// Names and topics whose policies are remembered. Anybody may ask for any name, so this is bounded; further names
/// are looked up anew each time.
pub(super) const INDEX_ENTRIES_MAX: usize = 4_096;

/// Hexadecimal digits of a revision.
const REVISION_DIGITS: usize = 12;

/// The policies of a house.
#[derive(Debug)]
pub struct PolicySet {
    policies: Vec<Policy>,
    revision: String,
    actions: Index,
    events: Index,
    topics: Index,
}

/// Which policies a name concerns, by position; filled when a name is first asked for.
#[derive(Debug, Default)]
struct Index(RefCell<BTreeMap<String, Rc<[usize]>>>);

impl Index {
    fn get(&self, name: &str, policies: &[Policy], concerns: impl Fn(&Policy, &str) -> bool) -> Rc<[usize]> {
        if let Some(found) = self.0.borrow().get(name) {
            return Rc::clone(found);
        }
        let found: Rc<[usize]> =
            policies.iter().enumerate().filter(|(_, policy)| concerns(policy, name)).map(|(index, _)| index).collect();
        let mut entries = self.0.borrow_mut();
        if entries.len() < INDEX_ENTRIES_MAX {
            entries.insert(name.to_owned(), Rc::clone(&found));
        }
        found
    }
}

impl PolicySet {
    /// Loads all policies, or none: the errors of every file come back together. Warnings do not stop a set.
    pub fn compile(
        sources: &[ScriptSource],
        catalog: &Catalog,
        stopwatch: Option<Stopwatch>,
    ) -> Result<PolicySet, Vec<Diagnostic>> {
        let (policies, findings) = load_all(sources, catalog, stopwatch);
        let errors: Vec<Diagnostic> =
            findings.into_iter().filter(|finding| finding.severity == Severity::Error).collect();
        if !errors.is_empty() {
            return Err(errors);
        }
        let set = PolicySet {
            policies,
            revision: revision(sources),
            actions: Index::default(),
            events: Index::default(),
            topics: Index::default(),
        };
        for action in &catalog.actions {
            set.for_action(action).for_each(drop);
        }
        Ok(set)
    }

    /// The first 12 hexadecimal digits of the SHA-256 over names and texts: it changes with every byte of them.
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// All policies, by name.
    pub fn policies(&self) -> &[Policy] {
        &self.policies
    }

    pub fn get(&self, name: &str) -> Option<&Policy> {
        let index = self.policies.binary_search_by(|policy| policy.name().cmp(name)).ok()?;
        self.policies.get(index)
    }

    /// The policies to ask about an action, by name.
    pub fn for_action(&self, action: &str) -> impl Iterator<Item = &Policy> {
        self.at(self.actions.get(action, &self.policies, Policy::handles_action))
    }

    /// The policies to tell of an event, by name.
    pub fn for_event(&self, name: &str) -> impl Iterator<Item = &Policy> {
        self.at(self.events.get(name, &self.policies, Policy::handles_event))
    }

    /// The policies to tell of a message, by name.
    pub fn for_topic(&self, topic: &str) -> impl Iterator<Item = &Policy> {
        self.at(self.topics.get(topic, &self.policies, Policy::handles_topic))
    }

    /// Every topic that some policy listens to, once.
    pub fn topic_filters(&self) -> Vec<TopicFilter> {
        let filters: BTreeSet<&TopicFilter> = self.policies.iter().flat_map(Policy::topics).collect();
        filters.into_iter().cloned().collect()
    }

    fn at(&self, positions: Rc<[usize]>) -> impl Iterator<Item = &Policy> {
        (0..positions.len()).filter_map(move |index| self.policies.get(*positions.get(index)?))
    }
}

/// Everything that can be found wrong with a set of policies, errors and warnings, by file and place.
pub fn check(sources: &[ScriptSource], catalog: &Catalog) -> Vec<Diagnostic> {
    load_all(sources, catalog, None).1
}

fn load_all(
    sources: &[ScriptSource],
    catalog: &Catalog,
    stopwatch: Option<Stopwatch>,
) -> (Vec<Policy>, Vec<Diagnostic>) {
    let host = Rc::new(Host::new(catalog, stopwatch));
    let mut policies: Vec<Policy> = Vec::new();
    let mut findings = Vec::new();
    let mut names = BTreeSet::new();
    for (index, source) in sources.iter().enumerate() {
        let script = Script { file: &source.file, text: &source.text };
        if index >= POLICIES_MAX {
            findings.push(script.error("limit", Place::default(), format!("more than {POLICIES_MAX} policies")));
            break;
        }
        if !names.insert(source.name.as_str()) {
            let message = format!("there is another policy named `{}`", source.name);
            findings.push(script.error("name", Place::default(), message));
        }
        let (policy, found) = load::load(source, &host);
        policies.extend(policy);
        findings.extend(found);
    }
    policies.sort_by(|left, right| left.name().cmp(right.name()));
    findings.sort_by(|left, right| (&left.file, left.line, left.column).cmp(&(&right.file, right.line, right.column)));
    (policies, findings)
}

fn revision(sources: &[ScriptSource]) -> String {
    let mut sorted: Vec<&ScriptSource> = sources.iter().collect();
    sorted.sort_by(|left, right| left.name.cmp(&right.name));
    let mut hasher = Sha256::new();
    for source in sorted {
        // Lengths keep the end of one text from passing for the beginning of the next.
        for text in [&source.name, &source.text] {
            hasher.update(text.len().to_le_bytes());
            hasher.update(text);
        }
    }
    let mut digits: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    digits.truncate(REVISION_DIGITS);
    digits
}
