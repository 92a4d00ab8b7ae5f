locals {
  prefix = "${var.project}-${var.environment}"

  # Outside the path of what Terraform makes: a role that deploys must not be able to change itself.
  path = "/deploy/"

  policies = {
    read            = data.aws_iam_policy_document.read.minified_json
    read-network    = data.aws_iam_policy_document.read_network.minified_json
    state           = data.aws_iam_policy_document.state.minified_json
    lock            = data.aws_iam_policy_document.lock.minified_json
    write-data      = data.aws_iam_policy_document.write_data.minified_json
    write-messages  = data.aws_iam_policy_document.write_messages.minified_json
    write-functions = data.aws_iam_policy_document.write_functions.minified_json
    write-network   = data.aws_iam_policy_document.write_network.minified_json
    write-events    = data.aws_iam_policy_document.write_events.minified_json
    write-databases = data.aws_iam_policy_document.write_databases.minified_json
  }

  roles = {
    deploy = {
      description = "Deploys ${local.prefix} from the GitHub environment ${var.environment}"
      subjects    = ["environment:${var.environment}"]
      policies    = keys(local.policies)
    }
    # A workflow of a fork's pull request gets no token from GitHub, so it can assume nothing. One that looks for drift
    # on a schedule runs on the branch.
    plan = {
      description = "Plans ${local.prefix} for pull requests, and changes nothing"
      subjects    = ["pull_request", "ref:refs/heads/${var.branch}"]
      policies    = ["read", "read-network", "state"]
    }
  }
}

resource "aws_iam_role" "this" {
  for_each = local.roles

  name                 = "${local.prefix}-${each.key}"
  path                 = local.path
  description          = each.value.description
  assume_role_policy   = data.aws_iam_policy_document.trust[each.key].json
  max_session_duration = 3600
}

data "aws_iam_policy_document" "trust" {
  for_each = local.roles

  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [var.oidc_provider_arn]
    }

    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:aud"
      values   = ["sts.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:sub"
      values   = [for subject in each.value.subjects : "repo:${var.repository}:${subject}"]
    }
  }
}

resource "aws_iam_policy" "this" {
  for_each = local.policies

  name        = "${local.prefix}-deploy-${each.key}"
  path        = local.path
  description = "Part ${each.key} of what deploying ${local.prefix} takes"
  policy      = each.value

  lifecycle {
    precondition {
      condition     = length(each.value) <= 6144
      error_message = "The policy ${local.prefix}-deploy-${each.key} has ${length(each.value)} characters, and IAM takes 6144: shorten project or environment."
    }
  }
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each = merge([
    for role, settings in local.roles : {
      for policy in settings.policies : "${role}-${policy}" => { role = role, policy = policy }
    }
  ]...)

  role       = aws_iam_role.this[each.value.role].name
  policy_arn = aws_iam_policy.this[each.value.policy].arn
}
