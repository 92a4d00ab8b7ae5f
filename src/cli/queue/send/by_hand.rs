//! Sending one message by hand: a body, or a payload that goes to a bucket and a pointer to it.

use std::path::PathBuf;

use claimctl_aws::policy::{ArnBuilder, Statement};
use claimctl_aws::target::Intent;
use claimctl_core::error::Result;
use claimctl_payloads::send::{self, Payload, Sent};
use claimctl_queues::message::Attribute;
use claimctl_queues::send::by_hand::{self, ByHand};
use claimctl_queues::send::check::Rehearsal;
use claimctl_queues::send::outgoing::Outgoing;
use claimctl_queues::send::queue::SendQueue;

use super::Args;
use crate::context::Ctx;
use crate::output::{Outcome, Written, report};
use crate::session::Session;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "One message by hand")]
pub struct ByHandArgs {
    /// Send one message with this body
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["files", "claim"])]
    body: Option<String>,
    /// Upload this file, or - for stdin, and send a pointer to it
    ///
    /// As the extended clients read it.
    #[arg(long, value_name = "FILE", conflicts_with = "files")]
    claim: Option<PathBuf>,
    /// A message attribute for it
    ///
    /// TYPE is String, Number or Binary (in base64).
    #[arg(long = "attribute", value_name = "NAME=[TYPE:]VALUE", value_parser = parse_attribute)]
    attributes: Vec<(String, Attribute)>,
    /// The payload's bucket, if not the one where the flows begin
    ///
    /// A logical name, a real name or an ARN.
    #[arg(long, value_name = "BUCKET", requires = "claim")]
    bucket: Option<String>,
    /// The payload's key; a new UUID otherwise
    #[arg(long, value_name = "KEY", requires = "claim", conflicts_with = "prefix")]
    key: Option<String>,
    /// Put this before the UUID, as it stands
    #[arg(long, value_name = "PREFIX", requires = "claim")]
    prefix: Option<String>,
}

impl ByHandArgs {
    pub fn is_given(&self) -> bool {
        self.body.is_some() || self.claim.is_some()
    }

    fn place(&self) -> send::PayloadPlace<'_> {
        send::PayloadPlace { bucket: self.bucket.as_deref(), key: self.key.as_deref(), prefix: self.prefix.as_deref() }
    }
}

pub async fn permissions(args: &ByHandArgs, target: &Session, arns: &ArnBuilder) -> Result<Vec<Statement>> {
    match args.claim {
        Some(_) => send::permissions(target, arns, args.place()).await,
        None => Ok(Vec::new()),
    }
}

pub async fn run(args: &Args, ctx: &Ctx, target: &Session, to: &SendQueue) -> Result<Outcome> {
    let group = args.group_id.as_deref().map(Into::into);
    let by_hand = ByHand { attributes: args.by_hand.attributes.clone(), group };
    let consent = async |intent: &Intent| target.authorize(ctx, intent).await;
    let options = args.options();
    let sent = match &args.by_hand.claim {
        Some(payload) => {
            let payload = Payload::plan(target, payload, args.by_hand.place()).await?;
            let message = by_hand.complete(to, payload.pointer())?;
            if args.dry_run {
                let object = Some(payload.place());
                return report(Rehearsal { object, ..by_hand::rehearse(to, &message) });
            }
            send::send(ctx, target, to, payload, &by_hand, &options, consent).await?
        }
        None => {
            let body = args.by_hand.body.as_deref().unwrap_or_default();
            let message = by_hand.complete(to, Outgoing::of_body(body))?;
            if args.dry_run {
                return report(by_hand::rehearse(to, &message));
            }
            let sent = by_hand::send(ctx, target, to, message, &options, consent).await?;
            Sent { report: sent, object: None }
        }
    };
    report(Written::out(ctx, sent))
}

fn parse_attribute(text: &str) -> Result<(String, Attribute), String> {
    let (name, value) = text.split_once('=').ok_or("an attribute is NAME=VALUE or NAME=TYPE:VALUE")?;
    let typed = value.split_once(':').filter(|(data_type, _)| {
        ["String", "Number", "Binary"].contains(&data_type.split('.').next().unwrap_or_default())
    });
    let (data_type, value) = typed.unwrap_or(("String", value));
    Ok((name.to_owned(), Attribute { data_type: data_type.to_owned(), value: value.to_owned() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attribute_has_a_type_where_one_is_named() {
        for (text, data_type, value) in [
            ("n=v", "String", "v"),
            ("n=Number:7", "Number", "7"),
            ("n=Binary.png:AP8=", "Binary.png", "AP8="),
            ("n=http://x", "String", "http://x"),
            ("n=String:Number:7", "String", "Number:7"),
            ("n=a=b", "String", "a=b"),
        ] {
            let (name, attribute) = parse_attribute(text).unwrap();
            assert_eq!(
                (name.as_str(), attribute.data_type.as_str(), attribute.value.as_str()),
                ("n", data_type, value)
            );
        }
        assert!(parse_attribute("n").is_err());
    }
}
