//! `hushgate log forget`: erases what people said.

use std::io::{BufRead, IsTerminal};

use clap::Args;

use super::filter::patterns;
use super::place::PlaceArguments;
use super::verify::bytes;
use super::{Stop, moment, usage};
use crate::cli::Exit;
use crate::cli::terminal::{self, Progress};
use crate::shell::clock::Clock;
use crate::shell::log::forget::{Forgotten, forget};
use crate::shell::log::journal_folder;
use crate::shell::log::reading::Reading;
use crate::shell::log::select::Selection;

#[derive(Debug, Args)]
pub(super) struct ForgetArguments {
    #[command(flatten)]
    place: PlaceArguments,
    /// Before this moment: `30d`, `2026-01-01`.
    #[arg(long, value_name = "MOMENT")]
    before: String,
    /// Only of this channel, satellite or speaker.
    #[arg(long, visible_alias = "channel", value_name = "PATTERN", value_delimiter = ',')]
    speaker: Vec<String>,
    /// Only of this action or event.
    #[arg(long, value_name = "PATTERN", value_delimiter = ',')]
    action: Vec<String>,
    /// Do it without asking.
    #[arg(long)]
    yes: bool,
}

pub(super) fn execute(arguments: &ForgetArguments) -> Result<Exit, Stop> {
    let place = arguments.place.find()?;
    let now = Clock::new().now().utc;
    let before = moment::parse(&arguments.before, now, &place.zone).map_err(|error| usage(&error))?;
    let (speakers, actions) = (patterns(&arguments.speaker), patterns(&arguments.action));
    let selection = Selection { until: Some(before), speakers, actions, ..Selection::default() };
    // It says so where there is no journal at all.
    Reading::open(&place.data)?;
    let folder = journal_folder(&place.data);
    let total = bytes(&folder)?;
    let run = |is_trial, what| {
        let mut progress = Progress::new(what, total);
        forget(&folder, &selection, is_trial, &mut |bytes| progress.advance(bytes))
    };
    if !arguments.yes {
        let found = run(true, "looking")?;
        let until = before.to_zoned(place.zone.clone()).strftime("%Y-%m-%d %H:%M").to_string();
        terminal::say(&format!("before {until}: {}", told(found)));
        if found == Forgotten::default() {
            return Ok(Exit::Done);
        }
        if !is_meant()? {
            terminal::say("nothing was erased");
            return Ok(Exit::Failure);
        }
    }
    let forgotten = run(false, "forgetting")?;
    terminal::print_line(&format!("erased: {}", told(forgotten)));
    terminal::say(
        "copies and backups of the journal still have it, and so may old blocks of a flash or copy-on-write disk",
    );
    Ok(Exit::Done)
}

fn told(forgotten: Forgotten) -> String {
    let Forgotten { lines, bytes } = forgotten;
    let records = if lines == 1 { "record" } else { "records" };
    format!("what was said or read in {lines} {records} ({bytes} bytes)")
}

fn is_meant() -> Result<bool, Stop> {
    let input = std::io::stdin();
    if !input.is_terminal() {
        return Err(usage("nobody is there to be asked\nhelp: add `--yes`"));
    }
    terminal::say("erase it for ever? [y/N]");
    let mut answer = String::new();
    input.lock().read_line(&mut answer).map_err(|error| format!("the answer cannot be read: {error}"))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
