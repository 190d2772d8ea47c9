//! `hushgate log verify` and `hushgate log head`.

use std::path::Path;

use clap::Args;

use super::place::PlaceArguments;
use super::{Stop, usage};
use crate::cli::Exit;
use crate::cli::terminal::{self, Progress};
use crate::journal::line;
use crate::shell::log::segments::{self, Found, Lines};
use crate::shell::log::verify::{self, Head, Report};
use crate::shell::log::{journal_folder, reading::Reading};

#[derive(Debug, Args)]
pub(super) struct VerifyArguments {
    #[command(flatten)]
    place: PlaceArguments,
    /// A head that was kept elsewhere, as `hushgate log head` or the topic `journal` told it. May be given several times.
    #[arg(long, value_name = "NUMBER:LINK")]
    head: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct HeadArguments {
    #[command(flatten)]
    place: PlaceArguments,
}

pub(super) fn execute(arguments: &VerifyArguments) -> Result<Exit, Stop> {
    let heads: Vec<Head> = arguments
        .head
        .iter()
        .map(|head| head.parse().map_err(|error: String| usage(&error)))
        .collect::<Result<_, _>>()?;
    let place = arguments.place.find()?;
    // It says so where there is no journal at all. The index is not asked.
    Reading::open(&place.data)?;
    let folder = journal_folder(&place.data);
    let mut progress = Progress::new("verifying", bytes(&folder)?);
    let report = verify::verify(&folder, &heads, &mut |bytes| progress.advance(bytes))?;
    drop(progress);
    Ok(tell(&report))
}

fn tell(report: &Report) -> Exit {
    let count = |count: u64, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
    let (lines, files) = (count(report.lines, "record", "records"), count(report.segments, "file", "files"));
    if let Some(finding) = &report.finding {
        terminal::print_line(&format!(
            "`{}` line {}: {}: {}",
            finding.file,
            finding.line,
            finding.fault.name(),
            finding.reason
        ));
        terminal::print_line(&format!("{lines} before it are as they were written"));
        return Exit::Failure;
    }
    let mut asides = Vec::new();
    if let Some(begins_at) = report.begins_at {
        asides.push(format!("records before {begins_at} were pruned, as a later record says"));
    }
    if report.pruned > 0 {
        asides.push(format!("{} pruned", count(report.pruned, "record was", "records were")));
    }
    if report.forgotten > 0 {
        asides.push(format!("of {} something was forgotten", count(report.forgotten, "record", "records")));
    }
    terminal::print_line(&format!("{lines} in {files}: all as they were written"));
    for aside in asides {
        terminal::print_line(&aside);
    }
    if let Some(head) = report.head {
        terminal::print_line(&format!("head {head}"));
    }
    Exit::Done
}

pub(super) fn bytes(folder: &Path) -> Result<u64, String> {
    let length = |segment: &segments::Segment| std::fs::metadata(&segment.path).map_or(0, |metadata| metadata.len());
    Ok(segments::list(folder)?.iter().map(length).sum())
}

/// The last whole line of the last segment that has one.
pub(super) fn execute_head(arguments: &HeadArguments) -> Result<Exit, Stop> {
    let place = arguments.place.find()?;
    let reading = Reading::open(&place.data)?;
    for segment in reading.segments().iter().rev() {
        let mut lines = Lines::open(&segment.path, 0)?;
        let mut head = None;
        while let Some(found) = lines.next_line()? {
            match found {
                Found::Line { text, .. } => {
                    head = line::read(text).ok().map(|line| Head { seq: line.seq, link: line.link }).or(head);
                }
                Found::Unreadable { .. } => {}
                Found::Torn { .. } => break,
            }
        }
        if let Some(head) = head {
            terminal::print_line(&head.to_string());
            return Ok(Exit::Done);
        }
    }
    Err(Stop::Failed("the journal has no records yet".to_owned()))
}
