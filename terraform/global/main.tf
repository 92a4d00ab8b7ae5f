# What an account needs once, so that GitHub Actions can deploy into it: the OIDC provider, and for each environment of
# the account a role that deploys, a role that plans, and the boundary of all roles that a deployment makes. And the role by
# which API Gateway writes logs.

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account]

  default_tags {
    tags = {
      "claimctl:project" = var.project
      "claimctl:stack"   = "global"
    }
  }
}

locals {
  environments = merge(var.more_environments, {
    (var.environment) = {
      region              = var.region
      deletion_protection = var.deletion_protection
      state_bucket        = var.state_bucket
      artifact_bucket     = var.artifact_bucket
      lock_table          = var.lock_table
      state_kms_key_arn   = var.state_kms_key_arn
    }
  })
  provider_arn = var.oidc_provider_arn == null ? aws_iam_openid_connect_provider.github[0].arn : var.oidc_provider_arn
}

resource "aws_iam_openid_connect_provider" "github" {
  count = var.oidc_provider_arn == null ? 1 : 0

  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.amazonaws.com"]
}

module "environment" {
  source   = "../modules/environment"
  for_each = local.environments

  project              = var.project
  environment          = each.key
  workspace            = each.key == var.environment ? terraform.workspace : each.key
  region               = each.value.region
  account              = var.account
  permissions_boundary = true
  state_bucket         = each.value.state_bucket
  artifact_bucket      = each.value.artifact_bucket
}

module "deployer" {
  source   = "../modules/deployer"
  for_each = local.environments

  project           = var.project
  environment       = each.key
  region            = each.value.region
  account           = var.account
  partition         = module.environment[each.key].partition
  repository        = var.repository
  branch            = var.branch
  oidc_provider_arn = local.provider_arn
  state_bucket      = module.environment[each.key].state_bucket
  artifact_bucket   = module.environment[each.key].artifact_bucket
  lock_table        = each.value.lock_table
  state_kms_key_arn = each.value.state_kms_key_arn

  deletion_protection = each.value.deletion_protection
}
