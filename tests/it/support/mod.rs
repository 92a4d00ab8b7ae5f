//! What several tests stand on: the built program run as a person would, servers, terminals, and worlds to work in.

pub mod database;
pub mod dead_letters;
pub mod foreign;
pub mod once;
pub mod payments_table;
pub mod platform;
pub mod proxy;
pub mod queues;
pub mod roles;
pub mod run;
pub mod seeded;
pub mod server;
pub mod site;
pub mod terminal;
pub mod terraform;
pub mod world;
