# Making, changing and removing event buses, rules, state machines and APIs.
data "aws_iam_policy_document" "write_events" {
  statement {
    sid       = "Buses"
    actions   = ["events:CreateEventBus", "events:DeleteEventBus", "events:TagResource", "events:UntagResource", "events:UpdateEventBus"]
    resources = local.buses
  }

  statement {
    sid = "Rules"

    actions = [
      "events:DeleteRule",
      "events:DisableRule",
      "events:EnableRule",
      "events:PutRule",
      "events:PutTargets",
      "events:RemoveTargets",
      "events:TagResource",
      "events:UntagResource",
    ]

    resources = local.rules
  }

  statement {
    sid = "StateMachines"

    actions = [
      "states:CreateStateMachine",
      "states:DeleteStateMachine",
      "states:TagResource",
      "states:UntagResource",
      "states:UpdateStateMachine",
    ]

    resources = local.state_machines
  }

  # A policy of CloudWatch Logs says by itself which log groups it is for. These have no resource-level permissions (Service
  # Authorization Reference, Amazon CloudWatch Logs).
  statement {
    sid       = "WhoWritesToLogs"
    actions   = ["logs:DeleteResourcePolicy", "logs:PutResourcePolicy"]
    resources = ["*"]
  }

  # An API that is to be made has no id yet: it has to bring the environment's tags.
  statement {
    sid       = "MakeApis"
    actions   = ["apigateway:POST"]
    resources = ["arn:${var.partition}:apigateway:${var.region}::/restapis"]

    dynamic "condition" {
      for_each = local.tags_of_resources

      content {
        test     = "StringEquals"
        variable = "aws:RequestTag/${condition.key}"
        values   = [condition.value]
      }
    }
  }

  statement {
    sid       = "Apis"
    actions   = ["apigateway:DELETE", "apigateway:PATCH", "apigateway:POST", "apigateway:PUT"]
    resources = local.apis

    dynamic "condition" {
      for_each = local.tags_of_resources

      content {
        test     = "StringEquals"
        variable = "aws:ResourceTag/${condition.key}"
        values   = [condition.value]
      }
    }
  }

  # Bringing tags is tagging. Another environment's API cannot be taken over by it: its tags are there already.
  statement {
    sid       = "TagApis"
    actions   = ["apigateway:PUT"]
    resources = local.api_tags

    dynamic "condition" {
      for_each = local.tags_of_resources

      content {
        test     = "StringEquals"
        variable = "aws:RequestTag/${condition.key}"
        values   = [condition.value]
      }
    }

    dynamic "condition" {
      for_each = local.tags_of_resources

      content {
        test     = "StringEqualsIfExists"
        variable = "aws:ResourceTag/${condition.key}"
        values   = [condition.value]
      }
    }
  }

  statement {
    sid       = "UntagApis"
    actions   = ["apigateway:DELETE"]
    resources = local.api_tags

    dynamic "condition" {
      for_each = local.tags_of_resources

      content {
        test     = "StringEquals"
        variable = "aws:ResourceTag/${condition.key}"
        values   = [condition.value]
      }
    }
  }
}
