//! What the files of the Terraform have in common: the same text where it is promised, READMEs that leave nothing out.

use super::stacks::{folders, terraform};

/// `docs/terraform.md` says that these are the same in every stack.
const SAME_EVERYWHERE: [&str; 3] = ["environment.tf", "providers.tf", "versions.tf"];

fn read(path: &str) -> String {
    std::fs::read_to_string(terraform().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn files_that_every_stack_has_are_the_same() {
    let stacks = folders("stacks");
    assert!(stacks.len() >= 3, "{stacks:?}");
    // A part of a system is one folder deeper.
    let of =
        |stack: &str, file: &str| read(&format!("{stack}/{file}")).replace("\"../../../modules/", "\"../../modules/");
    for file in SAME_EVERYWHERE {
        for stack in &stacks {
            assert_eq!(of(stack, file), of(&stacks[0], file), "{stack}/{file}");
        }
    }
}

/// The names of blocks such as `variable "NAME" {`, with the default and the description of each.
fn declared(kind: &str, text: &str) -> Vec<Declared> {
    let blocks = text.split("\n}\n").filter_map(|block| block.split_once(&format!("{kind} \"")));
    let declared = blocks.map(|(_, block)| {
        let (name, rest) = block.split_once('"').unwrap();
        let of = |argument: &str| {
            let found = rest.lines().find_map(|line| line.trim_start().strip_prefix(argument));
            found.and_then(|rest| rest.trim_start().strip_prefix("= ")).map(str::to_owned)
        };
        Declared { name: name.to_owned(), description: of("description"), default: of("default") }
    });
    declared.collect()
}

struct Declared {
    name: String,
    description: Option<String>,
    default: Option<String>,
}

impl Declared {
    #[track_caller]
    fn is_told(&self, kind: &str, row: &[&str], place: &str) {
        if kind == "variable" {
            let default = self.default.as_ref().map_or("required".to_owned(), |default| format!("`{default}`"));
            assert_eq!(row[2], default, "{place}");
        }
        let text = self.description.as_deref().unwrap_or_else(|| panic!("{place}: no description"));
        // One of several lines is told in one, and not compared.
        if let Some(text) = text.strip_prefix('"') {
            assert_eq!(row.last().unwrap(), &text.trim_end_matches('"'), "{place}");
        }
    }
}

/// The cells of the table below a heading, a row each.
fn table<'a>(readme: &'a str, heading: &str) -> Vec<Vec<&'a str>> {
    let section = readme.split("\n## ").find(|section| section.starts_with(heading)).unwrap_or_default();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

#[test]
fn the_readme_of_every_module_names_each_variable_and_output() {
    for module in folders("modules") {
        let readme = read(&format!("{module}/README.md"));
        for (kind, file, heading) in [("variable", "variables.tf", "Inputs"), ("output", "outputs.tf", "Outputs")] {
            let mut declared = declared(kind, &read(&format!("{module}/{file}")));
            declared.sort_by(|a, b| a.name.cmp(&b.name));
            let rows = table(&readme, heading);
            let names: Vec<String> = declared.iter().map(|declared| format!("`{}`", declared.name)).collect();
            assert_eq!(rows.iter().map(|row| row[0]).collect::<Vec<_>>(), names, "{module}: {heading}");
            for (declared, row) in declared.iter().zip(&rows) {
                declared.is_told(kind, row, &format!("{module}: {}", declared.name));
            }
        }
    }
}

#[test]
fn the_guide_names_each_variable_of_every_stack() {
    let guide = std::fs::read_to_string(terraform().join("../docs/terraform.md")).unwrap();
    for stack in folders("stacks") {
        let name = stack.strip_prefix("stacks/").unwrap();
        let row = guide.lines().find(|line| line.starts_with(&format!("| `{name}`"))).unwrap();
        for variable in declared("variable", &read(&format!("{stack}/variables.tf"))) {
            let told = row.contains(&format!("`{}`", variable.name)) || variable.name == "artifact";
            assert!(told, "docs/terraform.md does not name {} of {stack}", variable.name);
        }
    }
}
