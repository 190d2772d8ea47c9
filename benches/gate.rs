//! The built bridge beside a bare relay, through the same broker: latency, throughput, memory, time to start.
//!
//! The relay subscribes, publishes to the topic behind its prefix, and does nothing else; it is this very program, run
//! with other arguments. Both stand on the broker all the time and are measured in turns, A B A B …; what is compared
//! are medians, so that whatever slows the machine slows both. The bridge stands there three times: with the policies that
//! it ships, one of which judges each command; with ten policies that all judge each command; and with the shipped ones in
//! a house of a thousand discovered entities, one of which, guarded, is commanded. It publishes each decision.
//!
//! What the journal costs is measured of the same loop with it and without, run by this very program.
//!
//! `cargo bench --no-default-features --bench gate` measures through Mosquitto. Without Mosquitto the embedded broker is
//! used, which needs the default features.
#![expect(unreachable_pub, reason = "a benchmark has no outside")]
#![expect(clippy::expect_used, reason = "a measurement that cannot be made must not look like one")]
#![expect(clippy::disallowed_methods, reason = "a measurement needs a clock, and programs to measure")]

#[path = "gate/announcements.rs"]
mod announcements;
#[path = "gate/bare.rs"]
mod bare;
#[path = "gate/broker.rs"]
mod broker;
#[path = "gate/load.rs"]
mod load;
#[path = "gate/relay.rs"]
mod relay;
#[path = "gate/subject.rs"]
mod subject;

use std::time::Duration;

use broker::Broker;
use load::Load;
use subject::Subject;

/// Messages that the throughput measurement keeps on their way.
const IN_FLIGHT: usize = 100;
/// How long a bridge idles before its memory is read.
const IDLE: Duration = Duration::from_secs(10);

/// How much is measured. `cargo test --benches` passes `--test`: then once, to see that it works.
struct Effort {
    slow: usize,
    fast: usize,
    bulk: usize,
    rounds: usize,
    starts: usize,
    idle: Duration,
}

const FULL: Effort = Effort { slow: 100, fast: 3_000, bulk: 10_000, rounds: 5, starts: 11, idle: IDLE };
const GLANCE: Effort = Effort { slow: 3, fast: 100, bulk: 300, rounds: 1, starts: 1, idle: Duration::ZERO };

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [word, port] = words.as_slice()
        && word == relay::ARGUMENT
    {
        return relay::run(port.parse().expect("a port"));
    }
    if let [word, config] = words.as_slice()
        && [bare::WITH_JOURNAL, bare::WITHOUT_JOURNAL].contains(&word.as_str())
    {
        return bare::run(config, word == bare::WITH_JOURNAL);
    }
    let effort = if words.iter().any(|word| word == "--test") { GLANCE } else { FULL };
    let broker = Broker::start();
    println!("\ngate: through {}, {} rounds in turns", broker.name(), effort.rounds);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(measure(&broker, &effort));
}

async fn measure(broker: &Broker, effort: &Effort) {
    let mut load = Load::connect(broker.port()).await;
    // The relay first: each line compares a bridge with it.
    let port = broker.port();
    announcements::announce(port, subject::DISCOVERY).await;
    load.announce(subject::DISCOVERY, "load/house/112").await;
    let subjects =
        [Subject::relay(port), Subject::bridge(port), Subject::bridge_with_ten(port), Subject::bridge_in_a_house(port)];
    for subject in &subjects {
        load.wait_for(subject).await;
    }
    for (name, count, rate) in
        [("p50 latency at 20/s", effort.slow, 20), ("p50 latency at 1,000/s", effort.fast, 1_000)]
    {
        let mut latencies = [const { Vec::new() }; 4];
        for _ in 0..effort.rounds {
            for (latencies, subject) in latencies.iter_mut().zip(&subjects) {
                latencies.extend(load.paced(subject, count, rate).await);
            }
        }
        let [relay_us, bridge_us, ten_us, house_us] = latencies.map(median);
        line(name, "us", relay_us, bridge_us, Some(Target::AtMost(1.15)));
        line("  ten matching policies", "us", relay_us, ten_us, None);
        line("  a thousand entities", "us", relay_us, house_us, None);
    }
    let mut rates = [const { Vec::new() }; 4];
    for _ in 0..effort.rounds {
        for (rates, subject) in rates.iter_mut().zip(&subjects) {
            rates.push(load.windowed(subject, effort.bulk, IN_FLIGHT).await);
        }
    }
    let [relay_rate, bridge_rate, ten_rate, house_rate] = rates.map(median);
    line("throughput, 100 in flight", "/s", relay_rate, bridge_rate, Some(Target::AtLeast(0.80)));
    line("  ten matching policies", "/s", relay_rate, ten_rate, None);
    line("  a thousand entities", "/s", relay_rate, house_rate, None);
    drop(subjects);
    journal(broker, effort, &mut load).await;
    start_and_idle(broker, effort, &mut load).await;
}

/// What the journal costs a command: the same bridge with it and without.
async fn journal(broker: &Broker, effort: &Effort, load: &mut Load) {
    let subjects = [Subject::bare_without_journal(broker.port()), Subject::bare(broker.port())];
    for subject in &subjects {
        load.wait_for(subject).await;
    }
    for (name, count, rate) in
        [("journal: p50 at 20/s", effort.slow, 20), ("journal: p50 at 1,000/s", effort.fast, 1_000)]
    {
        let mut latencies = [const { Vec::new() }; 2];
        for _ in 0..effort.rounds {
            for (latencies, subject) in latencies.iter_mut().zip(&subjects) {
                latencies.extend(load.paced(subject, count, rate).await);
            }
        }
        let [off_us, on_us] = latencies.map(median);
        compare(name, "us", ("off", off_us), ("on", on_us), Some(Target::AtMost(1.10)));
    }
}

/// How long it takes from the start to the first command let through, and what an idle process holds.
async fn start_and_idle(broker: &Broker, effort: &Effort, load: &mut Load) {
    let (mut starts, mut memory) = ([Vec::new(), Vec::new()], [None, None]);
    for turn in 0..effort.starts {
        for (index, start) in [Subject::relay as fn(u16) -> Subject, Subject::bridge_with_ten].into_iter().enumerate() {
            let began = std::time::Instant::now();
            let subject = start(broker.port());
            load.wait_for(&subject).await;
            let took_ms = began.elapsed().as_secs_f64() * 1e3;
            starts.get_mut(index).expect("two subjects").push(took_ms);
            if turn == 0 {
                tokio::time::sleep(effort.idle).await;
                *memory.get_mut(index).expect("two subjects") = subject.resident_kib();
            }
        }
    }
    let [relay_ms, bridge_ms] = starts.map(median);
    line("start to first decision", "ms", relay_ms, bridge_ms, None);
    match memory {
        [Some(relay_kib), Some(bridge_kib)] => line("resident, idle", "KiB", relay_kib, bridge_kib, None),
        _ => println!("resident, idle: not measured, this system does not tell it under /proc"),
    }
}

#[derive(Clone, Copy)]
enum Target {
    AtMost(f64),
    AtLeast(f64),
}

/// Prints one comparison, a miss as a miss.
fn line(name: &str, unit: &str, relay: f64, bridge: f64, target: Option<Target>) {
    compare(name, unit, ("relay", relay), ("bridge", bridge), target);
}

fn compare(name: &str, unit: &str, one: (&str, f64), other: (&str, f64), target: Option<Target>) {
    let ((one, of_one), (other, of_other)) = (one, other);
    let ratio = of_other / of_one;
    let said = match target {
        None => "as measured".to_owned(),
        Some(Target::AtMost(bound)) => format!("at most {bound:.2}: {}", if ratio <= bound { "met" } else { "MISSED" }),
        Some(Target::AtLeast(bound)) => {
            format!("at least {bound:.2}: {}", if ratio >= bound { "met" } else { "MISSED" })
        }
    };
    println!(
        "{name:<26} {one:<6}{of_one:>9.1} {unit:<3}  {other:<6} {of_other:>9.1} {unit:<3}  ratio {ratio:.2} ({said})"
    );
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    *values.get(values.len() / 2).expect("at least one value")
}
