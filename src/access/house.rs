//! What each user of the broker needs: the bridge, Home Assistant, the channels, the devices, the tellers of facts.

use std::collections::{BTreeMap, BTreeSet};

use super::{Guarded, Section, Users, is_plain};
use crate::config::{Carrier, Channel, Config};
use crate::integration::Traffic;
use crate::model::entity::Entity;
use crate::model::topic::{TopicFilter, is_under};
use crate::registry::doors::{Doors, Family, Site, announced_topics};

pub(super) struct House<'a> {
    pub(super) config: &'a Config,
    pub(super) users: &'a Users,
    pub(super) entities: &'a [Entity],
    pub(super) is_guarded: &'a dyn Fn(&Entity) -> bool,
    pub(super) doors: &'a Doors,
    pub(super) guarded: &'a BTreeMap<TopicFilter, Guarded>,
    /// Topics on which guarded entities tell their own state, though they are commanded there too.
    pub(super) own: BTreeSet<String>,
}

/// Where intents are let go to. Whoever carries them out reads there; the bridge alone writes.
const INTENTS: &str = "intent/#";
/// What Home Assistant reads of the bridge, below the base. Neither tokens nor what others command.
const TOLD: [&str; 19] = [
    "homeassistant/#",
    "home_assistant/#",
    "state/#",
    "status",
    "info",
    "health",
    "mode",
    "relay",
    "policy/+",
    "mute/+",
    "grant/+",
    "pending/+",
    "decision/#",
    "bypass",
    "notice",
    "answer/+",
    INTENTS,
    "act",
    "journal",
];
/// What Home Assistant writes: commands to be judged, questions, switches of the bridge, and a device that it deletes.
const ASKED: [&str; 11] = [
    "gate/#",
    "ask",
    "twin/+/set",
    "mode/set",
    "relay/set",
    "guard/set",
    "policy/+/set",
    "mute/+/set",
    "grant/set",
    "grant/+/set",
    "homeassistant/#",
];

impl House<'_> {
    fn below(&self, rest: &str) -> String {
        format!("{}/{rest}", self.config.base)
    }

    /// It reads what rules listen to and writes what rules and the gate send, wherever that is.
    pub(super) fn bridge(&self) -> Section {
        let all = filters(["#"]);
        Section {
            user: self.users.bridge.clone(),
            what: "The bridge: it reads what it judges by, and is the only one to command what is guarded.".to_owned(),
            reads: all.clone(),
            writes: all,
            ..Section::default()
        }
    }

    pub(super) fn home_assistant(&self, notes: &mut Vec<String>) -> Section {
        let config = self.config;
        let discovery = &config.home_assistant.discovery;
        let mut reads: BTreeSet<TopicFilter> = filters(TOLD.map(|rest| self.below(rest)));
        reads.extend(filters([format!("{discovery}/#")]));
        let states: BTreeSet<String> = self.entities.iter().flat_map(announced_topics).collect();
        reads.extend(filters(states.into_iter().filter(|topic| self.is_state(topic))));
        // Its own words: twins show the states of their originals from there.
        reads.extend(filters(config.statestream.iter().map(|base| format!("{base}/#"))));
        let mut writes: BTreeSet<TopicFilter> = filters(ASKED.map(|rest| self.below(rest)));
        writes.extend(filters([format!("{discovery}/status")]));
        writes.extend(filters(config.statestream.iter().map(|base| format!("{base}/#"))));
        writes.extend(filters(config.home_assistant.eventstream.clone()));
        for (channel, _) in config.channels.iter().filter(|(name, channel)| self.is_carried(name, channel)) {
            reads.extend(filters([self.below(&format!("prompt/{channel}"))]));
            writes.extend(filters([self.below(&format!("confirm/{channel}/+"))]));
        }
        writes.extend(self.direct(notes));
        // A topic whose entry has a channel speaks for that channel.
        let spoken = config.commands.iter().filter(|entry| entry.channel.is_some());
        let denied = spoken.map(|entry| self.below(&format!("gate/{}", entry.topic.filter().as_str())));
        Section {
            user: self.users.home_assistant.clone(),
            what: "Home Assistant: what is guarded it commands through the gate, all else directly.".to_owned(),
            denied: filters(denied),
            reads,
            writes,
            is_kept_out: true,
        }
    }

    /// The command topics that Home Assistant goes on writing itself.
    fn direct(&self, notes: &mut Vec<String>) -> BTreeSet<TopicFilter> {
        let commands =
            self.entities.iter().flat_map(|entity| entity.command_topics().map(move |(_, topic)| (entity, topic)));
        let mut direct = BTreeSet::new();
        for (entity, topic) in commands {
            let Ok(filter) = TopicFilter::new(topic) else { continue };
            if !self.is_of_house(topic) || self.is_mapped(&filter) {
                notes.push(format!(
                    "`{}` is commanded on `{}`, which is no topic for a device: Home Assistant may not write it",
                    entity.entity_id,
                    topic.escape_debug()
                ));
            } else if !self.overlaps_guarded(&filter) || self.is_separate(topic) {
                direct.insert(filter);
            } else if !(self.is_guarded)(entity) {
                notes.push(format!(
                    "`{}` is commanded on `{topic}`, which can move what is guarded, so Home Assistant may not write it: \
                     guard it too, with `gate: [sensitive, \"{}\"]`",
                    entity.entity_id, entity.entity_id
                ));
            }
        }
        direct
    }

    /// Whether Home Assistant reads the questions of a channel and writes its answers.
    fn is_carried(&self, name: &str, channel: &Channel) -> bool {
        let is_own = self.config.home_assistant.channel.as_deref() == Some(name);
        is_own || (channel.confirms && channel.carrier == Carrier::HomeAssistant)
    }

    pub(super) fn channels(&self) -> Vec<Section> {
        let others = self.config.channels.iter().filter(|(name, channel)| !self.is_carried(name, channel));
        let section = |(name, channel): (&String, &Channel)| {
            let mut reads = filters([self.below("answer/+")]);
            let mut writes = filters([self.below(&format!("ask/{name}"))]);
            if channel.confirms {
                reads.extend(filters([self.below(&format!("prompt/{name}"))]));
                writes.extend(filters([self.below(&format!("confirm/{name}/+"))]));
            }
            // What the owner has written down as its own: where it answers, and where it is asked.
            let answers = channel.answers.iter().map(|entry| entry.topic.filter().as_str());
            writes.extend(filters(answers).into_iter().filter(|filter| !self.overlaps_guarded(filter)));
            let asked = channel.ask.iter().chain(&channel.over).map(|outgoing| outgoing.topic.as_str());
            reads.extend(filters(asked.filter(|topic| self.is_of_house(topic))));
            let spoken = self.config.commands.iter().filter(|entry| entry.channel.as_ref() == Some(name));
            writes.extend(filters(spoken.map(|entry| self.below(&format!("gate/{}", entry.topic.filter().as_str())))));
            Section {
                user: self.users.of_channel(name).to_owned(),
                what: format!("The channel `{name}`: its own questions and answers."),
                reads,
                writes,
                is_kept_out: true,
                ..Section::default()
            }
        };
        others.map(section).collect()
    }

    /// The speakers and programs that integrations speak with. What they tell on Home Assistant's streams is its own.
    pub(super) fn integrations(&self, traffic: &[Traffic], notes: &mut Vec<String>) -> Vec<Section> {
        let mut sections = Vec::new();
        for Traffic { name, reads, commands, sends } in traffic {
            let user = self.users.of_integration(name);
            let (told, refused): (Vec<&TopicFilter>, Vec<&TopicFilter>) = reads
                .iter()
                .filter(|filter| !self.is_within_stream(filter))
                .partition(|filter| self.may_be_told(filter));
            notes.extend(refused.into_iter().map(|filter| {
                format!(
                    "`{user}` may not write `{}`, which the integration `{name}` reads: that would be more than its own words",
                    filter.as_str().escape_debug()
                )
            }));
            let heard = commands.iter().chain(sends).filter(|filter| self.is_of_house(filter.as_str()));
            let heard: BTreeSet<TopicFilter> = heard.cloned().collect();
            if told.is_empty() && heard.is_empty() {
                continue;
            }
            sections.push(Section {
                user: user.to_owned(),
                what: format!("Speakers and programs of the integration `{name}`."),
                reads: heard.into_iter().chain(filters([self.below(INTENTS)])).collect(),
                writes: told.into_iter().cloned().collect(),
                is_kept_out: true,
                ..Section::default()
            });
        }
        sections
    }

    /// Whether it says what Home Assistant tells, and nothing else.
    fn is_within_stream(&self, filter: &TopicFilter) -> bool {
        let streams = self.config.statestream.iter().chain(&self.config.home_assistant.eventstream);
        let mut streams = streams.map(String::as_str);
        streams.any(|stream| is_under(filter.as_str(), stream))
    }

    /// Whether an integration's program may write there: it is no command, and nobody else's word.
    fn may_be_told(&self, filter: &TopicFilter) -> bool {
        self.is_of_house(filter.as_str()) && !self.overlaps_guarded(filter) && !self.is_mapped(filter)
    }

    pub(super) fn devices(&self, sites: &[Site], notes: &mut Vec<String>) -> Vec<Section> {
        let discovery = &self.config.home_assistant.discovery;
        let announcing = ["+/+/config", "+/+/+/config"].map(|rest| format!("{discovery}/{rest}"));
        notes.extend(self.users.unused(sites).map(|root| {
            format!(
                "no device is at `{}`, so `--user-device` changes nothing for it: name what the rules name behind `at`, or \
                 how the topics of devices of no known kind begin",
                root.escape_debug()
            )
        }));
        let section = |(user, site): (&str, Site)| {
            let (writes, refused): (Vec<&String>, Vec<&String>) =
                site.writes.iter().partition(|topic| self.may_tell(&site, topic));
            notes.extend(refused.into_iter().map(|topic| {
                format!(
                    "`{user}` may not write `{}`, which it announced: that would open a way round the gate",
                    topic.escape_debug()
                )
            }));
            let writes = filters(writes.into_iter().chain(&announcing));
            let reads = site.reads.iter().filter(|topic| self.is_of_house(topic)).cloned();
            let reads = filters(reads.chain([format!("{discovery}/status")]));
            let has_guarded = writes.iter().any(|filter| self.overlaps_guarded(filter));
            if has_guarded && !site.family.is_gateway() {
                notes.push(format!(
                    "whoever has the password of `{user}` can command `{}` round the gate: give that device a user of its own",
                    site.root
                ));
            }
            let what = if site.root.is_empty() { String::new() } else { format!(" at `{}`", site.root) };
            Section {
                user: user.to_owned(),
                what: format!("{}{what}.", site.family.name()),
                reads,
                writes,
                ..Section::default()
            }
        };
        sites.iter().flat_map(|site| self.users.shares(site)).map(section).collect()
    }

    /// Who tells what `facts:` and `events:` listen to. What Home Assistant's streams or a device tell is theirs.
    pub(super) fn facts(&self) -> Option<Section> {
        let config = self.config;
        let mapped =
            config.facts.iter().map(|entry| &entry.topic).chain(config.events.iter().map(|entry| &entry.topic));
        let writes: BTreeSet<TopicFilter> = mapped
            .map(|topic| topic.filter().clone())
            .filter(|filter| {
                is_plain(filter.as_str()) && !self.overlaps_guarded(filter) && !is_under(filter.as_str(), &config.base)
            })
            .collect();
        (!writes.is_empty()).then(|| Section {
            user: self.users.facts.clone(),
            what: "Who tells the facts and events of the configuration. Give each its own user if they differ."
                .to_owned(),
            writes,
            is_kept_out: true,
            ..Section::default()
        })
    }

    fn overlaps_guarded(&self, filter: &TopicFilter) -> bool {
        self.guarded.keys().any(|guarded| guarded.overlaps(filter))
    }

    /// Whether a topic beside a guarded one moves nothing that is guarded.
    fn is_separate(&self, topic: &str) -> bool {
        let is_own = |guarded: &TopicFilter| {
            guarded.as_str().strip_suffix("/#").is_some_and(|root| !root.contains('+') && is_under(topic, root))
        };
        self.doors.is_separate(topic) && !self.commands_guarded(topic) && !self.guarded.keys().any(is_own)
    }

    /// Whether a guarded entity announced this topic.
    fn commands_guarded(&self, topic: &str) -> bool {
        let guarded = self.entities.iter().filter(|entity| (self.is_guarded)(entity));
        guarded.flat_map(Entity::command_topics).any(|(_, own)| own == topic)
    }

    /// Whether what a device announced as its own words is. Guarded topics may be among them only if they are its own, and
    /// nobody else's.
    fn may_tell(&self, site: &Site, topic: &str) -> bool {
        let Ok(filter) = TopicFilter::new(topic) else { return false };
        let reached: Vec<&Guarded> =
            self.guarded.iter().filter(|(guarded, _)| guarded.overlaps(&filter)).map(|(_, sites)| sites).collect();
        let place = (site.family, site.root.clone());
        let is_own = reached.iter().all(|sites| sites.iter().all(|other| *other == place));
        let is_told = site.family != Family::Plain || self.own.contains(topic);
        // What counts as somebody's answer is of a device that the owner knows, not of any that announces it.
        let is_answer = site.family == Family::Plain && self.is_answer(&filter);
        self.is_of_house(topic) && !is_answer && !self.is_stream(&filter) && (reached.is_empty() || (is_own && is_told))
    }

    /// Whether an announced state topic may be read: what is guarded only where its owner tells its state there.
    fn is_state(&self, topic: &str) -> bool {
        let is_open = || TopicFilter::new(topic).is_ok_and(|filter| !self.overlaps_guarded(&filter));
        self.is_of_house(topic) && (self.own.contains(topic) || is_open())
    }

    /// A topic on which a channel answers.
    fn is_answer(&self, filter: &TopicFilter) -> bool {
        self.config.answers().any(|(_, entry)| entry.topic.filter().overlaps(filter))
    }

    /// A topic that `facts:` believes, one on which a channel answers, or a stream of Home Assistant's.
    fn is_mapped(&self, filter: &TopicFilter) -> bool {
        self.is_stream(filter)
            || self.is_answer(filter)
            || self.config.facts.iter().any(|entry| entry.topic.filter().overlaps(filter))
    }

    fn is_stream(&self, filter: &TopicFilter) -> bool {
        let config = self.config;
        let bases = config.statestream.iter().chain(&config.home_assistant.eventstream);
        let mut streams = bases.filter_map(|base| TopicFilter::new(&format!("{base}/#")).ok());
        streams.any(|stream| stream.overlaps(filter))
    }

    /// It is neither the bridge's, nor discovery's, nor the broker's, and no broker reads it in another way.
    fn is_of_house(&self, topic: &str) -> bool {
        let is_reserved = |root: &str| is_under(topic, root);
        is_plain(topic)
            && !topic.starts_with(['$', '+', '#'])
            && !is_reserved(&self.config.base)
            && !is_reserved(&self.config.home_assistant.discovery)
    }
}

/// Filters, those left out that are none.
fn filters<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> BTreeSet<TopicFilter> {
    let plain = |text: T| TopicFilter::new(text.as_ref()).ok().filter(|filter| is_plain(filter.as_str()));
    texts.into_iter().filter_map(plain).collect()
}
