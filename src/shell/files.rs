//! Files and environment: configuration, policies, secrets. All reads are bounded, and only regular files are read.
//!
//! What the texts mean is the affair of those who asked for them.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::config::{self, Secrets};
use crate::model::event::ScriptSource;

/// Largest configuration file.
pub const CONFIG_BYTES_MAX: u64 = config::TEXT_BYTES_MAX as u64;
/// Largest file of a policy or integration.
pub const SCRIPT_BYTES_MAX: u64 = 256 * 1024;
/// Most policies or integrations in one folder.
pub const SCRIPTS_MAX: usize = 1_000;
/// Largest file that holds a secret or a certificate.
pub const SECRET_BYTES_MAX: u64 = 1024 * 1024;

/// Ending of the file name of a policy or integration.
const SCRIPT_EXTENSION: &str = "rhai";

/// Reads a text file.
///
/// # Errors
/// For the owner: it is not there, no regular file, too large, or not UTF-8.
pub fn read_text(path: &Path, bytes_max: u64) -> Result<String, String> {
    let bytes = read_bytes(path, bytes_max)?;
    String::from_utf8(bytes).map_err(|error| {
        let valid_bytes = error.utf8_error().valid_up_to();
        format!("`{}` is not UTF-8 (after byte {valid_bytes})", path.display())
    })
}

/// Reads a file.
///
/// # Errors
/// As for `read_text`, without the last one.
#[expect(clippy::disallowed_methods, reason = "the one place where files are read")]
pub fn read_bytes(path: &Path, bytes_max: u64) -> Result<Vec<u8>, String> {
    let failed = |error: std::io::Error| format!("`{}` cannot be read: {error}", path.display());
    // Opening a pipe would wait for somebody to write into it.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(format!("`{}` is not a file", path.display()));
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(bytes_max + 1).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.len() as u64 > bytes_max {
        return Err(format!("`{}` is larger than {bytes_max} bytes", path.display()));
    }
    Ok(bytes)
}

/// Reads one policy or integration.
///
/// # Errors
/// As for `read_text`; or the file's name is none.
pub fn read_script(path: &Path) -> Result<ScriptSource, String> {
    let name = path.file_stem().and_then(|stem| stem.to_str());
    let name = name.ok_or_else(|| format!("the name of `{}` is not UTF-8", path.display()))?;
    let text = read_text(path, SCRIPT_BYTES_MAX)?;
    Ok(ScriptSource { name: name.to_owned(), file: path.display().to_string(), text })
}

/// Reads all policies or integrations of a folder, sorted by name. Hidden files are left out, and folders are not entered.
///
/// # Errors
/// The folder or one of the files cannot be read, or there are too many. Half a set is worse than none.
pub fn read_scripts(folder: &Path) -> Result<Vec<ScriptSource>, String> {
    let paths = paths_in(folder, is_script)?;
    if paths.len() > SCRIPTS_MAX {
        return Err(format!("`{}` has {} scripts, expected at most {SCRIPTS_MAX}", folder.display(), paths.len()));
    }
    paths.iter().map(|path| read_script(path)).collect()
}

/// Reads the owner's own integrations, by name. A folder that is not there holds none.
///
/// # Errors
/// The folder or one of the files cannot be read, or there are too many.
pub fn read_integrations(folder: &Path) -> Result<Vec<ScriptSource>, String> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    read_scripts(folder)
}

#[expect(clippy::disallowed_methods, reason = "the one place where folders are read")]
fn paths_in(folder: &Path, wanted: impl Fn(&Path) -> bool) -> Result<Vec<PathBuf>, String> {
    let failed = |error: std::io::Error| {
        let help = match error.kind() {
            std::io::ErrorKind::NotFound => "\nhelp: start the program where that folder is, or name another one",
            _ => "",
        };
        format!("the folder `{}` cannot be read: {error}{help}", folder.display())
    };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if wanted(&path) && path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Whether a path has the name of a policy or an integration.
pub fn is_script(path: &Path) -> bool {
    let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    !is_hidden && path.extension().is_some_and(|extension| extension == SCRIPT_EXTENSION)
}

/// The whole path of a folder, without links in it where it exists.
pub fn whole_path(folder: &Path) -> PathBuf {
    fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned())
}

/// Secrets from this process's environment and from files.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemSecrets;

impl Secrets for SystemSecrets {
    #[expect(clippy::disallowed_methods, reason = "the one place where the environment is read")]
    fn environment(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn file(&self, path: &str) -> Result<String, String> {
        read_text(Path::new(path), SECRET_BYTES_MAX)
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests write the files that are read")]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn policies_come_sorted_and_without_what_is_no_policy() {
        let folder = folder();
        for name in ["b.rhai", "a.rhai", ".hidden.rhai", "a.rhai~", "notes.md", "a.scenarios.yaml"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        fs::create_dir(folder.path().join("c.rhai")).unwrap();
        let sources = read_scripts(folder.path()).unwrap();
        let seen: Vec<(&str, &str)> =
            sources.iter().map(|source| (source.name.as_str(), source.text.as_str())).collect();
        assert_eq!(seen, [("a", "a.rhai"), ("b", "b.rhai")]);
        assert!(sources[0].file.ends_with("a.rhai"));
    }

    #[test]
    fn a_file_at_its_limit_is_read_and_one_byte_more_is_not() {
        let folder = folder();
        let path = folder.path().join("a.rhai");
        fs::write(&path, vec![b'/'; usize::try_from(SCRIPT_BYTES_MAX).unwrap()]).unwrap();
        assert!(read_scripts(folder.path()).is_ok());
        fs::write(&path, vec![b'/'; usize::try_from(SCRIPT_BYTES_MAX).unwrap() + 1]).unwrap();
        let error = read_scripts(folder.path()).unwrap_err();
        assert!(error.ends_with("is larger than 262144 bytes"), "{error}");
    }

    #[test]
    fn one_policy_too_many_is_refused() {
        let folder = folder();
        for index in 0..SCRIPTS_MAX {
            fs::write(folder.path().join(format!("p{index}.rhai")), "").unwrap();
        }
        assert_eq!(read_scripts(folder.path()).unwrap().len(), SCRIPTS_MAX);
        fs::write(folder.path().join("one_more.rhai"), "").unwrap();
        let error = read_scripts(folder.path()).unwrap_err();
        assert!(error.ends_with("has 1001 scripts, expected at most 1000"), "{error}");
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let folder = folder();
        let missing = folder.path().join("none");
        let error = read_scripts(&missing).unwrap_err();
        assert!(error.contains("none` cannot be read") && error.contains("\nhelp: start the program where"), "{error}");
        assert!(read_text(folder.path(), 1).unwrap_err().ends_with("is not a file"));
        let path = folder.path().join("latin.rhai");
        fs::write(&path, b"// caf\xE9").unwrap();
        assert!(read_scripts(folder.path()).unwrap_err().ends_with("latin.rhai` is not UTF-8 (after byte 6)"));
        assert!(SystemSecrets.file(&missing.display().to_string()).is_err());
        assert_eq!(SystemSecrets.environment("HUSHGATE_NO_SUCH_VARIABLE"), None);
    }
}
