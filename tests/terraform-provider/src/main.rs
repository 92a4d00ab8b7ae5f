//! A provider `hashicorp/aws` for tests: Terraform sees the real provider's schema, and a folder stands for AWS.
//!
//! Terraform starts this program, reads where it listens from the first line of stdout, and calls it by gRPC
//! (HashiCorp documentation, "Terraform Plugin Protocol", version 6). TLS is off: TF_DISABLE_PLUGIN_TLS=1.

mod account;
mod apply;
mod data;
mod documented;
mod failures;
mod faults;
mod grpc;
mod mirror;
mod plan;
mod policy;
mod provider;
mod schema;
mod template;
mod validate;
mod value;
mod wire;
mod world;

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use tokio::net::UnixListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::provider::Provider;

/// Terraform connects at once; without it nobody would ever end this process.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    if std::env::var_os("TF_PLUGIN_MAGIC_COOKIE").is_none() {
        return Err("this is a plugin: Terraform starts it, see tests/terraform-provider/README.md".into());
    }
    // A Ctrl-C in a terminal reaches the whole group. Terraform decides what it means, and calls StopProvider.
    let _ignored = signal(SignalKind::interrupt())?;
    let provider = Rc::new(Provider::load()?);
    let folder = std::env::var_os("PLUGIN_UNIX_SOCKET_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let socket = folder.join(format!("terraform-provider-aws-{}.sock", std::process::id()));
    // One that was killed leaves its socket behind, and process ids come again.
    if socket.exists() {
        std::fs::remove_file(&socket)?;
    }
    let listener = UnixListener::bind(&socket)?;
    writeln!(std::io::stdout(), "1|6|unix|{}|grpc|", socket.display())?;
    let connection = tokio::time::timeout(PATIENCE, listener.accept()).await;
    std::fs::remove_file(&socket)?;
    // Terraform keeps one connection. When it closes, however that came, nobody needs this process any more.
    grpc::serve(connection??.0, provider).await;
    Ok(())
}
