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
  name        = "shop-dev-payments"
  description = "Payments"
  stage       = "dev"
  invoke_arn  = "arn:aws:apigateway:us-west-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-west-1:000000000000:function:shop-dev-payments-api:live/invocations"
  schemas     = { Payment = "{\"$schema\":\"http://json-schema.org/draft-04/schema#\",\"type\":\"object\"}" }

  methods = {
    create = { method = "POST", path = "/payments", schema = "Payment", parameters = { "header.Idempotency-Key" = true } }
    get    = { method = "GET", path = "/payments/{payment_id}", parameters = { "path.payment_id" = true } }
  }
}

run "signed_requests_that_are_checked" {
  assert {
    condition     = alltrue([for method in aws_api_gateway_method.this : method.authorization == "AWS_IAM" && method.request_validator_id == aws_api_gateway_request_validator.this.id])
    error_message = "a method takes what is not signed, or is not checked"
  }

  assert {
    condition     = aws_api_gateway_method.this["create"].request_models == tomap({ "application/json" = "Payment" }) && aws_api_gateway_method.this["create"].request_parameters == tomap({ "method.request.header.Idempotency-Key" = true })
    error_message = "a payment is taken without its schema or its key"
  }

  assert {
    condition     = aws_api_gateway_resource.second["/payments/{payment_id}"].parent_id == aws_api_gateway_resource.first["payments"].id && aws_api_gateway_method.this["get"].resource_id == aws_api_gateway_resource.second["/payments/{payment_id}"].id
    error_message = "a path is another one"
  }

  assert {
    condition     = alltrue([for integration in aws_api_gateway_integration.this : integration.type == "AWS_PROXY" && integration.uri == var.invoke_arn])
    error_message = "a request goes elsewhere"
  }
}

run "every_answer_of_its_own_is_a_problem_with_details" {
  assert {
    condition     = alltrue([for response in aws_api_gateway_gateway_response.this : response.response_parameters["gatewayresponse.header.Content-Type"] == "'application/problem+json'"])
    error_message = "an answer is of another type"
  }

  # As API Gateway fills it in.
  assert {
    condition     = alltrue([for response in aws_api_gateway_gateway_response.this : jsondecode(replace(response.response_templates["application/json"], "$context.error.messageString", "\"why\"")).detail == "why"])
    error_message = "an answer is no JSON"
  }
}

run "the_stage_logs_and_throttles" {
  assert {
    condition     = one(aws_api_gateway_stage.this.access_log_settings).destination_arn == aws_cloudwatch_log_group.access.arn && can(jsondecode(one(aws_api_gateway_stage.this.access_log_settings).format).status)
    error_message = "requests are not logged"
  }

  assert {
    condition     = one(aws_api_gateway_method_settings.this.settings).throttling_rate_limit == 100 && one(aws_api_gateway_method_settings.this.settings).throttling_burst_limit == 200
    error_message = "requests are not throttled"
  }

  assert {
    condition     = endswith(output.url, "/dev") && output.stage == "dev"
    error_message = "the stage is another one"
  }
}
