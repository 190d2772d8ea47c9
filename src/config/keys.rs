//! Every key of the configuration, by section. The reader takes no other; the documents are held against this list.

pub const ROOT: &[&str] = &[
    "broker",
    "base",
    "mode",
    "time_zone",
    "latitude",
    "longitude",
    "policies",
    "stale_after",
    "commands",
    "facts",
    "events",
    "channels",
    "speakers",
    "integrations",
    "notify",
    "ask",
    "sensitive",
    "ordinary",
    "floor",
    "home_assistant",
    "data",
    "log",
];
pub const BROKER: &[&str] = &["url", "username", "password", "ca_file"];
pub const COMMAND: &[&str] =
    &["topic", "when", "beside", "payload", "action", "target", "text", "data", "sensitive", "channel"];
pub const FACTS: &[&str] = &["statestream", "topics"];
pub const FACT: &[&str] = &["topic", "when", "payload", "entity", "attribute", "value"];
pub const EVENT: &[&str] = &["topic", "when", "payload", "event", "speaker", "text", "confidence", "data"];
pub const CHANNEL: &[&str] = &[
    "kind",
    "independent",
    "confirms",
    "satellite",
    "person",
    "may_confirm",
    "carried_by",
    "user",
    "pin",
    "totp",
    "speaker",
    "ask",
    "over",
    "answers",
];
pub const ANSWER: &[&str] = &["topic", "when", "payload", "says", "token", "code"];
pub const SPEAKER: &[&str] = &["channel", "integration", "settings", "near", "refusals", "mute", "unmute", "announce"];
pub const INTEGRATIONS: &[&str] = &["folder", "use"];
pub const OUTGOING: &[&str] = &["topic", "payload", "retain"];
pub const ASK: &[&str] = &["response_prefixes"];
pub const HOME_ASSISTANT: &[&str] =
    &["discovery", "gate", "twins", "eventstream", "channel", "settle", "revert_covers", "canary"];
pub const CANARY: &[&str] = &["home_assistant", "unprivileged"];
pub const LOGIN: &[&str] = &["username", "password"];
pub const LOG: &[&str] = &["text", "publish_text", "ordinary", "sensitive", "size", "sync"];
pub const LOG_TEXT: &[&str] = &["default", "voice", "person", "automation", "agent", "policy", "unknown"];

/// All sections, with the name that the documents give them.
pub const SECTIONS: &[(&str, &[&str])] = &[
    ("", ROOT),
    ("broker", BROKER),
    ("commands", COMMAND),
    ("facts", FACTS),
    ("facts.topics", FACT),
    ("events", EVENT),
    ("channels", CHANNEL),
    ("channels.ask", OUTGOING),
    ("channels.over", OUTGOING),
    ("channels.answers", ANSWER),
    ("speakers", SPEAKER),
    ("integrations", INTEGRATIONS),
    ("notify", OUTGOING),
    ("ask", ASK),
    ("home_assistant", HOME_ASSISTANT),
    ("home_assistant.canary", CANARY),
    ("home_assistant.canary.home_assistant", LOGIN),
    ("log", LOG),
    ("log.text", LOG_TEXT),
];
