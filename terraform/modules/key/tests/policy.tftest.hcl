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

  name        = "shop-dev"
  description = "Topics"
  account     = "000000000000"
  partition   = "aws"
  services    = ["s3.amazonaws.com"]
}

run "services_use_it_for_this_account_only" {
  command = plan

  assert {
    condition     = jsondecode(aws_kms_key.this.policy).Statement[1].Condition.StringEquals["aws:SourceAccount"] == "000000000000"
    error_message = "another account could have the key used"
  }

  assert {
    condition     = aws_kms_key.this.enable_key_rotation
    error_message = "the key does not rotate"
  }
}

run "nobody_else_without_services" {
  command = plan

  variables {
    services = []
  }

  assert {
    condition     = length(jsondecode(aws_kms_key.this.policy).Statement) == 1
    error_message = "there is a statement for services, and no service"
  }
}
