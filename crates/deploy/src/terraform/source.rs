//! What a root's files say: its variables, where its functions take their code from, and what `init` depends on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use claimctl_core::error::{Error, IoContext, Result};
use hcl_edit::expr::{Expression, ObjectKey, TraversalOperator};
use hcl_edit::structure::{Block, Body};

use crate::terraform::hcl;

/// A root module, read.
#[derive(Debug, Default)]
pub struct Source {
    /// The variables that it declares, with defaults that are strings.
    pub variables: BTreeMap<String, Option<String>>,
    /// Those of them that are marked as such.
    pub sensitive: BTreeSet<String>,
    pub artifacts: Vec<ArtifactOf>,
    /// The addresses of its modules and resources, such as `module.table`, without those within modules.
    addresses: Vec<String>,
    /// Whether its state is kept where claimctl looks for it.
    has_backend: bool,
    /// Everything that `init` installs or connects to, as text.
    pub installed: String,
}

/// A module's `artifact = { handler = …, digest = var.… }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactOf {
    pub handler: Handler,
    /// The variable that takes the digest.
    pub variable: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Handler {
    Named(String),
    /// Named by this variable.
    Variable(String),
}

impl Source {
    pub fn read(root: &Path) -> Result<Source> {
        let mut source = Source::default();
        let mut seen = BTreeSet::new();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            if !seen.insert(folder.clone()) {
                continue;
            }
            if folder == root {
                check_files(&folder)?;
            }
            for file in files_of(&folder)? {
                let body = hcl::read(&file)?;
                if folder == root {
                    source.take(&body);
                }
                source.note_installed(&body);
                folders.extend(modules(&body).filter_map(|module| local(&folder, module)));
            }
        }
        source.artifacts.dedup();
        Ok(source)
    }

    /// Without the block, Terraform takes no notice of the backend file but for a warning, and keeps the state beside
    /// the root.
    pub fn check_backend(&self, root: &Path) -> Result<()> {
        match self.has_backend {
            true => Ok(()),
            false => Err(Error::usage(format!("{} does not say that its state is kept in S3", root.display()))
                .hint("add to its files: terraform { backend \"s3\" {} }")),
        }
    }

    /// The variables by which claimctl decides what it builds, and where it publishes that.
    pub fn deciding(&self) -> BTreeSet<&str> {
        let handlers = self.artifacts.iter().filter_map(|artifact| match &artifact.handler {
            Handler::Variable(name) => Some(name.as_str()),
            Handler::Named(_) => None,
        });
        let decides = handlers.chain(["architecture", "artifact_bucket"]);
        decides.filter(|name| self.variables.contains_key(*name)).collect()
    }

    fn take(&mut self, body: &Body) {
        for block in body.get_blocks("variable") {
            let default = block.body.get_attribute("default").and_then(|found| found.value.as_str());
            let is_sensitive = block.body.get_attribute("sensitive").and_then(|found| found.value.as_bool());
            if let Some(name) = block.labels.first() {
                if is_sensitive == Some(true) {
                    self.sensitive.insert(name.as_str().to_owned());
                }
                self.variables.insert(name.as_str().to_owned(), default.map(str::to_owned));
            }
        }
        let mut settings = body.get_blocks("terraform").flat_map(|block| block.body.get_blocks("backend"));
        self.has_backend |= settings.any(|backend| backend.labels.iter().any(|label| label.as_str() == "s3"));
        self.artifacts.extend(modules(body).filter_map(artifact));
        let labels = |block: &Block| block.labels.iter().map(|label| label.as_str().to_owned()).collect::<Vec<_>>();
        self.addresses.extend(modules(body).map(|module| format!("module.{}", labels(module).join("."))));
        self.addresses.extend(body.get_blocks("resource").map(|resource| labels(resource).join(".")));
    }

    /// The module or resource of the root that an address of nothing may mean. None where the root has what the address
    /// begins with: then it is something within that is not there.
    pub fn meant(&self, address: &str) -> Option<&str> {
        let mut ends = address.match_indices(['.', '[']).map(|(at, _)| at).skip(1);
        let begins = ends.next().map_or(address, |end| &address[..end]);
        let known = self.addresses.iter().map(String::as_str);
        claimctl_core::nearest::name(begins, known).filter(|near| *near != begins)
    }

    fn note_installed(&mut self, body: &Body) {
        for block in body.get_blocks("terraform") {
            self.installed.push_str(&block.body.to_string());
        }
        for module in modules(body) {
            // Terraform notes where the module is by the name of the call.
            self.installed.extend(module.labels.iter().map(|label| format!("module {}\n", label.as_str())));
            for key in ["source", "version"] {
                let value = module.body.get_attribute(key).and_then(|found| found.value.as_str());
                self.installed.push_str(value.unwrap_or_default());
                self.installed.push('\n');
            }
        }
        let providers: BTreeSet<String> = providers(body).collect();
        for line in providers.iter().map(|provider| format!("provider {provider}\n")) {
            // Once for all files.
            if !self.installed.contains(&line) {
                self.installed.push_str(&line);
            }
        }
    }
}

/// What Terraform reads in a folder, in the order of names.
pub fn files_of(folder: &Path) -> Result<Vec<PathBuf>> {
    files(folder, |name| name.ends_with(".tf") && !is_hidden(name))
}

/// Those whose names are such, in their order.
fn files(folder: &Path, is_such: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).on("read", folder)?;
    let such = entries.flatten().filter(|entry| entry.file_name().to_str().is_some_and(&is_such));
    let mut files: Vec<_> = such.map(|entry| entry.path()).collect();
    files.sort();
    Ok(files)
}

/// Such as an editor's lock (Terraform, configs.IsIgnoredFile).
fn is_hidden(name: &str) -> bool {
    name.starts_with('.')
}

/// Refuses what Terraform or OpenTofu would read in a root and claimctl does not: variables declared there would be
/// passed by (Terraform documentation, "Override Files"; OpenTofu documentation, "Files and Directories").
fn check_files(root: &Path) -> Result<()> {
    let is_other = |name: &str| {
        let stem = name.strip_suffix(".tf");
        let is_override = stem.is_some_and(|stem| stem == "override" || stem.ends_with("_override"));
        let is_other = [".tf.json", ".tofu", ".tofu.json"].iter().any(|end| name.ends_with(end));
        (is_override || is_other) && !is_hidden(name)
    };
    match files(root, is_other)?.first() {
        None => Ok(()),
        Some(file) => Err(Error::refused(format!("{} is a kind of file that claimctl does not read", file.display()))
            .hint("nothing was done; write what it says into files that end in .tf and override nothing")),
    }
}

/// The variables files that Terraform reads in a root without being told to.
pub fn own_values(root: &Path) -> Result<Vec<PathBuf>> {
    files(root, |name| {
        let stem = name.strip_suffix(".json").unwrap_or(name);
        stem == "terraform.tfvars" || stem.ends_with(".auto.tfvars")
    })
}

/// The variables that such a file sets.
pub fn names_of_values(path: &Path) -> Result<Vec<String>> {
    if path.extension().is_none_or(|end| end != "json") {
        return Ok(read_values(path)?.into_keys().collect());
    }
    let text = std::fs::read(path).on("read", path)?;
    let set: BTreeMap<String, serde_json::Value> = serde_json::from_slice(&text).map_err(|error| {
        Error::usage(format!("{} is not a JSON object", path.display())).caused_by(error).hint("mend the file")
    })?;
    Ok(set.into_keys().collect())
}

/// The strings of a variables file, such as `terraform/environments/dev.tfvars`, and the names of all that it sets.
pub fn read_values(path: &Path) -> Result<BTreeMap<String, Option<String>>> {
    let body = hcl::read(path)?;
    let value = |value: &Expression| value.as_str().map(str::to_owned);
    Ok(body.attributes().map(|found| (found.key.as_str().to_owned(), value(&found.value))).collect())
}

pub fn modules(body: &Body) -> impl Iterator<Item = &Block> {
    body.get_blocks("module")
}

/// The local names of the providers that a file uses; one that nothing requires is used all the same (Terraform
/// documentation, "Provider Requirements").
fn providers(body: &Body) -> impl Iterator<Item = String> {
    let within = body.get_blocks("check").flat_map(|check| check.body.get_blocks("data"));
    let used = ["resource", "data", "ephemeral"].into_iter().flat_map(|kind| body.get_blocks(kind));
    let used: Vec<&Block> = used.chain(within).collect();
    let named = body.get_blocks("import").chain(used.clone()).filter_map(|block| {
        let provider = &block.body.get_attribute("provider")?.value;
        match provider {
            Expression::Traversal(traversal) => traversal.expr.as_variable().map(|name| name.as_str().to_owned()),
            Expression::Variable(name) => Some(name.as_str().to_owned()),
            other => other.as_str().map(str::to_owned),
        }
    });
    let by_type = used.into_iter().filter_map(|block| {
        let kind = block.labels.first()?.as_str();
        Some(kind.split('_').next().unwrap_or(kind).to_owned())
    });
    let configured = body.get_blocks("provider").filter_map(|block| Some(block.labels.first()?.as_str().to_owned()));
    by_type.chain(named).chain(configured)
}

/// The folder of a module beside the root.
fn local(folder: &Path, module: &Block) -> Option<PathBuf> {
    let source = module.body.get_attribute("source")?.value.as_str()?;
    let beside = source.starts_with("./") || source.starts_with("../");
    // One that is not there is Terraform's to tell.
    beside.then(|| folder.join(source).canonicalize().ok()).flatten()
}

fn artifact(module: &Block) -> Option<ArtifactOf> {
    let object = module.body.get_attribute("artifact")?.value.as_object()?;
    let value = |name: &str| object.iter().find(|(key, _)| key_is(key, name)).map(|(_, value)| value.expr());
    let handler = value("handler")?;
    let handler = match handler.as_str() {
        Some(name) => Handler::Named(name.to_owned()),
        None => Handler::Variable(variable(handler)?),
    };
    Some(ArtifactOf { handler, variable: variable(value("digest")?)? })
}

fn key_is(key: &ObjectKey, name: &str) -> bool {
    match key {
        ObjectKey::Ident(ident) => ident.as_str() == name,
        ObjectKey::Expression(Expression::Variable(ident)) => ident.as_str() == name,
        ObjectKey::Expression(expression) => expression.as_str() == Some(name),
    }
}

/// The NAME of `var.NAME`.
fn variable(expression: &Expression) -> Option<String> {
    let Expression::Traversal(traversal) = expression else { return None };
    let Expression::Variable(root) = &traversal.expr else { return None };
    match traversal.operators.first()?.value() {
        TraversalOperator::GetAttr(name) if root.as_str() == "var" => Some(name.as_str().to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stacks_of_the_repository_say_what_they_take() {
        let stacks = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../terraform/stacks");
        let claim_check = Source::read(&stacks.join("claim-check")).unwrap();
        let handler = Handler::Named("claim-recorder".to_owned());
        assert_eq!(claim_check.artifacts, [ArtifactOf { handler, variable: "artifact".to_owned() }]);
        assert_eq!(claim_check.variables.get("trigger"), Some(&Some("queue".to_owned())));
        assert_eq!(claim_check.variables.get("account"), Some(&None));
        assert!(claim_check.has_backend);
        assert!(claim_check.installed.contains("hashicorp/aws"));

        assert_eq!(claim_check.meant("module.tabel.aws_dynamodb_table.this"), Some("module.table"));
        assert_eq!(claim_check.meant("module.table[\"x.y\"]"), None);
        assert_eq!(claim_check.meant("module.table.nothing"), None);

        let fan_out = Source::read(&stacks.join("fan-out")).unwrap();
        let handler = Handler::Variable("handler".to_owned());
        assert_eq!(fan_out.artifacts, [ArtifactOf { handler, variable: "artifact".to_owned() }]);
        assert_eq!(fan_out.variables.get("handler"), Some(&Some("event-logger".to_owned())));
    }

    #[test]
    fn a_module_far_below_counts_for_init_and_nothing_else_does() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let installed = || Source::read(&folder.path().join("root")).unwrap().installed;
        write("root/main.tf", "module \"a\" {\n  source = \"../a\"\n}\n");
        write("a/main.tf", "module \"b\" {\n  source = \"../b\"\n}\n");
        write("b/main.tf", "variable \"x\" {}\n");
        let before = installed();
        write("b/main.tf", "variable \"y\" {}\n");
        assert_eq!(installed(), before);
        write("b/main.tf", "module \"c\" {\n  source = \"git::https://example.com/c\"\n}\n");
        assert_ne!(installed(), before);
    }

    #[test]
    fn whatever_init_installs_counts_for_it_and_what_else_changes_does_not() {
        const BEFORE: &str =
            "module \"a\" {\n  source = \"../a\"\n}\nresource \"aws_sqs_queue\" \"q\" {\n  name = \"q\"\n}\n";
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("a")).unwrap();
        let root = folder.path().join("root");
        std::fs::create_dir_all(&root).unwrap();
        let installed = |text: &str| {
            std::fs::write(root.join("main.tf"), text).unwrap();
            Source::read(&root).unwrap().installed
        };
        let before = installed(BEFORE);
        for (what, text, counts) in [
            ("a call of another name", BEFORE.replace("module \"a\"", "module \"b\""), true),
            ("another source", BEFORE.replace("../a", "./a"), true),
            ("a version", BEFORE.replace("\"../a\"", "\"../a\"\n  version = \"1\""), true),
            ("a resource of another provider", format!("{BEFORE}resource \"random_id\" \"r\" {{}}\n"), true),
            ("data of another provider", format!("{BEFORE}data \"http\" \"h\" {{}}\n"), true),
            ("data within a check", format!("{BEFORE}check \"c\" {{\n  data \"http\" \"h\" {{}}\n}}\n"), true),
            ("what lives for a run", format!("{BEFORE}ephemeral \"tls_key\" \"k\" {{}}\n"), true),
            ("a provider that is configured", format!("{BEFORE}provider \"random\" {{}}\n"), true),
            ("a provider that is named", BEFORE.replace("name =", "provider = other.alias\n  name ="), true),
            ("a provider that is required", format!("{BEFORE}terraform {{\n  required_version = \">= 1\"\n}}\n"), true),
            ("one more of the same provider", format!("{BEFORE}resource \"aws_sns_topic\" \"t\" {{}}\n"), false),
            ("an argument", BEFORE.replace("\"q\"\n}", "\"other\"\n}"), false),
            ("a variable", format!("{BEFORE}variable \"v\" {{}}\n"), false),
        ] {
            assert_eq!(installed(&text) != before, counts, "{what}");
        }
    }

    #[test]
    fn a_root_with_files_that_are_not_read_is_refused() {
        for name in ["override.tf", "x_override.tf", "a.tf.json", "a.tofu", "a.tofu.json", "override.tf.json"] {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("my_overrides.tf"), "").unwrap();
            std::os::unix::fs::symlink("me@host.1", folder.path().join(".#main.tf")).unwrap();
            Source::read(folder.path()).unwrap();
            std::fs::write(folder.path().join(name), "{}").unwrap();
            let error = Source::read(folder.path()).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
        }
    }

    #[test]
    fn a_broken_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("main.tf"), "variable {").unwrap();
        let error = Source::read(folder.path()).unwrap_err();
        assert!(error.to_string().contains("main.tf is not valid HCL"), "{error}");
    }
}
