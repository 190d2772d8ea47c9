//! A small test program of our own: it runs cases a few at a time, and says by name what it leaves out and why.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// One case as it is to be run.
pub struct Planned {
    pub name: String,
    /// Why it is left out. `None`: it runs.
    pub left_out: Option<String>,
    pub run: Box<dyn Fn() + Sync>,
}

/// Reads the arguments as `cargo test` gives them, parts of names and `--list`, and leaves in what is wanted. `None`: the
/// names were printed, and that is all.
pub fn wanted(planned: Vec<Planned>) -> Option<Vec<Planned>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let filters: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    let wanted = |name: &str| filters.is_empty() || filters.iter().any(|part| name.contains(part.as_str()));
    let planned: Vec<Planned> = planned.into_iter().filter(|planned| wanted(&planned.name)).collect();
    if words.iter().any(|word| word == "--list") {
        planned.iter().for_each(|planned| println!("{}: test", planned.name));
        return None;
    }
    Some(planned)
}

/// Runs the cases, at most `parallel_max` at a time, and prints one line for each and a summary as `cargo test` does.
pub fn run(planned: &[Planned], parallel_max: usize) -> ExitCode {
    let began = Instant::now();
    let next = AtomicUsize::new(0);
    let (failed, left_out) = (Mutex::new(Vec::new()), AtomicUsize::new(0));
    println!("\nrunning {} tests", planned.len());
    std::thread::scope(|scope| {
        for _ in 0..parallel_max {
            scope.spawn(|| {
                while let Some(Planned { name, left_out: reason, run }) =
                    planned.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    if let Some(why) = reason {
                        left_out.fetch_add(1, Ordering::Relaxed);
                        println!("test {name} ... ignored, {why}");
                        continue;
                    }
                    let started = Instant::now();
                    let outcome = catch_unwind(AssertUnwindSafe(run));
                    let word = if outcome.is_ok() { "ok" } else { "FAILED" };
                    println!("test {name} ... {word} ({:.1} s)", started.elapsed().as_secs_f32());
                    if outcome.is_err() {
                        failed.lock().expect("no thread panics while it holds this").push(name.clone());
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("no thread panics while it holds this");
    let left_out = left_out.into_inner();
    let passed = planned.len() - failed.len() - left_out;
    if !failed.is_empty() {
        println!("\nfailures:\n    {}", failed.join("\n    "));
    }
    println!(
        "\ntest result: {}. {passed} passed; {} failed; {left_out} ignored; 0 measured; 0 filtered out; finished in {:.2}s\n",
        if failed.is_empty() { "ok" } else { "FAILED" },
        failed.len(),
        began.elapsed().as_secs_f32()
    );
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
