//! What the engine says about a script that does not parse or fails, in the words of its owner.
//!
//! It names the place and what was found; which side a failing rule falls to is decided elsewhere.

use rhai::{Dynamic, EvalAltResult, LexError, ParseError, ParseErrorType};

use super::diagnostics::Place;
use super::kinds::shown;
use super::sandbox::{self, Abort};

/// Why a script failed, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub place: Place,
    pub message: String,
}

impl Failure {
    /// Reads an error of a running script. The innermost place counts: that is where the owner must look.
    pub fn of(error: &EvalAltResult) -> Failure {
        match error {
            EvalAltResult::ErrorInFunctionCall(_, _, inner, _) | EvalAltResult::ErrorInModule(_, inner, _) => {
                Failure::of(inner)
            }
            EvalAltResult::ErrorParsing(error, position) => {
                Failure { place: Place::from(*position), message: syntax_message(error) }
            }
            _ => Failure { place: Place::from(error.position()), message: message(error) },
        }
    }

    /// Reads an error of the parser.
    pub fn of_syntax(error: &ParseError) -> Failure {
        Failure { place: Place::from(error.position()), message: syntax_message(error.err_type()) }
    }
}

fn message(error: &EvalAltResult) -> String {
    use EvalAltResult as E;
    match error {
        E::ErrorRuntime(value, _) => runtime_message(value),
        E::ErrorTerminated(token, _) => token
            .clone()
            .try_cast::<Abort>()
            .map_or_else(|| "the script was ended".to_owned(), |abort| abort.to_string()),
        E::ErrorTooManyOperations(_) => Abort::Operations.to_string(),
        E::ErrorStackOverflow(_) => {
            format!("functions call each other deeper than {} levels", sandbox::CALL_LEVELS_MAX)
        }
        E::ErrorTooManyVariables(_) => format!("more than {} variables at once", sandbox::VARIABLES_MAX),
        E::ErrorDataTooLarge(what, _) => too_large(what),
        E::ErrorVariableNotFound(name, _) => format!("there is no variable `{name}`"),
        E::ErrorPropertyNotFound(name, _) => format!("there is no field `{name}`"),
        E::ErrorFunctionNotFound(signature, _) => call_message(signature),
        E::ErrorArithmetic(text, _) => lower_first(text),
        E::ErrorMismatchDataType(expected, found, _) | E::ErrorMismatchOutputType(expected, found, _) => {
            format!("expected {}, found {}", kind_name(expected), kind_name(found))
        }
        E::ErrorArrayBounds(length, index, _) => format!("the list has {length} items, there is none at `{index}`"),
        E::ErrorStringBounds(length, index, _) => {
            format!("the text has {length} characters, there is none at `{index}`")
        }
        E::ErrorFor(_) => "`for` goes through lists and spans of numbers only".to_owned(),
        E::ErrorIndexingType(name, _) => format!("{} has no parts to be taken by `[…]`", kind_name(name)),
        E::ErrorAssignmentToConstant(name, _) => format!("`{name}` is constant and cannot be changed"),
        E::ErrorNonPureMethodCallOnConstant(name, _) => {
            let name = name.trim_start_matches("set$").trim_start_matches("get$");
            format!("`{name}` would change a constant")
        }
        E::ErrorDotExpr(text, _) => dot_message(text),
        _ => lower_first(&error.to_string()),
    }
}

fn runtime_message(value: &Dynamic) -> String {
    if value.is_string() { value.to_string() } else { format!("the script gave up with {}", shown(value)) }
}

fn too_large(what: &str) -> String {
    let what = what.to_lowercase();
    if what.contains("string") {
        format!("text grew longer than {} bytes", sandbox::TEXT_BYTES_MAX)
    } else if what.contains("map") {
        format!("a map grew larger than {} fields", sandbox::MAP_FIELDS_MAX)
    } else {
        format!("a list grew longer than {} items", sandbox::LIST_ITEMS_MAX)
    }
}

/// `state (i64)` → ``the word `state` does not take (a number)``
fn call_message(signature: &str) -> String {
    let (name, arguments) = signature.split_once('(').unwrap_or((signature, ")"));
    let name = name.trim();
    // One text argument is written as all its Rust types; the bars in it are no separators.
    let arguments = arguments.trim_end_matches(')').replace("&str | ImmutableString | String", "text");
    let kinds: Vec<&str> = arguments.split(',').map(str::trim).filter(|kind| !kind.is_empty()).map(kind_name).collect();
    if let Some(field) = name.strip_prefix("set$") {
        return format!("the field `{field}` cannot be set");
    }
    if let Some(field) = name.strip_prefix("get$") {
        return format!("{} has no field `{field}`", kinds.first().copied().unwrap_or("this value"));
    }
    if name.starts_with(|c: char| c.is_alphabetic() || c == '_') {
        format!("there is no word `{name}` that takes ({})", kinds.join(", "))
    } else {
        format!("`{name}` cannot work on {}", kinds.join(" and "))
    }
}

fn dot_message(text: &str) -> String {
    // "Unknown property 'x' - a getter is not registered for type 'y'"
    let quoted: Vec<&str> = text.split('\'').skip(1).step_by(2).collect();
    match (text.contains("setter") || text.contains("modify"), quoted.as_slice()) {
        (true, [field, ..]) => format!("the field `{field}` cannot be set"),
        (false, [field, kind, ..]) => format!("{} has no field `{field}`", kind_name(kind)),
        _ => lower_first(text),
    }
}

/// The owner's name of a type of the engine.
fn kind_name(name: &str) -> &str {
    match name {
        "string" | "&str" | "ImmutableString" | "char" | "text" => "text",
        "i64" | "f64" | "number" => "a number",
        "bool" => "true or false",
        "array" => "a list",
        "map" => "a map",
        "()" => "nothing",
        "Fn" => "a function",
        other => other,
    }
}

fn lower_first(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_lowercase().chain(characters).collect())
}

fn syntax_message(error: &ParseErrorType) -> String {
    match error {
        ParseErrorType::UnexpectedEOF => "the script ends in the middle of something; is a `}` missing?".to_owned(),
        ParseErrorType::BadInput(LexError::ImproperSymbol(symbol, _)) | ParseErrorType::Reserved(symbol) => {
            reserved_message(symbol)
        }
        ParseErrorType::BadInput(LexError::UnterminatedString) => "a text has no closing quotation mark".to_owned(),
        ParseErrorType::BadInput(LexError::MalformedChar(text)) => {
            format!("text stands in double quotation marks, found `'{text}'`")
        }
        ParseErrorType::BadInput(LexError::UnexpectedInput(symbol)) => {
            format!("found `{symbol}`, which means nothing here")
        }
        ParseErrorType::MissingToken(token, place) => format!("expected `{token}` {place}"),
        ParseErrorType::LiteralTooLarge(what, _) => too_large(what),
        ParseErrorType::ExprTooDeep => {
            format!("expressions are nested deeper than {} levels", sandbox::FUNCTION_EXPRESSION_DEPTH_MAX)
        }
        ParseErrorType::TooManyFunctions => format!("more than {} functions", sandbox::FUNCTIONS_MAX),
        ParseErrorType::AssignmentToConstant(name) => format!("`{name}` is constant and cannot be changed"),
        ParseErrorType::FnDuplicatedDefinition(name, _) => format!("the function `{name}` stands twice"),
        ParseErrorType::DuplicatedProperty(name) => format!("the field `{name}` stands twice"),
        other => lower_first(&other.to_string().replace('\'', "`")),
    }
}

fn reserved_message(symbol: &str) -> String {
    match sandbox::DISABLED.iter().find(|(word, _)| *word == symbol) {
        Some((word, instead)) => format!("`{word}` is not part of the language of rules: {instead}"),
        None => format!("`{symbol}` has no place here"),
    }
}
