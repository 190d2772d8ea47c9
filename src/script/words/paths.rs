//! Reading what came from outside: a field that may be absent, or of another kind than it should be.
//!
//! It never fails. Who must know that a field is wrong asks with `in`.

use rhai::{Dynamic, Engine, ImmutableString};

use crate::script::kinds::{Kind, kind_of};

pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("field_or", |value: Dynamic, path: ImmutableString, default: Dynamic| {
        at(&value, &path).filter(|found| fits(found, &default)).unwrap_or(default)
    });
}

/// The value at a path: names with dots between; a number counts the items of a list from 0.
fn at(value: &Dynamic, path: &str) -> Option<Dynamic> {
    path.split('.').try_fold(value.clone(), |value, step| {
        if let Ok(fields) = value.as_map_ref() {
            return fields.get(step).cloned();
        }
        value.as_array_ref().ok()?.get(step.parse::<usize>().ok()?).cloned()
    })
}

/// Whether it is of the default's kind. Nothing as the default stands for any kind, and nothing is never found.
fn fits(found: &Dynamic, default: &Dynamic) -> bool {
    kind_of(found) != Kind::Nothing && (default.is_unit() || kind_of(found) == kind_of(default))
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use crate::script::sandbox;

    #[test]
    fn a_field_is_taken_where_it_is_there_and_of_the_kind_of_the_default() {
        let meter = Rc::new(sandbox::Meter::new(None));
        let engine = sandbox::engine(&meter);
        let map = r#"#{ a: "x", b: #{ c: 5, d: [#{ e: true }, 0.5] }, n: () }"#;
        for (path, default, expected) in [
            ("a", r#""none""#, r#""x""#),
            ("a", "0", "0"),
            ("a", "()", r#""x""#),
            ("a.b", r#""none""#, r#""none""#),
            ("b.c", "0", "5"),
            ("b.c", "0.5", "5"),
            ("b.c", r#""none""#, r#""none""#),
            ("b.d.0.e", "false", "true"),
            ("b.d.1", "0", "0.5"),
            ("b.d.2", "7", "7"),
            ("b.d.x", "7", "7"),
            ("n", r#""none""#, r#""none""#),
            ("", "1", "1"),
        ] {
            let script = format!("{map}.field_or(\"{path}\", {default}) == {expected}");
            assert_eq!(engine.eval::<bool>(&script).map_err(|error| error.to_string()), Ok(true), "{script}");
        }
        for value in ["()", "5", "\"a\"", "[1]"] {
            let script = format!("field_or({value}, \"a\", \"none\") == \"none\"");
            assert_eq!(engine.eval::<bool>(&script).map_err(|error| error.to_string()), Ok(true), "{script}");
        }
    }
}
