//! Looks that change nothing.

pub mod doctor;
