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

  name       = "shop-dev-recorder"
  role_name  = "shop-dev-schedule"
  alias_arn  = "arn:aws:lambda:us-west-1:000000000000:function:shop-dev-recorder:live"
  account    = "000000000000"
  expression = "rate(5 minutes)"
  input      = "{}"
}

run "the_role_invokes_the_alias_and_nothing_else" {
  assert {
    condition     = jsondecode(aws_iam_role_policy.this.policy).Statement == [{ Sid = "InvokeTheAlias", Effect = "Allow", Action = "lambda:InvokeFunction", Resource = var.alias_arn }]
    error_message = "the role may do something else"
  }

  assert {
    condition     = one(one(aws_scheduler_schedule.this.target).retry_policy).maximum_retry_attempts == 0
    error_message = "a run is made twice"
  }

  assert {
    condition     = one(aws_scheduler_schedule.this.target).input == "{}"
    error_message = "the function gets another event"
  }
}

run "a_cron_expression" {
  command = plan

  variables {
    expression = "cron(0 12 * * ? *)"
  }

  assert {
    condition     = aws_scheduler_schedule.this.schedule_expression == "cron(0 12 * * ? *)"
    error_message = "the expression is another one"
  }
}
