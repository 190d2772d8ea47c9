//! What speakers tell of themselves, and new integrations.

use super::{Engine, Turn};
use crate::model::event::{Entry, ScriptSource};
use crate::model::speaker::SpeakerReport;
use crate::policy::Catalog;
use crate::script::diagnostics::Diagnostic;

impl Engine {
    /// A speaker has told something.
    pub(super) fn report(&mut self, _turn: &mut Turn<'_>, _report: SpeakerReport) {}

    /// Takes over new texts of integrations, or says why not; then the old ones go on.
    pub(super) fn reload_integrations(&mut self, turn: &mut Turn<'_>, sources: Result<Vec<ScriptSource>, String>) {
        let integrations = self.registry.integrations();
        let reloaded = sources.map_err(|error| vec![error]).and_then(|sources| {
            integrations.reload(&sources).map_err(|errors| errors.iter().map(Diagnostic::one_line).collect())
        });
        match reloaded {
            Ok(()) => {
                let (actions, events) = integrations.vocabulary();
                self.catalog = Catalog::of(&self.config).with(&self.config, actions, events);
                turn.record(Entry::IntegrationsReloaded { integrations: integrations.names() });
            }
            Err(errors) => turn.record(Entry::ReloadRefused { errors }),
        }
    }
}
