//! A deployment package on its way to Lambda: read, checked, and put where Lambda fetches it. Its name is its content.

use std::path::Path;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode};
use aws_smithy_types::base64;
use claimctl_aws::policy::bucket_arn;
use claimctl_aws::{Explain, code};
use claimctl_core::error::{Error, IoContext, Result};

use super::sha256;

const GET: &str = "s3:GetObject";

pub struct Package {
    pub bytes: Vec<u8>,
    /// SHA-256 in lower-case hex.
    pub digest: String,
}

impl Package {
    /// Reads a deployment package. The sandbox would take anything and pretend to run it; Lambda tells it at the first
    /// invocation.
    pub fn read(path: &Path) -> Result<Package> {
        let bytes = std::fs::read(path).on("read", path)?;
        let wrong = |why: &str| {
            Error::usage(format!("{} is not a deployment package: {why}", path.display()))
                .hint("make one: claimctl package build")
        };
        let mut zip = zip::ZipArchive::new(std::io::Cursor::new(&bytes)).map_err(|error| wrong(&error.to_string()))?;
        zip.by_name("bootstrap").map_err(|_| wrong("it has no file named bootstrap"))?;
        Ok(Package { digest: sha256(&bytes), bytes })
    }
}

/// Whether the object is there, and what its name says: others may write to a bucket of several environments.
pub async fn is_published(s3: &Client, bucket: &str, key: &str, digest: &str) -> Result<bool> {
    let resource = object_arn(s3, bucket, key);
    let head = s3.head_object().bucket(bucket).key(key).checksum_mode(ChecksumMode::Enabled).send().await;
    let head = match head {
        Err(error) if error.raw_response().is_some_and(|answer| answer.status().as_u16() == 404) => return Ok(false),
        answer => answer.or_needs("look for the artifact", GET, &resource)?,
    };
    let stored = match head.checksum_sha256().and_then(|sum| base64::decode(sum).ok()) {
        Some(sum) => hex(&sum),
        // Put there by hand, without a checksum of this kind.
        None => {
            let object = s3.get_object().bucket(bucket).key(key).send().await;
            let body = object.or_needs("read the artifact", GET, &resource)?.body.collect().await;
            sha256(
                &body
                    .map_err(|error| Error::unreachable("the artifact broke off while it was read").caused_by(error))?
                    .into_bytes(),
            )
        }
    };
    match stored == digest {
        true => Ok(true),
        false => Err(Error::refused(format!("s3://{bucket}/{key} is not the artifact that its name says"))
            .caused_by(format!("its SHA-256 is {stored}"))
            .hint("nothing was done; find out who wrote it, and remove it before the artifact is published anew")),
    }
}

/// Puts the package there, and nothing over what is there (Amazon S3 User Guide, "How to prevent object overwrites with
/// conditional writes").
pub async fn publish(s3: &Client, bucket: &str, key: &str, package: Package) -> Result<()> {
    let put = s3.put_object().bucket(bucket).key(key).body(ByteStream::from(package.bytes));
    let put = put.checksum_algorithm(ChecksumAlgorithm::Sha256).if_none_match("*").send().await;
    if put.as_ref().err().and_then(code) == Some("PreconditionFailed") {
        // Somebody else was faster, or an answer was lost.
        return is_published(s3, bucket, key, &package.digest).await.map(drop);
    }
    put.map(drop).or_needs("upload the artifact", "s3:PutObject", &object_arn(s3, bucket, key))
}

fn object_arn(s3: &Client, bucket: &str, key: &str) -> String {
    let region = s3.config().region().map(AsRef::as_ref).unwrap_or_default();
    format!("{}/{key}", bucket_arn(region, bucket))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use claimctl_aws::{CredentialSource, SdkSettings, sdk_config};
    use claimctl_core::error::Kind;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    /// An S3 that has an object already, with this checksum, and the first of what it was sent.
    async fn with_an_object(sum: String) -> (Client, std::sync::mpsc::Receiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = Some(format!("http://{}", listener.local_addr().unwrap()));
        let (send, heads) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for mut connection in listener.incoming().flatten() {
                let mut request = [0; 8192];
                let length = connection.read(&mut request).unwrap();
                let head = String::from_utf8_lossy(&request[..length]).to_lowercase();
                let (status, body) = match head.starts_with("head") {
                    true => ("200 OK", ""),
                    false => ("412 Precondition Failed", "<Error><Code>PreconditionFailed</Code></Error>"),
                };
                send.send(head).unwrap();
                let length = body.len();
                write!(
                    connection,
                    "HTTP/1.1 {status}\r\nconnection: close\r\nx-amz-checksum-sha256: {sum}\r\n\
                     content-length: {length}\r\n\r\n{body}"
                )
                .unwrap();
            }
        });
        let credentials = CredentialSource::Dummy { access_key: "111111111111".to_owned() };
        let sdk = sdk_config(&SdkSettings { region: Some("us-east-1".to_owned()), endpoint, credentials }).await;
        let config = aws_sdk_s3::config::Builder::from(&sdk).force_path_style(true).build();
        (Client::from_conf(config), heads)
    }

    #[tokio::test]
    async fn nothing_is_written_over_and_what_is_there_has_to_be_the_same() {
        let package = || Package { bytes: b"zip".to_vec(), digest: sha256(b"zip") };
        for (sum, is_taken) in [(of(b"zip"), true), (of(b"of somebody else"), false)] {
            let (s3, heads) = with_an_object(sum).await;
            let published = publish(&s3, "b", "k", package()).await;
            assert_eq!(published.as_ref().err().map(Error::kind), (!is_taken).then_some(Kind::Refused));
            let put = heads.recv().unwrap();
            assert!(put.starts_with("put") && put.contains("if-none-match: *\r\n"), "{put}");
        }
    }

    /// As S3 says it.
    fn of(content: &[u8]) -> String {
        use sha2::{Digest, Sha256};
        base64::encode(Sha256::digest(content))
    }

    #[test]
    fn what_is_no_deployment_package_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.zip");
        std::fs::write(&path, "no zip").unwrap();
        let error = Package::read(&path).err().unwrap();
        assert_eq!(error.kind(), Kind::Usage);
        assert!(error.advice().contains("claimctl package build"));
    }
}
