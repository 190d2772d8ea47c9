//! One line of the journal: `<number> TAB <link> TAB <body> TAB <open> LF`.
//!
//! - The number counts from 1, without a gap over all segments.
//! - The link is that of `chain`, in hexadecimal.
//! - The body is a record's JSON, in which what can be erased stands as a salted digest; or `#` and the digest of a body
//!   that was pruned.
//! - What is open is a JSON object with the salts and values of what can be erased, by JSON pointer (RFC 6901) into the
//!   body; empty, or spaces, where there is none any more. It is the one part that the chain does not cover: `log forget`
//!   writes spaces over it.
//!
//! JSON escapes tabs and line feeds, so neither stands in a field.

use super::chain::{self, Link};

/// Longest line that is read or written, in bytes.
pub const LINE_BYTES_MAX: usize = 1024 * 1024;

/// What a line tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body<'a> {
    /// A record's JSON.
    Whole(&'a str),
    /// It was pruned; its digest is left.
    Pruned(Link),
}

impl Body<'_> {
    pub fn digest(&self) -> Link {
        match self {
            Body::Whole(text) => chain::digest(text.as_bytes()),
            Body::Pruned(digest) => *digest,
        }
    }
}

/// One line, read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    pub seq: u64,
    pub link: Link,
    pub body: Body<'a>,
    /// Without the spaces that something forgotten leaves.
    pub open: &'a str,
}

/// Writes a line, with its line feed.
pub fn write(seq: u64, link: &Link, body: &str, open: &str) -> String {
    let mut text = String::new();
    push(&mut text, seq, link, body, open);
    text
}

/// The same at the end of a text.
pub fn push(text: &mut String, seq: u64, link: &Link, body: &str, open: &str) {
    text.push_str(&seq.to_string());
    text.push('\t');
    chain::push_hexadecimal(text, link);
    text.extend(["\t", body, "\t", open, "\n"]);
}

/// Reads a line, without its line feed.
///
/// # Errors
/// For the owner: what is wrong with it.
pub fn read(text: &str) -> Result<Line<'_>, &'static str> {
    let mut fields = text.split('\t');
    let (Some(seq), Some(link), Some(body), Some(open), None) =
        (fields.next(), fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err("expected four fields");
    };
    // Written in the one way in which it is written here: `007` would be another byte and the same number.
    let is_plain = seq.bytes().all(|byte| byte.is_ascii_digit()) && !seq.starts_with('0');
    let seq = seq.parse().ok().filter(|_| is_plain).ok_or("expected a number in the first field")?;
    let link = chain::read_link(link).ok_or("expected 64 hexadecimal digits in the second field")?;
    let body = match body.strip_prefix('#') {
        Some(digest) => Body::Pruned(chain::read_link(digest).ok_or("expected the digest of a pruned record")?),
        None => Body::Whole(body),
    };
    Ok(Line { seq, link, body, open: open.trim_matches(' ') })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let link = chain::link(&chain::genesis(), 7, &chain::digest(b"{}"));
        let text = write(7, &link, "{}", "");
        let line = read(text.trim_end_matches('\n')).unwrap();
        assert_eq!(line, Line { seq: 7, link, body: Body::Whole("{}"), open: "" });
        let digest = chain::hexadecimal(&line.body.digest());
        let pruned = write(7, &link, &format!("#{digest}"), "   ");
        let line = read(pruned.trim_end_matches('\n')).unwrap();
        assert_eq!((line.body.digest(), line.open), (chain::digest(b"{}"), ""));
    }

    #[test]
    fn what_is_no_line_is_refused_with_its_reason() {
        let link = "0".repeat(64);
        for (text, reason) in [
            (String::new(), "expected four fields"),
            (format!("1\t{link}\t{{}}\t\t"), "expected four fields"),
            (format!("x\t{link}\t{{}}\t"), "expected a number in the first field"),
            (format!("+5\t{link}\t{{}}\t"), "expected a number in the first field"),
            (format!("005\t{link}\t{{}}\t"), "expected a number in the first field"),
            (format!("1\t{}\t{{}}\t", "0".repeat(63)), "expected 64 hexadecimal digits in the second field"),
            (format!("1\t{}\t{{}}\t", "G".repeat(64)), "expected 64 hexadecimal digits in the second field"),
            (format!("1\t{link}\t#00\t"), "expected the digest of a pruned record"),
        ] {
            assert_eq!(read(&text), Err(reason), "{text}");
        }
    }
}
