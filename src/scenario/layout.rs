//! Where documents, steps and expectations stand in a scenario file.
//!
//! The YAML reader tells no positions of what it accepts, so this looks at indentation alone. That is enough since
//! `steps:` stands at the margin and each step begins with a dash; whatever is written otherwise has no place, and the
//! reader of the file refuses it.

use std::ops::Range;

use super::item::{self, Item};

#[derive(Debug, Default)]
pub(super) struct Layout {
    pub(super) documents: Vec<Document>,
}

/// One YAML document.
#[derive(Debug, Default, Clone)]
pub(super) struct Document {
    /// Of its first key, from 1.
    pub(super) line: usize,
    pub(super) steps: Vec<StepPlace>,
}

/// One step. Spans are lines, from 0.
#[derive(Debug, Clone)]
pub(super) struct StepPlace {
    /// From 1.
    pub(super) line: usize,
    dash_columns: usize,
    is_block: bool,
    /// The last line of its text, exclusive.
    end: usize,
    expect: Option<Range<usize>>,
    /// The line that was read last belongs to `expect`.
    in_expect: bool,
}

impl Layout {
    pub(super) fn of(text: &str) -> Layout {
        let lines: Vec<&str> = text.lines().collect();
        let mut layout = Layout::default();
        let mut start = 0;
        for (index, line) in lines.iter().enumerate() {
            if line.starts_with("---") {
                layout.documents.extend(document(&lines, start..index));
                start = index + 1;
            }
        }
        layout.documents.extend(document(&lines, start..lines.len()));
        layout
    }
}

impl StepPlace {
    /// The lines of its `expect`; where it has none, the empty span at which one would stand.
    pub(super) fn expect_span(&self) -> Range<usize> {
        self.expect.clone().unwrap_or(self.end..self.end)
    }

    /// The text of an `expect` with these items. `None`: the step is not written as a block.
    pub(super) fn block(&self, items: &[Item]) -> Option<String> {
        if !self.is_block {
            return None;
        }
        if items.is_empty() {
            return Some(String::new());
        }
        let key = " ".repeat(self.dash_columns + 2);
        Some(format!("{key}expect:\n{}", item::write(items, self.dash_columns + 4)))
    }
}

/// Columns before the first character. `None`: the line is blank or a comment.
fn indent(line: &str) -> Option<usize> {
    let text = line.trim_start();
    (!text.is_empty() && !text.starts_with('#')).then(|| line.len() - text.len())
}

fn document(lines: &[&str], span: Range<usize>) -> Option<Document> {
    let content = |index: &usize| lines.get(*index).copied().and_then(indent).is_some();
    let first = span.clone().find(content)?;
    let mut document = Document { line: first + 1, steps: Vec::new() };
    let heads = |index: &usize| lines.get(*index).is_some_and(|line| line.trim_end() == "steps:");
    let Some(head) = span.clone().find(heads) else { return Some(document) };
    let Some(dash_columns) = (head + 1..span.end).find_map(|index| lines.get(index).copied().and_then(indent)) else {
        return Some(document);
    };
    for index in head + 1..span.end {
        let Some((line, columns)) = lines.get(index).and_then(|line| Some((*line, indent(line)?))) else { continue };
        let text = line.trim_start();
        if columns < dash_columns || (columns == dash_columns && !text.starts_with("- ")) {
            break;
        }
        if columns == dash_columns {
            let is_block = !text.trim_start_matches("- ").starts_with('{');
            let (line, end) = (index + 1, index + 1);
            document.steps.push(StepPlace { line, dash_columns, is_block, end, expect: None, in_expect: false });
        } else if let Some(step) = document.steps.last_mut() {
            extend(step, index, columns, text);
        }
    }
    Some(document)
}

/// Adds one more line to a step.
fn extend(step: &mut StepPlace, index: usize, columns: usize, text: &str) {
    step.end = index + 1;
    let key_columns = step.dash_columns + 2;
    if columns == key_columns && !text.starts_with("- ") {
        step.in_expect = text.starts_with("expect:");
        if step.in_expect {
            step.expect = Some(index..index + 1);
        }
    } else if step.in_expect
        && let Some(expect) = &mut step.expect
    {
        expect.end = index + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# A file.
---
scenario: one
policies:
  p: |
    steps:
      - no step
steps:
  # A comment.
  - after: 30s

  - gate: {topic: a}
    expect:
      - decision: allow
        # lost when rewritten
        reason: because
    silent: [b]
    # kept
  - {after: 1s}
---
scenario: two
steps:
- after: 1s
  expect:
  - record: clock
";

    #[test]
    fn steps_and_expectations_are_found_by_indentation() {
        let layout = Layout::of(TEXT);
        let lines: Vec<usize> = layout.documents.iter().map(|document| document.line).collect();
        assert_eq!(lines, [3, 21]);
        let seen: Vec<(usize, bool, Range<usize>)> = layout
            .documents
            .iter()
            .flat_map(|document| &document.steps)
            .map(|step| (step.line, step.is_block, step.expect_span()))
            .collect();
        assert_eq!(
            seen,
            [(10, true, 10..10), (12, true, 12..16), (19, false, 19..19), (23, true, 23..25)],
            "line of the step, whether it is a block, lines of its expectation from 0"
        );
    }
}
