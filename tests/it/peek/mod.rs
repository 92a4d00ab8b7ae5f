//! `queue peek`: an honest look, and what is selected and counted in it.

mod look;
mod select;
