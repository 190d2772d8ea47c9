//! Holds the shape of the crate: who imports whom, who grants permits, how long a file may be, and that the core is pure.

#![expect(clippy::expect_used, reason = "a test fails by a panic, also in the functions that help it")]
#![expect(clippy::disallowed_methods, reason = "it reads the sources")]

use std::fs;
use std::path::{Path, PathBuf};

/// Each part of the crate and what it may import, lowest first. A part may always import itself.
const LAYERS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("home", &["model"]),
    ("time", &["model"]),
    ("script", &["model"]),
    ("config", &["model", "home", "time", "script"]),
    ("policy", &["model", "home", "time", "script", "config"]),
    ("integration", &["model", "time", "script", "config"]),
    ("registry", &["model", "home", "time", "script", "config", "integration"]),
    ("access", &["model", "home", "time", "script", "config", "integration", "registry"]),
    ("engine", &["model", "home", "time", "script", "config", "integration", "policy", "registry"]),
    ("wire", &["model", "time", "script", "config", "integration", "registry"]),
    ("journal", &["model", "config"]),
    (
        "bridge",
        &[
            "model",
            "home",
            "time",
            "script",
            "config",
            "integration",
            "policy",
            "registry",
            "engine",
            "wire",
            "journal",
        ],
    ),
    (
        "scenario",
        &[
            "model",
            "home",
            "time",
            "script",
            "config",
            "integration",
            "policy",
            "registry",
            "engine",
            "wire",
            "journal",
            "bridge",
        ],
    ),
];
/// What lies above the core may import everything.
const SHELL: &[&str] = &["shell", "cli", "main", "lib"];
const FILE_LINES_MAX: usize = 600;

fn sources(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = fs::read_to_string(&path).expect("a source file");
            found.push((path, text));
        }
    }
}

/// All sources, each with its path below `src` and the part of the crate that it belongs to.
fn parts() -> Vec<(String, String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    sources(&root, &mut found);
    assert!(found.len() > 30, "the sources were not found: {} files", found.len());
    let part_of = |(path, text): (PathBuf, String)| {
        let path = path.strip_prefix(&root).expect("below src").to_string_lossy().replace('\\', "/");
        let part = path.split(['/', '.']).next().expect("a name").to_owned();
        (path, part, text)
    };
    found.into_iter().map(part_of).collect()
}

/// The parts that a text names after `crate::`, in braces too.
fn imports(text: &str) -> Vec<String> {
    let behind = text.split("crate::").skip(1);
    let named = behind.flat_map(|rest| match rest.strip_prefix('{') {
        Some(list) => list.split('}').next().unwrap_or_default().split(',').collect::<Vec<_>>(),
        None => vec![rest],
    });
    let word = |text: &str| text.trim().chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect::<String>();
    named.map(word).filter(|name| !name.is_empty()).collect()
}

#[test]
fn imports_go_one_way() {
    for (path, part, text) in parts() {
        if SHELL.contains(&part.as_str()) {
            continue;
        }
        let layer = LAYERS.iter().find(|(name, _)| *name == part);
        let Some((_, allowed)) = layer else { panic!("src/{path}: give the new part `{part}` a line in LAYERS") };
        for name in imports(&text) {
            assert!(
                name == part || allowed.contains(&name.as_str()),
                "src/{path} imports `{name}`, but `{part}` may import only {allowed:?}: move what both need to a lower part"
            );
        }
    }
}

#[test]
fn only_the_engine_grants_permits() {
    let granting: Vec<String> =
        parts().into_iter().filter(|(_, _, text)| text.contains("Permit::grant(")).map(|(path, _, _)| path).collect();
    assert!(!granting.is_empty(), "nobody grants a permit: is the function called otherwise now?");
    for path in granting {
        assert!(path.starts_with("engine/"), "src/{path} grants a permit: let the engine decide, and take its permit");
    }
}

#[test]
fn the_core_is_pure_and_files_are_short() {
    for (path, part, text) in parts() {
        let lines = text.lines().count();
        assert!(lines <= FILE_LINES_MAX, "src/{path} has {lines} lines, at most {FILE_LINES_MAX}: split it by idea");
        if SHELL.contains(&part.as_str()) {
            continue;
        }
        for banned in ["std::fs", "std::net::Tcp", "std::thread", "Instant", "SystemTime", "tokio::", "rumqttc::"] {
            assert!(!text.contains(banned), "src/{path} names `{banned}`: let the shell do it and hand the result in");
        }
    }
}
