//! The after-processing step: what a flow's handler does with a payload once its record is written.

use serde::{Deserialize, Serialize};

/// Ordered by how much is still to be done behind a record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AfterProcessing {
    /// Nothing: the record is all that there is to do.
    #[default]
    Keep,
    /// Tag it `processed=true`.
    Tag,
    Delete,
    /// Load the rows of the file: loaders do that, and claim-recorder does not.
    Load,
}

impl AfterProcessing {
    /// What the operator may choose.
    const CHOICES: [AfterProcessing; 3] = [Self::Keep, Self::Tag, Self::Delete];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Tag => "tag",
            Self::Delete => "delete",
            Self::Load => "load",
        }
    }

    /// `None` for a step that claim-recorder does not have.
    pub fn parse(text: &str) -> Option<Self> {
        Self::CHOICES.into_iter().find(|step| step.as_str() == text)
    }

    /// Whether a record has to say `processed` before its claim is done with.
    pub fn is_a_step(self) -> bool {
        self != Self::Keep
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_has_one_name() {
        for step in AfterProcessing::CHOICES {
            assert_eq!(AfterProcessing::parse(step.as_str()), Some(step));
            assert_eq!(serde_json::to_value(step).unwrap(), step.as_str());
        }
        for other in ["burn", "load"] {
            assert_eq!(AfterProcessing::parse(other), None);
        }
    }
}
