//! The fields of what a script is given: their names and kinds, and what is said of one that is not there.

use rhai::{Dynamic, Engine, ImmutableString};

use super::kinds::Kind;
use super::nearest::did_you_mean;
use super::operators::{Outcome, fail};

/// A field and its kind, for `check`; `None` where it can be of any kind.
pub type Field = (&'static str, Option<Kind>);

/// Makes an unknown field an error with the nearest right name, and every assignment an error. `what` is the value's
/// name for owners, such as `a request`.
pub fn close<T: Clone + 'static>(engine: &mut Engine, what: &'static str, fields: &'static [Field]) {
    engine.register_indexer_get(move |_: &mut T, name: ImmutableString| -> Outcome<Dynamic> {
        let help = did_you_mean(&name, fields.iter().map(|(field, _)| *field));
        let help = help.map_or_else(String::new, |help| format!("; {help}"));
        fail(format!("{what} has no field `{name}`{help}"))
    });
    engine.register_indexer_set(move |_: &mut T, name: ImmutableString, _: Dynamic| -> Outcome<()> {
        fail(format!("{what} cannot be changed; found an assignment to `{name}`"))
    });
}
