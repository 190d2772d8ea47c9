//! `hushgate demo`: one evening and one night in a house, played by real MQTT clients.
//!
//! In 2018 an Echo in Portland woke by mistake, misheard "send message", a name and "right", and sent a private
//! conversation to a contact. Here a bridge stands between. Nothing is staged but the civil time: the broker, the
//! bridge, its configuration and the policies are those that the program ships, and every line that is told was
//! received by a client. A story that does not come true ends with exit code 1.

use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;

use clap::Args;
use jiff::Timestamp;
use tokio::task::LocalSet;

use super::shipped::PolicyFolder;
use super::{Exit, run, terminal};
use crate::config::{self, Broker, Config, Remote};
use crate::model::mode::Mode;
use crate::shell::broker::EmbeddedBroker;
use crate::shell::clock::Clock;
use crate::shell::files::SystemSecrets;
use crate::shell::journal::Journal;
use crate::shell::run::{Run, loopback};
use crate::shell::seed;

mod actor;
mod echo;
mod stage;
mod story;
mod visit;

use stage::Stage;

/// Where `--stay` listens if nobody else does.
const STAY_PORT: u16 = 1883;
/// What the bridge of the demo calls itself on its broker.
const NAME_ON_THE_BROKER: &str = "hushgate-hushgate";
/// The evening: twenty to ten in Portland, before the quiet hours.
const EVENING: Timestamp = Timestamp::constant(1_810_615_200, 0);
/// A little later.
const LATER: Timestamp = Timestamp::constant(1_810_615_920, 0);
/// The night: fourteen minutes past eleven.
const NIGHT: Timestamp = Timestamp::constant(1_810_620_840, 0);

#[derive(Debug, Args)]
pub struct DemoArguments {
    /// Stay up after the story, on 127.0.0.1:1883 if that is free, and say how to publish to it.
    #[arg(long)]
    stay: bool,
}

/// Plays the story. The exit code says whether it came true.
pub fn execute(arguments: &DemoArguments) -> Exit {
    let told = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the program cannot start: {error}"))
        .and_then(|runtime| runtime.block_on(LocalSet::new().run_until(play(arguments.stay))));
    match told {
        Ok(()) => Exit::Done,
        Err(error) => {
            terminal::error(&error);
            Exit::Failure
        }
    }
}

async fn play(stays: bool) -> Result<(), String> {
    let broker = start_broker(stays)?;
    let remote = loopback(broker.address());
    let folder = PolicyFolder::write()?;
    let config = Rc::new(configure(&remote, &folder)?);
    let mut stage = Stage::build(&config, &remote, EVENING).await?;
    stage.title(&format!("broker on {}; {} policies; every command passes the gate", broker.address(), folder.count()));

    let clock = Clock::showing(EVENING);
    stage.set_clock(clock);
    with_bridge(&config, clock, story::evening(&mut stage)).await?;
    let clock = Clock::showing(LATER);
    stage.set_clock(clock);
    with_bridge(&config, clock, story::conversation(&mut stage)).await?;
    // Nobody is at the gate now, and somebody leaves a command there.
    story::leave_a_ghost(&mut stage).await?;
    let clock = Clock::showing(NIGHT);
    stage.set_clock(clock);
    with_bridge(&config, clock, async {
        story::night(&mut stage).await?;
        stage.finish().await?;
        if stays { stay(&broker, &folder).await } else { Ok(()) }
    })
    .await
}

/// Runs a bridge as long as the scene lasts, then lets it say farewell.
async fn with_bridge(
    config: &Rc<Config>,
    clock: Clock,
    scene: impl Future<Output = Result<(), String>>,
) -> Result<(), String> {
    let run = Run::new(Rc::clone(config), clock, &seed::draw()?, Journal::Human)
        .map_err(|error| format!("the bridge cannot start: {error:?}"))?;
    let (over, is_over) = tokio::sync::oneshot::channel::<()>();
    let until = run.until(async {
        // The scene may fail and never say so.
        is_over.await.unwrap_or(());
    });
    let scene = async {
        let told = scene.await;
        drop(over);
        told
    };
    let (ended, told) = tokio::join!(until, scene);
    told.map_err(|error| format!("{error}\nhelp: the bridge ended with: {ended:?}"))
}

fn start_broker(stays: bool) -> Result<EmbeddedBroker, String> {
    let at = |port| EmbeddedBroker::start(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    if stays && let Ok(broker) = at(STAY_PORT) {
        return Ok(broker);
    }
    at(0)
}

/// The configuration that the program ships, on the broker of the demo, and enforcing.
fn configure(remote: &Remote, folder: &PolicyFolder) -> Result<Config, String> {
    let config = config::parse("the built-in configuration", config::BUILT_IN, &SystemSecrets)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
    let policies = folder.path().to_owned();
    // Nothing of a demo is left behind.
    let data = policies.join("data");
    Ok(Config { broker: Broker::Remote(remote.clone()), mode: Mode::Enforce, policies, data, ..config })
}

/// Keeps everything up until Ctrl-C, and says how to join in.
async fn stay(broker: &EmbeddedBroker, folder: &PolicyFolder) -> Result<(), String> {
    let stop = run::stop_signal().map_err(|error| format!("signals cannot be heard: {error}"))?;
    let program = std::env::args().next().unwrap_or_else(|| "hushgate".to_owned());
    anstream::println!("\n{}", visit::invitation(&program, broker.address(), folder.path()));
    stop.await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::run::client_id;

    #[test]
    fn the_name_on_the_broker_is_the_one_that_the_bridge_has() {
        let config = config::parse("the built-in configuration", config::BUILT_IN, &SystemSecrets).unwrap();
        assert_eq!(client_id(&config.base), NAME_ON_THE_BROKER);
    }

    #[test]
    fn the_times_of_the_story_are_those_that_it_tells() {
        let zone = jiff::tz::TimeZone::get("America/Los_Angeles").unwrap();
        for (at, expected) in [(EVENING, "2027-05-17 21:40"), (LATER, "2027-05-17 21:52"), (NIGHT, "2027-05-17 23:14")]
        {
            assert_eq!(at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string(), expected);
        }
    }
}
