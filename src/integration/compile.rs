//! From the texts of integrations to those that are in use: parse, read the header, keep the functions.
//!
//! One that is wrong is refused, and with it all: nothing runs with half of the speakers.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use rhai::{AST, Dynamic, Engine, Scope};

use super::built_in::SHIPPED;
use super::context::{Context, Current};
use super::words::is_dotted;
use super::{Ability, values, words};
use crate::config::Config;
use crate::model::event::ScriptSource;
use crate::model::topic::TopicFilter;
use crate::script::bodies::Entry;
use crate::script::diagnostics::{Diagnostic, Place, Script};
use crate::script::failure::Failure;
use crate::script::kinds::shown;
use crate::script::message;
use crate::script::nearest::did_you_mean;
use crate::script::sandbox::{self, Meter, Stopwatch};

/// Longest text of an integration, in bytes.
pub const INTEGRATION_BYTES_MAX: usize = 64 * 1024;
/// Filters of one of `TOPICS`, `COMMANDS`, `SENDS`.
pub const FILTERS_MAX: usize = 64;

/// The functions of an integration, with how many parameters each has.
pub(super) const FUNCTIONS: &[(&str, usize)] = &[
    ("on_message", 1),
    ("on_command", 1),
    ("mute", 2),
    ("unmute", 2),
    ("announce", 3),
    ("ask", 2),
    ("cancel", 2),
    ("enforce", 1),
    ("observe", 1),
];

/// The engine with the words of integrations, shared by all of one set.
pub(super) struct Host {
    pub engine: Engine,
    pub meter: Rc<Meter>,
    pub current: Current,
}

impl Host {
    fn new(stopwatch: Option<Stopwatch>) -> Host {
        let meter = Rc::new(Meter::new(stopwatch));
        let mut engine = sandbox::engine(&meter);
        message::register(&mut engine, &meter);
        values::register(&mut engine);
        words::register(&mut engine);
        resolve_constants(&mut engine);
        let current = Current::default();
        engine.set_default_tag(Dynamic::from(current.clone()));
        Host { engine, meter, current }
    }
}

/// Makes the header's constants visible in every function by their bare names.
fn resolve_constants(engine: &mut Engine) {
    #[expect(
        deprecated,
        reason = "the method is marked so because it may change between versions, not because it goes"
    )]
    engine.on_var(|name, index, context| {
        if index > 0 {
            return Ok(None);
        }
        Ok(Current::of(context.tag()).and_then(|context| context.constants.borrow().get(name).cloned()))
    });
}

/// One integration that is in use.
pub(super) struct Integration {
    pub file: String,
    pub topics: Vec<TopicFilter>,
    pub commands: Vec<TopicFilter>,
    pub sends: Vec<TopicFilter>,
    /// Actions and events that it tells of, so that rules may name them.
    pub actions: Vec<String>,
    pub events: Vec<String>,
    pub functions: BTreeMap<&'static str, Entry>,
    pub context: Rc<Context>,
    pub host: Rc<Host>,
    ability: Ability,
}

impl fmt::Debug for Integration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Integration").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Integration {
    pub(super) fn ability(&self) -> Ability {
        self.ability.clone()
    }

    pub(super) fn reads(&self, topic: &str) -> bool {
        self.topics.iter().any(|filter| filter.matches(topic))
    }

    pub(super) fn reads_commands(&self, topic: &str) -> bool {
        self.commands.iter().any(|filter| filter.matches(topic))
    }

    /// Whether it may publish there: to its own declared topics.
    pub(super) fn may_send(&self, topic: &str) -> bool {
        self.sends.iter().any(|filter| filter.matches(topic))
    }
}

/// The integrations that the configuration uses.
pub(super) fn all(
    config: &Rc<Config>,
    own: &[ScriptSource],
    stopwatch: Option<&Stopwatch>,
) -> Result<BTreeMap<String, Integration>, Vec<Diagnostic>> {
    let host = Rc::new(Host::new(stopwatch.cloned()));
    let (mut loaded, mut findings) = (BTreeMap::new(), Vec::new());
    for name in config.integrations_in_use() {
        let Some(source) = source(name, own) else {
            findings.push(unknown(name, own));
            continue;
        };
        match load(&source, config, &host) {
            Ok(integration) => {
                loaded.insert(name.to_owned(), integration);
            }
            Err(found) => findings.extend(found),
        }
    }
    if findings.is_empty() { Ok(loaded) } else { Err(findings) }
}

/// The text of an integration: the owner's own before the shipped one.
fn source(name: &str, own: &[ScriptSource]) -> Option<ScriptSource> {
    let shipped = || {
        let (name, text) = SHIPPED.iter().find(|(shipped, _)| *shipped == name)?;
        let file = format!("{name}.rhai, as it is shipped");
        Some(ScriptSource { name: (*name).to_owned(), file, text: (*text).to_owned() })
    };
    own.iter().find(|source| source.name == name).cloned().or_else(shipped)
}

fn unknown(name: &str, own: &[ScriptSource]) -> Diagnostic {
    let script = Script { file: "the configuration", text: "" };
    let names = own.iter().map(|source| source.name.as_str()).chain(SHIPPED.iter().map(|(name, _)| *name));
    let message = format!("expected the name of an integration, found `{name}`: there is none of this name");
    let help = did_you_mean(name, names).unwrap_or_else(|| format!("put `{name}.rhai` into the folder `integrations`"));
    script.error("unknown-integration", Place::default(), message).with_help(Some(help))
}

fn load(source: &ScriptSource, config: &Rc<Config>, host: &Rc<Host>) -> Result<Integration, Vec<Diagnostic>> {
    let script = Script { file: &source.file, text: &source.text };
    if source.text.len() > INTEGRATION_BYTES_MAX {
        let message = format!("expected at most {INTEGRATION_BYTES_MAX} bytes, found `{}`", source.text.len());
        return Err(vec![script.error("limit", Place::default(), message)]);
    }
    let ast = host.engine.compile(&source.text).map_err(|error| {
        let failure = Failure::of_syntax(&error);
        vec![script.error("syntax", failure.place, failure.message)]
    })?;
    let context = Rc::new(Context {
        name: source.name.clone(),
        config: Rc::clone(config),
        constants: RefCell::default(),
        memory: RefCell::default(),
    });
    let constants = evaluate(script, &ast, &context, host)?;
    let mut header = Header { script, constants: &constants, findings: Vec::new() };
    let (topics, commands, sends) = (header.filters("TOPICS"), header.filters("COMMANDS"), header.filters("SENDS"));
    let mutes = header.words("MUTES", &["mic", "sound"]);
    let confirms = header.words("CONFIRMS", &["mute", "announce"]);
    let grade = header.text("GRADE");
    let (actions, events) = (header.names("ACTIONS"), header.names("EVENTS"));
    if !header.findings.is_empty() {
        return Err(header.findings);
    }
    let functions: BTreeMap<&'static str, Entry> =
        FUNCTIONS.iter().filter_map(|(name, count)| Some((*name, Entry::of(&ast, name, *count)?))).collect();
    let says = |list: &[String], word: &str| list.iter().any(|said| said == word);
    let ability = Ability {
        grade,
        mutes_mic: says(&mutes, "mic"),
        mutes_sound: says(&mutes, "sound"),
        announces: functions.contains_key("announce"),
        asks: functions.contains_key("ask"),
        confirms_mutes: says(&confirms, "mute"),
        confirms_announcements: says(&confirms, "announce"),
    };
    *context.constants.borrow_mut() = constants;
    let host = Rc::clone(host);
    let file = source.file.clone();
    Ok(Integration { file, topics, commands, sends, actions, events, functions, context, host, ability })
}

/// The values of the constants at the top.
fn evaluate(
    script: Script<'_>,
    ast: &AST,
    context: &Rc<Context>,
    host: &Host,
) -> Result<BTreeMap<String, Dynamic>, Vec<Diagnostic>> {
    let mut scope = Scope::new();
    host.meter.begin();
    let run = host.current.during(context, || host.engine.run_ast_with_scope(&mut scope, ast));
    match run {
        Ok(()) => Ok(scope.iter().map(|(name, _, value)| (name.to_owned(), value)).collect()),
        Err(error) => {
            let failure = Failure::of(&error);
            Err(vec![script.error("header", failure.place, failure.message)])
        }
    }
}

struct Header<'a> {
    script: Script<'a>,
    constants: &'a BTreeMap<String, Dynamic>,
    findings: Vec<Diagnostic>,
}

impl Header<'_> {
    fn refuse(&mut self, message: String) {
        self.findings.push(self.script.error("header", Place::default(), message));
    }

    /// A list of texts, or one text.
    fn texts(&mut self, name: &str) -> Vec<String> {
        let Some(value) = self.constants.get(name) else { return Vec::new() };
        if value.is_string() {
            return vec![value.to_string()];
        }
        let items = value.as_array_ref().ok().and_then(|items| {
            items.iter().map(|item| item.is_string().then(|| item.to_string())).collect::<Option<Vec<_>>>()
        });
        match items {
            Some(items) if items.len() <= FILTERS_MAX => items,
            Some(items) => {
                self.refuse(format!("expected at most {FILTERS_MAX} texts in `{name}`, found `{}`", items.len()));
                Vec::new()
            }
            None => {
                let found = shown(value);
                self.refuse(format!("expected a list of texts for `{name}`, found {found}"));
                Vec::new()
            }
        }
    }

    fn text(&mut self, name: &str) -> Option<String> {
        self.texts(name).into_iter().next()
    }

    /// Names with a dot, of actions and events.
    fn names(&mut self, name: &str) -> Vec<String> {
        let names = self.texts(name);
        for text in names.iter().filter(|text| !is_dotted(text)) {
            self.refuse(format!("expected names such as `voice.transcript` in `{name}`, found `{text}`"));
        }
        names
    }

    fn filters(&mut self, name: &str) -> Vec<TopicFilter> {
        let mut filters = Vec::new();
        for text in self.texts(name) {
            match TopicFilter::new(&text) {
                Ok(filter) => filters.push(filter),
                Err(error) => self.refuse(format!("expected a topic filter in `{name}`, found `{text}`: {error}")),
            }
        }
        filters
    }

    fn words(&mut self, name: &str, known: &[&str]) -> Vec<String> {
        let words = self.texts(name);
        for word in words.iter().filter(|word| !known.contains(&word.as_str())) {
            self.refuse(format!("expected `{}` in `{name}`, found `{word}`", known.join("` or `")));
        }
        words
    }
}
