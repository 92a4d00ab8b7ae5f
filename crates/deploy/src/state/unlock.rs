//! Giving back the lock that a dead run has left: which one, whether its run is dead, and that it is still the same lock.

use std::time::Duration;

use claimctl_aws::target::{Change, Intent, Target};
use claimctl_core::error::{Error, Result};
use claimctl_core::next::Next;
use jiff::Timestamp;
use serde::Serialize;

use super::lock::{self, GivenBack, Held, Lock};
use super::lock_holder::LockHolder;
use crate::terraform::{CreatedResource, Root, created_resources, import_command, look_at_lock};

/// What is asked for.
pub struct UnlockRequest {
    /// What names the lock: its ID, or of one that cannot be read where it is held.
    pub lock_id: Option<String>,
    /// Only look.
    pub dry_run: bool,
    /// Whether nobody will be asked, so that nobody sees which lock it is.
    pub is_answered: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnlockStanding {
    NotLocked,
    /// Only looked at.
    Locked,
    /// It was given back by whoever held it, before this run could.
    Gone,
    Unlocked,
}

/// The locks of a state, and what came of them.
#[derive(Debug, Serialize)]
pub struct Unlocking {
    pub stack: String,
    pub environment: String,
    /// Where the state is.
    pub state: String,
    pub standing: UnlockStanding,
    /// The locks that were found.
    pub locks: Vec<FoundLock>,
    /// Which of them was given back, or was gone.
    #[serde(skip)]
    pub given_back: Option<usize>,
    /// The locks that are there in the end.
    pub left: Vec<Lock>,
    /// What runs on this machine have created and the state may not know.
    pub created: Vec<CreatedResource>,
    /// The command to go on with.
    #[serde(skip)]
    pub next: Next,
}

#[derive(Debug, Serialize)]
pub struct FoundLock {
    #[serde(flatten)]
    pub lock: Lock,
    pub age_seconds: Option<u64>,
    pub holder: LockHolder,
}

/// Gives a lock back once `consent` was given. Not one of a run that is at work, and not another one than was shown.
pub async fn unlock(
    target: &Target,
    root: &Root,
    request: &UnlockRequest,
    consent: impl AsyncFnOnce(&Intent, &Unlocking) -> Result<Change>,
) -> Result<Unlocking> {
    target.guard().await?;
    let locks = lock::read(target, &root.state, &root.backend).await?;
    let mut unlocking = Unlocking::of(root, locks);
    let is_only_look = request.dry_run && request.lock_id.is_none();
    if unlocking.standing == UnlockStanding::NotLocked || is_only_look {
        return Ok(unlocking);
    }
    let chosen = unlocking.choose(request.lock_id.as_deref(), root)?;
    if request.dry_run {
        return Ok(unlocking);
    }
    let FoundLock { lock, holder, .. } = &unlocking.locks[chosen];
    check(holder, lock, root, request)?;
    let who = lock.who.as_deref().unwrap_or("nobody knows whom");
    let what = format!("give back the lock of {} that is held by {who}", root.stack);
    let agreed = consent(&Intent { what, destroys: true }, &unlocking).await?;
    let GivenBack { was_there, left } = lock::give_back(target, root, lock, &agreed).await?;
    unlocking.standing = if was_there { UnlockStanding::Unlocked } else { UnlockStanding::Gone };
    unlocking.left = left;
    unlocking.given_back = Some(chosen);
    Ok(unlocking)
}

/// Refuses the lock of a run that is at work, and where nobody looks any other than one that is named or known to be dead.
fn check(holder: &LockHolder, lock: &Lock, root: &Root, request: &UnlockRequest) -> Result<()> {
    if let LockHolder::Running { .. } = holder {
        return Err(Error::refused(format!("the lock of {} is held by a run that is at work", root.name()))
            .caused_by(holder.sentence())
            .hint("nothing was done: wait for it, or stop it with Ctrl-C, and it gives its lock back")
            .next("who it is", look_at_lock(root)));
    }
    if request.is_answered && request.lock_id.is_none() && !matches!(holder, LockHolder::Dead { .. }) {
        let message = format!("which lock of {} is meant has to be said, where nobody is asked", root.name());
        return Err(Error::refused(message)
            .caused_by(holder.sentence())
            .next("where that run has died, give the lock back", give_back(root, lock)));
    }
    Ok(())
}

fn give_back(root: &Root, lock: &Lock) -> Next {
    root.next("state unlock").word(lock.selector())
}

impl FoundLock {
    fn of(lock: &Lock, root: &Root) -> FoundLock {
        let holder = LockHolder::of(&root.running(), lock.who.as_deref(), lock.created);
        let age = lock.created.and_then(|created| Duration::try_from(Timestamp::now().duration_since(created)).ok());
        FoundLock { lock: lock.clone(), age_seconds: age.map(|age| age.as_secs()), holder }
    }

    fn sentence(&self) -> String {
        match (&self.lock.id, &self.lock.held[..]) {
            (Some(id), _) => format!("it is locked by {id}"),
            (None, held) => {
                let places: Vec<String> = held.iter().map(Held::place).collect();
                format!("{} cannot be read", places.join(" and "))
            }
        }
    }
}

impl Unlocking {
    fn of(root: &Root, locks: Vec<Lock>) -> Unlocking {
        let created = created_resources(root);
        Unlocking {
            stack: root.stack.clone(),
            environment: root.environment.clone(),
            state: format!("s3://{}/{}", root.state.bucket, root.state.key),
            standing: if locks.is_empty() { UnlockStanding::NotLocked } else { UnlockStanding::Locked },
            locks: locks.iter().map(|lock| FoundLock::of(lock, root)).collect(),
            given_back: None,
            left: locks,
            next: match &created[..] {
                [] => root.next("plan"),
                created => import_command(root, created),
            },
            created,
        }
    }

    /// The lock that is meant.
    fn choose(&self, lock_id: Option<&str>, root: &Root) -> Result<usize> {
        let with_each = |error: Error| {
            self.locks.iter().fold(error, |error, found| error.next("give this one back", give_back(root, &found.lock)))
        };
        match (lock_id, &self.locks[..]) {
            (Some(lock_id), locks) => {
                locks.iter().position(|found| found.lock.selector() == lock_id).ok_or_else(|| {
                    let message = format!("{} is not locked by {lock_id} any more, so nothing was done", root.name());
                    let because: Vec<String> = locks.iter().map(FoundLock::sentence).collect();
                    with_each(Error::refused(message).caused_by(because.join("; ")))
                        .next("who holds it", look_at_lock(root))
                })
            }
            (None, [_]) => Ok(0),
            (None, _) => Err(with_each(Error::usage(format!("{} is locked twice: say which one", root.name())))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Site;

    fn request(lock_id: Option<&str>, is_answered: bool) -> UnlockRequest {
        UnlockRequest { lock_id: lock_id.map(str::to_owned), dry_run: false, is_answered }
    }

    async fn unlocked(site: &Site, request: &UnlockRequest) -> Result<Unlocking> {
        let root = Root::find(&site.ctx.paths, &site.target, &site.project, "small")?;
        let agree = async |intent: &Intent, _: &Unlocking| site.agree(intent).await;
        unlock(&site.target, &root, request, agree).await
    }

    #[tokio::test]
    async fn a_lock_is_given_back_once_and_the_second_time_there_is_none() {
        let site = Site::new().await;
        site.put_lock("one");
        let unlocking = unlocked(&site, &request(None, false)).await.unwrap();
        assert_eq!((unlocking.standing, unlocking.given_back), (UnlockStanding::Unlocked, Some(0)));
        assert_eq!(unlocking.next.to_string(), "claimctl plan small --env dev");
        assert!(!site.is_locked());
        let again = unlocked(&site, &request(None, false)).await.unwrap();
        assert_eq!(again.standing, UnlockStanding::NotLocked);
    }

    #[tokio::test]
    async fn where_nobody_looks_the_lock_has_to_be_named() {
        let site = Site::new().await;
        site.put_lock("one");
        let refused = unlocked(&site, &request(None, true)).await.unwrap_err();
        assert!(refused.advice().ends_with("claimctl state unlock small one --env dev"), "{}", refused.advice());
        let refused = unlocked(&site, &request(Some("two"), true)).await.unwrap_err();
        assert!(refused.to_string().contains("is not locked by two any more"), "{refused}");
        assert!(site.is_locked());
        unlocked(&site, &request(Some("one"), true)).await.unwrap();
        assert!(!site.is_locked());
    }

    #[tokio::test]
    async fn a_lock_that_is_another_one_by_the_time_of_the_answer_is_left() {
        let site = Site::new().await;
        site.put_lock("one");
        let root = Root::find(&site.ctx.paths, &site.target, &site.project, "small").unwrap();
        let overtaken = async |intent: &Intent, _: &Unlocking| {
            site.put_lock("two");
            site.agree(intent).await
        };
        let refused = unlock(&site.target, &root, &request(None, false), overtaken).await.unwrap_err();
        assert!(refused.to_string().contains("has changed since it was looked at"), "{refused}");
        assert!(site.is_locked());
    }

    #[tokio::test]
    async fn a_look_asks_nobody_and_changes_nothing() {
        let site = Site::new().await;
        site.put_lock("one");
        let looked = unlocked(&site, &UnlockRequest { dry_run: true, ..request(None, false) }).await.unwrap();
        assert_eq!((looked.standing, looked.locks.len()), (UnlockStanding::Locked, 1));
        assert!(site.is_locked());
    }
}
