# What API Gateway answers by itself, as problem details (RFC 9457). Whatever the caller accepts, it gets these: of several
# templates API Gateway would choose by the header Accept, and with one there is no choice.
locals {
  responses = {
    ACCESS_DENIED                = { status = "403", title = "Forbidden" }
    BAD_REQUEST_BODY             = { status = "400", title = "Bad Request" }
    BAD_REQUEST_PARAMETERS       = { status = "400", title = "Bad Request" }
    DEFAULT_4XX                  = { status = null, title = "Bad Request" }
    DEFAULT_5XX                  = { status = null, title = "Internal Server Error" }
    MISSING_AUTHENTICATION_TOKEN = { status = "403", title = "Forbidden" }
    THROTTLED                    = { status = "429", title = "Too Many Requests" }
  }

  # messageString comes with its quotes. The status of the two that stand for many is decided as they are answered.
  templates = {
    for type, response in local.responses : type => join("", [
      "{\"type\":\"about:blank\",\"title\":\"${response.title}\",",
      response.status == null ? "" : "\"status\":${response.status},",
      "\"detail\":$context.error.messageString}",
    ])
  }
}

resource "aws_api_gateway_gateway_response" "this" {
  for_each = local.responses

  rest_api_id         = aws_api_gateway_rest_api.this.id
  response_type       = each.key
  status_code         = each.value.status
  response_templates  = { "application/json" = local.templates[each.key] }
  response_parameters = { "gatewayresponse.header.Content-Type" = "'application/problem+json'" }
}
