//! The file by which `terraform init` chooses the same providers again (Terraform documentation, "Dependency Lock File").

use std::path::{Path, PathBuf};

use claimctl_core::error::Result;

use super::hcl;
use super::root::{stacks, stacks_folder};

pub const LOCK_FILE: &str = ".terraform.lock.hcl";

/// A version of the AWS provider that a stack has chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChosenProvider {
    pub stack: String,
    pub version: String,
}

impl ChosenProvider {
    /// Whether its plans never come to an end: versions 6.22 to 6.39 plan the encryption of a bucket anew each time, for
    /// the types that it blocks.
    pub fn plans_for_ever(&self) -> bool {
        let mut numbers = self.version.split('.').map(|number| number.parse().unwrap_or(0));
        let (major, minor): (u32, u32) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        major == 6 && (22..=39).contains(&minor)
    }
}

/// The AWS provider that each stack of the project has chosen; a stack without a lock file has none yet.
pub fn chosen_providers(project: &Path) -> Result<Vec<ChosenProvider>> {
    let mut chosen = Vec::new();
    for stack in stacks(project) {
        let file: PathBuf = stacks_folder(project).join(&stack).join(LOCK_FILE);
        if !file.exists() {
            continue;
        }
        let body = hcl::read(&file)?;
        let of_aws = body
            .get_blocks("provider")
            .find(|block| block.labels.first().is_some_and(|source| source.as_str().ends_with("/hashicorp/aws")));
        let version = of_aws.and_then(|block| block.body.get_attribute("version")?.value.as_str().map(str::to_owned));
        chosen.extend(version.map(|version| ChosenProvider { stack, version }));
    }
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_versions_that_plan_for_ever_are_known() {
        for (version, is_one) in [
            ("5.100.0", false),
            ("6.21.0", false),
            ("6.22.0", true),
            ("6.39.1", true),
            ("6.40.0", false),
            ("7.30.0", false),
        ] {
            let chosen = ChosenProvider { stack: "s".to_owned(), version: version.to_owned() };
            assert_eq!(chosen.plans_for_ever(), is_one, "{version}");
        }
    }
}
