# The role by which API Gateway writes the access logs of every API of the account. It is the account's, and the setting that
# names it is the region's: a stack that made them would take them from all others when it goes.

# In the path of the roles that deploy, where no deployment reaches it.
resource "aws_iam_role" "api_gateway_logs" {
  count = var.api_gateway_logs ? 1 : 0

  name               = "${var.project}-${var.environment}-api-logs"
  path               = "/deploy/"
  description        = "Lets API Gateway write the logs of the account's APIs"
  assume_role_policy = data.aws_iam_policy_document.api_gateway.json
}

# Without aws:SourceAccount: API Gateway's guide names no such condition for this role, and a setting that it refuses would
# keep the stacks from having logs.
data "aws_iam_policy_document" "api_gateway" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["apigateway.amazonaws.com"]
    }
  }
}

# API Gateway tries the role as it is named, and takes none that may less than this policy of AWS's own (Amazon API Gateway
# Developer Guide, "Set up CloudWatch logging for REST APIs").
resource "aws_iam_role_policy_attachment" "api_gateway_logs" {
  count = var.api_gateway_logs ? 1 : 0

  role       = aws_iam_role.api_gateway_logs[0].name
  policy_arn = "arn:${module.environment[var.environment].partition}:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
}

resource "aws_api_gateway_account" "this" {
  count = var.api_gateway_logs ? 1 : 0

  cloudwatch_role_arn = aws_iam_role.api_gateway_logs[0].arn

  depends_on = [aws_iam_role_policy_attachment.api_gateway_logs]
}
