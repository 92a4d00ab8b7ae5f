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
  name               = "shop-dev-customers"
  database           = "claims"
  username           = "importer"
  engine_version     = "8.0.mysql_aurora.3.10.3"
  vpc_id             = "vpc-1"
  subnet_ids         = ["subnet-1", "subnet-2"]
  clients            = { importer = "sg-1" }
  secret_kms_key_arn = "arn:aws:kms:us-west-1:000000000000:key/11111111-2222-3333-4444-555555555555"
}

run "a_name_with_two_hyphens" {
  command = plan

  variables {
    name = "shop--customers"
  }

  expect_failures = [var.name]
}

run "a_name_that_ends_in_a_hyphen" {
  command = plan

  variables {
    name = "shop-"
  }

  expect_failures = [var.name]
}

run "a_name_too_long" {
  command = plan

  variables {
    name = "a-name-of-sixty-two-characters-leaves-no-room-for-its-instance"
  }

  expect_failures = [var.name]
}

run "a_database_with_a_hyphen" {
  command = plan

  variables {
    database = "my-claims"
  }

  expect_failures = [var.database]
}

run "the_engines_own_user" {
  command = plan

  variables {
    username = "rdsadmin"
  }

  expect_failures = [var.username]
}

run "aurora_mysql_2" {
  command = plan

  variables {
    engine_version = "5.7.mysql_aurora.2.11.1"
  }

  expect_failures = [var.engine_version]
}

run "half_a_version" {
  command = plan

  variables {
    engine_version = "8.0.mysql_aurora.3.10"
  }

  expect_failures = [var.engine_version]
}

run "a_class_of_ec2" {
  command = plan

  variables {
    instance_class = "r7g.large"
  }

  expect_failures = [var.instance_class]
}

run "more_at_least_than_at_most" {
  command = plan

  variables {
    capacity = { minimum = 8, maximum = 4 }
  }

  expect_failures = [var.capacity]
}

run "a_third_of_a_unit" {
  command = plan

  variables {
    capacity = { minimum = 0.3, maximum = 4 }
  }

  expect_failures = [var.capacity]
}

run "sixteen_readers" {
  command = plan

  variables {
    readers = 16
  }

  expect_failures = [var.readers]
}

run "one_subnet" {
  command = plan

  variables {
    subnet_ids = ["subnet-1"]
  }

  expect_failures = [var.subnet_ids]
}

run "no_backups" {
  command = plan

  variables {
    backup_retention_days = 0
  }

  expect_failures = [var.backup_retention_days]
}

run "logs_kept_for_ten_days" {
  command = plan

  variables {
    log_retention_days = 10
  }

  expect_failures = [var.log_retention_days]
}

run "a_key_of_another_region" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:000000000000:key/11111111-2222-3333-4444-555555555555"
  }

  expect_failures = [aws_rds_cluster.this]
}
