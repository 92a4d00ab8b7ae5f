//! The after-processing step: what a flow's handler does with a payload once its record is written.

use serde::{Deserialize, Serialize};

/// Ordered by how much is still to be done behind a record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AfterProcessing {
    /// Nothing: the record is all that there is to do.
    #[default]
    Keep,
    /// The rows of a CSV file are written: `csv-loader` does that, and claim-recorder does not.
    Load,
    /// Tag it `processed=true`.
    Tag,
    Delete,
}

impl AfterProcessing {
    const OF_THE_RECORDER: [AfterProcessing; 3] = [Self::Keep, Self::Tag, Self::Delete];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Load => "load",
            Self::Tag => "tag",
            Self::Delete => "delete",
        }
    }

    /// `None` for a step that claim-recorder does not have.
    pub fn parse(text: &str) -> Option<Self> {
        Self::OF_THE_RECORDER.into_iter().find(|step| step.as_str() == text)
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
        for step in [AfterProcessing::Keep, AfterProcessing::Load, AfterProcessing::Tag, AfterProcessing::Delete] {
            let can = step != AfterProcessing::Load;
            assert_eq!(AfterProcessing::parse(step.as_str()), can.then_some(step));
            assert_eq!(serde_json::to_value(step).unwrap(), step.as_str());
        }
        assert_eq!(AfterProcessing::parse("burn"), None);
    }
}
