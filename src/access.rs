//! Rules for the broker: who may read and write which topics, so that nobody goes round the gate.
//!
//! It is a list of what is allowed, and what is not on it is refused: a door that nobody thought of stays shut. That has a
//! price: a device that comes later needs the rules to be written anew. Explicit denials stand before the list for what is
//! guarded, so that a wide permission that the owner adds later does not open it again.
//!
//! Topics from discovery can be forged. One that would give a right on the bridge's own topics, on discovery, on a guarded
//! topic or on a mapped fact gives none; nor does one that a broker could read in another way than it was meant.
//!
//! Passwords, and the making of users, are the owner's affair.

mod dynsec;
mod house;
mod mosquitto;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::config::Config;
use crate::integration::Traffic;
use crate::model::entity::Entity;
use crate::model::topic::{TopicFilter, check_name, is_under};
use crate::registry::doors::{Doors, Family, Site, announced_topics};

pub use dynsec::dynsec;
pub use mosquitto::mosquitto;

/// Longest name of a user, in bytes.
pub const USER_BYTES_MAX: usize = 128;

/// What the users of the broker are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Users {
    pub bridge: String,
    pub home_assistant: String,
    /// By channel. A channel that is not here has a user of its own name.
    pub channels: BTreeMap<String, String>,
    /// By the beginning of a device's topics (`zigbee2mqtt`, `shellies/shelly1-AB`). One that is not here has the user of
    /// its family: `zigbee2mqtt`, `zwave`, `tasmota`, `shelly`, `esphome`, or `devices` for those of no known kind.
    pub devices: BTreeMap<String, String>,
    /// By integration: the speakers and programs that it speaks with. One that is not here has a user of its own name.
    pub integrations: BTreeMap<String, String>,
    /// Who writes the topics of `facts:` and `events:` that no device and no stream has.
    pub facts: String,
}

impl Default for Users {
    fn default() -> Users {
        Users {
            bridge: "hushgate".to_owned(),
            home_assistant: "homeassistant".to_owned(),
            channels: BTreeMap::new(),
            devices: BTreeMap::new(),
            integrations: BTreeMap::new(),
            facts: "house".to_owned(),
        }
    }
}

impl Users {
    /// A name that cannot be written into rules: it is empty, too long, or could be read as something else.
    pub fn malformed(&self) -> Option<&str> {
        let all = [&self.bridge, &self.home_assistant, &self.facts].into_iter();
        let all = all.chain(self.channels.values()).chain(self.devices.values());
        let mut all = all.chain(self.integrations.values());
        all.find(|name| !is_user(name)).map(String::as_str)
    }

    fn of_channel<'a>(&'a self, channel: &'a str) -> &'a str {
        self.channels.get(channel).map_or(channel, String::as_str)
    }

    fn of_integration<'a>(&'a self, integration: &'a str) -> &'a str {
        self.integrations.get(integration).map_or(integration, String::as_str)
    }

    fn of_site<'a>(&'a self, site: &Site) -> &'a str {
        let family = match site.family {
            Family::Zigbee2mqtt => "zigbee2mqtt",
            Family::Zwave => "zwave",
            Family::Tasmota => "tasmota",
            Family::Shelly => "shelly",
            Family::Esphome => "esphome",
            Family::Plain => "devices",
        };
        self.devices.get(&site.root).map_or(family, String::as_str)
    }

    /// Whose a site is. Devices of no known kind lie together, and each of their topics is of whom the owner names for the
    /// longest beginning of it.
    fn shares<'a>(&'a self, site: &Site) -> Vec<(&'a str, Site)> {
        let user = self.of_site(site);
        if site.family != Family::Plain {
            return vec![(user, site.clone())];
        }
        let owner = |topic: &str| {
            let fitting = self.devices.iter().filter(|(root, _)| is_under(topic, root));
            fitting.max_by_key(|(root, _)| root.len()).map_or(user, |(_, named)| named.as_str())
        };
        let mut shares: BTreeMap<&str, Site> = BTreeMap::new();
        let empty = || Site { reads: BTreeSet::new(), writes: BTreeSet::new(), ..site.clone() };
        for topic in &site.reads {
            shares.entry(owner(topic)).or_insert_with(empty).reads.insert(topic.clone());
        }
        for topic in &site.writes {
            shares.entry(owner(topic)).or_insert_with(empty).writes.insert(topic.clone());
        }
        shares.into_iter().collect()
    }

    /// Beginnings of topics that were named, and with which no device's topics begin.
    fn unused<'a>(&'a self, sites: &'a [Site]) -> impl Iterator<Item = &'a str> {
        let is_used = |root: &str| {
            sites.iter().any(|site| match site.family {
                Family::Plain => site.reads.iter().chain(&site.writes).any(|topic| is_under(topic, root)),
                _ => site.root == root,
            })
        };
        self.devices.keys().map(String::as_str).filter(move |root| !is_used(root))
    }
}

fn is_user(name: &str) -> bool {
    (1..=USER_BYTES_MAX).contains(&name.len())
        && name.trim() == name
        && !name.contains(['+', '#'])
        && !name.chars().any(char::is_control)
}

/// What the rules are made of.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// One for each user, the bridge first.
    sections: Vec<Section>,
    guarded: BTreeMap<TopicFilter, Guarded>,
    /// What could not be done, or costs something: for people.
    pub notes: Vec<String>,
}

/// Of a filter that only the bridge may write: whose doors lead there.
type Guarded = BTreeSet<(Family, String)>;

/// What one user may do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Section {
    user: String,
    what: String,
    reads: BTreeSet<TopicFilter>,
    writes: BTreeSet<TopicFilter>,
    /// Neither, whatever else stands here.
    denied: BTreeSet<TopicFilter>,
    /// It may write nothing that is guarded. The bridge may, and a program that speaks for its devices.
    is_kept_out: bool,
}

impl Plan {
    /// `is_guarded` says which entities are guarded now. `entities` are all that discovery knows, `traffic` is what the
    /// integrations in use declare.
    pub fn new(
        config: &Config,
        entities: &[Entity],
        traffic: &[Traffic],
        is_guarded: &dyn Fn(&Entity) -> bool,
        users: &Users,
    ) -> Plan {
        let doors = Doors::new(entities.iter().cloned().map(Rc::new));
        let guarded_entities: Vec<&Entity> = entities.iter().filter(|entity| is_guarded(entity)).collect();
        let mut guarded: BTreeMap<TopicFilter, Guarded> = BTreeMap::new();
        for entity in &guarded_entities {
            let filters = doors.filters(entity).into_iter().map(|found| found.filter);
            for filter in filters.filter(|filter| is_plain(filter.as_str())) {
                guarded.entry(filter).or_default().insert(doors.place(entity));
            }
        }
        let own = own_states(&guarded_entities);
        let house = house::House { config, users, entities, is_guarded, doors: &doors, guarded: &guarded, own };
        let mut notes = Vec::new();
        let mut sections = vec![house.bridge(), house.home_assistant(&mut notes)];
        sections.extend(house.channels());
        sections.extend(house.integrations(traffic, &mut notes));
        sections.extend(house.devices(&doors.sites(), &mut notes));
        sections.extend(house.facts());
        Plan { sections: merged(sections), guarded, notes }
    }

    /// The filters that only the bridge may write.
    pub fn guarded(&self) -> impl Iterator<Item = &TopicFilter> {
        self.guarded.keys()
    }
}

/// The state topics of guarded entities that are their command topics at the same time.
fn own_states(guarded: &[&Entity]) -> BTreeSet<String> {
    let own = |entity: &Entity| {
        let commands: BTreeSet<String> = entity.command_topics().map(|(_, topic)| topic.to_owned()).collect();
        announced_topics(entity).into_iter().filter(|topic| commands.iter().any(|own| is_under(topic, own))).collect()
    };
    guarded.iter().flat_map(|entity| -> Vec<String> { own(entity) }).collect()
}

/// Several sections of one user are one.
fn merged(sections: Vec<Section>) -> Vec<Section> {
    let mut merged: Vec<Section> = Vec::new();
    for section in sections {
        match merged.iter_mut().find(|known| known.user == section.user) {
            Some(known) => {
                known.what = format!("{} {}", known.what, section.what);
                known.reads.extend(section.reads);
                known.writes.extend(section.writes);
                known.denied.extend(section.denied);
                known.is_kept_out &= section.is_kept_out;
            }
            None => merged.push(section),
        }
    }
    merged
}

/// Whether a filter means the same to every broker. Mosquitto trims white space off the ends of a line, and dynamic
/// security puts the client's name in the place of `%c` and `%u`.
fn is_plain(filter: &str) -> bool {
    let levels = filter.trim_end_matches('#').trim_end_matches('/').replace('+', "x");
    filter.trim() == filter && !filter.contains(['%', '"', '\\']) && (levels.is_empty() || check_name(&levels).is_ok())
}
