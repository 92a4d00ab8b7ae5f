//! Whether this machine's clock agrees with the service's, which refuses what was signed at another time.

use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use claimctl_aws::UserConfig;
use claimctl_aws::network::Network;
use claimctl_aws::policy::domain;
use claimctl_core::error::Error;
use claimctl_core::units::duration;
use jiff::{SignedDuration, Timestamp};

use super::{Check, Chosen, Finding, PATIENCE, Status, within};
use crate::config::ChosenEnvironment;
use crate::sandbox::Sandbox;

/// A signature is refused when it is older than this (AWS General Reference, "Signature Version 4 request elements").
const REFUSED_BEYOND: SignedDuration = SignedDuration::from_mins(5);
/// A clock that is kept by the network is within a second; the header has whole seconds.
const SUSPECT_BEYOND: SignedDuration = SignedDuration::from_secs(30);

pub async fn check(chosen: &Chosen<'_>) -> Finding {
    const CHECK: Check = Check { name: "clock", why: "AWS refuses requests that were signed five minutes off" };
    let endpoint = match endpoint(chosen) {
        Ok(endpoint) => endpoint,
        Err(because) => return CHECK.not_checked(because),
    };
    let network = match network(chosen).await {
        Ok(network) => network,
        Err(error) => return CHECK.error(Status::Problem, &error),
    };
    match within(ahead_of(&endpoint, &network)).await {
        None => unreachable(CHECK, &endpoint, &format!("no answer within {}", duration(PATIENCE))),
        Some(Err(error)) => unreachable(CHECK, &endpoint, &error.chain().join(": ")),
        Some(Ok(None)) => CHECK.not_checked(format!("{endpoint} does not say what time it is")),
        Some(Ok(Some(ahead))) => judge(CHECK, &endpoint, ahead),
    }
}

fn unreachable(check: Check, endpoint: &str, because: &str) -> Finding {
    let found = format!("not compared: {endpoint} cannot be reached ({because})");
    check.finding(Status::Warning, found).fix("check the network, the proxy and the firewall")
}

/// How calls to the environment leave this machine. To the sandbox they do not.
async fn network(chosen: &Chosen<'_>) -> Result<Network, Error> {
    let profile = match &chosen.choice {
        None | Some(ChosenEnvironment::Local { .. }) => return Ok(Network::default()),
        Some(ChosenEnvironment::Declared { environment, .. }) => environment.profile.clone(),
        Some(ChosenEnvironment::ByFlags { profile, .. }) => profile.clone(),
    };
    Ok(UserConfig::load(&chosen.ctx.variables, profile).await?.network)
}

/// The service whose clock matters: the explicit endpoint, the sandbox, or the region's STS.
fn endpoint(chosen: &Chosen<'_>) -> Result<String, String> {
    let region = match (chosen.endpoint, &chosen.choice) {
        (Some(endpoint), _) => return Ok(endpoint.to_owned()),
        (None, None) => return Err("no environment is known before the configuration is repaired".to_owned()),
        (None, Some(ChosenEnvironment::Local { .. })) => {
            let server = Sandbox::at(&chosen.ctx.paths).server();
            return server.map(|server| server.endpoint).map_err(|error| error.to_string());
        }
        (None, Some(ChosenEnvironment::Declared { environment, .. })) => &environment.region,
        (None, Some(ChosenEnvironment::ByFlags { region, .. })) => {
            region.as_ref().ok_or("no --region says whose clock to compare with")?
        }
    };
    // AWS General Reference, "AWS Security Token Service endpoints and quotas".
    Ok(format!("https://sts.{region}.{}", domain(region)))
}

/// How far this clock is ahead of the server's; none where the server does not tell the time.
async fn ahead_of(endpoint: &str, network: &Network) -> Result<Option<SignedDuration>, Error> {
    let broken = || Error::unreachable("the request could not be made");
    let mut request = HttpRequest::empty();
    request.set_uri(endpoint.to_owned()).map_err(|error| broken().caused_by(error))?;
    request.set_method("HEAD").map_err(|error| broken().caused_by(error))?;
    let asked = Timestamp::now();
    let answer = network.connector(endpoint).call(request).await.map_err(|error| broken().caused_by(error))?;
    let answered = Timestamp::now();
    let date = answer.headers().get("date").and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
    // Half of the way there and back lies between the server's look at its clock and the answer.
    let half_way = asked + answered.duration_since(asked) / 2;
    Ok(date.map(|date| half_way.duration_since(date.timestamp())))
}

fn judge(check: Check, endpoint: &str, ahead: SignedDuration) -> Finding {
    let direction = if ahead.is_negative() { "behind" } else { "ahead of" };
    let found = format!("{} {direction} {endpoint}", duration(ahead.unsigned_abs()));
    let status = match ahead.abs() {
        off if off >= REFUSED_BEYOND => Status::Problem,
        off if off >= SUSPECT_BEYOND => Status::Warning,
        _ => return check.ok(format!("within {} of {endpoint}", duration(SUSPECT_BEYOND.unsigned_abs()))),
    };
    check.finding(status, found).fix("let the network set the clock: sudo timedatectl set-ntp true")
}
