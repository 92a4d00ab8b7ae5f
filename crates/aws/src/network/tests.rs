//! Against a proxy and a server of TLS on loopback: what goes where, and what is said when it does not.

mod servers;

use std::path::Path;
use std::process::Command;

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use claimctl_core::error::Kind;

use self::servers::{ACCOUNT, proxy, sts};
use super::*;
use crate::account::{self, StsAnswer};
use crate::{CredentialSource, SdkSettings, UserConfig, sdk_config};

const AUTHORITY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/network/certificates/authority.pem");
const OTHER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/network/certificates/other.pem");
/// `user:p@ss`, as a proxy is told it.
const PASSWORD: &str = "Basic dXNlcjpwQHNz";

/// The configuration of somebody with these variables.
async fn sdk(variables: &[(&str, &str)], endpoint: Option<&str>) -> Result<SdkConfig> {
    let user = UserConfig::load(&Variables::from_iter(variables.iter().copied()), None).await?;
    let (region, endpoint) = (Some("us-east-1".to_owned()), endpoint.map(str::to_owned));
    let sdk = sdk_config(&SdkSettings { region, endpoint, credentials: CredentialSource::Chain(user) }).await;
    let keys = Credentials::new("A", "s", None, None, "test");
    Ok(sdk.into_builder().credentials_provider(SharedCredentialsProvider::new(keys)).build())
}

/// The account that STS names to somebody with these variables.
async fn account(variables: &[(&str, &str)], endpoint: Option<&str>) -> Result<String> {
    account_by(&sdk(variables, endpoint).await?).await
}

async fn account_by(sdk: &SdkConfig) -> Result<String> {
    match account::ask(sdk, false).await? {
        StsAnswer::Caller(caller) => Ok(caller.account),
        StsAnswer::NoSts(why) => panic!("no STS: {why}"),
    }
}

#[tokio::test]
async fn calls_to_aws_go_through_the_proxy_that_a_variable_names() {
    let (address, seen) = proxy(sts(), None);
    let (url, bare) = (format!("http://{address}"), address.to_string());
    let rows: [&[(&str, &str)]; 8] = [
        &[("HTTPS_PROXY", &url)],
        &[("https_proxy", &url)],
        &[("ALL_PROXY", &url)],
        &[("all_proxy", &url)],
        &[("HTTPS_PROXY", &bare)],
        &[("HTTPS_PROXY", ""), ("https_proxy", &url)],
        &[("HTTPS_PROXY", &url), ("https_proxy", "http://127.0.0.1:1"), ("ALL_PROXY", "http://127.0.0.1:1")],
        &[
            ("HTTPS_PROXY", &url),
            ("HTTP_PROXY", "http://127.0.0.1:1"),
            ("NO_PROXY", "example.com,west-1.amazonaws.com"),
        ],
    ];
    for (number, variables) in rows.into_iter().enumerate() {
        let variables = [variables, &[("AWS_CA_BUNDLE", AUTHORITY)]].concat();
        assert_eq!(account(&variables, None).await.unwrap(), ACCOUNT, "{variables:?}");
        assert_eq!(seen.lines()[number..], ["CONNECT sts.us-east-1.amazonaws.com:443 HTTP/1.1"], "{variables:?}");
    }
}

#[tokio::test]
async fn plain_calls_go_through_the_proxy_for_plain_ones_only() {
    let (address, seen) = proxy(sts(), None);
    let url = format!("http://{address}");
    let endpoint = Some("http://store.example:9000");
    for (number, name) in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"].into_iter().enumerate() {
        let variables = [(name, url.as_str()), ("HTTPS_PROXY", "http://127.0.0.1:1")];
        assert_eq!(account(&variables, endpoint).await.unwrap(), ACCOUNT, "{name}");
        assert_eq!(seen.lines()[number..], ["POST http://store.example:9000/ HTTP/1.1"], "{name}");
    }
}

#[tokio::test]
async fn this_machine_is_called_without_a_proxy() {
    let (address, seen) = proxy(sts(), None);
    let (of_tls, nobody) = (sts(), "http://127.0.0.1:1");
    let by_name = format!("https://localhost:{}", of_tls.port());
    // What answers there answers plain calls too.
    let plain = format!("http://{address}");
    for endpoint in [format!("https://{of_tls}"), by_name, plain] {
        let variables = [("ALL_PROXY", nobody), ("HTTP_PROXY", nobody), ("AWS_CA_BUNDLE", AUTHORITY)];
        assert_eq!(account(&variables, Some(&endpoint)).await.unwrap(), ACCOUNT, "{endpoint}");
    }
    assert_eq!(seen.lines(), ["POST / HTTP/1.1"]);
}

#[test]
fn hosts_are_named_as_other_programs_name_them() {
    let rows = [
        ("", vec![]),
        ("*", vec!["*"]),
        ("a.example, .b.example\tc.example", vec!["a.example", ".b.example", "c.example"]),
        ("*.a.example", vec![".a.example"]),
        ("a.example:8443,10.0.0.1:80", vec!["a.example", "10.0.0.1"]),
        ("[fd12::1]:443,fd12::2,10.0.0.0/8", vec!["fd12::1", "fd12::2", "10.0.0.0/8"]),
    ];
    for (said, mut hosts) in rows {
        hosts.push(ALWAYS_DIRECT);
        assert_eq!(direct(said), hosts.join(","), "{said}");
    }
}

#[tokio::test]
async fn a_proxy_is_told_its_password_and_nobody_else_is() {
    let (address, seen) = proxy(sts(), Some(PASSWORD));
    let with_password = |password: &str| format!("http://user:{password}@{address}");
    let variables = [("HTTPS_PROXY", with_password("p%40ss")), ("AWS_CA_BUNDLE", AUTHORITY.to_owned())];
    let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
    assert_eq!(account(&variables, None).await.unwrap(), ACCOUNT);
    assert!(seen.lines()[1].ends_with(PASSWORD), "{:?}", seen.lines());

    let sdk = sdk(&variables, None).await.unwrap();
    assert!(!format!("{sdk:?}{:?}", Network::of(&Variables::from_iter(variables), None)).contains("p%40ss"));
    let before = seen.lines().len();
    let error = account(&[("HTTPS_PROXY", &with_password("wrong-one"))], None).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Denied);
    let said = format!("{:?} {}", error.chain(), error.advice());
    assert!(said.contains("without a password") && !said.contains("wrong-one"), "{said}");
    assert_eq!(seen.lines().len(), before + 2, "it was asked again");
}

#[tokio::test]
async fn a_proxy_that_cannot_be_one_is_an_error_that_does_not_repeat_it() {
    for url in ["socks5://user:secret@proxy:1080", "http://user:secret@", "http://user:secret@pro xy", "ftp://secret"] {
        for name in ["HTTPS_PROXY", "http_proxy", "ALL_PROXY"] {
            let error = Network::of(&Variables::from_iter([(name, url)]), None).unwrap_err();
            assert_eq!(error.kind(), Kind::Usage, "{url}");
            let said = format!("{:?} {}", error.chain(), error.advice());
            assert!(said.contains(name) && !said.contains("secret"), "{said}");
        }
    }
}

#[tokio::test]
async fn why_a_proxy_is_of_no_use_is_told_as_that() {
    let error = account(&[("HTTPS_PROXY", "http://127.0.0.1:1")], None).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unreachable);
    assert!(error.to_string().contains("the proxy cannot be reached"), "{error}");
}

#[tokio::test]
async fn authorities_are_those_of_the_bundle_and_no_others() {
    let endpoint = format!("https://{}", sts());
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let read = |path: &str| std::fs::read_to_string(path).unwrap();
    // A bundle has comments, and certificates that only another program can use.
    let broken = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
    let bundle = file("bundle", &format!("# ours\n{}{broken}{}", read(OTHER), read(AUTHORITY)));
    for path in [AUTHORITY, &bundle] {
        assert_eq!(account(&[("AWS_CA_BUNDLE", path)], Some(&endpoint)).await.unwrap(), ACCOUNT, "{path}");
    }
    for variables in [&[][..], &[("AWS_CA_BUNDLE", OTHER)]] {
        let error = account(variables, Some(&endpoint)).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Unreachable);
        assert!(error.to_string().contains("certificate is not trusted"), "{error}");
        assert!(error.advice().contains("AWS_CA_BUNDLE"), "{}", error.advice());
    }
    for path in ["/nowhere/at/all", &file("empty", ""), &file("broken", broken)] {
        let error = account(&[("AWS_CA_BUNDLE", path)], None).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Usage, "{path}");
        assert!(error.to_string().contains(path) && error.advice().contains("AWS_CA_BUNDLE"), "{error}");
    }
}

/// An AWS configuration in a home of its own.
fn home(profiles: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".aws")).unwrap();
    std::fs::write(home.path().join(".aws/config"), profiles).unwrap();
    home
}

#[tokio::test]
async fn a_profile_names_authorities_too_and_the_variable_stands_before_it() {
    let endpoint = format!("https://{}", sts());
    let home = home(&format!("[default]\nca_bundle = {AUTHORITY}\n[profile of-home]\nca_bundle = ~/ours.pem\n"));
    std::fs::copy(Path::new(AUTHORITY), home.path().join("ours.pem")).unwrap();
    let folder = home.path().to_str().unwrap();
    for variables in [&[][..], &[("AWS_PROFILE", "of-home")], &[("AWS_PROFILE", ""), ("AWS_CA_BUNDLE", "")]] {
        let variables = [&[("HOME", folder)], variables].concat();
        assert_eq!(account(&variables, Some(&endpoint)).await.unwrap(), ACCOUNT, "{variables:?}");
    }
    let error = account(&[("HOME", folder), ("AWS_CA_BUNDLE", OTHER)], Some(&endpoint)).await.unwrap_err();
    assert!(error.to_string().contains("certificate is not trusted"), "{error}");
}

/// The profile that a process of its own calls by: the SDK reads variables and files of the process it is in.
const PROFILE: &str = "CLAIMCTL_TEST_PROFILE";
/// And the endpoint that it names by a flag, if not empty.
const ENDPOINT: &str = "CLAIMCTL_TEST_ENDPOINT";

#[tokio::test]
async fn the_region_of_a_profile_holds_through_the_roles_that_it_assumes() {
    if let Ok(profile) = std::env::var(PROFILE) {
        let named = Some(profile).filter(|name| !name.is_empty());
        let user = UserConfig::load(&Variables::of_process(), named).await.unwrap();
        let endpoint = Variables::of_process().get(ENDPOINT).map(str::to_owned);
        let settings = SdkSettings { region: None, endpoint, credentials: CredentialSource::Chain(user) };
        assert_eq!(account_by(&sdk_config(&settings).await).await.unwrap(), ACCOUNT);
        return;
    }
    let (address, seen) = proxy(sts(), None);
    let keys = "aws_access_key_id = A\naws_secret_access_key = s\n";
    let role = |of: &str| format!("role_arn = arn:aws:iam::{ACCOUNT}:role/operator\nsource_profile = {of}\n");
    let home = home(&format!(
        "[default]\nregion = eu-west-1\n{}[profile base]\n{keys}[profile one]\nregion = eu-west-1\n{}[profile \
         two]\nregion = eu-west-1\n{}[profile fips]\nregion = us-east-1\nuse_fips_endpoint = true\n{}",
        role("base"),
        role("base"),
        role("one"),
        role("base"),
    ));
    let test = "network::tests::the_region_of_a_profile_holds_through_the_roles_that_it_assumes";
    let (at_home, endpoint) = ("sts.eu-west-1", format!("http://{address}"));
    // A role each, and then the question whose account that is. An endpoint is asked that as it is, whatever kind of
    // endpoint is wished for; the role is at AWS.
    for (profile, hosts, endpoint) in [
        ("", vec![at_home; 2], ""),
        ("one", vec![at_home; 2], ""),
        ("two", vec![at_home; 3], ""),
        ("fips", vec!["sts-fips.us-east-1"; 2], ""),
        ("fips", vec!["sts-fips.us-east-1", ""], &endpoint),
    ] {
        let before = seen.lines().len();
        let ran = Command::new(std::env::current_exe().unwrap())
            .args([test, "--exact"])
            .env_clear()
            .env(PROFILE, profile)
            .env("HOME", home.path())
            .env("HTTPS_PROXY", format!("http://{address}"))
            .env("AWS_CA_BUNDLE", AUTHORITY)
            .envs(["AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"].map(|name| (name, "")))
            .env(ENDPOINT, endpoint)
            .output()
            .unwrap();
        assert!(ran.status.success(), "{profile}: {}", String::from_utf8_lossy(&ran.stdout));
        let asked = hosts.iter().map(|host| match *host {
            "" => "POST / HTTP/1.1".to_owned(),
            host => format!("CONNECT {host}.amazonaws.com:443 HTTP/1.1"),
        });
        assert_eq!(seen.lines()[before..], asked.collect::<Vec<_>>(), "{profile}");
    }
}
