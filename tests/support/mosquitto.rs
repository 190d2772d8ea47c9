//! Mosquitto as the tests start it: finding it, ports, passwords, and its word that it runs.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// What every configuration begins with. `user root` keeps the rights of whoever starts it; for anybody but root it says
/// nothing.
pub const COMMON: &str = "user root\nlog_dest stderr\nset_tcp_nodelay true\nmax_queued_messages 0\npersistence false\n";

/// The program. Debian keeps it out of an ordinary user's search path.
pub fn program() -> Option<PathBuf> {
    find("mosquitto")
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders =
        std::env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin"].map(PathBuf::from));
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Starts Mosquitto, and waits for its word that it is running. `None`: it ended, most likely as its port is taken.
pub fn start(configuration: &Path) -> Option<Child> {
    let mut child = Command::new(program().expect("asked for before"))
        .arg("-c")
        .arg(configuration)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a program that can be run");
    let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
    let runs = lines.by_ref().map_while(Result::ok).any(|line| line.ends_with(" running"));
    if !runs {
        child.wait().expect("our own child");
        return None;
    }
    // Somebody must read on, or a full pipe stops the broker.
    std::thread::spawn(move || lines.for_each(drop));
    Some(child)
}

/// Writes a file of users and their passwords.
pub fn write_password_file(file: &Path, users: &[(&str, &str)]) {
    let program = find("mosquitto_passwd").expect("it is installed with Mosquitto");
    std::fs::write(file, "").expect("a writable temporary folder");
    for (user, password) in users {
        let made = Command::new(&program).arg("-b").arg(file).args([user, password]).status();
        assert!(made.expect("a program that can be run").success(), "mosquitto_passwd failed");
    }
}

/// Two ports that nobody listens on.
pub fn free_ports() -> (u16, u16) {
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    let [first, second] = listeners.map(|listener| listener.local_addr().expect("a bound socket").port());
    (first, second)
}
