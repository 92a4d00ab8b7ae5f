//! The surfaces of what is deployed, as far as they are known: read once, and with what could not be read, so that an
//! unknown name is told from one that could not be looked up.

use std::pin::Pin;

use claimctl_claim::surface::Surfaces;
use claimctl_core::error::{Error, Result};

use super::Target;

/// What a surface's reader needs.
const GET: &str = "s3:GetObject";

/// Reads the surfaces of a target: from the sandbox, or from where stacks write them.
pub trait ReadSurfaces: Send + Sync {
    fn read<'a>(&'a self, target: &'a Target) -> Pin<Box<dyn Future<Output = Result<KnownSurfaces>> + Send + 'a>>;
}

/// What is known of an environment's stacks, and what is not.
#[derive(Debug, Default)]
pub struct KnownSurfaces {
    pub surfaces: Surfaces,
    /// Stacks that are not deployed, or expose nothing.
    pub without_surface: Vec<String>,
    /// Stacks that are not deployed or may not be looked at: S3 answers both alike to who may not list the bucket
    /// (Amazon S3 API Reference, GetObject, permissions).
    pub unreadable: Vec<String>,
    /// Why the names of a stack that is there are not known.
    pub failures: Vec<Error>,
    /// What has to be readable for the unreadable ones, as IAM names it.
    objects: String,
}

impl KnownSurfaces {
    /// All there is.
    pub fn complete(surfaces: Surfaces) -> KnownSurfaces {
        KnownSurfaces { surfaces, ..KnownSurfaces::default() }
    }

    /// None yet, to be filled by a reader; `objects` is what has to be readable, as IAM names it.
    pub fn incomplete(objects: String) -> KnownSurfaces {
        KnownSurfaces { objects, ..KnownSurfaces::default() }
    }

    /// None, because not even the reading could begin.
    pub fn unknown(why: Error) -> KnownSurfaces {
        KnownSurfaces { failures: vec![why], ..KnownSurfaces::default() }
    }

    /// Whether a stack was looked at and exposes nothing.
    pub fn lacks(&self, stack: &str) -> bool {
        self.without_surface.iter().any(|name| name == stack)
    }

    /// Whether there may be more than is known. A stack that is only unreadable is most likely not deployed.
    pub(super) fn has_failures(&self) -> bool {
        !self.failures.is_empty()
    }

    /// Whether nothing was found out at all, not even that nothing is deployed.
    pub fn is_unknown(&self) -> bool {
        self.surfaces.0.is_empty() && (self.has_failures() || !self.unreadable.is_empty())
    }

    /// What an operator should know although the names of other stacks work.
    pub(super) fn notes(&self) -> Vec<String> {
        let told = |error: &Error| {
            let hints = error.hints().iter().map(ToString::to_string);
            std::iter::once(error.chain().join(": ")).chain(hints).collect::<Vec<_>>().join("; ")
        };
        match (self.is_unknown(), self.failures.first()) {
            (true, Some(error)) => vec![format!("logical names are not known here: {}", told(error))],
            (true, None) => vec![format!("logical names are not known here: {}", self.unreadable_sentence())],
            (false, _) => self.failures.iter().map(told).collect(),
        }
    }

    /// Why a name may be unknown here and mean something all the same.
    pub(super) fn hints(&self) -> Vec<String> {
        let failures =
            self.failures.iter().map(|error| format!("not every name is known: {}", error.chain().join(": ")));
        let unreadable =
            (!self.unreadable.is_empty()).then(|| format!("not every name is known: {}", self.unreadable_sentence()));
        failures.chain(unreadable).collect()
    }

    fn unreadable_sentence(&self) -> String {
        let of = self.unreadable.join(", ");
        format!(
            "the surface of {of} is missing or may not be read, and its state may not be read either; where it is \
             deployed, allow {GET} on {}",
            self.objects
        )
    }
}
