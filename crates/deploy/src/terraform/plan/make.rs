//! Planning: Terraform looks, and what it would do is read from its plan file.

use std::collections::BTreeMap;

use claimctl_aws::target::Target;
use claimctl_core::error::{Error, IoContext, Result};
use claimctl_core::progress::Unit;
use claimctl_core::redact::redact_arguments;
use serde::{Deserialize, Serialize};

use crate::artifact::sha256;
use crate::terraform::plan::file::{Deployed, PlanFile, Sidecar, empty_private, private_folder, remove_abandoned};
use crate::terraform::plan::json::Plan;
use crate::terraform::plan::summary::Summary;
use crate::terraform::run::driver::Terraform;
use crate::terraform::run::events::Event;
use crate::terraform::variables;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    #[default]
    Deploy,
    /// Only bring the state up to what is there.
    RefreshOnly,
    Destroy,
}

/// What is to be planned.
#[derive(Debug, Clone, Default)]
pub struct PlanRequest {
    pub mode: Mode,
    /// Addresses; none is everything.
    pub targets: Vec<String>,
    /// `NAME=VALUE`
    pub variables: Vec<String>,
    /// Variable → digest.
    pub digests: BTreeMap<String, String>,
    pub artifacts: Vec<Deployed>,
    /// Resources at a time.
    pub parallelism: Option<u16>,
    /// More arguments of `terraform plan`.
    pub extra: Vec<String>,
    /// All of this as it was typed, but for artifacts.
    pub arguments: Vec<String>,
}

#[derive(Debug)]
pub struct Planned {
    pub file: PlanFile,
    pub summary: Summary,
}

impl Planned {
    /// Whether there is nothing to apply.
    pub fn is_empty(&self) -> bool {
        self.file.sidecar.is_empty
    }

    pub fn mode(&self) -> Mode {
        self.file.sidecar.mode
    }
}

impl Terraform {
    pub async fn plan(&self, target: &Target, request: &PlanRequest) -> Result<Planned> {
        remove_abandoned(&self.root);
        let folder = private_folder(&self.root)?;
        let path = folder.path().join("plan");
        empty_private(&path)?;
        let mut arguments: Vec<String> =
            ["plan", "-json", "-input=false", "-detailed-exitcode"].map(str::to_owned).into();
        arguments.push(format!("-out={}", path.display()));
        match request.mode {
            Mode::Deploy => {}
            Mode::RefreshOnly => arguments.push("-refresh-only".into()),
            Mode::Destroy => arguments.push("-destroy".into()),
        }
        arguments.extend(variables::arguments(target, &self.root, &self.source, &request.digests, &request.variables)?);
        arguments.extend(request.targets.iter().map(|address| format!("-target={address}")));
        arguments.extend(request.parallelism.map(|number| format!("-parallelism={number}")));
        arguments.extend(request.extra.iter().cloned());

        let doing = format!("plan {}", self.root.name());
        self.progress.start(&format!("planning {}", self.root.name()), None, Unit::Items);
        let mut seen = Vec::new();
        let ran = self.stream(&arguments, |event| {
            if let Event::RefreshComplete { hook } = event {
                self.progress.advance(1);
                seen.push(hook.address().to_owned());
            }
        });
        let ran = ran.await;
        self.progress.finish();
        let (ended, said) = ran?;
        // There is something to do (Terraform documentation, "terraform plan", -detailed-exitcode).
        let is_empty = ended.status.code() != Some(2);
        if is_empty || ended.interrupted {
            self.check(&ended, &said, &doing, true)?;
        }
        self.note_warnings(&said);
        let summary = match is_empty && !seen.is_empty() {
            // Asking for the plan would start the provider once more.
            true => Summary {
                unchanged: seen.iter().filter(|address| !is_data(address)).count() as u64,
                ..Summary::default()
            },
            false => summary(self.show(&path).await?, request.mode)?,
        };
        let known =
            || summary.changes.iter().map(|change| change.address.as_str()).chain(seen.iter().map(String::as_str));
        self.check_targets(&request.targets, known)?;
        let plan = std::fs::read(&path).on("read", &path)?;
        let sidecar = Sidecar {
            digest: sha256(&plan),
            artifacts: request.artifacts.clone(),
            mode: request.mode,
            is_empty,
            arguments: redact_arguments(&request.arguments, &self.source.sensitive),
            ..Sidecar::new(&self.root, &target.region, target.expected_account(), &self.binary.version)
        };
        Ok(Planned { file: PlanFile::made(folder, path, sidecar), summary })
    }

    /// A plan that was kept in a file, for the environment that it was made for.
    pub async fn planned(&self, target: &Target, path: &std::path::Path) -> Result<Planned> {
        let file = PlanFile::read(path, &self.root, &target.region, target.expected_account())?;
        let plan = self.show(&file.path).await?;
        // Nothing of what it would destroy is asked for where only the state is to change.
        if file.sidecar.mode == Mode::RefreshOnly && plan.changes_resources() {
            return Err(Error::refused(format!("{} is not the plan that was made", path.display()))
                .caused_by("its sidecar says refresh-only, and the plan changes resources")
                .hint(file.again()));
        }
        Ok(Planned { summary: summary(plan, file.sidecar.mode)?, file })
    }

    async fn show(&self, path: &std::path::Path) -> Result<Plan> {
        let show = ["show", "-json", "-no-color", &path.display().to_string()].map(str::to_owned);
        let json = self.run_for_json(&show, &format!("read the plan of {}", self.root.name())).await?;
        let unknown = || {
            Error::unexpected("Terraform's plan is not what claimctl reads").hint(format!(
                "claimctl reads version 1 of its format; this is {} {}",
                self.binary.program, self.binary.version
            ))
        };
        let plan: Plan = serde_json::from_str(&json).map_err(|error| unknown().caused_by(error))?;
        match plan.format_version.starts_with("1.") {
            true => Ok(plan),
            false => Err(unknown().caused_by(format!("its format_version is {}", plan.format_version))),
        }
    }

    /// Terraform takes an address of nothing for a plan of nothing.
    fn check_targets<'a, I: Iterator<Item = &'a str>>(&self, targets: &[String], known: impl Fn() -> I) -> Result<()> {
        for target in targets {
            let is_within = |address: &str| {
                address
                    .strip_prefix(target.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            };
            if !known().any(is_within) {
                let error = Error::not_found(format!("{} has nothing at {target}", self.root.name()));
                return Err(match self.source.meant(target) {
                    Some(near) => error.hint(format!("did you mean {near}?")),
                    None => error.next("what there is", self.root.next_run("plan")),
                });
            }
        }
        Ok(())
    }
}

fn summary(plan: Plan, mode: Mode) -> Result<Summary> {
    match mode {
        Mode::RefreshOnly => Summary::of_drift(plan),
        Mode::Deploy | Mode::Destroy => Summary::of(plan),
    }
}

/// `module.environment.data.aws_partition.current`, as opposed to a managed resource.
fn is_data(address: &str) -> bool {
    address.split('.').any(|part| part == "data")
}
