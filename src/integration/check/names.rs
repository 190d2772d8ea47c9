//! Names that an integration says: settings that it asks for, events and actions that it tells.
//!
//! Only what is written out can be known. Where a script works out the name of a setting, all its texts may be one; events
//! and actions whose names it puts together stand in `EVENTS` and `ACTIONS`.

use std::collections::BTreeSet;

use rhai::{ASTNode, Expr};

use super::Examined;
use crate::model::request::ToldNames;
use crate::script::check::{call_at, literal};

/// The settings that a script asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::integration) struct Asked {
    /// Under `integrations.use.<name>`.
    pub of_itself: BTreeSet<String>,
    /// Under `speakers.<name>.settings`.
    pub of_speakers: BTreeSet<String>,
    /// Names that are worked out may be any of these.
    pub texts: BTreeSet<String>,
}

pub(super) fn asked(examined: &Examined<'_>) -> Asked {
    let mut asked = Asked::default();
    let (mut texts, mut is_worked_out) = (BTreeSet::new(), false);
    for function in examined.functions {
        function.walk(|path| {
            if let Some(ASTNode::Expr(Expr::StringConstant(text, _))) = path.last() {
                texts.insert(text.to_string());
            }
            let Some((call, _, is_method)) = call_at(path.last()) else { return };
            let values = call.args.len() + usize::from(is_method);
            let (names, name) = match (call.name.as_str(), values) {
                ("setting", 2) if is_method => return,
                ("setting", 2) => (&mut asked.of_itself, call.args.first()),
                ("setting", 3) if is_method => (&mut asked.of_speakers, call.args.first()),
                ("setting", 3) => (&mut asked.of_speakers, call.args.get(1)),
                ("speaker_by", 2) if !is_method => (&mut asked.of_speakers, call.args.first()),
                _ => return,
            };
            match literal(name) {
                Some((name, _)) => {
                    names.insert(name.to_owned());
                }
                None => is_worked_out = true,
            }
        });
    }
    if is_worked_out {
        asked.texts = texts;
    }
    asked
}

pub(super) fn told(examined: &Examined<'_>) -> ToldNames {
    let header = examined.header;
    let mut told = ToldNames {
        events: header.events.iter().cloned().collect(),
        actions: header.actions.iter().cloned().collect(),
    };
    for function in examined.functions {
        function.walk(|path| {
            let Some((call, _, false)) = call_at(path.last()) else { return };
            let names = match call.name.as_str() {
                "event" => &mut told.events,
                "request" => &mut told.actions,
                _ => return,
            };
            names.extend(literal(call.args.first()).map(|(name, _)| name.to_owned()));
        });
    }
    told
}

impl Asked {
    /// Whether a setting may be asked of one of the two.
    pub(in crate::integration) fn may_be(&self, names: &BTreeSet<String>, name: &str) -> bool {
        names.contains(name) || self.texts.contains(name)
    }
}
