//! Whose surfaces a root reads: by modules whose source ends in `modules/surface`.

use std::collections::BTreeSet;
use std::path::Path;

use hcl_edit::structure::Block;

use crate::terraform::hcl;
use crate::terraform::source::{files_of, modules};

/// The stacks that the modules name as plain strings. What cannot be read is told by whoever opens the root.
pub fn surfaces_read(root: &Path) -> BTreeSet<String> {
    let bodies = files_of(root).unwrap_or_default().into_iter().filter_map(|file| hcl::read(&file).ok());
    bodies.flat_map(|body| modules(&body).filter_map(stack).collect::<Vec<_>>()).collect()
}

fn stack(module: &Block) -> Option<String> {
    let text = |name: &str| Some(module.body.get_attribute(name)?.value.as_str()?.to_owned());
    let source = text("source")?;
    let is_surface = source.trim_end_matches('/').ends_with("modules/surface");
    is_surface.then(|| text("stack")).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_surface_is_read_by_its_module_and_by_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(root.path().join(name), text).unwrap();
        let module = |source: &str, stack: &str| {
            format!("module \"m{}\" {{\n  source = \"{source}\"\n  stack  = {stack}\n}}\n", source.len())
        };
        let text = module("../../../modules/surface", "\"pay/a\"") + &module("./modules/surface/", "\"pay/b\"");
        write("main.tf", &text);
        write("other.tf", &(module("../modules/table", "\"pay/c\"") + &module("../surface", "\"pay/d\"")));
        // A stack that is not known before Terraform runs, and a file that is none of its own.
        write("variable.tf", &module("../../modules/surface", "var.stack"));
        write(".hidden.tf", &module("../modules/surface", "\"pay/e\""));
        write("broken.tf", "module {");
        assert_eq!(surfaces_read(root.path()), ["pay/a", "pay/b"].map(str::to_owned).into());
        assert!(surfaces_read(&root.path().join("nowhere")).is_empty());
    }
}
