//! Engines that read queues. They return values; nothing here knows a terminal.

pub mod depth;
