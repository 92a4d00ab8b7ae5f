//! The surfaces of what is deployed, as far as they are known.

use std::pin::Pin;

use claimctl_claim::surface::Surfaces;
use claimctl_core::error::{Error, Result};

use super::Target;

/// What a surface's reader needs.
const GET: &str = "s3:GetObject";

/// Reads the surfaces of a target: from the sandbox, or from where stacks write them.
pub trait ReadSurfaces: Send + Sync {
    fn read<'a>(&'a self, target: &'a Target) -> Pin<Box<dyn Future<Output = Result<Known>> + Send + 'a>>;
}

/// What is known of an environment's stacks, and what is not.
#[derive(Debug, Default)]
pub struct Known {
    pub surfaces: Surfaces,
    /// Stacks that are not deployed, or expose nothing.
    pub nameless: Vec<String>,
    /// Stacks that are not deployed or may not be looked at: S3 answers both alike to who may not list the bucket
    /// (Amazon S3 API Reference, GetObject, permissions).
    pub hidden: Vec<String>,
    /// Why the names of a stack that is there are not known.
    pub broken: Vec<Error>,
    /// What has to be readable for the hidden ones, as IAM names it.
    objects: String,
}

impl Known {
    /// For what can only be seen whole, such as the sandbox.
    pub fn whole(surfaces: Surfaces) -> Known {
        Known { surfaces, ..Known::default() }
    }

    /// Nothing yet; `objects` is what has to be readable, as IAM names it.
    pub fn below(objects: String) -> Known {
        Known { objects, ..Known::default() }
    }

    /// Nothing could be asked for.
    pub fn nothing(why: Error) -> Known {
        Known { broken: vec![why], ..Known::default() }
    }

    /// Whether a stack was looked at and exposes nothing.
    pub fn lacks(&self, stack: &str) -> bool {
        self.nameless.iter().any(|nameless| nameless == stack)
    }

    /// Whether there may be more than is known. A stack that is only hidden is most likely not deployed.
    pub fn is_broken(&self) -> bool {
        !self.broken.is_empty()
    }

    /// Whether nothing was found out at all, not even that nothing is deployed.
    pub fn is_blind(&self) -> bool {
        self.surfaces.0.is_empty() && (self.is_broken() || !self.hidden.is_empty())
    }

    /// What an operator should know although the names of other stacks work.
    pub fn notes(&self) -> Vec<String> {
        let told = |error: &Error| {
            let hints = error.hints().iter().map(ToString::to_string);
            std::iter::once(error.chain().join(": ")).chain(hints).collect::<Vec<_>>().join("; ")
        };
        match (self.is_blind(), self.broken.first()) {
            (true, Some(error)) => vec![format!("logical names are not known here: {}", told(error))],
            (true, None) => vec![format!("logical names are not known here: {}", self.told_hidden())],
            (false, _) => self.broken.iter().map(told).collect(),
        }
    }

    /// Why a name may be unknown here and mean something all the same.
    pub fn hints(&self) -> Vec<String> {
        let broken = self.broken.iter().map(|error| format!("not every name is known: {}", error.chain().join(": ")));
        let hidden = (!self.hidden.is_empty()).then(|| format!("not every name is known: {}", self.told_hidden()));
        broken.chain(hidden).collect()
    }

    fn told_hidden(&self) -> String {
        let of = self.hidden.join(", ");
        format!(
            "the surface of {of} is missing or may not be read, and its state may not be read either; where it is \
             deployed, allow {GET} on {}",
            self.objects
        )
    }
}
