//! The chain over the lines of the journal.
//!
//! Each line's link is SHA-256 over the link before it, its number and the digest of its body. So a changed, missing or
//! added line breaks every link after it, while the body of a pruned line can go: its digest stays. What can be erased
//! is in the body as a salted digest only.

use sha2::{Digest, Sha256};

/// SHA-256, 32 bytes.
pub type Link = [u8; 32];

/// What the first line's link is made from.
pub fn genesis() -> Link {
    Sha256::digest(b"hushgate journal 1").into()
}

/// The digest of a body.
pub fn digest(body: &[u8]) -> Link {
    Sha256::digest(body).into()
}

/// The link of a line: `before` is that of the line before it.
pub fn link(before: &Link, seq: u64, body_digest: &Link) -> Link {
    let mut hash = Sha256::new();
    hash.update(before);
    hash.update(seq.to_be_bytes());
    hash.update(body_digest);
    hash.finalize().into()
}

/// Lower-case hexadecimal.
pub fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::new();
    push_hexadecimal(&mut text, bytes);
    text
}

/// The same at the end of a text.
pub fn push_hexadecimal(text: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).map_or('0', |digit| char::from(*digit));
    text.reserve(2 * bytes.len());
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 15));
    }
}

/// Reads 64 lower-case hexadecimal digits.
pub fn read_link(text: &str) -> Option<Link> {
    let nibble = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let mut link = [0; 32];
    if pairs.len() != link.len() || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in link.iter_mut().zip(pairs) {
        *byte = nibble(*high)? << 4 | nibble(*low)?;
    }
    Some(link)
}
