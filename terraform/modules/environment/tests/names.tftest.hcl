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
  environment          = "dev"
  workspace            = "dev"
  region               = "us-west-1"
  account              = "111111111111"
  permissions_boundary = true
}

run "names_are_made_of_project_and_environment" {
  command = plan

  assert {
    condition     = output.prefix == "shop-dev"
    error_message = "resource names begin with ${output.prefix}"
  }

  assert {
    condition     = output.bucket_prefix == "shop-dev-111111111111-us-west-1"
    error_message = "bucket names begin with ${output.bucket_prefix}"
  }

  assert {
    condition     = output.state_bucket == "shop-tfstate-111111111111-us-west-1"
    error_message = "the state bucket is ${output.state_bucket}, which is not what bootstrap makes"
  }

  assert {
    condition     = output.artifact_bucket == "shop-artifacts-111111111111-us-west-1"
    error_message = "the artifact bucket is ${output.artifact_bucket}, which is not what bootstrap makes"
  }

  assert {
    condition     = output.permissions_boundary_arn == "arn:aws:iam::111111111111:policy/shop-dev-boundary"
    error_message = "the boundary is ${output.permissions_boundary_arn}"
  }
}

run "buckets_of_other_names_and_no_boundary" {
  command = plan

  variables {
    state_bucket         = "states"
    artifact_bucket      = "zips"
    permissions_boundary = false
  }

  assert {
    condition     = output.state_bucket == "states" && output.artifact_bucket == "zips"
    error_message = "the buckets that were named are not taken"
  }

  assert {
    condition     = output.permissions_boundary_arn == null
    error_message = "there is a boundary that nobody asked for"
  }
}

run "the_longest_names_fit" {
  command = plan

  variables {
    project     = "a-project-of-23-letters"
    environment = "dev"
    region      = "ap-southeast-1"
  }

  assert {
    condition     = length("${output.bucket_prefix}-payload") == 63
    error_message = "the longest bucket name has ${length("${output.bucket_prefix}-payload")} characters"
  }
}
