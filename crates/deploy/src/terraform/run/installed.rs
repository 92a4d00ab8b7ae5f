//! What `terraform init` leaves in the data folder, looked at again before it is relied on: caches are cleaned, links
//! lead to what is gone, and a run that was killed leaves a part.

use std::path::{Path, PathBuf};

use claimctl_core::error::{IoContext, Result};
use serde::de::IgnoredAny;

/// The backend's record.
const BACKEND: &str = "terraform.tfstate";
/// Where the modules are, and their list.
const MODULES: &str = "modules";
const MODULE_LIST: &str = "modules/modules.json";
/// `providers/HOST/NAMESPACE/TYPE/VERSION/PLATFORM/PROGRAM`; a platform may be a link into a cache.
const PROVIDERS: &str = "providers";
const DEPTH: usize = 6;

/// All of it that is there, from the data folder. Links count as what they lead to.
pub fn list(data: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut add = |path: PathBuf| {
        if data.join(&path).exists() {
            found.push(path);
        }
    };
    add(PathBuf::from(BACKEND));
    below(data, Path::new(MODULES), 1).into_iter().for_each(&mut add);
    below(data, Path::new(PROVIDERS), DEPTH).into_iter().for_each(&mut add);
    found.sort();
    found
}

/// Whether all that an init has left is there still, and whole. One of which nothing is known left nothing.
pub fn is_there(data: &Path, listed: &[PathBuf]) -> bool {
    !listed.is_empty() && listed.iter().all(|path| data.join(path).exists()) && torn(data).next().is_none()
}

/// Removes the files that Terraform was killed over while it wrote them: it stops at them, and makes them anew where
/// there are none.
pub fn remove_torn(data: &Path) -> Result<()> {
    for path in torn(data) {
        std::fs::remove_file(&path).on("remove", &path)?;
    }
    Ok(())
}

fn torn(data: &Path) -> impl Iterator<Item = PathBuf> {
    let is_torn =
        |path: &PathBuf| std::fs::read(path).is_ok_and(|bytes| serde_json::from_slice::<IgnoredAny>(&bytes).is_err());
    [BACKEND, MODULE_LIST].map(|file| data.join(file)).into_iter().filter(is_torn)
}

/// What is so many steps below a folder.
fn below(data: &Path, folder: &Path, steps: usize) -> Vec<PathBuf> {
    if steps == 0 {
        return vec![folder.to_owned()];
    }
    let entries = std::fs::read_dir(data.join(folder)).into_iter().flatten().flatten();
    entries.flat_map(|entry| below(data, &folder.join(entry.file_name()), steps - 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_in_part_is_missed_and_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path();
        std::fs::create_dir(data.join("modules")).unwrap();
        for file in [BACKEND, MODULE_LIST] {
            for part in ["", "{\"version\": 3, \"ser"] {
                std::fs::write(data.join(BACKEND), "{\"version\": 3}").unwrap();
                std::fs::write(data.join(MODULE_LIST), "{\"Modules\": []}").unwrap();
                let listed = [PathBuf::from(BACKEND)];
                assert!(is_there(data, &listed));
                std::fs::write(data.join(file), part).unwrap();
                assert!(!is_there(data, &listed), "{file}: {part:?}");
                remove_torn(data).unwrap();
                let left = [BACKEND, MODULE_LIST].iter().filter(|file| data.join(file).exists()).count();
                assert_eq!((left, data.join(file).exists()), (1, false), "{file}: {part:?}");
            }
        }
    }

    #[test]
    fn whatever_is_gone_of_it_is_missed() {
        const PLATFORM: &str = "providers/registry.terraform.io/hashicorp/aws/6.1.0/linux_amd64";
        let folder = tempfile::tempdir().unwrap();
        let (data, cache) = (folder.path().join("data"), folder.path().join("cache"));
        let write = |path: PathBuf| {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "{}").unwrap();
        };
        let make = || {
            let _ = std::fs::remove_dir_all(&data);
            write(data.join("terraform.tfstate"));
            write(data.join("modules/modules.json"));
            write(data.join("modules/far/main.tf"));
            write(cache.join("provider"));
            let platform = data.join(PLATFORM);
            std::fs::create_dir_all(platform.parent().unwrap()).unwrap();
            std::os::unix::fs::symlink(&cache, platform).unwrap();
        };
        make();
        let listed = list(&data);
        assert_eq!(listed.len(), 4, "{listed:?}");
        assert!(is_there(&data, &listed) && !is_there(&data, &[]));
        for gone in ["terraform.tfstate", "modules", "modules/modules.json", "modules/far", "providers", PLATFORM] {
            make();
            let path = data.join(gone);
            let removed = if path.is_dir() && !path.is_symlink() {
                std::fs::remove_dir_all(&path)
            } else {
                std::fs::remove_file(&path)
            };
            removed.unwrap();
            assert!(!is_there(&data, &listed), "{gone}");
        }
        // The link is there, and what it leads to is not.
        for gone in [cache.join("provider"), cache.clone()] {
            make();
            if gone.is_dir() { std::fs::remove_dir_all(&gone) } else { std::fs::remove_file(&gone) }.unwrap();
            assert!(!is_there(&data, &listed), "{}", gone.display());
        }
    }
}
