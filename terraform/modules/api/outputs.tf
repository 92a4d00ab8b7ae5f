output "name" {
  description = "Name of the API."
  value       = aws_api_gateway_rest_api.this.name
}

output "url" {
  description = "Where the stage is: paths are appended."
  value       = aws_api_gateway_stage.this.invoke_url
}

output "stage" {
  description = "Name of the stage."
  value       = aws_api_gateway_stage.this.stage_name
}

output "execution_arn" {
  description = "What permissions to invoke the API begin with: ARN/STAGE/METHOD/PATH."
  value       = aws_api_gateway_rest_api.this.execution_arn
}
