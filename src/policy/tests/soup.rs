//! Scripts made of random words: whatever they are, loading and asking them ends, and nothing panics.

use std::rc::Rc;

use super::{catalog, request, source, view};
use crate::policy::PolicySet;
use crate::policy::words;

const SCRIPTS: u32 = 2_000;

/// What scripts are made of, besides the words of the language.
const PIECES: &[&str] = &[
    "if ", "else ", "{ ", "} ", "( ", ") ", "[ ", "] ", "; ", ", ", "let x = ", "const y = ", "x ", "y ", "N ", "L ", "M ", "x = ",
    "x += ", "fn f(a) { ", "f(1) ", "|x| ", "|| ", "loop { ", "while true { ", "while { break; true } {} ", "do { ", "} while ",
    "for x in ", "break; ", "continue; ", "return ", "1 ", "0.5 ", "\"a\" ", "`${x}` ", "`${ ", "` ", "true ", "() ", "#{ a: ", "== ",
    "!= ", "< ", ">= ", "+ ", "- ", "* ", "/ ", "% ", "** ", "<< ", "& ", "&& ", "| ", "! ", "in ", "!in ", "..", "..=", ".", "request",
    "request.", ".action ", ".text ", ".data ", ".any(", "a ", "'c' ", "9223372036854775807 ", "x[0] ", "x.a ", "L[0] ", "M.a ", "L[0] = ",
    "this ", "is ", "Fn(\"f\") ", "// ", "/* ", "*/ ", "\n", "\u{e9} ", "@ ", "#", "$", "::", "=> ", "import ", "\"", "const ACTIONS = ",
];

#[test]
fn random_scripts_end_and_do_not_panic() {
    let seed = 20_181_122;
    let mut random = fastrand::Rng::with_seed(seed);
    let words: Vec<String> = words::all().map(|word| format!("{}(", word.name)).collect();
    let request = Rc::new(request());
    let (view, catalog) = (view(), catalog());
    let (mut loaded, mut failed) = (0, 0);
    for _ in 0..SCRIPTS {
        let mut body = String::new();
        for _ in 0..random.usize(1..12) {
            match random.u8(0..4) {
                0 => body.push_str(&words[random.usize(..words.len())]),
                1 => body.push_str(["\"a.b\", ", "\"1m\") ", "x) ", ") ", "\"a\"); "][random.usize(..5)]),
                _ => body.push_str(PIECES[random.usize(..PIECES.len())]),
            }
        }
        // Half of them are closed, so that more of them run.
        if random.bool() {
            let open = |opening: char, closing: char| body.matches(opening).count().saturating_sub(body.matches(closing).count());
            let closing = [")".repeat(open('(', ')')), "]".repeat(open('[', ']')), "}".repeat(open('{', '}'))].concat();
            body.push_str(&closing);
        }
        let text = format!(
            "const ACTIONS = \"*\"; const N = 5; const L = [1, \"a\"]; const M = #{{ a: [1] }};\n\
             fn on_request(request) {{ let x = 1; {body}\n}}"
        );
        match PolicySet::compile(&[source(&text)], &catalog, None) {
            Ok(set) => {
                loaded += 1;
                let reaction = set.policies()[0].on_request(&request, &view);
                failed += u32::from(reaction.error.is_some());
            }
            Err(findings) => assert!(!findings.is_empty(), "refused for no reason: {text}"),
        }
    }
    assert!(loaded > SCRIPTS / 50 && failed > loaded / 20, "{loaded} of {SCRIPTS} loaded, {failed} of these failed");
}

#[test]
fn leaving_a_loop_that_is_not_there_is_no_panic() {
    for body in [
        "while { break; true } {}",
        "for x in { break; [1] } {}",
        "do {} while { break; true }",
        "loop { [1].any(|x| { break; true }); }",
        "if { break; true } {}",
        "let x = loop { break 5 }; if x == 5 { }",
        "[1].any(|x| { loop { break; } true });",
        "for n in [1] { [1].any(|x| { continue; true }); }",
        "deny({ break; \"x\" })",
        "`${ { break; 1 } }`;",
        "loop { if { break; true } { } }",
    ] {
        let text = format!("const ACTIONS = \"*\"; fn on_request(request) {{ {body}\n}}");
        if let Ok(set) = PolicySet::compile(&[source(&text)], &catalog(), None) {
            let _ = set.policies()[0].on_request(&Rc::new(request()), &view());
        }
    }
}
