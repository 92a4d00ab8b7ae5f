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
  name       = "shop-dev-settlement"
  definition = "{\"StartAt\":\"Settle\",\"States\":{\"Settle\":{\"Type\":\"Succeed\"}}}"
  statements = [{
    sid       = "Settle"
    actions   = ["lambda:InvokeFunction"]
    resources = ["arn:aws:lambda:us-west-1:000000000000:function:shop-dev-settle:live"]
  }]
}

run "it_logs_and_may_do_what_is_said" {
  assert {
    condition     = one(aws_sfn_state_machine.this.logging_configuration).log_destination == "${aws_cloudwatch_log_group.this.arn}:*" && startswith(aws_cloudwatch_log_group.this.name, "/aws/vendedlogs/")
    error_message = "executions are logged elsewhere"
  }

  assert {
    condition     = [for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Sid] == ["Settle", "DeliverLogs"]
    error_message = "the role may do something else"
  }

  assert {
    condition     = jsondecode(aws_iam_role.this.assume_role_policy).Statement[0].Condition.ArnLike["aws:SourceArn"] == output.arn
    error_message = "another state machine can have the role"
  }
}

run "with_a_key" {
  variables {
    kms_key_arn = "arn:aws:kms:us-west-1:000000000000:key/11111111-2222-3333-4444-555555555555"
  }

  assert {
    condition     = one(aws_sfn_state_machine.this.encryption_configuration).kms_key_id == var.kms_key_arn && aws_cloudwatch_log_group.this.kms_key_id == var.kms_key_arn
    error_message = "executions or their log are not encrypted with it"
  }

  assert {
    condition     = contains([for statement in jsondecode(aws_iam_role_policy.this.policy).Statement : statement.Sid], "EncryptExecutions")
    error_message = "the role may not use it"
  }
}

run "a_definition_without_its_first_state" {
  command = plan

  variables {
    definition = "{\"StartAt\":\"Pay\",\"States\":{\"Settle\":{\"Type\":\"Succeed\"}}}"
  }

  expect_failures = [var.definition]
}

run "a_definition_that_was_not_rendered" {
  command = plan

  variables {
    definition = "{\"StartAt\":\"Settle\",\"States\":{\"Settle\":{\"Type\":\"Task\",\"Resource\":\"$${settle_function}\",\"End\":true}}}"
  }

  expect_failures = [var.definition]
}

run "any_action" {
  command = plan

  variables {
    statements = [{ sid = "All", actions = ["lambda:*"], resources = ["arn:aws:lambda:us-west-1:000000000000:function:f"] }]
  }

  expect_failures = [var.statements]
}

run "any_resource" {
  command = plan

  variables {
    statements = [{ sid = "All", actions = ["lambda:InvokeFunction"], resources = ["*"] }]
  }

  expect_failures = [var.statements]
}

run "a_key_of_another_region" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:000000000000:key/11111111-2222-3333-4444-555555555555"
  }

  expect_failures = [aws_sfn_state_machine.this]
}

run "an_alias_instead_of_a_key" {
  command = plan

  variables {
    kms_key_arn = "alias/settlement"
  }

  expect_failures = [var.kms_key_arn]
}

run "a_retention_that_there_is_not" {
  command = plan

  variables {
    log_retention_days = 31
  }

  expect_failures = [var.log_retention_days]
}

run "a_name_with_a_dot" {
  command = plan

  variables {
    name = "settlement.v2"
  }

  expect_failures = [var.name]
}
