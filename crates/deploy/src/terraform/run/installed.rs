//! What `terraform init` leaves in the data folder, looked at again before it is relied on: caches are cleaned, links
//! lead to what is gone, and a run that was killed leaves a part.

use std::path::{Path, PathBuf};

/// The backend's record.
const BACKEND: &str = "terraform.tfstate";
/// Where the modules are, in `modules`.
const MODULES: &str = "modules";
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

/// Whether all that an init has left is there still. One of which nothing is known left nothing.
pub fn is_there(data: &Path, listed: &[PathBuf]) -> bool {
    !listed.is_empty() && listed.iter().all(|path| data.join(path).exists())
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
    fn whatever_is_gone_of_it_is_missed() {
        const PLATFORM: &str = "providers/registry.terraform.io/hashicorp/aws/6.1.0/linux_amd64";
        let folder = tempfile::tempdir().unwrap();
        let (data, cache) = (folder.path().join("data"), folder.path().join("cache"));
        let write = |path: PathBuf| {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
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
