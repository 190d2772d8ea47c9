//! The words of the bridge: everything that its parts say to each other.
//!
//! Values only. This module imports nothing else of the crate, reads no clock, opens no file, and decides nothing.

pub mod action;
pub mod control;
pub mod decision;
pub mod durable;
pub mod entity;
pub mod event;
pub mod glob;
pub mod message;
pub mod mode;
pub mod permit;
pub mod request;
pub mod speaker;
pub mod time;
pub mod topic;
