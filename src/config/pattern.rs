//! Topic patterns with named parts, and templates that use them.
//!
//! `signal/out/method/send/recipient/{recipient}` names one level; `zigbee2mqtt/{name*}/set` names one or more.
//! A template is text with `{name}`, `{payload}` or `{payload.field.path}` in it.

/// A topic filter whose wildcards have names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicPattern {}

/// Text with named places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {}
