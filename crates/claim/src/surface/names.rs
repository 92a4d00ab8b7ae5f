//! The names by which the operator may call what stacks expose, and what they mean.

use std::collections::BTreeMap;

use claimctl_core::error::{Error, Result};
use claimctl_core::nearest;

use super::{Api, Bucket, Database, Flow, Function, Queue, SinkKind, Surface, Table};
use crate::queue_id::QueueId;

/// The surfaces of an environment's stacks, and what a name means in them.
#[derive(Debug, Clone, Default)]
pub struct Surfaces(pub Vec<Surface>);

/// What a name was found to mean.
#[derive(Debug)]
pub struct Found<'a, T> {
    pub stack: &'a Surface,
    pub logical: &'a str,
    pub item: &'a T,
}

impl Surfaces {
    /// Finds a queue by logical name (`claims`, `STACK/claims`), real name, URL or ARN.
    pub fn queue(&self, name: &str) -> Result<Option<Found<'_, Queue>>> {
        // What looks like a URL or an ARN and is none may still be a logical name.
        let asked = QueueId::parse(name).ok().flatten();
        let is_it = |queue: &Queue| match &asked {
            Some(asked) => queue.id().is_same(asked),
            None => queue.id().name == name,
        };
        self.find("queue", name, |surface| pairs(&surface.queues), is_it)
    }

    pub fn bucket(&self, name: &str) -> Result<Option<Found<'_, Bucket>>> {
        self.find("bucket", name, |surface| pairs(&surface.buckets), |bucket| bucket.name == name)
    }

    pub fn table(&self, name: &str) -> Result<Option<Found<'_, Table>>> {
        self.find("table", name, |surface| pairs(&surface.tables), |table| table.name == name)
    }

    pub fn database(&self, name: &str) -> Result<Option<Found<'_, Database>>> {
        self.find("database", name, |surface| pairs(&surface.databases), |database| database.cluster == name)
    }

    /// The real name of a bucket by logical name, real name or ARN; it may be one that no stack knows.
    pub fn bucket_name(&self, name: &str) -> Result<String> {
        let name = bucket_in_arn(name)?;
        Ok(self.bucket(name)?.map_or_else(|| name.to_owned(), |found| found.item.name.clone()))
    }

    /// The real name of a table by logical name, real name or ARN; it may be one that no stack knows.
    pub fn table_name(&self, name: &str) -> Result<String> {
        let name = in_arn(name, ":table/");
        Ok(self.table(name)?.map_or_else(|| name.to_owned(), |found| found.item.name.clone()))
    }

    /// The flows whose records the table of this real name holds.
    pub fn flows_into(&self, table: &str) -> impl Iterator<Item = (&Surface, &Flow)> {
        let flows = self.0.iter().flat_map(|stack| stack.flows.iter().map(move |flow| (stack, flow)));
        flows.filter(move |(stack, flow)| {
            flow.sink.kind == SinkKind::Table
                && stack.tables.get(&flow.sink.name).is_some_and(|sink| sink.name == table)
        })
    }

    pub fn function(&self, name: &str) -> Result<Option<Found<'_, Function>>> {
        self.find("function", name, |surface| pairs(&surface.functions), |function| function.name == name)
    }

    pub fn api(&self, name: &str) -> Result<Option<Found<'_, Api>>> {
        self.find("API", name, |surface| pairs(&surface.apis), |api| api.url == name)
    }

    /// The API that takes requests for this path: by its own names, or by that of its stack. Of several of a stack, the
    /// one that is called as the path begins.
    pub fn api_for(&self, name: &str, path: &str) -> Result<Option<Found<'_, Api>>> {
        let Some(stack) = self.0.iter().find(|surface| surface.stack == name) else { return self.api(name) };
        let first = path.trim_start_matches('/').split(['/', '?']).next().unwrap_or_default();
        let found = |(logical, item)| Found { stack, logical, item };
        match (pairs(&stack.apis).next(), stack.apis.len()) {
            (None, _) => self.api(name),
            (Some(only), 1) => Ok(Some(found(only))),
            _ => match stack.apis.get_key_value(first).or_else(|| stack.apis.get_key_value(name)) {
                Some((logical, api)) => Ok(Some(found((logical, api)))),
                None => {
                    let named = stack.apis.keys().map(|logical| format!("{name}/{logical}"));
                    Err(Error::usage(format!("{name} has several APIs, and none is called {first:?}"))
                        .hint(format!("name one of them: {}", named.collect::<Vec<_>>().join(", "))))
                }
            },
        }
    }

    pub fn flow(&self, name: &str) -> Result<Option<Found<'_, Flow>>> {
        self.find("flow", name, |surface| surface.flows.iter().map(|flow| (flow.name.as_str(), flow)), |_| false)
    }

    /// What a name means, given each stack's items with their logical names, and which of them it really is.
    fn find<'a, T, I>(
        &'a self,
        what: &str,
        name: &str,
        list: impl Fn(&'a Surface) -> I,
        is_it: impl Fn(&T) -> bool,
    ) -> Result<Option<Found<'a, T>>>
    where
        T: 'a,
        I: Iterator<Item = (&'a str, &'a T)>,
    {
        let (stack_asked, logical_asked) = match name.split_once('/') {
            Some((stack, logical)) if self.0.iter().any(|surface| surface.stack == stack) => (Some(stack), logical),
            _ => (None, name),
        };
        let mut found = Vec::new();
        for stack in self.0.iter().filter(|surface| stack_asked.is_none_or(|asked| asked == surface.stack)) {
            for (logical, item) in list(stack) {
                if logical == logical_asked || is_it(item) {
                    found.push(Found { stack, logical, item });
                }
            }
        }
        if found.len() > 1 {
            let names: Vec<_> = found.iter().map(|found| format!("{}/{}", found.stack.stack, found.logical)).collect();
            return Err(Error::usage(format!("{what} {name:?} is ambiguous: {}", names.join(", ")))
                .hint(format!("name it with its stack: {}", names[0])));
        }
        Ok(found.pop())
    }

    /// "No such …", with the nearest name that would have worked.
    pub fn unknown(&self, what: &str, name: &str, known: Vec<&str>, environment: &str) -> Error {
        let error = Error::not_found(format!("there is no {what} {name:?} in environment {environment}"));
        match nearest::name(name, known.iter().copied()) {
            Some(near) => error.hint(format!("did you mean {near}?")),
            None if known.is_empty() => error.hint(format!("no stack is deployed there: name the {what} by flags")),
            None => error.hint(format!("known: {}", known.join(", "))),
        }
    }
}

/// What is meant when none is named: the only one there is. None: there is none. Several are an error that lists them by
/// the names that would do; `what` reads like "dead-letter queue".
pub fn only<T>(what: &str, mut candidates: Vec<(String, T)>) -> Result<Option<T>> {
    if candidates.len() > 1 {
        let names: Vec<_> = candidates.iter().map(|(name, _)| name.as_str()).collect();
        return Err(Error::usage(format!("there are several {what}s, so one must be named"))
            .hint(format!("one of: {}", names.join(", "))));
    }
    Ok(candidates.pop().map(|(_, one)| one))
}

/// The name of a bucket, in its ARN or as it stands. What other ARNs name, such as an access point, is no bucket: its
/// events and records would be of another name.
pub fn bucket_in_arn(name: &str) -> Result<&str> {
    let Some(arn) = name.strip_prefix("arn:") else { return Ok(name) };
    match arn.split(':').collect::<Vec<_>>()[..] {
        [_, "s3", "", "", bucket] if !bucket.is_empty() && !bucket.contains('/') => Ok(bucket),
        _ => Err(Error::usage(format!("{name:?} is not the ARN of a bucket"))
            .hint("one looks like arn:aws:s3:::NAME; its name alone will do")),
    }
}

/// The name behind `mark` where it is an ARN: `:table/` of a table. Else the name itself.
fn in_arn<'a>(name: &'a str, mark: &str) -> &'a str {
    name.strip_prefix("arn:").and_then(|arn| arn.split_once(mark)).map_or(name, |arn| arn.1)
}

fn pairs<T>(items: &BTreeMap<String, T>) -> impl Iterator<Item = (&str, &T)> {
    items.iter().map(|(logical, item)| (logical.as_str(), item))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surface(stack: &str) -> Surface {
        Surface::parse(&format!(
            r#"{{"version":1,"stack":"{stack}","environment":"dev","region":"us-west-1","account":"111111111111",
                "queues":{{"claims":{{"url":"http://q/111111111111/{stack}-dev-claims","arn":"arn:aws:sqs:us-west-1:111111111111:{stack}-dev-claims",
                "dead_letter":"claims-dlq","max_receive_count":5,"fifo":false}}}},
                "flows":[{{"name":"{stack}-flow","bucket":"payload","prefix":"","suffix":"","events":["ObjectCreated:*"],"topic":null,
                "queue":"claims","mapping":"m","function":"f","alias":"live","sink":{{"kind":"table","name":"claims"}}}}]}}"#
        ))
        .unwrap()
    }

    #[test]
    fn an_arn_is_a_bucket_or_none_by_one_rule() {
        for (said, bucket) in
            [("b", "b"), ("s/payload", "s/payload"), ("arn:aws:s3:::b", "b"), ("arn:aws-cn:s3:::b", "b")]
        {
            assert_eq!(bucket_in_arn(said).unwrap(), bucket, "{said}");
        }
        for said in [
            "arn:aws:s3:::",
            "arn:aws:s3:::b/key",
            "arn:aws:s3:us-east-1:111111111111:accesspoint/p",
            "arn:aws:s3:us-east-1:111111111111:accesspoint",
            "arn:aws:s3-outposts:us-east-1:111111111111:outpost/o/bucket/b",
            "arn:aws:sqs:us-east-1:111111111111:q",
            "arn:b",
        ] {
            assert!(bucket_in_arn(said).is_err(), "{said}");
        }
    }

    #[test]
    fn a_queue_answers_to_logical_name_real_name_url_and_arn() {
        let surfaces = Surfaces(vec![surface("one"), surface("two")]);
        for name in [
            "one/claims",
            "one-dev-claims",
            "http://q/111111111111/one-dev-claims",
            "arn:aws:sqs:us-west-1:111111111111:one-dev-claims",
            "http://other:4566/111111111111/one-dev-claims/",
            "https://us-west-1.queue.amazonaws.com/111111111111/one-dev-claims",
        ] {
            assert_eq!(surfaces.queue(name).unwrap().unwrap().stack.stack, "one", "{name}");
        }
        for name in [
            "nothing",
            "",
            "arn:aws:sqs:us-west-1:222222222222:one-dev-claims",
            "https://sqs.us-east-1.amazonaws.com/111111111111/one-dev-claims",
        ] {
            assert!(surfaces.queue(name).unwrap().is_none(), "{name}");
        }
    }

    #[test]
    fn a_name_of_two_stacks_is_ambiguous() {
        let error = Surfaces(vec![surface("one"), surface("two")]).queue("claims").unwrap_err();
        assert_eq!(error.to_string(), "queue \"claims\" is ambiguous: one/claims, two/claims");
        assert_eq!(error.kind(), claimctl_core::error::Kind::Usage);
    }

    #[test]
    fn an_api_is_found_by_its_stack_and_the_path() {
        let stack = |name: &str, apis: &[&str]| {
            let apis: BTreeMap<_, _> = apis
                .iter()
                .map(|api| (*api, serde_json::json!({"url": format!("http://{name}/{api}"), "stage": "dev"})))
                .collect();
            let json = serde_json::json!({"version": 1, "stack": name, "environment": "dev", "region": "r",
                "account": "a", "apis": apis});
            Surface::of(json).unwrap()
        };
        let surfaces =
            Surfaces(vec![stack("one", &["api"]), stack("pay", &["quotes", "pay"]), stack("two", &["a", "b"])]);
        let of =
            |name: &str, path: &str| surfaces.api_for(name, path).map(|found| found.map(|api| api.item.url.clone()));
        for (name, path, url) in [
            ("one", "/anything", "http://one/api"),
            ("api", "/anything", "http://one/api"),
            ("pay", "/quotes?x=1", "http://pay/quotes"),
            ("pay", "/pay/1", "http://pay/pay"),
            ("pay", "/other", "http://pay/pay"),
            ("pay/quotes", "/other", "http://pay/quotes"),
            ("two", "/b", "http://two/b"),
            ("http://two/a", "/", "http://two/a"),
        ] {
            assert_eq!(of(name, path).unwrap().as_deref(), Some(url), "{name} {path}");
        }
        assert_eq!(of("nothing", "/b").unwrap(), None);
        let several = of("two", "/c").unwrap_err();
        assert_eq!(several.to_string(), "two has several APIs, and none is called \"c\"");
        assert!(several.advice().contains("two/a, two/b"));
    }

    #[test]
    fn only_what_is_alone_need_not_be_named() {
        let of = |names: &[&'static str]| only("queue", names.iter().map(|name| ((*name).to_owned(), *name)).collect());
        assert_eq!((of(&[]).unwrap(), of(&["a"]).unwrap()), (None, Some("a")));
        let error = of(&["a", "b"]).unwrap_err();
        assert_eq!(
            (error.to_string().as_str(), error.advice().as_str()),
            ("there are several queues, so one must be named", "one of: a, b")
        );
    }

    #[test]
    fn buckets_and_tables_are_named_by_arn_too() {
        let surfaces = Surfaces(vec![
            Surface::parse(
                r#"{"version":1,"stack":"s","environment":"dev","region":"r","account":"a",
                "buckets":{"payload":{"name":"b"}},"tables":{"claims":{"name":"t","partition_key":"claim_id"}}}"#,
            )
            .unwrap(),
        ]);
        for name in ["payload", "s/payload", "b", "arn:aws:s3:::b"] {
            assert_eq!(surfaces.bucket_name(name).unwrap(), "b", "{name}");
        }
        for name in ["claims", "t", "arn:aws:dynamodb:us-east-1:111111111111:table/t"] {
            assert_eq!(surfaces.table_name(name).unwrap(), "t", "{name}");
        }
        assert_eq!(surfaces.table_name("other").unwrap(), "other", "no stack has to know it");
    }
}
