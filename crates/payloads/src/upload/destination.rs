//! Which bucket payloads go to, and which flows take them there.

use claimctl_aws::target::Target;
use claimctl_aws::{Explain, elsewhere};
use claimctl_claim::surface::{self, Flow, Surface};
use claimctl_core::error::{Error, Result};
use claimctl_core::nearest;
use claimctl_core::next::Next;

/// Of HeadBucket.
pub const PROBE: &str = "s3:ListBucket";

/// A bucket and what the deployed stacks say of it.
#[derive(Debug)]
pub struct Destination {
    /// Its real name.
    pub bucket: String,
    /// Where in the bucket the stack expects payloads; empty where the bucket was named by its real name.
    pub prefix: String,
    /// The flows that begin in the bucket.
    flows: Vec<Flow>,
    /// Every bucket that a stack exposes, as `STACK/LOGICAL`.
    known: Vec<String>,
}

impl Destination {
    /// By logical name, real name or ARN; without a name the only bucket that flows begin in, else the only bucket.
    pub async fn find(target: &Target, named: Option<&str>) -> Result<Destination> {
        let stacks = &target.surfaces().await?.0;
        let (bucket, prefix) = match named {
            Some(name) => {
                let name = surface::bucket_in_arn(name)?;
                match target.surfaces().await?.bucket(name)? {
                    Some(found) if found.item.name != name => (found.item.name.clone(), found.item.prefix.clone()),
                    _ => (name.to_owned(), String::new()),
                }
            }
            None => only(stacks, target)?,
        };
        Ok(Destination::of(stacks, bucket, prefix))
    }

    /// By its real name and nothing else, as `s3://` names a bucket. It may be one that no stack knows.
    pub async fn real(target: &Target, bucket: &str) -> Result<Destination> {
        let bucket = surface::bucket_in_arn(bucket)?;
        Ok(Destination::of(&target.surfaces().await?.0, bucket.to_owned(), String::new()))
    }

    fn of(stacks: &[Surface], bucket: String, prefix: String) -> Destination {
        let known = buckets(stacks).map(|(stack, logical, _)| format!("{}/{logical}", stack.stack)).collect();
        let flows = stacks.iter().flat_map(|stack| stack.flows.iter().map(move |flow| (stack, flow)));
        let begins_here = |(stack, flow): &(&Surface, &Flow)| stack.begins_in(flow).is_some_and(|it| it.name == bucket);
        let flows = flows.filter(begins_here).map(|(_, flow)| flow.clone()).collect();
        Destination { bucket, prefix, flows, known }
    }

    /// Whether any flow begins in this bucket.
    pub fn has_flows(&self) -> bool {
        !self.flows.is_empty()
    }

    /// The names of the flows whose filters take the key. Where there are none, no claim will come for it.
    pub fn flows_of(&self, key: &str) -> Vec<String> {
        let takes = |flow: &&Flow| surface::matches_filters(&flow.prefix, &flow.suffix, key);
        self.flows.iter().filter(takes).map(|flow| flow.name.clone()).collect()
    }

    /// Asks once whether the bucket is there, so that its absence is one error and not one for each file.
    ///
    /// Who may not look (that takes s3:ListBucket) may still be allowed to put, so a denial is no answer.
    pub async fn probe(&self, target: &Target) -> Result<()> {
        let Err(error) = target.s3().head_bucket().bucket(&self.bucket).send().await else { return Ok(()) };
        // The answer to a HEAD has no body, hence no code: the status is all there is.
        if let Some(region) = elsewhere(&error) {
            return Err(Error::usage(format!("bucket {} is in {region}, and this is {}", self.bucket, target.region))
                .hint("choose the environment or the region of the bucket; nothing was sent"));
        }
        match error.raw_response().map(|response| response.status().as_u16()) {
            Some(403) => Ok(()),
            Some(404) => Err(self.missing(target)),
            _ => Err(error).or_explain(&format!("look at bucket {}", self.bucket)),
        }
    }

    fn missing(&self, target: &Target) -> Error {
        let error = Error::not_found(format!("there is no bucket {:?} in environment {}", self.bucket, target.name()));
        let mut logical = self.known.iter().filter_map(|name| name.split('/').nth(1));
        if logical.clone().any(|name| name == self.bucket) {
            let by_name = Next::verb("upload").word("FILE").flag("--bucket", &self.bucket);
            return error.next("s3:// takes real names; by its logical name", by_name);
        }
        target.unresolved(match nearest::name(&self.bucket, &mut logical) {
            Some(near) => error.hint(format!("did you mean {near}?")),
            None if self.known.is_empty() => {
                error.hint("check the name of the bucket, the environment and the region; nothing was sent")
            }
            None => error.hint(format!("known: {}", self.known.join(", "))),
        })
    }
}

fn buckets(stacks: &[Surface]) -> impl Iterator<Item = (&Surface, &String, &surface::Bucket)> {
    stacks.iter().flat_map(|stack| stack.buckets.iter().map(move |(logical, bucket)| (stack, logical, bucket)))
}

/// The bucket that is meant when none is named, and its prefix.
fn only(stacks: &[Surface], target: &Target) -> Result<(String, String)> {
    let all: Vec<_> = buckets(stacks).collect();
    let with_flow: Vec<_> = all
        .iter()
        .filter(|(stack, logical, _)| stack.flows.iter().any(|flow| flow.bucket.as_ref() == Some(*logical)))
        .copied()
        .collect();
    let candidates = if with_flow.is_empty() { all } else { with_flow };
    let named = candidates.into_iter().map(|(stack, logical, bucket)| (format!("{}/{logical}", stack.stack), bucket));
    match surface::only("bucket", named.collect())? {
        Some(bucket) => Ok((bucket.name.clone(), bucket.prefix.clone())),
        None => {
            let error =
                Error::usage(format!("no stack is known in environment {}, so a bucket must be named", target.name()));
            Err(target.unresolved(error.next("name it", Next::again().flag("--bucket", "BUCKET"))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_that_a_filter_takes_belong_to_a_flow() {
        let flow = |name: &str, prefix: &str, suffix: &str| -> Flow {
            serde_json::from_value(serde_json::json!({"name": name, "bucket": "payload", "prefix": prefix,
                "suffix": suffix, "sink": {"kind": "table", "name": "claims"}}))
            .unwrap()
        };
        let to = Destination {
            bucket: "b".to_owned(),
            prefix: String::new(),
            flows: vec![flow("all-csv", "", ".csv"), flow("in", "in/", "")],
            known: Vec::new(),
        };
        assert_eq!(to.flows_of("in/a.csv"), ["all-csv", "in"]);
        assert_eq!(to.flows_of("a.csv"), ["all-csv"]);
        assert!(to.flows_of("a.txt").is_empty() && to.has_flows());
    }
}
