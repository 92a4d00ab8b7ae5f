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
  name              = "shop-dev-application"
  region            = "us-west-1"
  account           = "000000000000"
  partition         = "aws"
  architecture      = "arm64"
  instance_type     = "t4g.micro"
  private_subnet_id = "subnet-private"
  public_subnet_id  = "subnet-public"
  security_group_id = "sg-1"
}

run "a_name_with_a_dot" {
  command = plan

  variables {
    name = "shop.dev"
  }

  expect_failures = [var.name]
}

run "a_processor_that_there_is_not" {
  command = plan

  variables {
    architecture  = "aarch64"
    instance_type = "t3.micro"
  }

  expect_failures = [var.architecture]
}

run "a_type_without_a_size" {
  command = plan

  variables {
    instance_type = "t4g"
  }

  expect_failures = [var.instance_type]
}

run "a_type_of_another_processor" {
  command = plan

  variables {
    instance_type = "t3.micro"
  }

  expect_failures = [var.instance_type]
}

run "graviton_for_x86" {
  command = plan

  variables {
    architecture = "x86_64"
  }

  expect_failures = [var.instance_type]
}

run "http_from_a_name" {
  command = plan

  variables {
    http_cidrs = ["office.example.com"]
  }

  expect_failures = [var.http_cidrs]
}

run "ssh_from_everywhere" {
  command = plan

  variables {
    ssh_cidrs = ["0.0.0.0/0"]
    key_name  = "mine"
  }

  expect_failures = [var.ssh_cidrs]
}

run "ssh_from_half_of_the_world" {
  command = plan

  variables {
    ssh_cidrs = ["0.0.0.0/1"]
    key_name  = "mine"
  }

  expect_failures = [var.ssh_cidrs]
}

run "ssh_without_a_key_pair" {
  command = plan

  variables {
    ssh_cidrs = ["203.0.113.0/24"]
  }

  expect_failures = [aws_instance.this]
}

run "any_action_of_a_service" {
  command = plan

  variables {
    statements = [{ sid = "All", actions = ["s3:*"], resources = ["*"] }]
  }

  expect_failures = [var.statements]
}
