use std::cell::Cell;

use super::*;
use crate::testing::{Site, state};

fn request(file: &str) -> RestoreRequest {
    let (stack, from) = ("small".to_owned(), RestoreFrom::File(PathBuf::from(file)));
    RestoreRequest { stack, from, dry_run: false, force: false, lineage: None }
}

/// A site whose bucket keeps versions, with a state and an older one in a file.
async fn site() -> Site {
    let site = Site::new().await;
    std::fs::write(site.path("s3/versioned"), "").unwrap();
    std::fs::write(site.path("older.tfstate"), state(3, &["a"])).unwrap();
    site.put_state(&state(7, &["a", "b"]));
    site
}

async fn restored(site: &Site, request: &RestoreRequest) -> Result<Restored> {
    let agree = async |intent: &Intent, _: &Restored| site.agree(intent).await;
    restore(&site.ctx, &site.target, &site.project, request, agree).await
}

#[tokio::test]
async fn the_older_content_comes_back_under_the_next_serial() {
    let site = site().await;
    let restored = restored(&site, &request("older.tfstate")).await.unwrap();
    assert_eq!(restored.standing, RestoreStanding::Restored);
    assert_eq!(site.state().unwrap(), state(8, &["a"]));
    assert_eq!(restored.now.unwrap().serial, 8);
    assert!(site.path("older.tfstate").exists(), "it is no file of an apply that failed");
}

#[tokio::test]
async fn nothing_is_written_without_consent_and_nobody_is_asked_for_a_look() {
    let site = site().await;
    let declined = async |_: &Intent, _: &Restored| Err(Error::refused("no"));
    let older = request("older.tfstate");
    let refused = restore(&site.ctx, &site.target, &site.project, &older, declined).await.unwrap_err();
    assert_eq!(refused.to_string(), "no");
    let look = RestoreRequest { dry_run: true, ..older };
    let looked = restore(&site.ctx, &site.target, &site.project, &look, declined).await.unwrap();
    assert_eq!(looked.standing, RestoreStanding::Planned);
    assert_eq!((site.state().unwrap(), site.changes().len()), (state(7, &["a", "b"]), 0));
}

#[tokio::test]
async fn a_state_that_changes_while_somebody_is_asked_is_left_as_it_is() {
    let site = site().await;
    let overtaken = async |intent: &Intent, _: &Restored| {
        site.put_state(&state(8, &["a", "b", "c"]));
        site.agree(intent).await
    };
    let older = request("older.tfstate");
    let refused = restore(&site.ctx, &site.target, &site.project, &older, overtaken).await.unwrap_err();
    assert!(refused.to_string().contains("was changed meanwhile"), "{refused}");
    assert_eq!(site.state().unwrap(), state(8, &["a", "b", "c"]));
}

#[tokio::test]
async fn a_bucket_without_versions_loses_nothing_unless_that_is_meant() {
    let site = site().await;
    std::fs::remove_file(site.path("s3/versioned")).unwrap();
    let refused = restored(&site, &request("older.tfstate")).await.unwrap_err();
    assert!(refused.to_string().contains("keeps no versions"), "{refused}");
    assert!(refused.advice().contains("claimctl state pull small --to FILE --env dev"), "{}", refused.advice());
    restored(&site, &RestoreRequest { force: true, ..request("older.tfstate") }).await.unwrap();
    assert_eq!(site.state().unwrap(), state(8, &["a"]));
}

#[tokio::test]
async fn an_object_without_a_byte_is_taken_for_no_state() {
    let site = site().await;
    site.put_state("");
    restored(&site, &RestoreRequest { lineage: Some("l".to_owned()), ..request("older.tfstate") }).await.unwrap();
    assert_eq!(site.state().unwrap(), state(3, &["a"]));
}

#[tokio::test]
async fn what_only_others_read_is_not_to_be_deleted_and_what_is_no_state_is_kept_first() {
    let site = site().await;
    for (text, says, names_removal) in [
        ("{\"encrypted_data\":\"eA==\"}", "is of a kind that claimctl cannot read", false),
        ("{\"version\":5,\"serial\":9}", "is of a kind that claimctl cannot read", false),
        ("<html></html>", "cannot be read", true),
    ] {
        site.put_state(text);
        let refused = restored(&site, &request("older.tfstate")).await.unwrap_err();
        assert!(refused.to_string().ends_with(says), "{refused}");
        assert_eq!(refused.advice().contains("s3 rm"), names_removal, "{}", refused.advice());
        assert_eq!(site.state().unwrap(), text);
    }
}

#[tokio::test]
async fn a_state_that_nothing_knows_wants_its_lineage_typed() {
    let site = site().await;
    std::fs::remove_file(site.path("s3/states/p/dev/small.tfstate")).unwrap();
    let refused = restored(&site, &request("older.tfstate")).await.unwrap_err();
    let advice = "claimctl state restore small --file older.tfstate --lineage l --env dev";
    assert!(refused.advice().ends_with(advice), "{}", refused.advice());
    let wrong = RestoreRequest { lineage: Some("k".to_owned()), ..request("older.tfstate") };
    assert!(restored(&site, &wrong).await.unwrap_err().to_string().contains("and k was typed"));
    let right = RestoreRequest { lineage: Some("l".to_owned()), ..request("older.tfstate") };
    restored(&site, &right).await.unwrap();
    assert_eq!(site.state().unwrap(), state(3, &["a"]));
}

#[tokio::test]
async fn a_file_of_an_apply_that_could_not_save_its_state_goes_once_it_is_saved() {
    let site = site().await;
    let file = "terraform/stacks/small/errored.tfstate";
    std::fs::write(site.path(file), state(8, &["a", "b", "c"])).unwrap();
    let asked = Cell::new(0);
    let agree = async |intent: &Intent, _: &Restored| {
        asked.set(asked.get() + 1);
        site.agree(intent).await
    };
    let restored = restore(&site.ctx, &site.target, &site.project, &request(file), agree).await.unwrap();
    assert_eq!((restored.removed, asked.get()), (Some(site.path(file)), 1));
    // Killed between the push and the removal: the next run only removes.
    std::fs::write(site.path(file), site.state().unwrap()).unwrap();
    let again = restore(&site.ctx, &site.target, &site.project, &request(file), agree).await.unwrap();
    assert_eq!((again.standing, asked.get()), (RestoreStanding::Unchanged, 1));
    assert!(!site.path(file).exists());
}
