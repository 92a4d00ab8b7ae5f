locals {
  # By path, "/payments/{payment_id}": the resources of API Gateway, which hang in each other. Terraform makes no tree of one
  # resource, so that there is one for each depth.
  paths  = toset([for method in var.methods : method.path])
  first  = toset([for path in local.paths : split("/", path)[1]])
  second = { for path in local.paths : path => split("/", path) if length(split("/", path)) == 3 }

  resource_ids = merge(
    { for part, resource in aws_api_gateway_resource.first : "/${part}" => resource.id },
    { for path, resource in aws_api_gateway_resource.second : path => resource.id },
  )
}

resource "aws_api_gateway_rest_api" "this" {
  name        = var.name
  description = var.description

  endpoint_configuration {
    types = ["REGIONAL"]
  }
}

resource "aws_api_gateway_resource" "first" {
  for_each = local.first

  rest_api_id = aws_api_gateway_rest_api.this.id
  parent_id   = aws_api_gateway_rest_api.this.root_resource_id
  path_part   = each.value
}

resource "aws_api_gateway_resource" "second" {
  for_each = local.second

  rest_api_id = aws_api_gateway_rest_api.this.id
  parent_id   = aws_api_gateway_resource.first[each.value[1]].id
  path_part   = each.value[2]
}

resource "aws_api_gateway_model" "this" {
  for_each = var.schemas

  rest_api_id  = aws_api_gateway_rest_api.this.id
  name         = each.key
  content_type = "application/json"
  schema       = each.value
}

resource "aws_api_gateway_request_validator" "this" {
  rest_api_id                 = aws_api_gateway_rest_api.this.id
  name                        = "body-and-parameters"
  validate_request_body       = true
  validate_request_parameters = true
}

resource "aws_api_gateway_method" "this" {
  for_each = var.methods

  rest_api_id          = aws_api_gateway_rest_api.this.id
  resource_id          = local.resource_ids[each.value.path]
  http_method          = each.value.method
  authorization        = "AWS_IAM"
  request_validator_id = aws_api_gateway_request_validator.this.id
  request_models       = each.value.schema == null ? {} : { "application/json" = aws_api_gateway_model.this[each.value.schema].name }
  request_parameters   = { for name, required in each.value.parameters : "method.request.${name}" => required }
}

resource "aws_api_gateway_integration" "this" {
  for_each = var.methods

  rest_api_id             = aws_api_gateway_rest_api.this.id
  resource_id             = local.resource_ids[each.value.path]
  http_method             = aws_api_gateway_method.this[each.key].http_method
  type                    = "AWS_PROXY"
  integration_http_method = "POST"
  uri                     = var.invoke_arn
}
