//! `dlq`: whose dead letters there are, and what is to be done with each.

mod events;
mod inspect;
mod ls;
