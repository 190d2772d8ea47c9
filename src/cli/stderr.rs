//! The log of the program on standard error: for people, or one JSON object a line.
//!
//! What is logged is said by those who log. Here is how it is written, and nothing else.

use std::fmt::{self, Debug, Write};
use std::io::IsTerminal;

use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::Format;
use crate::shell::clock::Clock;
use crate::shell::journal::{Journal, RECORD_FIELD};

/// The environment variable that says what is logged, as `tracing` reads it: `debug`, `hushgate=debug`.
const LOG_VARIABLE: &str = "HUSHGATE_LOG";
/// The embedded broker tells a lot that is of no use here.
const LOG_DEFAULT: &str =
    "info,notify=error,rmqtt=error,rmqtt_net=error,rmqtt_retainer=error,rmqtt_shared_subscription=error";

/// Starts the log. What it gives back writes records into it.
pub(super) fn start(format: Format) -> Journal {
    let filter = EnvFilter::try_from_env(LOG_VARIABLE).unwrap_or_else(|_| EnvFilter::new(LOG_DEFAULT));
    // Without internal errors: where standard error is closed, complaining about it there would be a panic.
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .log_internal_errors(false);
    // A second log in one process would be a mistake of the program; the first one goes on then.
    match format {
        Format::Human => {
            let wants_colour =
                std::io::stderr().is_terminal() && anstream::stderr().current_choice() != anstream::ColorChoice::Never;
            builder.with_ansi(wants_colour).try_init().unwrap_or(());
            Journal::Human
        }
        Format::Json => {
            builder.event_format(JsonLines { clock: Clock::new() }).try_init().unwrap_or(());
            Journal::Json
        }
    }
}

/// `{"at": …, "level": …, "message": …, "record": {…}}`: the record stands in it as an object, not as a text of JSON.
struct JsonLines {
    clock: Clock,
}

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut parts = Parts::default();
        event.record(&mut parts);
        let level = event.metadata().level().as_str();
        writeln!(writer, "{}", parts.line(&self.clock.now().utc.to_string(), level))
    }
}

/// What one event carries.
#[derive(Default)]
struct Parts {
    message: String,
    record: Option<String>,
}

impl Parts {
    fn line(&self, at: &str, level: &str) -> String {
        let text = |text: &str| Value::from(text).to_string();
        let mut line = format!("{{\"at\":{},\"level\":{},\"message\":{}", text(at), text(level), text(&self.message));
        if let Some(record) = &self.record {
            line.push_str(&format!(",\"record\":{record}"));
        }
        line.push('}');
        line
    }
}

impl Visit for Parts {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            // It is JSON already.
            RECORD_FIELD if !value.is_empty() => self.record = Some(value.to_owned()),
            _ => self.record_debug(field, &format_args!("{value}")),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let name = match field.name() {
            "message" => String::new(),
            // Where in the source of a library a line was written.
            name if name.starts_with("log.") => return,
            name => format!(" {name}="),
        };
        // Writing to a string cannot fail.
        write!(self.message, "{name}{value:?}").unwrap_or(());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_stands_in_its_line_as_an_object() {
        let parts = Parts { message: "a \"b\"\n".to_owned(), record: Some(r#"{"record":"connected"}"#.to_owned()) };
        let line = parts.line("2026-11-22T17:00:00Z", "INFO");
        assert!(!line.contains('\n'), "{line}");
        let json: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(json["message"], "a \"b\"\n");
        assert_eq!(json["record"]["record"], "connected");
    }

    #[test]
    fn a_line_without_a_record_is_json_too() {
        let parts = Parts { message: "it starts".to_owned(), record: None };
        let json: Value = serde_json::from_str(&parts.line("2026-11-22T17:00:00Z", "WARN")).unwrap();
        assert_eq!(json, serde_json::json!({"at": "2026-11-22T17:00:00Z", "level": "WARN", "message": "it starts"}));
    }
}
