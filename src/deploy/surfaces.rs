//! The surfaces that deployed stacks have written into the state bucket, as `surface/ENV/STACK.json`.

use futures_util::{StreamExt, stream};

use super::state::state_bucket;
use crate::aws::{Explain, code};
use crate::error::{Error, Kind, Result};
use crate::surface::{Surface, Surfaces};
use crate::target::Target;

const LIST: &str = "s3:ListBucket";
const GET: &str = "s3:GetObject";
/// How many are read at once; a project has a handful.
const CONCURRENCY: usize = 8;

/// One list and a get per stack, all at once. Where there is no state bucket, nothing is deployed.
pub async fn read(target: &Target, environment: &str) -> Result<Surfaces> {
    let (s3, bucket) = (target.s3(), &state_bucket(target, environment).await?);
    let prefix = format!("surface/{environment}/");
    let list = s3.list_objects_v2().bucket(bucket).prefix(&prefix).send().await;
    if list.as_ref().err().and_then(code) == Some("NoSuchBucket") {
        return Ok(Surfaces::default());
    }
    let listed = list.or_needs(&format!("list the surfaces in {bucket}"), LIST, &format!("arn:aws:s3:::{bucket}"))?;
    let keys: Vec<String> = listed.contents.unwrap_or_default().into_iter().filter_map(|object| object.key).collect();
    let one = |key: String| {
        let s3 = &s3;
        async move { get(s3, bucket, &key).await }
    };
    let read: Vec<Result<Option<Surface>>> = stream::iter(keys).map(one).buffered(CONCURRENCY).collect().await;
    let surfaces = read.into_iter().collect::<Result<Vec<_>>>()?;
    Ok(Surfaces(surfaces.into_iter().flatten().filter(|surface| surface.environment == environment).collect()))
}

/// None where it was removed a moment ago.
async fn get(s3: &aws_sdk_s3::Client, bucket: &str, key: &str) -> Result<Option<Surface>> {
    let answer = s3.get_object().bucket(bucket).key(key).send().await;
    if answer.as_ref().err().and_then(code) == Some("NoSuchKey") {
        return Ok(None);
    }
    let object = answer.or_needs(&format!("read {key}"), GET, &format!("arn:aws:s3:::{bucket}/surface/*"))?;
    let broken = |error| Error::new(Kind::Unreachable, format!("{key} broke off while it was read")).caused_by(error);
    let bytes = object.body.collect().await.map_err(broken)?.into_bytes();
    Surface::parse(&String::from_utf8_lossy(&bytes)).map(Some)
}
