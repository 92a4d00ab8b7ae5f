# Making, changing and removing functions, their logs and their roles.
data "aws_iam_policy_document" "write_functions" {
  statement {
    sid = "Functions"

    actions = [
      "lambda:AddPermission",
      "lambda:CreateAlias",
      "lambda:CreateFunction",
      "lambda:DeleteAlias",
      "lambda:DeleteFunction",
      "lambda:DeleteFunctionConcurrency",
      "lambda:DeleteFunctionEventInvokeConfig",
      "lambda:PublishVersion",
      "lambda:PutFunctionConcurrency",
      "lambda:PutFunctionEventInvokeConfig",
      "lambda:RemovePermission",
      "lambda:TagResource",
      "lambda:UntagResource",
      "lambda:UpdateAlias",
      "lambda:UpdateFunctionCode",
      "lambda:UpdateFunctionConfiguration",
      "lambda:UpdateFunctionEventInvokeConfig",
    ]

    resources = local.functions
  }

  # A mapping that is to be made has no ARN yet: it has to be one of the environment's functions.
  statement {
    sid       = "MakeMappings"
    actions   = ["lambda:CreateEventSourceMapping"]
    resources = ["*"]

    condition {
      test     = "ArnLike"
      variable = "lambda:FunctionArn"
      values   = local.functions
    }
  }

  statement {
    sid       = "Mappings"
    actions   = ["lambda:DeleteEventSourceMapping", "lambda:UpdateEventSourceMapping"]
    resources = local.mappings

    condition {
      test     = "ArnLike"
      variable = "lambda:FunctionArn"
      values   = local.functions
    }
  }

  statement {
    sid       = "TagsOfMappings"
    actions   = ["lambda:TagResource", "lambda:UntagResource"]
    resources = local.mappings
  }

  statement {
    sid = "Logs"

    actions = [
      "logs:CreateLogGroup",
      "logs:DeleteLogGroup",
      "logs:DeleteRetentionPolicy",
      "logs:PutRetentionPolicy",
      "logs:TagResource",
      "logs:UntagResource",
    ]

    resources = local.log_groups
  }

  # Only roles inside the boundary: without it, a deployment could hand out more than it has itself.
  statement {
    sid = "RolesInsideTheBoundary"

    actions = [
      "iam:CreateRole",
      "iam:DeleteRole",
      "iam:DeleteRolePolicy",
      "iam:PutRolePermissionsBoundary",
      "iam:PutRolePolicy",
      "iam:UpdateAssumeRolePolicy",
      "iam:UpdateRole",
      "iam:UpdateRoleDescription",
    ]

    resources = local.roles_of_stacks

    condition {
      test     = "StringEquals"
      variable = "iam:PermissionsBoundary"
      values   = [aws_iam_policy.boundary.arn]
    }
  }

  statement {
    sid       = "TagsOfRoles"
    actions   = ["iam:TagRole", "iam:UntagRole"]
    resources = local.roles_of_stacks
  }

  statement {
    sid       = "GiveRolesToServices"
    actions   = ["iam:PassRole"]
    resources = local.roles_of_stacks

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = [for service in ["ec2", "lambda", "scheduler", "states", "vpc-flow-logs"] : "${service}.amazonaws.com"]
    }
  }
}
