//! The rules as an `acl_file` of Mosquitto 2: denials go first there, whatever their place, and forbid reading too.

use std::fmt::Write;

use super::{Plan, Section};
use crate::model::topic::TopicFilter;

const HEAD: &str = "\
# Rules for Mosquitto, written by `hushgate acl --for mosquitto`. Write them anew when devices come or go.
# In mosquitto.conf: `acl_file` with the path of this file, `allow_anonymous false`, and a `password_file` with these users.
# First set Home Assistant's discovery prefix to the mirror: with these rules it commands what is guarded through the gate alone.
# What is not allowed here is refused. Home Assistant's Mosquitto add-on does not enforce an `acl_file`.
";

/// The text of the file.
pub fn mosquitto(plan: &Plan) -> String {
    let mut text = HEAD.to_owned();
    for note in &plan.notes {
        let _ = writeln!(text, "# Note: {}", one_line(note));
    }
    for section in &plan.sections {
        let _ = write!(text, "\n# {}\nuser {}\n", one_line(&section.what), section.user);
        for filter in denied(plan, section) {
            let _ = writeln!(text, "topic deny {}", filter.as_str());
        }
        for filter in section.reads.intersection(&section.writes) {
            let _ = writeln!(text, "topic readwrite {}", filter.as_str());
        }
        for filter in section.reads.difference(&section.writes) {
            let _ = writeln!(text, "topic read {}", filter.as_str());
        }
        for filter in section.writes.difference(&section.reads) {
            let _ = writeln!(text, "topic write {}", filter.as_str());
        }
    }
    text
}

/// What is guarded, unless the user must read or write a single topic of it that moves nothing: a denial would take that
/// too. All else there is not allowed in any case.
fn denied<'a>(plan: &'a Plan, section: &'a Section) -> Vec<&'a TopicFilter> {
    let guarded = plan.guarded.keys().filter(|_| section.is_kept_out);
    let is_free = |filter: &&TopicFilter| {
        !section.reads.iter().chain(&section.writes).any(|own| is_exact(own) && own.overlaps(filter))
    };
    guarded.filter(is_free).chain(&section.denied).collect()
}

/// It names one topic.
fn is_exact(filter: &TopicFilter) -> bool {
    !filter.as_str().contains(['+', '#'])
}

fn one_line(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}
