//! Comparisons that cannot silently be wrong.
//!
//! The engine's own operators answer "false" where the two sides are of different kinds: `"30" > 30` would quietly let
//! a request pass. Here such a comparison is an error. Arithmetic stays the engine's own, which is checked.

use std::cmp::Ordering;

use rhai::{Array, Dynamic, Engine, EvalAltResult, INT, ImmutableString, Map, Position};

use super::kinds::{Kind, kind_of, shown};

/// Result of a word.
pub type Outcome<T> = Result<T, Box<EvalAltResult>>;

/// An error of a word, without a place: the engine adds that of the call.
pub fn fail<T>(message: impl Into<String>) -> Outcome<T> {
    Err(Box::new(EvalAltResult::ErrorRuntime(Dynamic::from(message.into()), Position::NONE)))
}

/// The comparison operators.
pub const COMPARISONS: &[&str] = &["==", "!=", "<", "<=", ">", ">="];

/// Whether two kinds can be compared with this operator at all.
pub fn can_compare(operator: &str, left: Kind, right: Kind) -> bool {
    let ordered = !matches!(operator, "==" | "!=");
    left == right
        && match left {
            Kind::Text | Kind::Number => true,
            Kind::Truth | Kind::List | Kind::Map => !ordered,
            Kind::Nothing | Kind::Span | Kind::Function | Kind::Other(_) => false,
        }
}

/// Registers the comparisons and `in`. The exact forms come first: the engine finds them without a search.
pub fn register(engine: &mut Engine) {
    macro_rules! compare {
        ($($operator:literal => $decide:expr, $test:ident;)*) => { $(
            engine.register_fn($operator, |left: INT, right: INT| left.$test(&right));
            engine.register_fn($operator, |left: ImmutableString, right: ImmutableString| left.$test(&right));
            engine.register_fn($operator, |left: Dynamic, right: Dynamic| compare($operator, &left, &right, $decide));
        )* };
    }
    compare! {
        "==" => Ordering::is_eq, eq;
        "!=" => Ordering::is_ne, ne;
        "<" => Ordering::is_lt, lt;
        "<=" => Ordering::is_le, le;
        ">" => Ordering::is_gt, gt;
        ">=" => Ordering::is_ge, ge;
    }
    engine.register_fn("==", |left: bool, right: bool| left == right);
    engine.register_fn("!=", |left: bool, right: bool| left != right);
    engine.register_fn("!", |value: bool| !value);
    engine.register_fn("-", |value: INT| match value.checked_neg() {
        Some(negated) => Ok(negated),
        None => fail(format!("the number is too large: -`{value}`")),
    });
    engine.register_fn("-", |value: f64| -value);

    // `x in y` is `contains(y, x)`.
    engine.register_fn("contains", |text: &str, part: ImmutableString| text.contains(part.as_str()));
    engine.register_fn("contains", |fields: &mut Map, name: ImmutableString| fields.contains_key(name.as_str()));
    engine.register_fn("contains", |items: &mut Array, item: Dynamic| list_contains(items, &item));
    engine.register_fn("contains", |span: std::ops::Range<INT>, item: INT| span.contains(&item));
    engine.register_fn("contains", |span: std::ops::RangeInclusive<INT>, item: INT| span.contains(&item));
}

fn compare(operator: &str, left: &Dynamic, right: &Dynamic, decide: fn(Ordering) -> bool) -> Outcome<bool> {
    if !can_compare(operator, kind_of(left), kind_of(right)) {
        return fail(incomparable(operator, left, right));
    }
    match order(left, right)? {
        Some(ordering) => Ok(decide(ordering)),
        None => fail(format!("`{operator}` cannot compare {} with {}", shown(left), shown(right))),
    }
}

fn incomparable(operator: &str, left: &Dynamic, right: &Dynamic) -> String {
    let (left_kind, right_kind) = (kind_of(left), kind_of(right));
    let described = |value: &Dynamic, kind: Kind| match kind {
        Kind::Text | Kind::Number | Kind::Truth => format!("{kind} ({})", shown(value)),
        _ => kind.to_string(),
    };
    format!("`{operator}` cannot compare {} with {}", described(left, left_kind), described(right, right_kind))
}

/// The order of two values of one kind. Lists and maps are only equal or not; `None` where there is no order (NaN).
fn order(left: &Dynamic, right: &Dynamic) -> Outcome<Option<Ordering>> {
    if let (Ok(left), Ok(right)) = (left.as_int(), right.as_int()) {
        return Ok(Some(left.cmp(&right)));
    }
    if let (Some(left), Some(right)) = (as_number(left), as_number(right)) {
        return Ok(left.partial_cmp(&right));
    }
    if let (Ok(left), Ok(right)) = (left.as_bool(), right.as_bool()) {
        return Ok(Some(left.cmp(&right)));
    }
    if let (Ok(left), Ok(right)) = (left.as_array_ref(), right.as_array_ref()) {
        let mut equal = left.len() == right.len();
        for (left, right) in left.iter().zip(right.iter()) {
            equal = equal && compare("==", left, right, Ordering::is_eq)?;
        }
        return Ok(Some(if equal { Ordering::Equal } else { Ordering::Less }));
    }
    if let (Ok(left), Ok(right)) = (left.as_map_ref(), right.as_map_ref()) {
        let mut equal = left.len() == right.len();
        for (name, left) in left.iter() {
            equal = equal
                && match right.get(name) {
                    Some(right) => compare("==", left, right, Ordering::is_eq)?,
                    None => false,
                };
        }
        return Ok(Some(if equal { Ordering::Equal } else { Ordering::Less }));
    }
    Ok(Some(left.to_string().cmp(&right.to_string())))
}

fn as_number(value: &Dynamic) -> Option<f64> {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a script's whole numbers are small; others compare as nearly as can be"
    )]
    value.as_int().map(|whole| whole as f64).or_else(|_| value.as_float()).ok()
}

/// Whether a list has an item. A list that holds nothing of the item's kind cannot, and asking is an error.
fn list_contains(items: &Array, item: &Dynamic) -> Outcome<bool> {
    let kind = kind_of(item);
    let mut comparable = items.is_empty();
    for candidate in items.iter().filter(|candidate| can_compare("==", kind_of(candidate), kind)) {
        comparable = true;
        if compare("==", candidate, item, Ordering::is_eq)? {
            return Ok(true);
        }
    }
    if comparable {
        return Ok(false);
    }
    let held = items.first().map_or(Kind::Nothing, kind_of);
    fail(format!("`in` cannot find {} in a list that holds {held}", shown(item)))
}

#[cfg(test)]
mod tests {
    use crate::script::failure::Failure;
    use crate::script::sandbox;
    use std::rc::Rc;

    fn evaluate(expression: &str) -> Result<bool, (usize, String)> {
        let meter = Rc::new(sandbox::Meter::new(None));
        let engine = sandbox::engine(&meter);
        engine.eval::<bool>(expression).map_err(|error| {
            let failure = Failure::of(&error);
            (failure.place.column, failure.message)
        })
    }

    #[test]
    fn values_of_one_kind_compare() {
        for (expression, expected) in [
            ("1 < 2", true),
            ("2 <= 2", true),
            ("1 == 1.0", true),
            ("1.5 > 1", true),
            ("1.0 >= 2", false),
            ("-1 < 0 && -0.5 < 0", true),
            ("\"a\" < \"b\"", true),
            ("\"22:00\" != \"07:00\"", true),
            ("'a' == \"a\"", true),
            ("true != false", true),
            ("!false", true),
            ("[1, \"a\"] == [1, \"a\"]", true),
            ("[1] != [1, 2]", true),
            ("#{a: 1} == #{a: 1}", true),
            ("#{a: 1} != #{b: 1}", true),
            ("2 in [1, 2.0]", true),
            ("\"b\" in [1, \"a\"]", false),
            ("3 in []", false),
            ("\"ell\" in \"hello\"", true),
            ("\"a\" in #{a: 1}", true),
            ("5 in 1..5", false),
            ("5 in 1..=5", true),
            ("5 !in [1]", true),
        ] {
            assert_eq!(evaluate(expression), Ok(expected), "{expression}");
        }
    }

    #[test]
    fn comparisons_that_cannot_hold_are_errors_at_their_place() {
        for (expression, column, message) in [
            ("\"30\" > 30", 6, "`>` cannot compare text (`\"30\"`) with a number (`30`)"),
            ("() >= 22", 4, "`>=` cannot compare nothing with a number (`22`)"),
            ("\"x\" == 1", 5, "`==` cannot compare text (`\"x\"`) with a number (`1`)"),
            ("true == \"true\"", 6, "`==` cannot compare true or false (`true`) with text (`\"true\"`)"),
            ("1 != true", 3, "`!=` cannot compare a number (`1`) with true or false (`true`)"),
            ("true < false", 6, "`<` cannot compare true or false (`true`) with true or false (`false`)"),
            ("() == ()", 4, "`==` cannot compare nothing with nothing"),
            ("[1] == 1", 5, "`==` cannot compare a list with a number (`1`)"),
            ("[1] == [\"1\"]", 5, "`==` cannot compare a number (`1`) with text (`\"1\"`)"),
            ("[1] < [2]", 5, "`<` cannot compare a list with a list"),
            ("#{a: 1} == #{a: \"1\"}", 9, "`==` cannot compare a number (`1`) with text (`\"1\"`)"),
            ("#{} == ()", 5, "`==` cannot compare a map with nothing"),
            ("1..2 == 1..2", 6, "`==` cannot compare a span with a span"),
            ("5 in [\"a\"]", 3, "`in` cannot find `5` in a list that holds text"),
        ] {
            assert_eq!(evaluate(expression), Err((column, message.to_owned())), "{expression}");
        }
    }
}
