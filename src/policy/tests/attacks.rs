use super::ask;

#[test]
fn attacks() {
    for body in [
        "loop {}",
        "loop { let x = 1; }",
        "while true {}",
        "let a = [];\n loop {\n a += [1]; }",
        "let a=[]; loop { a = [a, a]; }",
        "let a=[1]; loop { a[0] = a; }",
        "let m=#{a:1}; loop { m.a = m; }",
        "let s=\"x\"; loop { s += s; }",
        "let s=\"x\"; loop { s = s + s; }",
        "let m = #{}; let i=0; loop { m[\"k\"+i] = i; i+=1; }",
    ] {
        let e = ask(body).error.unwrap();
        println!("{body}: {:?}", (e.line, e.column, e.message));
    }
}
