//! The promises, proved through the real binary against the real sandbox.
//!
//! One test binary, because each one links the whole tool.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::print_stderr, reason = "a test that leaves something out says so")]

mod support;

use support::{
    database, dead_letters, foreign, payments_table, platform, proxy, queues, roles, run, seeded, server, site,
    terminal, world,
};

mod accounts;
mod api;
mod bad_input;
mod bootstrap;
mod claim;
mod cleanup;
mod completions;
mod config;
mod csv_aurora;
mod csv_table;
mod db;
mod demo;
mod deploy;
mod dlq;
mod docs;
mod doctor;
mod drain;
mod fan_out;
mod faults;
mod function;
mod generate;
mod help;
mod init;
mod journal;
mod local;
mod log;
mod man;
mod network;
mod package;
mod payments;
mod peek;
mod policy;
mod records;
mod replay;
mod send;
mod stats;
mod terraform;
mod upload;
mod verify;
mod verify_flows;
mod verify_payments;
mod workflows;
mod workspace;
