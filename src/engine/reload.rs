//! New policies: compiled beside the running set, and swapped whole or not at all. And the return of what an earlier
//! run left.

use std::collections::BTreeSet;

use super::{Engine, Turn};
use crate::model::durable::Change;
use crate::model::event::{Entry, Publication, ScriptSource};
use crate::policy::PolicySet;
use crate::script::diagnostics::Diagnostic;

impl Engine {
    /// Takes over new policy texts, or says why not; then the old set goes on.
    pub(super) fn reload(&mut self, turn: &mut Turn<'_>, sources: Result<Vec<ScriptSource>, String>) {
        let compiled = sources.map_err(|error| vec![error]).and_then(|sources| {
            PolicySet::compile(&sources, &self.catalog, self.stopwatch.clone())
                .map_err(|errors| errors.iter().map(Diagnostic::one_line).collect())
        });
        match compiled {
            Err(errors) => turn.record(Entry::ReloadRefused { errors, integrations: false }),
            Ok(policies) => self.swap(turn, policies),
        }
    }

    fn swap(&mut self, turn: &mut Turn<'_>, policies: PolicySet) {
        let names = |set: &PolicySet| -> BTreeSet<String> {
            set.policies().iter().map(|policy| policy.name().to_owned()).collect()
        };
        let (old, new) = (names(&self.policies), names(&policies));
        self.policies = policies;
        // A reload is the owner's own act: whatever the clock shows now is what the owner sees.
        self.clock.accept(turn.at);
        let revision = self.policies.revision().to_owned();
        turn.record(Entry::Reloaded { revision, policies: new.iter().cloned().collect() });
        for name in old.difference(&new) {
            turn.publish(Publication::PolicyGone { name: name.clone() });
            let switched = self.world.borrow().durable.policies.contains_key(name);
            if switched {
                self.change(turn, Change::Policy { name: name.clone(), switch: None });
            }
        }
        self.tell_policies(turn);
        self.judge_pendings_again(turn, "the policies changed", false);
    }

    /// After a start with what an earlier run left: held requests are judged and asked again,
    /// and a switch that stands looser than the configuration falls back to it.
    pub(super) fn restore(&mut self, turn: &mut Turn<'_>) {
        // Before anything that is due ends: silence while nobody could object is no yes.
        self.drop_windows(turn);
        self.end_loosened(turn, "restart");
        self.restore_grants(turn);
        self.end_what_is_due(turn);
        self.judge_pendings_again(turn, "the bridge was restarted", true);
    }

    /// What stands looser than the configuration falls back to it. What is held is judged again by the caller.
    pub(super) fn end_loosened(&mut self, turn: &mut Turn<'_>, by: &str) {
        let mode = self.world.borrow().durable.mode;
        if mode.is_some_and(|switch| switch.value < self.config.mode) {
            self.set_mode(turn, self.config.mode, None, by);
        }
        self.end_loosened_policies(turn, by);
        let is_released = self.world.borrow().durable.relay.is_some_and(|switch| !switch.value);
        if is_released {
            self.set_relay(turn, true, None, by);
        }
    }
}
