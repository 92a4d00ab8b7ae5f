//! CloudFormation, as far as the sandbox needs it: the Query protocol in plain HTTP, to a server on this machine only.
//!
//! The SDK's client would be compiled for these few calls alone, and takes longer than the rest of the tool.

mod answer;

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_credential_types::provider::ProvideCredentials;
use claimctl_aws::endpoint;
use claimctl_core::error::{Error, Kind, Result};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use self::answer::{Page, Take};
use super::http::{Answer, Request};

pub use self::answer::{Event, Resource, Stack};

/// The version of the API (AWS CloudFormation API Reference).
const VERSION: &str = "2010-05-15";
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// A look is repeated where the answer is lost, or the server busy.
const LOOKS: u32 = 7;
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// What stays as it is in a form (AWS General Reference, "Signing AWS API requests", URI encoding).
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Codes of those who do not know the call.
const UNKNOWN: [&str; 4] = ["InvalidAction", "NotImplemented", "MethodNotAllowed", "UnknownOperationException"];

/// Template parameter → value.
pub type Parameters<'a> = BTreeMap<&'a str, String>;

/// CloudFormation at one endpoint, for one account and region.
pub struct Client {
    host: String,
    port: u16,
    path: String,
    /// Names the account, by which the sandbox tells them apart: 12 digits.
    access_key: String,
    region: String,
}

/// Why there is no result.
#[derive(Debug)]
pub enum Failure {
    /// CloudFormation says no.
    Refused { code: String, message: String },
    /// Somebody answered in other words than CloudFormation's.
    Foreign(u16),
    /// There was no answer.
    Silent(io::Error),
}

impl Client {
    /// None where the endpoint is not plain HTTP on this machine.
    pub async fn of(sdk: &SdkConfig) -> Result<Option<Client>> {
        let Some((host, port, path)) = sdk.endpoint_url().and_then(place) else { return Ok(None) };
        let access_key = match sdk.credentials_provider() {
            Some(provider) => {
                let known = provider.provide_credentials().await;
                let known = known.map_err(|error| Error::denied("no usable AWS credentials").caused_by(error))?;
                known.access_key_id().to_owned()
            }
            None => super::ACCOUNT.to_owned(),
        };
        let region = sdk.region().map_or_else(|| super::REGION.to_owned(), ToString::to_string);
        Ok(Some(Client { host, port, path, access_key, region }))
    }

    /// Every stack of the account.
    pub async fn stacks(&self) -> Result<Vec<Stack>, Failure> {
        self.list("DescribeStacks", "Stacks", &[]).await
    }

    pub async fn stack(&self, name: &str) -> Result<Option<Stack>, Failure> {
        match self.list("DescribeStacks", "Stacks", &[("StackName", name)]).await {
            Ok(mut found) => Ok(found.pop()),
            // A missing stack is a validation error (AWS CloudFormation API Reference, DescribeStacks).
            Err(Failure::Refused { code, .. }) if code == "ValidationError" => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// The newest first.
    pub async fn events(&self, stack: &str) -> Result<Vec<Event>, Failure> {
        self.list("DescribeStackEvents", "StackEvents", &[("StackName", stack)]).await
    }

    pub async fn resources(&self, stack: &str) -> Result<Vec<Resource>, Failure> {
        self.list("DescribeStackResources", "StackResources", &[("StackName", stack)]).await
    }

    pub async fn create(&self, stack: &str, template: &str, parameters: &Parameters<'_>) -> Result<(), Failure> {
        self.call(&form("CreateStack", &wanted(stack, template, parameters))).await.map(drop)
    }

    /// False when there was nothing to change.
    pub async fn update(&self, stack: &str, template: &str, parameters: &Parameters<'_>) -> Result<bool, Failure> {
        match self.call(&form("UpdateStack", &wanted(stack, template, parameters))).await {
            Ok(_) => Ok(true),
            // There is no other sign for it (AWS CloudFormation API Reference, UpdateStack).
            Err(Failure::Refused { message, .. }) if message.contains("No updates") => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    pub async fn delete(&self, stack: &str) -> Result<(), Failure> {
        self.call(&form("DeleteStack", &[("StackName", stack)])).await.map(drop)
    }

    /// A list, all pages of it.
    async fn list<T: Take>(&self, action: &str, list: &str, about: &[(&str, &str)]) -> Result<Vec<T>, Failure> {
        let (mut items, mut next) = (Vec::new(), None::<String>);
        loop {
            let token = next.as_deref().map(|token| ("NextToken", token));
            let fields: Vec<_> = about.iter().copied().chain(token).collect();
            let answer = self.look(&form(action, &fields)).await?;
            let page: Page<T> =
                answer::page(&answer.body, action, list).map_err(|_| Failure::Foreign(answer.status))?;
            items.extend(page.items);
            next = page.next;
            if next.is_none() {
                return Ok(items);
            }
        }
    }

    /// A call that changes nothing, made again where that may help.
    async fn look(&self, form: &str) -> Result<Answer, Failure> {
        let mut pause = FIRST_PAUSE;
        for _ in 1..LOOKS {
            match self.call(form).await {
                Err(failure) if failure.may_pass() => tokio::time::sleep(pause).await,
                answer => return answer,
            }
            pause *= 2;
        }
        self.call(form).await
    }

    async fn call(&self, form: &str) -> Result<Answer, Failure> {
        let authorization = self.authorization();
        let headers = [
            ("Authorization", authorization.as_str()),
            ("X-Amz-Date", "20000101T000000Z"),
            ("Content-Type", "application/x-www-form-urlencoded; charset=utf-8"),
        ];
        let Client { host, port, path, .. } = self;
        let request = Request { method: "POST", host, port: *port, path, headers: &headers, body: form.as_bytes() };
        let answer = request.send(ANSWER_WITHIN).await.map_err(Failure::Silent)?;
        match (answer.status, answer::refusal(&answer.body)) {
            (200, _) => Ok(answer),
            (_, Some((code, message))) => Err(Failure::Refused { code, message }),
            (status, None) => Err(Failure::Foreign(status)),
        }
    }

    /// Shaped like a signature, because the sandbox reads the account out of it. Nobody on this machine checks it.
    fn authorization(&self) -> String {
        let Client { access_key, region, .. } = self;
        let nothing = "0".repeat(64);
        let credential = format!("{access_key}/20000101/{region}/cloudformation/aws4_request");
        let header =
            format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host;x-amz-date, Signature={nothing}");
        // The key may come from a variable of the shell, which holds anything.
        header.replace(char::is_control, "")
    }
}

impl Failure {
    /// Whether the server is one without CloudFormation.
    pub fn is_unknown_call(&self) -> bool {
        match self {
            Failure::Refused { code, .. } => UNKNOWN.contains(&code.as_str()),
            Failure::Foreign(status) => *status == 501 || *status < 500,
            Failure::Silent(error) => error.kind() == io::ErrorKind::InvalidData,
        }
    }

    fn may_pass(&self) -> bool {
        match self {
            Failure::Refused { code, .. } => code.contains("Throttl"),
            Failure::Foreign(_) => !self.is_unknown_call(),
            // Nobody listens: asking again within seconds only hides that.
            Failure::Silent(error) => error.kind() != io::ErrorKind::ConnectionRefused && !self.is_unknown_call(),
        }
    }

    /// `doing` reads like "list the stacks of the sandbox".
    pub fn explain(self, doing: &str) -> Error {
        match self {
            Failure::Refused { code, message } => {
                let kind = if code.starts_with("AccessDenied") { Kind::Denied } else { Kind::Unexpected };
                Error::new(kind, format!("cannot {doing}: {message} ({code})"))
                    .hint("what the sandbox said: claimctl local logs")
            }
            Failure::Foreign(status) => {
                Error::unreachable(format!("cannot {doing}: the server answered HTTP {status}"))
                    .hint("is this endpoint the sandbox? check its URL, given or in AWS_ENDPOINT_URL")
            }
            Failure::Silent(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                Error::unreachable(format!("cannot {doing}: the connection was refused"))
                    .caused_by(error)
                    .hint("nothing listens at that endpoint: check its URL, given or in AWS_ENDPOINT_URL")
            }
            Failure::Silent(error) => Error::unreachable(format!("cannot {doing}: the service cannot be reached"))
                .caused_by(error)
                .hint("whether the sandbox is up: claimctl local status"),
        }
    }
}

/// Host, port and path of an endpoint that is plain HTTP on this machine.
fn place(url: &str) -> Option<(String, u16, String)> {
    let uri: http::Uri = url.parse().ok().filter(|_| endpoint::is_loopback(url))?;
    let host = uri.host()?.trim_start_matches('[').trim_end_matches(']');
    let path = if uri.path().is_empty() { "/" } else { uri.path() };
    (uri.scheme_str() == Some("http")).then(|| (host.to_owned(), uri.port_u16().unwrap_or(80), path.to_owned()))
}

/// The fields of a stack as it should be: roles with names of ours are agreed to.
fn wanted<'a>(stack: &'a str, template: &'a str, parameters: &'a Parameters<'_>) -> Vec<(String, &'a str)> {
    let mut fields = vec![
        ("StackName".to_owned(), stack),
        ("TemplateBody".to_owned(), template),
        ("Capabilities.member.1".to_owned(), "CAPABILITY_NAMED_IAM"),
    ];
    for (index, (key, value)) in parameters.iter().enumerate() {
        let member = format!("Parameters.member.{}", index + 1);
        fields.push((format!("{member}.ParameterKey"), key));
        fields.push((format!("{member}.ParameterValue"), value));
    }
    fields
}

fn form<K: AsRef<str>>(action: &str, fields: &[(K, &str)]) -> String {
    let mut form = format!("Action={action}&Version={VERSION}");
    for (name, value) in fields {
        form.push_str(&format!("&{}={}", name.as_ref(), utf8_percent_encode(value, FORM)));
    }
    form
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_http_on_this_machine_has_a_place() {
        let found = |url: &str| place(url).map(|(host, port, path)| format!("{host} {port} {path}"));
        assert_eq!(found("http://127.0.0.1:4566").as_deref(), Some("127.0.0.1 4566 /"));
        assert_eq!(found("http://localhost").as_deref(), Some("localhost 80 /"));
        assert_eq!(found("http://[::1]:9/of/it").as_deref(), Some("::1 9 /of/it"));
        for other in ["https://127.0.0.1:4566", "http://10.0.0.1:4566", "http://127.0.0.1@evil.example", "localhost"] {
            assert_eq!(found(other), None, "{other}");
        }
    }

    #[test]
    fn a_form_holds_any_text() {
        let parameters = BTreeMap::from([("A", "1 +&=".to_owned()), ("B", "ü\n~-._".to_owned())]);
        let form = form("CreateStack", &wanted("s", "{}", &parameters));
        let expected = "Action=CreateStack&Version=2010-05-15&StackName=s&TemplateBody=%7B%7D\
                        &Capabilities.member.1=CAPABILITY_NAMED_IAM\
                        &Parameters.member.1.ParameterKey=A&Parameters.member.1.ParameterValue=1%20%2B%26%3D\
                        &Parameters.member.2.ParameterKey=B&Parameters.member.2.ParameterValue=%C3%BC%0A~-._";
        assert_eq!(form, expected);
    }

    #[test]
    fn who_does_not_know_cloudformation_is_told_from_who_fails() {
        let refused = |code: &str| Failure::Refused { code: code.to_owned(), message: String::new() };
        for unknown in [refused("InvalidAction"), Failure::Foreign(200), Failure::Foreign(404), Failure::Foreign(501)] {
            assert!(unknown.is_unknown_call() && !unknown.may_pass(), "{unknown:?}");
        }
        for failed in
            [refused("Throttling"), Failure::Foreign(503), Failure::Silent(io::ErrorKind::UnexpectedEof.into())]
        {
            assert!(!failed.is_unknown_call() && failed.may_pass(), "{failed:?}");
        }
        let nobody = Failure::Silent(io::ErrorKind::ConnectionRefused.into());
        assert!(!nobody.is_unknown_call() && !nobody.may_pass());
    }
}
