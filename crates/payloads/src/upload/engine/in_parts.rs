//! A long payload: begun, or gone on with where an earlier run was, and begun again where another run came in between.

use std::sync::atomic::Ordering;

use claimctl_aws::Explain;
use claimctl_aws::objects::HEAD;
use claimctl_core::error::{Error, Kind, Result};
use claimctl_core::next::Next;

use super::super::chunks::{Chunk, Chunks};
use super::super::existing::Existing;
use super::super::lanes::Lane;
use super::super::multipart::{Failed, Multipart};
use super::super::plan::{Input, Upload};
use super::{Done, Engine, Object, TRIES, arn_pattern};

impl Engine<'_> {
    /// A long payload. What an earlier run has sent of it is kept; where another run completes it meanwhile, or a part is
    /// lost, it is begun again.
    pub(super) async fn in_parts(&self, upload: &Upload, chunks: Chunks, first: Chunk, lane: Lane) -> Result<Done> {
        let only_new = self.settings.existing == Existing::Keep;
        let mut begun = Some((chunks, first, lane));
        let (mut tries, mut anew) = (0, false);
        loop {
            tries += 1;
            let (mut chunks, first, lane) = match begun.take() {
                Some(begun) => begun,
                None => {
                    let mut chunks = self.open(upload)?;
                    let (first, lane) = self.next(&mut chunks).await?;
                    (chunks, first, lane)
                }
            };
            // What a stream gives is known only as it comes, and another may be at it under the same key.
            let there = match chunks.layout().filter(|_| !anew && self.store.sends_checksums()) {
                None => None,
                Some(layout) => {
                    match self.lanes.look(Multipart::go_on(&self.store, &upload.key, layout, only_new)).await {
                        // Who may only upload begins anew.
                        Err(error) if error.kind() == Kind::Denied => {
                            self.begins_anew(&error);
                            None
                        }
                        there => there?,
                    }
                }
            };
            let mut multipart = match there {
                Some(multipart) => multipart,
                None => Multipart::begin(&self.store, &upload.key, &self.settings.headers, only_new).await?,
            };
            let failed = match self.parts(&mut multipart, &mut chunks, first, lane).await {
                Ok(object) => {
                    if multipart.is_of_another_content() {
                        self.watched.progress.note(&format!(
                            "note: {} is not what the upload was begun with, so it was sent from the beginning",
                            upload.input.name()
                        ));
                    }
                    if multipart.is_old() {
                        self.check_headers(&upload.key).await?;
                    }
                    return Ok(Done::Uploaded(object));
                }
                Err(failed) => failed,
            };
            match failed {
                Failed::Gone(error) if matches!(upload.input, Input::File(_)) && tries < TRIES => {
                    // Another run is perhaps at one that was there before.
                    if !multipart.is_old() {
                        multipart.give_up(error, false).await;
                    }
                }
                Failed::Conflict(error) if matches!(upload.input, Input::File(_)) && tries < TRIES => {
                    multipart.give_up(error, false).await;
                    anew = true;
                }
                Failed::Exists(error) => {
                    let (size, checksum) = multipart.content();
                    let error = multipart.give_up(error, false).await;
                    return self.exists(&upload.key, size, &checksum, error).await;
                }
                failed => {
                    if let Failed::Gone(error) = failed {
                        let why = "another run has completed or aborted the upload, or sent other parts: run it again";
                        return Err(error.hint(why).next("what is left", Next::verb("uploads ls")));
                    }
                    let error = Error::from(failed);
                    // Only what a second run will find, and can use.
                    let keep = matches!(upload.input, Input::File(_))
                        && !matches!(error.kind(), Kind::Partial | Kind::Usage)
                        && self.store.sends_checksums()
                        && !self.said_anew.load(Ordering::Relaxed);
                    return Err(multipart.give_up(error, keep).await);
                }
            }
        }
    }

    /// Said once.
    fn begins_anew(&self, why: &Error) {
        if !self.said_anew.swap(true, Ordering::Relaxed) {
            let told = why.chain().join(": ");
            self.watched.progress.note(&format!("note: what earlier runs sent cannot be gone on with: {told}"));
            why.hints().iter().for_each(|hint| self.watched.progress.hint(hint));
        }
    }

    /// Another program may have begun the upload, with other headers; S3 tells them only now.
    async fn check_headers(&self, key: &str) -> Result<()> {
        let head = match self.store.client().head_object().bucket(&self.store.bucket).key(key).send().await {
            Ok(head) => head,
            Err(error) => {
                let error = Err::<(), _>(error).or_needs("look at it", HEAD, &arn_pattern(&self.store.bucket)).err();
                let why = error.map(|error| error.to_string()).unwrap_or_default();
                self.watched.progress.note(&format!(
                    "note: {key} went on with what an earlier run sent; whether that began it with the same headers \
                     nobody can tell: {why}"
                ));
                return Ok(());
            }
        };
        let how = match self.settings.headers.differ(key, &head) {
            Some(how) => Some(how),
            None => self.other_tags(key).await,
        };
        let Some(how) = how else { return Ok(()) };
        let why = format!("{key} is there, whole, but {how}: its upload was begun with that before");
        Err(Error::new(Kind::Partial, why).hint(match self.settings.existing {
            Existing::Overwrite => "the same command again uploads it anew, as it is asked for",
            Existing::Keep => "without --no-overwrite the same command uploads it anew, as it is asked for",
            Existing::ReplaceIfChanged => "without --if-changed the same command uploads it anew, as it is asked for",
        }))
    }

    /// Where tags are asked for, those that the object has may be others.
    async fn other_tags(&self, key: &str) -> Option<String> {
        let mut wanted = self.settings.headers.tags.clone();
        if wanted.is_empty() {
            return None;
        }
        let answer = self.store.client().get_object_tagging().bucket(&self.store.bucket).key(key).send().await.ok()?;
        let tags = answer.tag_set().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned()));
        let mut there: Vec<_> = tags.collect();
        there.sort();
        wanted.sort();
        (there != wanted).then(|| "it has other tags".to_owned())
    }

    async fn parts(
        &self,
        multipart: &mut Multipart,
        chunks: &mut Chunks,
        first: Chunk,
        lane: Lane,
    ) -> Result<Object, Failed> {
        let (mut chunk, mut lane) = (first, lane);
        loop {
            let last = chunk.last;
            self.watched.progress.advance(multipart.send(chunk, lane));
            if last {
                break;
            }
            (chunk, lane) = self.next(chunks).await?;
            self.watched.progress.advance(multipart.arrived()?);
        }
        while let Some(bytes) = multipart.next_arrival().await? {
            self.watched.progress.advance(bytes);
        }
        multipart.complete().await
    }
}
