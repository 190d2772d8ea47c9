//! The built bridge as a process: its log, its signals, its end.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Instant;

use tempfile::TempDir;

use crate::client::PATIENCE;

/// The program under test.
fn binary() -> PathBuf {
    std::env::var_os("HUSHGATE_BIN").map_or_else(|| env!("CARGO_BIN_EXE_hushgate").into(), PathBuf::from)
}

/// It, with nothing of this terminal's.
pub fn command() -> Command {
    clean(Command::new(binary()))
}

/// The same, in the place of a shell that has made a setting first. The process is the shell's.
pub fn command_after(setting: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("{setting}; exec \"$0\" \"$@\"")).arg(binary());
    clean(shell)
}

fn clean(mut command: Command) -> Command {
    command.env("NO_COLOR", "1").env_remove("HUSHGATE_LOG").stdin(Stdio::null());
    command
}

/// A running bridge. It is killed when the value is dropped.
pub struct Bridge {
    child: Child,
    lines: Receiver<String>,
    log: Vec<String>,
    /// Its configuration and policies: they stay as long as it runs.
    _folder: Arc<TempDir>,
}

impl Bridge {
    /// Runs `demo --stay`; its log is what it tells.
    pub fn demo_that_stays() -> Bridge {
        let folder = Arc::new(tempfile::tempdir().expect("a temporary folder"));
        let mut command = command();
        command.args(["demo", "--stay"]).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = command.spawn().expect("the built program");
        let told = child.stdout.take().expect("piped");
        Bridge::reading(child, told, folder)
    }

    /// A bridge whose log is read from here. The folder stays as long as it runs.
    pub fn reading(child: Child, log: impl Read + Send + 'static, folder: Arc<TempDir>) -> Bridge {
        let (tell, lines) = channel();
        let log = BufReader::new(log);
        // It ends with the pipe, so with the bridge.
        std::thread::spawn(move || log.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
        Bridge { child, lines, log: Vec::new(), _folder: folder }
    }

    /// Waits for a line of the log, not read before, that has all these words in it.
    pub fn expect_log(&mut self, words: &[&str]) -> String {
        let fits = |line: &String| words.iter().all(|word| line.contains(word));
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    let found = fits(&line).then(|| line.clone());
                    self.log.push(line);
                    if let Some(line) = found {
                        return line;
                    }
                }
                Err(error) => panic!("no line with {words:?} ({error}); the log:\n{}", self.log.join("\n")),
            }
        }
    }

    /// The whole log of a bridge that has ended.
    pub fn whole_log(&mut self) -> String {
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            self.log.push(line);
        }
        self.log.join("\n")
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it without warning, as a crash does.
    pub fn kill(mut self) {
        self.child.kill().expect("our own child");
        self.child.wait().expect("our own child");
    }

    /// Sends a signal by name: `TERM`, `HUP`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.id().to_string()).status();
        assert!(sent.expect("`kill` is everywhere").success(), "the bridge is gone already");
    }

    /// Waits until it ends by itself: its log is read to the end, then its status is taken.
    pub fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => self.log.push(line),
                Err(RecvTimeoutError::Disconnected) => return self.child.wait().expect("our own child"),
                Err(RecvTimeoutError::Timeout) => panic!("the bridge did not end; the log:\n{}", self.log.join("\n")),
            }
        }
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        // It may have ended already, and then both say so.
        if self.child.kill().is_ok() {
            let _ = self.child.wait();
        }
        if std::thread::panicking() {
            let rest: Vec<String> = self.lines.try_iter().collect();
            self.log.extend(rest);
            eprintln!("the bridge's log:\n{}\n", self.log.join("\n"));
        }
    }
}
