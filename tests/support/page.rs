//! The blocks of code on a page of the documents.

/// Each block in one language: the line that it begins on, from 1, and its text.
pub fn blocks(page: &str, language: &str) -> Vec<(usize, String)> {
    let (mut blocks, mut is_open) = (Vec::<(usize, String)>::new(), false);
    for (index, line) in page.lines().enumerate() {
        if line == format!("```{language}") {
            is_open = true;
            blocks.push((index + 1, String::new()));
        } else if line.starts_with("```") {
            is_open = false;
        } else if let (true, Some((_, text))) = (is_open, blocks.last_mut()) {
            text.push_str(line);
            text.push('\n');
        }
    }
    blocks
}

/// The text of the last block in a language that begins so.
pub fn last_block(page: &str, language: &str, beginning: &str) -> String {
    let mut texts = blocks(page, language).into_iter().map(|(_, text)| text);
    texts.rfind(|text| text.starts_with(beginning)).expect("a block of the page")
}
