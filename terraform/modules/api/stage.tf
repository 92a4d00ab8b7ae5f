# A deployment is what the methods were when it was made: whatever of them changes makes another one.
resource "aws_api_gateway_deployment" "this" {
  rest_api_id = aws_api_gateway_rest_api.this.id

  triggers = {
    definitions = sha1(jsonencode([
      var.methods,
      var.schemas,
      var.invoke_arn,
      local.templates,
      local.resource_ids,
      [for method in aws_api_gateway_method.this : method.id],
      [for integration in aws_api_gateway_integration.this : integration.id],
      [for response in aws_api_gateway_gateway_response.this : response.id],
      [for model in aws_api_gateway_model.this : model.id],
      aws_api_gateway_request_validator.this.id,
    ]))
  }

  # The stage goes from one to the other.
  lifecycle {
    create_before_destroy = true
  }
}

# The account has to let API Gateway write logs before it takes a stage that has some: terraform/global sees to that.
resource "aws_api_gateway_stage" "this" {
  rest_api_id   = aws_api_gateway_rest_api.this.id
  deployment_id = aws_api_gateway_deployment.this.id
  stage_name    = var.stage

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.access.arn

    # A line of JSON for each request, without its body, of which validationErrorString would quote. What its integration
    # says is the function's answer.
    format = jsonencode({
      request_id          = "$context.requestId"
      time                = "$context.requestTimeEpoch"
      ip                  = "$context.identity.sourceIp"
      caller              = "$context.identity.userArn"
      user_agent          = "$context.identity.userAgent"
      method              = "$context.httpMethod"
      path                = "$context.path"
      resource            = "$context.resourcePath"
      status              = "$context.status"
      bytes               = "$context.responseLength"
      milliseconds        = "$context.responseLatency"
      function_ms         = "$context.integrationLatency"
      function_status     = "$context.integrationStatus"
      function_request_id = "$context.integration.requestId"
      error               = "$context.error.message"
    })
  }

  xray_tracing_enabled = false
}

resource "aws_api_gateway_method_settings" "this" {
  rest_api_id = aws_api_gateway_rest_api.this.id
  stage_name  = aws_api_gateway_stage.this.stage_name
  method_path = "*/*"

  settings {
    throttling_burst_limit = var.throttling.burst
    throttling_rate_limit  = var.throttling.rate
  }
}

resource "aws_cloudwatch_log_group" "access" {
  name              = "/aws/apigateway/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.log_kms_key_arn
}
