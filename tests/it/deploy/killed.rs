//! Killed at any moment of a deployment, claimctl or Terraform: following what is typed out, the next runs end where the
//! first should have.

use std::process::Child;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};
use serde_json::json;

use crate::run::{Run, Running, eventually, finish, signal};
use crate::seeded::{Seeded, each_seed, seeds};
use crate::server::Server;
use crate::site::{Site, terraform_of};

/// So long each resource takes, so that there is time between one and the next.
const EACH: u64 = 100;
/// Unlock, deploy, import, deploy, import what needed that, deploy; and one to see that nothing is left to do.
const MOST_RUNS: usize = 8;

struct Victim<'a> {
    site: &'a Site<'a>,
    stack: String,
    seed: u64,
}

impl Victim<'_> {
    /// After so many calls that AWS saw of it, or after so long.
    fn wait(&self, child: &mut Child, usual: u64) {
        let mut seeded = Seeded::of(self.seed);
        let (by_calls, calls) = (self.seed.is_multiple_of(2), 1 + seeded.below(5) as usize);
        let until = Instant::now() + Duration::from_millis(seeded.below(usual));
        eventually("the moment", || {
            let has_come = match by_calls {
                true => self.calls() >= calls,
                false => Instant::now() >= until,
            };
            (has_come || child.try_wait().unwrap().is_some()).then_some(())
        });
    }

    fn calls(&self) -> usize {
        let ours = |call: &serde_json::Value| call["key"].as_str().unwrap().contains(&self.stack);
        self.site.root.cloud.calls().iter().filter(|call| ours(call)).count()
    }

    /// Whether somebody was killed at work.
    fn kill(&self, mut child: Child, usual: u64) -> bool {
        self.wait(&mut child, usual);
        let killed = match self.seed % 4 {
            // It was faster.
            _ if child.try_wait().unwrap().is_some() => false,
            0 | 1 => match terraform_of(&child) {
                Some(terraform) => kill_process(terraform, Signal::KILL).is_ok(),
                None => false,
            },
            _ => {
                signal(&child, Signal::KILL);
                true
            }
        };
        finish(child, self.stack.clone());
        self.is_readable();
        killed
    }

    /// Whatever happens, what is in the bucket is a state.
    fn is_readable(&self) {
        if let Some(state) = self.site.state_of(&self.stack) {
            assert!(state["serial"].is_u64() && state["lineage"].is_string(), "{state}");
        }
    }

    /// Types what the tool says, until it says that there is nothing to do.
    fn recover(&self) -> usize {
        let deploy = format!("claimctl deploy {} --env dev --yes", self.stack);
        for runs in 1..=MOST_RUNS {
            let run = self.site.types(&deploy);
            self.is_readable();
            if run.code == 0 && run.stdout.contains("nothing to do") {
                return runs;
            }
            if run.code != 0 {
                let typed = what_to_type(&run);
                self.site.types(&format!("{typed} --yes")).exits(0);
                self.is_readable();
            }
        }
        panic!("seed {}: no end after {MOST_RUNS} runs", self.seed);
    }
}

/// The command of the hint that names one.
#[track_caller]
fn what_to_type(run: &Run) -> String {
    let said = format!("{}\n{}", run.stdout, run.stderr);
    let verbs = ["give the lock back: ", "take it in: "];
    let typed = verbs.iter().find_map(|verb| said.split_once(verb)).and_then(|(_, rest)| rest.lines().next());
    typed.unwrap_or_else(|| panic!("nothing to type in: {said}")).to_owned()
}

#[test]
fn killed_at_any_moment_what_is_typed_out_leads_to_the_end_and_nothing_is_doubled() {
    let seeds = seeds();
    let server = Server::up();
    let site = Site::new(&server);
    let slow = ["aws_sqs_queue", "aws_dynamodb_table", "aws_cloudwatch_log_group"];
    let slow = slow.map(|kind| json!({"type": kind, "on": "create", "milliseconds": EACH}));
    site.root.cloud.plant(&json!(slow));
    let (killed, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    site.with_small("unharmed");
    let began = Instant::now();
    site.run("deploy unharmed --env dev --yes").exits(0);
    // How long it takes on this machine at this time.
    let usual = began.elapsed().as_millis() as u64;
    each_seed(seeds, |seed| {
        let victim = Victim { site: &site, stack: format!("killed{seed}x"), seed };
        site.with_small(&victim.stack);
        let child = site.claimctl(&format!("deploy {} --env dev --yes", victim.stack)).start();
        killed.fetch_add(usize::from(victim.kill(child, usual)), Ordering::Relaxed);
        most.fetch_max(victim.recover(), Ordering::Relaxed);
        assert_eq!(site.of_small(&victim.stack), 5, "seed {seed}");
        let state = site.state_of(&victim.stack).unwrap();
        let instances = state["resources"].as_array().unwrap().iter();
        let instances: usize = instances.map(|resource| resource["instances"].as_array().unwrap().len()).sum();
        assert_eq!((instances, site.is_locked(&victim.stack)), (5, false), "seed {seed}");
    });
    assert!(killed.into_inner() as u64 >= seeds / 2, "hardly any was killed at work");
    assert!(most.into_inner() > 2, "none had anything to be mended");
}
