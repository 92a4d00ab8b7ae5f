//! How two states are shown beside each other.

use claimctl_core::units::count;
use claimctl_deploy::state::{Difference, How};

use crate::cli::stack::cells;
use crate::output::{Page, Table};

/// Tables of what differs, and the sentence that counts it. `sides` heads the two columns of values.
pub fn add_to(page: Page, difference: &Difference, sides: [&'static str; 2]) -> Page {
    let [first, second] = sides;
    let mut resources = Table::new(["IS", "RESOURCE", "ATTRIBUTE", first, second]);
    for resource in &difference.resources {
        let is = [resource.how.name().to_owned(), resource.address.clone()];
        let attributes = resource.attributes.iter().map(cells);
        let attributes = if resource.attributes.is_empty() { vec![Default::default()] } else { attributes.collect() };
        let mut is = Some(is);
        for [path, old, new] in attributes {
            let [how, address] = is.take().unwrap_or_default();
            resources.row([how, address, path, old, new]);
        }
    }
    let mut outputs = Table::new(["OUTPUT", first, second]);
    for output in &difference.outputs {
        outputs.row(cells(output));
    }
    page.table(resources).table(outputs).line(sentence(difference))
}

/// `2 added, 1 changed, 20 unchanged`
pub fn sentence(difference: &Difference) -> String {
    let told = [How::Added, How::Changed, How::Removed]
        .into_iter()
        .filter(|how| difference.count(*how) > 0)
        .map(|how| format!("{} {}", count(difference.count(how), "resource"), how.name()));
    let outputs = difference.outputs.len() as u64;
    let outputs = (outputs > 0).then(|| format!("{} changed", count(outputs, "output value")));
    let mut told: Vec<String> = told.chain(outputs).collect();
    if told.is_empty() {
        told.push("no resource and no output differs".to_owned());
    }
    format!("{}, {} unchanged", told.join(", "), difference.unchanged)
}
