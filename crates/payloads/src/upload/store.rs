//! The store that a bucket is in: whether it knows checksums, and what is there when an answer got lost.

use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::RequestChecksumCalculation;
use aws_sdk_s3::types::ChecksumMode;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::timeout::TimeoutConfig;
use claimctl_aws::target::Target;

use super::checksum::{Algorithm, Value};
use super::engine::{Object, PATIENCE};

pub(super) struct Store {
    checking: Client,
    /// Sends a checksum only where S3's API wants one.
    plain: Client,
    pub bucket: String,
    sends_checksums: AtomicBool,
    /// AWS itself knows checksums, whatever it answers.
    is_aws: bool,
    is_wished: bool,
    algorithm: Algorithm,
}

impl Store {
    /// Without an algorithm the one that S3 takes by itself, and elsewhere the one that all stores know.
    pub fn of(target: &Target, bucket: &str, algorithm: Option<Algorithm>) -> Store {
        let timeouts = TimeoutConfig::builder().read_timeout(PATIENCE).build();
        let s3 = target.s3();
        let config = || s3.config().to_builder().timeout_config(timeouts.clone());
        let plain = config().request_checksum_calculation(RequestChecksumCalculation::WhenRequired).build();
        // AWS_REQUEST_CHECKSUM_CALCULATION, or request_checksum_calculation of the profile.
        let calculation = target.sdk().request_checksum_calculation();
        let is_aws = target.endpoint.is_none();
        let is_wished = algorithm.is_some() || calculation != Some(RequestChecksumCalculation::WhenRequired);
        Store {
            checking: Client::from_conf(config().build()),
            plain: Client::from_conf(plain),
            bucket: bucket.to_owned(),
            sends_checksums: AtomicBool::new(is_wished),
            is_aws,
            is_wished,
            algorithm: algorithm.unwrap_or(if is_aws { Algorithm::Crc64Nvme } else { Algorithm::Crc32 }),
        }
    }

    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether checksums were wished for, and the store turned out not to know them.
    pub fn knows_no_checksums(&self) -> bool {
        self.is_wished && !self.sends_checksums()
    }

    /// Makes a call, with a checksum or without as it is told; and whether it had one. A store that refuses the checksum
    /// is called again without.
    pub async fn call<T, E, F>(
        &self,
        make: impl Fn(&Client, Option<Algorithm>) -> F,
    ) -> Result<(T, bool), SdkError<E, HttpResponse>>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata,
    {
        if !self.sends_checksums() {
            return make(&self.plain, None).await.map(|answer| (answer, false));
        }
        match make(&self.checking, Some(self.algorithm)).await {
            Err(error) if !self.is_aws && is_refusal_of_checksums(&error) => {}
            answer => return answer.map(|answer| (answer, true)),
        }
        let answer = make(&self.plain, None).await;
        // It was the checksum that it refused, and not something else.
        if answer.is_ok() {
            self.sends_checksums.store(false, Ordering::Relaxed);
        }
        answer.map(|answer| (answer, false))
    }

    pub fn sends_checksums(&self) -> bool {
        self.sends_checksums.load(Ordering::Relaxed)
    }

    pub fn client(&self) -> &Client {
        &self.checking
    }

    /// The object, where it is surely the one that was to be made: asked for when the answer to the last call of making
    /// it was lost.
    pub async fn made(&self, key: &str, wanted: Object) -> Option<Object> {
        let head = self.checking.head_object().bucket(&self.bucket).key(key).checksum_mode(ChecksumMode::Enabled);
        let head = head.send().await.ok()?;
        let same_size = head.content_length().and_then(|size| size.try_into().ok()) == Some(wanted.size);
        let is_it = same_size && wanted.checksum.is_some() && Value::of_head(&head) == wanted.checksum;
        is_it.then(|| Object { etag: head.e_tag.unwrap_or_default(), version_id: head.version_id, ..wanted })
    }
}

/// Stores without checksums say so in many ways: 501; 400 with words about the header; 400 without a word. A checksum
/// that does not match is none of these.
fn is_refusal_of_checksums<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    let status = error.raw_response().map_or(0, |answer| answer.status().as_u16());
    let code = claimctl_aws::code(error).unwrap_or_default();
    let said = error.as_service_error().and_then(ProvideErrorMetadata::message).unwrap_or_default().to_lowercase();
    let mismatch = ["BadDigest", "InvalidDigest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch"];
    match status {
        501 => true,
        400 => code.is_empty() || (!mismatch.contains(&code) && said.contains("checksum")),
        _ => false,
    }
}
