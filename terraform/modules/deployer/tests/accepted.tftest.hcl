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
  project           = "shop"
  environment       = "dev"
  region            = "us-west-1"
  account           = "000000000000"
  partition         = "aws"
  repository        = "acme/claims"
  oidc_provider_arn = "arn:aws:iam::000000000000:oidc-provider/token.actions.githubusercontent.com"
  state_bucket      = "states"
  artifact_bucket   = "artifacts"

  deletion_protection = true
}

run "who_may_assume_what" {
  assert {
    condition     = jsondecode(aws_iam_role.this["deploy"].assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:sub"] == "repo:acme/claims:environment:dev"
    error_message = "something else than the environment dev of acme/claims may deploy"
  }

  assert {
    condition     = jsondecode(aws_iam_role.this["plan"].assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:sub"] == ["repo:acme/claims:pull_request", "repo:acme/claims:ref:refs/heads/main"]
    error_message = "something else than pull requests and main of acme/claims may plan"
  }

  assert {
    condition     = alltrue([for role in aws_iam_role.this : jsondecode(role.assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:aud"] == "sts.amazonaws.com"])
    error_message = "tokens for others than AWS are taken"
  }
}

run "who_plans_changes_nothing" {
  assert {
    condition     = toset([for key, attachment in aws_iam_role_policy_attachment.this : attachment.policy_arn if startswith(key, "plan-")]) == toset([for name in ["read", "read-network", "state"] : aws_iam_policy.this[name].arn])
    error_message = "the role that plans has more than the policies that read"
  }

  assert {
    condition = alltrue(flatten([
      for name in ["read", "read-network", "state"] : [
        for statement in jsondecode(aws_iam_policy.this[name].policy).Statement : [
          for action in flatten([statement.Action]) : can(regex("^[a-z0-9]+:(Get|GET$|List|Describe|Decrypt|Validate)", action))
        ] if statement.Effect == "Allow"
      ]
    ]))
    error_message = "an action of the role that plans is no reading"
  }
}

run "nobody_who_plans_or_deploys_reads_a_secret" {
  assert {
    condition = alltrue(flatten([
      for policy in aws_iam_policy.this : [
        for statement in jsondecode(policy.policy).Statement : [
          for action in flatten([statement.Action]) : !can(regex("^secretsmanager:(Get|BatchGet)SecretValue$", action))
        ] if statement.Effect == "Allow"
      ]
    ]))
    error_message = "a policy lets secrets be read"
  }

  assert {
    condition     = one([for statement in jsondecode(aws_iam_policy.this["read-network"].policy).Statement : statement.Action if statement.Effect == "Deny"]) == ["secretsmanager:GetSecretValue", "secretsmanager:BatchGetSecretValue"]
    error_message = "another policy of the role could let secrets be read"
  }
}

run "as_many_policies_as_a_role_takes" {
  assert {
    condition     = alltrue([for role in ["deploy", "plan"] : length([for key in keys(aws_iam_role_policy_attachment.this) : key if startswith(key, "${role}-")]) <= 10])
    error_message = "IAM attaches ten policies to a role, and no more"
  }
}

run "who_deploys_stays_inside" {
  assert {
    condition     = alltrue([for role in aws_iam_role.this : role.path == "/deploy/"])
    error_message = "a role that deploys could change itself"
  }

  assert {
    condition = one([
      for statement in jsondecode(aws_iam_policy.this["write-functions"].policy).Statement :
      statement.Condition.StringEquals["iam:PermissionsBoundary"] if contains(flatten([statement.Action]), "iam:CreateRole")
    ]) == aws_iam_policy.boundary.arn
    error_message = "a deployment could make roles without the boundary"
  }

  assert {
    condition     = alltrue([for statement in jsondecode(aws_iam_policy.boundary.policy).Statement : alltrue([for action in flatten([statement.Action]) : !startswith(action, "iam:")])])
    error_message = "the boundary lets roles change roles"
  }
}

run "a_lock_table_and_a_key" {
  variables {
    lock_table        = "shop-tflock"
    state_kms_key_arn = "arn:aws:kms:us-west-1:000000000000:key/11111111-2222-3333-4444-555555555555"
  }

  assert {
    condition     = length(setintersection([for statement in jsondecode(aws_iam_policy.this["lock"].policy).Statement : statement.Sid], ["LockByTable", "EncryptState"])) == 2
    error_message = "the state cannot be locked or encrypted"
  }
}

run "data_stays_under_deletion_protection" {
  assert {
    condition     = length(setintersection(flatten([for policy in aws_iam_policy.this : [for statement in jsondecode(policy.policy).Statement : statement.Action]]), ["dynamodb:DeleteTable", "ec2:TerminateInstances", "kms:ScheduleKeyDeletion", "rds:DeleteDBCluster", "s3:DeleteBucket"])) == 0
    error_message = "a deployment could remove data that is protected"
  }
}

run "data_can_go_without_deletion_protection" {
  variables {
    deletion_protection = false
  }

  assert {
    condition     = length(setintersection(flatten([for policy in aws_iam_policy.this : [for statement in jsondecode(policy.policy).Statement : statement.Action]]), ["dynamodb:DeleteTable", "ec2:TerminateInstances", "kms:ScheduleKeyDeletion", "rds:DeleteDBCluster", "s3:DeleteBucket"])) == 5
    error_message = "a deployment cannot remove what it made"
  }
}

run "a_repository_whose_tokens_carry_ids" {
  variables {
    repository = "acme@123456/claims@456789"
  }

  assert {
    condition     = jsondecode(aws_iam_role.this["deploy"].assume_role_policy).Statement[0].Condition.StringEquals["token.actions.githubusercontent.com:sub"] == "repo:acme@123456/claims@456789:environment:dev"
    error_message = "the ids are not what is compared"
  }
}
