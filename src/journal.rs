//! The owner's log as data: what one line of it holds, how lines are chained, and what of a record can be erased.
//!
//! Pure: files are the shell's affair, and so are the index and the questions that people ask of it.

pub mod chain;
pub mod ended;
pub mod line;
pub mod retention;
pub mod seal;
mod sorted;
pub mod told;
