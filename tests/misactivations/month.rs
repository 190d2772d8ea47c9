//! A month: 19 misactivations a day at each of five satellites, and what follows from them.
//!
//! Up to 19 a day and device were measured, and more than half of them lasted six seconds or longer: time enough for
//! somebody's words to be taken for a wish (Dubois et al., "When Speakers Are All Ears", PETS 2020). Here each of those is
//! taken for one, and of the wishes more than half are sensitive. That is worse than any house.

use std::collections::BTreeSet;

use serde_json::json;

use super::house::{House, INTENTS, SITES, shipped};

const PER_DAY: usize = 19;
const DAYS: usize = 30;
const MISACTIVATIONS: usize = PER_DAY * SITES.len() * DAYS;
/// The smallest number that is more than half of them.
const WITH_COMMAND: usize = MISACTIVATIONS / 2 + 1;
/// Of those, how many the next room hears as well.
const HEARD_TWICE: usize = WITH_COMMAND / 20;
const DAY_MS: u64 = 86_400_000;
const HOUR_MS: u64 = 3_600_000;
/// Midnight in Portland, at the beginning of a Monday.
const BEGIN: &str = "2027-03-01T08:00:00Z";
const SEED_DEFAULT: u64 = 20_181_105;

/// A microphone wakes.
#[derive(Debug, Clone)]
struct Misactivation {
    site: usize,
    at_ms: u64,
    /// What it takes the sound for, and how sure it is.
    heard: Option<(usize, f64)>,
}

/// What a satellite tells of it, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    Woke,
    Began,
    Captured,
    Understood,
    Missed,
    Yes,
    Ended,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    Fact(String, &'static str),
    Told(usize, Told),
}

fn month(random: &mut fastrand::Rng) -> Vec<Misactivation> {
    let mut all = Vec::new();
    for site in 0..SITES.len() {
        for day in 0..DAYS as u64 {
            for _ in 0..PER_DAY {
                // People sleep, and so does the television, most of the time.
                let hour = if random.u32(0..20) == 0 { random.u64(0..7) } else { random.u64(7..24) };
                let at_ms = day * DAY_MS + hour * HOUR_MS + random.u64(0..HOUR_MS - 60_000);
                all.push(Misactivation { site, at_ms, heard: None });
            }
        }
    }
    random.shuffle(&mut all);
    for misactivation in all.iter_mut().take(WITH_COMMAND) {
        misactivation.heard = Some((random.usize(0..INTENTS.len()), f64::from(random.u32(20..96)) / 100.0));
    }
    // A voice that carries: the next one in the list hears the same at the same time, in another room.
    for pair in all[..WITH_COMMAND].chunks_exact_mut(2).take(HEARD_TWICE) {
        let [first, second] = pair else { continue };
        second.site = (first.site + 1 + random.usize(0..SITES.len() - 1)) % SITES.len();
        second.at_ms = first.at_ms + random.u64(0..1_500);
        second.heard = first.heard.map(|(intent, _)| (intent, f64::from(random.u32(20..96)) / 100.0));
    }
    all
}

/// Everything that happens, in the order of time.
fn timeline(month: &[Misactivation]) -> Vec<(u64, Happening)> {
    let mut all = Vec::new();
    for day in 0..DAYS as u64 {
        let at = |hour: u64| day * DAY_MS + hour * HOUR_MS;
        // Weeks begin on Monday. At weekends somebody is at home.
        if day % 7 < 5 {
            for (person, place) in [("person.anna", "not_home"), ("person.ben", "work")] {
                all.push((at(9), Happening::Fact(person.to_owned(), place)));
                all.push((at(17), Happening::Fact(person.to_owned(), "home")));
            }
        }
        for site in SITES {
            let player = format!("media_player.{site}_tv");
            all.push((at(19), Happening::Fact(player.clone(), "playing")));
            all.push((at(23), Happening::Fact(player, "off")));
        }
    }
    for (index, misactivation) in month.iter().enumerate() {
        let mut tell = |after_ms, told| all.push((misactivation.at_ms + after_ms, Happening::Told(index, told)));
        tell(0, Told::Woke);
        tell(100, Told::Began);
        match misactivation.heard {
            None => tell(6_000, Told::Missed),
            Some((intent, _)) => {
                tell(6_000, Told::Captured);
                tell(6_200, Told::Understood);
                if INTENTS[intent].1 {
                    tell(9_000, Told::Yes);
                }
            }
        }
        tell(12_000, Told::Ended);
    }
    all.sort();
    all
}

fn tell(house: &mut House, index: usize, misactivation: &Misactivation, told: Told) {
    let site = SITES[misactivation.site];
    let session = format!("s{index}");
    let (intent, sure) = misactivation.heard.unwrap_or_default();
    let (name, _, sentence, target) = INTENTS[intent];
    match told {
        Told::Woke => house.tell("hermes/hotword/alexa/detected", &json!({"siteId": site, "modelId": "alexa.pmdl"})),
        Told::Began => {
            house.tell("hermes/dialogueManager/sessionStarted", &json!({"siteId": site, "sessionId": session}));
        }
        Told::Captured => house.tell(
            "hermes/asr/textCaptured",
            &json!({"siteId": site, "sessionId": session, "text": sentence, "likelihood": sure, "seconds": 2.5}),
        ),
        Told::Understood => {
            let slots = json!([{"slotName": "name", "entity": "name", "value": {"kind": "Unknown", "value": target}}]);
            house.tell(
                &format!("hermes/intent/{name}"),
                &json!({"siteId": site, "sessionId": session, "input": sentence, "slots": slots,
                        "intent": {"intentName": name, "confidenceScore": 0.9}, "customData": null}),
            );
        }
        // Somebody on the television agrees, and it is heard everywhere.
        Told::Yes => {
            for other in SITES {
                let session = if other == site { json!(session) } else { json!("") };
                house.tell(
                    "hermes/intent/Yes",
                    &json!({"siteId": other, "sessionId": session, "input": "yes", "slots": [],
                            "intent": {"intentName": "Yes", "confidenceScore": 1.0}, "customData": null}),
                );
            }
        }
        Told::Missed => house.tell(
            "hermes/nlu/intentNotRecognized",
            &json!({"siteId": site, "sessionId": session, "input": "and then he said", "customData": null}),
        ),
        Told::Ended => house.tell(
            "hermes/dialogueManager/sessionEnded",
            &json!({"siteId": site, "sessionId": session, "termination": {"reason": "nominal"}}),
        ),
    }
}

#[test]
fn a_month_of_misactivations_and_nothing_sensitive_happens() {
    let seed = std::env::var("HUSHGATE_SEED").map_or(SEED_DEFAULT, |text| text.parse().expect("a number"));
    println!("HUSHGATE_SEED={seed}");
    let month = month(&mut fastrand::Rng::with_seed(seed));
    assert_eq!((month.len(), MISACTIVATIONS), (2_850, 2_850));
    assert_eq!(month.iter().filter(|misactivation| misactivation.heard.is_some()).count(), WITH_COMMAND);
    let mut house = House::new(shipped(), BEGIN);
    // What a deaf satellite would have woken for, it sleeps through.
    let mut asleep = BTreeSet::new();
    for (at_ms, happening) in timeline(&month) {
        house.pass_to(at_ms);
        match happening {
            Happening::Fact(entity, state) => house.fact(&entity, Some(state)),
            Happening::Told(index, told) => {
                let misactivation = &month[index];
                if told == Told::Woke {
                    house.count("misactivations");
                    if house.deaf.contains(SITES[misactivation.site]) {
                        house.count("slept through, muted");
                        asleep.insert(index);
                    } else if misactivation.heard.is_some() {
                        house.count("taken for a wish");
                    }
                }
                if !asleep.contains(&index) {
                    tell(&mut house, index, misactivation, told);
                }
            }
        }
        house.decisions.clear();
    }
    house.pass_to(DAYS as u64 * DAY_MS + HOUR_MS);
    println!("{:#?}", house.counts);
    assert_eq!((house.counted("sensitive, allowed"), house.counted("approved")), (0, 0), "nobody has said yes");
    // It is no proof where nothing was tried.
    assert_eq!(house.counted("misactivations"), 2_850);
    let denied_or_asked = house.counted("sensitive, denied") + house.counted("sensitive, asked");
    assert!(denied_or_asked > 400, "{denied_or_asked}");
    for what in [
        "sensitive, denied",
        "sensitive, asked",
        "sensitive, asked and not answered",
        "ordinary, denied",
        "intents carried out",
        "mutes",
        "notices to the owner",
        "questions asked",
        "slept through, muted",
    ] {
        assert!(house.counted(what) > 10, "{what}: {}", house.counted(what));
    }
}
