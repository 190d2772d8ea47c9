//! Where the log lies, and by which clock its times are told.

use std::path::PathBuf;

use clap::Args;
use jiff::tz::TimeZone;

use super::Stop;
use crate::cli::{ConfigArguments, settings};

#[derive(Debug, Args)]
pub(super) struct PlaceArguments {
    #[command(flatten)]
    config: ConfigArguments,
    /// The folder where the bridge keeps its data, instead of the one in the configuration, which is not read then.
    #[arg(long, value_name = "FOLDER", conflicts_with = "config")]
    data: Option<PathBuf>,
}

/// Where the log lies.
pub(super) struct LogPlace {
    pub(super) data: PathBuf,
    /// That of the house, else that of this machine.
    pub(super) zone: TimeZone,
}

impl PlaceArguments {
    pub(super) fn find(&self) -> Result<LogPlace, Stop> {
        if let Some(data) = &self.data {
            return Ok(LogPlace { data: data.clone(), zone: TimeZone::system() });
        }
        let config = settings::load(&self.config).map_err(Stop::Told)?;
        Ok(LogPlace { data: config.data, zone: config.place.zone.unwrap_or_else(TimeZone::system) })
    }
}
