//! The folders that claimctl keeps things in: room, and who may look into them.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use claimctl_core::units::bytes;
use rustix::fs::{Access, access, statvfs};

use super::{Check, Finding, Status};
use crate::context::Ctx;

/// A virtual environment or a journal of a large queue needs about this much.
const TOO_LITTLE: u64 = 200 << 20;
const LITTLE: u64 = 1 << 30;

pub fn check(ctx: &Ctx) -> [Finding; 3] {
    const CACHE: Check = Check { name: "cache room", why: "virtual environments and built handlers are kept there" };
    const STATE: Check =
        Check { name: "state room", why: "journals are kept there: a full disk stops drain and replay" };
    [room(CACHE, &ctx.paths.cache), room(STATE, &ctx.paths.state), private(&ctx.paths.state)]
}

fn room(check: Check, folder: &Path) -> Finding {
    let free = match statvfs(nearest(folder)) {
        Ok(disk) => disk.f_bavail.saturating_mul(disk.f_frsize),
        Err(error) => return check.not_checked(format!("{}: {error}", folder.display())),
    };
    let found = format!("{} free for {}", bytes(free), folder.display());
    let status = match free {
        ..TOO_LITTLE => Status::Problem,
        TOO_LITTLE..LITTLE => Status::Warning,
        _ => return check.ok(found),
    };
    check.finding(status, found).fix("free some room, or point CLAIMCTL_HOME at another disk")
}

fn private(folder: &Path) -> Finding {
    const CHECK: Check =
        Check { name: "state folder", why: "journals and the change log tell what went through the pipelines" };
    let there = nearest(folder);
    let shown = there.display();
    let elsewhere = "point CLAIMCTL_HOME at a folder of your own";
    let found = match std::fs::metadata(there) {
        Ok(found) if found.is_dir() => found,
        Ok(_) => return CHECK.finding(Status::Problem, format!("{shown} is not a folder")).fix(elsewhere),
        Err(error) => return CHECK.finding(Status::Problem, format!("{shown}: {error}")).fix(elsewhere),
    };
    if access(there, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK).is_err() {
        return CHECK.finding(Status::Problem, format!("{shown} cannot be written to")).fix(elsewhere);
    }
    if there != folder {
        return CHECK.ok(format!("{} is made when it is needed", folder.display()));
    }
    let mode = found.permissions().mode() & 0o777;
    let private = format!("chmod 700 {shown}");
    if found.uid() != rustix::process::geteuid().as_raw() {
        return CHECK.finding(Status::Warning, format!("{shown} belongs to another user")).fix(elsewhere);
    }
    match mode {
        mode if mode & 0o022 != 0 => {
            CHECK.finding(Status::Problem, format!("others can write to {shown} (mode {mode:o})")).fix(private)
        }
        mode if mode & 0o055 != 0 => {
            CHECK.finding(Status::Warning, format!("others can look into {shown} (mode {mode:o})")).fix(private)
        }
        _ => CHECK.ok(format!("{shown} is yours alone")),
    }
}

/// The folder itself, or the nearest one above it that exists.
fn nearest(folder: &Path) -> &Path {
    folder.ancestors().find(|folder| folder.symlink_metadata().is_ok()).unwrap_or(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_look_into_the_state_folder_is_told() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("state");
        assert_eq!(private(&folder).status, Status::Ok, "it is made when needed");
        std::fs::create_dir(&folder).unwrap();
        for (mode, status) in [(0o700, Status::Ok), (0o750, Status::Warning), (0o777, Status::Problem)] {
            std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(mode)).unwrap();
            let finding = private(&folder);
            assert_eq!(finding.status, status, "{finding:?}");
            assert_eq!(finding.fix.is_some(), status != Status::Ok);
        }
    }

    #[test]
    fn a_file_in_the_way_is_a_problem() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("state");
        std::fs::write(&file, "").unwrap();
        assert_eq!(private(&file).status, Status::Problem);
    }
}
