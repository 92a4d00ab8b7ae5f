//! The crate `webpki-roots` without its certificates.
//!
//! The database driver verifies a server by the certificates that it is given, and always by those of this crate too: any
//! public authority could then vouch for a database. `csv-importer` trusts the bundle of its region and nothing else.

#![no_std]

use rustls_pki_types::TrustAnchor;

/// Nobody.
pub const TLS_SERVER_ROOTS: &[TrustAnchor<'static>] = &[];
