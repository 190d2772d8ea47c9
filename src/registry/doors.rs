//! Other doors to the same device: topics that discovery does not name, and that move what it named.
//!
//! Each family of bridges has its own: Zigbee2MQTT takes a device by its address and in groups, Tasmota by its fallback
//! topic, Shelly by remote calls, Z-Wave JS UI by broadcasts. A message on such a topic is judged as the action that it is
//! on the entity that it moves; where that cannot be read it is as sensitive as the strictest entity that it may reach.
//!
//! Only what follows from discovery is known here. A door whose name the owner chose on the device itself, such as a
//! group topic of his own, is not: `coverage` says so. Commands on announced topics are read by the claims; a door may
//! only make their reading stricter.

mod device;
mod esphome;
mod judge;
mod shelly;
mod tasmota;
mod zigbee2mqtt;
mod zwave;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use serde::Serialize;

pub use self::device::announced_topics;
use self::device::{Device, Here, Role};
pub use self::judge::DoorReading;
use self::judge::Judge;
use crate::model::action::Class;
use crate::model::entity::Entity;
use crate::model::topic::{TopicFilter, check_name};

/// Fields of one payload, and commands of one list, that are read. What has more is unreadable.
pub(super) const PARTS_MAX: usize = 64;
/// Levels of a topic that are looked at. No bridge that is known here has more.
const LEVELS_MAX: usize = 32;

/// A kind of bridge or firmware, known by the shape of what it announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    Zigbee2mqtt,
    Tasmota,
    Shelly,
    Zwave,
    Esphome,
    /// Nothing is known of it but what it announced.
    Plain,
}

impl Family {
    /// As its makers write it.
    pub fn name(self) -> &'static str {
        match self {
            Family::Zigbee2mqtt => "Zigbee2MQTT",
            Family::Tasmota => "Tasmota",
            Family::Shelly => "Shelly",
            Family::Zwave => "Z-Wave JS UI",
            Family::Esphome => "ESPHome",
            Family::Plain => "MQTT device",
        }
    }

    /// A command on an announced topic reaches no other entity of the device.
    fn has_separate_topics(self) -> bool {
        matches!(self, Family::Tasmota | Family::Shelly | Family::Zwave | Family::Esphome)
    }

    /// One program speaks for all devices of this family: who writes as it can do with them what he likes anyway.
    pub fn is_gateway(self) -> bool {
        matches!(self, Family::Zigbee2mqtt | Family::Zwave)
    }
}

/// Topics that move a guarded entity: the broker must let only the bridge write them, and whatever is written there
/// by others is a bypass.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct DoorFilter {
    #[serde(serialize_with = "as_text")]
    pub filter: TopicFilter,
    pub family: Family,
    /// What stands there: "its address", "remote calls".
    pub what: &'static str,
    /// It moves other things too, so that shutting it takes something from them.
    pub is_shared: bool,
}

fn as_text<S: serde::Serializer>(filter: &TopicFilter, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(filter.as_str())
}

/// A door that stays open, or may.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gap {
    pub family: Family,
    /// Nobody but the bridge gets through once the broker enforces the rules of `access`: they list what is allowed.
    pub is_shut_by_rules: bool,
    /// The command topic by which it is gone through, if there is just one: guarded, it is no gap.
    pub topic: Option<String>,
    pub what: String,
    pub reason: String,
    pub help: String,
}

/// Where the topics of a device begin and end, for whoever writes the broker's rules.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Site {
    pub family: Family,
    /// What its bridge or firmware has for itself: `zigbee2mqtt`, `cmnd/plug`, `shellies/shelly1-AB`. Empty: unknown.
    pub root: String,
    /// Filters that it must read.
    pub reads: BTreeSet<String>,
    /// Filters that it must write.
    pub writes: BTreeSet<String>,
}

/// The doors of all discovered devices, indexed by where their topics begin.
#[derive(Debug, Clone, Default)]
pub struct Doors {
    devices: Vec<Device>,
    /// By the beginning of the topics, then by how they go on.
    roots: BTreeMap<String, BTreeMap<(Family, Role), device::Index>>,
    /// Announced command topics that move nothing but what announced them, though they look like other doors to it.
    separate: BTreeSet<String>,
    /// To which devices an entity belongs: by its discovery topic and component. With strange topics it is more than one.
    owners: BTreeMap<(String, String), Vec<usize>>,
}

impl Doors {
    /// Reads what discovery taught. Make it anew when that changes.
    pub fn new(entities: impl IntoIterator<Item = Rc<Entity>>) -> Doors {
        let devices = device::gather(entities);
        let mut roots: BTreeMap<String, BTreeMap<(Family, Role), device::Index>> = BTreeMap::new();
        let mut owners: BTreeMap<(String, String), Vec<usize>> = BTreeMap::new();
        for (index, device) in devices.iter().enumerate() {
            for (root, role) in device.roots() {
                let kinds = roots.entry(root).or_default();
                kinds.entry((device.family, role)).or_default().add(index, device);
            }
            for entity in &device.entities {
                owners.entry((entity.topic.clone(), entity.component.clone())).or_default().push(index);
            }
        }
        // A topic at which another family listens too is not as separate as it looks.
        let is_shared = |family: Family, topic: &str| {
            let mut heard = topic.match_indices('/').filter_map(|(end, _)| roots.get(topic.get(..end)?));
            heard.any(|kinds| kinds.keys().any(|(other, _)| *other != family))
        };
        let separate = devices.iter().filter(|device| device.family.has_separate_topics()).flat_map(|device| {
            let topics = device.commands().map(|(_, _, topic)| topic);
            topics.filter(|topic| !topic.ends_with("/rpc") && !is_shared(device.family, topic)).map(str::to_owned)
        });
        let separate = separate.collect();
        Doors { devices, roots, separate, owners }
    }

    /// What a message means, if it comes by a door that is known here. `class_of` is the owner's word on actions.
    ///
    /// Of all readings the strictest counts. On an announced command topic this may be stricter than what the claims
    /// say (a field beside the lock's), or `None`. An empty payload says nothing but to Zigbee2MQTT itself.
    pub fn read(&self, topic: &str, payload: &[u8], class_of: &dyn Fn(&str) -> Class) -> Option<DoorReading> {
        if check_name(topic).is_err() {
            return None;
        }
        let judge = Judge::new(class_of);
        let ends: Vec<usize> = topic.match_indices('/').map(|(index, _)| index).take(LEVELS_MAX).collect();
        let found = ends.iter().filter_map(|end| {
            let (root, rest) = (topic.get(..*end)?, topic.get(end + 1..)?);
            let read = |((family, role), index): (&(Family, Role), &device::Index)| {
                read_family(*family, *role, &judge, &Here::new(&self.devices, index), rest, payload)
            };
            judge.strictest(self.roots.get(root)?.iter().filter_map(read))
        });
        judge.strictest(found)
    }

    /// Whether a topic moves only the entity that announced it, whichever other doors it looks like: each relay of a
    /// Tasmota has its own command, each part of an ESPHome device its own topic.
    pub fn is_separate(&self, topic: &str) -> bool {
        self.separate.contains(topic)
    }

    /// The topics that must be shut for others if this entity is guarded: its own with all below them, and the doors.
    pub fn filters(&self, entity: &Entity) -> Vec<DoorFilter> {
        let (family, _) = self.place(entity);
        let own = entity.command_topics().filter_map(|(_, topic)| {
            let filter = TopicFilter::new(&format!("{topic}/#")).ok().filter(|_| check_name(topic).is_ok())?;
            Some(DoorFilter { filter, family, what: "its command topic", is_shared: false })
        });
        let doors = self.devices_of(entity).flat_map(|device| {
            let filters = match device.family {
                Family::Zigbee2mqtt => zigbee2mqtt::filters(device),
                Family::Tasmota => tasmota::filters(device),
                Family::Shelly => shelly::filters(device),
                Family::Zwave => zwave::filters(device),
                Family::Esphome => esphome::filters(device),
                Family::Plain => Vec::new(),
            };
            filters.into_iter().filter_map(|(filter, what, is_shared)| {
                let filter = TopicFilter::new(&filter).ok()?;
                Some(DoorFilter { filter, family: device.family, what, is_shared })
            })
        });
        own.chain(doors).collect::<BTreeSet<DoorFilter>>().into_iter().collect()
    }

    /// Doors to a guarded entity that cannot be shut or read, with the reasons.
    pub fn gaps(&self, entity: &Entity) -> Vec<Gap> {
        let gaps = self.devices_of(entity).flat_map(|device| match device.family {
            Family::Zigbee2mqtt => zigbee2mqtt::gaps(device, &entity.entity_id, &self.devices),
            Family::Tasmota => tasmota::gaps(device, &entity.entity_id),
            Family::Shelly => shelly::gaps(device, &entity.entity_id),
            Family::Zwave => zwave::gaps(device, &entity.entity_id),
            Family::Esphome => esphome::gaps(device, &entity.entity_id),
            Family::Plain => Vec::new(),
        });
        gaps.collect()
    }

    /// What each device, or the program that speaks for many, must read and write to work.
    pub fn sites(&self) -> Vec<Site> {
        let mut sites: BTreeMap<(Family, String), Site> = BTreeMap::new();
        for device in &self.devices {
            let root = if device.family == Family::Plain { String::new() } else { device.root.clone() };
            let site = sites.entry((device.family, root.clone())).or_insert_with(|| Site {
                family: device.family,
                root,
                reads: BTreeSet::new(),
                writes: BTreeSet::new(),
            });
            let (reads, writes) = match device.family {
                Family::Zigbee2mqtt => zigbee2mqtt::needs(device),
                Family::Tasmota => tasmota::needs(device),
                Family::Shelly => shelly::needs(device),
                Family::Zwave => zwave::needs(device),
                Family::Esphome => esphome::needs(device),
                Family::Plain => device.announced_needs(),
            };
            site.reads.extend(reads);
            site.writes.extend(writes);
        }
        sites.into_values().collect()
    }

    /// The family of the entity's device, and where its topics begin: the key of its site.
    pub fn place(&self, entity: &Entity) -> (Family, String) {
        let device = self.devices_of(entity).find(|device| device.family != Family::Plain);
        device.map_or((Family::Plain, String::new()), |device| (device.family, device.root.clone()))
    }

    fn devices_of(&self, entity: &Entity) -> impl Iterator<Item = &Device> {
        let owners = self.owners.get(&(entity.topic.clone(), entity.component.clone()));
        owners.into_iter().flatten().filter_map(|index| self.devices.get(*index))
    }
}

fn read_family(
    family: Family,
    role: Role,
    judge: &Judge<'_>,
    here: &Here<'_>,
    rest: &str,
    payload: &[u8],
) -> Option<DoorReading> {
    match family {
        Family::Zigbee2mqtt => zigbee2mqtt::read(judge, here, rest, payload),
        _ if payload.is_empty() => None,
        Family::Tasmota => tasmota::read(judge, here, role, rest, payload),
        Family::Shelly => shelly::read(judge, here, role, rest, payload),
        Family::Zwave => zwave::read(judge, here, rest, payload),
        Family::Esphome => esphome::read(judge, here, rest, payload),
        Family::Plain => None,
    }
}

#[cfg(test)]
mod tests;
