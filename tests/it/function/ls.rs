//! The functions of the stacks and of the account, as they are now.

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{FunctionCode, Runtime};
use serde_json::{Value, json};

use crate::run::Running;
use crate::world::{World, artifact, wait_for};

fn create(world: &World, name: &str) {
    let code = FunctionCode::builder().zip_file(Blob::new(std::fs::read(artifact()).unwrap())).build();
    let create = world.lambda().create_function().function_name(name).runtime(Runtime::Providedal2023).code(code);
    let create = create.role(format!("arn:aws:iam::{}:role/r", claimctl::sandbox::ACCOUNT)).handler("bootstrap");
    wait_for(create.memory_size(512).timeout(7).send()).unwrap();
}

fn listed(world: &World, more: &[&str]) -> Vec<Value> {
    let list = world.claimctl(["function", "ls", "-o", "json"]).args(more).run().exits(0).json();
    list["functions"].as_array().unwrap().clone()
}

#[test]
fn functions_are_told_as_their_flows_call_them_and_one_that_is_gone_hides_none() {
    let world = World::up();
    create(&world, "of-nobody");
    let of_stacks = listed(&world, &[]);
    let [recorder] = of_stacks.as_slice() else { panic!("{of_stacks:#?}") };
    let surface = &world.surface["functions"]["claim-recorder"];
    assert_eq!((&recorder["name"], &recorder["artifact"]), (&surface["name"], &surface["artifact"]));
    assert_eq!(
        (&recorder["logical"], &recorder["stack"], &recorder["alias"], &recorder["state"]),
        (&json!("claim-recorder"), &json!("claim-check"), &json!("live"), &json!("Active"))
    );
    assert!(recorder["last_modified"].is_string() && recorder["version"].is_string(), "{recorder:#}");

    let all = listed(&world, &["--all"]);
    let names: Vec<_> = all.iter().map(|function| function["name"].as_str().unwrap()).collect();
    assert_eq!(names, [recorder["name"].as_str().unwrap(), "of-nobody"]);
    let other = &all[1];
    assert_eq!((&other["memory_mb"], &other["timeout_seconds"]), (&json!(512), &json!(7)));
    assert_eq!(
        (&other["logical"], &other["artifact"], &other["version"]),
        (&Value::Null, &Value::Null, &json!("$LATEST"))
    );

    let digest = &surface["artifact"].as_str().unwrap()[..19];
    world.claimctl(["function", "ls"]).run().exits(0).says("provided.al2023").says(digest).says("live (");

    let name = recorder["name"].as_str().unwrap();
    wait_for(world.lambda().delete_function().function_name(name).send()).unwrap();
    let run = world.claimctl(["function", "ls", "--all"]).run().exits(3).says("of-nobody");
    run.says(&format!("not read: function {name}: cannot read function {name}:live"));
}
