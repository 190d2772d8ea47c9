//! Entities gathered to devices, each of the family that its announcement has the shape of.
//!
//! The shape is all there is: discovery does not say who sent it, and what it says can be forged. A device that is taken
//! for the wrong family has the wrong doors, and still its own command topics.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::{Family, esphome, shelly, tasmota, zigbee2mqtt, zwave};
use crate::model::entity::Entity;
use crate::registry::platform;

/// How a device hears what is written below a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// It is meant alone.
    Device,
    /// All devices of the family are meant.
    Group,
    /// The next levels say who is meant.
    Network,
}

/// What belongs together: the entities that are commanded by the same name.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Device {
    pub(super) family: Family,
    /// Where the topics of its network or of itself begin.
    pub(super) root: String,
    /// What it is called below its root. Empty where the root is its own.
    pub(super) name: String,
    pub(super) entities: Vec<Rc<Entity>>,
    /// Some entity of it is sensitive.
    pub(super) is_sensitive: bool,
}

/// What the family, the root and the name of an entity are.
type Place = (Family, String, String);

pub(super) fn gather(entities: impl IntoIterator<Item = Rc<Entity>>) -> Vec<Device> {
    let mut devices: BTreeMap<Place, Vec<Rc<Entity>>> = BTreeMap::new();
    for entity in entities {
        let mut places: BTreeSet<Place> = BTreeSet::new();
        for (_, topic) in entity.command_topics() {
            places.insert(place(&entity, topic));
        }
        for place in places {
            devices.entry(place).or_default().push(Rc::clone(&entity));
        }
    }
    let device = |((family, root, name), entities): (Place, Vec<Rc<Entity>>)| {
        let is_sensitive = entities.iter().any(|entity| platform::is_sensitive(entity));
        Device { family, root, name, entities, is_sensitive }
    };
    devices.into_iter().map(device).collect()
}

fn place(entity: &Entity, topic: &str) -> Place {
    let with = |family: Family, place: Option<(String, String)>| place.map(|(root, name)| (family, root, name));
    let root_only = |root: String| (root, String::new());
    with(Family::Zigbee2mqtt, zigbee2mqtt::place(entity, topic))
        .or_else(|| with(Family::Zwave, zwave::place(entity, topic)))
        .or_else(|| with(Family::Shelly, shelly::place(entity, topic).map(root_only)))
        .or_else(|| with(Family::Tasmota, tasmota::place(topic).map(root_only)))
        .or_else(|| with(Family::Esphome, esphome::place(entity, topic).map(root_only)))
        .unwrap_or_else(|| (Family::Plain, String::new(), entity.device.first().cloned().unwrap_or_default()))
}

impl Device {
    /// Below which topics its doors lie.
    pub(super) fn roots(&self) -> Vec<(String, Role)> {
        match self.family {
            Family::Zigbee2mqtt | Family::Zwave => vec![(self.root.clone(), Role::Network)],
            Family::Tasmota => tasmota::roots(self),
            Family::Shelly => shelly::roots(self),
            Family::Esphome => vec![(self.root.clone(), Role::Device)],
            Family::Plain => Vec::new(),
        }
    }

    /// What it is called in topics below a network's root.
    fn names(&self) -> Vec<String> {
        match self.family {
            Family::Zigbee2mqtt => zigbee2mqtt::names(self),
            Family::Zwave => vec![self.name.clone()],
            Family::Tasmota => tasmota::names(self),
            Family::Shelly | Family::Esphome | Family::Plain => Vec::new(),
        }
    }

    pub(super) fn entities(&self) -> impl Iterator<Item = &Entity> {
        self.entities.iter().map(|entity| &**entity)
    }

    /// Every command topic of every entity, with its key.
    pub(super) fn commands(&self) -> impl Iterator<Item = (&Entity, &str, &str)> {
        self.entities().flat_map(|entity| entity.command_topics().map(move |(key, topic)| (entity, key, topic)))
    }

    /// The command topics, and what else is announced as read from the device: what every device must read and write.
    pub(super) fn announced_needs(&self) -> (BTreeSet<String>, BTreeSet<String>) {
        let reads = self.commands().map(|(_, _, topic)| topic.to_owned()).collect();
        let writes = self.entities().flat_map(announced_topics).collect();
        (reads, writes)
    }
}

/// Which devices hear what is written below a root.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    all: Vec<usize>,
    /// Two that claim one name both have it: what is announced can be forged.
    names: BTreeMap<String, Vec<usize>>,
    sensitive: Vec<usize>,
}

impl Index {
    pub(super) fn add(&mut self, index: usize, device: &Device) {
        self.all.push(index);
        for name in device.names() {
            self.names.entry(name).or_default().push(index);
        }
        if device.is_sensitive {
            self.sensitive.push(index);
        }
    }
}

/// The devices that hear what is written below one root.
pub(super) struct Here<'d> {
    devices: &'d [Device],
    index: &'d Index,
}

impl<'d> Here<'d> {
    pub(super) fn new(devices: &'d [Device], index: &'d Index) -> Here<'d> {
        Here { devices, index }
    }

    pub(super) fn devices(&self) -> impl Iterator<Item = &'d Device> {
        self.index.all.iter().filter_map(|index| self.devices.get(*index))
    }

    pub(super) fn entities(&self) -> impl Iterator<Item = &'d Entity> {
        self.devices().flat_map(Device::entities)
    }

    /// The sensitive ones: those that matter where it is not known who hears.
    pub(super) fn sensitive(&self) -> impl Iterator<Item = &'d Entity> {
        let devices = self.index.sensitive.iter().filter_map(|index| self.devices.get(*index));
        devices.flat_map(Device::entities).filter(|entity| platform::is_sensitive(entity))
    }

    pub(super) fn has_sensitive(&self) -> bool {
        !self.index.sensitive.is_empty()
    }

    /// All that have this name or address.
    pub(super) fn named(&self, name: &str) -> impl Iterator<Item = &'d Device> {
        self.index.names.get(name).into_iter().flatten().filter_map(|index| self.devices.get(*index))
    }
}

/// The topics on which an entity's device tells something: every key that ends in `topic` and commands nothing, and
/// those of its availability.
pub fn announced_topics(entity: &Entity) -> BTreeSet<String> {
    let commands: BTreeSet<&str> = entity.command_topics().map(|(key, _)| key).collect();
    let plain = entity.options.iter().filter(|(key, _)| key.ends_with("topic") && !commands.contains(key.as_str()));
    let plain = plain.filter_map(|(_, topic)| topic.as_str());
    plain.chain(availability_topics(entity)).filter(|topic| !topic.is_empty()).map(str::to_owned).collect()
}

/// The topics of the list `availability`, and of `availability_topic`.
pub(super) fn availability_topics(entity: &Entity) -> impl Iterator<Item = &str> {
    let list = entity.options.get("availability").map_or(&[][..], |list| match list {
        serde_json::Value::Array(items) => items,
        single => std::slice::from_ref(single),
    });
    let listed = list.iter().filter_map(|item| item.get("topic")?.as_str());
    listed.chain(entity.text("availability_topic"))
}
