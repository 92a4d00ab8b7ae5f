provider "aws" {
  region     = "us-west-1"
  access_key = "000000000000"
  secret_key = "test"

  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

variables {
  project              = "shop"
  environment          = "default" # the workspace that tests run in
  region               = "us-west-1"
  account              = "000000000000"
  artifact             = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
  permissions_boundary = false
  deletion_protection  = false # what tests make they remove
}

run "one_flow_into_a_database" {
  assert {
    condition     = output.claimctl.flows[0].sink == { kind = "database", name = "customers" } && output.claimctl.flows[0].after_processing == "load"
    error_message = "a file's record is told wrongly"
  }

  assert {
    condition     = toset(keys(output.claimctl.databases.customers)) == toset(["cluster", "database", "host", "port", "secret_arn"])
    error_message = "the database is told wrongly: ${jsonencode(output.claimctl.databases)}"
  }

  assert {
    condition     = jsondecode(aws_s3_object.surface.content) == jsondecode(jsonencode(output.claimctl))
    error_message = "operators read another surface than the output"
  }

  assert {
    condition     = output.secret_arn == output.claimctl.databases.customers.secret_arn && output.bucket == output.claimctl.buckets.csv.name
    error_message = "an output says something else than the surface"
  }
}

run "an_instance_only_where_it_is_wanted" {
  command = plan

  variables {
    instance = false
  }

  assert {
    condition     = output.instance_id == null && keys(aws_security_group.this) == ["csv-importer"]
    error_message = "there is something of an instance that nobody wants"
  }
}

run "the_application_gets_out_only_where_there_is_a_way" {
  command = plan

  variables {
    nat_gateway = true
  }

  assert {
    condition     = keys(aws_vpc_security_group_egress_rule.internet) == ["application"]
    error_message = "who may go to the internet: ${jsonencode(keys(aws_vpc_security_group_egress_rule.internet))}"
  }
}

run "without_one_nobody_gets_out" {
  command = plan

  assert {
    condition     = length(aws_vpc_security_group_egress_rule.internet) == 0
    error_message = "there is no way to the internet, and a rule for it"
  }
}
