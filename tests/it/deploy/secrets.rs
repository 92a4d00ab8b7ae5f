//! What must be shown and written down nowhere.

use crate::server::Server;
use crate::site::Site;

const VARIABLES: &str = "variable \"pin\" {\n  type      = string\n  sensitive = true\n}\n\
                         variable \"db\" {\n  type = map(string)\n}\n";

/// Files below a folder that have a text in them.
fn files_with(site: &Site<'_>, folder: &str, text: &str) -> Vec<std::path::PathBuf> {
    let files = walkdir::WalkDir::new(site.project.path().join(folder)).into_iter().flatten();
    let has = |path: &std::path::PathBuf| {
        std::fs::read(path).is_ok_and(|bytes| bytes.windows(text.len()).any(|part| part == text.as_bytes()))
    };
    files.map(walkdir::DirEntry::into_path).filter(has).collect()
}

#[test]
fn values_of_sensitive_variables_and_of_documents_with_secrets_are_written_nowhere() {
    let server = Server::up();
    let site = Site::new(&server);
    site.with_small("small");
    site.project.write("terraform/stacks/small/variables.tf", VARIABLES);
    let secrets = "--var pin=hunter1 --var db={\"password\":\"hunter2\"}";
    site.run(&format!("plan small --env dev --plan-file kept {secrets}")).exits(0);
    let sidecar = site.project.read("kept.json");
    assert!(sidecar.contains("pin=[hidden]") && sidecar.contains("db=[hidden]"), "{sidecar}");
    site.run(&format!("deploy small --env dev --yes {secrets}")).exits(0);
    assert!(!files_with(&site, "state", "pin=[hidden]").is_empty());
    for secret in ["hunter1", "hunter2"] {
        assert!(!sidecar.contains(secret), "{sidecar}");
        assert_eq!(files_with(&site, "state", secret), Vec::<std::path::PathBuf>::new());
    }
}
