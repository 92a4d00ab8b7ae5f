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
}

impl AfterProcessing {
    const ALL: [AfterProcessing; 3] = [Self::Keep, Self::Tag, Self::Delete];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Tag => "tag",
            Self::Delete => "delete",
        }
    }

    /// `None` for a step that no handler has.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.as_str() == text)
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
        for step in AfterProcessing::ALL {
            assert_eq!(AfterProcessing::parse(step.as_str()), Some(step));
            assert_eq!(serde_json::to_value(step).unwrap(), step.as_str());
        }
        assert_eq!(AfterProcessing::parse("burn"), None);
    }
}
