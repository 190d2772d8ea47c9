//! What is wrong with a script, told to its owner: where, what was expected, what was found, and one help.
//!
//! The same value is printed for people (with the source line) and as JSON for editors. It prints nothing itself.

use std::fmt;

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents, SourceCode};
use miette::{SourceSpan, SpanContents};
use serde::Serialize;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing; nothing need change.
    Note,
    /// The script runs, but hardly as its owner thinks.
    Warning,
    /// The script is refused, and with it the whole set.
    Error,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    pub severity: Severity,
    /// A stable name such as `unknown-word`.
    pub code: &'static str,
    pub file: String,
    /// From 1; 0 where the finding is about the whole file.
    pub line: usize,
    /// From 1; 0 where the finding is about a whole line or file.
    pub column: usize,
    /// Lower case: what was expected and what was found.
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The line that it is about, as it stands in the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// A place in a script. Lines and columns count from 1; 0 is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Place {
    pub line: usize,
    pub column: usize,
}

impl From<rhai::Position> for Place {
    fn from(position: rhai::Position) -> Place {
        Place { line: position.line().unwrap_or(0), column: position.position().unwrap_or(0) }
    }
}

/// The file that findings are about.
#[derive(Debug, Clone, Copy)]
pub struct Script<'a> {
    pub file: &'a str,
    pub text: &'a str,
}

impl Script<'_> {
    /// A finding at a place of this file.
    pub fn finding(&self, severity: Severity, code: &'static str, place: Place, message: String) -> Diagnostic {
        let source = place.line.checked_sub(1).and_then(|index| self.text.lines().nth(index)).map(str::to_owned);
        Diagnostic {
            severity,
            code,
            file: self.file.to_owned(),
            line: place.line,
            column: place.column,
            message,
            help: None,
            source,
        }
    }

    /// An error at a place of this file.
    pub fn error(&self, code: &'static str, place: Place, message: String) -> Diagnostic {
        self.finding(Severity::Error, code, place, message)
    }

    /// A note at a place of this file.
    pub fn note(&self, code: &'static str, place: Place, message: String) -> Diagnostic {
        self.finding(Severity::Note, code, place, message)
    }

    /// A warning at a place of this file.
    pub fn warning(&self, code: &'static str, place: Place, message: String) -> Diagnostic {
        self.finding(Severity::Warning, code, place, message)
    }
}

impl Diagnostic {
    /// The same finding with a help, if there is one.
    #[must_use]
    pub fn with_help(self, help: Option<impl Into<String>>) -> Diagnostic {
        Diagnostic { help: help.map(Into::into), ..self }
    }

    /// For people: severity, message, place, the source line with a mark under it, and the help. Ends with a newline.
    pub fn render(&self, colour: bool) -> String {
        let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let mut out = String::new();
        let handler = GraphicalReportHandler::new_themed(theme).with_width(120).with_context_lines(1);
        match handler.render_report(&mut out, self) {
            Ok(()) => out,
            // The formatter writes to a string; should it fail all the same, the one-line form says everything.
            Err(fmt::Error) => format!("{}\n", self.one_line()),
        }
    }

    /// All of it in one line, for a log: `file:line:column: message; help: …`.
    pub fn one_line(&self) -> String {
        let Diagnostic { file, line, column, message, .. } = self;
        let help = self.help.as_ref().map(|help| format!("; help: {help}")).unwrap_or_default();
        match (line, column) {
            (0, _) => format!("{file}: {message}{help}"),
            (_, 0) => format!("{file}:{line}: {message}{help}"),
            _ => format!("{file}:{line}:{column}: {message}{help}"),
        }
    }

    /// Byte offset and length of the word at the column, within the source line.
    fn span_in_line(&self) -> Option<(usize, usize)> {
        let line = self.source.as_deref()?;
        let begin = line.char_indices().nth(self.column.checked_sub(1)?).map_or(line.len(), |(offset, _)| offset);
        let rest = line.get(begin..)?;
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let length = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
        Some((begin, length.max(rest.chars().next().map_or(0, char::len_utf8))))
    }
}

/// The message alone, as reports want it that show the place themselves.
impl fmt::Display for Diagnostic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Diagnostic {}

impl miette::Diagnostic for Diagnostic {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.code))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.severity {
            Severity::Note => miette::Severity::Advice,
            Severity::Warning => miette::Severity::Warning,
            Severity::Error => miette::Severity::Error,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.is_some().then_some(self as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let (begin, length) = self.span_in_line()?;
        Some(Box::new(std::iter::once(LabeledSpan::underline((begin, length)))))
    }
}

/// The source of a finding is its one line, which knows its number in the file.
impl SourceCode for Diagnostic {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        lines_before: usize,
        _lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let line = self.source.as_deref().ok_or(MietteError::OutOfBounds)?;
        if span.offset() > line.len() {
            return Err(MietteError::OutOfBounds);
        }
        let whole = SourceSpan::from((0, line.len()));
        let row = self.line.saturating_sub(1);
        // The handler reads without surroundings to learn the place, and with them to show the line.
        let column = if lines_before == 0 { self.column.saturating_sub(1) } else { 0 };
        let contents = MietteSpanContents::new_named(self.file.clone(), line.as_bytes(), whole, row, column, 1);
        Ok(Box::new(contents))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_shows_place_line_mark_and_help() {
        let script = Script { file: "policies/night.rhai", text: "fn on_request(request) {\n    dney(\"no\")\n}\n" };
        let finding = script
            .error("unknown-word", Place { line: 2, column: 5 }, "there is no word `dney`".to_owned())
            .with_help(Some("did you mean `deny`?"));
        let shown = finding.render(false);
        for expected in ["policies/night.rhai:2:5", "dney(\"no\")", "unknown-word", "help: did you mean `deny`?", "───"]
        {
            assert!(shown.contains(expected), "{expected} in:\n{shown}");
        }
        let json = serde_json::to_value(&finding).expect("JSON");
        assert_eq!(json["line"], 2);
        assert_eq!(json["severity"], "error");
        assert_eq!(json["source"], "    dney(\"no\")");
    }

    #[test]
    fn one_line_says_as_much_of_the_place_as_there_is() {
        let script = Script { file: "night.rhai", text: "" };
        for (line, column, help, expected) in [
            (2, 5, Some("say `deny`"), "night.rhai:2:5: no such word; help: say `deny`"),
            (2, 0, None, "night.rhai:2: no such word"),
            (0, 0, None, "night.rhai: no such word"),
        ] {
            let finding = script.error("unknown-word", Place { line, column }, "no such word".to_owned());
            assert_eq!(finding.with_help(help).one_line(), expected);
        }
    }

    #[test]
    fn a_place_outside_the_text_is_no_failure() {
        let script = Script { file: "a.rhai", text: "é" };
        for (line, column) in [(0, 0), (1, 0), (1, 1), (1, 9), (9, 9)] {
            let finding = script.warning("x", Place { line, column }, "something".to_owned());
            assert!(finding.render(false).contains("something"), "{line}:{column}");
        }
    }
}
