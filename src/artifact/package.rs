//! A deployment package on its way to Lambda: read, checked, and put where Lambda fetches it. Its name is its content.

use std::path::Path;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;

use super::sha256;
use crate::aws::Explain;
use crate::error::{Error, IoContext, Result};

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

/// Whether the object is there.
pub async fn is_published(s3: &Client, bucket: &str, key: &str) -> Result<bool> {
    match s3.head_object().bucket(bucket).key(key).send().await {
        Ok(_) => Ok(true),
        Err(error) if error.raw_response().is_some_and(|answer| answer.status().as_u16() == 404) => Ok(false),
        Err(error) => {
            Err(error).or_needs("look for the artifact", "s3:GetObject", &format!("arn:aws:s3:::{bucket}/{key}"))
        }
    }
}

pub async fn publish(s3: &Client, bucket: &str, key: &str, package: Package) -> Result<()> {
    let put = s3.put_object().bucket(bucket).key(key).body(ByteStream::from(package.bytes)).send().await;
    put.map(drop).or_needs("upload the artifact", "s3:PutObject", &format!("arn:aws:s3:::{bucket}/{key}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn what_is_no_deployment_package_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.zip");
        std::fs::write(&path, "no zip").unwrap();
        let error = Package::read(&path).err().unwrap();
        assert_eq!(error.kind(), Kind::Usage);
        assert!(error.hints()[0].contains("claimctl package build"));
    }
}
